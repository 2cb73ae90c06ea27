//! What this peer has uploaded and downloaded since it was started: counted from events.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::event::{Event, Reader, Step, Topic, Topics};
use crate::wire::RfcNumber;

/// How many of the last uploads are remembered.
const REMEMBERED: usize = 5;

/// The counts of a peer. Clones are handles to the same ones.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<Mutex<Counts>>);

/// How much was transferred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Documents that others have downloaded, whole.
    pub uploads: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Documents that this peer has downloaded, whole.
    pub downloads: u64,
    /// Their bytes.
    pub downloaded_bytes: u64,
    /// The last uploads, the latest first.
    pub last_uploads: VecDeque<LastUpload>,
}

/// One upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUpload {
    /// What.
    pub number: RfcNumber,
    /// To whom.
    pub to: SocketAddr,
    /// When it was over.
    pub at: SystemTime,
}

impl Activity {
    /// The counts as they are now.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader for Activity {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life])
    }

    fn read(&self, event: &Event<'_>) {
        match event {
            Event::Upload {
                link,
                number,
                step: Step::Done { bytes, .. },
            } => {
                let mut counts = self.lock();
                counts.uploads += 1;
                counts.uploaded_bytes += bytes;
                counts.last_uploads.truncate(REMEMBERED - 1);
                counts.last_uploads.push_front(LastUpload {
                    number: *number,
                    to: link.remote,
                    at: SystemTime::now(),
                });
            }
            Event::Download {
                step: Step::Done { bytes, .. },
                ..
            } => {
                let mut counts = self.lock();
                counts.downloads += 1;
                counts.downloaded_bytes += bytes;
            }
            _ => {}
        }
    }
}
