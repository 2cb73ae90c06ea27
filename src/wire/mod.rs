//! Messages ⇄ bytes. Nothing here knows a socket or a file.
//!
//! Every conversation has a codec that speaks it in text and in frames, and outside nobody needs to
//! know in which: [`ci::server`] and [`ci::responses`] for the central index, [`di::server`] and
//! [`di::client`] for the registration server, [`p2p`] for what peers say to each other. A client
//! chooses a [`Dialect`]; a server is told by the first byte.
//!
//! What can't be read is a [`ReadError`], which says whose fault that is: the stream is out of step,
//! so answer and close. After a [`Reject`] only this request is wrong, so answer and go on.
//!
//! Below the codecs reading has two steps. [`Requests`] or a [frame](frame::Frame) finds one message in
//! a stream, within limits; it knows no method and no RFC. Then a typed message is made of its [`Head`].

pub mod ci;
mod dates;
pub mod di;
mod dialect;
mod error;
pub mod frame;
mod head;
pub mod p2p;
mod protocol;
mod requests;
mod source;
mod terms;

pub use dialect::{Answered, Dialect, Received};
pub use error::{Fault, ReadError};
pub use head::Head;
pub use protocol::{Protocol, Reject, Status};
pub use requests::{Requests, Waits};
pub use source::Source;
use source::read_line;
pub use terms::{Endpoint, Host, Port, Record, RfcNumber, TermError, Title};

#[cfg(test)]
pub(crate) use source::testing;
