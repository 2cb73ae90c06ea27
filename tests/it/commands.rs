//! The commands for scripts: exact output, exit codes, JSON, and that they change nothing else.

mod at_the_menu;
mod codes;
mod environment;
mod get;
mod json;
mod outputs;
mod records;
mod send;
mod share;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{
    Program, folder, peer_at_menu, peer_of, run, samples, samples_of_peer_2, server,
};

const IPSEC: &str = "Requirements for IPsec Remote Access Scenarios";
const DNS: &str = "Domain Names and Company Name Retrieval";
const ICP: &str = "A Proferred Official ICP";

/// The result of a command.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl Ended {
    /// Asserts that it succeeded, with only its result.
    #[track_caller]
    fn result(&self) -> &str {
        assert_eq!((self.code, self.errors.as_str()), (Some(0), ""), "{self:?}");
        &self.out
    }

    /// The one JSON document on standard output.
    #[track_caller]
    fn json(&self) -> Value {
        assert!(self.out.ends_with("}\n"), "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

fn ended(command: Command) -> Ended {
    let (status, out, errors) = run("peer", command);
    let code = status.code();
    Ended { code, out, errors }
}

fn ask(server: u16, folder: &Path, arguments: &[&str]) -> Ended {
    ended(peer_of(server, folder, arguments))
}

/// A server, the two peers of the scenarios at their menus, and an empty folder.
struct Stage {
    server: Program,
    one: Program,
    two: Program,
    empty: tempfile::TempDir,
    _folders: [tempfile::TempDir; 2],
}

fn stage() -> Stage {
    let server = server(&["-q"]);
    let folders = [samples(), samples_of_peer_2()];
    let one = peer_at_menu("one", server.port, folders[0].path(), &["-q"]);
    let two = peer_at_menu("two", server.port, folders[1].path(), &["-q"]);
    Stage {
        server,
        one,
        two,
        empty: folder(&[]),
        _folders: folders,
    }
}

impl Stage {
    fn ask(&self, arguments: &[&str]) -> Ended {
        ask(self.server.port, self.empty.path(), arguments)
    }
}
