//! Bars for downloads that take their time.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{BinaryBytes, MultiProgress, ProgressBar, ProgressStyle};

use super::Screen;

/// What takes no longer than this is not worth a bar: most RFCs are there before it is drawn.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often a bar is drawn again.
const TICK: Duration = Duration::from_millis(100);

const OF_ONE: &str = "{msg} {bar:20} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
const WITHOUT_LENGTH: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";
const OF_MANY: &str = "{pos} of {len}, {msg}";

/// Shows how downloads go on, on standard error and on a terminal only.
#[derive(Debug, Clone)]
pub struct Progress {
    bars: MultiProgress,
    all: Option<All>,
}

/// What several downloads have in common.
#[derive(Debug, Clone)]
struct All {
    bar: ProgressBar,
    bytes: Arc<AtomicU64>,
}

impl All {
    fn add(&self, bytes: u64) {
        let total = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bar.set_message(BinaryBytes(total).to_string());
    }
}

impl Progress {
    /// Shows bars of single downloads on the screen.
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
        let bar = ProgressBar::hidden().with_style(style(OF_MANY));
        bar.set_length(length);
        let all = All {
            bar: bar.clone(),
            bytes: Arc::default(),
        };
        all.add(0);
        let shown = Bar::show_later(self.bars.clone(), bar, None, None);
        let progress = Self {
            bars: self.bars.clone(),
            all: Some(all),
        };
        (progress, shown)
    }

    /// Writes something while no bar is in its way.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }

    /// One of several downloads is done, in whatever way.
    pub fn one_done(&self) {
        if let Some(all) = &self.all {
            all.bar.inc(1);
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
        Bar::show_later(self.bars.clone(), bar, self.all.clone(), Some(0))
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
    line: ProgressBar,
    all: Option<All>,
    /// What shows it: told that the bar is done, and waited for, so that nothing is drawn after.
    shown_by: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Bar {
    /// A bar that is shown once it is worth it: a download that hangs shows it as well.
    fn show_later(
        bars: MultiProgress,
        bar: ProgressBar,
        all: Option<All>,
        place: Option<usize>,
    ) -> Self {
        if !io::stderr().is_terminal() {
            return Self {
                line: bar,
                all,
                shown_by: None,
            };
        }
        let (done, wait) = mpsc::channel();
        let shown = bar.clone();
        let show = move || {
            if wait.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let shown = match place {
                Some(place) => bars.insert(place, shown),
                None => bars.add(shown),
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
            line: bar,
            all,
            shown_by: thread.ok().map(|thread| (done, thread)),
        }
    }

    /// So many more bytes have come.
    pub fn add(&self, bytes: u64) {
        self.line.inc(bytes);
        if let Some(all) = &self.all {
            all.add(bytes);
        }
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
