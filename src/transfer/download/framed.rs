//! Downloads in frames.

use std::io::{self, Read, Write};
use std::time::SystemTime;

use super::{Announced, Body, DownloadError, Downloader};
use crate::event::Role;
use crate::net::Connection;
use crate::wire::ci::framed;
use crate::wire::ci::p2p::{Answer, Get};
use crate::wire::di::ResponseError;
use crate::wire::di::framed::{Request, Response};
use crate::wire::frame::{self, Frame, FrameError, MAX_FRAME};
use crate::wire::{Endpoint, Head, HeadError, Protocol, RfcNumber, Source, Status, Waits};

impl Downloader {
    /// Asks a holder for a document in frames.
    pub(super) fn ask_framed(
        &self,
        connection: &mut Connection,
        number: RfcNumber,
        holder: &Endpoint,
    ) -> Result<(Announced, Body), DownloadError> {
        match self.protocol {
            Protocol::Ci => {
                let get = Get {
                    number,
                    host: holder.host.clone(),
                    os: Some(self.os.to_string()),
                };
                let answer = self.exchange(connection, &framed::get(&get, holder.port))?;
                let (head, _) = Head::parse(answer.content())?;
                let Answer {
                    code,
                    length,
                    last_modified,
                } = Answer::parse(&head)?;
                if code != Status::Ok.code() {
                    return Err(DownloadError::Refused(code));
                }
                let announced = Announced {
                    length,
                    last_modified,
                    digest: None,
                };
                Ok((announced, Body::Frames(io::Cursor::default())))
            }
            Protocol::Di => {
                let request = Request::Document(number);
                let now = SystemTime::now();
                let request = request.to_frame(&holder.host, &self.os, now);
                let about = self.exchange(connection, &request)?;
                let code = Response::parse(&about)?.code;
                if code != Status::Ok.code() {
                    return Err(DownloadError::Refused(code));
                }
                let content = self.next(connection)?;
                let response = Response::parse(&content)?;
                if response.code != Status::Ok.code() {
                    return Err(DownloadError::Refused(response.code));
                }
                let bytes = response.body;
                let announced = Announced {
                    length: u64::try_from(bytes.len()).ok(),
                    last_modified: None,
                    digest: None,
                };
                Ok((announced, Body::Bytes(io::Cursor::new(bytes))))
            }
        }
    }

    fn exchange(
        &self,
        connection: &mut Connection,
        request: &Frame,
    ) -> Result<Frame, DownloadError> {
        let link = connection.link(Role::Download);
        self.events.sent(link, request.bytes());
        connection
            .write_all(request.bytes())
            .map_err(HeadError::Io)?;
        let answer = self.next(connection)?;
        self.events.received(link, answer.bytes());
        Ok(answer)
    }

    fn next(&self, connection: &mut Connection) -> Result<Frame, DownloadError> {
        let waits = Waits {
            first: Some(self.patience.min(frame::ANSWER_TIME)),
            whole: self.patience,
        };
        match frame::read(connection, waits, MAX_FRAME) {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(DownloadError::NoAnswer),
            Err(error) => Err(of_frame(error)),
        }
    }
}

fn of_frame(error: FrameError) -> DownloadError {
    match error {
        FrameError::TimedOut => HeadError::TimedOut.into(),
        FrameError::CutOff => HeadError::CutOff.into(),
        FrameError::Io(error) => HeadError::Io(error).into(),
        error @ (FrameError::NoLength(_) | FrameError::TooLong { .. }) => {
            DownloadError::Response(ResponseError::Line(error.to_string()))
        }
    }
}

/// Reads from frame after frame. Its end is that of the connection.
pub(super) fn read_frames(
    frames: &mut io::Cursor<Vec<u8>>,
    connection: &mut Connection,
    into: &mut [u8],
    patience: std::time::Duration,
) -> io::Result<usize> {
    loop {
        let read = frames.read(into)?;
        if read > 0 {
            return Ok(read);
        }
        let waits = Waits {
            first: Some(patience),
            whole: patience,
        };
        connection.allow(waits.first);
        match frame::read(connection, waits, MAX_FRAME) {
            Ok(None) => return Ok(0),
            // An empty frame brings nothing, and is the end like a close: a holder that sends nothing
            // else would hold us for ever.
            Ok(Some(frame)) if frame.content().is_empty() => return Ok(0),
            Ok(Some(frame)) => *frames = io::Cursor::new(frame.content().to_vec()),
            Err(FrameError::Io(error)) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}
