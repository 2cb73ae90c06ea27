//! The eight scenarios of P2P-CI/1.0 with the real programs, and their printouts as a terminal
//! shows them, including standard error.
//!
//! The golden transcript in `tests/it/golden/scenarios.txt` has the expected printouts, with names
//! in place of ports, dates and systems.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::{
    Program, at_menu, exchange, listening, peer_of, samples, samples_of_peer_2, server_command,
    sharing,
};

/// Runs all scenarios, shows the output as it is printed, and returns all of it with names in place
/// of values that differ between runs.
pub(crate) fn run(mut show: impl FnMut(&str)) -> String {
    let folders = [samples(), samples_of_peer_2()];
    let [first, second] = [folders[0].path(), folders[1].path()];
    let mut stage = Stage {
        all: String::new(),
        show: &mut show,
    };

    let mut index = server(&[]);
    let mut one = peer("peer 1", index.port, first, &[]);
    let mut two = peer("peer 2", index.port, second, &[]);
    stage.scene("1. Start and register: two ADDs from each peer, each answered 200");
    stage.line(
        "server",
        &index.expect(&format!("Scenarios localhost {}\n\n", two.port)),
    );
    stage.line("peer 1", &one.printed());
    stage.line("peer 2", &two.printed());

    stage.scene("2. LIST ALL over two peers, newest first");
    stage.line("peer 1", &one.answer(&["3"]));
    stage.line(
        "server",
        &index.expect(&format!("Retrieval localhost {}\n\n", one.port)),
    );

    stage.scene("3. LOOKUP of an RFC that two peers hold");
    stage.line("peer 1", &one.answer(&["2", "3457", ""]));
    stage.line(
        "server",
        &index.expect_response(&format!("localhost {}\n\n", one.port)),
    );

    stage.scene("4. GET: LOOKUP, download, ADD; a second LOOKUP shows the new holder");
    stage.line("peer 1", &one.answer(&["4", "123", ""]));
    stage.line("peer 2", &two.expect("(912 bytes)\n"));
    let same =
        fs::read(first.join("rfc123.txt")).unwrap() == fs::read(second.join("rfc123.txt")).unwrap();
    stage.line(
        "the two files",
        if same { "are identical\n" } else { "DIFFER\n" },
    );
    stage.line("peer 2", &two.answer(&["2", "123", ""]));
    stage.line(
        "server",
        &index.expect_response(&format!("ICP localhost {}\n\n", two.port)),
    );
    stage.line(
        "server",
        &index.expect_response(&format!("ICP localhost {}\n\n", one.port)),
    );
    stage.line(
        "server",
        &index.expect_response(&format!("ICP localhost {}\n\n", two.port)),
    );

    stage.scene("5. LOOKUP and GET of an unknown RFC: 404 and nothing more");
    stage.line("peer 1", &one.answer(&["2", "999", ""]));
    stage.line("peer 1", &one.answer(&["4", "999", ""]));
    stage.line("server", &index.expect_response("404 Not Found\n\n\n"));
    stage.line("server", &index.expect_response("404 Not Found\n\n\n"));

    stage.scene("6. A method that does not exist: 400");
    let blah = "BLAH RFC 123 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    stage.line("to the upload server of peer 1", &exchange(one.port, blah));
    stage.line("peer 1", &one.expect("400 Bad Request\n\n"));
    stage.line("to the server", &exchange(index.port, blah));
    stage.line("server", &index.expect(" closed\n"));

    stage.scene("7. Another version: 505");
    let newer = "GET RFC 123 P2P-CI/2.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    stage.line("to the upload server of peer 1", &exchange(one.port, newer));
    stage.line("peer 1", &one.expect("Supported\n\n"));
    stage.line("to the server", &exchange(index.port, newer));
    stage.line("server", &index.expect(" closed\n"));

    stage.scene("8. EXIT, and kill -9: the records go, the rest stays");
    one.type_line("5");
    let (status, printed) = one.wait();
    stage.line("peer 1", &printed);
    assert!(status.success(), "EXIT ends with {status}");
    stage.line("server", &index.expect(" RFC(s).\n"));
    stage.line("peer 2", &two.answer(&["3"]));
    stage.line(
        "server",
        &index.expect_response(&format!("ICP localhost {}\n\n", two.port)),
    );
    two.kill();
    stage.line("server", &index.expect(" RFC(s).\n"));
    let list = "LIST ALL P2P-CI/1.0\r\nHost: localhost\r\n\r\n";
    stage.line("to the server", &exchange(index.port, list));
    stage.line("server", &index.expect(" closed\n"));
    index.signal(Signal::TERM);
    let (status, printed) = index.wait();
    stage.line("server", &printed);
    assert!(status.success(), "SIGTERM ends with {status}");

    let names = [
        (index.port.to_string(), "<server port>"),
        (one.port.to_string(), "<port 1>"),
        (two.port.to_string(), "<port 2>"),
        (first.display().to_string(), "<folder 1>"),
        (second.display().to_string(), "<folder 2>"),
    ];
    normalized(&stage.all, &names)
}

/// A server whose errors are part of its printout.
pub(crate) fn server(arguments: &[&str]) -> Program {
    let command = server_command(&[&["--port", "0"], arguments].concat());
    listening(Program::start_as_shown("server", command))
}

/// A peer at its menu whose errors are part of its printout.
pub(crate) fn peer(name: &str, server: u16, folder: &Path, arguments: &[&str]) -> Program {
    let command = peer_of(server, folder, arguments);
    at_menu(sharing(Program::start_as_shown(name, command)))
}

/// Shows what happens, and records it.
pub(super) struct Stage<'a> {
    pub(super) all: String,
    pub(super) show: &'a mut dyn FnMut(&str),
}

impl Stage<'_> {
    pub(super) fn scene(&mut self, title: &str) {
        self.put(&format!(
            "\n{line}\n{title}\n{line}\n",
            line = "=".repeat(78)
        ));
    }

    pub(super) fn line(&mut self, who: &str, printed: &str) {
        let mut text = format!("--- {who}\n{}", printed.replace('\r', ""));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.put(&text);
    }

    fn put(&mut self, text: &str) {
        (self.show)(text);
        self.all.push_str(text);
    }
}

impl Program {
    /// Waits for a response that ends with `end`.
    fn expect_response(&mut self, end: &str) -> String {
        let mut text = self.expect("] Response to ");
        text.push_str(&self.expect(end));
        text
    }
}

/// The line of a server before the addresses of its machine.
const ADDRESSES: &str = "Peers reach this server at ";

/// Replaces values that differ between runs by names.
pub(crate) fn normalized(text: &str, names: &[(String, &str)]) -> String {
    let mut text = text.replace("[::1]:", "127.0.0.1:");
    for (word, name) in names {
        text = text.replace(word, name);
    }
    let mut clients = Vec::new();
    let mut all = String::new();
    for line in text.lines() {
        let line = match line.split_once(": ") {
            _ if line.starts_with(ADDRESSES) => format!("{ADDRESSES}<addresses>"),
            Some((name @ ("Date" | "Last-Modified" | "OS"), _)) if line != "OS: Mac" => {
                format!("{name}: <{}>", name.to_lowercase())
            }
            _ => line.to_owned(),
        };
        let _ = writeln!(all, "{}", with_client_names(&line, &mut clients));
    }
    all
}

/// Numbers the ports that the system gave to clients, in the order in which they appear.
fn with_client_names(line: &str, clients: &mut Vec<String>) -> String {
    let Some((before, rest)) = line.split_once("127.0.0.1:") else {
        return line.to_owned();
    };
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let (port, after) = rest.split_at(digits);
    if port.is_empty() {
        return line.to_owned();
    }
    let place = clients
        .iter()
        .position(|client| client == port)
        .unwrap_or_else(|| {
            clients.push(port.to_owned());
            clients.len() - 1
        });
    format!("{before}127.0.0.1:<client {}>{after}", place + 1)
}
