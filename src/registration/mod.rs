//! The registration server of P2P-DI/1.0. [`table`] holds the data, [`store`] saves it to a file,
//! [`session`] serves one connection, and [`start`] runs the server on a port.

mod disk;
mod entry;
mod now;
mod saved;
mod server;
pub mod session;
pub mod store;
pub mod table;

pub use server::{Config, StartError, start};
pub use session::Sessions;
pub use store::Register;
