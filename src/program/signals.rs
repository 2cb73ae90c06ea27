//! SIGINT and SIGTERM: the program ends cleanly with the first, and at once with the second.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::Failure;

const FAILED: &str = "cannot handle signals";

/// How long ending cleanly may take: 5 seconds for those who are served, 2 for what is printed, and
/// a margin. What hangs for longer, as for a pipe that nobody reads, hangs for ever.
const END_TIME: Duration = Duration::from_secs(10);

/// Runs `stop`, with the number of the signal, when the program is told to end.
pub fn on_stop(stop: impl Fn(u8) + Send + 'static) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context(FAILED)?;
    let handle = move || {
        let mut received = signals.forever();
        if let Some(signal) = received.next() {
            // Without a thread for it, whoever waits can ask twice.
            let _ = thread::Builder::new()
                .name("end".to_owned())
                .spawn(move || end_at_last(signal));
            stop(u8::try_from(signal).unwrap_or_default());
        }
        for signal in received {
            // Whoever asks twice does not want to wait.
            let _ = emulate_default_handler(signal);
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(handle).context(FAILED)?;
    Ok(())
}

fn end_at_last(signal: i32) {
    thread::sleep(END_TIME);
    let _ = emulate_default_handler(signal);
}
