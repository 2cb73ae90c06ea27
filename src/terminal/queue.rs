//! Writes a stream in its own thread, so that a stopped terminal, a pipe that nobody reads or a
//! slow disk blocks nobody. If too much is waiting, further text is dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::MultiProgress;
use parking_lot::{Condvar, Mutex};

/// How many bytes may wait to be written before further text is dropped. A single larger text is
/// not dropped.
pub(crate) const MOST_WAITING: usize = 16 * 1024 * 1024;

/// How long the thread rests after a write, if text comes all the time, so that it takes few writes:
const REST: Duration = Duration::from_millis(2);
/// after so many writes
const STREAK: u32 = 100;
/// of which each began so soon after the one before. What a user does comes to an end earlier, and is
/// written at once.
const SOON: Duration = Duration::from_millis(10);

/// A stream, and the text that waits to be written to it. Clones share the same queue.
#[derive(Clone)]
pub struct Queue {
    shared: Arc<Shared>,
    /// Bars on the same terminal, which make way for text.
    bars: Option<MultiProgress>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: String,
    /// Whether the thread is writing earlier text, or rests.
    is_busy: bool,
    /// Whether somebody waits until everything is written.
    is_urgent: bool,
    /// Whether writing has failed: the reader is gone, or the disk is full.
    is_broken: bool,
    /// How many texts were dropped since the last one that was kept.
    left_out: u64,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    /// Starts writing to `out`. `failed` is called with the first write error, and all later text
    /// is discarded, as is all text if no thread can be started.
    pub fn start(
        out: impl Write + Send + 'static,
        failed: impl FnOnce(&io::Error) + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let writing = Arc::clone(&shared);
        let thread = thread::Builder::new().name("output".to_owned());
        let started = thread.spawn(move || failed(&writing.write_to(out)));
        if started.is_err() {
            shared.state.lock().is_broken = true;
        }
        Self { shared, bars: None }
    }

    /// The same queue, with bars that make way for what is pushed here.
    pub(super) fn below(&self, bars: MultiProgress) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            bars: Some(bars),
        }
    }

    /// Appends a text, in parts. Returns whether there was room for it.
    pub fn push(&self, parts: &[&str]) -> bool {
        match &self.bars {
            // What panics may be the drawing, which holds the lock.
            Some(bars) if !thread::panicking() => bars.suspend(|| self.shared.push(parts)),
            _ => self.shared.push(parts),
        }
    }

    /// Waits at most `time` until everything is written, and returns whether it is. At the end of a
    /// program the rest is lost, because nobody reads it.
    pub fn finish(&self, time: Duration) -> bool {
        let at_work = |state: &mut State| state.is_busy || !state.waiting.is_empty();
        let mut state = self.shared.state.lock();
        state.is_urgent = true;
        self.shared.changed.notify_all();
        let waited = self
            .shared
            .changed
            .wait_while_for(&mut state, at_work, time);
        state.is_urgent = false;
        !waited.timed_out()
    }

    /// Whether writing has failed.
    pub fn is_broken(&self) -> bool {
        self.shared.state.lock().is_broken
    }
}

/// For the log, which needs a `Write`. It never fails.
impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(&[&String::from_utf8_lossy(bytes)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn push(&self, parts: &[&str]) -> bool {
        let mut state = self.state.lock();
        if state.is_broken || state.waiting.len() > MOST_WAITING {
            state.left_out += 1;
            return false;
        }
        // A busy writer looks for more by itself. Waking it each time would cost a system call for
        // each text.
        let is_asleep = state.waiting.is_empty() && !state.is_busy;
        let left_out = std::mem::take(&mut state.left_out);
        if left_out > 0 {
            let line = format!("... {left_out} printouts dropped: output not read in time\n");
            state.waiting.push_str(&line);
        }
        state.waiting.extend(parts.iter().copied());
        drop(state);
        if is_asleep {
            self.changed.notify_all();
        }
        true
    }

    /// The main loop of the thread, until an error. Each write takes all waiting text, so that many
    /// small texts cost few writes.
    fn write_to(&self, mut out: impl Write) -> io::Error {
        let (mut streak, mut written_at) = (0, Instant::now());
        loop {
            let idle = |state: &mut State| state.waiting.is_empty();
            let mut state = self.state.lock();
            self.changed.wait_while(&mut state, idle);
            let is_soon = written_at.elapsed() < SOON;
            streak = if is_soon { STREAK.min(streak + 1) } else { 0 };
            state.is_busy = true;
            let text = std::mem::take(&mut state.waiting);
            drop(state);
            let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            written_at = Instant::now();
            let mut state = self.state.lock();
            state.is_broken = written.is_err();
            if state.is_broken {
                state.waiting = String::new();
            } else if streak == STREAK {
                let rests = |state: &mut State| !state.is_urgent;
                self.changed.wait_while_for(&mut state, rests, REST);
            }
            state.is_busy = false;
            drop(state);
            self.changed.notify_all();
            if let Err(error) = written {
                return error;
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::io::{self, Write};
    use std::sync::mpsc::Receiver;
    use std::sync::{Arc, Mutex};

    /// A stream that a test can read.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        /// The text written so far.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A stopped terminal: writing blocks until the test lets it continue.
    pub(crate) struct Stopped(pub(crate) Receiver<()>, pub(crate) Paper);

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::mpsc;

    use super::testing::{Paper, Stopped};
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_stopped_terminal_holds_up_nobody_and_costs_texts() {
        let (go_on, stopped) = mpsc::channel();
        let paper = Paper::default();
        let queue = Queue::start(Stopped(stopped, paper.clone()), |_| {});
        let megabyte = "x".repeat(1024 * 1024);
        let taken = (0..40).filter(|_| queue.push(&[&megabyte, "\n"])).count();
        assert!(taken < 40);
        queue.finish(Duration::ZERO);
        drop(go_on);
        queue.finish(PATIENCE);
        assert!(queue.push(&["after", "wards\n"]));
        queue.finish(PATIENCE);
        let text = paper.text();
        // What is being written and what waits may each be one text longer.
        let most = 2 * (MOST_WAITING + 2 * megabyte.len());
        assert!(text.len() <= most, "{}", text.len());
        let rest = text.trim_start_matches(['x', '\n']);
        let expected = format!(
            "... {} printouts dropped: output not read in time\nafterwards\n",
            40 - taken
        );
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_text_of_any_length_is_whole_where_it_is_read() {
        let paper = Paper::default();
        let queue = Queue::start(paper.clone(), |_| {});
        let long = "x".repeat(2 * MOST_WAITING);
        assert!(queue.push(&[&long]));
        queue.finish(PATIENCE);
        assert_eq!(paper.text().len(), long.len());
    }

    #[test]
    fn a_full_disk_is_told_once_and_takes_nothing_more() {
        let Ok(full) = File::options().write(true).open("/dev/full") else {
            return;
        };
        let (failed, failures) = mpsc::channel();
        let queue = Queue::start(full, move |error| {
            let _ = failed.send(error.kind());
        });
        assert!(queue.push(&["one\n"]));
        queue.finish(PATIENCE);
        assert!(queue.is_broken() && !queue.push(&["two\n"]));
        queue.finish(PATIENCE);
        let failures: Vec<_> = failures.iter().collect();
        assert_eq!(failures, [io::ErrorKind::StorageFull]);
    }
}
