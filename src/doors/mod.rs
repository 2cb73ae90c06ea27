//! The user interfaces of a node: the menu, and the commands for scripts. Both read input, call the
//! actions of the node, and show the outcome.

pub mod commands;
pub mod menu;
