//! The ways to what a node can do: the menu, and the commands for scripts. A door asks, calls the
//! actions of the node, and shows what comes of it.

pub mod commands;
pub mod menu;
