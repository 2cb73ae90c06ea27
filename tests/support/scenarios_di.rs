//! The testing scenario of P2P-DI/1.0 (section 4) with the real programs, and their printouts.
//!
//! The golden transcript in `tests/it/golden/distributed.txt` has the expected printouts, with
//! names in place of ports, dates and systems.

use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;

use super::scenarios::{Stage, normalized, peer, server};
use super::{Program, folder};

/// The options of programs that use a distributed index.
pub(crate) const DISTRIBUTED: [&str; 2] = ["--index", "distributed"];

/// The documents of peer B, with the titles that they print.
const DOCUMENTS: [(u32, &str); 2] = [
    (1149, "IP over Avian Carriers"),
    (2324, "Hyper Text Coffee Pot Control Protocol"),
];

/// Our own short texts in place of RFCs 1149 and 2324.
pub(crate) fn documents() -> TempDir {
    let files = DOCUMENTS.map(|(number, title)| {
        let text = format!(
            "Network Working Group                                        P2P Samples\n\
             Request for Comments: {number}                                     Short Form\n\
             \n\n                {title}\n\n\
             Status of this Memo\n\n   \
             This is a short sample that stands in for RFC {number}.\n"
        );
        (format!("rfc{number}.txt"), text)
    });
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    folder(&files)
}

/// Makes TTLs whole again, because a second may have passed since the registration.
pub(crate) fn with_whole_ttls(text: &str) -> String {
    let mut all = String::new();
    for line in text.split_inclusive('\n') {
        let words: Vec<_> = line.split(' ').collect();
        let place = match words.as_slice() {
            ["Peer", _, _, _] => Some(3),
            ["RFC", _, _, _, _, ..] => Some(2),
            _ => None,
        };
        let ttl = place.and_then(|place| words.get(place)).copied();
        let left = ttl.and_then(|ttl| ttl.trim_end().parse::<u32>().ok());
        match (place, ttl) {
            (Some(place), Some(ttl)) if left.is_some_and(|left| (7100..7200).contains(&left)) => {
                let mut words = words;
                let whole = format!(
                    "7200{}",
                    ttl.trim_start_matches(|c: char| c.is_ascii_digit())
                );
                if let Some(word) = words.get_mut(place) {
                    *word = &whole;
                }
                let _ = write!(all, "{}", words.join(" "));
            }
            _ => all.push_str(line),
        }
    }
    all
}

/// Runs the scenario, shows the output as it is printed, and returns all of it with names in place
/// of values that differ between runs.
pub(crate) fn run(mut show: impl FnMut(&str)) -> String {
    let folders = [folder(&[]), documents()];
    let [of_a, of_b] = [folders[0].path(), folders[1].path()];
    let mut stage = Stage {
        all: String::new(),
        show: &mut show,
    };

    stage.scene("1. Peer B, with RFCs 1149 and 2324, registers: cookie 1");
    let mut rs = server(&DISTRIBUTED);
    let mut b = peer("peer B", rs.port, of_b, &DISTRIBUTED);
    stage.line("registration server", &rs.expect_whole_response());
    stage.line("peer B", &b.printed());

    stage.scene("2. Peer A, with none, registers: cookie 2");
    let mut a = peer("peer A", rs.port, of_a, &DISTRIBUTED);
    stage.line("registration server", &rs.expect_whole_response());
    stage.line("peer A", &a.printed());

    stage.scene(
        "3. to 5. GET at peer A: it asks who is active, then peer B for its index, and gets it",
    );
    stage.line("peer A", &a.answer(&["4", "1149", ""]));
    stage.line("registration server", &rs.expect_whole_response());
    stage.line("peer B", &b.expect(" bytes)\n"));
    let same =
        fs::read(of_a.join("rfc1149.txt")).unwrap() == fs::read(of_b.join("rfc1149.txt")).unwrap();
    stage.line(
        "the two files",
        if same { "are identical\n" } else { "DIFFER\n" },
    );

    stage.scene("6. EXIT at peer B: it leaves");
    b.type_line("5");
    let (status, printed) = b.wait();
    stage.line("peer B", &printed);
    assert!(status.success(), "EXIT ends with {status}");
    stage.line("registration server", &rs.expect_whole_response());

    stage.scene("7. LOOKUP and GET of an unknown RFC at peer A: nobody else is active");
    stage.line("peer A", &a.answer(&["2", "9999", ""]));
    stage.line("registration server", &rs.expect_whole_response());
    stage.line("peer A", &a.answer(&["4", "9999", ""]));
    stage.line("registration server", &rs.expect_whole_response());

    let names = [
        (rs.port.to_string(), "<server port>"),
        (a.port.to_string(), "<port A>"),
        (b.port.to_string(), "<port B>"),
        (of_a.display().to_string(), "<folder A>"),
        (of_b.display().to_string(), "<folder B>"),
    ];
    normalized(&with_whole_ttls(&stage.all), &names)
}

impl Program {
    /// Waits for a response of the registration server, with its body.
    fn expect_whole_response(&mut self) -> String {
        let mut text = self.expect("] Response to ");
        let head = self.expect("\n\n");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        text.push_str(&head);
        if length.is_some_and(|length| length != "0") {
            text.push_str(&self.expect("\n"));
        }
        text
    }
}
