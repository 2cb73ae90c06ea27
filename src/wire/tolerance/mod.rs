//! What the agreement does not allow and existing programs do: one module for each deviation, which
//! says for which kind of program it is.
//!
//! Students wrote these programs, and each works with itself. What most of them have in common is
//! that one read counts as one message, so they send no empty line and expect none. Nothing here
//! changes a byte or a moment for a message that follows the agreement: lines that end with CR LF,
//! and an empty line at the end.
//!
//! Servers tolerate requests: [`unended`], [`manner`], [`padding`], [`wording`]. Clients tolerate
//! answers: [`title`], [`swallowed`], [`silence`], [`line_ends`], [`status`], [`record`],
//! [`fields`], [`bare_file`].

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
