//! Documents that move between peers: uploads, which others ask for, and downloads.

pub mod activity;
mod download;
mod upload;

pub use activity::Activity;
pub use download::{DownloadError, Downloader, Fault};
pub use upload::Uploads;
