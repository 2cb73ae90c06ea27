//! Progress bars for downloads.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use console::Term;
use indicatif::{BinaryBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::Screen;
use super::locale::ellipsis;
use super::queue::Queue;
use crate::event::{Event, Reader, Step, Topic, Topics};
use crate::wire::Endpoint;

/// Shorter downloads get no bar: most RFCs are complete before it would be drawn.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a holder may be silent before the screen says so.
const SILENCE: Duration = Duration::from_secs(2);
/// How often a bar is redrawn.
const TICK: Duration = Duration::from_millis(100);
/// How often all bars together are redrawn, per second.
const FRAMES: u8 = 20;

const OF_ONE: &str = "{msg} {bar:20} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
const WITHOUT_LENGTH: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";
const OF_MANY: &str = "{pos} of {len}, {msg}";
const OF_SILENCE: &str = "waiting for {msg} {elapsed}";

/// Shows the progress of downloads, on standard error if it is a terminal. Clones share the same
/// bars.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bars: MultiProgress,
    /// The bars of single downloads, by download number.
    single: Mutex<HashMap<u64, Bar>>,
    /// The bar of several downloads, and how many bytes they have received.
    all: Mutex<Option<ProgressBar>>,
    bytes: AtomicU64,
}

impl Progress {
    /// Progress bars on the screen.
    pub fn new(screen: &Screen) -> Self {
        Self(Arc::new(Shared {
            bars: screen.bars().clone(),
            single: Mutex::default(),
            all: Mutex::default(),
            bytes: AtomicU64::default(),
        }))
    }

    /// Also shows how many of `count` downloads are done, until the result is dropped.
    #[must_use]
    pub fn of(&self, count: usize) -> Several {
        let bar = ProgressBar::hidden().with_style(style(OF_MANY));
        bar.set_length(u64::try_from(count).unwrap_or(u64::MAX));
        bar.set_message(BinaryBytes(0).to_string());
        self.0.bytes.store(0, Ordering::Relaxed);
        *self.0.all.lock() = Some(bar.clone());
        Several {
            bar: Bar::show_later(&self.0.bars, bar, None, PATIENCE),
            progress: self.clone(),
        }
    }

    /// Shows how many of `count` pieces of other work are done, until the result is dropped. `what`
    /// says what they are.
    #[must_use]
    pub fn of_work(&self, count: usize, what: &'static str) -> Several {
        let bar = ProgressBar::hidden().with_style(style(OF_MANY));
        bar.set_length(u64::try_from(count).unwrap_or(u64::MAX));
        bar.set_message(what);
        Several {
            bar: Bar::show_later(&self.0.bars, bar, None, PATIENCE),
            progress: self.clone(),
        }
    }

    /// Writes something while no bar is in the way.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.bars.suspend(write)
    }

    /// A download asks this holder, which may be silent.
    fn asks(&self, id: u64, holder: &Endpoint) {
        let bar = ProgressBar::hidden().with_style(style(OF_SILENCE));
        bar.set_message(format!("{holder} {}", ellipsis()));
        self.show(id, bar, SILENCE);
    }

    fn began(&self, id: u64, name: String, length: Option<u64>) {
        let bar = ProgressBar::hidden();
        bar.set_message(name);
        match length {
            Some(length) => {
                bar.set_length(length);
                bar.set_style(style(OF_ONE));
            }
            None => bar.set_style(style(WITHOUT_LENGTH)),
        }
        self.show(id, bar, PATIENCE);
    }

    /// Shows the bar of a download after this time, instead of the one that it has.
    fn show(&self, id: u64, bar: ProgressBar, after: Duration) {
        let bar = Bar::show_later(&self.0.bars, bar, Some(0), after);
        let before = self.0.single.lock().insert(id, bar);
        // This waits without holding the lock.
        drop(before);
    }

    fn moved(&self, id: u64, bytes: u64) {
        if let Some(bar) = self.0.single.lock().get(&id) {
            bar.line.inc(bytes);
        }
        if let Some(all) = &*self.0.all.lock() {
            let total = self.0.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
            all.set_message(BinaryBytes(total).to_string());
        }
    }
}

impl Reader for Progress {
    fn wants(&self) -> Topics {
        if self.0.bars.is_hidden() {
            Topics::default()
        } else {
            Topics::of(&[Topic::Life, Topic::Progress])
        }
    }

    fn read(&self, event: &Event<'_>) {
        let Event::Download {
            id,
            number,
            holder,
            step,
        } = event
        else {
            return;
        };
        match step {
            Step::Connecting => self.asks(*id, holder),
            Step::Began { length } => self.began(*id, format!("RFC {number}"), *length),
            Step::Moved(bytes) => self.moved(*id, *bytes),
            Step::Done { .. } | Step::Failed { .. } | Step::GivenUp => {
                let bar = self.0.single.lock().remove(id);
                // This waits without holding the lock.
                drop(bar);
            }
        }
    }
}

/// Shows how many of several downloads are done. It disappears when dropped.
#[derive(Debug)]
pub struct Several {
    progress: Progress,
    bar: Bar,
}

impl Several {
    /// Counts one download as done, successful or not.
    pub fn one_done(&self) {
        self.bar.line.inc(1);
    }
}

impl Drop for Several {
    fn drop(&mut self) {
        *self.progress.0.all.lock() = None;
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, and tested.
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A bar. It disappears when dropped.
#[derive(Debug)]
struct Bar {
    line: ProgressBar,
    /// The thread that draws it. It is told when the bar is done and then joined, so nothing is
    /// drawn later.
    shown_by: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Bar {
    /// A bar that appears after this time, even if no byte arrives.
    fn show_later(
        bars: &MultiProgress,
        line: ProgressBar,
        place: Option<usize>,
        after: Duration,
    ) -> Self {
        if bars.is_hidden() {
            let shown_by = None;
            return Self { line, shown_by };
        }
        let (done, wait) = mpsc::channel();
        let (bars, shown) = (bars.clone(), line.clone());
        let show = move || {
            if wait.recv_timeout(after) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let shown = match place {
                Some(place) => bars.insert(place, shown),
                None => bars.add(shown),
            };
            shown.enable_steady_tick(TICK);
            // The only message is the end of the channel.
            let _ = wait.recv();
            shown.finish_and_clear();
            bars.remove(&shown);
        };
        // Without the thread there is no bar, but the download goes on.
        let thread = thread::Builder::new().name("bar".to_owned()).spawn(show);
        let shown_by = thread.ok().map(|thread| (done, thread));
        Self { line, shown_by }
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

/// Where bars are drawn, if standard error is a terminal: through its queue, so that drawing never
/// blocks. indicatif holds locks while it draws, and downloads need them.
pub(super) fn canvas(queue: Queue) -> ProgressDrawTarget {
    let terminal = Term::read_write_pair(io::stdin(), Canvas(queue));
    ProgressDrawTarget::term(terminal, FRAMES)
}

#[derive(Debug)]
struct Canvas(Queue);

impl Write for Canvas {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRawFd for Canvas {
    fn as_raw_fd(&self) -> RawFd {
        io::stderr().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [OF_ONE, WITHOUT_LENGTH, OF_MANY, OF_SILENCE] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
