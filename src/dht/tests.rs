use super::*;
use crate::event::testing::Notes;
use crate::wire::Port;

/// As long as anything takes, many times over.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(bootstrap: &[&DhtNode]) -> Config {
    Config {
        bind: Ipv4Addr::LOCALHOST,
        port: 0,
        bootstrap: bootstrap.iter().map(|node| node.address()).collect(),
        saved: None,
        is_introducer: false,
        public: false,
    }
}

fn start(config: Config) -> DhtNode {
    DhtNode::start(config, &Events::default(), &Stop::default()).unwrap()
}

fn introducer() -> DhtNode {
    start(Config {
        is_introducer: true,
        ..config(&[])
    })
}

/// A node that has joined through these.
fn joined(bootstrap: &[&DhtNode]) -> DhtNode {
    let node = start(config(bootstrap));
    assert_eq!(node.wait_for_fill(0, PATIENCE), Some(1));
    node
}

fn port(port: u16) -> Port {
    Port::new(port).unwrap()
}

fn rfc(number: u32) -> Key {
    Key::Rfc(crate::wire::RfcNumber::new(number).unwrap())
}

fn ports(found: impl IntoIterator<Item = SocketAddrV4>) -> Vec<u16> {
    let mut ports: Vec<_> = found.into_iter().map(|address| address.port()).collect();
    ports.sort_unstable();
    ports
}

#[test]
fn a_lone_node_says_so_and_learns_of_the_second() {
    let notes = Notes::default();
    let events = Events::default().and(notes.clone());
    let first = DhtNode::start(config(&[]), &events, &Stop::default()).unwrap();
    assert!(!first.wait_until_settled(PATIENCE) && first.is_alone());
    let announced = first.announce(Key::Catalogue, port(5));
    assert_eq!(announced, Err(AnnounceError::Alone));
    assert_eq!(first.lookup(Key::Catalogue, PATIENCE).next(), None);
    let second = joined(&[&first]);
    assert_eq!(first.wait_for_fill(0, PATIENCE), Some(1));
    first.announce(Key::Catalogue, port(5)).unwrap();
    second.announce(rfc(7), port(6)).unwrap();
    assert_eq!(ports(second.lookup(Key::Catalogue, PATIENCE)), [5]);
    assert_eq!(ports(first.lookup(rfc(7), PATIENCE)), [6]);
    assert_eq!(ports(first.lookup(rfc(8), PATIENCE)), [0; 0]);
    let told = notes.all();
    let steps: Vec<_> = told.iter().map(String::as_str).collect();
    let expected = [
        "Dht(Alone)",
        "Dht(Joined { nodes: 1 })",
        "Dht(Changed)",
        "Dht(Announced { key: Catalogue, port: 5 })",
    ];
    assert_eq!(steps[..4], expected);
    assert_eq!(first.contacts(), [second.address()]);
}

#[test]
fn all_peers_of_a_key_are_found_and_each_once() {
    let first = introducer();
    let nodes: Vec<_> = (0..5).map(|_| joined(&[&first])).collect();
    for (number, node) in (1..).zip(&nodes) {
        for _ in 0..3 {
            node.announce(rfc(9), port(number)).unwrap();
        }
    }
    let late = joined(&[&first]);
    let found = late.lookup_all(rfc(9), PATIENCE);
    assert_eq!(
        (ports(found.addresses), found.is_sample),
        (vec![1, 2, 3, 4, 5], false)
    );
}

#[test]
fn a_node_knows_some_dozens_of_others_but_not_the_introducer_as_a_peer() {
    let first = introducer();
    let others: Vec<_> = (0..30).map(|_| joined(&[&first])).collect();
    let late = joined(&[&first]);
    assert!(late.nodes().len() >= MANY / 2);
    let expected = ports(others.iter().map(DhtNode::address));
    let mut found = ports(late.more_nodes());
    found.retain(|port| expected.contains(port));
    // No node knows all others for certain: a bucket of a table may be full.
    assert!(found.len() >= 25, "{found:?} of {expected:?}");
    assert!(!late.nodes().contains(&first.address()));
}

#[test]
fn many_requests_at_once_all_succeed() {
    let first = introducer();
    let node = joined(&[&first]);
    let other = joined(&[&first]);
    thread::scope(|scope| {
        for number in 1..=20 {
            let node = &node;
            scope.spawn(move || node.announce(rfc(number), port(5)).unwrap());
        }
    });
    thread::scope(|scope| {
        for number in 1..=20 {
            let other = &other;
            scope.spawn(move || assert_eq!(ports(other.lookup(rfc(number), PATIENCE)), [5]));
        }
    });
}

#[test]
fn an_introducer_that_comes_back_leads_to_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("dht.json");
    let with_file = |port| Config {
        port,
        saved: Some(saved.clone()),
        is_introducer: true,
        ..config(&[])
    };
    let first = start(with_file(0));
    let here = first.address();
    let sharing = joined(&[&first]);
    let other = joined(&[&first]);
    first.wait_for_fill(0, PATIENCE).unwrap();
    sharing.announce(rfc(3), port(5)).unwrap();
    drop(first);
    // While it is away the others find each other.
    assert_eq!(ports(other.lookup(rfc(3), PATIENCE)), [5]);
    let again = start(with_file(here.port()));
    assert_eq!(again.address(), here);
    assert_eq!(again.wait_for_fill(0, PATIENCE), Some(1));
    let late = joined(&[&again]);
    assert_eq!(ports(late.lookup(rfc(3), PATIENCE)), [5]);
}

#[test]
fn a_node_comes_back_without_its_introducer() {
    let folder = tempfile::tempdir().unwrap();
    let with_file = |bootstrap: &[&DhtNode]| Config {
        saved: Some(folder.path().join("nodes.json")),
        ..config(bootstrap)
    };
    let first = introducer();
    let other = joined(&[&first]);
    other.announce(rfc(3), port(5)).unwrap();
    let node = start(with_file(&[&first]));
    node.wait_for_fill(0, PATIENCE).unwrap();
    assert_eq!(ports(node.lookup(rfc(3), PATIENCE)), [5]);
    drop(node);
    drop(first);
    let again = start(with_file(&[]));
    assert_eq!(again.wait_for_fill(0, PATIENCE), Some(1));
    assert_eq!(ports(again.lookup(rfc(3), PATIENCE)), [5]);
}

#[test]
fn a_node_whose_introducer_comes_later_joins_then() {
    let away = introducer();
    let here = away.address();
    drop(away);
    let early = start(Config {
        bootstrap: vec![here],
        ..config(&[])
    });
    assert!(!early.wait_until_settled(PATIENCE));
    let _late = loop {
        let late = Config {
            port: here.port(),
            is_introducer: true,
            ..config(&[])
        };
        // The port may be in use by another test by now, or still by the first.
        if let Ok(node) = DhtNode::start(late, &Events::default(), &Stop::default()) {
            break node;
        }
    };
    assert_eq!(early.wait_for_fill(0, PATIENCE), Some(1));
}

#[test]
fn a_node_that_ended_is_started_again_and_says_so() {
    let notes = Notes::default();
    let events = Events::default().and(notes.clone());
    let first = introducer();
    let node = DhtNode::start(config(&[&first]), &events, &Stop::default()).unwrap();
    node.wait_for_fill(0, PATIENCE).unwrap();
    let here = node.address();
    node.shared.engine.end();
    assert_eq!(ports(node.lookup(rfc(8), PATIENCE)), [0; 0]);
    assert_eq!(node.wait_for_fill(1, PATIENCE), Some(2));
    assert_eq!(node.address(), here);
    node.announce(rfc(8), port(5)).unwrap();
    assert!(notes.all().contains(&"Dht(Rebuilt)".to_owned()));
}

#[test]
fn two_programs_do_not_share_a_port_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let with_file = Config {
        saved: Some(folder.path().join("nodes.json")),
        ..config(&[])
    };
    let node = start(with_file.clone());
    let refused = |config| {
        let started = DhtNode::start(config, &Events::default(), &Stop::default());
        started.unwrap_err().to_string()
    };
    assert!(refused(with_file).contains("in use by another"));
    let same_port = Config {
        port: node.address().port(),
        ..config(&[])
    };
    assert!(refused(same_port).contains("the port is in use by another program"));
}

#[test]
fn a_signal_ends_every_wait() {
    let stop = Stop::default();
    let node = DhtNode::start(config(&[]), &Events::default(), &stop).unwrap();
    stop.now(2);
    assert_eq!(node.wait_for_fill(0, PATIENCE), None);
    assert!(node.shared.is_closing());
}
