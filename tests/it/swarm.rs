//! Many peers at once, and the collection of real documents.

use std::fs;
use std::path::PathBuf;

use crate::support::{Client, folder, peer, peer_at_menu, server};

#[test]
fn peers_register_list_and_download_at_once() {
    const PEERS: u32 = 6;
    let server = server(&["-q"]);
    let folders: Vec<_> = (1..=PEERS)
        .map(|n| {
            folder(&[(
                &format!("rfc{n}.txt"),
                format!("from {n}").repeat(5000).as_bytes(),
            )])
        })
        .collect();
    let mut peers: Vec<_> = folders
        .iter()
        .map(|folder| peer("peer", server.port, folder.path(), &[]))
        .collect();
    for peer in &mut peers {
        peer.expect("Choice: ");
    }
    // Every peer starts to get everything before any of them is waited for.
    for (own, peer) in (1..).zip(&mut peers) {
        for other in (1..=PEERS).filter(|&other| other != own) {
            for line in ["3", "4", &other.to_string(), ""] {
                peer.type_line(line);
            }
        }
    }
    // Nobody leaves before everybody has everything.
    for (own, peer) in (1..).zip(&mut peers) {
        for other in (1..=PEERS).filter(|&other| other != own) {
            peer.expect(&format!("/rfc{other}.txt (30000 bytes)\n"));
        }
        let folder = folders[own as usize - 1].path();
        for n in 1..=PEERS {
            let file = fs::read_to_string(folder.join(format!("rfc{n}.txt"))).unwrap();
            assert!(file == format!("from {n}").repeat(5000), "RFC {n} differs");
        }
    }
}

/// The folder with real RFC texts, if there is one.
fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("RFC_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        println!("skipped: RFC_CORPUS names no folder with real RFC texts");
    }
    corpus
}

/// The number and printed title of each document; an empty title means that it prints none.
fn titles(corpus: &std::path::Path) -> Vec<(u32, String)> {
    let table = fs::read_to_string(corpus.join("titles.tsv")).unwrap();
    let row = |line: &str| {
        let mut columns = line.split('\t');
        Some((columns.next()?.parse().ok()?, columns.next()?.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn real_documents_arrive_identical_and_under_their_titles() {
    let Some(corpus) = corpus() else { return };
    let server = server(&["-q"]);
    let _holder = peer_at_menu("holder", server.port, &corpus, &["-q"]);

    let mut list = Client::connect(server.port);
    list.send("LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n");
    list.head();
    let records: Vec<String> = std::iter::repeat_with(|| list.line())
        .take_while(|l| !l.is_empty())
        .collect();
    let titles = titles(&corpus);
    assert_eq!(records.len(), titles.len());
    let words = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (mut wrong, mut different) = (Vec::new(), Vec::new());
    for (number, title) in &titles {
        let expected = if title.is_empty() {
            format!("RFC {number}")
        } else {
            title.clone()
        };
        let line = records
            .iter()
            .find(|line| line.starts_with(&format!("RFC {number} ")))
            .unwrap();
        let given = line.split(' ').skip(2).collect::<Vec<_>>().join(" ");
        let given = given.rsplitn(3, ' ').nth(2).unwrap_or_default().to_owned();
        let exact = *number >= 9961 || [123, 2345, 3457].contains(number);
        if exact && given != expected {
            wrong.push(format!("{number}: {given:?} for {expected:?}"));
        }
        if words(&given) != words(&expected) {
            different.push(format!("{number}: {given:?} for {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(different.len() <= 10, "{different:#?}");

    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &["-q"]);
    for (number, _) in &titles {
        peer.answer(&["4", &number.to_string(), ""]);
        let name = format!("rfc{number}.txt");
        let (ours, theirs) = (
            fs::read(folder.path().join(&name)),
            fs::read(corpus.join(&name)),
        );
        assert!(ours.unwrap() == theirs.unwrap(), "{name} differs");
    }
    println!(
        "{} documents are identical; {} titles differ: {different:?}",
        titles.len(),
        different.len()
    );
}
