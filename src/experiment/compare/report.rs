//! Writes the figures as CSV, some of them as SVG, and the most important ones as a table.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::KINDS;
use super::results::Results;
use super::run::{Operation, Phase, Sample};
use crate::experiment::Options;
use crate::experiment::chart::{Axes, Curve};
use crate::experiment::folder::Folder;
use crate::experiment::results::rounded;
use crate::file_error::FileError;

/// A row of the file: what one kind of index needs for an operation in a network of one size.
#[derive(Debug, Serialize)]
struct Row {
    index: &'static str,
    peers: usize,
    operation: &'static str,
    count: usize,
    succeeded: usize,
    /// Means, and the most of one.
    messages: Option<f64>,
    messages_most: Option<u64>,
    bytes: Option<f64>,
    bytes_most: Option<u64>,
    /// The node that received the most messages, and how many in each run.
    busiest_node: Option<String>,
    busiest_messages: Option<f64>,
    /// Of those that succeeded.
    median_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// A picture: one figure of each kind, by the number of peers.
struct Picture {
    file: &'static str,
    title: &'static str,
    y: &'static str,
    operation: Operation,
    figure: fn(&Results, &Phase) -> Option<f64>,
}

const PICTURES: [Picture; 8] = [
    Picture {
        file: "index-join.svg",
        title: "Joining, and registering the documents",
        y: "messages",
        operation: Operation::Join,
        figure: |_, phase| phase.mean(messages),
    },
    Picture {
        file: "index-lookup-first.svg",
        title: "The first LOOKUP of a peer that has just joined",
        y: "messages (mean)",
        operation: Operation::LookupFirst,
        figure: |_, phase| phase.mean(messages),
    },
    Picture {
        file: "index-lookup.svg",
        title: "A LOOKUP, where every peer looks up ten documents",
        y: "messages (mean)",
        operation: Operation::Lookup,
        figure: |_, phase| phase.mean(messages),
    },
    Picture {
        file: "index-lookup-missing.svg",
        title: "A LOOKUP of a document that nobody has",
        y: "messages (mean)",
        operation: Operation::Missing,
        figure: |_, phase| phase.mean(messages),
    },
    Picture {
        file: "index-list.svg",
        title: "A LIST of all records",
        y: "messages (mean)",
        operation: Operation::List,
        figure: |_, phase| phase.mean(messages),
    },
    Picture {
        file: "index-list-bytes.svg",
        title: "A LIST of all records",
        y: "KiB (mean)",
        operation: Operation::List,
        figure: |_, phase| phase.mean(bytes).map(|bytes| bytes / 1024.0),
    },
    Picture {
        file: "index-time.svg",
        title: "The first LOOKUP of a peer: time until a holder is known",
        y: "median (ms)",
        operation: Operation::LookupFirst,
        figure: |_, phase| phase.time_of(50),
    },
    Picture {
        file: "index-load.svg",
        title: "The busiest node, while every peer looks up ten documents",
        y: "messages received",
        operation: Operation::Lookup,
        figure: |results, phase| Some(results.busiest(phase)?.messages),
    },
];

fn messages(sample: &Sample) -> u64 {
    sample.messages
}

fn bytes(sample: &Sample) -> u64 {
    sample.bytes
}

/// Writes the results of a comparison.
#[derive(Debug)]
pub(super) struct Report {
    folder: Folder,
    /// The subtitle of every picture.
    conditions: String,
}

impl Report {
    /// Creates the folder if it is missing. The documents have `mean_size` bytes.
    pub(super) fn open(options: &Options, mean_size: f64) -> Result<Self, FileError> {
        let (size, per_peer) = (mean_size / 1024.0, options.per_peer);
        let runs = match options.repeat {
            1 => String::new(),
            repeat => format!("; {repeat} runs"),
        };
        Ok(Self {
            folder: Folder::open(&options.out)?,
            conditions: format!(
                "{per_peer} RFCs of {size:.1} KiB at each peer, each of them at two; loopback{runs}"
            ),
        })
    }

    /// Writes all figures.
    pub(super) fn write(&self, all: &[Results]) -> anyhow::Result<PathBuf> {
        self.folder
            .write_csv("index.csv", all.iter().flat_map(rows))
    }

    /// Draws a curve for each kind in every picture.
    pub(super) fn draw(&self, all: &[Results]) -> anyhow::Result<Vec<PathBuf>> {
        let draw = |picture: &Picture| {
            let axes = Axes {
                title: picture.title,
                conditions: &self.conditions,
                x: "number of peers",
                y: picture.y,
            };
            let curves = KINDS.map(|kind| {
                let of_kind = all.iter().filter(|results| results.kind == kind);
                curve(kind.name(), of_kind, picture)
            });
            self.folder.draw(picture.file, &axes, &curves)
        };
        PICTURES.iter().map(draw).collect()
    }
}

/// The curve of one kind. Its label has the last figure.
fn curve<'a>(name: &str, all: impl Iterator<Item = &'a Results>, picture: &Picture) -> Curve {
    let figure = |results: &Results| {
        let value = (picture.figure)(results, results.phase(picture.operation)?)?;
        Some((u32::try_from(results.peers).ok()?, value))
    };
    let points: Vec<_> = all.filter_map(figure).collect();
    let label = match points.last() {
        Some((_, last)) if *last < 1.0 => format!("{name}: {last:.2}"),
        Some((_, last)) => format!("{name}: {last:.1}"),
        None => name.to_owned(),
    };
    Curve { label, points }
}

fn rows(results: &Results) -> impl Iterator<Item = Row> {
    results.phases.iter().map(|phase| {
        let (busiest_node, busiest_messages) = results
            .busiest(phase)
            .map(|busiest| (busiest.node, rounded(busiest.messages)))
            .unzip();
        Row {
            index: results.kind.name(),
            peers: results.peers,
            operation: phase.operation.name(),
            count: phase.samples.len(),
            succeeded: phase.succeeded(),
            messages: phase.mean(messages).map(rounded),
            messages_most: phase.most(messages),
            bytes: phase.mean(bytes).map(rounded),
            bytes_most: phase.most(bytes),
            busiest_node,
            busiest_messages,
            median_ms: phase.time_of(50).map(rounded),
            p99_ms: phase.time_of(99).map(rounded),
        }
    })
}

/// The columns of the table, and how wide they are. `help choosing` explains them.
const COLUMNS: [(&str, usize); 11] = [
    ("peers", 5),
    ("join", 5),
    ("first", 5),
    ("list", 5),
    ("KiB", 6),
    ("ms", 5),
    ("p99", 5),
    ("busiest", 7),
    ("stale", 5),
    ("no server", 9),
    ("half dead", 9),
];

/// The table: messages, time, and what is found after failures.
pub(super) fn table(all: &[Results]) -> String {
    let mut table = format!("{:<11}", "index");
    for (name, width) in COLUMNS {
        // Writing to a string never fails.
        let _ = write!(table, "  {name:>width$}");
    }
    table.push('\n');
    for results in all {
        let _ = write!(table, "{:<11}", results.kind.name());
        for (cell, (_, width)) in cells(results).into_iter().zip(COLUMNS) {
            let _ = write!(table, "  {cell:>width$}");
        }
        table.push('\n');
    }
    table
}

fn cells(results: &Results) -> [String; 11] {
    let of = |operation| results.phase(operation);
    let cost = |operation| shown(of(operation).and_then(|phase| phase.mean(messages)));
    let time = |operation, percent| {
        let time = of(operation).and_then(|phase| phase.time_of(percent));
        time.map_or_else(|| NONE.to_owned(), |time| format!("{time:.2}"))
    };
    let found = |operation| {
        let found = |phase: &Phase| format!("{}/{}", phase.succeeded(), phase.samples.len());
        of(operation).map_or_else(|| NONE.to_owned(), found)
    };
    let list = of(Operation::List).and_then(|phase| phase.mean(bytes));
    let busiest = of(Operation::Lookup).and_then(|phase| results.busiest(phase));
    [
        results.peers.to_string(),
        cost(Operation::Join),
        cost(Operation::LookupFirst),
        cost(Operation::List),
        shown(list.map(|bytes| bytes / 1024.0)),
        time(Operation::LookupFirst, 50),
        time(Operation::LookupFirst, 99),
        shown(busiest.map(|busiest| busiest.messages)),
        time(Operation::GetStale, 50),
        found(Operation::GetWithoutServer),
        found(Operation::GetHalfDead),
    ]
}

/// What was not measured.
const NONE: &str = "-";

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| format!("{value:.1}"))
}
