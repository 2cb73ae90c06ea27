//! Folders that peers share.

use std::path::Path;

use tempfile::TempDir;

/// A folder with files of the given names and contents.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// The names in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The samples of the first peer, in their own folder: a manual run may have downloaded more into
/// the one of the project.
pub(crate) fn samples() -> TempDir {
    copies(&["rfc2345.txt", "rfc3457.txt"])
}

/// The samples of the second peer, in their own folder.
pub(crate) fn samples_of_peer_2() -> TempDir {
    copies(&["peer2/rfc123.txt", "peer2/rfc3457.txt"])
}

fn copies(samples: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for sample in samples {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("rfcs")
            .join(sample);
        std::fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    }
    folder
}
