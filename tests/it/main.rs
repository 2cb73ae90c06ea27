//! The programs as their users and their attackers meet them: real binaries, real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test that fails here fails loudly, which is what it is for"
)]

#[path = "../support/mod.rs"]
mod support;

mod scenarios;
