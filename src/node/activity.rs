//! Counts uploads and downloads since the start, from events.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::event::{Event, Reader, Step, Topic, Topics};
use crate::wire::RfcNumber;

/// How many recent uploads to remember.
const REMEMBERED: usize = 5;

/// The counts of a peer. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Activity(Arc<Mutex<Counts>>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Completed uploads.
    pub(crate) uploads: u64,
    pub(crate) uploaded_bytes: u64,
    /// Completed downloads.
    pub(crate) downloads: u64,
    pub(crate) downloaded_bytes: u64,
    /// The latest first.
    pub(crate) last_uploads: VecDeque<LastUpload>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastUpload {
    pub(crate) number: RfcNumber,
    pub(crate) to: SocketAddr,
    /// When it ended.
    #[serde(with = "crate::wire::json::time")]
    pub(crate) at: SystemTime,
}

impl Activity {
    pub(crate) fn counts(&self) -> Counts {
        self.0.lock().clone()
    }
}

impl Reader for Activity {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life])
    }

    fn read(&self, event: &Event<'_>) {
        let mut counts = self.0.lock();
        match event {
            Event::Upload {
                link,
                number,
                step: Step::Done { bytes, .. },
            } => {
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
                counts.downloads += 1;
                counts.downloaded_bytes += bytes;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::link;
    use crate::event::{Events, Role};
    use crate::wire::{Endpoint, Port};

    #[test]
    fn completed_transfers_are_counted_and_the_last_uploads_remembered() {
        let activity = Activity::default();
        let events = Events::default().and(activity.clone());
        let upload = |number, step| {
            events.tell(Topic::Life, || Event::Upload {
                link: link(Role::Upload),
                number: RfcNumber::new(number).unwrap(),
                step,
            });
        };
        let failed = || Step::Failed { why: "gone".into() };
        let done = || Step::Done {
            bytes: 10,
            path: None,
        };
        for number in 1..=7 {
            upload(number, Step::Began { length: Some(10) });
            upload(number, if number == 6 { failed() } else { done() });
        }
        let holder = Endpoint::parse("vm:5", Port::MIN).unwrap();
        for step in [done(), failed(), Step::GivenUp] {
            events.tell(Topic::Life, || Event::Download {
                id: 1,
                number: "1".parse().unwrap(),
                holder: &holder,
                step,
            });
        }
        let counts = activity.counts();
        assert_eq!((counts.uploads, counts.uploaded_bytes), (6, 60));
        assert_eq!((counts.downloads, counts.downloaded_bytes), (1, 10));
        let last: Vec<_> = counts
            .last_uploads
            .iter()
            .map(|last| last.number.get())
            .collect();
        assert_eq!(last, [7, 5, 4, 3, 2]);
        assert_eq!(counts.last_uploads[0].to, link(Role::Upload).remote);
    }
}
