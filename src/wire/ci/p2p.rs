//! Peer to peer: GET, and the head of the response that carries a file (section 4).

use std::io::Write;
use std::time::SystemTime;

use super::{PROTOCOL, VERSION};
use crate::wire::dates::{content_length, http_date, last_modified};
use crate::wire::protocol::{Reject, Status, StatusLine, fields, printable, unknown_method};
use crate::wire::{FieldError, Head, Host, RfcNumber};

/// Asks a peer for an RFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// Which one.
    pub number: RfcNumber,
    /// The host of the peer asked.
    pub host: Host,
    /// The operating system of the asking host; expected but not required.
    pub os: Option<String>,
}

impl Get {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Reject`], by the order of checks of section 3.
    pub fn parse(head: &Head) -> Result<Self, Reject> {
        let words = PROTOCOL.request_line(head)?;
        let number = words
            .strip_prefix("GET RFC ")
            .ok_or_else(|| unknown_method(words))?;
        let number = number.parse()?;
        let host = fields(head)?;
        Ok(Self {
            number,
            host,
            // It says nothing that we act on, so in no form can it make the request wrong.
            os: head.field("OS").ok().flatten().map(str::to_owned),
        })
    }

    /// The request as it goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { number, host, os } = self;
        let mut out = format!("GET RFC {number} {VERSION}\r\nHost: {host}\r\n").into_bytes();
        if let Some(os) = os {
            // Writing to memory does not fail.
            let _ = write!(out, "OS: {os}\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// The head of a response without a file: a status line and one empty line.
pub fn refusal(status: Status) -> Vec<u8> {
    format!("{}\r\n\r\n", StatusLine(PROTOCOL, status)).into_bytes()
}

/// The head of the response that carries a file.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    /// When the response was made.
    pub date: SystemTime,
    /// The operating system of the host that answers.
    pub os: &'a str,
    /// When the file was last modified.
    pub last_modified: SystemTime,
    /// The length of the file, in bytes.
    pub length: u64,
}

impl Delivery<'_> {
    /// The head as it goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        // Writing to memory does not fail.
        let _ = write!(
            head,
            "{}\r\nDate: {}\r\nOS: {}\r\nLast-Modified: {}\r\nContent-Length: {}\r\n\
             Content-Type: text/plain\r\n\r\n",
            StatusLine(PROTOCOL, Status::Ok),
            http_date(self.date),
            self.os,
            http_date(self.last_modified),
            self.length,
        );
        head
    }
}

/// The head of a response to GET, as it was received: read liberally (section 5), for any header
/// but the status line may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The code of the status line.
    pub code: u16,
    /// The length of the body; without it the body goes on up to the close.
    pub length: Option<u64>,
    /// When the file was last modified, where the answer says so in a way that can be read.
    pub last_modified: Option<SystemTime>,
}

/// Why a response to GET can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The first line is no status line of this protocol.
    #[error("it answers {0:?}, which is no {VERSION} status line")]
    NoStatusLine(String),
    /// A header that matters stands twice, or is not UTF-8.
    #[error("its head is wrong: {0}")]
    Field(#[from] FieldError),
    /// Content-Length is no length.
    #[error("its Content-Length is {0:?}")]
    Length(String),
}

impl Answer {
    /// Reads the head of a response.
    ///
    /// # Errors
    /// [`AnswerError`] where there is no status line, or where the length of the body can't be
    /// told: it is repeated, negative, or no number below 2^63.
    pub fn parse(head: &Head) -> Result<Self, AnswerError> {
        let line = head.start_line();
        let code = PROTOCOL
            .status_code(line)
            .ok_or_else(|| AnswerError::NoStatusLine(printable(line)))?;
        let length = head
            .field("Content-Length")?
            .map(|value| {
                let quoted = || AnswerError::Length(value.chars().take(40).collect());
                content_length(value).ok_or_else(quoted)
            })
            .transpose()?;
        let last_modified = last_modified(head);
        Ok(Self {
            code,
            length,
            last_modified,
        })
    }
}
