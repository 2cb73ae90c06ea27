//! The choices of the menu, and what a person may type for each.

use std::fmt;

use crate::node::Kind;
use crate::terminal::locale;

/// A choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Add,
    Lookup,
    List,
    Get,
    Exit,
    Find,
    Status,
    Help,
}

/// The names of the choices, in the order of the help. Any unambiguous beginning works as well.
const NAMES: [(&str, Choice); 9] = [
    ("add", Choice::Add),
    ("lookup", Choice::Lookup),
    ("list", Choice::List),
    ("get", Choice::Get),
    ("exit", Choice::Exit),
    ("find", Choice::Find),
    ("status", Choice::Status),
    ("help", Choice::Help),
    ("quit", Choice::Exit),
];

/// The entries of the menu, whose numbers count from 1.
const ENTRIES: [(Choice, &str); 5] = [
    (Choice::Add, "ADD"),
    (Choice::Lookup, "LOOKUP"),
    (Choice::List, "LIST"),
    (Choice::Get, "GET"),
    (Choice::Exit, "EXIT"),
];

/// The question for a choice; after a slip it comes without the menu.
pub(super) const QUESTION: &str = "Choice: ";

/// The help on the choices.
pub(super) const HELP: [&str; 12] = [
    "A choice is its number, its name, or the beginning of its name.",
    "Arguments may follow:",
    "  1  add [N [TITLE]]          register an RFC",
    "  2  lookup [N [TITLE]]       show who has an RFC",
    "  3  list [WORDS] [by title]  show the records of the index, or some;",
    "                              by number, title or host",
    "  4  get [N...]               download RFCs: 123, rfc123, 8600-8605, all",
    "  5  exit                     leave and quit",
    "     find [WORDS]             show what all peers share, or these titles",
    "     status                   show the state of this peer",
    "At a question, Enter or Ctrl-C goes back (an empty title is an answer).",
    "During a download, Ctrl-C cancels it; a second one cancels the rest.",
];

/// How similar a slip is to the name that was meant, from 0 to 1: the same limit as for commands.
const SIMILAR: f64 = 0.7;

/// Why what was typed is no choice.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slip {
    Nothing,
    Unknown,
    /// It is the beginning of several names.
    Ambiguous(Vec<&'static str>),
}

/// The menu with its question.
pub(super) fn menu(kind: Kind) -> String {
    let dash = if locale::has_unicode() { '—' } else { '-' };
    let entry = |(number, (choice, name))| {
        let what = description(choice, kind);
        format!("{number}. {name:<6} {dash} {what}\n")
    };
    let entries: String = (1..).zip(ENTRIES).map(entry).collect();
    entries + QUESTION
}

/// What an entry does. With a central index the words are those of the protocol page (section 6).
/// Elsewhere no server has records, and LIST of P2P-DI asks nobody.
const fn description(choice: Choice, kind: Kind) -> &'static str {
    match (choice, kind) {
        (Choice::Add, Kind::Central) => "register an RFC with the server",
        (Choice::Add, _) => "share an RFC with the other peers",
        (Choice::Lookup, _) => "find which peers have an RFC",
        (Choice::List, Kind::Distributed) => "list all RFCs that this peer knows of",
        (Choice::List, _) => "list all RFCs that peers share",
        (Choice::Get, _) => "download an RFC (LOOKUP, GET, ADD)",
        (Choice::Exit, _) => "leave and quit",
        (Choice::Find | Choice::Status | Choice::Help, _) => "",
    }
}

/// The names of all choices.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().map(|(name, _)| name)
}

impl Choice {
    /// Reads the first word of a line.
    pub(super) fn read(word: &str) -> Result<Self, Slip> {
        let word = word.to_ascii_lowercase();
        if word.is_empty() {
            return Err(Slip::Nothing);
        }
        if let Ok(number) = word.parse::<usize>() {
            let entry = number.checked_sub(1).and_then(|place| ENTRIES.get(place));
            return entry.map(|(choice, _)| *choice).ok_or(Slip::Unknown);
        }
        if word == "?" {
            return Ok(Self::Help);
        }
        let begin = |(name, _): &(&str, Self)| name.starts_with(&word);
        let fitting: Vec<_> = NAMES.into_iter().filter(begin).collect();
        match fitting[..] {
            [] => Err(Slip::Unknown),
            [(_, choice)] => Ok(choice),
            _ => {
                let names = fitting.into_iter().map(|(name, _)| name);
                Err(Slip::Ambiguous(names.collect()))
            }
        }
    }
}

impl Slip {
    /// What to say about this line.
    pub(super) fn about(&self, line: &str) -> impl fmt::Display {
        let choose = "type a number from 1 to 5";
        match self {
            Self::Nothing => format!("Nothing was chosen: {choose}."),
            Self::Unknown => match similar(line) {
                Some(name) => format!("Unknown choice {line:?}: did you mean {name}?"),
                None => format!("Unknown choice {line:?}: {choose}, or help."),
            },
            Self::Ambiguous(names) => format!("{line:?} is ambiguous: {}.", names.join(" or ")),
        }
    }
}

/// The name that the first word of a line is most similar to, if it is not that name.
fn similar(line: &str) -> Option<&'static str> {
    let word = line.split_whitespace().next()?.to_ascii_lowercase();
    let similarity = |name| (strsim::jaro(&word, name), name);
    let (score, name) = names()
        .map(similarity)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (score > SIMILAR && name != word).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_number_a_name_or_the_beginning_of_one() {
        for (word, choice) in [
            ("1", Choice::Add),
            ("5", Choice::Exit),
            ("lo", Choice::Lookup),
            ("LI", Choice::List),
            ("quit", Choice::Exit),
            ("q", Choice::Exit),
            ("e", Choice::Exit),
            ("h", Choice::Help),
            ("?", Choice::Help),
            ("f", Choice::Find),
        ] {
            assert_eq!(Choice::read(word), Ok(choice), "{word}");
        }
        assert_eq!(Choice::read(""), Err(Slip::Nothing));
        for word in ["0", "6", "-1", "lists", "99999999999999999999"] {
            assert_eq!(Choice::read(word), Err(Slip::Unknown), "{word}");
        }
        let slip = Choice::read("l").unwrap_err();
        let said = slip.about("l").to_string();
        assert_eq!(said, "\"l\" is ambiguous: lookup or list.");
    }

    #[test]
    fn an_unknown_choice_names_a_similar_one_or_help() {
        for (line, said) in [
            ("lokup 12", "did you mean lookup?"),
            ("FNID x", "did you mean find?"),
            ("6", "type a number from 1 to 5, or help."),
            ("xyzzy 5", "type a number from 1 to 5, or help."),
            ("exit now", "type a number from 1 to 5, or help."),
        ] {
            let about = Slip::Unknown.about(line).to_string();
            assert_eq!(about, format!("Unknown choice {line:?}: {said}"));
        }
    }

    #[test]
    fn the_help_fits_a_terminal_of_80_columns() {
        for line in HELP {
            assert!("[PEER] ".len() + line.len() <= 80, "{line}");
        }
    }

    #[test]
    fn the_menu_is_the_one_of_the_protocol_page() {
        let menu = menu(Kind::Central).replace('—', "-");
        let expected = "1. ADD    - register an RFC with the server\n\
                        2. LOOKUP - find which peers have an RFC\n\
                        3. LIST   - list all RFCs that peers share\n\
                        4. GET    - download an RFC (LOOKUP, GET, ADD)\n\
                        5. EXIT   - leave and quit\nChoice: ";
        assert_eq!(menu, expected);
    }

    #[test]
    fn without_a_central_index_the_menu_names_no_server() {
        let entries = |kind| {
            let menu = menu(kind).replace('—', "-");
            menu.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let central = entries(Kind::Central);
        for (kind, list) in [
            (
                Kind::Distributed,
                "3. LIST   - list all RFCs that this peer knows of",
            ),
            (Kind::Dht, "3. LIST   - list all RFCs that peers share"),
        ] {
            let entries = entries(kind);
            assert_eq!(entries[0], "1. ADD    - share an RFC with the other peers");
            assert_eq!(entries[1], central[1]);
            assert_eq!(entries[2], list);
            assert_eq!(entries[3..], central[3..]);
        }
    }
}
