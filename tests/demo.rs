//! `make demo`: the eight scenarios with the real programs, shown as they happen.

#[path = "support/mod.rs"]
mod support;

use std::io::{Write, stdout};
use std::process::ExitCode;

const EXPECTED: &str = include_str!("it/golden/scenarios.txt");

fn main() -> ExitCode {
    let mut out = stdout();
    let printed = support::scenarios::run(|text| {
        // A reader that goes away (`make demo | head`) misses the rest and nothing else.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    });
    let differing = printed
        .lines()
        .zip(EXPECTED.lines())
        .find(|(got, expected)| got != expected);
    let verdict = match differing {
        Some((got, expected)) => {
            format!(
                "The demo differs from what is expected.\nexpected: {expected}\ngot:      {got}\n"
            )
        }
        None if printed.lines().count() != EXPECTED.lines().count() => {
            "The demo is shorter or longer than expected.\n".to_owned()
        }
        None => "All eight scenarios are as expected.\n".to_owned(),
    };
    let _ = write!(out, "\n{verdict}");
    if printed == EXPECTED {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
