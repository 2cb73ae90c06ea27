//! Shows a table one screen at a time: with the user's pager, or with single keys.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use super::console::{Console, Unanswered};
use super::view::COLUMNS;
use crate::printout::Transcript;
use crate::terminal::pages::{height, page, widest};
use crate::terminal::{Expected, Screen, Size};

/// Shows the rows of a table on the screen.
pub(super) fn show(
    rows: &[Vec<String>],
    screen: &Screen,
    console: &mut Console,
    transcript: &Transcript,
) -> Result<(), Unanswered> {
    let size = screen.size();
    if rows.len() > height(size)
        && let Some(pager) = env::var_os("PAGER").filter(|pager| !pager.is_empty())
    {
        let mut command = Command::new("sh");
        command.arg("-c").arg(pager);
        let text = page(&COLUMNS, rows, &widest(rows), size);
        console.settle();
        let shown = screen.lend(|| feed(&mut command, &text));
        screen.release_input();
        match shown {
            Ok(()) => return Ok(()),
            Err(error) => screen.warn(format_args!("cannot run $PAGER: {error}")),
        }
    }
    turn_pages(rows, size, console, transcript)
}

/// Runs a program with this text as its input.
fn feed(command: &mut Command, text: &str) -> io::Result<()> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A pager may end before it has read everything.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().map(drop)
}

fn turn_pages(
    rows: &[Vec<String>],
    size: Size,
    console: &mut Console,
    transcript: &Transcript,
) -> Result<(), Unanswered> {
    let (mut shown, all) = (0, rows.len());
    let widest = widest(rows);
    loop {
        let end = all.min(shown + height(size));
        transcript.show(&page(
            &COLUMNS,
            rows.get(shown..end).unwrap_or_default(),
            &widest,
            size,
        ));
        shown = end;
        let question = format!("{shown} of {all} shown. Space for more, / to search, q to stop: ");
        loop {
            if shown == all {
                return Ok(());
            }
            match ask(console, &question, Expected::Key)?.as_deref() {
                None | Some("q" | "Q") => return Ok(()),
                Some("" | " " | "f" | "j") => break,
                Some("/") => {
                    let Some(words) = ask(console, "Search for: ", Expected::Text)? else {
                        continue;
                    };
                    if let Some(found) = find(rows, shown, &words) {
                        shown = found;
                        break;
                    }
                    transcript.show("Not found below.\n");
                }
                Some(_) => {}
            }
        }
    }
}

/// Asks; `None` if the person wants to go back.
fn ask(
    console: &mut Console,
    question: &str,
    expected: Expected,
) -> Result<Option<String>, Unanswered> {
    match console.ask(question, expected) {
        Ok(answer) => Ok(Some(answer)),
        Err(Unanswered::Back) => Ok(None),
        Err(Unanswered::End) => Err(Unanswered::End),
    }
}

/// The first row from `start` on that contains `text`, in any letter case.
fn find(rows: &[Vec<String>], start: usize, text: &str) -> Option<usize> {
    let text = text.to_lowercase();
    let contains = |row: &Vec<String>| row.iter().any(|cell| cell.to_lowercase().contains(&text));
    let found = rows.iter().skip(start).position(contains)?;
    Some(start + found)
}
