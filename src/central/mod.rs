//! The central index of P2P-CI/1.0: [`catalog`] is what it knows, [`session`] how one peer talks to
//! it, and [`start`] puts both behind a port.

pub mod catalog;
mod server;
pub mod session;

pub use catalog::Catalog;
pub use server::{Config, StartError, start};
pub use session::Sessions;
