//! Sockets with limits: every wait has a deadline, every buffer a size, and every socket can be
//! closed.
//!
//! Nothing here knows a protocol. Sessions read from and write to a [`Connection`]; a [`Listener`]
//! accepts connections and gives each a thread; [`connect`] opens one; [`Sockets`] knows all open
//! sockets, so that a program can close them and end; a [`Server`] runs all of it in the
//! background. A [`LocalPath`] is where programs on the same machine connect.

mod connect;
mod connection;
mod crew;
mod dialects;
mod host;
mod idle;
mod input;
mod listener;
mod local;
mod pace;
mod refusals;
mod seldom;
mod server;
mod socket_options;
mod sockets;
mod stop;

/// A connected socket of any family.
use socket2::Socket as Stream;

pub use connect::{ConnectError, Ports, connect, connect_to_path, connect_to_peer};
pub use connection::{Connection, Watch};
pub use dialects::Dialects;
pub use host::{local_address_toward, network_of, operating_system, reachable, resolve};
pub use listener::{ListenError, Listener};
pub use local::{LocalError, LocalPath};
pub use pace::{Pace, Paced};
pub use seldom::Seldom;
pub use server::{Open, Place, Server};
pub use sockets::{Limits, Sockets};
pub use stop::Stop;
