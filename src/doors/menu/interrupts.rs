//! What Ctrl-C does while a choice is carried out. (At a prompt it is a key, and no signal.)

use std::sync::Arc;

use parking_lot::Mutex;

use crate::node::Sockets;
use crate::terminal::{PRESS_AGAIN, Screen};

/// Decides what a Ctrl-C ends. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupts(Arc<Mutex<Option<Busy>>>);

/// What is being carried out.
#[derive(Debug, Default)]
struct Busy {
    /// How often Ctrl-C was pressed.
    pressed: u8,
    /// The connections of the current download.
    download: Option<Sockets>,
}

/// The second Ctrl-C ends all downloads of a choice; a third one would end the program.
const ENDS_ALL: u8 = 2;

/// A choice that is being carried out, until it is dropped.
#[derive(Debug)]
pub(super) struct Work(Interrupts);

impl Interrupts {
    /// A choice begins.
    pub(super) fn begin(&self) -> Work {
        *self.0.lock() = Some(Busy::default());
        Work(self.clone())
    }

    /// Returns whether this Ctrl-C does less than end the program.
    pub(super) fn press(&self, screen: &Screen) -> bool {
        let mut busy = self.0.lock();
        let Some(busy) = &mut *busy else {
            return false;
        };
        busy.pressed = busy.pressed.saturating_add(1);
        match &busy.download {
            Some(sockets) if busy.pressed <= ENDS_ALL => {
                sockets.close_all();
                true
            }
            None if busy.pressed == 1 => {
                screen.stdout().push(&[PRESS_AGAIN, "\n"]);
                true
            }
            _ => false,
        }
    }

    /// Ends all downloads, because the program ends.
    pub(super) fn end(&self) {
        if let Some(busy) = &mut *self.0.lock() {
            busy.pressed = ENDS_ALL;
            busy.download.iter().for_each(Sockets::close_all);
        }
    }
}

impl Work {
    /// The connections for the next download; `None` if no more are wanted.
    pub(super) fn next_download(&self) -> Option<Sockets> {
        let mut busy = self.0.0.lock();
        let busy = busy.as_mut().filter(|busy| busy.pressed < ENDS_ALL)?;
        let sockets = Sockets::default();
        busy.download = Some(sockets.clone());
        Some(sockets)
    }

    /// Whether one more Ctrl-C cancels downloads that would follow.
    pub(super) fn goes_on(&self) -> bool {
        let busy = self.0.0.lock();
        busy.as_ref().is_some_and(|busy| busy.pressed < ENDS_ALL)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ends_one_download_the_second_all_and_the_third_the_program() {
        let (interrupts, screen) = (Interrupts::default(), Screen::default());
        assert!(!interrupts.press(&screen));
        let work = interrupts.begin();
        let one = work.next_download().unwrap();
        assert!(interrupts.press(&screen) && one.is_closing());
        let next = work.next_download().unwrap();
        assert!(!next.is_closing() && work.goes_on());
        assert!(interrupts.press(&screen) && next.is_closing());
        assert!(work.next_download().is_none() && !work.goes_on());
        assert!(!interrupts.press(&screen));
        drop(work);
        assert!(!interrupts.press(&screen));
    }

    #[test]
    fn the_end_of_the_program_ends_all_downloads() {
        let interrupts = Interrupts::default();
        let work = interrupts.begin();
        let one = work.next_download().unwrap();
        interrupts.end();
        assert!(one.is_closing() && work.next_download().is_none());
    }
}
