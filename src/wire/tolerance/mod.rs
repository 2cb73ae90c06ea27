//! What the agreement does not allow and existing programs do: one module for each deviation, which
//! says for which kind of program it is.
//!
//! Students wrote these programs, and each works with itself. What most of them have in common is
//! that one read counts as one message, so they send no empty line and expect none. Nothing here
//! changes a byte or a moment for a message that follows the agreement: lines that end with CR LF,
//! and an empty line at the end.
//!
//! | module | what is tolerated |
//! |---|---|
//! | `unended` | a request whose last line has no end |
//! | `manner` | a request without its empty line is answered in its own manner |
//! | `padding` | `~`, `!` or `\&!` after a request |
//! | `wording` | other words, and greetings |
//! | `title` | a server that wants the title of a LOOKUP |
//! | `swallowed` | a document directly after its head |
//! | `silence` | a system that speaks only in frames |
//! | `line_ends` | a server that wants bare LF |
//! | `status` | a status line without its end |
//! | `record` | a record without `RFC`, or with `RFC:` |
//! | `fields` | not tolerated: a document among the header fields |
//! | `bare_file` | a document without a head |

pub(super) mod bare_file;
pub(super) mod fields;
pub mod line_ends;
pub(super) mod manner;
pub(super) mod padding;
pub(super) mod record;
pub mod silence;
pub(super) mod status;
pub(super) mod swallowed;
pub mod title;
pub(super) mod unended;
pub(super) mod wording;
