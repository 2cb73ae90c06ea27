//! The length-prefixed dialects: existing systems can connect and work.

mod central;
mod distributed;
mod peers;

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::PATIENCE;

/// A frame with this content.
fn framed(content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut frame = format!("{:<10}", content.len()).into_bytes();
    frame.extend_from_slice(content);
    frame
}

/// A program of another system, which speaks frames.
pub(crate) struct Framed(TcpStream);

impl Framed {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// The text of the next frame; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.receive_bytes()
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    pub(crate) fn send(&mut self, content: impl AsRef<[u8]>) {
        self.0.write_all(&framed(content)).unwrap();
    }

    /// The next frame; `None` at the end.
    fn receive_bytes(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 10];
        if self.0.read(&mut length[..1]).unwrap() == 0 {
            return None;
        }
        self.0.read_exact(&mut length[1..]).unwrap();
        let length: usize = str::from_utf8(&length).unwrap().trim_end().parse().unwrap();
        let mut content = vec![0; length];
        self.0.read_exact(&mut content).unwrap();
        Some(content)
    }

    pub(crate) fn receive(&mut self) -> String {
        String::from_utf8(self.receive_bytes().expect("a frame comes")).unwrap()
    }

    #[track_caller]
    pub(crate) fn says(&mut self, request: &str, response: &str) {
        self.send(request);
        assert_eq!(self.receive(), response);
    }

    fn is_closed(&mut self) -> bool {
        self.0.read(&mut [0; 1]).is_ok_and(|count| count == 0)
    }
}
