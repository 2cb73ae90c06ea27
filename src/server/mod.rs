//! The two servers.
//!
//! The central index of P2P-CI/1.0: [`catalog`] is what it knows, [`session`] how one peer talks to
//! it. The registration server of P2P-DI/1.0: [`registrar`] is what it knows, [`register`] keeps
//! that in a file, [`registration`] is how a peer talks to it. Neither imports the peer's side.

pub mod catalog;
pub mod register;
pub mod registrar;
pub mod registration;
pub mod session;

pub use catalog::Catalog;
pub use register::Register;
pub use registration::RegistrationServer;
pub use session::Server;
