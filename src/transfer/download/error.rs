//! Download errors, and whose fault they are.

use std::fmt::Display;

use super::MAX_LENGTH;
use crate::file_error::FileError;
use crate::net::ConnectError;
use crate::wire::{Fault, ReadError, Status};

/// Why a download failed. A file that was there before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The holder's answer can't be used. Another holder may deliver.
    #[error(transparent)]
    Answer(#[from] ReadError),
    /// The holder failed for another reason. Another holder may deliver.
    #[error("{why}")]
    Holder {
        /// Whose fault it is.
        fault: Fault,
        /// The reason.
        why: String,
    },
    /// The local folder failed, so another holder would not help.
    #[error(transparent)]
    Folder(#[from] FileError),
    /// The program is about to end.
    #[error("interrupted")]
    Interrupted,
}

impl From<ConnectError> for DownloadError {
    fn from(error: ConnectError) -> Self {
        Self::holder(Fault::Unreachable, error)
    }
}

impl DownloadError {
    pub(super) fn holder(fault: Fault, why: impl Display) -> Self {
        let why = why.to_string();
        Self::Holder { fault, why }
    }

    pub(super) fn refused(code: u16) -> Self {
        let passing = [Status::NotFound.code(), Status::ServiceUnavailable.code()];
        let fault = if passing.contains(&code) {
            Fault::Unreachable
        } else {
            Fault::Protocol
        };
        Self::holder(fault, format_args!("it answered with code {code}"))
    }

    pub(super) fn bare() -> Self {
        let why =
            "it sent bytes without a status line; if they are the file, --accept-bare takes it";
        Self::holder(Fault::Protocol, why)
    }

    pub(super) fn too_long() -> Self {
        let most = MAX_LENGTH / 1024 / 1024;
        let why = format_args!("the file is longer than {most} MiB");
        Self::holder(Fault::WrongBytes, why)
    }

    pub(super) fn may_speak_otherwise(&self) -> bool {
        matches!(self, Self::Answer(error) if error.may_speak_otherwise())
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            // An answer without a complete head is a protocol error.
            Self::Answer(ReadError::CutOff) => Fault::Protocol,
            Self::Answer(error) => error.fault(),
            Self::Holder { fault, .. } => *fault,
            Self::Folder(_) | Self::Interrupted => Fault::Unreachable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_fault() {
        for (code, fault) in [
            (404, Fault::Unreachable),
            (503, Fault::Unreachable),
            (400, Fault::Protocol),
            (403, Fault::Protocol),
            (505, Fault::Protocol),
        ] {
            let error = DownloadError::refused(code);
            assert_eq!(error.fault(), fault, "{error}");
            assert_eq!(error.to_string(), format!("it answered with code {code}"));
        }
        let cut_off = DownloadError::from(ReadError::CutOff);
        assert_eq!(cut_off.fault(), Fault::Protocol);
        assert_eq!(DownloadError::too_long().fault(), Fault::WrongBytes);
    }
}
