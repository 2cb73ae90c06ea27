//! Sockets with limits: waits with deadlines, buffers with a size, and an end for every socket.
//!
//! Nothing here knows a protocol. A [`Connection`] is what sessions read from and write to; a
//! [`Listener`] accepts connections and gives each a thread; [`connect`] makes one to somebody
//! else; [`Sockets`] knows all that are open, so that a program can close them and end; a [`Server`]
//! is all of it in the background.

mod connect;
mod connection;
mod crew;
mod dialects;
mod host;
mod listener;
mod pace;
mod refusals;
mod seldom;
mod server;
mod sockets;
mod stop;

pub use connect::{ConnectError, connect};
pub use connection::{Connection, Watch};
pub use dialects::Dialects;
pub use host::{local_address_towards, operating_system, reachable, resolve};
pub use listener::{ListenError, Listener};
pub use pace::Pace;
pub use server::{Open, Place, Server};
pub use sockets::{Limits, Sockets};
pub use stop::Stop;
