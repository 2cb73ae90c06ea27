//! Uploads and downloads of documents between peers.
//!
//! [`crate::wire::p2p`] is the protocol; nothing here distinguishes text from frames.

mod download;
mod spread;
mod upload;

pub use download::{DownloadError, Downloader, Fetched};
pub use spread::{Spread, Turn};
pub use upload::Uploads;
