//! `make demo`, `make demo-di` and `make demo-dht`: the scenarios of an index with the real programs, shown as they
//! happen.

#[path = "support/mod.rs"]
mod support;

use std::io::{Write, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = stdout();
    let show = |text: &str| {
        // A reader that closes the pipe (`make demo
        //
        // head`) only misses the rest.
        let mut out = stdout();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    };
    let is_named = |name| std::env::args().any(|argument| argument == name);
    let (printed, golden, all) = if is_named("distributed") {
        let golden = include_str!("it/golden/distributed.txt");
        (support::scenarios_di::run(show), golden, "seven steps")
    } else if is_named("dht") {
        let golden = include_str!("it/golden/dht.txt");
        (support::scenarios_dht::run(show), golden, "six steps")
    } else {
        let golden = include_str!("it/golden/scenarios.txt");
        (support::scenarios::run(show), golden, "eight scenarios")
    };
    let differing = printed
        .lines()
        .zip(golden.lines())
        .find(|(got, expected)| got != expected);
    let verdict = match differing {
        Some((got, expected)) => {
            format!(
                "The demo differs from what is expected.\nexpected: {expected}\ngot:      {got}\n"
            )
        }
        None if printed.lines().count() != golden.lines().count() => {
            "The demo is shorter or longer than expected.\n".to_owned()
        }
        None => format!("All {all} are as expected.\n"),
    };
    let _ = write!(out, "\n{verdict}");
    if printed == golden {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
