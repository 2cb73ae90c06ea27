//! Experiments with a server and many peers in one process, over real sockets.
//!
//! The experiment of P2P-DI/1.0, section 5, compares one server that everybody uses with peers that
//! share the work. A scenario turns the [`Options`] into a `plan`: which peer has which `documents`,
//! and fetches what from whom in which order. `model` predicts how long that takes, `run` measures
//! it in a `network` of the real registration server and real peers over loopback, `results`
//! compares the two, `report` writes the figures, and `chart` draws them. Only the model is a
//! simulation.
//!
//! `compare` is another experiment: what the kinds of index cost, and what they survive.

mod chart;
mod compare;
mod documents;
mod folder;
mod model;
mod network;
mod options;
mod plan;
mod report;
mod results;
mod run;

pub use options::Options;

use std::path::PathBuf;

use anyhow::Context;

use self::report::Report;
use self::results::{Conditions, Results};
use crate::event::Level;
use crate::program::{Code, Failure, Stage};

/// What an experiment has shown.
#[derive(Debug)]
struct Findings {
    /// For standard output.
    table: String,
    /// The files that were written.
    files: Vec<PathBuf>,
    /// What makes the results doubtful.
    warning: Option<String>,
}

/// Measures, writes the results into files, and prints a table and the paths. Each peer uploads
/// `upload_rate` bytes per second; 0 means no limit, and `None` the default of the experiment.
pub fn perform(options: &Options, upload_rate: Option<u64>, stage: &Stage) -> Result<(), Failure> {
    let upload_rate = options.rate(upload_rate);
    let found = if options.compare {
        compare::measure(options, upload_rate, stage)
    } else {
        measure(options, upload_rate, stage)
    };
    if let Some(signal) = stage.stop.signal() {
        return Err(Failure::reported(Code::Interrupted(signal)));
    }
    let found = found?;
    stage.print(|out| {
        writeln!(out, "{}", found.table)?;
        let mut files = found.files.iter().map(|file| file.display());
        files.try_for_each(|file| writeln!(out, "{file}"))
    })?;
    if let Some(warning) = found.warning {
        stage.events.notice(Level::Info, warning);
    }
    Ok(())
}

/// Runs every scenario and writes its results at once, so that they survive the failure of a later
/// one.
fn measure(options: &Options, upload_rate: u64, stage: &Stage) -> anyhow::Result<Findings> {
    let documents = options.documents()?;
    let parameters = options.parameters();
    let conditions = Conditions {
        parameters,
        mean_size: documents.mean_size(),
        upload_rate,
        repeat: options.repeat,
    };
    let report = Report::open(&options.out, conditions)?;
    let (mut all, mut files) = (Vec::new(), Vec::new());
    for scenario in options.scenarios() {
        let plan = scenario.plan(parameters);
        let mut results = Results {
            scenario,
            predicted: model::predict(&plan, &documents.works()),
            unit: conditions.unit(),
            runs: Vec::new(),
        };
        for run in 1..=options.repeat {
            let (name, repeat) = (scenario.name(), options.repeat);
            let (downloads, time) = (plan.downloads(), results.expected_time());
            stage.say(format_args!(
                "{name}, run {run} of {repeat}: {downloads} downloads{time}"
            ));
            let ended = run::run(&plan, &documents, upload_rate, stage);
            let ended = ended.with_context(|| format!("{name}, run {run}"));
            results.runs.push(ended?);
        }
        files.push(report.write_downloads(&results)?);
        files.push(report.draw_peers(&results)?);
        all.push(results);
    }
    files.push(report.write_summary(&all)?);
    files.push(report.draw_comparison(&all)?);
    Ok(Findings {
        table: report::table(&all),
        files,
        warning: report::warning(&all),
    })
}
