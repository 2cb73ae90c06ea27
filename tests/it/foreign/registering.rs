//! Index servers with a peer that registers a large folder.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::concurrent;
use crate::support::{Client, Program, folder, peer_at_menu, server};

/// A folder with RFCs 1 to `count`, which print no title.
fn many(count: u32) -> TempDir {
    let files: Vec<_> = (1..=count).map(|n| format!("rfc{n}.txt")).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|name| (&**name, &b""[..])).collect();
    folder(&files)
}

/// How many ADDs the peer has sent before each response.
fn batches(printed: &str) -> Vec<usize> {
    let (mut batches, mut sent) = (Vec::new(), 0);
    for line in printed.lines() {
        if line == "[PEER] Sending:" {
            sent += 1;
        } else if line == "[PEER] Response:" && sent > 0 {
            batches.push(std::mem::take(&mut sent));
        }
    }
    batches
}

#[test]
fn a_faithful_server_gets_more_and_more_of_a_large_folder_at_once() {
    for (count, options, expected) in [
        (40, &[] as &[_], vec![1, 2, 4, 8, 16, 9]),
        (32, &[], vec![1; 32]),
        (40, &["--pipeline", "1"], vec![1; 40]),
        (40, &["--pipeline", "30"], vec![30, 10]),
    ] {
        let (server, files) = (server(&["-q"]), many(count));
        let peer = peer_at_menu("peer", server.port, files.path(), options);
        assert_eq!(batches(&peer.printed()), expected, "{options:?}");
        let listed = crate::support::exchange(server.port, crate::support::LIST);
        assert_eq!(listed.matches("RFC ").count(), 2 * count as usize);
    }
}

/// What an index holds: titles by number, of one peer. They leave with its connection.
type Held = Arc<Mutex<BTreeMap<u32, String>>>;

/// A server that reads at most `most` bytes at a time, and takes what one read returns as one
/// request: `answer` gets it, and the records. `None` closes the connection.
fn one_read(
    most: usize,
    answer: fn(&str, &mut BTreeMap<u32, String>) -> Option<String>,
) -> (u16, Held) {
    let held = Held::default();
    let records = Arc::clone(&held);
    let port = concurrent(move |client: Client| {
        let (mut stream, mut buffer) = (client.stream(), vec![0; most]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let request = str::from_utf8(&buffer[..count]).unwrap();
            let Some(answer) = answer(request, &mut records.lock()) else {
                break;
            };
            stream.write_all(answer.as_bytes()).unwrap();
        }
        records.lock().clear();
    });
    (port, held)
}

/// The words after the first `name`.
fn after<'a>(request: &'a str, name: &str) -> &'a str {
    let (_, rest) = request.split_once(name).unwrap();
    rest.lines().next().unwrap()
}

/// Adds a record, and answers as the agreement says.
fn add(request: &str, title: &str, records: &mut BTreeMap<u32, String>) -> String {
    let number = after(request, "ADD RFC ").split(' ').next().unwrap();
    let [host, port] = ["Host: ", "Port: "].map(|name| after(request, name));
    records.insert(number.parse().unwrap(), title.to_owned());
    format!("P2P-CI/1.0 200 OK\r\n\r\nRFC {number} {title} {host} {port}\r\n\r\n")
}

/// All of 40 RFCs are registered, and after the first `together` one at a time.
fn all_are_held(peer: &Program, held: &Held, together: &[usize]) {
    let right: Vec<_> = (1..=40).map(|n| (n, format!("RFC {n}"))).collect();
    assert_eq!(held.lock().clone().into_iter().collect::<Vec<_>>(), right);
    let batches = batches(&peer.printed());
    assert!(batches.starts_with(together), "{batches:?}");
    let rest = &batches[together.len()..];
    assert!(rest.iter().all(|sent| *sent == 1), "{batches:?}");
}

#[test]
fn a_server_that_sees_only_the_first_of_two_requests_gets_the_other_again() {
    let (index, held) = one_read(64 * 1024, |request, records| {
        Some(add(request, after(request, "Title: "), records))
    });
    let files = many(40);
    let peer = peer_at_menu("peer", index, files.path(), &[]);
    all_are_held(&peer, &held, &[1, 2]);
}

#[test]
fn a_server_that_mixes_two_requests_gets_both_again() {
    let (index, held) = one_read(64 * 1024, |request, records| {
        let (_, last) = request.rsplit_once("Title: ").unwrap();
        Some(add(request, last.trim_end(), records))
    });
    let files = many(40);
    let peer = peer_at_menu("peer", index, files.path(), &[]);
    all_are_held(&peer, &held, &[1, 2]);
}

#[test]
fn a_server_that_loses_what_its_buffer_cuts_gets_that_again() {
    let (index, held) = one_read(512, |request, records| {
        let whole = request.split_inclusive("\r\n\r\n");
        let whole = whole.filter(|one| one.starts_with("ADD ") && one.ends_with("\r\n\r\n"));
        let answers = whole.map(|one| add(one, after(one, "Title: "), records));
        Some(answers.collect())
    });
    let files = many(40);
    let peer = peer_at_menu("peer", index, files.path(), &[]);
    all_are_held(&peer, &held, &[1, 2, 4, 8]);
}

#[test]
fn a_server_that_fails_because_of_two_requests_gets_everything_one_by_one() {
    let fails: [fn(&str, &mut _) -> Option<String>; 2] = [
        |request, records| {
            let is_one = request.matches("ADD ").count() == 1;
            is_one.then(|| add(request, after(request, "Title: "), records))
        },
        |request, records| match request.matches("ADD ").count() {
            1 => Some(add(request, after(request, "Title: "), records)),
            _ => Some("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()),
        },
    ];
    // No answer came between the two and the first one after reconnecting, or one that is printed.
    for (answer, together) in fails.into_iter().zip([[1, 3], [1, 2]]) {
        let (index, held) = one_read(64 * 1024, answer);
        let files = many(40);
        let mut peer = peer_at_menu("peer", index, files.path(), &[]);
        peer.expect(" again, registered 40 of 40 RFC(s)\n");
        all_are_held(&peer, &held, &together);
    }
}

/// A server that pauses in the middle of a batch, until it gets another request, and that answers
/// LOOKUP with 404.
fn pausing(at: u32) -> u16 {
    concurrent(move |mut client: Client| {
        let mut late: Option<String> = None;
        let mut has_paused = false;
        loop {
            let request = client.head();
            if request.is_empty() {
                return;
            }
            let is_add = request.starts_with("ADD ");
            let is_it = is_add && request.starts_with(&format!("ADD RFC {at} "));
            if is_it && !has_paused {
                (late, has_paused) = (Some(String::new()), true);
            }
            let answer = if is_add {
                add(&request, after(&request, "Title: "), &mut BTreeMap::new())
            } else {
                "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n".to_owned()
            };
            match &mut late {
                // The first of the batch, sent again.
                Some(all) if request.starts_with("ADD RFC 16 ") => {
                    client.send(&(std::mem::take(all) + &answer));
                    late = None;
                }
                Some(all) => *all += &answer,
                None => client.send(&answer),
            }
        }
    })
}

#[test]
fn late_answers_are_not_taken_for_those_of_other_requests() {
    let files = many(40);
    let mut peer = peer_at_menu("peer", pausing(20), files.path(), &[]);
    let printed = peer.answer(&["lookup 41"]);
    assert!(printed.contains("P2P-CI/1.0 404 Not Found"), "{printed}");
    // The first of the batch was sent once more to see what is missing, and nothing was.
    assert_eq!(batches(&peer.printed())[..7], [1, 2, 4, 8, 16, 1, 9]);
}

/// It answers one request for each read, and keeps the others: each answer is to an older request.
#[test]
fn a_server_that_is_always_one_answer_behind_gets_everything_one_by_one() {
    let held = Held::default();
    let records = Arc::clone(&held);
    let index = concurrent(move |client: Client| {
        let (mut stream, mut buffer, mut kept) = (client.stream(), vec![0; 64 * 1024], Vec::new());
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..count]);
            let end = kept.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
            let request: Vec<_> = kept.drain(..end).collect();
            let request = str::from_utf8(&request).unwrap();
            let answer = add(request, after(request, "Title: "), &mut records.lock());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        records.lock().clear();
    });
    let files = many(40);
    let mut peer = peer_at_menu("peer", index, files.path(), &[]);
    peer.expect(" again, registered 40 of 40 RFC(s)\n");
    let why = "its answers do not match the requests";
    assert!(peer.printed().contains(why), "{}", peer.printed());
    all_are_held(&peer, &held, &[1, 2]);
}
