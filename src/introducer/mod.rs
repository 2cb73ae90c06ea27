//! The introducer: the node through which others join the distributed hash table, and a list of
//! peers for nodes that keep a ring among themselves. [`table`] holds that list, [`session`] serves
//! one connection, and [`start`] runs both on a port: TCP for the list, UDP for the hash table.

mod server;
pub mod session;
pub mod table;

pub use server::{Config, StartError, start};
pub use session::Sessions;
