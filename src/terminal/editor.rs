//! The prompt: a line editor with history and completion.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Cmd, CompletionType, Config, Context, Event, EventHandler, Helper, KeyEvent};
use tracing::debug;

use super::escape::escaped;
use super::keys::{CtrlZ, OneKey};
use super::screen::{Modes, Screen};
use super::suspend::Suspension;

/// How many lines the history keeps,
const HISTORY: usize = 1000;
/// and the largest history file that is read, in bytes.
const MAX_HISTORY_FILE: u64 = 1024 * 1024;
/// How many candidates are offered at a time. Nobody reads more, and the editor can't show an
/// unlimited number.
const MOST_CANDIDATES: usize = 200;
/// How many numbers are remembered.
const MOST_NUMBERS: usize = 100_000;
/// How many characters of a title a candidate shows.
const TITLE_SHOWN: usize = 60;
/// How long a line above the prompt may take to appear.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// What the first Ctrl-C says where the second one ends the program.
pub(crate) const PRESS_AGAIN: &str = "Press Ctrl-C again to quit";

/// The kind of answer that a prompt expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A choice by its number or name, perhaps with an argument.
    Choice,
    /// The number of an RFC.
    Number,
    /// Anything else. It is not completed and not added to the history.
    Text,
    /// One key, without Enter. Its answer is the character of the key, or nothing for Enter.
    Key,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The answer, without spaces around it.
    Line(String),
    /// The person wants to go back: Ctrl-C, or Ctrl-D on an empty line.
    Back,
    /// The input has ended.
    End,
}

/// What completion offers: the names of choices, and RFC numbers with their titles. Clones share
/// the same state.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    choices: Vec<String>,
    numbers: BTreeMap<u32, String>,
}

impl Vocabulary {
    /// Sets the names of the choices.
    pub fn set_choices<'a>(&self, choices: impl IntoIterator<Item = &'a str>) {
        self.0.lock().choices = choices.into_iter().map(str::to_owned).collect();
    }

    /// Adds numbers, each with its title.
    pub fn add_numbers(&self, numbers: impl Iterator<Item = (u32, String)>) {
        let mut words = self.0.lock();
        for (number, title) in numbers {
            if words.numbers.len() >= MOST_NUMBERS {
                words.numbers.clear();
            }
            words.numbers.insert(number, title);
        }
    }

    /// The position in `line` of the word to complete, and its candidates.
    fn complete(&self, line: &str, expected: Expected) -> (usize, Vec<Pair>) {
        let start = line.rfind(' ').map_or(0, |space| space + 1);
        let word = line.get(start..).unwrap_or_default().to_ascii_lowercase();
        let words = self.0.lock();
        let candidates = match expected {
            Expected::Text | Expected::Key => Vec::new(),
            Expected::Choice if start == 0 => {
                let fitting = words.choices.iter().filter(|c| c.starts_with(&word));
                fitting.map(|choice| pair(choice, choice)).collect()
            }
            Expected::Choice | Expected::Number => {
                let digits = word.strip_prefix("rfc").unwrap_or(&word);
                let shown = words.numbers.iter().filter_map(|(number, title)| {
                    let number = number.to_string();
                    let fits = number.starts_with(digits);
                    fits.then(|| {
                        let title: String = title.chars().take(TITLE_SHOWN).collect();
                        let title = escaped(title.as_bytes(), false);
                        pair(&number, &format!("{number} {title}"))
                    })
                });
                shown.take(MOST_CANDIDATES).collect()
            }
        };
        (start, candidates)
    }
}

fn pair(replacement: &str, display: &str) -> Pair {
    Pair {
        display: display.to_owned(),
        replacement: replacement.to_owned(),
    }
}

/// Reads lines from a person at a terminal.
pub struct Editor {
    lines: rustyline::Editor<Completion, FileHistory>,
    history: Option<PathBuf>,
    screen: Screen,
    key: OneKey,
}

impl std::fmt::Debug for Editor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Editor")
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

impl Editor {
    /// An editor on the screen, with the history of earlier runs in the file `history`. Fails if
    /// the terminal can't be used.
    pub fn open(
        screen: Screen,
        vocabulary: Vocabulary,
        history: Option<PathBuf>,
    ) -> rustyline::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            // While the editor waits for a second Tab, nothing appears above the prompt.
            .completion_show_all_if_ambiguous(true)
            .max_history_size(HISTORY)?
            .history_ignore_dups(true)?
            // Each line of a pasted session is a separate answer.
            .bracketed_paste(false)
            .build();
        let mut editor = rustyline::Editor::with_config(config)?;
        let suspension = Suspension::watch(screen.clone())?;
        Modes::set_control_keys();
        let stopping = EventHandler::Conditional(Box::new(CtrlZ(suspension.clone())));
        editor.bind_sequence(KeyEvent::ctrl('z'), stopping);
        editor.set_helper(Some(Completion {
            vocabulary,
            expected: Expected::Text,
            has_text: Cell::new(false),
            suspension,
        }));
        if let Some(folder) = history.as_deref().and_then(Path::parent) {
            // If the folder can't be created, there is no saved history, which is no reason to
            // fail.
            let _ = fs::create_dir_all(folder);
        }
        let history = history.filter(|history| is_usable(history));
        if let Some(history) = &history {
            let _ = editor.load_history(history);
            // The editor can't show control characters, and we print none in a prompt.
            if editor
                .history()
                .iter()
                .any(|line| line.contains(char::is_control))
            {
                let _ = editor.clear_history();
            }
        }
        for key in ['v', 'q'] {
            // Nor can it take them as input.
            editor.bind_sequence(KeyEvent::ctrl(key), Cmd::Noop);
        }
        let key = OneKey::default();
        let handler = EventHandler::Conditional(Box::new(key.clone()));
        editor.bind_sequence(Event::Any, handler);
        screen.print_above_with(editor.create_external_printer()?);
        Ok(Self {
            lines: editor,
            history,
            screen,
            key,
        })
    }

    /// Reads an answer. Where a choice is expected, Ctrl-C clears the line, and ends the input if
    /// pressed twice in a row, and Ctrl-D ends it.
    pub fn read(&mut self, prompt: &str, expected: Expected) -> Answer {
        if let Some(helper) = self.lines.helper_mut() {
            helper.expected = expected;
        }
        self.key.expect(expected == Expected::Key);
        self.forget_text();
        let mut was_interrupted = false;
        loop {
            self.screen.prompt(true);
            let read = self.lines.readline(prompt);
            let is_step = matches!(&read, Ok(line) if line.is_empty()) && self.screen.go_on();
            self.screen.prompt(false);
            match read {
                Ok(_) if is_step => {}
                Ok(line) => {
                    let line = line.trim();
                    if matches!(expected, Expected::Choice | Expected::Number) && !line.is_empty() {
                        self.remember(line);
                    }
                    let key = self.key.take();
                    return Answer::Line(key.unwrap_or_else(|| line.to_owned()));
                }
                Err(ReadlineError::Interrupted | ReadlineError::Eof)
                    if expected != Expected::Choice =>
                {
                    return Answer::Back;
                }
                Err(ReadlineError::Interrupted) => {
                    if was_interrupted && !self.had_text() {
                        return Answer::End;
                    }
                    was_interrupted = true;
                    self.forget_text();
                    self.screen.say_now(PRESS_AGAIN, SETTLE_TIME);
                }
                // A line that is not UTF-8 is neither an answer nor the end.
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {}
                Err(_) => return Answer::End,
            }
        }
    }

    /// Whether text was typed into the last line.
    fn had_text(&self) -> bool {
        let helper = self.lines.helper();
        helper.is_some_and(|helper| helper.has_text.get())
    }

    fn forget_text(&self) {
        if let Some(helper) = self.lines.helper() {
            helper.has_text.set(false);
        }
    }

    fn remember(&mut self, line: &str) {
        if line.contains(char::is_control) {
            return;
        }
        let added = self.lines.add_history_entry(line);
        if let (Ok(true), Some(history)) = (added, &self.history)
            && let Err(error) = self.lines.append_history(history)
        {
            debug!(%error, "the history is not kept");
        }
    }
}

/// Whether a file can be the history: it is missing, or not too large.
fn is_usable(history: &Path) -> bool {
    match fs::metadata(history) {
        Ok(found) => found.is_file() && found.len() <= MAX_HISTORY_FILE,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Only completion; the editor's other helper features are unused.
struct Completion {
    vocabulary: Vocabulary,
    expected: Expected,
    /// Whether text was typed.
    has_text: Cell<bool>,
    suspension: Suspension,
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or(line);
        Ok(self.vocabulary.complete(before, self.expected))
    }
}

/// This gives no hints, but it is where a helper sees each change of the line.
impl Hinter for Completion {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.has_text.set(self.has_text.get() || !line.is_empty());
        self.suspension.learn_modes();
        None
    }
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    fn completions(line: &str, expected: Expected) -> Vec<String> {
        let vocabulary = Vocabulary::default();
        vocabulary.set_choices(["add", "lookup", "list"]);
        let numbers = [(791, "Internet Protocol"), (793, "TCP"), (1, "Host")];
        vocabulary.add_numbers(numbers.map(|(n, title)| (n, title.to_owned())).into_iter());
        let (start, pairs) = vocabulary.complete(line, expected);
        let whole = |pair: Pair| format!("{}{}", &line[..start], pair.replacement);
        pairs.into_iter().map(whole).collect()
    }

    #[test]
    fn choices_and_numbers_are_completed_in_place() {
        use Expected::{Choice, Number, Text};
        assert_eq!(completions("l", Choice), ["lookup", "list"]);
        assert_eq!(
            completions("lookup 79", Choice),
            ["lookup 791", "lookup 793"]
        );
        assert_eq!(completions("get rfc1", Choice), ["get 1"]);
        assert_eq!(completions("79", Number), ["791", "793"]);
        assert_eq!(completions("RFC 791", Number), ["RFC 791"]);
        assert!(completions("x", Choice).is_empty());
        assert!(completions("79", Text).is_empty());
    }

    #[test]
    fn long_lists_from_strangers_give_few_candidates_and_none_controls_the_terminal() {
        let vocabulary = Vocabulary::default();
        let title = "\u{202e}x".repeat(500);
        vocabulary.add_numbers((1..=300_000).map(|number| (number, title.clone())));
        assert!(vocabulary.0.lock().numbers.len() <= MOST_NUMBERS);
        let (_, offered) = vocabulary.complete("", Expected::Number);
        assert_eq!(offered.len(), MOST_CANDIDATES);
        assert!(
            offered
                .iter()
                .all(|pair| !pair.display.contains('\u{202e}'))
        );
        assert!(
            offered
                .iter()
                .all(|pair| pair.display.len() < 10 * TITLE_SHOWN)
        );
    }
}
