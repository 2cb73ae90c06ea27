//! A peer in the background: the control socket, over which other programs of the same user use it.
//!
//! Requests and responses have the form of [`crate::wire::control`], one for each connection. The
//! [`Server`] answers them with the actions of a node. [`Client`] is our own program on the other
//! side: it has the same actions, so that the commands need not know where the peer runs. Both use
//! the request `RUN`, whose answer is lines of JSON (`message`).

mod client;
mod message;
mod place;
mod run;
mod server;
mod session;

pub use crate::net::{LocalError, LocalPath};
pub use client::Client;
pub use place::{name, path_for, private_folder};
pub use server::Server;
