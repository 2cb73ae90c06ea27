//! Sending a file: a short one with the output before it, a long one without a copy.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use super::{Connection, send};
use crate::net::{Pace, Stream};

impl Connection {
    /// Sends the next `length` bytes of `file`, after the buffered output, no faster than `pace`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the file ends early; otherwise those of the file and of
    /// the connection.
    pub fn send_file(&mut self, file: &File, length: u64, pace: Option<&Pace>) -> io::Result<()> {
        let socket = self.input.get_mut();
        if let Some(pace) = pace {
            socket.send()?;
            let mut left = length;
            while left > 0 {
                let portion = pace.take(left);
                send_rest(&socket.stream, file, portion, socket.send_time)?;
                left -= portion;
            }
            return Ok(());
        }
        let head = socket.output.len();
        match usize::try_from(length).map(|length| head.saturating_add(length)) {
            Ok(whole) if whole <= send::OUTPUT => {
                socket.output.resize(whole, 0);
                (&mut &*file).read_exact(socket.output.get_mut(head..).unwrap_or_default())?;
                socket.send()
            }
            _ => {
                cork(&socket.stream, true);
                socket.send()?;
                send_rest(&socket.stream, file, length, socket.send_time)?;
                if !socket.is_ending {
                    cork(&socket.stream, false);
                }
                Ok(())
            }
        }
    }
}

/// While corked, only full segments are sent. The system moves 64 KiB of a file at a time, which is
/// not a multiple of a segment: uncorked, each time leaves a small one.
#[cfg(target_os = "linux")]
fn cork(stream: &Stream, is_corked: bool) {
    // If this fails, the file takes more segments. A Unix domain socket has none.
    let _ = stream.set_tcp_cork(is_corked);
}

#[cfg(not(target_os = "linux"))]
fn cork(_: &Stream, _: bool) {}

#[cfg(target_os = "linux")]
fn send_rest(stream: &Stream, file: &File, left: u64, time: Duration) -> io::Result<()> {
    send::send_all(left, time, None, |left| {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        Ok(rustix::fs::sendfile(stream, file, None, most)?)
    })
}

#[cfg(not(target_os = "linux"))]
fn send_rest(stream: &Stream, file: &File, mut left: u64, time: Duration) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(256 * 1024);
    while left > 0 {
        buffer.clear();
        let most = left.min(u64::try_from(buffer.capacity()).unwrap_or(left));
        if io::copy(&mut file.take(most), &mut buffer)? < most {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let flags = rustix::net::SendFlags::empty();
        send::send_bytes(stream, &buffer, flags, time, None)?;
        left -= most;
    }
    Ok(())
}
