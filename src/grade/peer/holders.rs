//! The other peers that the grader plays: two upload servers with the same documents.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::index::place;
use super::seen::{Got, Seen, What};
use crate::event::{Events, Link, Role};
use crate::net::{Connection, Server, Stop, operating_system};
use crate::program::Failure;
use crate::wire::di::Origin;
use crate::wire::p2p::Wanted;
use crate::wire::p2p::server::{Conversation, Offer};
use crate::wire::{Port, Record, RfcNumber, Status};

/// How long a request may take.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// The length of the large document, in bytes.
const LARGE: usize = 300_000;
const SMALL: usize = 2000;

/// Both holders.
#[derive(Debug)]
pub(super) struct Holders {
    shelf: Arc<Mutex<Shelf>>,
    servers: [Server; 2],
}

/// What they have.
#[derive(Debug, Default)]
struct Shelf {
    documents: Vec<Record>,
    /// The document that the next one who is asked does not have after all.
    refused_once: Option<RfcNumber>,
}

impl Holders {
    /// Listens on two free ports.
    pub(super) fn start(seen: &Seen, stop: &Stop) -> Result<Self, Failure> {
        let shelf = Arc::new(Mutex::default());
        let servers = [
            serve(Arc::clone(&shelf), seen.clone(), stop)?,
            serve(Arc::clone(&shelf), seen.clone(), stop)?,
        ];
        Ok(Self { shelf, servers })
    }

    /// The ports.
    pub(super) fn ports(&self) -> Option<[Port; 2]> {
        let [one, other] = self.servers.each_ref().map(|it| Port::new(it.port()));
        Some([one?, other?])
    }

    /// Offers a document.
    pub(super) fn offer(&self, record: Record) {
        self.shelf.lock().documents.push(record);
    }

    /// Lets the first holder that is asked for this document refuse.
    pub(super) fn refuse_once(&self, number: RfcNumber) {
        self.shelf.lock().refused_once = Some(number);
    }
}

fn serve(shelf: Arc<Mutex<Shelf>>, seen: Seen, stop: &Stop) -> Result<Server, Failure> {
    let open = place(0).listen(Role::Upload, &Events::default(), stop);
    let open = open.map_err(Failure::other)?;
    let port = Port::new(open.port());
    let session = move |connection: &mut Connection, link: Link| {
        let mut conversation = Conversation::default();
        // One that sends nothing, or noise, gets nothing.
        if let Ok(Some(received)) = conversation.next(connection, REQUEST_TIME) {
            let wanted = match received.request {
                Ok(Wanted::Document(number)) => Ok(number),
                Ok(Wanted::Index) => Err("P2P-CI has no such request between peers".to_owned()),
                Err(reject) => Err(reject.to_string()),
            };
            let number = wanted.as_ref().ok().copied();
            let got = Got {
                wanted,
                bytes: received.bytes,
                port,
            };
            if seen.add(link.id, What::Got(got)) {
                let answer = answer(&conversation, number, &shelf);
                // What came of it is seen by what the peer does next.
                let _ = connection.write_all(&answer);
            }
        }
    };
    open.serve(Vec::new(), session, || {})
        .map_err(Failure::other)
}

/// The whole answer to a GET.
fn answer(conversation: &Conversation, number: Option<RfcNumber>, shelf: &Mutex<Shelf>) -> Vec<u8> {
    let os = operating_system();
    let origin = Origin {
        date: SystemTime::now(),
        os: &os,
    };
    let codec = conversation.codec();
    let refusal = |status| codec.refusal(status, origin);
    let Some(number) = number else {
        return refusal(Status::BadRequest);
    };
    let mut shelf = shelf.lock();
    let is_refused = shelf.refused_once.take_if(|it| *it == number).is_some();
    let mut documents = shelf.documents.iter();
    let Some(record) = documents
        .find(|it| it.number == number)
        .filter(|_| !is_refused)
    else {
        return refusal(Status::NotFound);
    };
    let document = document(number);
    let offer = Offer {
        record,
        last_modified: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
        length: u64::try_from(document.len()).unwrap_or_default(),
    };
    let head = codec.head(&offer, origin, || Err(()));
    let Ok(Some(mut answer)) = head else {
        // In the other protocol and in frames it has no documents.
        return refusal(Status::NotFound);
    };
    answer.extend(document);
    answer
}

/// A document with lines ended by LF, a NUL byte, form feeds, and no line end at its end. Those
/// whose number ends with [`super::LARGE`] are large.
pub(super) fn document(number: RfcNumber) -> Vec<u8> {
    let length = if number.get() % 10 == super::LARGE {
        LARGE
    } else {
        SMALL
    };
    let mut text = format!("RFC {number}\nA NUL byte: \0\n").into_bytes();
    for line in 1.. {
        if text.len() >= length {
            break;
        }
        let page = if line % 40 == 0 { "\u{c}\n" } else { "" };
        let line = format!("Line {line} of a document that a grader has written.\n{page}");
        text.extend(line.bytes());
    }
    text.truncate(length - 1);
    text.push(b'.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_what_programs_lose() {
        let large = document(RfcNumber::new(9002).unwrap());
        assert_eq!(large.len(), LARGE);
        for byte in [0, 0x0c, b'\n'] {
            assert!(large.contains(&byte));
        }
        assert!(!large.contains(&b'\r') && large.ends_with(b"."));
        assert_eq!(document(RfcNumber::new(9003).unwrap()).len(), SMALL);
    }
}
