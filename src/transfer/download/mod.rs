//! Downloading: GET from another peer into the library.

mod framed;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::event::{Event, Events, Role, Step, Topic};
use crate::file_error::FileError;
use crate::library::{Incoming, Library};
use crate::net::{ConnectError, Connection, Dialects, Sockets, connect};
use crate::wire::ci::p2p::{Answer, AnswerError, Get};
use crate::wire::di::exchange::{self, Digest, Wanted, announced_digest};
use crate::wire::di::{self, Response};
use crate::wire::frame::Dialect;
use crate::wire::{Endpoint, Head, HeadError, Protocol, RfcNumber, Source, Status, Waits};

/// How long connecting to a holder may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a holder may take to answer, and how long it may pause in the file.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// The longest file that is taken, in bytes: no holder can fill the disk with one answer.
const MAX_LENGTH: u64 = 1024 * 1024 * 1024;
/// How much of a file is read at once.
const PIECE: usize = 256 * 1024;

/// Gets documents from other peers.
#[derive(Debug)]
pub struct Downloader {
    /// Where they are kept.
    pub library: Arc<Library>,
    sockets: Sockets,
    events: Events,
    os: Arc<str>,
    protocol: Protocol,
    dialects: Dialects,
    /// How long a holder may take to answer, and how long it may pause in the file.
    patience: Duration,
}

/// Why a holder did not deliver. The file that was there before, if any, is untouched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// There is no way to the holder.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The holder answered that it does not deliver.
    #[error("it answers with code {0}")]
    Refused(u16),
    /// The holder closed the connection without an answer: it does not have the RFC.
    #[error("it closed the connection without an answer")]
    NoAnswer,
    /// The answer is none of this protocol.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The head of the answer can't be read.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The file is longer than we take.
    #[error("the file is longer than {} MiB", MAX_LENGTH / 1024 / 1024)]
    TooLong,
    /// The connection ended before the file did.
    #[error("it sent {got} of {length} bytes")]
    CutOff {
        /// How many bytes came.
        got: u64,
        /// How many were announced.
        length: u64,
    },
    /// The connection failed in the middle of the file.
    #[error("the connection failed after {got} bytes: {reason}")]
    Lost {
        /// How many bytes came.
        got: u64,
        /// How it failed.
        reason: io::Error,
    },
    /// The answer is no P2P-DI response.
    #[error(transparent)]
    Response(#[from] di::ResponseError),
    /// The bytes are not those that were announced.
    #[error("its bytes have the SHA-256 {got}, and it announced {announced}")]
    Digest {
        /// What came.
        got: Digest,
        /// What was announced.
        announced: Digest,
    },
    /// Our own folder is at fault: another holder would not help.
    #[error(transparent)]
    Library(#[from] FileError),
}

/// What kind of failure a download has met, from the mildest to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The holder is not there, or does not deliver.
    Unreachable,
    /// It speaks another protocol or version.
    Protocol,
    /// What it sent is not what it announced.
    WrongBytes,
}

impl DownloadError {
    /// Whether the holder may have meant something else: it closed, or answered nonsense.
    fn is_nonsense(&self) -> bool {
        let is_reset = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
        match self {
            Self::NoAnswer | Self::Answer(AnswerError::NoStatusLine(_)) => true,
            Self::Head(error) => match error {
                HeadError::Io(error) => is_reset(error),
                HeadError::TimedOut | HeadError::CutOff => false,
                _ => true,
            },
            Self::Response(error) => error.is_nonsense(),
            _ => false,
        }
    }

    /// What kind of failure this is.
    pub fn fault(&self) -> Fault {
        let passing = [Status::NotFound.code(), Status::ServiceUnavailable.code()];
        match self {
            Self::Refused(code) if passing.contains(code) => Fault::Unreachable,
            Self::Connect(_)
            | Self::NoAnswer
            | Self::Library(_)
            | Self::Head(HeadError::Io(_) | HeadError::TimedOut)
            | Self::Response(
                di::ResponseError::Closed
                | di::ResponseError::Head(HeadError::Io(_) | HeadError::TimedOut),
            ) => Fault::Unreachable,
            Self::Refused(_) | Self::Answer(_) | Self::Head(_) | Self::Response(_) => {
                Fault::Protocol
            }
            Self::Digest { .. } | Self::TooLong | Self::CutOff { .. } | Self::Lost { .. } => {
                Fault::WrongBytes
            }
        }
    }
}

/// What the head of an answer says of the document that follows.
struct Announced {
    /// Without it the document goes on up to the close.
    length: Option<u64>,
    last_modified: Option<SystemTime>,
    digest: Option<Digest>,
}

/// How many downloads were begun in this program: the number of each is one of its own.
static STARTED: AtomicU64 = AtomicU64::new(1);

/// One download, whose steps are told.
#[derive(Clone, Copy)]
struct Course<'a> {
    events: &'a Events,
    id: u64,
    number: RfcNumber,
    holder: &'a Endpoint,
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

/// Where the bytes of a document come from.
enum Body {
    /// The rest of the connection.
    Stream,
    /// The frames that come on the connection; what is left of the last one.
    Frames(io::Cursor<Vec<u8>>),
    /// They came with the answer.
    Bytes(io::Cursor<Vec<u8>>),
}

impl Body {
    fn read(
        &mut self,
        connection: &mut Connection,
        into: &mut [u8],
        patience: Duration,
    ) -> io::Result<usize> {
        match self {
            Self::Stream => {
                connection.allow(Some(patience));
                connection.read(into)
            }
            Self::Frames(frames) => framed::read_frames(frames, connection, into, patience),
            Self::Bytes(bytes) => bytes.read(into),
        }
    }
}

impl Downloader {
    /// Downloads will be kept in `library`, and told to `events`. `sockets` hold their connections,
    /// so that they can be cut off, and `os` is the `OS` header of the requests.
    pub fn new(library: Arc<Library>, sockets: Sockets, events: Events, os: Arc<str>) -> Self {
        Self {
            library,
            sockets,
            events,
            os,
            protocol: Protocol::Ci,
            dialects: Dialects::default(),
            patience: ANSWER_TIME,
        }
    }

    /// The same, in another protocol and in the dialects of others.
    #[must_use]
    pub fn speaking(self, protocol: Protocol, dialects: Dialects) -> Self {
        Self {
            protocol,
            dialects,
            ..self
        }
    }

    /// Whether the program is about to end.
    pub fn is_closing(&self) -> bool {
        self.sockets.is_closing()
    }

    /// Gets one document from one holder into the file that `begin` opens once the holder begins
    /// to deliver. Returns where it is, and how many bytes it has.
    ///
    /// # Errors
    /// [`DownloadError`], and then all files are as they were before.
    pub fn download(
        &self,
        number: RfcNumber,
        holder: &Endpoint,
        begin: impl Fn() -> Result<Incoming, FileError>,
    ) -> Result<(PathBuf, u64), DownloadError> {
        let course = Course {
            events: &self.events,
            id: STARTED.fetch_add(1, Ordering::Relaxed),
            number,
            holder,
        };
        course.tell(Topic::Life, || Step::Connecting);
        let ended = self.follow(course, begin);
        course.tell(Topic::Life, || match &ended {
            Ok((path, bytes)) => Step::Done {
                bytes: *bytes,
                path: Some(path),
            },
            Err(DownloadError::Library(_)) => Step::GivenUp,
            // It was us who closed the connection.
            Err(_) if self.is_closing() => Step::GivenUp,
            Err(error) => Step::Failed {
                why: error.to_string().into(),
            },
        });
        ended
    }

    fn follow(
        &self,
        course: Course<'_>,
        begin: impl Fn() -> Result<Incoming, FileError>,
    ) -> Result<(PathBuf, u64), DownloadError> {
        let Course { number, holder, .. } = course;
        let (mut connection, announced, mut body) =
            self.dialects
                .try_each(holder, DownloadError::is_nonsense, |dialect| {
                    let mut connection = connect(&self.sockets, holder, CONNECT_TIME)?;
                    let (announced, body) = match dialect {
                        Dialect::Text => self.ask(&mut connection, number, holder)?,
                        Dialect::Framed => self.ask_framed(&mut connection, number, holder)?,
                    };
                    Ok((connection, announced, body))
                })?;
        if announced.length.is_some_and(|length| length > MAX_LENGTH) {
            return Err(DownloadError::TooLong);
        }
        let mut incoming = begin()?;
        let length = announced.length;
        course.tell(Topic::Life, || Step::Began { length });
        let (got, digest) =
            self.receive(&mut connection, &mut body, length, &mut incoming, course)?;
        if let Some(announced) = announced.digest
            && announced != digest
        {
            let got = digest;
            return Err(DownloadError::Digest { got, announced });
        }
        let path = incoming.keep(announced.last_modified)?;
        Ok((path, got))
    }

    /// Asks a holder for a document in text.
    fn ask(
        &self,
        connection: &mut Connection,
        number: RfcNumber,
        holder: &Endpoint,
    ) -> Result<(Announced, Body), DownloadError> {
        let request = self.request(number, holder);
        let link = connection.link(Role::Download);
        self.events.sent(link, &request);
        connection.write_all(&request).map_err(HeadError::Io)?;

        let waits = Waits {
            first: Some(self.patience),
            whole: self.patience,
        };
        let head = Head::read_response(connection, waits)?.ok_or(DownloadError::NoAnswer)?;
        self.events.received(link, head.text());
        Ok((self.answer(head)?, Body::Stream))
    }

    fn request(&self, number: RfcNumber, holder: &Endpoint) -> Vec<u8> {
        let host = holder.host.clone();
        match self.protocol {
            Protocol::Ci => Get {
                number,
                host,
                os: Some(self.os.to_string()),
            }
            .to_bytes(),
            Protocol::Di => exchange::Get {
                wanted: Wanted::Document(number),
                host,
            }
            .to_bytes(&self.os),
        }
    }

    /// What the head of an answer announces, where it announces a document.
    fn answer(&self, head: Head) -> Result<Announced, DownloadError> {
        let is_whole = head.is_whole();
        let (code, announced) = match self.protocol {
            Protocol::Ci => {
                let answer = Answer::parse(&head)?;
                let announced = Announced {
                    length: answer.length,
                    last_modified: answer.last_modified,
                    digest: None,
                };
                (answer.code, announced)
            }
            Protocol::Di => {
                let response = Response::parse(head)?;
                let announced = Announced {
                    length: response.length,
                    last_modified: response.last_modified(),
                    digest: announced_digest(&response.head).map_err(di::ResponseError::from)?,
                };
                (response.code, announced)
            }
        };
        if code != Status::Ok.code() {
            return Err(DownloadError::Refused(code));
        }
        if !is_whole {
            return Err(HeadError::CutOff.into());
        }
        Ok(announced)
    }

    /// Takes exactly `length` bytes, or all up to the close where no length was announced.
    fn receive(
        &self,
        connection: &mut Connection,
        body: &mut Body,
        length: Option<u64>,
        incoming: &mut Incoming,
        course: Course<'_>,
    ) -> Result<(u64, Digest), DownloadError> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; PIECE];
        let mut got = 0;
        while length.is_none_or(|length| got < length) {
            let left = length.map_or(u64::MAX, |length| length - got);
            let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let into = buffer.get_mut(..piece).unwrap_or_default();
            let read = body.read(connection, into, self.patience);
            let read = read.map_err(|reason| DownloadError::Lost { got, reason })?;
            if read == 0 {
                return match length {
                    Some(length) => Err(DownloadError::CutOff { got, length }),
                    None => Ok((got, Digest::from(<[u8; 32]>::from(hash.finalize())))),
                };
            }
            let piece = buffer.get(..read).unwrap_or_default();
            // P2P-CI announces no digest, and its downloads need not pay for one.
            if self.protocol == Protocol::Di {
                hash.update(piece);
            }
            incoming.write(piece)?;
            let read = u64::try_from(read).unwrap_or_default();
            course.tell(Topic::Progress, || Step::Moved(read));
            got += read;
            if got > MAX_LENGTH {
                return Err(DownloadError::TooLong);
            }
        }
        Ok((got, Digest::from(<[u8; 32]>::from(hash.finalize()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Port;
    use std::net::{IpAddr, TcpListener};

    /// Asks a holder that sends `answer` and then nothing more, and does not close.
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
        let downloader = Downloader {
            patience: Duration::from_millis(100),
            ..Downloader::new(
                Arc::new(Library::open(folder.path(), None, Events::default()).unwrap()),
                Sockets::default(),
                Events::default(),
                "Test".into(),
            )
        };
        let endpoint = Endpoint {
            host: IpAddr::from([127, 0, 0, 1]).into(),
            port,
        };
        let number = "7".parse().unwrap();
        let error = downloader
            .download(number, &endpoint, || {
                downloader.library.receive(number, true)
            })
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
        for answer in [
            "",
            "P2P-CI/1.0 200 OK\r\n",
            "P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n",
        ] {
            let error = ask_silent(answer);
            assert!(
                matches!(error, DownloadError::Head(HeadError::TimedOut)),
                "{answer:?}: {error}"
            );
        }
        let error = ask_silent("P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nha");
        assert!(
            matches!(error, DownloadError::Lost { got: 2, .. }),
            "{error}"
        );
        let error = ask_silent("P2P-CI/1.0 200 OK\r\n\r\nno length");
        assert!(
            matches!(error, DownloadError::Lost { got: 9, .. }),
            "{error}"
        );
    }
}
