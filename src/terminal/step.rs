//! Waiting for Enter after each message, for a projector. Only the screen waits: the messages that it
//! has not shown yet were sent and received long ago, and wait in its queue.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

/// In the text for a screen: wait here. No printout has this character, because it is escaped there.
pub(crate) const STEP: &str = "\0";

const QUESTION: &str = "(Enter) ";
/// Removes the question after Enter,
const REMOVED: &str = "\u{1b}[1A\r\u{1b}[J";
/// and without it.
const GIVEN_UP: &str = "\r\u{1b}[J";

/// The state of the waiting. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_waiting: bool,
    /// Whether the prompt has the input, and gets the Enter.
    has_prompt: bool,
    /// Whether nobody presses Enter any more.
    is_over: bool,
}

impl Steps {
    /// Waits for Enter.
    pub(super) fn wait(&self) {
        let mut state = self.0.state.lock();
        state.is_waiting = !state.is_over;
        let mut has_asked = false;
        while state.is_waiting {
            if state.has_prompt || has_asked {
                self.0.changed.wait(&mut state);
                continue;
            }
            has_asked = true;
            // Writing may take long.
            drop(state);
            show(QUESTION);
            self.read();
            state = self.0.state.lock();
        }
        let is_unanswered = has_asked && state.is_over;
        drop(state);
        if is_unanswered {
            show(GIVEN_UP);
        }
    }

    /// Reads the Enter in a thread of its own, because nothing ends a read of the terminal.
    fn read(&self) {
        let steps = self.clone();
        let thread = thread::Builder::new().name("enter".to_owned());
        let started = thread.spawn(move || {
            let has_line = read_line();
            if has_line {
                show(REMOVED);
            }
            steps.end_reading(has_line);
        });
        if started.is_err() {
            self.end_reading(false);
        }
    }

    fn end_reading(&self, has_line: bool) {
        let mut state = self.0.state.lock();
        state.is_waiting = false;
        state.is_over |= !has_line;
        self.0.changed.notify_all();
    }

    /// The screen waits no more, now and later.
    pub(super) fn end(&self) {
        let mut state = self.0.state.lock();
        state.is_waiting = false;
        state.is_over = true;
        self.0.changed.notify_all();
    }

    /// Whether the screen waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.state.lock().is_waiting
    }

    /// Enter was pressed at the prompt. Returns whether the screen waited for it.
    pub(super) fn go_on(&self) -> bool {
        let was_waiting = std::mem::take(&mut self.0.state.lock().is_waiting);
        self.0.changed.notify_all();
        was_waiting
    }

    /// Gives the input to the prompt, unless the screen waits for it.
    pub(super) fn claim(&self) -> bool {
        let mut state = self.0.state.lock();
        state.has_prompt |= !state.is_waiting;
        state.has_prompt
    }

    /// The prompt needs no more input.
    pub(super) fn release(&self) {
        self.0.state.lock().has_prompt = false;
        self.0.changed.notify_all();
    }
}

fn show(text: &str) {
    let mut stdout = io::stdout();
    // A terminal that is gone has no input either.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Reads a line; false at the end of the input.
fn read_line() -> bool {
    let mut line = Vec::new();
    let read = io::stdin().lock().read_until(b'\n', &mut line);
    matches!(read, Ok(1..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_at_the_prompt_shows_the_next_message() {
        let steps = Steps::default();
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
