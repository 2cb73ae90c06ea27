//! The registration server of P2P-DI/1.0: [`table`] is what it knows, [`store`] keeps that in a file,
//! [`session`] is how a peer talks to it.

pub mod session;
pub mod store;
pub mod table;

pub use session::RegistrationServer;
pub use store::Register;
