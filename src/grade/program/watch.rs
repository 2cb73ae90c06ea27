//! Ends a program under test that takes too much of the machine.

use std::io;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::processes::{Usage, kill_group, usage};

/// The most processes and threads of a program, together.
pub(super) const MAX_PROCESSES: u64 = 500;
/// The most memory of all its processes together, in bytes: what is in use, and not what is reserved. What
/// processes share counts for each.
const MAX_MEMORY: u64 = 2 * 1024 * 1024 * 1024;
/// The shortest and the longest pause between two looks at them: where a system has very many processes
/// a look takes a while.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];
/// How many times as long as the last look the pause is within these.
const IDLE: u32 = 5;

/// Watches a program in a thread, and ends it if it takes too much. The system itself limits each
/// process, but not all of them together, and not the number of those of root. Only Linux can.
#[derive(Debug)]
pub(super) struct Watch {
    reason: Arc<OnceLock<String>>,
    /// Its end, and the thread, until it is dropped.
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Watch {
    pub(super) fn start(child: &Child) -> io::Result<Self> {
        let (end, ended) = channel();
        let reason = Arc::default();
        let (found, group) = (Arc::clone(&reason), Pid::from_child(child));
        let thread = thread::Builder::new().name("watch".to_owned());
        let thread = thread.spawn(move || watch_until(&ended, group, &found))?;
        let thread = Some((end, thread));
        Ok(Self { reason, thread })
    }

    /// Why it has ended the program, if it has.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.get().cloned()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.thread.take() {
            drop(end);
            // It might otherwise end the next program. It can't panic.
            let _ = thread.join();
        }
    }
}

fn watch_until(ended: &Receiver<()>, group: Pid, reason: &OnceLock<String>) {
    let [shortest, longest] = PAUSES;
    let mut pause = shortest;
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
        let begun = Instant::now();
        if let Some(excess) = usage().excess() {
            let said = format!("it {excess}, so the grader ended it");
            // This thread alone sets it.
            let _ = reason.set(said);
            kill_group(group);
            return;
        }
        pause = (begun.elapsed() * IDLE).clamp(shortest, longest);
    }
}

impl Usage {
    /// What is too much, as the end of a sentence.
    fn excess(self) -> Option<String> {
        if self.processes > MAX_PROCESSES {
            return Some(format!(
                "had more than {MAX_PROCESSES} processes and threads"
            ));
        }
        let most = MAX_MEMORY / 1024 / 1024 / 1024;
        (self.memory > MAX_MEMORY).then(|| format!("used more than {most} GiB of memory"))
    }
}
