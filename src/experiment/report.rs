//! Writes the results: every download and the totals as CSV, the curves as SVG, and the totals as a
//! table.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use serde::Serialize;

use super::chart::{self, ChartError, Curve, Picture};
use super::results::{Against, Conditions, Results, Total, downloads, mean, rounded};
use super::run::Measured;

/// The largest deviation from the prediction, in percent, that causes no warning.
const FAR: f64 = 10.0;

/// Why results can't be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {reason}", .path.display())]
pub struct ReportError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Csv(#[from] csv::Error),
    #[error(transparent)]
    Chart(#[from] ChartError),
}

/// A row of a scenario's file.
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

/// The folder for results.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Opens the folder, and creates it if it is missing.
    pub fn open(path: &Path) -> Result<Self, ReportError> {
        let made = fs::create_dir_all(path);
        made.map_err(|reason| error(path.to_owned(), reason))?;
        Ok(Self(path.to_owned()))
    }

    /// Writes every download of a scenario.
    pub fn write_downloads(
        &self,
        results: &Results,
        conditions: &Conditions,
    ) -> Result<PathBuf, ReportError> {
        let rows = results.runs.iter().zip(1..).flat_map(|(run, number)| {
            run.peers
                .iter()
                .enumerate()
                .flat_map(move |(peer, downloads)| {
                    downloads.iter().zip(1..).map(move |(download, seq)| {
                        let Measured { start, end, .. } = download;
                        DownloadRow {
                            run: number,
                            scenario: results.scenario.name(),
                            peer: format!("P{peer}"),
                            seq,
                            rfc: download.number.get(),
                            source: format!("P{}", download.holder),
                            bytes: download.bytes,
                            start_ms: rounded(start.as_secs_f64() * 1000.0),
                            elapsed_ms: rounded(end.saturating_sub(*start).as_secs_f64() * 1000.0),
                            cumulative_ms: rounded(end.as_secs_f64() * 1000.0),
                            upload_rate: conditions.upload_rate,
                        }
                    })
                })
        });
        self.write_csv(&format!("{}.csv", results.scenario), rows)
    }

    /// Writes the totals of all scenarios, runs and peers.
    pub fn write_summary(
        &self,
        all: &[Results],
        conditions: &Conditions,
    ) -> Result<PathBuf, ReportError> {
        let rows = all.iter().flat_map(|results| {
            results.runs.iter().zip(1..).flat_map(move |(run, number)| {
                results.clients().map(move |peer| {
                    let Total { seconds, against } = results.total(run, peer, conditions);
                    SummaryRow {
                        scenario: results.scenario.name(),
                        run: number,
                        peer: format!("P{peer}"),
                        rfcs: downloads(run, peer).len(),
                        mean_bytes: rounded(conditions.mean_size),
                        upload_rate: conditions.upload_rate,
                        total_ms: rounded(seconds * 1000.0),
                        total_units: against.map(|against| rounded(against.measured)),
                        predicted_units: against.map(|against| rounded(against.predicted)),
                        deviation_percent: against.map(|against| rounded(against.deviation)),
                    }
                })
            })
        });
        self.write_csv("summary.csv", rows)
    }

    /// Draws a curve for each peer of a scenario.
    pub fn draw_peers(
        &self,
        results: &Results,
        conditions: &Conditions,
    ) -> Result<PathBuf, ReportError> {
        let curve = |peer| Curve {
            label: label(&format!("P{peer}"), results.mean_total(peer, conditions)),
            seconds: results.curve(&[peer]),
        };
        let picture = Picture {
            title: results.scenario.description().to_owned(),
            conditions: conditions.in_words(),
            curves: results.clients().map(curve).collect(),
        };
        self.draw(&format!("{}.svg", results.scenario), &picture)
    }

    /// Draws the mean curve of each scenario.
    pub fn draw_comparison(
        &self,
        all: &[Results],
        conditions: &Conditions,
    ) -> Result<PathBuf, ReportError> {
        let curve = |results: &Results| {
            let clients: Vec<_> = results.clients().collect();
            let totals = || {
                clients
                    .iter()
                    .map(|&peer| results.mean_total(peer, conditions))
            };
            let seconds = mean(totals().map(|total| total.seconds));
            let predicted = totals().filter_map(|total| Some(total.against?.predicted));
            let total = Total::new(seconds, mean(predicted), conditions);
            Curve {
                label: label(results.scenario.name(), total),
                seconds: results.curve(&clients),
            }
        };
        let picture = Picture {
            title: "Mean over all peers that fetch, by scenario".to_owned(),
            conditions: conditions.in_words(),
            curves: all.iter().map(curve).collect(),
        };
        self.draw("comparison.svg", &picture)
    }

    fn draw(&self, name: &str, picture: &Picture) -> Result<PathBuf, ReportError> {
        let path = self.0.join(name);
        let svg = chart::draw(picture).map_err(|reason| error(path.clone(), reason))?;
        write(path, svg.as_bytes())
    }

    fn write_csv(
        &self,
        name: &str,
        rows: impl Iterator<Item = impl Serialize>,
    ) -> Result<PathBuf, ReportError> {
        let path = self.0.join(name);
        let text = to_csv(rows).map_err(|reason| error(path.clone(), reason))?;
        write(path, &text)
    }
}

fn to_csv(rows: impl Iterator<Item = impl Serialize>) -> csv::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut text);
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush()?;
    drop(writer);
    Ok(text)
}

/// Writes a file in one step.
fn write(path: PathBuf, text: &[u8]) -> Result<PathBuf, ReportError> {
    let written = AtomicWriteFile::open(&path).and_then(|mut file| {
        file.write_all(text)?;
        file.commit()
    });
    match written {
        Ok(()) => Ok(path),
        Err(reason) => Err(error(path, reason)),
    }
}

fn error(path: PathBuf, reason: impl Into<Reason>) -> ReportError {
    let reason = reason.into();
    ReportError { path, reason }
}

fn label(name: &str, Total { seconds, against }: Total) -> String {
    match against {
        Some(Against { measured, .. }) => format!("{name}: {seconds:.2} s ({measured:.1} × s/u)"),
        None => format!("{name}: {seconds:.3} s"),
    }
}

/// The totals, as means of all runs, beside the predictions.
pub fn table(all: &[Results], conditions: &Conditions) -> String {
    let mut table = format!(
        "{:<12}  {:<4}  {:>15}  {:>14}  {:>9}  {:>9}\n",
        "scenario", "peer", "predicted (s/u)", "measured (s/u)", "deviation", "total (s)"
    );
    for results in all {
        for peer in results.clients() {
            let Total { seconds, against } = results.mean_total(peer, conditions);
            let [predicted, measured, deviation] = match against {
                Some(against) => [
                    format!("{:.1}", against.predicted),
                    format!("{:.1}", against.measured),
                    format!("{:+.1} %", against.deviation),
                ],
                None => ["-"; 3].map(str::to_owned),
            };
            // Writing to a string can't fail.
            let _ = writeln!(
                table,
                "{:<12}  {:<4}  {predicted:>15}  {measured:>14}  {deviation:>9}  {seconds:>9.3}",
                results.scenario,
                format!("P{peer}"),
            );
        }
    }
    table
}

/// A warning if totals are far from their predictions.
pub fn warning(all: &[Results], conditions: &Conditions) -> Option<String> {
    let far = |results: &Results| {
        let clients = results.clients();
        let deviations = clients.filter_map(|peer| {
            Some(
                results
                    .mean_total(peer, conditions)
                    .against?
                    .deviation
                    .abs(),
            )
        });
        deviations.filter(|deviation| *deviation > FAR).count()
    };
    let count: usize = all.iter().map(far).sum();
    (count > 0).then(|| {
        format!(
            "Warning: {count} of the totals differ by more than {FAR} % from the prediction. Possible \
             causes are other load on this machine, a slow disk for the temporary folder, or tiny \
             files; and where many peers queue, a peer that is slightly ahead gains with every \
             server"
        )
    })
}
