//! The measurements, their conditions, and how they compare with the prediction. It uses no files.

use super::documents::float;
use super::run::{Measured, Run};
use super::{Parameters, Scenario};

/// The conditions of the measurement.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// The numbers of peers and documents.
    pub parameters: Parameters,
    /// The mean size s of the documents, in bytes.
    pub mean_size: f64,
    /// The upload rate u of each peer, in bytes per second; 0 means no limit.
    pub upload_rate: u64,
    /// How often each scenario was run.
    pub repeat: u32,
}

/// The results of one scenario.
#[derive(Debug)]
pub struct Results {
    /// The scenario.
    pub scenario: Scenario,
    /// The prediction for each peer, in units of s/u.
    pub predicted: Vec<f64>,
    /// The measurements of each run.
    pub runs: Vec<Run>,
}

impl Conditions {
    /// The time s/u in which a peer delivers one document of mean size, in seconds; `None` without
    /// a rate limit.
    fn unit(&self) -> Option<f64> {
        let unit = self.mean_size / float(self.upload_rate);
        (unit.is_finite() && unit > 0.0).then_some(unit)
    }

    /// The expected time of a run, as the end of a sentence.
    pub(super) fn expected_time(&self, predicted: &[f64]) -> String {
        let longest = predicted.iter().copied().fold(0.0, f64::max);
        self.unit().map_or_else(String::new, |unit| {
            format!(", some {:.1} s", longest * unit)
        })
    }

    /// The line below the title of every picture.
    pub(super) fn in_words(&self) -> String {
        let Self {
            parameters,
            mean_size,
            upload_rate,
            repeat,
        } = self;
        let peers = parameters.peers();
        let documents = parameters.documents();
        let size = size_in_words(*mean_size);
        let rate = match self.unit() {
            Some(unit) => format!(
                "u = {}/s for each peer, s/u = {:.1} ms",
                rate_in_words(float(*upload_rate)),
                unit * 1000.0
            ),
            None => "no upload limit".to_owned(),
        };
        let runs = if *repeat > 1 {
            format!("; means of {repeat} runs")
        } else {
            String::new()
        };
        format!("{peers} peers, {documents} RFCs of s = {size}, {rate}{runs}")
    }
}

/// The total of a peer, in one run or as the mean of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Total {
    /// In seconds.
    pub(super) seconds: f64,
    pub(super) against: Option<Against>,
}

/// A total beside its prediction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Against {
    /// In units of s/u.
    pub(super) measured: f64,
    /// In units of s/u.
    pub(super) predicted: f64,
    /// In percent of the prediction.
    pub(super) deviation: f64,
}

impl Total {
    pub(super) fn new(seconds: f64, predicted: f64, conditions: &Conditions) -> Self {
        let against = conditions.unit().map(|unit| Against {
            measured: seconds / unit,
            predicted,
            deviation: (seconds / unit / predicted - 1.0) * 100.0,
        });
        Self { seconds, against }
    }
}

impl Results {
    /// The peers that fetch at least one document.
    pub(super) fn clients(&self) -> impl Iterator<Item = usize> {
        let fetches = |peer: &usize| {
            self.runs
                .iter()
                .all(|run| !downloads(run, *peer).is_empty())
        };
        (0..self.predicted.len()).filter(fetches)
    }

    /// A peer's total in one run.
    pub(super) fn total(&self, run: &Run, peer: usize, conditions: &Conditions) -> Total {
        let end = downloads(run, peer).last().map(|last| last.end);
        let predicted = self.predicted.get(peer).copied().unwrap_or_default();
        Total::new(end.unwrap_or_default().as_secs_f64(), predicted, conditions)
    }

    /// A peer's mean total over all runs.
    pub(super) fn mean_total(&self, peer: usize, conditions: &Conditions) -> Total {
        let seconds = self
            .runs
            .iter()
            .map(|run| self.total(run, peer, conditions).seconds);
        let predicted = self.predicted.get(peer).copied().unwrap_or_default();
        Total::new(mean(seconds), predicted, conditions)
    }

    /// The time, in seconds, at which each number of RFCs was complete: the mean over runs and the
    /// given peers.
    pub(super) fn curve(&self, peers: &[usize]) -> Vec<f64> {
        let all = || {
            self.runs
                .iter()
                .flat_map(|run| peers.iter().map(|&peer| downloads(run, peer)))
        };
        let length = all().map(<[_]>::len).max().unwrap_or_default();
        let after = |count: usize| {
            let ends = all().filter_map(|downloads| downloads.get(count));
            mean(ends.map(|download| download.end.as_secs_f64()))
        };
        std::iter::once(0.0).chain((0..length).map(after)).collect()
    }
}

pub(super) fn downloads(run: &Run, peer: usize) -> &[Measured] {
    run.peers.get(peer).map_or(&[], Vec::as_slice)
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Rounds to thousandths: to a microsecond if the value is in milliseconds.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// A size such as `50 KiB`, or in bytes if that is not a round number.
fn size_in_words(bytes: f64) -> String {
    let in_kib = bytes / 1024.0;
    if in_kib >= 1.0 && in_kib.fract() == 0.0 {
        format!("{in_kib:.0} KiB")
    } else if in_kib >= 10.0 {
        format!("{in_kib:.1} KiB (mean)")
    } else {
        format!("{bytes:.0} bytes")
    }
}

/// A rate, without its unit of time, such as `2 MB`.
fn rate_in_words(bytes: f64) -> String {
    match bytes {
        1e6.. => format!("{} MB", rounded(bytes / 1e6)),
        1e3.. => format!("{} kB", rounded(bytes / 1e3)),
        _ => format!("{bytes} bytes"),
    }
}
