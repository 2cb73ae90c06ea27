//! The central index of P2P-CI/1.0. [`catalog`] holds the data, [`session`] serves one peer, and
//! [`start`] runs the server on a port.

pub mod catalog;
mod server;
pub mod session;

pub use catalog::Catalog;
pub use server::{Config, StartError, start};
pub use session::Sessions;
