//! Silence instead of a refusal.
//!
//! For systems that speak only in frames: they wait for the rest of what they take for a length, and
//! neither answer nor close. After [`PATIENCE`] a second connection in frames is opened beside the
//! first, and the one that answers first is used. A slow server that speaks text answers first in
//! text, or not in frames.

use std::time::Duration;

use crate::wire::ci;
use crate::wire::frame::{ANSWER_TIME, Frame};
use crate::wire::protocol::Protocol;
use crate::wire::{Host, Source};

/// How long the other side may be silent before it is asked in frames too.
pub const PATIENCE: Duration = Duration::from_millis(1500);
/// How long both sides are then waited for; an answer in frames must come within one second.
pub const BOTH: Duration = ANSWER_TIME;

/// A question in frames that changes nothing, also in a server that understands both dialects: no
/// peer has this port.
pub fn question(me: &Host) -> Vec<u8> {
    let text = format!("LISTALL P2P-CI/1.0\r\nHost: {me}\r\nPort: 0\r\n\r\n");
    ci::frame(text.as_bytes()).into_bytes()
}

/// Reads the answer to it. `None`: the server does not speak in frames.
pub fn read_answer(source: &mut impl Source) -> Option<Vec<u8>> {
    let frame = Frame::read_answer(source, BOTH).ok()?;
    let status = frame.content().split(|&byte| byte == b'\n').next();
    Protocol::Ci.status_code(status.unwrap_or_default())?;
    Some(frame.into_bytes())
}
