//! Documents shared between peers. What differs is how a peer learns who has what: from a server
//! that knows it (P2P-CI/1.0), or from the other peers (P2P-DI/1.0).
//!
//! ```text
//!          ADD, LOOKUP, LIST                 GET
//!   peer ────────────────────▶ server   peer ─────▶ peer            central index
//!
//!          REGISTER, PQUERY                  GET RFC-Index, GET RFC
//!   peer ────────────────────▶ server   peer ───────────────▶ peer  distributed index
//! ```
//!
//! Both are spoken in text and in frames of a given length.
//!
//! The crate has two programs, `server` and `peer` (in `src/bin`), and this library, in which
//! they share what they have in common. The modules in reading order, each of which knows only
//! those before it:
//!
//! - [`file_error`]: what went wrong with a file.
//! - [`wire`]: messages ⇄ bytes. It knows no sockets and no files.
//! - [`event`]: what happens, as data.
//! - [`net`]: sockets with deadlines, a thread for each connection.
//! - [`library`]: the folder that is shared.
//! - [`central`]: the index server, who is here and who has what.
//! - [`registration`]: the registration server, who is active.
//! - [`index`]: the peer's view of who has what.
//! - [`transfer`]: uploads and downloads.
//! - [`node`]: a peer, and what it can do.
//! - [`terminal`]: the person in front of it: the prompt, tables, bars, colour.
//! - [`printout`]: what is printed, whole messages at a time.
//! - [`program`]: what both programs do around their work.
//! - [`doors`]: the menu and the commands, which let people and scripts do it.
//! - [`experiment`]: a registration server and many peers in one process, measured.
//!
//! [`central`] and [`registration`] never import the peer's side, nor it them: all that the two have
//! in common is what goes over the wire.
//!
//! Where a comment names a section, it is one of the page [`program::manual::protocol`]; in the
//! modules of P2P-DI/1.0, of [`program::manual::distributed`].
//!
//! What always holds:
//! - A word of the protocol (a number, a host, a title) is checked once, where it comes in. A
//!   value of its type is right.
//! - Every byte from a stranger has a limit, and every wait a deadline but one: a peer that has
//!   sent nothing yet, or is registered, may be silent for as long as its machine is there. Text
//!   from strangers is escaped where it is printed.
//! - A peer is in the catalog exactly as long as its connection is served. In the register it is
//!   active as long as its time to live has not run out.
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

pub mod wire;

pub mod event;

pub mod net;

pub mod library;

pub mod central;

pub mod registration;

pub mod index;

pub mod transfer;

pub mod node;

pub mod terminal;

pub mod printout;

pub mod program;

pub mod doors;

pub mod experiment;
