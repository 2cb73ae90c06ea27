//! Bars for downloads that take their time.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Screen;

/// What takes no longer than this is not worth a bar: most RFCs are there before it is drawn.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often a bar is drawn again.
const TICK: Duration = Duration::from_millis(100);

const OF_ONE: &str = "{msg} {bar:20} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
const WITHOUT_LENGTH: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";
const OF_MANY: &str = "{pos} of {len} {msg}";

/// Shows how downloads go on, on standard error and on a terminal only.
#[derive(Debug, Clone)]
pub struct Progress {
    bars: MultiProgress,
    all: Option<ProgressBar>,
}

impl Progress {
    /// Shows bars of single downloads on the screen.
    #[must_use]
    pub fn new(screen: &Screen) -> Self {
        Self {
            bars: screen.bars().clone(),
            all: None,
        }
    }

    /// Shows also how many of `count` downloads are done.
    #[must_use]
    pub fn of(&self, count: usize) -> (Self, Bar) {
        let length = u64::try_from(count).unwrap_or(u64::MAX);
        let all = ProgressBar::hidden().with_style(style(OF_MANY));
        all.set_length(length);
        let progress = Self {
            bars: self.bars.clone(),
            all: Some(all.clone()),
        };
        let shown = Bar::show_later(self.bars.clone(), all, false);
        (progress, shown)
    }

    /// One of several downloads is done, in whatever way. `total` is what came in all, in bytes.
    pub fn one_done(&self, total: u64) {
        if let Some(all) = &self.all {
            all.set_message(format!("({})", indicatif::BinaryBytes(total)));
            all.inc(1);
        }
    }

    /// A download named `name` begins, of `length` bytes where that is known.
    #[must_use]
    pub fn download(&self, name: String, length: Option<u64>) -> Bar {
        let bar = ProgressBar::hidden();
        bar.set_message(name);
        match length {
            Some(length) => {
                bar.set_length(length);
                bar.set_style(style(OF_ONE));
            }
            None => bar.set_style(style(WITHOUT_LENGTH)),
        }
        Bar::show_later(self.bars.clone(), bar, true)
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, which a test tries.
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A bar. It goes away when it is dropped.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    /// What shows it: told that the bar is done, and waited for, so that nothing is drawn after.
    shown_by: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Bar {
    /// A bar that is shown once it is worth it: a download that hangs shows it as well.
    fn show_later(bars: MultiProgress, bar: ProgressBar, is_first: bool) -> Self {
        if !io::stderr().is_terminal() {
            return Self {
                bar,
                shown_by: None,
            };
        }
        let (done, wait) = mpsc::channel();
        let shown = bar.clone();
        let show = move || {
            if wait.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let shown = if is_first {
                bars.insert(0, shown)
            } else {
                bars.add(shown)
            };
            shown.enable_steady_tick(TICK);
            // It never gets anything but the end.
            let _ = wait.recv();
            shown.finish_and_clear();
            bars.remove(&shown);
        };
        // Without a thread there is no bar, and the download goes on.
        let thread = thread::Builder::new().name("bar".to_owned()).spawn(show);
        Self {
            bar,
            shown_by: thread.ok().map(|thread| (done, thread)),
        }
    }

    /// So many more bytes have come.
    pub fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.shown_by.take() {
            drop(done);
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_right() {
        for template in [OF_ONE, WITHOUT_LENGTH, OF_MANY] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
