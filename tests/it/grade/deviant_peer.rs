//! A peer that deviates in one point. It does what the grader asks a person to do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The document that it has from the beginning.
pub(super) const DOCUMENT: &[u8] = b"RFC 2345\nA document\n";

/// What a faithful peer may do: titles with several spaces in a row, and an ADD for each choice in its
/// menu.
pub(super) const SPACES: &str = "several spaces";
pub(super) const BY_HAND: &str = "by hand";
/// One that opens a new connection to the index for each request, and so leaves after each.
pub(super) const PER_REQUEST: &str = "a connection for each request";
/// One that registers a document before it has it.
pub(super) const ADD_FIRST: &str = "an ADD before the GET";
/// The beginning of the name of one that also sends the request which follows, with PORT.
pub(super) const ALSO: &str = "also: ";

/// How an existing program differs from a faithful one.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// What it sends in place of a request,
    pub(super) request: fn(String) -> String,
    /// and in place of an answer to a GET.
    pub(super) answer: fn(Vec<u8>) -> Vec<u8>,
    /// What it says first, if anything.
    pub(super) greeting: Option<&'static str>,
    /// Whether it takes what its first read returns for the head of a document.
    pub(super) reads_once: bool,
}

pub(super) const FAITHFUL: Kind = Kind {
    request: |request| request,
    answer: |answer| answer,
    greeting: None,
    reads_once: false,
};

/// A peer that would lose exactly the named check; an empty name is a faithful one.
pub(super) struct Deviant {
    check: &'static str,
    /// What it does with a connection to its upload server, if it does not answer.
    attack: Option<fn(TcpStream)>,
    kind: Kind,
    documents: Mutex<BTreeMap<u32, Vec<u8>>>,
    /// Connections that it should have closed.
    open: Mutex<Vec<TcpStream>>,
}

/// A connection to the index.
struct Index {
    reader: BufReader<TcpStream>,
    me: String,
}

impl Index {
    fn send(&mut self, request: &str) {
        let stream = self.reader.get_mut();
        stream.write_all(request.as_bytes()).unwrap();
    }

    /// An answer whose end is silence.
    fn until_silence(&mut self) -> String {
        let mut answer = String::new();
        let stream = self.reader.get_ref().try_clone().unwrap();
        while let Ok(bytes) = self.reader.fill_buf()
            && !bytes.is_empty()
        {
            answer += str::from_utf8(bytes).unwrap();
            let count = bytes.len();
            self.reader.consume(count);
            let silence = Duration::from_millis(500);
            stream.set_read_timeout(Some(silence)).unwrap();
        }
        stream.set_read_timeout(None).unwrap();
        answer
    }
}

impl Deviant {
    /// Joins the index on this port, and does what the lines say.
    pub(super) fn run(check: &'static str, index: u16, lines: impl Iterator<Item = String>) {
        Self::start(check, None, FAITHFUL, index, lines);
    }

    /// The same for one of this kind.
    pub(super) fn run_as(kind: Kind, index: u16, lines: impl Iterator<Item = String>) {
        Self::start("", None, kind, index, lines);
    }

    /// The same, with an upload server that attacks.
    pub(super) fn attack(attack: fn(TcpStream), index: u16, lines: impl Iterator<Item = String>) {
        Self::start("", Some(attack), FAITHFUL, index, lines);
    }

    fn start(
        check: &'static str,
        attack: Option<fn(TcpStream)>,
        kind: Kind,
        index: u16,
        lines: impl Iterator<Item = String>,
    ) {
        let documents = [(2345, DOCUMENT.to_vec()), (99, DOCUMENT.to_vec())];
        let deviant = Arc::new(Self {
            check,
            attack,
            kind,
            documents: Mutex::new(documents.into_iter().collect()),
            open: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut port = listener.local_addr().unwrap().port();
        let uploads = Arc::clone(&deviant);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, uploads) = (stream.unwrap(), Arc::clone(&uploads));
                if uploads.lacks("get-parallel") {
                    uploads.serve(stream);
                } else {
                    thread::spawn(move || uploads.serve(stream));
                }
            }
        });
        if check == "add-port" {
            port = crate::support::dead_port();
        }
        let mut connection = deviant.join(index, port);
        for line in lines {
            let Some((_, choice)) = line.split_once("Choose in the menu of your peer: ") else {
                continue;
            };
            let (choice, _seconds) = choice.rsplit_once(" (").unwrap();
            let mut words = choice.splitn(3, ", ");
            let step = words.next().unwrap();
            let number = words.next().map_or(0, |rfc| rfc[4..].parse().unwrap());
            match step {
                "LOOKUP" => drop(deviant.lookup(&mut connection, number, "lookup-form")),
                "LIST" => {
                    let list = format!("LIST ALL P2P-CI/1.0\r\n{}\r\n", connection.me);
                    drop(deviant.ask(&mut connection, &list, "list-form"));
                }
                "GET" => deviant.get(&mut connection, number),
                "ADD" if deviant.lacks(BY_HAND) => {
                    let add = add(number, &connection.me);
                    drop(deviant.ask(&mut connection, &add, ""));
                }
                _ if deviant.lacks("exit-closes") => {}
                _ => connection
                    .reader
                    .get_ref()
                    .shutdown(Shutdown::Both)
                    .unwrap(),
            }
        }
    }

    fn lacks(&self, check: &str) -> bool {
        !check.is_empty() && self.check == check
    }

    fn join(&self, index: u16, port: u16) -> Index {
        let connect = || Index {
            reader: BufReader::new(TcpStream::connect(("127.0.0.1", index)).unwrap()),
            me: format!("Host: 127.0.0.1\r\nPort: {port}\r\n"),
        };
        let mut connection = connect();
        if self.lacks("joins") {
            let list = format!("LIST ALL P2P-CI/1.0\r\n{}\r\n", connection.me);
            self.ask(&mut connection, &list, "");
            return connection;
        }
        if self.lacks(BY_HAND) {
            return connection;
        }
        if let Some(greeting) = self.kind.greeting {
            connection.send(greeting);
            connection.until_silence();
        }
        let adds = [99, 2345].map(|number| add(number, &connection.me));
        let both = self.formed(&adds.concat(), "add-form");
        if (self.kind.request)(both.clone()) == both {
            connection.send(&both);
            for _ in &adds {
                answer(&mut connection.reader);
            }
        } else {
            for add in &adds {
                self.ask(&mut connection, add, "");
            }
        }
        if let Some(request) = self.check.strip_prefix(ALSO) {
            let request = request.replace("PORT", &port.to_string());
            self.ask(&mut connection, &request, "");
        }
        if self.lacks("answer-together") {
            connection = connect();
            for add in adds {
                self.ask(&mut connection, &add, "");
            }
        }
        connection
    }

    /// A request, with wrong line ends if it is the one that deviates.
    fn formed(&self, request: &str, check: &str) -> String {
        if self.lacks(check) {
            request.replace("\r\n", "\n")
        } else if self.lacks(SPACES) {
            request.replace("A Title", "A   Title")
        } else {
            request.to_owned()
        }
    }

    fn ask(&self, index: &mut Index, request: &str, check: &str) -> String {
        if self.lacks(PER_REQUEST) {
            let server = index.reader.get_ref().peer_addr().unwrap();
            index.reader = BufReader::new(TcpStream::connect(server).unwrap());
        }
        let request = self.formed(request, check);
        let sent = (self.kind.request)(request.clone());
        index.send(&sent);
        if sent != request {
            return index.until_silence();
        }
        let first = String::from_utf8_lossy(index.reader.fill_buf().unwrap()).into_owned();
        let answer = answer(&mut index.reader);
        if self.lacks("answer-split") {
            return first;
        }
        answer
    }

    /// The ports of the holders.
    fn lookup(&self, index: &mut Index, number: u32, check: &str) -> Vec<u16> {
        let request = format!(
            "LOOKUP RFC {number} P2P-CI/1.0\r\n{}Title: T\r\n\r\n",
            index.me
        );
        let answer = self.ask(index, &request, check);
        let records = answer.lines().filter(|line| line.starts_with("RFC "));
        let ports = records.filter_map(|line| line.rsplit(' ').next()?.parse().ok());
        ports.collect()
    }

    fn get(&self, index: &mut Index, number: u32) {
        let mut holders = self.lookup(index, number, "");
        if self.lacks("get-next-holder") {
            holders.truncate(1);
        }
        let adds_first = self.lacks(ADD_FIRST) && !holders.is_empty();
        if adds_first {
            self.ask(index, &add(number, &index.me.clone()), "");
        }
        let fetched = holders.iter().find_map(|port| self.fetch(*port, number));
        match fetched {
            Some(mut document) => {
                if self.lacks("get-identical") {
                    document.retain(|byte| *byte != 0);
                }
                self.documents.lock().unwrap().insert(number, document);
                if adds_first || self.lacks("get-flow") {
                    return;
                }
            }
            None if self.lacks("get-unknown") => {}
            None => return,
        }
        self.ask(index, &add(number, &index.me.clone()), "");
    }

    fn fetch(&self, port: u16, number: u32) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let os = if self.lacks("get-request-form") {
            ""
        } else {
            "OS: Test 1\r\n"
        };
        let request = format!("GET RFC {number} P2P-CI/1.0\r\nHost: 127.0.0.1\r\n{os}\r\n");
        let request = (self.kind.request)(request);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        if self.kind.reads_once {
            let mut head = vec![0; 64 * 1024];
            let count = stream.read(&mut head).unwrap();
            let is_ok = head[..count].starts_with(b"P2P-CI/1.0 200 ");
            stream.read_to_end(&mut answer).unwrap();
            return is_ok.then_some(answer);
        }
        stream.read_to_end(&mut answer).unwrap();
        let end = |end: &[u8]| {
            let place = answer.windows(end.len()).position(|it| it == end);
            place.map(|place| place + end.len())
        };
        // A refusal may have no empty line.
        let end = end(b"\r\n\r\n").or(end(b"\n\n"))?;
        let is_ok = answer.starts_with(b"P2P-CI/1.0 200 ");
        is_ok.then(|| answer[end..].to_vec())
    }

    fn serve(&self, mut stream: TcpStream) {
        if let Some(attack) = self.attack {
            return attack(stream);
        }
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        // A grader that has seen enough closes.
        let answer = (self.kind.answer)(self.upload(&head));
        let _ = stream.write_all(&answer);
        if self.lacks("get-closes") || answer.is_empty() {
            self.open.lock().unwrap().push(stream);
            return;
        }
        let _ = stream.shutdown(Shutdown::Write);
    }

    fn upload(&self, head: &str) -> Vec<u8> {
        let line = head.lines().next().unwrap();
        let error = |check: &str, code: &str, other: &str| {
            let code = if self.lacks(check) { other } else { code };
            let answer = format!("P2P-CI/1.0 {code}\r\n\r\n");
            self.formed(&answer, "get-error-form").into_bytes()
        };
        let Some(line) = line.strip_suffix(" P2P-CI/1.0") else {
            return error(
                "get-505",
                "505 P2P-CI Version Not Supported",
                "400 Bad Request",
            );
        };
        let Some(number) = line.strip_prefix("GET RFC ") else {
            return error("get-400", "400 Bad Request", "404 Not Found");
        };
        let number: u32 = number.parse().unwrap();
        let documents = self.documents.lock().unwrap();
        let Some(document) = documents.get(&number) else {
            return error("get-404", "404 Not Found", "400 Bad Request");
        };
        let status = if self.lacks("get-ok") {
            "201 OK"
        } else {
            "200 OK"
        };
        let date = if self.lacks("get-headers") {
            "Sat, 21 Nov 2026 19:27:28 -0000"
        } else {
            "Sat, 21 Nov 2026 19:27:28 GMT"
        };
        let is_too_long = self.lacks("get-body") && number == 2345;
        let surplus = if is_too_long { "\n" } else { "" };
        let head = format!(
            "P2P-CI/1.0 {status}\r\nDate: {date}\r\nOS: Test 1\r\n\
             Last-Modified: Fri, 17 Apr 2026 16:08:18 GMT\r\nContent-Length: {}\r\n\
             Content-Type: text/plain\r\n\r\n",
            document.len()
        );
        [head.as_bytes(), document, surplus.as_bytes()].concat()
    }
}

fn add(number: u32, me: &str) -> String {
    format!("ADD RFC {number} P2P-CI/1.0\r\n{me}Title: A Title\r\n\r\n")
}

/// An answer of the index: a status line, an empty line, records, an empty line.
fn answer(reader: &mut BufReader<TcpStream>) -> String {
    let mut answer = String::new();
    let mut empty_lines = 0;
    while empty_lines < 2 {
        let before = answer.len();
        if reader.read_line(&mut answer).unwrap_or(0) == 0 {
            break;
        }
        empty_lines += usize::from(answer[before..] == *"\r\n");
    }
    answer
}
