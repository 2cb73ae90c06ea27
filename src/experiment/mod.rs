//! The experiment of P2P-DI/1.0, section 5: what a server costs that everybody asks, and what peers
//! gain that share the work.
//!
//! A scenario makes a `plan` of the [`Options`]: who has which `documents`, and who fetches what from
//! whom in which order. `model` says how long that takes in theory, `run` does it in a `network` of
//! the real registration server and real peers over loopback, `results` compares the two, `report`
//! writes the figures and `chart` draws them. Nothing here is a simulation but the model.

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
/// `upload_rate` bytes a second; 0 is no limit.
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

/// Runs every scenario as often as is wanted and writes the results of each once it is done, so that
/// they stay where a later one fails. Returns the paths as well.
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
