//! Compares the measurements with the prediction.

use bytesize::ByteSize;

use super::documents::float;
use super::plan::{Parameters, Scenario};
use super::run::{Measured, Run};

/// The conditions of all measurements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    pub(super) parameters: Parameters,
    /// The mean size s of the documents, in bytes.
    pub(super) mean_size: f64,
    /// The upload rate u of each peer, in bytes per second; 0 means no limit.
    pub(super) upload_rate: u64,
    /// The number of runs of each scenario.
    pub(super) repeat: u32,
}

/// The results of one scenario.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) scenario: Scenario,
    /// The predicted time of each peer, in units of s/u.
    pub(super) predicted: Vec<f64>,
    /// The unit s/u, in seconds; `None` without a limit.
    pub(super) unit: Option<f64>,
    pub(super) runs: Vec<Run>,
}

/// A total time. Without an upload limit there is no unit s/u to compare it with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Total {
    pub(super) seconds: f64,
    /// In units of s/u, like the prediction.
    pub(super) measured: Option<f64>,
    pub(super) predicted: Option<f64>,
    /// The deviation from the prediction, in percent.
    pub(super) deviation: Option<f64>,
}

impl Conditions {
    /// The time s/u that a peer takes to upload a document of mean size, in seconds; `None` without
    /// a limit.
    pub(super) fn unit(&self) -> Option<f64> {
        let unit = self.mean_size / float(self.upload_rate);
        (unit.is_finite() && unit > 0.0).then_some(unit)
    }

    /// The subtitle of every chart.
    pub(super) fn in_words(&self) -> String {
        let (peers, documents) = (self.parameters.peers, self.parameters.documents());
        let size = self.mean_size / 1024.0;
        let rate = match self.unit() {
            Some(unit) => format!(
                "u = {}/s for each peer, s/u = {:.1} ms",
                ByteSize(self.upload_rate).display().si(),
                unit * 1000.0
            ),
            None => "no upload limit".to_owned(),
        };
        let runs = match self.repeat {
            1 => String::new(),
            repeat => format!("; means of {repeat} runs"),
        };
        format!("{peers} peers, {documents} RFCs of s = {size:.1} KiB, {rate}{runs}")
    }
}

impl Results {
    /// The expected time of a run, as the end of a sentence.
    pub(super) fn expected_time(&self) -> String {
        let longest = self.predicted.iter().copied().fold(0.0, f64::max);
        let in_words = |unit| format!(", about {:.1} s", longest * unit);
        self.unit.map_or_else(String::new, in_words)
    }

    /// The peers that download anything.
    pub(super) fn clients(&self) -> impl Iterator<Item = usize> {
        let predicted = self.predicted.iter().enumerate();
        predicted.filter_map(|(peer, time)| (*time > 0.0).then_some(peer))
    }

    /// The mean total of a peer over these runs.
    pub(super) fn total(&self, runs: &[Run], peer: usize) -> Total {
        let last = runs.iter().map(|run| downloads(run, peer).last());
        let ends = last.map(|last| last.map_or(0.0, |last| last.end.as_secs_f64()));
        let predicted = self.predicted.get(peer).copied().unwrap_or_default();
        self.compared(mean(ends), predicted)
    }

    /// The mean total of all clients over all runs.
    pub(super) fn mean_total(&self) -> Total {
        let seconds = self
            .clients()
            .map(|peer| self.total(&self.runs, peer).seconds);
        let predicted = self.clients().filter_map(|peer| self.predicted.get(peer));
        self.compared(mean(seconds), mean(predicted.copied()))
    }

    fn compared(&self, seconds: f64, predicted: f64) -> Total {
        let measured = self.unit.map(|unit| seconds / unit);
        Total {
            seconds,
            measured,
            predicted: measured.map(|_| predicted),
            deviation: measured.map(|measured| (measured / predicted - 1.0) * 100.0),
        }
    }

    /// The times, in seconds, after 0, 1, 2, … downloads: means over all runs and the given peers.
    pub(super) fn curve(&self, peers: &[usize]) -> Vec<(u32, f64)> {
        let of_run = |run| peers.iter().map(move |&peer| downloads(run, peer));
        let all: Vec<_> = self.runs.iter().flat_map(of_run).collect();
        let length = all.iter().map(|downloads| downloads.len()).max();
        let after = |count: usize| {
            let ends = all.iter().filter_map(|downloads| downloads.get(count));
            mean(ends.map(|download| download.end.as_secs_f64()))
        };
        let rest = (0..length.unwrap_or_default()).map(after);
        (0..).zip(std::iter::once(0.0).chain(rest)).collect()
    }
}

pub(super) fn downloads(run: &Run, peer: usize) -> &[Measured] {
    run.get(peer).map_or(&[], Vec::as_slice)
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Rounds to thousandths: to microseconds if the value is in milliseconds.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
