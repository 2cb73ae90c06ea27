//! Ctrl-Z at the prompt, and what must come back with `fg`: the modes of the terminal, the prompt and
//! what was typed.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustix::process::{Signal, kill_current_process_group};
use rustix::stdio;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::SIGCONT;
use signal_hook::iterator::Signals;

use super::Screen;

/// How long a stop may take to happen. Without a shell that can continue this program, the system
/// ignores it.
const STOP_TIME: Duration = Duration::from_millis(500);

/// Stops and continues this program. Clones share the same state.
#[derive(Debug, Clone)]
pub(super) struct Suspension(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The modes outside the prompt, and those that the prompt has set.
    outside: Option<Termios>,
    inside: Mutex<Option<Termios>>,
    /// Whether Ctrl-Z stops this program just now.
    is_stopping: Mutex<bool>,
    continued: Condvar,
}

impl Suspension {
    /// Restores the prompt of `screen` from now on, whenever this program is continued.
    pub(super) fn watch(screen: Screen) -> io::Result<Self> {
        let suspension = Self(Arc::new(Shared {
            outside: tcgetattr(stdio::stdin()).ok(),
            inside: Mutex::default(),
            is_stopping: Mutex::default(),
            continued: Condvar::new(),
        }));
        let mut signals = Signals::new([SIGCONT])?;
        let shared = suspension.clone();
        let restore = move || {
            for _ in &mut signals {
                let was_stopping = std::mem::take(&mut *shared.0.is_stopping.lock());
                if was_stopping {
                    shared.0.continued.notify_all();
                } else if screen.has_prompt() {
                    // It was stopped by another signal.
                    set(shared.0.inside.lock().as_ref());
                    screen.redraw_prompt();
                }
            }
        };
        let thread = thread::Builder::new().name("continue".to_owned());
        thread.spawn(restore)?;
        Ok(suspension)
    }

    /// Call this while the prompt has set its modes.
    pub(super) fn learn_modes(&self) {
        let mut inside = self.0.inside.lock();
        if inside.is_none() {
            *inside = tcgetattr(stdio::stdin()).ok();
        }
    }

    /// Stops this program and its process group until it is continued.
    pub(super) fn stop(&self) {
        set(self.0.outside.as_ref());
        let mut is_stopping = self.0.is_stopping.lock();
        *is_stopping = kill_current_process_group(Signal::TSTP).is_ok();
        let continued = &self.0.continued;
        continued.wait_while_for(&mut is_stopping, |it| *it, STOP_TIME);
        *is_stopping = false;
        drop(is_stopping);
        set(self.0.inside.lock().as_ref());
    }
}

fn set(modes: Option<&Termios>) {
    if let Some(modes) = modes {
        // A closed terminal needs no modes.
        let _ = tcsetattr(stdio::stdin(), OptionalActions::Now, modes);
    }
}
