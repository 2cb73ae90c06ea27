//! Tells the programs which commit they were built from, if known.

use std::path::Path;
use std::process::Command;

fn main() {
    let version = env!("CARGO_PKG_VERSION");
    let version = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=BUILD_VERSION={version}");
    println!("cargo::rerun-if-changed=src/build.rs");
    // Git writes this file with each commit and each checkout. Naming a missing file would rebuild
    // the crate every time.
    let log = Path::new(".git/logs/HEAD");
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
}

/// The commit and its date; `None` outside a repository of this project, and without git.
fn commit() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    let format = ["log", "-1", "--format=%h %cs"];
    let output = Command::new("git").args(format).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}
