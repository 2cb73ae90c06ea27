//! A scenario of the hash table with the real programs, and their printouts.
//!
//! The golden transcript in `tests/it/golden/dht.txt` has the expected printouts, with names in place
//! of ports, dates and systems.

use std::fs;

use super::scenarios::{Stage, normalized, peer, server};
use super::scenarios_di::{documents, with_whole_ttls};
use super::{Program, folder};

/// The options of programs that use a hash table.
pub(crate) const DHT: [&str; 2] = ["--index", "dht"];

/// What a peer prints when it has announced a key, which takes some time, and several come in any
/// order.
const ANNOUNCED: &str = "[DHT] Announced port ";

const CHOICE: &str = "Choice: ";

/// Runs the scenario, shows the output as it is printed, and returns all of it with names in place
/// of values that differ between runs.
pub(crate) fn run(mut show: impl FnMut(&str)) -> String {
    let folders = [folder(&[]), documents()];
    let [of_a, of_b] = [folders[0].path(), folders[1].path()];
    let mut stage = Stage {
        all: String::new(),
        show: &mut show,
    };

    stage.scene("1. The introducer starts");
    let mut introducer = server(&["--index", "dht", "--bind", "127.0.0.1"]);
    let started = introducer.expect("Peers reach this server at ") + &introducer.expect("\n");
    stage.line("introducer", &started);

    stage.scene("2. Peer B, with RFCs 1149 and 2324, joins and announces them");
    let mut b = peer("peer B", introducer.port, of_b, &DHT);
    stage.line("peer B", &at_start(&b));
    stage.line("introducer", &introducer.expect("other node(s)\n"));
    stage.line("peer B", &announcements(&b, 3));

    stage.scene("3. Peer A, with none, joins");
    let mut a = peer("peer A", introducer.port, of_a, &DHT);
    stage.line("peer A", &at_start(&a));

    stage.scene("4. GET at peer A: it finds peer B, asks it for its index, and gets the file");
    stage.line("peer A", &in_between(&a.answer(&["4", "1149", ""])));
    stage.line("peer B", &in_between(&b.expect(" bytes)\n")));
    let same =
        fs::read(of_a.join("rfc1149.txt")).unwrap() == fs::read(of_b.join("rfc1149.txt")).unwrap();
    stage.line(
        "the two files",
        if same { "are identical\n" } else { "DIFFER\n" },
    );
    stage.line("peer A", &announcements(&a, 2));

    stage.scene("5. The introducer is killed: LOOKUP and LIST at peer A still work");
    introducer.kill();
    stage.line("peer A", &in_between(&a.answer(&["2", "2324", ""])));
    stage.line("peer A", &a.answer(&["3"]));
    stage.line("peer B", &b.expect("Coffee Pot Control Protocol\n"));

    stage
        .scene("6. EXIT at peer B: its address is still in the hash table, but it does not answer");
    b.type_line("5");
    let (status, printed) = b.wait();
    stage.line("peer B", &in_between(&printed));
    assert!(status.success(), "EXIT ends with {status}");
    let printed = a.answer(&["2", "1149", ""]);
    // Whether peer A knows by now that it is alone is chance.
    stage.line("peer A", &without(&printed, "[DHT] "));

    let names = [
        (introducer.port.to_string(), "<introducer port>"),
        (a.port.to_string(), "<port A>"),
        (b.port.to_string(), "<port B>"),
        (of_a.display().to_string(), "<folder A>"),
        (of_b.display().to_string(), "<folder B>"),
    ];
    normalized(&with_whole_ttls(&stage.all), &names)
}

/// What a peer prints until it shows its menu.
fn at_start(peer: &Program) -> String {
    let printed = peer.printed();
    let end = printed.find(CHOICE).map_or(0, |at| at + CHOICE.len());
    without(&printed[..end], ANNOUNCED)
}

/// What is printed between two questions. The first one is repeated with its answer if anything was
/// printed before that.
fn in_between(text: &str) -> String {
    let text = without(text, ANNOUNCED);
    let text = text.trim_start_matches('\n');
    text.trim_start_matches(CHOICE).to_owned()
}

/// Waits until a peer has announced so many keys, and returns the lines.
fn announcements(peer: &Program, count: usize) -> String {
    let found = peer.wait_for(|printed| {
        let lines = printed.split_inclusive('\n');
        let mut lines: Vec<_> = lines
            .filter(|line| line.starts_with(ANNOUNCED) && line.ends_with('\n'))
            .collect();
        lines.sort_unstable();
        (lines.len() >= count).then(|| lines.concat())
    });
    found.unwrap_or_else(|| panic!("too few announcements: {}", peer.printed()))
}

fn without(text: &str, start: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with(start)).collect()
}
