//! Failures of actions, and their exit codes.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::file_error::FileError;
use crate::index::IndexError;
use crate::library::LibraryError;
use crate::wire::{Fault, RfcNumber};

/// The exit codes for failures. 0 is success, and 2 is wrong options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 1: any other failure.
    Other,
    /// 3: the named document does not exist.
    NotFound,
    /// 4: the index server can't be reached, or the connection to it is lost.
    IndexUnreachable,
    /// 5: peers have the RFC, but none of them could be reached and would deliver it.
    NoHolder,
    /// 6: the other side speaks another protocol or version, or refused the request.
    Protocol,
    /// 7: the received file is not the announced document.
    WrongBytes,
    /// 128 plus the number of the signal: 130 is Ctrl-C.
    Interrupted(u8),
}

impl Code {
    /// The exit code.
    pub const fn get(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::NotFound => 3,
            Self::IndexUnreachable => 4,
            Self::NoHolder => 5,
            Self::Protocol => 6,
            Self::WrongBytes => 7,
            Self::Interrupted(signal) => 128_u8.saturating_add(signal),
        }
    }

    /// The code for the worst fault of the holders of a document.
    pub(super) const fn of_holders(fault: Fault) -> Self {
        match fault {
            Fault::Unreachable => Self::NoHolder,
            Fault::Protocol => Self::Protocol,
            Fault::WrongBytes => Self::WrongBytes,
        }
    }
}

/// The number.
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.get())
    }
}

/// Why an action or a program failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The message for standard error, unless it was already printed.
    pub error: Option<String>,
    /// The exit code.
    #[serde(rename = "exit_code")]
    pub code: Code,
}

impl Failure {
    /// A failure that still needs to be reported.
    pub fn new(code: Code, error: impl fmt::Display) -> Self {
        Self {
            code,
            error: Some(error.to_string()),
        }
    }

    /// A failure that the user has already been told about.
    pub const fn said(code: Code) -> Self {
        Self { code, error: None }
    }

    /// Nobody has an RFC.
    pub fn not_found(number: RfcNumber) -> Self {
        Self::new(Code::NotFound, format_args!("nobody has RFC {number}"))
    }

    /// Any failure without its own code.
    pub fn other(error: impl fmt::Display) -> Self {
        Self::new(Code::Other, error)
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        let code = match error.fault() {
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
            None => write!(f, "ended with {}", self.code.get()),
        }
    }
}
