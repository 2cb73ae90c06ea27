//! Grades saved printouts: finds the messages, and says what they show and where they deviate.

mod counts;
mod downloads;
mod exchanges;
mod form;
mod lines;
mod messages;
mod sides;

use std::path::PathBuf;

use super::Played;
use super::check::{Held, Sheet, Unmet};
use super::excerpt::one_line;
use crate::file_error::FileError;
use crate::net::Stop;
use crate::program::Failure;
use crate::terminal::escape::escaped;
use crate::wire::ci::p2s::Request;
use crate::wire::{Head, Waits};
use exchanges::Exchange;
use lines::Line;
use messages::Message;

/// The most places and findings of one kind that a report has.
const MOST: usize = 20;

/// One printout.
#[derive(Debug)]
struct File {
    name: String,
    exchanges: Vec<Exchange>,
    /// Responses without a request.
    unasked: Vec<Message>,
    is_server: bool,
}

/// Something that deviates, with its file and line.
type Findings = Vec<String>;

pub(super) use lines::check;

/// Judges the printouts in these files.
pub(super) fn grade(paths: &[PathBuf], sheet: &mut Sheet, stop: &Stop) -> Played {
    let names: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let target = names.join(", ");
    match read(paths, stop) {
        Err(error) => Played {
            target,
            notes: Vec::new(),
            ended: Err(Failure::other(error)),
        },
        Ok(files) => Played {
            target,
            notes: judge(&files, sheet, stop),
            ended: Ok(()),
        },
    }
}

/// Reads the files until a stop.
fn read(paths: &[PathBuf], stop: &Stop) -> Result<Vec<File>, FileError> {
    let paths = paths.iter().take_while(|_| stop.signal().is_none());
    paths
        .map(|path| Ok(File::new(path.display().to_string(), &lines::read(path)?)))
        .collect()
}

impl File {
    fn new(name: String, lines: &[Line]) -> Self {
        let messages = messages::find(lines);
        let has_tag = lines.iter().any(|line| line.text.contains("[SERVER]"));
        let is_server = has_tag || name.to_ascii_lowercase().contains("server");
        let (exchanges, unasked) = exchanges::pair(messages);
        Self {
            name,
            exchanges,
            unasked,
            is_server,
        }
    }

    fn has_messages(&self) -> bool {
        !self.exchanges.is_empty() || !self.unasked.is_empty()
    }

    /// Its name, as reports show it.
    fn name(&self) -> String {
        escaped(self.name.as_bytes(), false)
    }

    /// A place in it, as reports name it.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.name())
    }

    /// A finding about a line.
    fn finding(&self, line: usize, what: &str) -> String {
        format!("{}: {}", self.at(line), one_line(what.as_bytes()))
    }
}

/// Judges all checks. Returns by which lines the scenarios are shown, and what is not compared. After
/// a stop the rest is left out: nobody reads it.
fn judge(files: &[File], sheet: &mut Sheet, stop: &Stop) -> Vec<String> {
    let mut notes = Vec::new();
    let files_until_stop = || files.iter().take_while(|_| stop.signal().is_none());
    for (check, is_it) in exchanges::SCENARIOS {
        let places = files_until_stop().flat_map(|file| {
            let shown = file.exchanges.iter().filter(|it| is_it(it));
            shown.map(|it| file.at(it.request.number))
        });
        note(sheet, check, &places.collect::<Vec<_>>(), &mut notes);
    }
    let leaving = files_until_stop().flat_map(|file| {
        let lines = exchanges::leaving(file);
        lines.into_iter().map(|line| file.at(line))
    });
    note(
        sheet,
        "shows-leaving",
        &leaving.collect::<Vec<_>>(),
        &mut notes,
    );
    let (full, empty): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.has_messages());
    if full.is_empty() {
        let reason = "no message was found: programs must print what they send and receive";
        sheet.skip(&["messages-form", "messages-fit", "sides-agree"], reason);
        return notes;
    }
    if !empty.is_empty() {
        let names: Vec<_> = empty.iter().map(|file| file.name()).collect();
        notes.push(format!(
            "No message was found in {}.",
            bounded(&names, ", ")
        ));
    }
    let form: Findings = files_until_stop().flat_map(form::findings).collect();
    let _ = sheet.judge("messages-form", held(&form));
    let fit: Findings = files_until_stop().flat_map(exchanges::findings).collect();
    let _ = sheet.judge("messages-fit", held(&fit));
    if sheet.wants(&["sides-agree"]) && stop.signal().is_none() {
        let agree = sides::findings(&full, &mut notes).and_then(|it| held(&it));
        let _ = sheet.judge("sides-agree", agree);
    }
    notes.push(
        "Line ends are judged only where a printout shows them, as \\r\\n, and empty lines where it \
         shows any: a terminal need not."
            .to_owned(),
    );
    notes
}

/// Judges whether something is shown, and notes where.
fn note(sheet: &mut Sheet, check: &'static str, places: &[String], notes: &mut Vec<String>) {
    if !sheet.wants(&[check]) {
        return;
    }
    if places.is_empty() {
        let _ = sheet.judge::<()>(check, Err(Unmet::failed("no printout shows it")));
        return;
    }
    let _ = sheet.judge(check, Ok(()));
    notes.push(format!("{check}: {}", bounded(places, ", ")));
}

fn held(findings: &[String]) -> Held {
    if findings.is_empty() {
        return Ok(());
    }
    Err(Unmet::failed(bounded(findings, "\n")))
}

/// Joins the first of them, and counts the others.
fn bounded(all: &[String], between: &str) -> String {
    let mut shown: Vec<_> = all.iter().take(MOST).cloned().collect();
    if all.len() > MOST {
        shown.push(format!("and {} more", all.len() - MOST));
    }
    shown.join(between)
}

/// A request to the index, if the message is one.
fn request(message: &Message) -> Option<Request> {
    Request::parse(&head(message)?).ok()
}

fn head(message: &Message) -> Option<Head> {
    let waits = Waits {
        first: None,
        whole: std::time::Duration::MAX,
    };
    let bytes = message.head_bytes();
    Head::read(&mut bytes.as_slice(), waits).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_or_judged_after_a_stop() {
        let stop = Stop::default();
        let missing = [PathBuf::from("missing.txt")];
        assert!(read(&missing, &stop).is_err());
        let text = "ADD RFC 1 P2P-CI/1.0\n";
        let files = [File::new("peer.txt".to_owned(), &lines::of(text))];
        let is_judged = |stop: &Stop| {
            let mut sheet = Sheet::new(Vec::new());
            judge(&files, &mut sheet, stop);
            sheet.has_failed("messages-fit")
        };
        assert!(is_judged(&stop));
        stop.now(2);
        assert!(read(&missing, &stop).is_ok_and(|files| files.is_empty()));
        assert!(!is_judged(&stop));
    }
}
