//! The central index of P2P-CI/1.0: [`catalog`] is what it knows, [`session`] how one peer talks to
//! it.

pub mod catalog;
pub mod session;

pub use catalog::Catalog;
pub use session::Server;
