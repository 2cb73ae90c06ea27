//! Failures and their exit codes.

use std::{fmt, io};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::file_error::FileError;
use crate::index::{IndexError, Kind};
use crate::library::LibraryError;
use crate::net::ConnectError;
use crate::wire::{Endpoint, Fault, RfcNumber};

/// The exit code of a failure. 0 means success, and 2 wrong options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 1: any other failure.
    Other,
    /// 3: the named document does not exist.
    NotFound,
    /// 4: the index server is unreachable, or the connection to it was lost.
    IndexUnreachable,
    /// 5: peers have the RFC, but none of them could deliver it.
    NoHolder,
    /// 6: the other side uses another protocol or version, or refused the request.
    Protocol,
    /// 7: the received file does not match the announced one.
    WrongBytes,
    /// 8: not all checks of a graded program hold.
    ChecksFailed,
    /// 128 plus the signal number: 130 for Ctrl-C.
    Interrupted(u8),
}

impl Code {
    /// The code as a number.
    pub const fn get(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::NotFound => 3,
            Self::IndexUnreachable => 4,
            Self::NoHolder => 5,
            Self::Protocol => 6,
            Self::WrongBytes => 7,
            Self::ChecksFailed => 8,
            Self::Interrupted(signal) => 128_u8.saturating_add(signal),
        }
    }

    /// The code with this number.
    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Other,
            3 => Self::NotFound,
            4 => Self::IndexUnreachable,
            5 => Self::NoHolder,
            6 => Self::Protocol,
            7 => Self::WrongBytes,
            8 => Self::ChecksFailed,
            128.. => Self::Interrupted(number - 128),
            _ => return None,
        })
    }

    /// The code for the worst fault of all holders.
    pub(super) const fn of_holders(fault: Fault) -> Self {
        match fault {
            Fault::Unreachable => Self::NoHolder,
            Fault::Protocol => Self::Protocol,
            Fault::WrongBytes => Self::WrongBytes,
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.get())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Self::of(number).ok_or_else(|| D::Error::custom("unknown exit code"))
    }
}

/// Why an action or a program failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The message for standard error; `None` if the user has already seen it.
    pub error: Option<String>,
    /// The exit code.
    #[serde(rename = "exit_code")]
    pub code: Code,
}

impl Failure {
    /// A failure that still has to be reported.
    pub fn new(code: Code, error: impl fmt::Display) -> Self {
        Self {
            code,
            error: Some(error.to_string()),
        }
    }

    /// A failure that was already reported.
    pub const fn reported(code: Code) -> Self {
        Self { code, error: None }
    }

    /// No peer has the RFC.
    pub fn not_found(number: RfcNumber) -> Self {
        Self::new(Code::NotFound, format_args!("nobody has RFC {number}"))
    }

    /// An index could not be joined. Where no server listens, it says how to start one.
    pub(super) fn not_joined(error: IndexError, kind: Kind, server: &Endpoint) -> Self {
        let nobody_listens = matches!(
            &error,
            IndexError::Unreachable(ConnectError::Unreachable { reason, .. })
                if reason.kind() == io::ErrorKind::ConnectionRefused
        );
        let mut failure = Self::from(error);
        if nobody_listens && let Some(text) = &mut failure.error {
            let index = Some(kind).filter(|kind| *kind != Kind::Central);
            let index = index.map_or_else(String::new, |kind| format!(" --index {kind}"));
            let port = Some(server.port).filter(|port| *port != kind.port());
            let port = port.map_or_else(String::new, |port| format!(" --port {port}"));
            *text = format!("{text}; start one with: server{index}{port}");
        }
        failure
    }

    /// A failure without a code of its own.
    pub fn other(error: impl fmt::Display) -> Self {
        Self::new(Code::Other, error)
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        let code = match error.fault() {
            _ if error.is_local() => Code::Other,
            Fault::Unreachable => Code::IndexUnreachable,
            Fault::Protocol | Fault::WrongBytes => Code::Protocol,
        };
        Self::new(code, error)
    }
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::Missing(_) => {
                Self::new(Code::NotFound, format_args!("not found: {error}"))
            }
            LibraryError::File(error) => error.into(),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::other(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => f.write_str(error),
            None => write!(f, "exit code {}", self.code.get()),
        }
    }
}
