//! Peer-to-peer document sharing.
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
pub mod index;
pub mod net;
pub mod peer;
pub mod program;
pub mod server;
pub mod signals;
pub mod transcript;
pub mod wire;
