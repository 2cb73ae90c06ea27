//! The ways to what a peer can do: the menu, and the commands for scripts.

pub mod commands;
mod console;
pub mod menu;

pub use console::{Console, Hangup};
