//! Grades an index server: connects as several peers, and judges the answers.

mod answer;
mod errors;
mod form;
mod leaving;
mod peer;
mod records;
mod robust;
mod serial;
mod stop;
mod target;

use super::Played;
use super::check::{Held, Sheet, Unmet};
use super::options::Server;
use crate::program::Stage;
use target::Target;

/// A part of the conversation that judges some checks.
struct Scenario {
    checks: &'static [&'static str],
    /// Whether it is impossible if no ADD is answered with 200.
    needs_records: bool,
    play: fn(&Target<'_>, &mut Sheet) -> Held,
}

const fn scenario(
    checks: &'static [&'static str],
    play: fn(&Target<'_>, &mut Sheet) -> Held,
) -> Scenario {
    Scenario {
        checks,
        needs_records: true,
        play,
    }
}

/// An error does not depend on records.
const fn error(
    checks: &'static [&'static str],
    play: fn(&Target<'_>, &mut Sheet) -> Held,
) -> Scenario {
    Scenario {
        checks,
        needs_records: false,
        play,
    }
}

/// All scenarios in the order in which they are played: first what others depend on, last what may
/// end a server that is not robust.
const SCENARIOS: &[Scenario] = &[
    error(&["add-ok", "add-record", "add-form"], records::add),
    scenario(&["add-several"], records::add_several),
    scenario(&["list-all", "list-form"], records::list),
    scenario(&["lookup-records", "lookup-form"], records::lookup),
    scenario(&["lookup-by-number"], records::lookup_by_number),
    error(&["lookup-404", "lookup-404-form"], errors::not_found),
    error(&["host-missing-400"], errors::host_missing),
    error(
        &["method-400", "version-505", "error-form", "goes-on"],
        errors::method_and_version,
    ),
    scenario(&["close-forgets"], leaving::close),
    scenario(&["reset-forgets"], leaving::reset),
    error(&["number-400"], errors::number_in_words),
    error(&["port-400"], errors::port),
    error(&["version-missing"], errors::version_missing),
    scenario(&["split"], robust::split),
    scenario(&["pipelined"], robust::pipelined),
    scenario(&["concurrent"], robust::concurrent),
    scenario(&["same-host"], robust::same_host),
    scenario(&["long-title"], robust::long_title),
    scenario(&["garbage"], robust::garbage),
];

/// Plays all scenarios that have a chosen check.
pub(super) fn grade(options: &Server, sheet: &mut Sheet, stage: &Stage) -> Played {
    let mut target = Target::new(options, stage);
    let ended = target.find();
    if ended.is_ok() {
        play(&mut target, sheet);
    }
    Played {
        notes: target.stop(),
        target: target.name(),
        ended,
    }
}

fn play(target: &mut Target<'_>, sheet: &mut Sheet) {
    let mut has_records = true;
    for scenario in SCENARIOS {
        if !sheet.wants(scenario.checks) {
            continue;
        }
        let held = if scenario.needs_records && !has_records {
            Err(Unmet::Skipped("no ADD was answered with 200".to_owned()))
        } else {
            play_one(scenario, target, sheet)
        };
        let is_serial = serial::explain(target, sheet, scenario.checks, &held);
        let reason = match held {
            Ok(()) => continue,
            Err(Unmet::Skipped(reason)) if is_serial => reason + "; " + serial::IS_SERIAL,
            Err(Unmet::Skipped(reason)) => reason,
            Err(Unmet::Failed(finding)) => finding.message,
        };
        sheet.skip(scenario.checks, &reason);
        has_records &= !sheet.has_failed("add-ok");
    }
}

/// Plays a scenario, if there is time for it and the program runs.
fn play_one(scenario: &Scenario, target: &mut Target<'_>, sheet: &mut Sheet) -> Held {
    target.in_time()?;
    let is_fresh = target.revive()?;
    let held = (scenario.play)(target, sheet);
    let is_skipped = matches!(held, Err(Unmet::Skipped(_))) && !sheet.has_judged(scenario.checks);
    // A program may end only now because of what the scenario before did to it.
    if is_skipped && !is_fresh && target.in_time().is_ok() && target.revive()? {
        return (scenario.play)(target, sheet);
    }
    held
}

#[cfg(test)]
mod tests {
    use super::super::checks::SERVER;
    use super::*;

    #[test]
    fn every_check_belongs_to_one_scenario() {
        let mut played: Vec<_> = SCENARIOS.iter().flat_map(|it| it.checks).copied().collect();
        let mut all: Vec<_> = SERVER.iter().map(|check| check.name).collect();
        played.sort_unstable();
        all.sort_unstable();
        assert_eq!(played, all);
    }
}
