//! What the keeper does for the server: it watches the link, retries what the server refused, and
//! connects again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Central, Link};
use crate::event::{IndexStep, Role, Topic};
use crate::index::keeper::{Keeper, Kept, growing};
use crate::index::{Index, IndexError, Participation};
use crate::library::Rfc;
use crate::wire::{Dialect, ReadError, RfcNumber, Status, Tee, Title};

/// How long a server may take to close a connection that it has no room for, if there is nothing to
/// register.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// The first pause before retrying what the server refused, in case the reason is gone,
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// and the longest one. Each is twice the previous one.
const LONGEST_RETRY: Duration = Duration::from_mins(15);

impl Kept for Central {
    fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Detects when the server closes the connection, and retries what it refused.
    fn tend(&self, turn: u32) -> Result<(), String> {
        let retry = growing(FIRST_RETRY, turn, LONGEST_RETRY);
        let refused = loop {
            let watch = match &*self.link.lock() {
                Ok(link) => link.connection.watch(),
                Err(why) => return Err(why.clone()),
            };
            let is_closed = watch.wait_until_closed(retry);
            if self.keeper.is_over() {
                return Ok(());
            }
            let mut current = self.link.lock();
            match &mut *current {
                Ok(link) if !is_closed => break link.refused.clone(),
                Ok(link) if watch.is_of(&link.connection) => {
                    let why = self.last_word(link);
                    *current = Err(why.clone());
                    return Err(why);
                }
                // The server speaks another dialect by now, on another connection.
                Ok(_) => {}
                Err(why) => return Err(why.clone()),
            }
        };
        let mut again = self.participation().library.shared();
        again.retain(|rfc| refused.contains(&rfc.number));
        // If this loses the server, the next turn detects it.
        let _ = self.publish(&again);
        Ok(())
    }

    fn reconnect(&self) -> Result<(), IndexError> {
        let Participation {
            server, dialects, ..
        } = self.participation();
        let in_each = |dialect| self.reconnect_in(dialect);
        dialects.try_each(server, IndexError::may_speak_otherwise, in_each)
    }
}

impl Central {
    /// Why the server closed a link while no request was open: it may have sent a reason.
    fn last_word(&self, link: &mut Link) -> String {
        let Participation { server, events, .. } = self.participation();
        let event_link = link.connection.link(Role::Index);
        let mut tee = Tee::of(&mut link.connection);
        match link.responses.last_word(&mut tee) {
            Ok(response) => {
                events.received(event_link, &response.bytes);
                if response.code == Status::ServiceUnavailable.code() {
                    return IndexError::NoRoom(server.clone()).reason();
                }
            }
            Err(ReadError::Closed) => {}
            Err(error) => {
                events.not_understood(event_link, &tee.arrived());
                return error.to_string();
            }
        }
        "it closed the connection".to_owned()
    }

    /// Connects and registers everything, including what is shared in the meantime. The link is
    /// available to queries only afterwards; until then they fail at once.
    fn reconnect_in(&self, dialect: Dialect) -> Result<(), IndexError> {
        let participation = self.participation();
        let mut link = self.connect(dialect)?;
        let mut tried = BTreeMap::new();
        loop {
            let mut beyond = self.shared_beyond(&tried);
            participation.publishing(beyond.len(), || {
                let mut all_accepted = 0;
                while !beyond.is_empty() {
                    let (done, accepted) = self.register_some(&mut link, &beyond)?;
                    tried.extend(beyond.drain(..done).map(|rfc| (rfc.number, rfc.title)));
                    all_accepted += accepted;
                }
                Ok(all_accepted)
            })?;
            if tried.is_empty() && link.connection.watch().wait_until_closed(CLOSE_TIME) {
                return Err(self.no_answer(ReadError::Closed));
            }
            let mut current = self.link.lock();
            // Anything shared from now on waits for the lock, and is registered then.
            if self.shared_beyond(&tried).is_empty() {
                let (all, refused) = (tried.len(), link.refused.len());
                *current = Ok(link);
                self.keeper.is_there();
                drop(current);
                let taken = all - refused;
                participation.tell(Topic::Life, || IndexStep::Back { taken, all });
                return Ok(());
            }
        }
    }

    /// What is shared and was not `tried` yet, or was tried under another title.
    fn shared_beyond(&self, tried: &BTreeMap<RfcNumber, Title>) -> Vec<Rfc> {
        let mut shared = self.participation().library.shared();
        shared.retain(|Rfc { number, title }| tried.get(number) != Some(title));
        shared
    }
}
