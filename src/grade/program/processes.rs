//! Ends a program with all the processes that it has started, also those that left its group.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process_group};

/// Makes this process the parent of orphans among the descendants of the program under test, so that
/// [`kill_all`] finds them. Only Linux can.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // If this fails, only a process that hides is missed.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Kills the group of the program, and on Linux everything else that descends from this process: it
/// starts nothing but the program under test.
pub(super) fn kill_all(child: &mut Child) {
    // This fails only if none is left.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    #[cfg(target_os = "linux")]
    linux::kill_descendants();
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::fs;
    use std::thread;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, getpid, kill_process};

    /// How often to look for processes that were started meanwhile.
    const ROUNDS: usize = 100;
    const PAUSE: Duration = Duration::from_millis(10);

    /// Kills until nothing is left. All are stopped before the first is killed, or one that forks
    /// all the time would be faster.
    pub(super) fn kill_descendants() {
        for _ in 0..ROUNDS {
            let found = descendants();
            if found.is_empty() {
                return;
            }
            for signal in [Signal::STOP, Signal::KILL] {
                for process in &found {
                    // It may have ended meanwhile.
                    let _ = kill_process(*process, signal);
                }
            }
            thread::sleep(PAUSE);
        }
    }

    /// The living processes that descend from this one.
    fn descendants() -> Vec<Pid> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let all: Vec<_> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter_map(|id| Some((id, parent(id)?)))
            .collect();
        let mut family = BTreeSet::from([getpid().as_raw_pid()]);
        loop {
            let before = family.len();
            for (id, parent) in &all {
                if family.contains(parent) {
                    family.insert(*id);
                }
            }
            if family.len() == before {
                break;
            }
        }
        family.remove(&getpid().as_raw_pid());
        family.into_iter().filter_map(Pid::from_raw).collect()
    }

    /// The parent of a process that is alive.
    fn parent(id: i32) -> Option<i32> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name before it may contain spaces and parentheses.
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut words = rest.split(' ');
        let state = words.next()?;
        let parent = words.next()?.parse().ok()?;
        (!["Z", "X"].contains(&state)).then_some(parent)
    }
}
