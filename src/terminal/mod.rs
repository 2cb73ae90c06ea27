//! The person in front of it: the prompt, tables, the bars of downloads, colour.
//!
//! None of it is part of a printout. It is there on a terminal, and where there is none, nothing
//! of it is, so that what goes through a pipe is exact.

mod editor;
pub(crate) mod escape;
pub mod pages;
pub mod progress;
pub(crate) mod queue;
mod screen;
pub mod style;

pub use editor::{Editor, Expected, Vocabulary};
pub use queue::Queue;
pub use screen::{Modes, Screen, Size};
