//! Index errors, and whose fault they are.

use std::io;

use super::Kind;
use crate::net::ConnectError;
use crate::wire::{Endpoint, Fault, ReadError, Status};

/// Why the index did not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The index server can't be reached.
    #[error("the index server can't be reached: {0}")]
    Unreachable(#[from] ConnectError),
    /// The connection to the index server is lost, and the peer is reconnecting.
    #[error("the connection to the index server {0} is lost; trying to reconnect")]
    Away(Endpoint),
    /// The index server gave no usable answer.
    #[error("{}", no_answer(.server, .reason))]
    NoAnswer {
        /// The server.
        server: Endpoint,
        /// The reason.
        reason: ReadError,
    },
    /// The index server has no room for this peer.
    #[error("the index server {0} is full (503)")]
    NoRoom(Endpoint),
    /// The index server refused the request.
    #[error("the index server refused the request with code {0}{hint}", hint = hint(*.0))]
    Refused(u16),
    /// No other node of the hash table answers.
    #[error(
        "no node of the DHT answers, neither the introducer {0} nor one known from before; \
         `server --index dht` starts an introducer"
    )]
    Alone(Endpoint),
    /// None of the peers that were found answers.
    #[error(
        "none of the {0} peer(s) that were found answers, so this does not mean that nobody shares \
         anything; living peers announce themselves again within minutes"
    )]
    NobodyAnswers(usize),
    /// The hash table can't be used at this address.
    #[cfg(feature = "dht")]
    #[error(transparent)]
    Address(#[from] crate::dht::AddressError),
    /// The node of the hash table can't be started.
    #[cfg(feature = "dht")]
    #[error(transparent)]
    Node(#[from] crate::dht::StartError),
    /// This program has no such index.
    #[error("this program was built without this index (the cargo feature \"dht\")")]
    NotBuilt,
    /// The thread that stays in touch with the server can't be started.
    #[error("cannot start a thread for the index: {0}")]
    NoKeeper(io::Error),
}

/// What the user can do about a refusal.
fn hint(code: u16) -> &'static str {
    if code == Status::BadRequest.code() {
        ": another peer may have this name and port (--hostname and --upload-port choose others), \
         or the limit of RFCs per peer is reached"
    } else {
        ""
    }
}

/// That there is no usable answer, and why: silence is a reason by itself.
fn no_answer(server: &Endpoint, reason: &ReadError) -> String {
    match reason {
        ReadError::TimedOut { time, began: false } => {
            let seconds = time.as_secs_f32();
            format!("no answer from the index server {server} within {seconds} s")
        }
        _ => format!(
            "no usable answer from the index server {server}: {}",
            why(reason)
        ),
    }
}

/// Why an answer is useless. A server of another kind shows itself by the beginning of its refusal.
fn why(reason: &ReadError) -> String {
    let ReadError::Malformed { came, expected } = reason else {
        return reason.to_string();
    };
    let kinds = [
        ("P2P-CI/", "a central index server", Kind::Central),
        ("P2P-DI/", "a registration server", Kind::Distributed),
        (
            "404 OPERATION ",
            "the introducer of a hash table",
            Kind::Dht,
        ),
    ];
    let is_it = |(start, ..): &&(&str, _, _)| came.starts_with(start) && !expected.contains(start);
    match kinds.iter().find(is_it) {
        Some((_, server, kind)) => format!("this is {server}: use --index {kind}"),
        None => reason.to_string(),
    }
}

impl IndexError {
    /// Whose fault it is: the server is unreachable, or speaks another protocol or version.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoAnswer { reason, .. } if reason.fault() == Fault::Protocol => Fault::Protocol,
            Self::Refused(_) => Fault::Protocol,
            _ => Fault::Unreachable,
        }
    }

    /// Whether the index may recover by itself. A server of another kind will not.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Away(_) | Self::NoRoom(_) => true,
            Self::NoAnswer { .. } => self.fault() == Fault::Unreachable,
            _ => false,
        }
    }

    /// Whether something on this machine is wrong, and not the index.
    pub fn is_local(&self) -> bool {
        match self {
            #[cfg(feature = "dht")]
            Self::Node(_) => true,
            _ => false,
        }
    }

    /// Whether the server may speak another dialect.
    pub(super) fn may_speak_otherwise(&self) -> bool {
        match self {
            Self::NoAnswer { reason, .. } => reason.may_speak_otherwise(),
            _ => false,
        }
    }

    /// Why the connection was lost, in words that need not name the server.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unreachable(error) => error.to_string(),
            Self::NoAnswer { reason, .. } => why(reason),
            Self::NoRoom(_) => "it is full (503)".to_owned(),
            error => error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Port;

    #[test]
    fn each_error_says_whose_fault_it_is_and_whether_it_passes() {
        let server = || Endpoint::parse("vm:5", Port::MIN).unwrap();
        let no_answer = |reason| IndexError::NoAnswer {
            server: server(),
            reason,
        };
        let cut_off = ReadError::Short { got: 1, length: 2 };
        for (error, fault, is_passing) in [
            (IndexError::Away(server()), Fault::Unreachable, true),
            (IndexError::NoRoom(server()), Fault::Unreachable, true),
            (no_answer(ReadError::Closed), Fault::Unreachable, true),
            (no_answer(cut_off), Fault::Unreachable, true),
            (no_answer(ReadError::Header("TTL")), Fault::Protocol, false),
            (IndexError::Refused(400), Fault::Protocol, false),
        ] {
            assert_eq!((error.fault(), error.is_passing()), (fault, is_passing));
        }
    }

    #[test]
    fn silence_is_named_once() {
        let no_answer = |began| IndexError::NoAnswer {
            server: Endpoint::parse("vm:5", Port::MIN).unwrap(),
            reason: ReadError::TimedOut {
                time: std::time::Duration::from_secs(30),
                began,
            },
        };
        for (began, text) in [
            (false, "no answer from the index server vm:5 within 30 s"),
            (
                true,
                "no usable answer from the index server vm:5: no complete answer within 30 s",
            ),
        ] {
            assert_eq!(no_answer(began).to_string(), text);
        }
    }

    #[test]
    fn a_server_of_another_kind_is_named_and_a_broken_one_is_not() {
        for (came, expected, text) in [
            (
                "P2P-CI/1.0 400 Bad Request",
                "a P2P-DI/1.0 response",
                "this is a central index server: use --index central",
            ),
            (
                "P2P-DI/1.0 400 Bad Request",
                "a P2P-CI/1.0 response",
                "this is a registration server: use --index distributed",
            ),
            (
                "404 OPERATION UNKNOWN 0",
                "a P2P-CI/1.0 response",
                "this is the introducer of a hash table: use --index dht",
            ),
            (
                "P2P-CI/1.0 fine",
                "a P2P-CI/1.0 response",
                "it answered \"P2P-CI/1.0 fine\", which is not a P2P-CI/1.0 response",
            ),
        ] {
            let came = came.to_owned();
            assert_eq!(why(&ReadError::Malformed { came, expected }), text);
        }
    }
}
