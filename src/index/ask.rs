//! Indexes that peers keep themselves: what this peer shares, and asking other peers for their
//! indexes (P2P-DI/1.0, section 3).

use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use super::{IndexError, Participation, Records};
use crate::event::{IndexStep, Role, Topic};
use crate::library::Rfc;
use crate::net::{ConnectError, Connection, connect_to_peer};
use crate::wire::di::Origin;
use crate::wire::p2p::client::{read_rfc_index, rfc_query};
use crate::wire::{Answered, Dialect, Endpoint, Host, Port, ReadError, RfcNumber, Tee};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("it answered with code {0}")]
    Refused(u16),
}

impl AskError {
    fn may_speak_otherwise(&self) -> bool {
        match self {
            Self::Read(error) => error.may_speak_otherwise(),
            Self::Connect(_) | Self::Refused(_) => false,
        }
    }
}

impl Participation {
    /// Sends a request on a connection that `connect` opens, in a dialect of `other`, reads the
    /// answer, and reports both.
    pub(super) fn ask<T>(
        &self,
        other: &Endpoint,
        connect: impl Fn() -> Result<Connection, ConnectError>,
        request: impl Fn(Dialect, Origin<'_>) -> Vec<u8>,
        answer: impl Fn(Dialect, &mut Tee<'_, Connection>) -> Result<Answered<T>, ReadError>,
    ) -> Result<Answered<T>, AskError> {
        let Self {
            events,
            dialects,
            os,
            ..
        } = self;
        dialects.try_each(other, AskError::may_speak_otherwise, |dialect| {
            let mut connection = connect()?;
            let date = SystemTime::now();
            let request = request(dialect, Origin { date, os });
            let link = connection.link(Role::Index);
            events.dialed(link, other);
            events.sent(link, &request);
            connection.write_all(&request).map_err(ReadError::from)?;
            let mut tee = Tee::of(&mut connection);
            match answer(dialect, &mut tee) {
                Ok(answered) => {
                    events.received(link, &answered.bytes);
                    Ok(answered)
                }
                Err(error) => {
                    events.not_understood(link, &tee.arrived());
                    Err(error.into())
                }
            }
        })
    }

    /// Asks a peer for its index and merges it. Each of connecting and answering may take `time`.
    /// The records of the document `wanted` matter most. `port_at` supplies the ports that some
    /// records lack.
    pub(super) fn query(
        &self,
        peer: &Endpoint,
        wanted: Option<RfcNumber>,
        port_at: impl Fn(&Host) -> Option<Port>,
        time: Duration,
    ) -> Result<(), AskError> {
        let Self {
            known,
            sockets,
            ports,
            ..
        } = self;
        let Answered { bytes, answer } = self.ask(
            peer,
            || connect_to_peer(sockets, peer, *ports, time),
            |dialect, origin| rfc_query(dialect, peer, &known.me().host, origin),
            |dialect, connection| read_rfc_index(dialect, connection, peer, &port_at, time),
        )?;
        let told = answer?.map_err(AskError::Refused)?;
        known.merge(peer, wanted, || told.records(&bytes), Instant::now());
        Ok(())
    }

    /// Reports that a peer did not send its index.
    pub(super) fn untold(&self, peer: &Endpoint, error: &AskError) {
        self.tell(Topic::Life, || IndexStep::Untold {
            peer,
            why: error.to_string().into(),
        });
    }

    /// Reports that documents are in the local index, from where others are told. Returns how many.
    pub(super) fn publish_locally(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        self.publishing(documents.len(), || {
            for Rfc { number, title } in documents {
                let step = || IndexStep::Publishing {
                    number: *number,
                    title,
                    is_local: true,
                };
                self.tell(Topic::Messages, step);
            }
            Ok(documents.len())
        })
    }

    /// The known holders of a document, except those that are not `wanted`; this peer last.
    pub(super) fn holders(
        &self,
        number: RfcNumber,
        wanted: impl Fn(&str, Port) -> bool,
    ) -> Records {
        let title = self.library.title(number);
        let shared = title.map(|title| Rfc { number, title });
        let view = self
            .known
            .view(shared.into_iter().collect(), Instant::now());
        let holders = view.holders(number);
        Records::of_peers(holders.filter(|line| wanted(line.host, line.port)))
    }

    /// All known records, except those of holders that are not `wanted`.
    pub(super) fn all(&self, wanted: impl Fn(&str, Port) -> bool) -> Records {
        let view = self.known.view(self.library.shared(), Instant::now());
        let all = view.by_number();
        Records::of_peers(all.filter(|line| wanted(line.host, line.port)))
    }
}
