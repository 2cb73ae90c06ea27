//! Asks a holder for a document, and reads the answer up to its bytes.

use std::io::Write;
use std::time::SystemTime;

use super::{CONNECT_TIME, Course, DownloadError, Downloader};
use crate::event::{Event, Role, Topic};
use crate::net::{Connection, connect_to_peer};
use crate::wire::di::Origin;
use crate::wire::p2p::Codec;
use crate::wire::p2p::client::Delivery;
use crate::wire::tolerance::{line_ends, silence};
use crate::wire::{Dialect, ReadError, Source, Tee};

/// The answer of a holder: the document, or the code of a refusal.
type Asked = (Connection, Result<Delivery, u16>);

impl Downloader {
    /// Requests a document; its bytes come next. A holder that does not understand the line ends is
    /// asked again with others. What a silent holder answers in frames is put into `in_frames`.
    pub(super) fn ask(
        &self,
        codec: Codec,
        course: Course<'_>,
        in_frames: &mut Option<Asked>,
    ) -> Result<Asked, DownloadError> {
        let Self { dialects, .. } = self;
        let request = self.request(codec, course);
        if codec.dialect() == Dialect::Text && dialects.has_lf(course.holder) {
            return self.exchange(codec, course, &line_ends::with_lf(request), in_frames);
        }
        let (connection, answer) = self.exchange(codec, course, &request, in_frames)?;
        match answer {
            Err(code) if line_ends::may_want_lf(codec.dialect(), code) => {}
            answer => return Ok((connection, answer)),
        }
        let request = line_ends::with_lf(request);
        let (connection, answer) = self.exchange(codec, course, &request, in_frames)?;
        if answer.is_ok() {
            dialects.learn_lf(course.holder);
        }
        Ok((connection, answer))
    }

    fn request(&self, codec: Codec, course: Course<'_>) -> Vec<u8> {
        let origin = Origin {
            date: SystemTime::now(),
            os: &self.os,
        };
        codec.get(course.number, course.holder, origin)
    }

    /// Sends a request on a new connection, and reads the answer up to the bytes of the document.
    fn exchange(
        &self,
        codec: Codec,
        course: Course<'_>,
        request: &[u8],
        in_frames: &mut Option<Asked>,
    ) -> Result<Asked, DownloadError> {
        let mut connection = self.send(course, request)?;
        if codec.dialect() == Dialect::Text && self.dialects.is_open(course.holder) {
            *in_frames = self.ask_beside(&mut connection, course)?;
            if in_frames.is_some() {
                return Err(ReadError::OnlyFrames.into());
            }
        }
        let answer = self.read(codec, course, &mut connection)?;
        Ok((connection, answer))
    }

    fn send(&self, course: Course<'_>, request: &[u8]) -> Result<Connection, DownloadError> {
        let mut connection =
            connect_to_peer(&self.sockets, course.holder, self.ports, CONNECT_TIME)?;
        let link = connection.link(Role::Download);
        self.events.dialed(link, course.holder);
        self.events.sent(link, request);
        connection.write_all(request).map_err(ReadError::Io)?;
        connection.flush().map_err(ReadError::Io)?;
        Ok(connection)
    }

    fn read(
        &self,
        codec: Codec,
        course: Course<'_>,
        connection: &mut Connection,
    ) -> Result<Result<Delivery, u16>, DownloadError> {
        let link = connection.link(Role::Download);
        let mut tee = Tee::of(connection);
        let answered = match codec.read_delivery(&mut tee, course.number, course.patience) {
            Ok(answered) => answered,
            Err(error) => {
                self.events.not_understood(link, &tee.arrived());
                return Err(error.into());
            }
        };
        if !answered.bytes.is_empty() {
            self.events.received(link, &answered.bytes);
        }
        Ok(answered.answer?)
    }

    /// Asks a holder that is silent in text in frames too, on a second connection. `None`: it answers
    /// in text, or not in frames.
    fn ask_beside(
        &self,
        text: &mut Connection,
        course: Course<'_>,
    ) -> Result<Option<Asked>, DownloadError> {
        text.allow(Some(course.patience));
        let came = text.arrives_within(silence::PATIENCE);
        if came.map_err(ReadError::Io)? {
            return Ok(None);
        }
        self.events.tell(Topic::Life, || Event::AskingInFrames {
            role: Role::Download,
            other: course.holder,
        });
        let codec = Codec::new(self.protocol, Dialect::Framed);
        let Ok(mut framed) = self.send(course, &self.request(codec, course)) else {
            return Ok(None);
        };
        if !framed.answers_before(text, silence::BOTH.min(course.patience)) {
            return Ok(None);
        }
        let answer = self.read(codec, course, &mut framed);
        Ok(answer.ok().map(|answer| (framed, answer)))
    }
}
