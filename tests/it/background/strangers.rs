//! What strangers on the same machine can do to the socket of a peer.

use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::{User, connect, exchange, rest};
use crate::support::{folder, names, samples};

const MALFORMED: &str = "422 MALFORMED 0\r\n";

#[test]
fn only_the_user_can_reach_the_socket() {
    let user = User::new();
    let folder = samples();
    let place = user.state.path().join("p2pci");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
    let socket = user.daemon(folder.path());
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&place), mode(&socket)), (0o700, 0o600));
    for name in names(&place) {
        assert_eq!(mode(&place.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn a_path_that_is_too_long_is_an_error_that_says_so() {
    let user = User::new();
    let (shared, place) = (samples(), folder(&[]));
    let room = 107 - place.path().as_os_str().len() - 1;
    let path = |length: usize| {
        let path = place.path().join("x".repeat(length));
        path.to_str().unwrap().to_owned()
    };
    let long = path(room + 1);
    let share = user.ask(shared.path(), &["--socket", &long, "share", "--daemon"]);
    let error = format!(
        "error: the socket path {long} has 108 bytes, but the system allows 107; --socket sets a \
         shorter one\n"
    );
    assert_eq!((share.code, share.errors), (Some(1), error));
    assert_eq!(
        user.ask(shared.path(), &["--socket", &long, "list"]).code,
        Some(0)
    );
    let longest = path(room);
    let mut peer = user.start(shared.path(), &["--socket", &longest, "share"]);
    peer.expect("[PEER] Connected");
    peer.expect_error("are shared\n");
    let stop = || user.ask(shared.path(), &["--socket", &longest, "stop"]);
    // It may be about to listen.
    assert!(
        std::iter::repeat_with(stop)
            .take(100)
            .any(|stop| stop.code == Some(0))
    );
    assert_eq!(peer.wait().0.code(), Some(0));
}

#[test]
fn a_link_or_a_file_in_its_place_is_left_alone() {
    let user = User::new();
    let (shared, place) = (samples(), folder(&[("file", b"theirs")]));
    let theirs = place.path().join("theirs");
    let listener = UnixListener::bind(&theirs).unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = |name: &str| place.path().join(name);
    symlink(at("file"), at("to-file")).unwrap();
    symlink(&theirs, at("to-socket")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    for name in ["file", "to-file", "to-socket", "dangling"] {
        let path = at(name);
        let socket = ["--socket", path.to_str().unwrap()];
        let share = user.ask(
            shared.path(),
            &[&socket[..], &["share", "--daemon"]].concat(),
        );
        let error = format!("error: {} exists and is not a socket;", path.display());
        assert_eq!(share.code, Some(1), "{share:?}");
        assert!(share.errors.starts_with(&error), "{share:?}");
        // Nobody sends it what a peer would get.
        let list = user.ask(shared.path(), &[&socket[..], &["list"]].concat());
        assert_eq!(list.code, Some(0), "{list:?}");
    }
    let another = ["--socket", theirs.to_str().unwrap(), "share", "--daemon"];
    let share = user.ask(shared.path(), &another);
    assert!(share.errors.contains("uses the socket"), "{share:?}");
    assert_eq!(fs::read(at("file")).unwrap(), b"theirs");
    assert!(
        fs::symlink_metadata(&theirs)
            .unwrap()
            .file_type()
            .is_socket()
    );
    assert!(!at("nowhere").exists());
}

#[test]
fn silent_clients_make_room_for_those_who_ask() {
    let user = User::new();
    let folder = samples();
    let socket = user.daemon(folder.path());
    let mut silent: Vec<_> = (0..300).map(|_| connect(&socket)).collect();
    for _ in 0..3 {
        assert!(exchange(&socket, "STATUS\r\n").starts_with("200 OK "));
    }
    // The oldest ones had to leave, and the latest ones are still there.
    assert_eq!(rest(&mut silent[0]), "");
    let mut last = silent.pop().unwrap();
    last.write_all(b"INIT_PEER_TABLE\r\n").unwrap();
    assert_eq!(rest(&mut last), "200 OK 0\r\n");
    assert_eq!(user.ask(folder.path(), &["list"]).code, Some(0));
}

#[test]
fn a_request_without_its_end_is_answered_in_time() {
    let user = User::new();
    let folder = samples();
    let socket = user.daemon(folder.path());
    let mut half = connect(&socket);
    half.write_all(b"STATUS").unwrap();
    let mut silent = connect(&socket);
    let mut closed = connect(&socket);
    closed.write_all(b"LIST_ALL").unwrap();
    closed.shutdown(Shutdown::Write).unwrap();
    for stream in [&mut closed, &mut half, &mut silent] {
        assert_eq!(rest(stream), MALFORMED);
    }
}

#[test]
fn names_that_climb_or_end_early_and_other_nonsense_are_refused() {
    let user = User::new();
    let above = folder(&[("rfc1.txt", b"secret")]);
    let shared = above.path().join("a/shared");
    fs::create_dir_all(&shared).unwrap();
    fs::create_dir(above.path().join("a/rfc2.txt")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        above.path().join("a/rfc3.txt"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let socket = user.daemon(&shared);
    for operation in ["UPLOAD", "DOWNLOAD"] {
        for name in [
            "../rfc1.txt",
            "a/../../rfc1.txt",
            "rfc1.txt\0.png",
            "rfc1.txt\0",
            "",
            " ",
            "\u{1b}[2J",
        ] {
            let request = format!("{operation} {name}\r\n");
            assert_eq!(exchange(&socket, &request), MALFORMED, "{request:?}");
        }
    }
    // A folder and a pipe are no documents.
    for name in ["rfc2.txt", "rfc3.txt"] {
        let answer = exchange(&socket, format!("UPLOAD {name}\r\n"));
        assert_eq!(answer, "500 ERROR OCCURRED 0\r\n", "{name}");
    }
    assert_eq!(exchange(&socket, b"UPLOAD \xff\r\n"), MALFORMED);
    assert_eq!(exchange(&socket, "SEARCH \0\r\n"), MALFORMED);
    assert_eq!(exchange(&socket, "\r\n"), "404 OPERATION UNKNOWN 0\r\n");
    assert_eq!(names(&shared), [""; 0]);
}

#[test]
fn json_that_is_huge_deep_or_wrong_is_refused() {
    let user = User::new();
    let folder = samples();
    let socket = user.daemon(folder.path());
    let huge = format!("RUN [{}\r\n", "1,".repeat(1_200 * 1024));
    let deep = format!("RUN {}\r\n", "[".repeat(100_000));
    let nested = format!("RUN {}\r\n", "{\"get\":".repeat(10_000));
    let number = r#"RUN {"find":{"number":{"number":0,"title":""}}}"#;
    let title = r#"RUN {"add":{"number":1,"title":"a\u001bb"}}"#;
    for request in [
        &huge,
        &deep,
        &nested,
        &format!("{number}\r\n"),
        &format!("{title}\r\n"),
        "RUN\r\n",
        "RUN null\r\n",
        // No jobs, and a file that is relative to nobody's folder.
        "RUN {\"get\":{\"numbers\":[7],\"title\":\"\",\"place\":{\"folder\":\"never\"},\"jobs\":0,\"takes_bare\":false}}\r\n",
        "RUN {\"get\":{\"numbers\":[7],\"title\":\"\",\"place\":{\"file\":\"a/b\"},\"jobs\":1,\"takes_bare\":false}}\r\n",
    ] {
        let start = &request[..request.len().min(60)];
        assert_eq!(exchange(&socket, request), MALFORMED, "{start}");
    }
    assert_eq!(exchange(&socket, "INIT_PEER_TABLE\r\n"), "200 OK 0\r\n");
}
