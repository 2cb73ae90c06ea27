//! Runs the real programs as users do, on free ports, with a deadline on every wait.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "each program of the tests uses its part, and a test that fails here fails loudly"
)]

mod background;
mod client;
mod folders;
mod printed;
mod program;
mod pty;
pub(crate) mod scenarios;
pub(crate) mod scenarios_dht;
pub(crate) mod scenarios_di;
mod start;

use std::thread;
use std::time::Duration;

pub(crate) use background::Leftovers;
pub(crate) use client::{
    BAD, Client, EMPTY, LIST, dead_port, exchange, hanging_holder, holder, holder_that, names_in,
    pretend, registered,
};
pub(crate) use folders::{folder, names, samples, samples_of_peer_2};
pub(crate) use printed::Printed;
pub(crate) use program::Program;
pub(crate) use pty::Pty;
pub(crate) use start::{
    at_menu, listening, peer, peer_at_menu, peer_command, peer_of, run, server, server_at,
    server_command, sharing, started_peer, started_server, without_options,
};

/// Names the folder where the programs keep their state between runs.
pub(crate) const STATE: &str = "XDG_STATE_HOME";

/// The menu and its question.
pub(crate) const MENU: &str = "1. ADD    — register an RFC with the server
2. LOOKUP — find which peers have an RFC
3. LIST   — list all RFCs that peers share
4. GET    — download an RFC (LOOKUP, GET, ADD)
5. EXIT   — leave and quit
Choice: ";

/// The longest wait for anything. It is generous, because only failures use it up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// Runs all cases at the same time, because they mostly wait.
pub(crate) fn at_once<C: Send>(cases: impl IntoIterator<Item = C>, test: impl Fn(C) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || test(case));
        }
    });
}
