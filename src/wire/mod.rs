//! Converts messages to bytes and back. Nothing here uses sockets or files.
//!
//! Each kind of conversation has a codec for text and frames, and callers need not know which is in
//! use: [`ci::server`] and [`ci::responses`] for the central index, [`di::server`] and
//! [`di::client`] for the registration server, [`p2p`] between peers. [`control`] is simpler: one line
//! of text each. A client chooses a
//! [`Dialect`]; a server detects it from the first byte.
//!
//! A [`ReadError`] means that the stream is out of step, and says whose fault that is: answer and
//! close. After a [`Reject`] only this request is wrong: answer and continue.
//!
//! Below the codecs, reading has two steps. [`Requests`] or a [frame](frame::Frame) finds one
//! message in a stream, within limits, without knowing methods. Then its [`Head`] is parsed into a
//! typed message.
//!
//! What existing programs do and the agreement does not say is in [`tolerance`], one module for each
//! deviation.

pub mod ci;
pub mod control;
mod dates;
pub mod dht;
pub mod di;
mod dialect;
mod error;
pub mod frame;
mod head;
pub mod json;
pub mod p2p;
mod protocol;
mod requests;
mod source;
mod tee;
mod terms;
pub mod tolerance;

pub use dates::date;
pub use dialect::{Answered, Dialect, Received};
pub use error::{Fault, ReadError};
pub use head::Head;
pub use protocol::{Protocol, Reject, Status};
pub use requests::{Next, Requests, Waits};
pub use source::Source;
use source::read_line;
pub use tee::Tee;
pub use terms::{Endpoint, Host, Port, Record, RfcNumber, TermError, Title};

#[cfg(test)]
pub(crate) use source::testing;
