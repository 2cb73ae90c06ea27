//! Documents that move between peers: uploads, which others ask for, and downloads.
//!
//! How two peers say it is [`crate::wire::p2p`]'s: nothing here knows text from frames.

mod download;
mod spread;
mod upload;

pub use download::{DownloadError, Downloader, Fetched};
pub use spread::{Spread, Turn};
pub use upload::Uploads;
