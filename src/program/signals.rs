//! SIGINT and SIGTERM: the first one ends the program cleanly, the second one at once.

use std::io;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// How long a clean end may take: 5 seconds for sessions, 2 for output, and a margin. Anything
/// slower, such as a pipe that nobody reads, hangs forever.
const END_TIME: Duration = Duration::from_secs(10);

/// Runs `stop`, with the number of the signal, at the first signal.
pub fn on_stop(stop: impl Fn(u8) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let handle = move || {
        let mut received = signals.forever();
        if let Some(signal) = received.next() {
            // Without this thread, the user can still send a second signal.
            let _ = thread::Builder::new()
                .name("end".to_owned())
                .spawn(move || end_at_last(signal));
            stop(u8::try_from(signal).unwrap_or_default());
        }
        for signal in received {
            // A second signal means that the user does not want to wait.
            let _ = emulate_default_handler(signal);
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(handle).map(drop)
}

fn end_at_last(signal: i32) {
    thread::sleep(END_TIME);
    let _ = emulate_default_handler(signal);
}
