//! Messages ⇄ bytes. Nothing here knows a socket or a file.
//!
//! Reading has two steps. [`Requests`] finds one message in a stream, within limits; it knows no
//! method and no RFC. The module of a protocol ([`ci`], [`di`]) then makes a typed message of it. The
//! error of each step says what to do next: after a [`HeadError`] the stream is out of step, so
//! answer and close; after a [`Reject`] only this request is wrong, so answer and go on.

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
#[cfg(test)]
pub(crate) mod testing;

pub use dialect::{Answered, Dialect, Received};
pub use error::{Fault, Limit, ReadError};
pub use head::{FieldError, Head, HeadError};
pub use protocol::{Protocol, Reject, Status, StatusLine};
pub use requests::{Requests, Waits};
pub use source::{Source, read_line};
pub use terms::{Endpoint, Host, Port, Record, RfcNumber, TermError, Title};
