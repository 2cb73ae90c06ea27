//! The experiment of P2P-DI/1.0, section 5: compares one server that everybody uses with peers that
//! share the work.
//!
//! A scenario turns the [`Options`] into a `plan`: which peer has which `documents`, and fetches
//! what from whom in which order. `model` predicts how long that takes, `run` measures it in a
//! `network` of the real registration server and real peers over loopback, `results` compares the
//! two, `report` writes the figures, and `chart` draws them. Only the model is a simulation.

mod chart;
mod documents;
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

/// Measures, writes the results into files, and prints the totals and the paths. Each peer uploads
/// `upload_rate` bytes per second; 0 means no limit.
pub fn perform(options: &Options, upload_rate: u64, stage: &Stage) -> Result<(), Failure> {
    let measured = measure(options, upload_rate, stage);
    if let Some(signal) = stage.stop.signal() {
        return Err(Failure::reported(Code::Interrupted(signal)));
    }
    let (all, files) = measured?;
    stage.print(|out| {
        writeln!(out, "{}", report::table(&all))?;
        let mut files = files.iter().map(|file| file.display());
        files.try_for_each(|file| writeln!(out, "{file}"))
    })?;
    if let Some(warning) = report::warning(&all) {
        stage.events.notice(Level::Info, warning);
    }
    Ok(())
}

/// Runs every scenario and writes its results at once, so that they survive the failure of a later
/// one. Returns the results and the paths.
fn measure(
    options: &Options,
    upload_rate: u64,
    stage: &Stage,
) -> anyhow::Result<(Vec<Results>, Vec<PathBuf>)> {
    let documents = options.documents()?;
    let conditions = Conditions {
        parameters: options.parameters,
        mean_size: documents.mean_size(),
        upload_rate,
        repeat: options.repeat,
    };
    let report = Report::open(&options.out, conditions)?;
    let (mut all, mut files) = (Vec::new(), Vec::new());
    for scenario in options.scenarios() {
        let plan = scenario.plan(options.parameters);
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
    Ok((all, files))
}
