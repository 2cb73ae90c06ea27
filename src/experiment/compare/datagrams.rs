//! Counts the datagrams of a distributed hash table, by reading the log of its crate: nothing else
//! shows them.
//!
//! A node of the crate has one thread, which says in the log when it starts, and whenever a message
//! has arrived. So a request counts for the node of the thread that reports it, and its response for
//! the node that has asked. What is sent to a dead node does not arrive, and is not counted. Nor is
//! the search for other nodes, which every node repeats all the time, whatever its peer does.

use std::cell::RefCell;
use std::fmt::{self, Write};

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::Registry;

use super::traffic::Traffic;
use crate::program::LogReader;

/// Where the crate reports that a node starts,
const START: &str = "mainline::dht";
/// and that a message has arrived.
const ARRIVAL: &str = "mainline::rpc::socket";

/// How many bytes of the text of a message name its kind.
const HEAD: usize = 512;

/// The node that starts, and where its messages are counted. Nodes start one after the other.
static STARTING: Mutex<Option<(Traffic, usize)>> = Mutex::new(None);

thread_local! {
    /// The node of this thread.
    static NODE: RefCell<Option<(Traffic, usize)>> = const { RefCell::new(None) };
}

/// The threads that start from now on are those of this node.
pub(super) fn starting(node: usize, traffic: &Traffic) {
    *STARTING.lock() = Some((traffic.clone(), node));
}

/// A reader of the log that counts datagrams.
pub(in crate::experiment) fn counted() -> LogReader {
    let reports = Targets::new()
        .with_target(START, LevelFilter::INFO)
        .with_target(ARRIVAL, LevelFilter::TRACE);
    Box::new(Counter.with_filter(reports))
}

struct Counter;

impl Layer<Registry> for Counter {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, Registry>) {
        let mut report = Report::default();
        event.record(&mut report);
        if event.metadata().target() == START {
            if let Some((traffic, node)) = STARTING.lock().clone() {
                traffic.add_address(report.address, node);
                NODE.set(Some((traffic, node)));
            }
        } else if report.is_arrival && report.is_question {
            NODE.with_borrow(|node| {
                if let Some((traffic, node)) = node {
                    traffic.add_datagrams(*node, &report.address);
                }
            });
        }
    }
}

/// What the log says about a node that starts, or a message that has arrived.
#[derive(Default)]
struct Report {
    is_arrival: bool,
    /// Whether it asks for the peers of a key, or announces one.
    is_question: bool,
    /// Of the node, or the sender.
    address: String,
}

impl Visit for Report {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.is_arrival |= field.name() == "context" && value == "socket_message_receiving";
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "address" | "from" => self.address = format!("{value:?}"),
            "message" => {
                let mut head = Head::default();
                // It fails where the rest does not matter.
                let _ = write!(head, "{value:?}");
                let questions = ["request_type: GetPeers", "AnnouncePeer("];
                self.is_question |= questions.iter().any(|name| head.0.contains(name));
            }
            _ => {}
        }
    }
}

/// The beginning of a text.
#[derive(Default)]
struct Head(String);

impl Write for Head {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.len() < HEAD {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
