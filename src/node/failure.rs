//! How an action fails, and which exit code that is.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::file_error::FileError;
use crate::index::IndexError;
use crate::library::LibraryError;
use crate::wire::{Fault, RfcNumber};

/// How a program fails, as its exit code says. 0 is success, and 2 wrong options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 1: whatever has no code of its own.
    Other,
    /// 3: what was named is not there.
    NotFound,
    /// 4: the index server can't be reached, or is lost.
    IndexUnreachable,
    /// 5: somebody has the RFC, and nobody who has it could be reached and would deliver it.
    NoHolder,
    /// 6: the other side speaks another protocol or version, or refuses what was asked.
    Protocol,
    /// 7: what came is not the document that was announced.
    WrongBytes,
    /// 128 and the number of the signal: 130 is Ctrl-C.
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

    /// What the worst fault of the holders of a document means.
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

/// Why an action, or a program, has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What is said on standard error, where it was not said before.
    pub error: Option<String>,
    /// The exit code.
    #[serde(rename = "exit_code")]
    pub code: Code,
}

impl Failure {
    /// A failure that is still to be said.
    pub fn new(code: Code, error: impl fmt::Display) -> Self {
        Self {
            code,
            error: Some(error.to_string()),
        }
    }

    /// A failure of which the user knows already.
    pub const fn said(code: Code) -> Self {
        Self { code, error: None }
    }

    /// Nobody has an RFC.
    pub fn not_found(number: RfcNumber) -> Self {
        Self::new(Code::NotFound, format_args!("nobody has RFC {number}"))
    }

    /// Whatever has no code of its own.
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
