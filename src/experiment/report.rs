//! Writes the results: all downloads and the totals as CSV, the curves as SVG, and the totals as a
//! table on standard output.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chart::{Axes, Curve};
use super::folder::Folder;
use super::results::{Conditions, Results, Total, downloads, rounded};
use crate::file_error::FileError;

/// The deviation from the prediction, in percent, above which a warning appears.
const FAR: f64 = 10.0;

/// A row of the file of a scenario.
#[derive(Debug, Serialize)]
struct DownloadRow {
    run: usize,
    scenario: &'static str,
    peer: String,
    seq: usize,
    rfc: u32,
    source: String,
    bytes: u64,
    start_ms: f64,
    elapsed_ms: f64,
    cumulative_ms: f64,
    upload_rate: u64,
}

/// A row of the summary.
#[derive(Debug, Serialize)]
struct SummaryRow {
    scenario: &'static str,
    run: usize,
    peer: String,
    rfcs: usize,
    mean_bytes: f64,
    upload_rate: u64,
    total_ms: f64,
    total_units: Option<f64>,
    predicted_units: Option<f64>,
    deviation_percent: Option<f64>,
}

/// Writes the results of the scenarios.
#[derive(Debug)]
pub(super) struct Report {
    folder: Folder,
    conditions: Conditions,
}

impl Report {
    /// Creates the folder if it is missing.
    pub(super) fn open(folder: &Path, conditions: Conditions) -> Result<Self, FileError> {
        let folder = Folder::open(folder)?;
        Ok(Self { folder, conditions })
    }

    /// Writes every download of a scenario.
    pub(super) fn write_downloads(&self, results: &Results) -> anyhow::Result<PathBuf> {
        let mut rows = Vec::new();
        for (run, number) in results.runs.iter().zip(1..) {
            for (peer, downloads) in run.iter().enumerate() {
                for (download, seq) in downloads.iter().zip(1..) {
                    let [start, end] = [download.start, download.end].map(|at| at.as_secs_f64());
                    rows.push(DownloadRow {
                        run: number,
                        scenario: results.scenario.name(),
                        peer: format!("P{peer}"),
                        seq,
                        rfc: download.number.get(),
                        source: format!("P{}", download.holder),
                        bytes: download.bytes,
                        start_ms: rounded(start * 1000.0),
                        elapsed_ms: rounded((end - start) * 1000.0),
                        cumulative_ms: rounded(end * 1000.0),
                        upload_rate: self.conditions.upload_rate,
                    });
                }
            }
        }
        self.folder
            .write_csv(&format!("{}.csv", results.scenario.name()), rows)
    }

    /// Writes the totals of all scenarios, runs and peers.
    pub(super) fn write_summary(&self, all: &[Results]) -> anyhow::Result<PathBuf> {
        let mut rows = Vec::new();
        for results in all {
            for (run, number) in results.runs.iter().zip(1..) {
                for peer in results.clients() {
                    let total = results.total(std::slice::from_ref(run), peer);
                    rows.push(SummaryRow {
                        scenario: results.scenario.name(),
                        run: number,
                        peer: format!("P{peer}"),
                        rfcs: downloads(run, peer).len(),
                        mean_bytes: rounded(self.conditions.mean_size),
                        upload_rate: self.conditions.upload_rate,
                        total_ms: rounded(total.seconds * 1000.0),
                        total_units: total.measured.map(rounded),
                        predicted_units: total.predicted.map(rounded),
                        deviation_percent: total.deviation.map(rounded),
                    });
                }
            }
        }
        self.folder.write_csv("summary.csv", rows)
    }

    /// Draws a curve for each peer of a scenario.
    pub(super) fn draw_peers(&self, results: &Results) -> anyhow::Result<PathBuf> {
        let curve = |peer| Curve {
            label: label(&format!("P{peer}"), results.total(&results.runs, peer)),
            points: results.curve(&[peer]),
        };
        let curves: Vec<_> = results.clients().map(curve).collect();
        let name = format!("{}.svg", results.scenario.name());
        self.draw(&name, results.scenario.description(), &curves)
    }

    /// Draws the mean curve of each scenario.
    pub(super) fn draw_comparison(&self, all: &[Results]) -> anyhow::Result<PathBuf> {
        let curve = |results: &Results| Curve {
            label: label(results.scenario.name(), results.mean_total()),
            points: results.curve(&results.clients().collect::<Vec<_>>()),
        };
        let curves: Vec<_> = all.iter().map(curve).collect();
        let title = "Mean over all peers that fetch, by scenario";
        self.draw("comparison.svg", title, &curves)
    }

    fn draw(&self, name: &str, title: &str, curves: &[Curve]) -> anyhow::Result<PathBuf> {
        let axes = Axes {
            title,
            conditions: &self.conditions.in_words(),
            x: "number of RFCs fetched",
            y: "cumulative time (s)",
        };
        self.folder.draw(name, &axes, curves)
    }
}

fn label(name: &str, total: Total) -> String {
    let seconds = total.seconds;
    match total.measured {
        Some(measured) => format!("{name}: {seconds:.2} s ({measured:.1} × s/u)"),
        None => format!("{name}: {seconds:.3} s"),
    }
}

/// The table of the mean totals next to the predictions.
pub(super) fn table(all: &[Results]) -> String {
    let mut table = format!(
        "{:<12}  {:<4}  {:>15}  {:>14}  {:>9}  {:>9}\n",
        "scenario", "peer", "predicted (s/u)", "measured (s/u)", "deviation", "total (s)"
    );
    for results in all {
        for peer in results.clients() {
            let total = results.total(&results.runs, peer);
            let units = |value: Option<f64>| value.map_or("-".to_owned(), |u| format!("{u:.1}"));
            let deviation = total.deviation.map(|percent| format!("{percent:+.1} %"));
            // Writing to a string never fails.
            let _ = writeln!(
                table,
                "{:<12}  {:<4}  {:>15}  {:>14}  {:>9}  {:>9.3}",
                results.scenario.name(),
                format!("P{peer}"),
                units(total.predicted),
                units(total.measured),
                deviation.as_deref().unwrap_or("-"),
                total.seconds
            );
        }
    }
    table
}

/// A warning if totals are far from the prediction.
pub(super) fn warning(all: &[Results]) -> Option<String> {
    let totals = all.iter().flat_map(|results| {
        let clients = results.clients();
        clients.filter_map(|peer| results.total(&results.runs, peer).deviation)
    });
    let count = totals.filter(|deviation| deviation.abs() > FAR).count();
    (count > 0).then(|| {
        format!(
            "Warning: {count} total(s) differ from the prediction by more than {FAR} %. The machine may \
             be busy, the disk of the temporary folder slow, or the files tiny; and with many peers in \
             the worst case, a small lead grows with every server"
        )
    })
}
