//! SIGINT and SIGTERM: the first one ends the program cleanly, the second one at once.
//! SIGXFSZ does not end it.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, exit};

use super::Failure;

pub(super) const FAILED: &str = "cannot handle signals";

/// How long a clean end may take: 5 seconds for running transfers, 2 for output, and a margin.
/// After that something hangs forever, for example on a pipe that nobody reads.
const END_TIME: Duration = Duration::from_secs(10);

/// Makes a write beyond the limit on the size of files (`ulimit -f`) an error, as on a full disk. By
/// default a signal ends the program.
pub(super) fn survive_file_limit() -> io::Result<()> {
    // Nobody needs to know that the signal came: the write fails.
    flag::register(SIGXFSZ, Arc::default()).map(drop)
}

/// Calls `stop` with the number of the first signal.
pub fn on_stop(stop: impl Fn(u8) + Send + 'static) -> Result<(), Failure> {
    on_stop_unless(|| false, stop)
}

/// The same, except for each SIGINT for which `is_spent` returns true: it ended something smaller.
pub fn on_stop_unless(
    is_spent: impl Fn() -> bool + Send + 'static,
    stop: impl Fn(u8) + Send + 'static,
) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context(FAILED)?;
    let handle = move || {
        let mut received = signals.forever();
        let first = received.find(|&signal| signal != SIGINT || !is_spent());
        if let Some(signal) = first {
            // Without this thread a second signal still works.
            let _ = thread::Builder::new()
                .name("end".to_owned())
                .spawn(move || end_late(signal));
            stop(u8::try_from(signal).unwrap_or_default());
        }
        for signal in received {
            end_now(signal);
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(handle).context(FAILED)?;
    Ok(())
}

/// Ends this program as SIGTERM does.
pub fn end() {
    // A process may always send itself a signal.
    let _ = kill_process(getpid(), Signal::TERM);
}

fn end_late(signal: i32) {
    thread::sleep(END_TIME);
    end_now(signal);
}

fn end_now(signal: i32) {
    // In a container this may be the first process. No default handler ends that one, so emulating
    // it would be a crash.
    if getpid().is_init() {
        exit(128 + signal);
    }
    let _ = emulate_default_handler(signal);
}
