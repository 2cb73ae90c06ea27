//! Becomes the program under test. Between `fork` and `exec` only unsafe code can run, so the grader
//! starts its own binary again, which prepares itself and then runs the command.
//!
//! The program gets a session of its own, so that it has no terminal to write or type to; few of the
//! grader's environment variables; and limits on its files and its memory. With `--isolated` it also gets
//! processes and folders of its own. These belong to a namespace of users above its own one, so
//! that it can't undo them.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};

/// The environment variable with the next step of a process that becomes the program under test.
const STEP: &str = "P2PCI_UNDER_TEST";

/// The longest file that a program under test may write, in bytes.
pub(super) const MAX_FILE: u64 = 100 * 1024 * 1024;

/// The most data memory of one of its processes, in bytes. A Java machine reserves much more address
/// space than that, which does not count.
const MAX_DATA: u64 = 4 * 1024 * 1024 * 1024;

/// The environment variables that a program under test gets, if the grader has them: where programs
/// are, who the user is, and the language. The others may be secrets of the grader.
const VARIABLES: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "JAVA_HOME",
    "CLASSPATH",
    "VIRTUAL_ENV",
    "NODE_PATH",
];
/// The beginnings of the names of more of them.
const PREFIXES: [&str; 3] = ["LC_", "PYTHON", "PYENV_"];

/// A process that becomes what this shell command starts. With `hidden` it is isolated, and these
/// folders are empty for it.
pub(super) fn launcher(command: &str, hidden: Option<&[PathBuf]>) -> io::Result<Command> {
    let mut launcher = Command::new(env::current_exe()?);
    launcher.env_clear().envs(env::vars_os().filter(is_kept));
    // Python holds back what it prints to a pipe.
    launcher.env("PYTHONUNBUFFERED", "1");
    let step = if hidden.is_some() { "isolate" } else { "run" };
    launcher.env(STEP, step).arg(command);
    launcher.args(hidden.unwrap_or_default());
    Ok(launcher)
}

fn is_kept((name, _): &(OsString, OsString)) -> bool {
    let name = name.as_encoded_bytes();
    let begins = |prefix: &str| name.starts_with(prefix.as_bytes());
    VARIABLES.iter().any(|kept| kept.as_bytes() == name) || PREFIXES.iter().any(|it| begins(it))
}

/// If this process was started to become a program under test, does its step. Returns only if that
/// has failed, or for the first process of the isolated ones at their end.
pub fn becomes_program() -> Option<ExitCode> {
    let step = env::var_os(STEP)?;
    let ended = match step.to_str() {
        Some("run") => begin().map(|()| Err(shell().exec())),
        #[cfg(target_os = "linux")]
        Some("isolate") => begin().map(|()| Err(linux::isolate().exec())),
        #[cfg(target_os = "linux")]
        Some("first") => Ok(linux::first()),
        _ => Ok(Err(io::ErrorKind::Unsupported.into())),
    };
    Some(ended.flatten().unwrap_or_else(|error| {
        // Its output is that of the program under test.
        let _ = io::Write::write_all(
            &mut io::stderr(),
            format!("cannot start the program: {error}\n").as_bytes(),
        );
        ExitCode::from(126)
    }))
}

/// What every program under test gets.
fn begin() -> io::Result<()> {
    setsid()?;
    // It ends with the grader, even if that is killed.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    limit(Resource::Fsize, MAX_FILE);
    limit(Resource::Data, MAX_DATA);
    limit(Resource::Core, 0);
    Ok(())
}

/// Limits this process and those that it starts. A lower limit of the grader stays.
fn limit(resource: Resource, most: u64) {
    let own = getrlimit(resource);
    let lower = |own: Option<u64>| Some(own.map_or(most, |own| own.min(most)));
    let (current, maximum) = (lower(own.current), lower(own.maximum));
    // A process may always lower its limits.
    let _ = setrlimit(resource, Rlimit { current, maximum });
}

/// The shell with the command of this process.
fn shell() -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").args(env::args_os().nth(1)).env_remove(STEP);
    shell
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Command, ExitCode, PathBuf, STEP, env, io, limit, shell};
    use crate::grade::program::folders;
    use crate::grade::program::watch::MAX_PROCESSES;

    use rustix::process::{Pid, Resource, WaitOptions, WaitStatus, wait};

    /// With processes, folders, and shared memory of its own.
    const OUTER: [&str; 8] = [
        "--user",
        "--map-root-user",
        "--mount",
        "--ipc",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ];
    /// With fewer rights than what has prepared them.
    const INNER: [&str; 3] = ["--user", "--map-root-user", "--mount"];

    /// This program again, as the first of the new processes.
    pub(super) fn isolate() -> Command {
        let mut unshare = Command::new("unshare");
        unshare.args(OUTER).arg("--");
        // A link to itself still works where its path is hidden.
        let program = env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
        unshare.arg(program).args(env::args_os().skip(1));
        unshare.env(STEP, "first");
        unshare
    }

    /// Hides folders, starts the command, and ends with it. All processes inside end with this one,
    /// which the program can neither signal nor change.
    pub(super) fn first() -> io::Result<ExitCode> {
        let hidden: Vec<_> = env::args_os().skip(2).map(PathBuf::from).collect();
        folders::confine(&hidden)?;
        // In this namespace only its own processes count. The system exempts those of root.
        limit(Resource::Nproc, MAX_PROCESSES);
        let mut unshare = Command::new("unshare");
        unshare.args(INNER).arg("--");
        let inner = shell();
        unshare.arg(inner.get_program()).args(inner.get_args());
        let child = unshare.env_remove(STEP).spawn()?;
        let child = Pid::from_child(&child);
        loop {
            // It also collects those whose parents have ended.
            if let Some((ended, status)) = wait(WaitOptions::empty())?
                && ended == child
            {
                return Ok(exit_code(status));
            }
        }
    }

    /// As a shell says it.
    fn exit_code(status: WaitStatus) -> ExitCode {
        let signal = status.terminating_signal().map(|signal| 128 + signal);
        let code = status.exit_status().or(signal);
        ExitCode::from(code.and_then(|code| code.try_into().ok()).unwrap_or(1))
    }
}
