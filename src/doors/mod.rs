//! The ways to use a node: the menu, and the commands for scripts. Each one asks for input, calls
//! the actions of the node, and shows the outcome.

pub mod commands;
pub mod menu;
