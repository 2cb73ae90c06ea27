//! The programs as users and attackers see them: real binaries, real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::format_collect,
    reason = "a test that fails here fails loudly, which is what it is for"
)]

#[path = "../support/mod.rs"]
mod support;

mod attackers;
mod background;
mod commands;
mod comparison;
#[cfg(feature = "dht")]
mod dht;
mod distributed;
mod documents;
mod download;
mod experiment;
mod faults;
mod foreign;
mod framed;
mod grade;
mod hostile_index;
mod idle;
mod layers;
mod menu;
mod packaging;
mod scenarios;
mod server;
mod swarm;
mod take_back;
mod terminal;
mod told;
mod unread;
mod upload;
mod web;
