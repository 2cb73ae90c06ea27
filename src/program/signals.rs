//! SIGINT and SIGTERM: the program ends cleanly with the first, and at once with the second.

use std::io;

/// Runs `stop`, with the number of the signal, when the program is told to end.
///
/// # Errors
/// Those of the system where the signals can't be handled.
pub fn on_stop(stop: impl Fn(u8) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut received = signals.forever();
            if let Some(signal) = received.next() {
                stop(u8::try_from(signal).unwrap_or_default());
            }
            for signal in received {
                // Whoever asks twice does not want to wait.
                let _ = emulate_default_handler(signal);
            }
        })?;
    Ok(())
}
