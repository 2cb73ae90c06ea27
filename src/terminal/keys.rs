//! Keys that do something else at our prompt than in the editor.

use std::sync::Arc;

use parking_lot::Mutex;
use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use super::suspend::Suspension;

/// Accepts a line with its first key, where only a key is expected.
#[derive(Debug, Clone, Default)]
pub(super) struct OneKey(Arc<Mutex<Key>>);

#[derive(Debug, Default)]
struct Key {
    is_expected: bool,
    /// The character of the key.
    pressed: Option<String>,
}

impl OneKey {
    /// Whether a key is expected from now on.
    pub(super) fn expect(&self, is_expected: bool) {
        let pressed = None;
        *self.0.lock() = Key {
            is_expected,
            pressed,
        };
    }

    /// The key that has accepted the last line; `None` for Enter.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().pressed.take()
    }
}

impl ConditionalEventHandler for OneKey {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, _: &EventContext) -> Option<Cmd> {
        let mut key = self.0.lock();
        if !key.is_expected {
            return None;
        }
        match event.get(0)? {
            KeyEvent(KeyCode::Char(c), Modifiers::NONE | Modifiers::SHIFT) => {
                key.pressed = Some(c.to_string());
                Some(Cmd::AcceptLine)
            }
            KeyEvent(KeyCode::Enter, _) => Some(Cmd::AcceptLine),
            KeyEvent(KeyCode::Down | KeyCode::PageDown, _) => {
                key.pressed = Some(" ".to_owned());
                Some(Cmd::AcceptLine)
            }
            KeyEvent(KeyCode::Esc, _) => Some(Cmd::Interrupt),
            // Such as Ctrl-C and Ctrl-Z.
            KeyEvent(KeyCode::Char(_), _) => None,
            _ => Some(Cmd::Noop),
        }
    }
}

/// Stops the program. The editor's own way may set its modes again before the program has stopped.
pub(super) struct CtrlZ(pub(super) Suspension);

impl ConditionalEventHandler for CtrlZ {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext) -> Option<Cmd> {
        self.0.stop();
        Some(Cmd::Repaint)
    }
}
