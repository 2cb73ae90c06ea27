//! The registration server of P2P-DI/1.0: [`table`] is what it knows, [`store`] keeps that in a file,
//! [`session`] is how a peer talks to it, and [`start`] puts all of it behind a port.

mod server;
pub mod session;
pub mod store;
pub mod table;

pub use server::{Config, StartError, Storage, start};
pub use session::Sessions;
pub use store::Register;
