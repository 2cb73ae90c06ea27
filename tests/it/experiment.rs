//! A small experiment without a rate limit: what it writes, regardless of how long it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Program, folder, names, peer_command, run};

const FILES: [&str; 8] = [
    "comparison.svg",
    "summary.csv",
    "task1.csv",
    "task1.svg",
    "task2-best.csv",
    "task2-best.svg",
    "task2-worst.csv",
    "task2-worst.svg",
];
const DOWNLOADS: &str =
    "run,scenario,peer,seq,rfc,source,bytes,start_ms,elapsed_ms,cumulative_ms,upload_rate";
const TOTALS: &str = "scenario,run,peer,rfcs,mean_bytes,upload_rate,total_ms,total_units,predicted_units,deviation_percent";

/// An experiment of three peers with two RFCs each, whose temporary files are in `temporary`.
fn experiment(temporary: &Path, out: &Path, arguments: &[&str]) -> Command {
    let small = [
        "experiment",
        "--peers",
        "3",
        "--per-peer",
        "2",
        "--synthetic",
        "6x2KiB",
        "--out",
    ];
    let mut command = peer_command(&small);
    command.arg(out).args(arguments).env("TMPDIR", temporary);
    command
}

/// The rows of a CSV file below its header, which is `header`.
#[track_caller]
pub(crate) fn rows(path: &Path, header: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(header));
    lines
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

/// Which RFCs each peer fetched from whom, in order: `P1` is `1P0 2P0`.
fn fetched(rows: &[Vec<String>]) -> BTreeMap<String, String> {
    let mut fetched = BTreeMap::<String, String>::new();
    for row in rows {
        let order = fetched.entry(row[2].clone()).or_default();
        order.extend([&row[4], &row[5], " "]);
    }
    fetched
}

/// The curves of a picture by color, after checking that its tags are well formed.
#[track_caller]
pub(crate) fn curves(svg: &str) -> usize {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag has an end");
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let curves = svg.split("<polyline fill=\"none\" opacity=\"1\" stroke=\"");
    let colors: BTreeSet<_> = curves.skip(1).map(|curve| &curve[..7]).collect();
    // One is for the axes.
    colors.len() - 1
}

#[test]
fn everything_is_fetched_as_planned_and_written() {
    let (temporary, results) = (folder(&[]), folder(&[]));
    // The folder is created.
    let out = results.path().join("of/today");
    let unlimited = ["--upload-rate", "0", "--repeat", "2"];
    let (status, printed, errors) = run("peer", experiment(temporary.path(), &out, &unlimited));
    assert_eq!(status.code(), Some(0), "{errors}");
    assert_eq!(names(&out), FILES);
    assert_eq!(names(temporary.path()), [""; 0]);

    let orders = [
        ("task1", 8, ["", "1P0 2P0 3P0 4P0 ", "1P0 2P0 3P0 4P0 "]),
        (
            "task2-best",
            12,
            ["3P1 4P1 5P2 6P2 ", "5P2 6P2 1P0 2P0 ", "1P0 2P0 3P1 4P1 "],
        ),
        (
            "task2-worst",
            12,
            ["3P1 4P1 5P2 6P2 ", "1P0 2P0 5P2 6P2 ", "1P0 2P0 3P1 4P1 "],
        ),
    ];
    for (scenario, downloads, order) in orders {
        let rows = rows(&out.join(format!("{scenario}.csv")), DOWNLOADS);
        assert_eq!(rows.len(), 2 * downloads);
        for (run, rows) in ["1", "2"].iter().zip(rows.chunks(downloads)) {
            let expected = ["P0", "P1", "P2"].into_iter().zip(order);
            let expected = expected.filter(|(_, order)| !order.is_empty());
            let expected = expected.map(|(peer, order)| (peer.to_owned(), order.to_owned()));
            assert_eq!(fetched(rows), expected.collect());
            for (row, seq) in rows.iter().zip(["1", "2", "3", "4"].iter().cycle()) {
                let [start, elapsed, end] = [7, 8, 9].map(|at| row[at].parse::<f64>().unwrap());
                assert!(
                    (start + elapsed - end).abs() < 0.01 && elapsed > 0.0,
                    "{row:?}"
                );
                let others = [0, 1, 3, 6, 10].map(|at| row[at].as_str());
                assert_eq!(others, [run, scenario, seq, "2048", "0"]);
            }
        }
    }

    let summary = rows(&out.join("summary.csv"), TOTALS);
    assert_eq!(summary.len(), 2 * (2 + 3 + 3));
    for row in &summary {
        assert_eq!(row[3..6], ["4", "2048.0", "0"]);
        // Without a limit there is no prediction.
        assert_eq!(row[7..], ["", "", ""]);
    }

    for (scenario, peers) in [("task1", 1..3), ("task2-best", 0..3), ("task2-worst", 0..3)] {
        let svg = fs::read_to_string(out.join(format!("{scenario}.svg"))).unwrap();
        assert_eq!(curves(&svg), peers.len(), "{scenario}");
        for peer in peers {
            assert!(svg.contains(&format!("\nP{peer}: ")), "{svg}");
        }
        for text in [
            "number of RFCs fetched",
            "cumulative time (s)",
            "no upload limit",
        ] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
    }
    let comparison = fs::read_to_string(out.join("comparison.svg")).unwrap();
    assert_eq!(curves(&comparison), 3);
    assert!(comparison.contains("\ntask2-worst: "), "{comparison}");

    let mut lines = printed.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("scenario      peer  predicted (s/u)")
    );
    assert_eq!(
        lines.by_ref().take_while(|line| !line.is_empty()).count(),
        8
    );
    let paths: BTreeSet<_> = lines.map(str::to_owned).collect();
    let expected = FILES.map(|name| out.join(name).display().to_string());
    assert_eq!(paths, expected.into());
    let last = "task2-worst, run 2 of 2: 12 downloads\n";
    assert!(errors.ends_with(last), "{errors}");
}

#[test]
fn a_limit_is_in_the_results_and_has_a_prediction() {
    let (temporary, out, corpus) = (folder(&[]), folder(&[]), folder(&[]));
    for number in 1..=7 {
        fs::write(
            corpus.path().join(format!("rfc{number}.txt")),
            "x".repeat(500),
        )
        .unwrap();
    }
    let mut command = peer_command(&["-q", "experiment", "--peers", "3", "--per-peer", "2"]);
    command.args([
        "--task",
        "2",
        "--order",
        "worst",
        "--fetch",
        "3",
        "--upload-rate",
        "1MB/s",
    ]);
    command.arg("--corpus").arg(corpus.path());
    command
        .arg("--out")
        .arg(out.path())
        .env("TMPDIR", temporary.path());
    let (status, ..) = run("peer", command);
    assert_eq!(status.code(), Some(0));
    let written = [
        "comparison.svg",
        "summary.csv",
        "task2-worst.csv",
        "task2-worst.svg",
    ];
    assert_eq!(names(out.path()), written);
    let summary = rows(&out.path().join("summary.csv"), TOTALS);
    let predicted: Vec<_> = summary.iter().map(|row| row[8].as_str()).collect();
    assert_eq!(predicted, ["3.0", "5.0", "5.0"]);
    assert!(
        summary
            .iter()
            .all(|row| row[3..6] == ["3", "500.0", "1000000"])
    );
    let svg = fs::read_to_string(out.path().join("task2-worst.svg")).unwrap();
    let conditions = "3 peers, 6 RFCs of s = 0.5 KiB, u = 1.0 MB/s for each peer, s/u = 0.5 ms";
    assert!(svg.contains(conditions), "{svg}");
}

#[test]
fn invalid_parameters_are_code_2() {
    let (temporary, out) = (folder(&[]), folder(&[]));
    for wrong in [
        &["--fetch", "5"][..],
        &["--fetch", "0"],
        &["--peers", "1"],
        &["--peers", "21"],
        &["--per-peer", "3"],
        &["--corpus", "x"],
        &["--task", "3"],
        &["--order", "middle"],
        &["--repeat", "0"],
    ] {
        let mut command = experiment(temporary.path(), out.path(), &[]);
        // A repeated option counts last, or is an error.
        command.args(wrong);
        let (status, printed, errors) = run("peer", command);
        assert_eq!(
            (status.code(), printed.as_str()),
            (Some(2), ""),
            "{wrong:?}"
        );
        assert!(errors.starts_with("error: "), "{errors}");
    }
    let without_out = run("peer", peer_command(&["experiment"]));
    assert_eq!(without_out.0.code(), Some(2));
    assert_eq!(names(out.path()), [""; 0]);
}

#[test]
fn a_corpus_that_is_too_small_is_an_error() {
    let (corpus, out) = (folder(&[("rfc1.txt", b"one")]), folder(&[]));
    let mut command = peer_command(&["experiment", "--corpus"]);
    command.arg(corpus.path()).arg("--out").arg(out.path());
    let (status, _, errors) = run("peer", command);
    assert_eq!(status.code(), Some(1));
    assert!(
        errors.contains("has 1 file(s) named rfcN.txt, but the experiment needs 60"),
        "{errors}"
    );
}

#[test]
fn a_signal_ends_it_and_nothing_stays_behind() {
    let (temporary, out) = (folder(&[]), folder(&[]));
    let slow = experiment(temporary.path(), out.path(), &["--upload-rate", "1KB/s"]);
    let mut peer = Program::start("peer", slow);
    peer.expect_error("task1, run 1 of 1: 8 downloads, about ");
    peer.signal(Signal::INT);
    assert_eq!(peer.wait().0.code(), Some(130));
    assert_eq!(names(temporary.path()), [""; 0]);
    assert_eq!(names(out.path()), [""; 0]);
}
