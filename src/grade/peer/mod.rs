//! Grades a peer: plays the index server and other peers, and judges what it sends.

mod form;
mod get;
mod holders;
mod index;
mod menu;
mod seen;
mod subject;
mod uploads;

use std::collections::BTreeSet;

use super::Played;
use super::check::{Held, Sheet, Unmet};
use super::options::Peer;
use crate::program::Stage;
use crate::wire::ci::p2s::Request;
use form::{in_form, refusal};
use seen::What;
use subject::{Registered, Subject, added};

/// The place of the large document among those of the grader.
const LARGE: u32 = 2;

/// A part of the conversation that judges some checks.
struct Scenario {
    checks: &'static [&'static str],
    play: fn(&Subject<'_>, &Registered, &mut Sheet) -> Held,
}

/// All scenarios in the order in which they are played. The last one ends the peer.
const SCENARIOS: &[Scenario] = &[
    Scenario {
        checks: &[
            "add-port",
            "get-ok",
            "get-body",
            "get-headers",
            "get-closes",
        ],
        play: uploads::document,
    },
    Scenario {
        checks: &["get-404", "get-400", "get-505", "get-error-form"],
        play: uploads::errors,
    },
    Scenario {
        checks: &["get-parallel"],
        play: uploads::parallel,
    },
    Scenario {
        checks: &["lookup-form", "answer-together"],
        play: menu::lookup,
    },
    Scenario {
        checks: &["list-form"],
        play: menu::list,
    },
    Scenario {
        checks: &["get-flow", "get-request-form", "get-identical"],
        play: menu::get,
    },
    Scenario {
        checks: &["get-unknown"],
        play: menu::get_unknown,
    },
    Scenario {
        checks: &["get-next-holder"],
        play: menu::next_holder,
    },
    Scenario {
        checks: &["answer-split"],
        play: menu::split,
    },
    Scenario {
        checks: &["exit-closes"],
        play: menu::exit,
    },
];

/// Plays all scenarios that have a chosen check.
pub(super) fn grade(options: &Peer, sheet: &mut Sheet, stage: &Stage) -> Played {
    let run = options.running.run.as_deref();
    let target = run.unwrap_or("the peer that connected").to_owned();
    let mut subject = match Subject::new(options, stage) {
        Ok(subject) => subject,
        Err(failure) => {
            return Played {
                target,
                notes: Vec::new(),
                ended: Err(failure),
            };
        }
    };
    let ended = subject.start();
    if ended.is_ok() {
        let joined = subject.join();
        match sheet.judge("joins", joined) {
            Ok(registered) => play(&subject, &registered, sheet),
            Err(Unmet::Skipped(reason)) => skip_all(sheet, &reason),
            Err(Unmet::Failed(finding)) => skip_all(sheet, &finding.message),
        }
    }
    Played {
        target,
        notes: subject.stop(),
        ended,
    }
}

fn skip_all(sheet: &mut Sheet, reason: &str) {
    sheet.skip(&["add-form"], reason);
    for scenario in SCENARIOS {
        sheet.skip(scenario.checks, reason);
    }
}

fn play(subject: &Subject<'_>, registered: &Registered, sheet: &mut Sheet) {
    let mut is_over = None;
    for scenario in SCENARIOS {
        if !sheet.wants(scenario.checks) {
            continue;
        }
        is_over = is_over.or_else(|| subject.is_over());
        if let Some(reason) = is_over {
            sheet.skip(scenario.checks, reason);
            continue;
        }
        let reason = match (scenario.play)(subject, registered, sheet) {
            Ok(()) => continue,
            Err(Unmet::Skipped(reason)) => reason,
            Err(Unmet::Failed(finding)) => finding.message,
        };
        sheet.skip(scenario.checks, &reason);
    }
    let _ = sheet.judge("add-form", adds(subject));
}

/// Whether every ADD has its form, also those after a download. What the peer has sent besides and
/// was refused is no LOOKUP and no LIST: it counts as an ADD. Others may connect to the index too.
fn adds(subject: &Subject<'_>) -> Held {
    let events = subject.seen.since(0);
    let own: BTreeSet<_> = events
        .iter()
        .filter(|event| added(event).is_some())
        .map(|event| event.link)
        .collect();
    let is_of_menu = |bytes: &[u8]| bytes.starts_with(b"LOOKUP") || bytes.starts_with(b"LIST");
    events.iter().try_for_each(|event| match &event.what {
        What::Asked(asked) if added(event).is_some() => in_form(asked),
        What::Asked(asked) if matches!(asked.request, Request::Greeting) => {
            let why = "the protocol has no such request: the first ADD registers a peer";
            Err(refusal(&asked.bytes, why))
        }
        What::Wrong(bytes, why) if own.contains(&event.link) && !is_of_menu(bytes) => {
            Err(refusal(bytes, why))
        }
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::checks::PEER;
    use super::*;

    #[test]
    fn every_check_belongs_to_one_scenario() {
        let mut played: Vec<_> = SCENARIOS.iter().flat_map(|it| it.checks).copied().collect();
        played.extend(["joins", "add-form"]);
        let mut all: Vec<_> = PEER.iter().map(|check| check.name).collect();
        played.sort_unstable();
        all.sort_unstable();
        assert_eq!(played, all);
    }
}
