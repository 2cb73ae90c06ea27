//! Waiting for Enter after each message, for a projector. Only the screen waits: the messages that it
//! has not shown yet were sent and received long ago, and wait in its queue.

use std::io::{self, BufRead, Write};

use parking_lot::{Condvar, Mutex};

/// In the text for a screen: wait here. No printout has this character, because it is escaped there.
pub(crate) const STEP: &str = "\0";

const QUESTION: &str = "(Enter) ";
/// Removes the question after Enter.
const REMOVED: &str = "\u{1b}[1A\r\u{1b}[J";

/// The state of the waiting.
#[derive(Debug, Default)]
pub(super) struct Steps {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_waiting: bool,
    /// Whether the prompt has the input, and gets the Enter.
    has_prompt: bool,
    /// Whether the input has ended, so that nobody can press Enter.
    is_over: bool,
}

impl Steps {
    /// Waits for Enter.
    pub(super) fn wait(&self) {
        let mut state = self.state.lock();
        if state.is_over {
            return;
        }
        state.is_waiting = true;
        while state.is_waiting {
            if state.has_prompt {
                self.changed.wait(&mut state);
                continue;
            }
            drop(state);
            let has_line = read_enter();
            state = self.state.lock();
            state.is_over = !has_line;
            state.is_waiting = false;
        }
    }

    /// Whether the screen waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.state.lock().is_waiting
    }

    /// Enter was pressed at the prompt. Returns whether the screen waited for it.
    pub(super) fn go_on(&self) -> bool {
        let was_waiting = std::mem::take(&mut self.state.lock().is_waiting);
        self.changed.notify_all();
        was_waiting
    }

    /// Gives the input to the prompt, unless the screen waits for it.
    pub(super) fn claim(&self) -> bool {
        let mut state = self.state.lock();
        state.has_prompt |= !state.is_waiting;
        state.has_prompt
    }

    /// The prompt needs no more input.
    pub(super) fn release(&self) {
        self.state.lock().has_prompt = false;
        self.changed.notify_all();
    }
}

/// Reads a line; false at the end of the input.
fn read_enter() -> bool {
    let mut stdout = io::stdout();
    let mut show = |text: &str| {
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
    };
    // A terminal that is gone has no input either.
    let _ = show(QUESTION);
    let mut line = Vec::new();
    let read = io::stdin().lock().read_until(b'\n', &mut line);
    let has_line = matches!(read, Ok(1..));
    if has_line {
        let _ = show(REMOVED);
    }
    has_line
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn enter_at_the_prompt_shows_the_next_message() {
        let steps = Arc::new(Steps::default());
        assert!(!steps.go_on());
        assert!(steps.claim());
        let waiting = steps.clone();
        let screen = thread::spawn(move || waiting.wait());
        while !steps.is_waiting() {
            thread::yield_now();
        }
        assert!(steps.go_on());
        screen.join().unwrap();
        assert!(!steps.is_waiting() && steps.claim());
        steps.release();
    }
}
