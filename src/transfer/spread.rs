//! Spreads concurrent downloads over the holders.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::wire::{Endpoint, Record};

/// The load of each holder, from concurrent downloads.
#[derive(Debug, Default)]
pub struct Spread(Mutex<HashMap<Endpoint, Load>>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    at_work: usize,
    ever: usize,
}

/// A download's share of its holder's load, released on drop.
#[derive(Debug)]
pub struct Turn<'a> {
    spread: &'a Spread,
    holder: Endpoint,
}

impl Spread {
    /// Takes the least loaded holder from those left; among equals, the first.
    pub fn next<'r>(&self, left: &mut Vec<&'r Record>) -> Option<(&'r Record, Turn<'_>)> {
        let mut loads = self.0.lock();
        let load = |record: &Record| loads.get(&record.holder).copied().unwrap_or_default();
        let (place, _) = left
            .iter()
            .enumerate()
            .min_by_key(|(_, record)| load(record))?;
        let record = left.remove(place);
        let load = loads.entry(record.holder.clone()).or_default();
        load.at_work += 1;
        load.ever += 1;
        let turn = Turn {
            spread: self,
            holder: record.holder.clone(),
        };
        Some((record, turn))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(load) = self.spread.0.lock().get_mut(&self.holder) {
            load.at_work -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Port, RfcNumber, Title};

    fn record(port: u16) -> Record {
        Record {
            number: RfcNumber::new(1).unwrap(),
            title: Title::default(),
            holder: Endpoint::parse(&format!("vm:{port}"), Port::MIN).unwrap(),
        }
    }

    #[test]
    fn downloads_are_spread_over_the_holders() {
        let records = [record(1), record(2), record(3)];
        let spread = Spread::default();
        let port = |(record, turn): (&Record, Turn<'_>)| {
            std::mem::forget(turn);
            record.holder.port.get()
        };
        let first_choice = || port(spread.next(&mut records.iter().collect()).unwrap());
        assert_eq!([first_choice(), first_choice(), first_choice()], [1, 2, 3]);
        assert_eq!(first_choice(), 1);
    }

    #[test]
    fn a_single_download_tries_the_newest_record_first_and_each_once() {
        let records = [record(1), record(2)];
        let spread = Spread::default();
        let mut left: Vec<_> = records.iter().collect();
        let mut tried = Vec::new();
        while let Some((record, _turn)) = spread.next(&mut left) {
            tried.push(record.holder.port.get());
        }
        assert_eq!(tried, [1, 2]);
    }
}
