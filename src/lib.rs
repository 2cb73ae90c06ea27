//! Peer-to-peer document sharing. A peer learns who has what from a central server (P2P-CI/1.0), or
//! from the other peers (P2P-DI/1.0), which it learns of from a server or a distributed hash table.
//!
//! ```text
//!          ADD, LOOKUP, LIST                 GET
//!   peer ────────────────────▶ server   peer ─────▶ peer            central index
//!
//!          REGISTER, PQUERY                  GET RFC-Index, GET RFC
//!   peer ────────────────────▶ server   peer ───────────────▶ peer  distributed index
//! ```
//!
//! Both protocols can be spoken in text and in length-prefixed frames.
//!
//! The crate has two programs, `server` and `peer` (in `src/bin`), and this library, which holds
//! what they share. The modules, in reading order; each depends only on those before it:
//!
//! - [`file_error`]: file errors.
//! - [`state_file`]: a file that keeps state between runs.
//! - [`wire`]: messages ⇄ bytes. It knows no sockets and no files.
//! - [`event`]: what happens, as data.
//! - [`net`]: sockets with deadlines, a thread for each connection.
//! - `dht`: a node of a distributed hash table.
//! - [`library`]: the shared folder.
//! - [`central`]: the index server: which peers are here, and who has what.
//! - [`registration`]: the registration server: which peers are active.
//! - `introducer`: the node through which others join the hash table.
//! - [`index`]: the peer's view of who has what.
//! - [`transfer`]: uploads and downloads.
//! - [`node`]: a peer, and what it can do.
//! - [`control`]: a peer in the background, used by other programs of the same user.
//! - [`web`]: a page that shows a server or a peer, for browsers.
//! - [`terminal`]: the user's terminal: prompt, tables, progress bars, color.
//! - [`printout`]: what the programs print, whole messages at a time.
//! - [`program`]: what both programs do around their work.
//! - [`doors`]: the menu and the commands, for people and scripts.
//! - [`experiment`]: a server and many peers in one process, measured.
//! - [`grade`]: plays the other side of a program, and says where it deviates.
//!
//! The servers ([`central`], [`registration`], `introducer`) never import the peer's side, nor the
//! reverse: they share only what goes over the wire. `dht` and `introducer` exist only with the
//! feature `dht`.
//!
//! A section named in a comment is a section of [`program::manual::protocol`]; in the modules of
//! P2P-DI/1.0, of [`program::manual::distributed`].
//!
//! Invariants:
//! - A protocol value (a number, a host, a title) is validated once, where it is parsed. After
//!   that, its type guarantees that it is valid.
//! - Every byte from a stranger counts against a limit, and every wait has a deadline, with one
//!   exception: a peer that has sent nothing yet, or is registered, may stay silent for as long as
//!   its machine is up. Text from strangers is escaped when it is printed.
//! - A peer is in the catalog exactly as long as its connection is served. In the register it is
//!   active until its time to live expires.
//! - A file appears in the folder whole or not at all.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::as_conversions,
        reason = "a test that fails here fails loudly, which is what it is for"
    )
)]

pub mod file_error;

pub mod state_file;

pub mod wire;

pub mod event;

pub mod net;

#[cfg(feature = "dht")]
pub mod dht;

pub mod library;

pub mod central;

pub mod registration;

#[cfg(feature = "dht")]
pub mod introducer;

pub mod index;

pub mod transfer;

pub mod node;

pub mod control;

pub mod web;

pub mod terminal;

pub mod printout;

pub mod program;

pub mod doors;

pub mod experiment;

pub mod grade;
