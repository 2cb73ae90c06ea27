//! `share --daemon`: the program starts itself once more, and that process stays.
//!
//! The child has pipes to its parent as outputs, and lets go of them once it has joined. Until then
//! a Ctrl-C ends both.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use p2pci::control;
use p2pci::node::Node;
use p2pci::program::{self, Failure, IN_BACKGROUND, Stage};
use p2pci::terminal::Screen;
use rustix::fs::OFlags;
use rustix::process::setsid;
use rustix::stdio::{dup2_stderr, dup2_stdout};

use crate::arguments::Arguments;

/// What the child writes to standard output once it has joined.
const JOINED: &str = "joined\n";
/// How long unread output may delay the end of the start.
const PRINT_TIME: Duration = Duration::from_secs(2);

/// Whether this process is the one that stays.
pub(crate) fn is_child() -> bool {
    env::var_os(IN_BACKGROUND).is_some()
}

/// Starts the child, and waits until it has joined or failed. Returns its exit code.
pub(crate) fn start(screen: &Screen) -> ExitCode {
    started().unwrap_or_else(|error| {
        screen.error(format_args!("cannot start a process: {error}"));
        screen.stderr().finish(PRINT_TIME);
        ExitCode::FAILURE
    })
}

fn started() -> io::Result<ExitCode> {
    let mut child = Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(IN_BACKGROUND, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut errors) = child.stderr.take() {
        // If nobody reads them, the start goes on.
        let _ = io::copy(&mut errors, &mut io::stderr());
    }
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        let most = u64::try_from(JOINED.len()).unwrap_or_default();
        out.take(most).read_to_string(&mut said)?;
    }
    if said == JOINED {
        return Ok(ExitCode::SUCCESS);
    }
    let status = child.wait()?;
    let signal = || status.signal().map(|signal| signal.saturating_add(128));
    let code = status.code().or_else(signal);
    Ok(code
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Leaves the terminal and the parent, after the peer has joined. Errors and warnings go to a log.
pub(crate) fn detach(arguments: &Arguments, node: &Node, stage: &Stage) -> Result<(), Failure> {
    if node.is_alone() {
        stage.say("No other node answers; waiting for others");
    }
    stage.transcript.screen().stderr().finish(PRINT_TIME);
    let nowhere = || File::options().write(true).open("/dev/null");
    let log = match log_file(arguments)? {
        Some(log) => log,
        None => nowhere().context("cannot open /dev/null")?,
    };
    setsid().context("cannot start a session")?;
    dup2_stderr(log).context("cannot redirect standard error")?;
    let mut out = io::stdout();
    // This fails only if the parent was killed.
    let _ = out.write_all(JOINED.as_bytes()).and_then(|()| out.flush());
    let nowhere = nowhere().context("cannot open /dev/null")?;
    dup2_stdout(nowhere).context("cannot redirect standard output")?;
    Ok(())
}

/// A new log in the state folder; `None` if the system defines no such folder.
fn log_file(arguments: &Arguments) -> Result<Option<File>, Failure> {
    let Some(folder) = program::state_folder() else {
        return Ok(None);
    };
    control::private_folder(&folder)?;
    let name = control::name(&arguments.dir).context("cannot find the shared folder")?;
    let path = folder.join(format!("{name}.log"));
    // A link in its place is not followed.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let log = options.open(&path);
    let log = log.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Some(log))
}
