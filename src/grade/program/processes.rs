//! All processes that a program under test has started, also those that left its group: what they take
//! of the machine, and their end.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process_group};

/// What a program takes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Usage {
    /// Processes and threads.
    pub(super) processes: u64,
    /// In bytes.
    pub(super) memory: u64,
}

/// What they take now; nothing where the system does not say it. Only Linux does.
#[cfg(target_os = "linux")]
pub(super) fn usage() -> Usage {
    linux::usage()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn usage() -> Usage {
    Usage::default()
}

/// Makes this process the parent of orphans among the descendants of the program under test, so that
/// [`kill_all`] and [`end_descendants`] find them. Only Linux can.
pub(in crate::grade) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // If this fails, only a process that hides is missed.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Ends the program, and all that it has started.
pub(super) fn kill_all(child: &mut Child) {
    kill_group(Pid::from_child(child));
    let _ = child.kill();
    let _ = child.wait();
}

/// Kills the group of the program, and on Linux everything else that descends from this process: it
/// starts nothing but the program under test.
pub(super) fn kill_group(group: Pid) {
    // This fails only if none is left.
    let _ = kill_process_group(group, Signal::KILL);
    #[cfg(target_os = "linux")]
    linux::kill_descendants();
}

/// Ends all that descends from this process, and forgets it (Linux). Nothing else may wait for a child
/// meanwhile.
pub(in crate::grade) fn end_descendants() {
    #[cfg(target_os = "linux")]
    {
        linux::kill_descendants();
        while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::descendants;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::fs;
    use std::thread;
    use std::time::Duration;

    use rustix::param::page_size;
    use rustix::process::{Pid, Signal, getpid, kill_process};

    use super::Usage;

    /// How often to look for processes that were started meanwhile.
    const ROUNDS: usize = 100;
    const PAUSE: Duration = Duration::from_millis(10);

    /// Kills until nothing is left. All are stopped before the first is killed, or one that forks
    /// all the time would be faster.
    pub(super) fn kill_descendants() {
        let mut was_empty = false;
        for _ in 0..ROUNDS {
            let found = descendants();
            // One look may miss a process whose parent has ended meanwhile.
            if found.is_empty() && was_empty {
                return;
            }
            was_empty = found.is_empty();
            for signal in [Signal::STOP, Signal::KILL] {
                for process in &found {
                    // It may have ended meanwhile.
                    let _ = kill_process(process.id, signal);
                }
            }
            thread::sleep(PAUSE);
        }
    }

    /// What all descendants take together.
    pub(super) fn usage() -> Usage {
        let page = u64::try_from(page_size()).unwrap_or_default();
        let all = descendants().into_iter();
        all.fold(Usage::default(), |sum, it| Usage {
            processes: sum.processes + it.threads,
            memory: sum.memory.saturating_add(it.pages.saturating_mul(page)),
        })
    }

    /// The living processes that descend from this one.
    pub(in super::super) fn descendants() -> Vec<Stat> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut others: Vec<_> = entries
            .filter_map(|entry| Stat::of(entry.file_name().to_str()?.parse().ok()?))
            .collect();
        let mut family = BTreeSet::from([getpid().as_raw_pid()]);
        let mut found = Vec::new();
        loop {
            let is_child = |it: &mut Stat| family.contains(&it.parent);
            let children: Vec<_> = others.extract_if(.., is_child).collect();
            if children.is_empty() {
                return found.into_iter().filter(|it: &Stat| it.is_alive).collect();
            }
            family.extend(children.iter().map(|it| it.id.as_raw_pid()));
            found.extend(children);
        }
    }

    /// A process, as `/proc/ID/stat` describes it (proc(5)).
    pub(in super::super) struct Stat {
        pub(in super::super) id: Pid,
        parent: i32,
        threads: u64,
        /// How many pages of memory it has.
        pages: u64,
        /// Whether it has not ended. One that has may have been the parent of others a moment ago.
        is_alive: bool,
    }

    impl Stat {
        fn of(id: i32) -> Option<Self> {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // The name before it may contain spaces and parentheses.
            let (_, rest) = stat.rsplit_once(") ")?;
            // The third field, the state, is the first of these.
            let mut words = rest.split(' ');
            let has_ended = ["Z", "X"].contains(&words.next()?);
            let parent = words.next()?.parse().ok()?;
            let threads = words.nth(15)?.parse().ok()?;
            Some(Self {
                id: Pid::from_raw(id)?,
                parent,
                threads,
                pages: words.nth(3)?.parse().ok()?,
                // One that has ended may still have threads.
                is_alive: !has_ended || threads > 1,
            })
        }
    }
}
