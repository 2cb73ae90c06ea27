//! Shortens what a person at a terminal would not read: many registrations, and an answer of which a
//! table follows. Other outputs always get everything.

use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;

use super::lines::tag;
use crate::event::{Event, IndexStep, Role, Way};
use crate::terminal::locale::ellipsis;

/// More registrations than this are shortened,
const MANY: usize = 10;
/// and of those, so many are shown whole.
const WHOLE: usize = 2;

/// What a screen shows of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Everything.
    Whole,
    Nothing,
    /// This line.
    Line(String),
    /// A message, of whose records only the first are shown, and how the line about the others ends.
    Records(usize, &'static str),
}

/// What is being shortened. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(super) struct Brevity(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The port of the upload server, which scrolls away.
    port: Option<u16>,
    registering: Option<Registering>,
    /// How many records of an answer are shown, and what follows the number of the others.
    cut: Option<(usize, &'static str)>,
}

/// Many documents are being registered.
#[derive(Debug)]
struct Registering {
    all: usize,
    /// How many were begun, and how many messages were sent and received.
    begun: usize,
    sent: usize,
    received: usize,
}

impl Brevity {
    /// Sets how many records of an answer are shown.
    pub(super) fn cut(&self, cut: Option<(usize, &'static str)>) {
        self.0.lock().cut = cut;
    }

    pub(super) fn judge(&self, event: &Event<'_>) -> Shown {
        let state = &mut *self.0.lock();
        match event {
            Event::Listening {
                role: Role::Upload,
                port,
            } => {
                state.port = Some(*port);
                Shown::Whole
            }
            Event::Index {
                step: IndexStep::PublishingAll { count },
                ..
            } => {
                let registering = Registering {
                    all: *count,
                    begun: 0,
                    sent: 0,
                    received: 0,
                };
                state.registering = Some(registering).filter(|it| it.all > MANY);
                Shown::Whole
            }
            Event::Index {
                step: IndexStep::PublishedAll { taken, count },
                ..
            } => match state.registering.take() {
                Some(_) => {
                    let mut line = tag(Role::Index).to_owned();
                    // Writing to memory does not fail.
                    let _ = write!(line, " Registered {taken} of {count} RFC(s)");
                    if let Some(port) = state.port {
                        let _ = write!(line, "; upload port {port}");
                    }
                    Shown::Line(line)
                }
                None => Shown::Whole,
            },
            Event::Index {
                step: IndexStep::Publishing { .. },
                ..
            } => state
                .registering
                .as_mut()
                .map_or(Shown::Whole, Registering::next),
            Event::Message { link, way, .. } if link.role == Role::Index => {
                match (&mut state.registering, way, state.cut) {
                    (Some(registering), way, _) => registering.message(*way),
                    (None, Way::Received, Some((most, below))) => Shown::Records(most, below),
                    _ => Shown::Whole,
                }
            }
            _ => Shown::Whole,
        }
    }
}

impl Registering {
    /// The next document is about to be registered.
    fn next(&mut self) -> Shown {
        self.begun += 1;
        if self.begun <= WHOLE {
            Shown::Whole
        } else if self.begun == WHOLE + 1 {
            let (tag, more) = (tag(Role::Index), self.all - WHOLE);
            Shown::Line(format!(
                "{tag} Registering {more} more RFC(s){}",
                ellipsis()
            ))
        } else {
            Shown::Nothing
        }
    }

    fn message(&mut self, way: Way) -> Shown {
        let count = match way {
            Way::Sent => &mut self.sent,
            Way::Received => &mut self.received,
        };
        *count += 1;
        if *count <= WHOLE {
            Shown::Whole
        } else {
            Shown::Nothing
        }
    }
}

/// Cuts a message after `most` records, of those that it has and of `more` that follow it. Returns
/// `None` if it is short enough.
pub(super) fn cut(message: &str, more: usize, most: usize, below: &str) -> Option<String> {
    let is_record = |line: &&str| line.starts_with("RFC ");
    let records = message.lines().filter(is_record).count() + more;
    if records <= most {
        return None;
    }
    let mut seen = 0;
    let kept = message.split_inclusive('\n').take_while(|line| {
        seen += usize::from(is_record(line));
        seen <= most
    });
    let mut text: String = kept.collect();
    let (ellipsis, others) = (ellipsis(), records - most);
    // Writing to memory does not fail.
    let _ = write!(text, "{ellipsis} and {others} more records{below}\n\n");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::link;
    use crate::wire::{Endpoint, Port, Title};

    #[test]
    fn many_registrations_are_two_exchanges_a_line_and_a_sum() {
        let server = Endpoint::parse("vm:5", Port::MIN).unwrap();
        let (title, number) = (Title::default(), "5".parse().unwrap());
        for (count, shown) in [(10, 30), (12, 6)] {
            let brevity = Brevity::default();
            let index = |step| {
                let server = &server;
                brevity.judge(&Event::Index { server, step })
            };
            let message = |way| {
                let link = link(Role::Index);
                let (bytes, more, is_bad) = (&b""[..], 0, false);
                brevity.judge(&Event::Message {
                    link,
                    way,
                    bytes,
                    more,
                    is_bad,
                })
            };
            let (role, port) = (Role::Upload, 7000);
            brevity.judge(&Event::Listening { role, port });
            index(IndexStep::PublishingAll { count });
            let mut whole = 0;
            let mut lines = Vec::new();
            for _ in 0..count {
                let is_local = false;
                let title = &title;
                let begun = index(IndexStep::Publishing {
                    number,
                    title,
                    is_local,
                });
                for one in [begun, message(Way::Sent), message(Way::Received)] {
                    match one {
                        Shown::Whole => whole += 1,
                        Shown::Line(line) => lines.push(line),
                        _ => {}
                    }
                }
            }
            let sum = index(IndexStep::PublishedAll { taken: 9, count });
            assert_eq!(whole, shown);
            if count > MANY {
                assert_eq!(lines.len(), 1);
                assert!(lines[0].starts_with("[PEER] Registering 10 more RFC(s)"));
                let line = "[PEER] Registered 9 of 12 RFC(s); upload port 7000".to_owned();
                assert_eq!(sum, Shown::Line(line));
            } else {
                assert_eq!((lines.len(), sum), (0, Shown::Whole));
            }
            assert_eq!(message(Way::Sent), Shown::Whole);
        }
    }

    #[test]
    fn a_long_answer_is_cut_and_a_short_one_is_not() {
        let message = "P2P-CI/1.0 200 OK\n\nRFC 1 a vm 5\nRFC 2 b vm 5\nRFC 3 c vm 5\n\n";
        assert_eq!(cut(message, 0, 3, ""), None);
        let text = cut(message, 4, 2, ", in the table below").unwrap();
        let begin = "P2P-CI/1.0 200 OK\n\nRFC 1 a vm 5\nRFC 2 b vm 5\n";
        let end = " and 5 more records, in the table below\n\n";
        assert!(text.starts_with(begin) && text.ends_with(end), "{text}");
    }
}
