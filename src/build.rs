//! Tells the programs their version.

use std::env;
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
}

/// The commit and its date, for a release; `None` outside a repository of this project, and without
/// git. Other builds have none, because each commit would build everything again.
fn commit() -> Option<String> {
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if !is_release || !Path::new(".git").exists() {
        return None;
    }
    // Git writes this file with each commit and each checkout. Naming a missing file would rebuild
    // the crate every time.
    let log = Path::new(".git/logs/HEAD");
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let format = ["log", "-1", "--format=%h %cs"];
    let output = Command::new("git").args(format).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}
