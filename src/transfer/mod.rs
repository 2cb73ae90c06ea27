//! Documents that move between peers: uploads, which others ask for, and downloads.

mod download;
mod upload;

pub use download::{DownloadError, Downloader, Fault};
pub use upload::Uploads;
