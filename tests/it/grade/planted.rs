//! Isolated programs that leave something in their folder for the grader and for other users.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::programs::can_isolate;
use super::{Graded, grade};
use crate::support::folder;

const SERVER: &str = env!("CARGO_BIN_EXE_server");

/// Grades what this command starts in the folder `own`, with these options that name files in it.
fn grade_in(own: &Path, command: &str, files: &[(&str, &str)]) -> Graded {
    let own = own.to_str().unwrap();
    let files = files.iter();
    let files: Vec<_> = files
        .flat_map(|(option, file)| [(*option).to_owned(), format!("{own}/{file}")])
        .collect();
    let usual = ["--isolated", "--in", own, "--run", command];
    let files = files.iter().map(String::as_str);
    let only = ["--only", "add-ok,lookup-records,number-400"];
    let all: Vec<_> = usual.into_iter().chain(files).chain(only).collect();
    grade(&all)
}

/// It makes links from the files of the grader to those of the user, and ends at each LOOKUP, so that
/// it is started again.
#[test]
fn the_one_that_links_the_files_of_the_grader() {
    if !can_isolate() {
        return;
    }
    let outside = folder(&[("victim", b"untouched")]);
    let victim = outside.path().join("victim");
    let own = folder(&[]);
    let command = format!(
        "echo started; for file in out.txt junit.xml results.json; do \
         ln -sf {} $file; done; \
         ({SERVER} & echo $! > pid; wait) | while read -r line; do case $line in \
         *LOOKUP*) kill -9 $(cat pid); sleep 0.1; exit 7;; esac; done",
        victim.display()
    );
    let files = [
        ("--keep-output", "out.txt"),
        ("--junit", "junit.xml"),
        ("--gradescope", "results.json"),
    ];
    // The second time the links are there before it begins.
    for _ in 0..2 {
        let graded = grade_in(own.path(), &command, &files);
        assert_eq!(graded.code, Some(8), "{}{}", graded.out, graded.errors);
        graded.says(&["started again once\n", "  ok    number-400 "]);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        for (file, said) in [("junit.xml", "<testsuite"), ("results.json", "\"tests\"")] {
            let path = own.path().join(file);
            assert!(path.symlink_metadata().unwrap().is_file(), "{file}");
            let written = fs::read_to_string(path).unwrap();
            assert!(written.contains(said), "{written}");
        }
    }
}

#[test]
fn the_one_that_links_a_folder_to_that_of_others() {
    if !can_isolate() {
        return;
    }
    let (outside, own) = (folder(&[]), folder(&[]));
    let link = own.path().join("reports");
    symlink(outside.path(), &link).unwrap();
    for (option, file) in [
        ("--junit", "reports/junit.xml"),
        ("--keep-output", "reports/out.txt"),
    ] {
        let graded = grade_in(own.path(), &format!("exec {SERVER}"), &[(option, file)]);
        assert_eq!(graded.code, Some(1), "{}{}", graded.out, graded.errors);
        let said = format!(
            "error: cannot write {}/{file}: {} is a link that the program may have made; name \
             another folder\n",
            own.path().display(),
            link.display()
        );
        assert!(graded.errors.ends_with(&said), "{}", graded.errors);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

#[test]
fn devices_and_pipes_that_the_user_names_are_written_to() {
    if !can_isolate() {
        return;
    }
    let own = folder(&[]);
    let pipe = own.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    let command = format!("exec {SERVER}");
    let own = own.path().to_str().unwrap();
    let mut arguments = vec!["--isolated", "--in", own, "--run", &command];
    arguments.extend(["--keep-output", "/dev/null", "--junit", "/dev/stdout"]);
    let pipe = pipe.to_str().unwrap();
    arguments.extend(["--only", "add-ok", "--gradescope", pipe]);
    let graded = grade(&arguments);
    assert_eq!(graded.code, Some(0), "{}{}", graded.out, graded.errors);
    assert!(graded.out.starts_with("<?xml "), "{}", graded.out);
    assert!(graded.out.ends_with("All checks hold.\n"), "{}", graded.out);
    assert!(reader.join().unwrap().contains("\"tests\""));
}

/// Whoever can reach such a file would run it as the user who grades.
#[test]
fn the_one_that_leaves_a_program_for_everybody() {
    if !can_isolate() {
        return;
    }
    let own = folder(&[("before", b"")]);
    let before = own.path().join("before");
    fs::set_permissions(&before, Permissions::from_mode(0o4755)).unwrap();
    let command = format!(
        "mkdir -p a/b; cp /bin/true shell; cp /bin/true a/b/shell; chmod 4755 shell; \
         chmod 6755 a/b/shell; chmod 0 a; stat -c %a shell; exec {SERVER}"
    );
    let files = [("--keep-output", "out.txt")];
    let graded = grade_in(own.path(), &command, &files);
    assert_eq!(graded.code, Some(0), "{}{}", graded.out, graded.errors);
    let printed = fs::read_to_string(own.path().join("out.txt")).unwrap();
    assert!(printed.starts_with("4755\n"), "{printed}");
    let closed = own.path().join("a");
    fs::set_permissions(closed, Permissions::from_mode(0o700)).unwrap();
    for file in ["before", "shell", "a/b/shell"] {
        let mode = fs::metadata(own.path().join(file)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o7777, 0o755, "{file}");
    }
}
