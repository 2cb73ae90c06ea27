//! README and the pages of the manual: their examples are what the programs print.
//!
//! In a `console` block, a line that begins with `$ ` is a command, and its output follows. A line
//! `…` stands for any number of lines. Values that differ between runs (ports, dates, the kernel)
//! are not compared. Text after a question of the menu is typed. A program that keeps running (a
//! server, a peer that shares) runs until the page ends, and is compared then.
//!
//! Two comments have a meaning: `<!-- not run: REASON -->` skips the next block, and `<!-- running:
//! COMMAND -->` starts a program that the page assumes to be running.

mod picture;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use crate::support::{
    Leftovers, Program, STATE, names, peer_command, run, server_command, without_options,
};

/// The questions of the menu. Answers follow them.
const CHOICE: &str = "Choice:";
const QUESTIONS: [&str; 3] = [CHOICE, "RFC number:", "RFC title (press Enter to skip):"];
/// Stands for omitted lines.
const SKIPPED: &str = "…";

/// A command of a page, and the output shown below it.
#[derive(Debug, Default)]
struct Example {
    command: String,
    shown: Vec<String>,
}

impl Example {
    fn of(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            shown: Vec::new(),
        }
    }

    /// Whether the program keeps running.
    fn stays(&self) -> bool {
        let is_left = |answer| ["5", "exit"].contains(&answer);
        let mut answers = self.answers().peekable();
        self.is_server() || self.shares() || answers.peek().is_some() && !answers.any(is_left)
    }

    fn is_server(&self) -> bool {
        self.command.split(' ').next() == Some("server")
    }

    fn shares(&self) -> bool {
        self.command.ends_with(" share")
    }

    /// What a person types, where the command asks. One that shows a file of a session does not.
    fn answers(&self) -> impl Iterator<Item = &str> {
        let asks = self.command.starts_with("peer ");
        self.shown.iter().filter(move |_| asks).filter_map(|line| {
            let mut questions = QUESTIONS.iter();
            let (question, answer) =
                questions.find_map(|question| Some((*question, line.strip_prefix(question)?)))?;
            // A choice without an answer has not been made yet.
            Some(answer.trim()).filter(|answer| !answer.is_empty() || question != CHOICE)
        })
    }

    /// Compares the shown output with the printed one, or with its beginning. The lines of each
    /// output are in order, but on a page the two outputs may be mixed in any way.
    fn is_shown_by(&self, printed: &str, errors: &str, is_whole: bool) -> bool {
        fn fit(shown: &[String], printed: &[String], is_whole: bool) -> bool {
            match (shown, printed) {
                ([], _) => !is_whole || printed.is_empty(),
                ([first, rest @ ..], _) if first == SKIPPED => {
                    (0..=printed.len()).any(|skipped| fit(rest, &printed[skipped..], is_whole))
                }
                ([one, shown @ ..], [other, printed @ ..]) => {
                    one == other && fit(shown, printed, is_whole)
                }
                (_, []) => false,
            }
        }
        let mut shown = comparable(&self.shown.join("\n"));
        let may_skip = !is_whole || shown.iter().any(|line| line == SKIPPED);
        for error in comparable(errors) {
            match shown.iter().position(|line| *line == error) {
                Some(place) => drop(shown.remove(place)),
                None if may_skip => {}
                None => return false,
            }
        }
        fit(&shown, &comparable(printed), is_whole)
    }
}

/// The lines of a text, with the values that differ between runs masked.
fn comparable(text: &str) -> Vec<String> {
    text.trim_end().lines().map(comparable_line).collect()
}

fn comparable_line(line: &str) -> String {
    let beginnings = ["Date: ", "Last-Modified: ", "OS: ", "pid: ", "since: "];
    for name in beginnings.iter().chain(&["connected since ", "(process "]) {
        if let Some(start) = line.find(name) {
            return line[..start + name.len()].to_owned();
        }
    }
    let line = with_numbers(line.trim_end(), |number| match number {
        // A second more or less may have passed.
        7190..=7200 => Some("TTL".to_owned()),
        // Free ports have five digits, and nothing else on the pages does.
        10_000..=99_999 => Some("PORT".to_owned()),
        _ => None,
    });
    line.replace("[::1]", "127.0.0.1")
}

/// A line with some numbers replaced.
fn with_numbers(line: &str, mut other: impl FnMut(u32) -> Option<String>) -> String {
    let words = line.split_inclusive(|c: char| !c.is_ascii_digit());
    let words = words.map(|word| {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = word[..word.len() - rest.len()].parse().ok();
        match number.and_then(&mut other) {
            Some(other) => other + rest,
            None => word.to_owned(),
        }
    });
    words.collect()
}

/// A folder with the samples, and the programs that run in it.
struct Stage {
    /// Dropped before the folder, which names them.
    _leftovers: Leftovers,
    folder: TempDir,
    /// The ports of the servers, one for each kind of index.
    servers: [Option<u16>; 3],
    running: Vec<(Example, Program)>,
    /// The exit code of the last command.
    code: i32,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let samples = [
            "rfc2345.txt",
            "rfc3457.txt",
            "peer2/rfc123.txt",
            "peer2/rfc3457.txt",
        ];
        for sample in samples.map(|sample| Path::new("rfcs").join(sample)) {
            let copy = folder.path().join(&sample);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(source(&sample), copy).unwrap();
        }
        Self {
            _leftovers: Leftovers(folder.path().join("state")),
            folder,
            servers: [None; 3],
            running: Vec::new(),
            code: 0,
        }
    }

    /// A command as a shell runs it.
    fn command(&self, line: &str) -> Command {
        let mut shell = Command::new("sh");
        let programs = Path::new(env!("CARGO_BIN_EXE_peer")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        without_options(&mut shell);
        shell
            .args(["-c", &format!("(exit {}); {line}", self.code)])
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", programs.display()))
            .env(STATE, self.folder.path().join("state"))
            .env("P2PCI_PORT", "0")
            .env("P2PCI_HOSTNAME", "localhost");
        if let Some(port) = self.servers[kind(line)] {
            shell.env("P2PCI_HOST", format!("localhost:{port}"));
        }
        shell
    }

    /// Starts a program that keeps running, and waits until it is ready.
    fn start(&mut self, example: Example) {
        let line = &example.command;
        let mut program = Program::start(line, self.command(&format!("exec {line}")));
        if example.is_server() {
            program.expect("[SERVER] Listening on port ");
            let port = program.expect("...\n");
            self.servers[kind(line)] = port.trim_end_matches("...\n").parse().ok();
        } else if example.shares() {
            program.expect_error(" are shared\n");
        } else {
            example
                .answers()
                .for_each(|answer| program.type_line(answer));
        }
        self.running.push((example, program));
    }

    /// Runs a command to its end, and compares what it prints.
    fn check(&mut self, example: &Example) {
        let line = &example.command;
        let mut program = Program::start(line, self.command(line));
        example
            .answers()
            .for_each(|answer| program.type_line(answer));
        let (status, printed, errors) = program.end();
        self.code = status.code().unwrap();
        let is_shown = example.is_shown_by(&self.known(&printed), &self.known(&errors), true);
        assert!(is_shown, "{example:#?} prints\n{printed}{errors}");
    }

    /// The printed text, with the well-known ports instead of the servers' real ones.
    fn known(&self, printed: &str) -> String {
        let above = self.folder.path().display().to_string();
        let mut printed = printed.replace(&above, "/home/me");
        for (port, known) in self.servers.iter().zip(["7734", "65243", "7494"]) {
            if let Some(port) = port {
                printed = printed.replace(&port.to_string(), known);
            }
        }
        printed
    }

    /// Compares the output of the programs that are still running.
    fn finish(&self) {
        for (example, program) in &self.running {
            let errors = self.known(&program.errors());
            let shown = program.wait_for(|printed| {
                let is_shown = example.is_shown_by(&self.known(printed), &errors, false);
                is_shown.then_some(())
            });
            assert!(
                shown.is_some(),
                "{example:#?} prints\n{}{errors}",
                program.printed()
            );
        }
    }
}

/// The kind of server that a command runs or asks.
fn kind(line: &str) -> usize {
    let is_of = |name: &&str| line.contains(&format!("--index {name}"));
    let kinds = ["central", "distributed", "dht"];
    let kind = kinds.iter().position(is_of);
    kind.unwrap_or_default()
}

fn source(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The topics of the manual.
fn topics() -> impl Iterator<Item = String> {
    let names = names(&source("src/manual")).into_iter();
    names.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()))
}

/// README and the pages of the manual, with their paths.
fn pages() -> impl Iterator<Item = (PathBuf, String)> {
    let manual = topics().map(|topic| source(format!("src/manual/{topic}.md")));
    let paths = manual.chain([source("README.md")]);
    paths.map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
}

/// The examples of a page to run.
fn examples(page: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let (mut is_console, mut is_run) = (false, true);
    for line in page.lines() {
        if let Some(command) = comment(line, "running: ") {
            examples.push(Example::of(command));
        } else if comment(line, "not run: ").is_some() {
            is_run = false;
        } else if line.starts_with("```") {
            // A skipped part ends with its block.
            is_run |= is_console;
            is_console = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ") {
            assert!(is_console, "{line:?} is in no block `console`");
            examples.extend(is_run.then(|| Example::of(command)));
        } else if is_console && is_run {
            let example = examples.last_mut().expect("a block begins with a command");
            example.shown.push(line.to_owned());
        }
    }
    examples
}

fn comment<'a>(line: &'a str, meaning: &str) -> Option<&'a str> {
    let text = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    text.strip_prefix(meaning)
}

#[test]
fn what_the_pages_show_is_what_the_programs_print() {
    let check = |(path, page): (PathBuf, String)| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let check = move || {
            let mut stage = Stage::new();
            for example in examples(&page) {
                if example.stays() {
                    stage.start(example);
                } else {
                    stage.check(&example);
                }
            }
            stage.finish();
        };
        thread::Builder::new().name(name).spawn(check).unwrap()
    };
    let pages: Vec<_> = pages().map(check).collect();
    let failed = pages.into_iter().filter_map(|page| {
        let name = page.thread().name().map(str::to_owned);
        page.join().err().and(name)
    });
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn an_example_is_compared_line_by_line() {
    let example = |shown: &[&str]| Example {
        shown: shown.iter().map(ToString::to_string).collect(),
        ..Example::default()
    };
    let printed = "Port: 12345\nRFC 1\n\nOS: Linux 6.1\nlast\n";
    for (shown, is_whole, expected) in [
        (
            &["Port: 54321", "RFC 1", "", "OS: Linux 5", "said", "last"][..],
            true,
            true,
        ),
        (&["Port: 54321", "…", "last"], true, true),
        (&["Port: 54321", "…"], true, true),
        (&["…", "RFC 1", "…", "said", "last"], true, true),
        (&["Port: 54321", "RFC 1"], false, true),
        (&["Port: 54321", "RFC 1"], true, false),
        (
            &["Port: 54321", "RFC 1", "", "OS: Linux 5", "last"],
            true,
            false,
        ),
        (&["Port: 54321", "RFC 2", "…"], true, false),
        (&["…", "unsaid", "…"], false, false),
        (&["…", "RFC 3", "…"], false, false),
        (&["Port: 1", "…"], true, false),
    ] {
        let is_shown = example(shown).is_shown_by(printed, "said\n", is_whole);
        assert_eq!(is_shown, expected, "{shown:?}");
    }
}

/// The files that a page refers to exist.
#[test]
fn the_pages_name_files_that_exist() {
    let mut count = 0;
    for (path, page) in pages() {
        let is_place = |quoted: &&str| quoted.starts_with("src/") || quoted.starts_with("tests/");
        let quoted = page.split('`').skip(1).step_by(2).filter(is_place);
        let links = page.split("](").skip(1);
        let links = links.filter_map(|link| Some(path.parent()?.join(link.split(')').next()?)));
        for file in quoted.map(source).chain(links) {
            assert!(file.exists(), "{} names {}", path.display(), file.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn help_shows_topics_and_commands() {
    let help = |topic: &str| {
        let peer = run("peer", peer_command(&["help", topic]));
        let server = run("server", server_command(&["help", topic]));
        [peer, server].map(|(status, printed, errors)| {
            assert!(status.success() && errors.is_empty(), "{errors}");
            printed
        })
    };
    let (_, list, _) = run("peer", peer_command(&["help"]));
    for topic in topics() {
        let page = fs::read_to_string(source(format!("src/manual/{topic}.md"))).unwrap();
        let title = page.lines().next().unwrap().trim_start_matches("# ");
        let line = format!("  {topic:<12} {title}\n");
        assert!(list.contains(&line), "{line} in {list}");
        for printed in help(&topic) {
            assert!(printed.starts_with(&format!("{title}\n\n")), "{printed}");
            assert!(!printed.contains('\u{1b}'), "{printed}");
        }
    }
    let [peer, server] = help("options");
    for option in ["--host <HOST[:PORT]>", "--force", "--per-peer <N>"] {
        assert!(peer.contains(option), "{option} in {peer}");
    }
    assert!(server.contains("--max-peers <N>"), "{server}");
    let (_, get, _) = run("peer", peer_command(&["help", "get"]));
    assert!(get.contains("Usage: peer get [OPTIONS] <N>..."), "{get}");
}

#[test]
fn help_of_what_is_unknown_lists_the_topics() {
    for command in [
        peer_command(&["help", "limit"]),
        server_command(&["help", "limit"]),
    ] {
        let (status, printed, errors) = run("help", command);
        assert_eq!((status.code(), printed.as_str()), (Some(2), ""));
        for topic in topics() {
            assert!(errors.contains(&topic), "{topic} in {errors}");
        }
        assert!(errors.contains("'limit'"), "{errors}");
    }
}
