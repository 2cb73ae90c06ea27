//! The user's terminal: prompt, tables, progress bars, color.
//!
//! None of this is part of a printout, and none of it appears without a terminal, so what goes
//! through a pipe is exact.

mod editor;
pub(crate) mod escape;
mod keys;
pub mod locale;
pub mod pages;
pub mod progress;
pub(crate) mod queue;
mod screen;
pub(crate) mod step;
pub mod style;
mod suspend;

pub(crate) use editor::PRESS_AGAIN;
pub use editor::{Answer, Editor, Expected, Vocabulary};
pub use queue::Queue;
pub use screen::{Modes, Screen, Size};
