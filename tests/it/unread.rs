//! Standard error and standard output that nobody reads: a closed pipe, a full disk, a stopped
//! terminal. Nothing waits for them, and nothing ends because of them.

mod floods;
mod output;
mod peers;
mod servers;

use std::fs::File;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::{Program, Pty};

/// Where standard error goes.
#[derive(Debug, Clone, Copy)]
enum Errors {
    ClosedPipe,
    FullDisk,
    StoppedTerminal,
}

/// Makes a test for each kind of standard error from a function that takes one.
macro_rules! for_all_errors {
    ($($test:ident)*) => {
        mod closed_pipe {
            $(#[test] fn $test() { super::$test(super::Errors::ClosedPipe); })*
        }
        mod full_disk {
            $(#[test] fn $test() { super::$test(super::Errors::FullDisk); })*
        }
        mod stopped_terminal {
            $(#[test] fn $test() { super::$test(super::Errors::StoppedTerminal); })*
        }
    };
}
use for_all_errors;

/// With and without a log of all events.
const VERBOSITIES: [&[&str]; 2] = [&[], &["-vvv"]];

/// Starts a program with this kind of standard error.
fn start(name: &str, command: Command, errors: Errors) -> Program {
    let (errors, terminal): (Stdio, _) = match errors {
        Errors::ClosedPipe => (std::io::pipe().unwrap().1.into(), None),
        Errors::FullDisk => {
            let full = File::options().write(true).open("/dev/full");
            (full.unwrap().into(), None)
        }
        Errors::StoppedTerminal => {
            let terminal = Pty::open();
            terminal.stop();
            (terminal.stdio(), Some(terminal))
        }
    };
    let mut program = Program::start_at(name, command, [Stdio::piped(), Stdio::piped(), errors]);
    program.needs(terminal);
    program
}

/// Stops a program, which must end in time and without an error.
#[track_caller]
fn ends(mut program: Program) {
    program.signal(Signal::TERM);
    assert_eq!(program.wait().0.code(), Some(0));
}
