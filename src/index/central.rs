//! The index as one server keeps it (P2P-CI/1.0): a connection that is held while the peer is
//! active, for closing it is leaving.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Index, IndexError, Rfc};
use crate::net::{Connection, Sockets, connect};
use crate::transcript::Transcript;
use crate::wire::ci::Status;
use crate::wire::ci::p2s::{Record, Request, Sender};
use crate::wire::ci::responses::{Asked, Response, ResponseError, Responses};
use crate::wire::{Endpoint, RfcNumber, Title};

/// How long connecting to the server may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// The connection to a central index server.
#[derive(Debug)]
pub struct Central {
    server: Endpoint,
    /// The name under which others reach this peer.
    me: Endpoint,
    transcript: Transcript,
    /// `None` once the server is lost.
    link: Mutex<Option<Link>>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    responses: Responses,
}

impl Link {
    fn ask(&mut self, request: &[u8], asked: Asked) -> Result<Response, ResponseError> {
        self.connection.write_all(request)?;
        self.responses.read(&mut self.connection, asked)
    }
}

impl Central {
    /// Connects to the index server. Nothing is sent: the peer enters the peer list with its
    /// first request.
    ///
    /// # Errors
    /// [`IndexError::Unreachable`].
    pub fn connect(
        server: Endpoint,
        me: Endpoint,
        sockets: &Sockets,
        transcript: Transcript,
    ) -> Result<Self, IndexError> {
        transcript.line(format_args!("[PEER] Connecting to server {server}..."));
        let connection = connect(sockets, &server, CONNECT_TIME)?;
        transcript.line(format_args!(
            "[PEER] Connected to server at port {}",
            server.port
        ));
        let link = Mutex::new(Some(Link {
            connection,
            responses: Responses::default(),
        }));
        Ok(Self {
            server,
            me,
            transcript,
            link,
        })
    }

    /// Sends a request and reads its response, and prints both.
    fn ask(&self, request: &Request, asked: Asked) -> Result<Response, IndexError> {
        let mut link = self.lock();
        let Some(open) = link.as_mut() else {
            return Err(IndexError::Away(self.server.clone()));
        };
        let bytes = request.to_bytes();
        self.transcript.message("[PEER] Sending:", &bytes);
        match open.ask(&bytes, asked) {
            Ok(response) => {
                self.transcript.message("[PEER] Response:", &response.text);
                Ok(response)
            }
            Err(reason) => {
                // The stream is out of step or gone: the connection is of no more use.
                *link = None;
                Err(IndexError::Lost {
                    server: self.server.clone(),
                    reason,
                })
            }
        }
    }

    fn search(&self, request: &Request) -> Result<Vec<Record>, IndexError> {
        let response = self.ask(request, Asked::Search)?;
        match response.code {
            code if code == Status::Ok.code() => Ok(response.records),
            code if code == Status::NotFound.code() => Ok(Vec::new()),
            code => Err(IndexError::Refused(code)),
        }
    }

    fn sender(&self) -> Sender {
        Sender::from(self.me.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index for Central {
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        let mut taken = 0;
        for Rfc { number, title } in documents {
            self.transcript
                .detail(format_args!("[PEER] Registering RFC {number}: {title}"));
            let holder = self.me.clone();
            let record = Record {
                number: *number,
                title: title.clone(),
                holder,
            };
            let response = self.ask(&Request::Add(record), Asked::Add)?;
            if response.code == Status::Ok.code() {
                taken += 1;
            } else {
                let refused = IndexError::Refused(response.code);
                self.transcript.line(format_args!(
                    "[PEER] RFC {number} is not registered: {refused}"
                ));
            }
        }
        Ok(taken)
    }

    fn lookup(&self, number: RfcNumber, title: &Title) -> Result<Vec<Record>, IndexError> {
        let (title, sender) = (title.clone(), self.sender());
        self.search(&Request::Lookup {
            number,
            title,
            sender,
        })
    }

    fn list(&self) -> Result<Vec<Record>, IndexError> {
        self.search(&Request::List {
            sender: self.sender(),
        })
    }

    fn leave(&self) {
        self.transcript.line("[PEER] Disconnecting...");
        *self.lock() = None;
    }
}
