//! What a program under test prints, kept within a bound. It never waits for us to read it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::terminal::escape::escaped;

/// How much of the end is kept in memory, in bytes.
const KEPT: usize = 64 * 1024;
/// The longest file of output, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// How long to wait for the last output of a program that has ended. A process that nobody could
/// kill may hold it open.
const END_TIME: Duration = Duration::from_secs(1);
/// How much silence means that a program has printed what it has to say.
const QUIET_TIME: Duration = Duration::from_millis(300);
/// The longest wait for that.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// The output of a program.
#[derive(Debug, Clone, Default)]
pub(super) struct Captured(Arc<(Mutex<Kept>, Condvar)>);

#[derive(Debug, Default)]
struct Kept {
    last: VecDeque<u8>,
    total: u64,
    has_ended: bool,
}

impl Captured {
    /// Reads from the pipe in a thread until all writers have closed it. The file gets it too.
    pub(super) fn start(mut pipe: PipeReader, mut file: Option<File>) -> io::Result<Self> {
        let captured = Self::default();
        let all = captured.clone();
        let read = move || {
            let mut buffer = vec![0; KEPT];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let bytes = buffer.get(..count).unwrap_or_default();
                let before = all.add(bytes);
                let room = usize::try_from(MAX_FILE.saturating_sub(before)).unwrap_or(0);
                if let Some(out) = &mut file
                    && out.write_all(bytes.get(..room).unwrap_or(bytes)).is_err()
                {
                    // A full disk must not block the program.
                    file = None;
                }
            }
            let (kept, ended) = &*all.0;
            kept.lock().has_ended = true;
            ended.notify_all();
        };
        let thread = thread::Builder::new().name("output".to_owned());
        thread.spawn(read)?;
        Ok(captured)
    }

    /// Adds bytes, and returns how many there were before.
    fn add(&self, bytes: &[u8]) -> u64 {
        let (kept, changed) = &*self.0;
        let mut kept = kept.lock();
        changed.notify_all();
        kept.last.extend(bytes);
        let surplus = kept.last.len().saturating_sub(KEPT);
        kept.last.drain(..surplus);
        let before = kept.total;
        kept.total += u64::try_from(bytes.len()).unwrap_or_default();
        before
    }

    /// The end of the output.
    pub(super) fn last(&self) -> Vec<u8> {
        self.0.0.lock().last.iter().copied().collect()
    }

    /// How much was printed, in bytes.
    pub(super) fn total(&self) -> u64 {
        self.0.0.lock().total
    }

    /// The last line, if it has no end yet, as that of a question.
    pub(super) fn unfinished_line(&self) -> Option<String> {
        let last = self.last();
        let line = last.split(|byte| *byte == b'\n').next_back()?;
        let line: String = escaped(line, false).chars().take(80).collect();
        Some(line).filter(|line| !line.trim().is_empty())
    }

    /// Waits a short while until nothing more is printed: a program closes a connection before it
    /// prints why.
    pub(super) fn settle(&self) {
        let (kept, changed) = &*self.0;
        let until = Instant::now() + SETTLE_TIME;
        let mut kept = kept.lock();
        while !kept.has_ended && Instant::now() < until {
            if changed.wait_for(&mut kept, QUIET_TIME).timed_out() {
                return;
            }
        }
    }

    /// Waits a short while until nobody can print any more.
    pub(super) fn wait_for_end(&self) {
        let (kept, ended) = &*self.0;
        let still_open = |kept: &mut Kept| !kept.has_ended;
        ended.wait_while_for(&mut kept.lock(), still_open, END_TIME);
    }
}
