//! `send`: a request as it is typed, to see what a server answers to it.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;

use clap::Args;

use crate::node::{Failure, send};
use crate::program::Stage;
use crate::terminal::escape::escaped;
use crate::wire::Endpoint;

/// The arguments of `send`.
#[derive(Debug, Args)]
pub struct Send {
    /// The lines of the request; each is sent with CR LF at its end
    #[arg(value_name = "LINE", required = true)]
    lines: Vec<OsString>,
    /// Do not add the empty line that ends a request
    #[arg(long, value_parser = crate::program::flag)]
    raw: bool,
}

impl Send {
    /// Sends the request. The printout shows it and the answer; if it shows no messages, the result
    /// is the answer alone, byte by byte.
    pub fn run(&self, server: &Endpoint, stage: &Stage) -> Result<(), Failure> {
        let answer = send(server, &self.request(), &stage.events, &stage.stop)?;
        if stage.transcript.shows_messages() {
            return Ok(());
        }
        stage.print(|out| {
            if std::io::stdout().is_terminal() {
                out.write_all(escaped(&answer, true).as_bytes())
            } else {
                out.write_all(&answer)
            }
        })
    }

    fn request(&self) -> Vec<u8> {
        let mut request = Vec::new();
        for line in &self.lines {
            request.extend_from_slice(line.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        if !self.raw {
            request.extend_from_slice(b"\r\n");
        }
        request
    }
}
