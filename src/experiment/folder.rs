//! The folder for the results.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use atomic_write_file::AtomicWriteFile;
use serde::Serialize;

use super::chart::{self, Axes, Curve};
use crate::file_error::FileError;

/// Where the results are written. Existing files are replaced atomically.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Creates the folder if it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        fs::create_dir_all(path).map_err(FileError::of("write", path))?;
        Ok(Self(path.to_owned()))
    }

    /// Draws curves as SVG, and returns the path.
    pub(super) fn draw(
        &self,
        name: &str,
        axes: &Axes<'_>,
        curves: &[Curve],
    ) -> anyhow::Result<PathBuf> {
        self.write(name, |file| {
            let svg = chart::draw(axes, curves)?;
            Ok(file.write_all(svg.as_bytes())?)
        })
    }

    /// Writes rows as CSV, and returns the path.
    pub(super) fn write_csv(
        &self,
        name: &str,
        rows: impl IntoIterator<Item = impl Serialize>,
    ) -> anyhow::Result<PathBuf> {
        self.write(name, |file| {
            let mut writer = csv::Writer::from_writer(file);
            for row in rows {
                writer.serialize(row)?;
            }
            Ok(writer.flush()?)
        })
    }

    fn write(
        &self,
        name: &str,
        write: impl FnOnce(&mut AtomicWriteFile) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        let written = || {
            let mut file = AtomicWriteFile::open(&path)?;
            write(&mut file)?;
            anyhow::Ok(file.commit()?)
        };
        written().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
