//! The state of a peer, for people and programs.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use chrono::{DateTime, Local};
use serde::{Deserialize, Serialize};

use super::{Counts, Standing};
use crate::index::Kind;
use crate::wire::Endpoint;

/// The state of a peer. It prints as one `name: value` a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The endpoint that others connect to.
    pub peer: Endpoint,
    /// The kind of its index.
    pub kind: Kind,
    /// The state of its index.
    pub index: Standing,
    /// How many other peers it knows of. A central index names none.
    pub peers_known: usize,
    /// How many RFCs it shares; one without a file does not count.
    pub shared: usize,
    /// The absolute path of its folder.
    pub folder: PathBuf,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// The number of its process.
    pub pid: u32,
    /// When it started.
    #[serde(with = "crate::wire::json::time")]
    pub since: SystemTime,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counts, folder) = (&self.counts, self.folder.display());
        writeln!(f, "index: {} {}", self.kind, self.index)?;
        writeln!(f, "peers known: {}", self.peers_known)?;
        writeln!(f, "shared: {} RFC(s) of {folder}", self.shared)?;
        let (number, bytes) = (counts.uploads, counts.uploaded_bytes);
        writeln!(f, "uploads: {number} ({bytes} bytes)")?;
        let (number, bytes) = (counts.downloads, counts.downloaded_bytes);
        writeln!(f, "downloads: {number} ({bytes} bytes)")?;
        writeln!(f, "pid: {}", self.pid)?;
        let since = DateTime::<Local>::from(self.since).format("%F %T");
        writeln!(f, "since: {since}")
    }
}
