//! Grades saved printouts: finds the messages, and says what they show and where they deviate.

mod exchanges;
mod form;
mod lines;
mod messages;
mod sides;

use super::Played;
use super::check::{Held, Sheet, Unmet};
use super::excerpt::one_line;
use super::options::Printout;
use crate::file_error::FileError;
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

/// Judges the printouts.
pub(super) fn grade(options: &Printout, sheet: &mut Sheet) -> Played {
    let names: Vec<_> = options
        .files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let target = names.join(", ");
    let files: Result<Vec<_>, FileError> = options
        .files
        .iter()
        .zip(names)
        .map(|(path, name)| Ok(File::new(name, &lines::read(path)?)))
        .collect();
    match files {
        Err(error) => Played {
            target,
            notes: Vec::new(),
            ended: Err(Failure::other(error)),
        },
        Ok(files) => Played {
            target,
            notes: judge(&files, sheet),
            ended: Ok(()),
        },
    }
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

    /// A place in it, as reports name it.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", escaped(self.name.as_bytes(), false))
    }

    /// A finding about a line.
    fn finding(&self, line: usize, what: &str) -> String {
        format!("{}: {}", self.at(line), one_line(what.as_bytes()))
    }
}

/// Judges all checks. Returns by which lines the scenarios are shown.
fn judge(files: &[File], sheet: &mut Sheet) -> Vec<String> {
    let mut notes = Vec::new();
    for (check, is_it) in exchanges::SCENARIOS {
        let places = files.iter().flat_map(|file| {
            let shown = file.exchanges.iter().filter(|it| is_it(it));
            shown.map(|it| file.at(it.request.number))
        });
        note(sheet, check, &places.collect::<Vec<_>>(), &mut notes);
    }
    let leaving = files.iter().flat_map(|file| {
        let lines = exchanges::leaving(file);
        lines.into_iter().map(|line| file.at(line))
    });
    note(
        sheet,
        "shows-leaving",
        &leaving.collect::<Vec<_>>(),
        &mut notes,
    );
    let is_empty = files
        .iter()
        .all(|it| it.exchanges.is_empty() && it.unasked.is_empty());
    if is_empty {
        let reason = "no message was found: programs must print what they send and receive";
        sheet.skip(&["messages-form", "messages-fit", "sides-agree"], reason);
        return notes;
    }
    let form: Findings = files.iter().flat_map(form::findings).collect();
    let _ = sheet.judge("messages-form", held(&form));
    let fit: Findings = files.iter().flat_map(exchanges::findings).collect();
    let _ = sheet.judge("messages-fit", held(&fit));
    let _ = sheet.judge(
        "sides-agree",
        sides::findings(files).and_then(|it| held(&it)),
    );
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
