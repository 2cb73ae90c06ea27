//! Downloads a document from another peer into a file.

mod ask;
mod error;

pub use error::DownloadError;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::event::{Event, Events, Level, Step, Topic};
use crate::file_error::FileError;
use crate::library::Incoming;
use crate::net::{Connection, Dialects, Ports, Sockets};
use crate::wire::di::exchange::Digest;
use crate::wire::p2p::Codec;
use crate::wire::p2p::client::Delivery;
use crate::wire::{Endpoint, Fault, Protocol, RfcNumber};

/// How long connecting to a holder may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a holder may take to answer, or pause within the file.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest file accepted, in bytes: no holder can fill the disk with one answer.
const MAX_LENGTH: u64 = 1024 * 1024 * 1024;
/// The size of the read buffer, in bytes.
const PIECE: usize = 256 * 1024;

/// Downloads documents from other peers.
#[derive(Debug, Clone)]
pub struct Downloader {
    /// The connections to holders. Closing them aborts the downloads.
    pub sockets: Sockets,
    /// The ports that holders may have.
    pub ports: Ports,
    /// Those who want to know what happens.
    pub events: Events,
    /// The `OS` header of our requests.
    pub os: Arc<str>,
    /// The protocol of our requests,
    pub protocol: Protocol,
    /// and the dialects of holders.
    pub dialects: Dialects,
}

/// A document that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its path.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Counts the downloads of this program, to number them.
static STARTED: AtomicU64 = AtomicU64::new(1);

/// One download, which reports its steps.
#[derive(Clone, Copy)]
struct Course<'a> {
    events: &'a Events,
    id: u64,
    number: RfcNumber,
    holder: &'a Endpoint,
    /// Whether a document without a head is taken.
    takes_bare: bool,
    /// How long the holder may take to answer, or pause within the file.
    patience: Duration,
}

impl Course<'_> {
    fn tell<'a>(&'a self, topic: Topic, step: impl FnOnce() -> Step<'a>) {
        self.events.tell(topic, || Event::Download {
            id: self.id,
            number: self.number,
            holder: self.holder,
            step: step(),
        });
    }
}

impl Downloader {
    /// Downloads one document from one holder into the file that `begin` opens once the transfer
    /// begins. `takes_bare`: a document without a head is taken too, although nothing says that it is
    /// whole.
    pub fn download(
        &self,
        number: RfcNumber,
        holder: &Endpoint,
        takes_bare: bool,
        begin: impl FnOnce() -> Result<Incoming, FileError>,
    ) -> Result<Fetched, DownloadError> {
        self.download_within(PATIENCE, number, holder, takes_bare, begin)
    }

    fn download_within(
        &self,
        patience: Duration,
        number: RfcNumber,
        holder: &Endpoint,
        takes_bare: bool,
        begin: impl FnOnce() -> Result<Incoming, FileError>,
    ) -> Result<Fetched, DownloadError> {
        let course = Course {
            events: &self.events,
            id: STARTED.fetch_add(1, Ordering::Relaxed),
            number,
            holder,
            takes_bare,
            patience,
        };
        course.tell(Topic::Life, || Step::Connecting);
        let ended = self.follow(course, begin).map_err(|error| match error {
            DownloadError::Folder(_) => error,
            // We closed the connection ourselves.
            _ if self.sockets.is_closing() => DownloadError::Interrupted,
            _ => error,
        });
        course.tell(Topic::Life, || match &ended {
            Ok(Fetched { path, bytes }) => Step::Done {
                bytes: *bytes,
                path: Some(path),
            },
            Err(DownloadError::Folder(_) | DownloadError::Interrupted) => Step::GivenUp,
            Err(error) => Step::Failed {
                why: error.to_string().into(),
            },
        });
        ended
    }

    fn follow(
        &self,
        course: Course<'_>,
        begin: impl FnOnce() -> Result<Incoming, FileError>,
    ) -> Result<Fetched, DownloadError> {
        let Self {
            dialects, protocol, ..
        } = self;
        let may_speak_otherwise = DownloadError::may_speak_otherwise;
        let mut in_frames = None;
        let (mut connection, mut delivery) =
            dialects.try_each(course.holder, may_speak_otherwise, |dialect| {
                let (connection, answer) = match in_frames.take() {
                    Some(answered) => answered,
                    None => self.ask(Codec::new(*protocol, dialect), course, &mut in_frames)?,
                };
                Ok((connection, answer.map_err(DownloadError::refused)?))
            })?;
        if delivery.is_bare && !course.takes_bare {
            return Err(DownloadError::bare());
        }
        let length = delivery.length;
        if length.is_some_and(|length| length > MAX_LENGTH) {
            return Err(DownloadError::too_long());
        }
        let mut incoming = begin()?;
        course.tell(Topic::Life, || Step::Began { length });
        let bytes = receive(&mut connection, &mut delivery, &mut incoming, course)?;
        let path = incoming.keep(delivery.last_modified)?;
        if delivery.is_bare {
            let Course { number, holder, .. } = course;
            let what = format_args!(
                "{holder} sent RFC {number} without a head: its {bytes} bytes may not be all of it"
            );
            self.events.notice(Level::Warning, what);
        }
        Ok(Fetched { path, bytes })
    }
}

/// Receives all bytes of a document, checks them, and returns their number.
fn receive(
    connection: &mut Connection,
    delivery: &mut Delivery,
    incoming: &mut Incoming,
    course: Course<'_>,
) -> Result<u64, DownloadError> {
    // Without an announced digest, none is computed.
    let mut hash = delivery.digest.map(|announced| (announced, Sha256::new()));
    let mut buffer = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        let read = delivery.read(connection, &mut buffer, course.patience)?;
        if read == 0 {
            break;
        }
        let piece = buffer.get(..read).unwrap_or_default();
        if let Some((_, hash)) = &mut hash {
            hash.update(piece);
        }
        incoming.write(piece)?;
        let read = u64::try_from(read).unwrap_or_default();
        course.tell(Topic::Progress, || Step::Moved(read));
        bytes += read;
        if bytes > MAX_LENGTH {
            return Err(DownloadError::too_long());
        }
    }
    let first_line = delivery.first_line();
    if !first_line.is_empty() {
        incoming.prepend(first_line)?;
        bytes += u64::try_from(first_line.len()).unwrap_or_default();
    }
    if let Some((announced, hash)) = hash {
        let got = Digest(hash.finalize().into());
        if got != announced {
            let why = format_args!("SHA-256 mismatch: got {got}, expected {announced}");
            return Err(DownloadError::holder(Fault::WrongBytes, why));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;
    use crate::wire::{Port, ReadError};
    use std::io::Write;
    use std::net::{IpAddr, TcpListener};

    /// Requests a document from a holder that sends `answer`, then falls silent without closing.
    fn ask_silent(answer: &'static str) -> DownloadError {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port::new(listener.local_addr().unwrap().port()).unwrap();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            let _ = wait.recv();
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rfc7.txt"), "old").unwrap();
        let library = Library::open(folder.path(), None, None, Events::default()).unwrap();
        let downloader = Downloader {
            sockets: Sockets::default(),
            ports: Ports::default(),
            events: Events::default(),
            os: "Test".into(),
            protocol: Protocol::Ci,
            dialects: Dialects::default(),
        };
        let endpoint = Endpoint {
            host: IpAddr::from([127, 0, 0, 1]).into(),
            port,
        };
        let number = "7".parse().unwrap();
        let begin = || library.receive(number, true);
        let patience = Duration::from_millis(100);
        let error = downloader
            .download_within(patience, number, &endpoint, false, begin)
            .unwrap_err();
        drop(done);
        holder.join().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(
            std::fs::read_to_string(folder.path().join("rfc7.txt")).unwrap(),
            "old"
        );
        error
    }

    #[test]
    fn a_holder_that_falls_silent_is_given_up() {
        for (answer, has_begun) in [
            ("", false),
            ("P2P-CI/1.0 200 OK\r\n", true),
            ("P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n", true),
        ] {
            let error = ask_silent(answer);
            assert!(
                matches!(error, DownloadError::Answer(ReadError::TimedOut { began, .. }) if began == has_begun),
                "{answer:?}: {error}"
            );
            assert_eq!(error.fault(), Fault::Unreachable);
        }
        for (answer, bytes) in [
            ("P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nha", 2),
            ("P2P-CI/1.0 200 OK\r\n\r\nno length", 9),
        ] {
            let error = ask_silent(answer);
            assert!(
                matches!(error, DownloadError::Answer(ReadError::Lost { got, .. }) if got == bytes),
                "{answer:?}: {error}"
            );
            assert_eq!(error.fault(), Fault::WrongBytes);
        }
    }
}
