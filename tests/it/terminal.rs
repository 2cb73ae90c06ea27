//! The programs at a terminal, and what of it a pipe must never see.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use rexpect::process::{PtyProcess, Signal, WaitStatus};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;

use crate::support::{
    Client, PATIENCE, Printed, Program, STATE, exchange, folder, names, peer_at_menu, peer_of,
    pretend, samples, samples_of_peer_2, scenarios, server, without_options,
};

const UP: &str = "\u{1b}[A";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

/// A program at a terminal of its own.
struct Terminal {
    process: PtyProcess,
    keyboard: File,
    printed: Arc<Printed>,
    columns: usize,
    /// How many lines there were when it last asked.
    asked: usize,
    /// Where the program keeps its state, unless the variables name another folder.
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

    /// Waits until the screen is as `is_so` wants it: given its lines, those that have scrolled
    /// away as well.
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

    /// Waits until the cursor stands behind this last line.
    #[track_caller]
    fn wait_for_line(&self, line: &str) -> Vec<String> {
        self.wait_until(|lines| lines.last().is_some_and(|last| last == line))
    }

    /// Waits until a line holds `text`, and returns the line.
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

/// The lines that a terminal shows which was sent `printed`, those that have scrolled away as
/// well, without the white space at their ends that nobody sees, but for the line of the cursor:
/// it ends where the cursor stands, if nothing is behind it.
fn shown(printed: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut rest = printed.chars();
    while let Some(char) = rest.next() {
        match char {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{7}' => {}
            '\u{8}' => column = column.saturating_sub(1),
            '\u{1b}' => {
                if rest.next() != Some('[') {
                    // Cut off, or one that nothing here sends.
                    break;
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
                    // To the end, or (2) all of it.
                    Some('K') => lines[row].truncate(if count == 2 { 0 } else { column }),
                    Some('m' | 'h' | 'l') | None => {}
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
    // Nothing can be kept there.
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

/// Registers these RFCs, for as long as the connection lives.
fn registered(server: u16, numbers: &[u32], title: &str, host: &str) -> Client {
    let mut client = Client::connect(server);
    for number in numbers {
        client.send(format!(
            "ADD RFC {number} P2P-CI/1.0\r\nHost: {host}\r\nPort: 65535\r\nTitle: {title}\r\n\r\n"
        ));
        client.receive(&format!(
            "P2P-CI/1.0 200 OK\r\n\r\nRFC {number} {title} {host} 65535\r\n\r\n"
        ));
    }
    client
}

fn is_usual(modes: LocalModes) -> bool {
    modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
}

/// The sequences that set colours.
fn colours(raw: &str) -> Vec<&str> {
    let sequences = raw.split("\u{1b}[").skip(1);
    let ends = |text: &&str| {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        Some(text.as_bytes()[end] == b'm').filter(|is_colour| *is_colour)
    };
    sequences.filter(|text| ends(text).is_some()).collect()
}

#[test]
fn what_is_typed_stays_while_others_download() {
    let server = server(&[]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    let mut peer = peer_at(server.port, ours.path());
    let port = peer.wait_for("[UPLOAD] Upload server listening on port ");
    let port = port.rsplit(' ').next().unwrap().parse().unwrap();
    peer.wait_for_prompt("Choice: ");
    peer.type_keys("get 12");
    peer.wait_for_line("Choice: get 12");
    let get = "GET RFC 2345 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    assert!(exchange(port, get).starts_with("P2P-CI/1.0 200 OK\r\n"));
    let lines = peer.wait_until(|lines| {
        let is_sent = |line: &String| line.starts_with("[UPLOAD] Sent RFC 2345 to ");
        lines.iter().any(is_sent) && lines.last().unwrap() == "Choice: get 12"
    });
    let menu = lines.iter().position(|line| line == "5. EXIT").unwrap();
    assert!(lines[menu + 1].starts_with("[UPLOAD] Request from "));
    assert_eq!(lines[menu + 2], "GET RFC 2345 P2P-CI/1.0");
    peer.type_keys("3\r");
    peer.wait_for("[DOWNLOAD] Saved to ");
    assert_eq!(
        fs::read(ours.path().join("rfc123.txt")).unwrap(),
        fs::read(theirs.path().join("rfc123.txt")).unwrap()
    );
}

#[test]
fn what_was_chosen_in_one_run_is_there_in_the_next_and_other_answers_are_not() {
    let server = server(&[]);
    let (ours, theirs, state) = (samples(), samples_of_peer_2(), folder(&[]));
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    let start = || {
        let state = state.path().to_str().unwrap();
        let variables = [(STATE, state)];
        peer_with(server.port, ours.path(), (24, 80), &variables)
    };
    let mut peer = start();
    for (question, answer) in [
        ("Choice: ", "find ipsec"),
        ("Choice: ", "1"),
        ("RFC number: ", "77"),
        ("RFC title: ", "A title of ours"),
        ("Choice: ", "4"),
        ("RFC number: ", "3457"),
        ("RFC title (press Enter to skip): ", ""),
        (" exists. Replace it? [y/N]: ", "n"),
        ("Choice: ", "get rfc3457"),
        (" exists. Replace it? [y/N]: ", "yes"),
    ] {
        peer.answer(question, answer);
    }
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(CTRL_D);
    assert_eq!(peer.wait().0, 0);
    let history = fs::read_to_string(state.path().join("p2pci/history")).unwrap();
    let kept: Vec<_> = history.lines().filter(|l| !l.starts_with('#')).collect();
    let chosen = ["find ipsec", "1", "77", "4", "3457", "get rfc3457"];
    assert_eq!(kept, chosen);

    let mut peer = start();
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(UP);
    peer.wait_for_line("Choice: get rfc3457");
    for _ in 1..chosen.len() {
        peer.type_keys(UP);
    }
    peer.wait_for_line("Choice: find ipsec");
    peer.type_keys("\r");
    peer.wait_for("3457  Requirements for IPsec Remote Access Scenarios");
}

#[test]
fn tab_completes_choices_and_the_numbers_that_are_known() {
    let server = server(&[]);
    let samples = samples();
    let mut peer = peer_at(server.port, samples.path());
    peer.wait_for_prompt("Choice: ");
    peer.type_keys("l\t\t");
    peer.wait_for_line("Choice: l");
    peer.wait_for("lookup  list");
    peer.type_keys("i\t");
    peer.wait_for_line("Choice: list");
    peer.type_keys("\r");
    peer.wait_for("3457  Requirements for IPsec Remote Access Scenarios");
    peer.wait_for_prompt("Choice: ");
    peer.type_keys("get 34\t");
    peer.wait_for_line("Choice: get 3457");
}

#[test]
fn ctrl_c_clears_the_line_and_leaves_the_second_time() {
    let mut server = server(&[]);
    let samples = samples();
    let mut peer = peer_at(server.port, samples.path());
    peer.wait_for_prompt("Choice: ");
    peer.type_keys("get 34");
    peer.wait_for_line("Choice: get 34");
    assert!(!is_usual(peer.modes()));
    peer.type_keys(CTRL_C);
    peer.answer("Choice: ", "status");
    peer.wait_for("[PEER] Shared: 2 RFC(s) of ");
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(CTRL_C);
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(CTRL_C);
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    let last = ["Choice:", "Choice:", "[PEER] Disconnecting...", ""];
    assert!(lines.ends_with(&last.map(String::from)), "{lines:?}");
    assert!(is_usual(peer.modes()));
    server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
}

#[test]
fn ctrl_c_twice_leaves_also_where_the_first_cleared_a_line() {
    let server = server(&[]);
    let samples = samples();
    let mut peer = peer_at(server.port, samples.path());
    peer.wait_for_prompt("Choice: ");
    peer.type_keys("get");
    peer.wait_for_line("Choice: get");
    peer.type_keys(CTRL_C);
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(CTRL_C);
    assert_eq!(peer.wait().0, 0);
}

#[test]
fn keys_that_no_line_can_hold_do_no_harm() {
    let server = server(&[]);
    let (samples, state) = (samples(), folder(&[]));
    let history = state.path().join("p2pci/history");
    fs::create_dir(history.parent().unwrap()).unwrap();
    fs::write(&history, "list \u{1b}[31mred\u{1b}]0;x\u{7}\n").unwrap();
    let variables = [("XDG_STATE_HOME", state.path().to_str().unwrap())];
    let mut peer = peer_with(server.port, samples.path(), (24, 80), &variables);
    peer.wait_for_prompt("Choice: ");
    // A control character as it is, and what is in a history that we did not write.
    peer.type_keys("find \u{16}\u{1b}[31mx\u{16}\u{7}\u{1}\u{5}\u{15}");
    peer.type_keys(UP);
    peer.type_keys("\u{15}");
    // A byte that is not UTF-8.
    peer.keyboard.write_all(b"find caf\xe9\r").unwrap();
    peer.wait_until(|lines| lines.ends_with(&["Choice: find caf", "Choice: "].map(String::from)));
    peer.type_keys("\u{15}status\r");
    peer.wait_for("[PEER] Shared: 2 RFC(s) of ");
    assert!(!peer.raw().contains("\u{1b}[31mred"), "{:?}", peer.raw());
}

#[test]
fn ctrl_c_cuts_off_a_download_that_hangs_and_leaves() {
    let mut server = server(&[]);
    let empty = folder(&[]);
    let (_holder, _, _go_on) = slow_holder(server.port);
    let mut peer = peer_at(server.port, empty.path());
    peer.answer("Choice: ", "get 7");
    peer.wait_for("1.00 KiB/2.00 KiB");
    peer.type_keys(CTRL_C);
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    let last = ["[PEER] Disconnecting...", ""].map(String::from);
    assert!(is_usual(peer.modes()), "{:?}", peer.modes());
    assert!(lines.ends_with(&last), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| *line == "5. EXIT").count(), 1);
    assert_eq!(names(empty.path()), [""; 0]);
    server.expect("left. Removed 1 peer(s), 0 RFC(s).\n");
}

#[test]
fn a_signal_in_the_middle_of_a_line_leaves_the_terminal_as_it_was() {
    let mut server = server(&[]);
    let samples = samples();
    let mut peer = peer_at(server.port, samples.path());
    peer.wait_for_prompt("Choice: ");
    peer.type_keys("get 34");
    peer.wait_for_line("Choice: get 34");
    assert!(!is_usual(peer.modes()));
    peer.process.signal(Signal::SIGTERM).unwrap();
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    let last = ["Choice: get 34", "[PEER] Disconnecting...", ""].map(String::from);
    assert!(lines.ends_with(&last), "{lines:?}");
    assert!(is_usual(peer.modes()), "{:?}", peer.modes());
    server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
}

#[test]
fn a_session_that_is_pasted_is_as_many_answers_as_it_has_lines() {
    let server = server(&[]);
    let samples = samples();
    let mut peer = peer_at(server.port, samples.path());
    peer.wait_for_prompt("Choice: ");
    peer.type_keys("status\r2\r3457\r\r5\r");
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    for line in ["Choice: status", "Choice: 2", "Choice: 5"] {
        let place = lines.iter().position(|shown| shown == line).unwrap();
        assert_eq!(lines[place - 1], "5. EXIT", "{lines:?}");
    }
    assert!(lines.contains(&"RFC number: 3457".to_owned()), "{lines:?}");
}

#[test]
fn exit_and_the_end_of_input_leave_the_terminal_as_it_was() {
    let server = server(&[]);
    let samples = samples();
    for keys in ["5\r", "exit\r", CTRL_D] {
        let mut peer = peer_at(server.port, samples.path());
        peer.wait_for_prompt("Choice: ");
        peer.type_keys(keys);
        let (code, lines) = peer.wait();
        assert_eq!(code, 0);
        let last = ["[PEER] Disconnecting...", ""].map(String::from);
        assert!(lines.ends_with(&last), "{lines:?}");
        assert!(is_usual(peer.modes()));
    }
}

#[test]
fn a_table_comes_after_the_messages_and_fits_a_narrow_screen() {
    let server = server(&[]);
    let empty = folder(&[]);
    let title = "A title that is much longer than the screen is wide";
    let host = "a-host-with-quite-a-long-name.example.org";
    let numbers = [7, u32::MAX];
    let _holder = registered(server.port, &numbers, title, host);
    let mut peer = peer_of_size(server.port, empty.path(), (24, 40));
    peer.wait_for_prompt("Choice: ");
    for (choice, rows) in [
        ("list\r", 2),
        ("lookup 4294967295\r", 1),
        ("find LONGER\r", 2),
    ] {
        let start = peer.raw().len();
        peer.type_keys(choice);
        peer.wait_for_prompt("Choice: ");
        // As it was printed, and not as the narrow screen has broken it.
        let lines = shown(&peer.raw()[start..], 1000);
        let record = format!("RFC 4294967295 {title} {host} 65535");
        let message = lines.iter().position(|line| *line == record).unwrap();
        let header = lines
            .iter()
            .position(|line| line.trim_start().starts_with("RFC  "))
            .unwrap();
        let end = lines.iter().position(|line| line == "1. ADD").unwrap();
        assert!(message < header, "{lines:?}");
        let table = &lines[header..end];
        assert_eq!(table.len(), rows + 1, "{table:?}");
        assert!(
            table.iter().all(|line| line.chars().count() <= 40),
            "{table:?}"
        );
        assert!(table[1].starts_with("4294967295  A title"), "{table:?}");
        assert!(table[1].ends_with("  65535"), "{table:?}");
    }
}

#[test]
fn a_table_longer_than_the_screen_is_shown_a_page_at_a_time() {
    let server = server(&[]);
    let empty = folder(&[]);
    let numbers: Vec<u32> = (1..=14).collect();
    let _holder = registered(server.port, &numbers, "One of many", "vm");
    let mut peer = peer_of_size(server.port, empty.path(), (10, 80));
    let rows = |lines: &[String]| {
        let is_row = |line: &&String| line.contains("  One of many  vm ");
        lines.iter().filter(is_row).count()
    };
    peer.answer("Choice: ", "3");
    let lines = peer.wait_for_prompt("6 of 14 shown. Enter for more, q for enough: ");
    assert_eq!(rows(&lines), 6);
    peer.type_keys("\r");
    let lines = peer.wait_for_prompt("12 of 14 shown. Enter for more, q for enough: ");
    assert_eq!(rows(&lines), 12);
    peer.type_keys("\r");
    assert_eq!(rows(&peer.wait_for_prompt("Choice: ")), 14);
    peer.type_keys("list\r");
    peer.answer("6 of 14 shown. Enter for more, q for enough: ", "q");
    assert_eq!(rows(&peer.wait_for_prompt("Choice: ")), 14 + 6);
}

#[test]
fn our_tags_have_colour_and_messages_have_none() {
    let server = server(&[]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    for variables in [&[][..], &[("NO_COLOR", "1")], &[("CLICOLOR", "0")]] {
        let _ = fs::remove_file(ours.path().join("rfc123.txt"));
        let mut peer = peer_with(server.port, ours.path(), (24, 80), variables);
        peer.answer("Choice: ", "get 123");
        peer.answer("Choice: ", "exit");
        assert_eq!(peer.wait().0, 0);
        let raw = peer.raw();
        assert!(
            raw.contains(" Sending:\r\nLOOKUP RFC 123 P2P-CI/1.0\r\nHost: localhost\r\nPort: "),
            "{raw:?}"
        );
        if !variables.is_empty() {
            assert!(colours(&raw).is_empty(), "{variables:?}: {raw:?}");
            continue;
        }
        let mut rest = raw;
        for tag in ["[PEER]", "[UPLOAD]", "[DOWNLOAD]"] {
            let end = format!("{tag}\u{1b}[0m ");
            let (before, _) = rest.split_once(&end).expect("the tag has colour");
            let start = before.rfind("\u{1b}[").unwrap();
            let coloured = format!("{}{end}", &before[start..]);
            rest = rest.replace(&coloured, "");
            assert!(!rest.contains(&format!("\n{tag}")), "{rest:?}");
        }
        // There is no other colour, so none in a message.
        assert!(colours(&rest).is_empty(), "{rest:?}");
    }
}

#[test]
fn an_error_at_a_terminal_has_colour() {
    let server = server(&[]);
    let empty = folder(&[]);
    let host = format!("127.0.0.1:{}", server.port);
    let lookup = [&options(&host, empty.path())[..], &["lookup", "9"]].concat();
    for (variables, has_colour) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let peer = Terminal::start(env!("CARGO_BIN_EXE_peer"), &lookup, (24, 80), variables);
        let (code, lines) = peer.wait();
        assert_eq!(code, 3);
        assert_eq!(lines, ["error: nobody has RFC 9", ""]);
        assert_eq!(
            !colours(&peer.raw()).is_empty(),
            has_colour,
            "{:?}",
            peer.raw()
        );
    }
}

/// A holder of RFC 7 that sends half of it, says so, and sends the rest when it is told to.
fn slow_holder(server: u16) -> (Client, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (go_on, wait) = mpsc::channel();
    let (say, half_sent) = mpsc::channel();
    let port = pretend(move |mut client| {
        client.head();
        client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 2048\r\n\r\n");
        client.send([b'a'; 1024]);
        let _ = say.send(());
        let _ = wait.recv();
        client.send([b'b'; 1024]);
    });
    let mut client = Client::connect(server);
    client.send(format!(
        "ADD RFC 7 P2P-CI/1.0\r\nHost: 127.0.0.1\r\nPort: {port}\r\nTitle: Seven\r\n\r\n"
    ));
    client.receive(&format!(
        "P2P-CI/1.0 200 OK\r\n\r\nRFC 7 Seven 127.0.0.1 {port}\r\n\r\n"
    ));
    (client, half_sent, go_on)
}

#[test]
fn a_download_that_takes_its_time_shows_a_bar_which_goes_away() {
    let server = server(&[]);
    let empty = folder(&[]);
    let (_holder, _, go_on) = slow_holder(server.port);
    let host = format!("127.0.0.1:{}", server.port);
    let get = [&options(&host, empty.path())[..], &["get", "7"]].concat();
    let peer = Terminal::start(env!("CARGO_BIN_EXE_peer"), &get, (24, 80), &[]);
    let bar = peer.wait_for("1.00 KiB/2.00 KiB");
    assert!(bar.starts_with("RFC 7 "), "{bar}");
    go_on.send(()).unwrap();
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    let path = empty.path().join("rfc7.txt");
    let [said, record, end] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(
        *said,
        format!("RFC 7 is in {} (2048 bytes)", path.display())
    );
    assert!(record.starts_with("RFC 7 Seven 127.0.0.1 "), "{record}");
    assert_eq!(end, "");
}

#[test]
fn a_bar_at_the_menu_stays_below_what_is_printed() {
    let server = server(&[]);
    let empty = folder(&[("rfc5.txt", b"five")]);
    let (_holder, _, go_on) = slow_holder(server.port);
    let mut peer = peer_at(server.port, empty.path());
    let port = peer.wait_for("[UPLOAD] Upload server listening on port ");
    let port = port.rsplit(' ').next().unwrap().parse().unwrap();
    peer.answer("Choice: ", "get 7");
    peer.wait_for("1.00 KiB/2.00 KiB");
    let get = "GET RFC 5 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    assert!(exchange(port, get).ends_with("\r\n\r\nfive"));
    peer.wait_until(|lines| {
        let place = |text| lines.iter().position(|line| line.contains(text));
        place("[UPLOAD] Sent RFC 5 to ") < place("1.00 KiB/2.00 KiB")
            && place("[UPLOAD] Sent RFC 5 to ").is_some()
    });
    go_on.send(()).unwrap();
    peer.wait_for("[DOWNLOAD] Saved to ");
    let lines = peer.wait_for_prompt("Choice: ");
    assert!(!lines.iter().any(|line| line.contains("KiB")), "{lines:?}");
}

#[test]
fn the_server_at_a_terminal_says_where_peers_reach_it() {
    let program = env!("CARGO_BIN_EXE_server");
    let bound = ["--port", "0", "--bind", "127.0.0.1"];
    let server = Terminal::start(program, &bound, (24, 80), &[]);
    server.wait_for("[SERVER] Listening on port ");
    let line = server.wait_for("Peers reach this server at");
    assert_eq!(line, "Peers reach this server at 127.0.0.1");
    let mut server = Terminal::start(program, &["--port", "0"], (24, 200), &[]);
    let line = server.wait_for("Peers reach this server at");
    assert!(line.contains("127.0.0.1"), "{line}");
    server.process.signal(Signal::SIGTERM).unwrap();
    let (code, lines) = server.wait();
    assert_eq!(code, 0);
    let last = ["[SERVER] Stopping...", "[SERVER] Stopped.", ""].map(String::from);
    assert!(lines.ends_with(&last), "{lines:?}");
}

#[test]
fn a_terminal_that_can_do_nothing_gets_plain_lines() {
    let server = server(&[]);
    let samples = samples();
    let dumb = [("TERM", "dumb")];
    let mut peer = peer_with(server.port, samples.path(), (24, 80), &dumb);
    peer.answer("Choice: ", "3");
    peer.answer("Choice: ", "5");
    assert_eq!(peer.wait().0, 0);
    assert!(!peer.raw().contains('\u{1b}'), "{:?}", peer.raw());
    assert_eq!(peer.raw().matches("Choice: 3\r\n").count(), 1);
}

#[test]
fn a_pipe_gets_the_printouts_by_the_byte_and_nothing_for_a_terminal() {
    let mut server = server(&[]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let mut one = peer_at_menu("peer 1", server.port, ours.path(), &[]);
    let mut two = peer_at_menu("peer 2", server.port, theirs.path(), &[]);
    one.answer(&["3"]);
    one.answer(&["2", "3457", ""]);
    one.answer(&["4", "123", ""]);
    one.answer(&["find ipsec"]);
    one.type_line("5");
    two.type_line("5");
    for peer in [&mut one, &mut two] {
        assert!(peer.wait().0.success());
    }
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait().0.success());
    for program in [&server, &one, &two] {
        assert!(!program.printed_bytes().contains(&0x1b));
        assert!(!program.errors().contains('\u{1b}'), "{}", program.errors());
    }
    let golden = include_str!("golden/scenarios.txt");
    let scenes: Vec<_> = golden.split("\n\n===").collect();
    let of_peer_1 = scenes[..4].iter().flat_map(|scene| {
        let parts = scene.split("--- ");
        parts.filter_map(|part| part.strip_prefix("peer 1\n"))
    });
    let expected: String = of_peer_1.map(|part| part.trim_end_matches('\n')).collect();
    let names = [
        (server.port.to_string(), "<server port>"),
        (one.port.to_string(), "<port 1>"),
        (two.port.to_string(), "<port 2>"),
        (ours.path().display().to_string(), "<folder 1>"),
    ];
    let printed = scenarios::normalised(&one.printed(), &names);
    assert!(printed.starts_with(&expected), "{printed}\n---\n{expected}");
    assert!(
        printed.ends_with("\nChoice: 5\n[PEER] Disconnecting...\n"),
        "{printed}"
    );
}

#[test]
fn a_pipe_gets_no_bar() {
    let servers = [server(&[]), server(&[])];
    let [(_one, half_sent, go_on), (_other, _, other_goes_on)] =
        servers.each_ref().map(|server| slow_holder(server.port));
    let (piped, watched) = (folder(&[]), folder(&[]));
    let mut peer = Program::start(
        "peer",
        peer_of(servers[0].port, piped.path(), &["get", "7"]),
    );
    half_sent.recv_timeout(PATIENCE).unwrap();
    // One at a terminal that began later has its bar, so here it would be there as well.
    let host = format!("127.0.0.1:{}", servers[1].port);
    let get = [&options(&host, watched.path())[..], &["get", "7"]].concat();
    let at_terminal = Terminal::start(env!("CARGO_BIN_EXE_peer"), &get, (24, 80), &[]);
    at_terminal.wait_for("1.00 KiB/2.00 KiB");
    go_on.send(()).unwrap();
    other_goes_on.send(()).unwrap();
    assert!(peer.wait().0.success());
    let path = piped.path().join("rfc7.txt");
    let said = format!("RFC 7 is in {} (2048 bytes)\n", path.display());
    peer.expect_error(&said);
    assert_eq!(peer.errors(), said);
    assert_eq!(at_terminal.wait().0, 0);
}
