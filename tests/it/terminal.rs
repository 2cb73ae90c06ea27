//! The programs at a terminal, and what must never go into a pipe.

mod bars;
mod order;
mod plain;
mod prompt;
mod questions;
mod step;
mod tables;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rexpect::process::{PtyProcess, WaitStatus};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;

use crate::support::{PATIENCE, Printed, STATE, folder, without_options};

const UP: &str = "\u{1b}[A";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

/// A program at its own terminal.
struct Terminal {
    process: PtyProcess,
    keyboard: File,
    printed: Arc<Printed>,
    columns: usize,
    /// The number of lines when it last asked.
    asked: usize,
    /// The folder for the program's state, unless the variables set another one.
    _state: TempDir,
}

impl Terminal {
    /// Starts a program at a terminal of this many rows and columns.
    fn start(
        program: &str,
        arguments: &[&str],
        (rows, columns): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        // The terminal is as a shell leaves it.
        let as_usual = format!("stty sane rows {rows} cols {columns} && exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &as_usual, program]).args(arguments);
        without_options(&mut command);
        let state = folder(&[]);
        command.env("TERM", "xterm").env(STATE, state.path());
        command.envs(variables.iter().copied());
        let process = PtyProcess::new(command).expect("the program starts");
        let keyboard = process.get_file_handle().unwrap();
        let printed = Printed::gather(keyboard.try_clone().unwrap());
        Self {
            process,
            keyboard,
            printed,
            columns: columns.into(),
            asked: 0,
            _state: state,
        }
    }

    fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Types part of a choice, and waits until it is shown.
    #[track_caller]
    fn type_and_see(&mut self, keys: &str) {
        self.type_keys(keys);
        self.wait_for_line(&format!("Choice: {keys}"));
    }

    /// Waits until `is_so` holds for the lines of the screen, including those that have scrolled
    /// away.
    #[track_caller]
    fn wait_until(&self, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let columns = self.columns;
        let shown = self.printed.wait(0, |printed| {
            Some(shown(printed, columns)).filter(|lines| is_so(lines))
        });
        shown.unwrap_or_else(|| panic!("the screen is\n{}", self.screen().join("\n")))
    }

    /// Waits until the next question is asked.
    #[track_caller]
    fn wait_for_prompt(&mut self, question: &str) -> Vec<String> {
        let asked = self.asked;
        let lines = self
            .wait_until(|lines| lines.len() > asked && lines.last().unwrap().ends_with(question));
        self.asked = lines.len();
        lines
    }

    /// Types an answer to this question.
    #[track_caller]
    fn answer(&mut self, question: &str, answer: &str) {
        self.wait_for_prompt(question);
        self.type_keys(&format!("{answer}\r"));
    }

    /// Waits until the cursor is behind this last line.
    #[track_caller]
    fn wait_for_line(&self, line: &str) -> Vec<String> {
        self.wait_until(|lines| lines.last().is_some_and(|last| last == line))
    }

    /// Waits until a line contains `text`, and returns the line.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let lines = self.wait_until(|lines| lines.iter().any(|line| line.contains(text)));
        lines.into_iter().find(|line| line.contains(text)).unwrap()
    }

    fn screen(&self) -> Vec<String> {
        shown(&self.printed.so_far(), self.columns)
    }

    fn raw(&self) -> String {
        self.printed.so_far()
    }

    /// Waits for the end of the program, and returns its exit code and the last screen.
    #[track_caller]
    fn wait(&self) -> (i32, Vec<String>) {
        assert!(self.printed.wait(0, |_| None::<()>).is_none());
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.process.status() {
                Some(WaitStatus::Exited(_, code)) => return (code, self.screen()),
                Some(WaitStatus::StillAlive) if Instant::now() < deadline => {
                    thread::yield_now();
                }
                other => panic!("{other:?}, and the screen is\n{}", self.screen().join("\n")),
            }
        }
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.keyboard).unwrap().local_modes
    }
}

/// The lines that a terminal shows after receiving `printed`, including those that have scrolled
/// away. White space at line ends is removed, except on the line of the cursor, which ends at the
/// cursor if nothing follows.
fn shown(printed: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut rest = printed.chars();
    while let Some(char) = rest.next() {
        match char {
            '\r' => column = 0,
            '\n' => row += 1,
            // A bell, and the echo of Ctrl-C.
            '\u{7}' | '\u{3}' => {}
            '\u{8}' => column = column.saturating_sub(1),
            '\u{1b}' => {
                match rest.next() {
                    Some('[') => {}
                    // The title of the window.
                    Some(']') => {
                        rest.by_ref().find(|&char| char == '\u{7}');
                        continue;
                    }
                    // Cut off.
                    _ => break,
                }
                let mut count = String::new();
                let end = rest.by_ref().find(|&char| {
                    count.push(char);
                    char.is_ascii_alphabetic()
                });
                count.pop();
                let count: usize = count.parse().unwrap_or(1);
                match end {
                    Some('A') => row = row.saturating_sub(count),
                    Some('B') => row += count,
                    Some('C') => column = (column + count).min(columns - 1),
                    Some('D') => column = column.saturating_sub(count),
                    Some('G') => column = count - 1,
                    Some('J') => {
                        lines.truncate(row + 1);
                        lines[row].truncate(column);
                    }
                    // To the end, or (2) everything.
                    Some('K') => lines[row].truncate(if count == 2 { 0 } else { column }),
                    // Color, modes, titles, and the color of an empty cell.
                    Some('m' | 'h' | 'l' | 't' | 'X') | None => {}
                    Some(other) => panic!("this terminal does not know {other}"),
                }
            }
            char => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                }
                if lines.len() <= row {
                    lines.resize(row + 1, Vec::new());
                }
                let line = &mut lines[row];
                if line.len() <= column {
                    line.resize(column + 1, ' ');
                }
                line[column] = char;
                column += 1;
            }
        }
        if lines.len() <= row {
            lines.resize(row + 1, Vec::new());
        }
    }
    let mut texts: Vec<String> = Vec::new();
    for (number, line) in lines.into_iter().enumerate() {
        let text: String = line.into_iter().collect();
        let mut text = text.trim_end().to_owned();
        if number == row {
            text = format!("{text:column$}");
        }
        texts.push(text);
    }
    texts
}

/// A peer at a terminal of the usual size.
fn peer_at(server: u16, folder: &Path) -> Terminal {
    peer_of_size(server, folder, (24, 80))
}

fn peer_of_size(server: u16, folder: &Path, size: (u16, u16)) -> Terminal {
    // No state can be stored there.
    peer_with(server, folder, size, &[(STATE, "/dev/null")])
}

fn peer_with(server: u16, folder: &Path, size: (u16, u16), variables: &[(&str, &str)]) -> Terminal {
    Terminal::start(
        env!("CARGO_BIN_EXE_peer"),
        &options(&format!("127.0.0.1:{server}"), folder),
        size,
        variables,
    )
}

fn options<'a>(server: &'a str, folder: &'a Path) -> [&'a str; 6] {
    let folder = folder.to_str().unwrap();
    ["--host", server, "--dir", folder, "--hostname", "localhost"]
}

fn is_usual(modes: LocalModes) -> bool {
    modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
}
