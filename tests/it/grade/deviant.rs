//! An index server that deviates in one point.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What is sent after a request in place of a faithful answer; `None` is silence.
pub(super) type Rewrite = fn(&str, String) -> Option<String>;

/// A server that would lose exactly the named check; an empty name is a faithful one.
pub(super) struct Deviant {
    check: &'static str,
    pieces: Pieces,
    rewrite: Rewrite,
    /// Newest first, each with the number of its connection.
    records: Mutex<Vec<(usize, Record)>>,
    /// How many connections are open,
    open: Mutex<usize>,
    /// and that one fewer is.
    closed: Condvar,
    is_broken: AtomicBool,
}

/// How an answer is written: how many bytes or lines in one call, and the pause after each.
#[derive(Clone, Copy)]
pub(super) enum Pieces {
    Whole,
    Lines(Duration),
    Bytes(Duration),
    /// The last line end by itself.
    Two,
}

impl Pieces {
    fn write(self, mut stream: &TcpStream, answer: &str) -> std::io::Result<()> {
        let (pieces, pause): (Vec<&str>, _) = match self {
            Self::Whole => (vec![answer], Duration::ZERO),
            Self::Lines(pause) => (answer.split_inclusive('\n').collect(), pause),
            Self::Bytes(pause) => (answer.split_inclusive(|_| true).collect(), pause),
            Self::Two => {
                let (head, end) = answer.split_at(answer.len() - 2);
                (vec![head, end], Duration::ZERO)
            }
        };
        for piece in pieces {
            stream.write_all(piece.as_bytes())?;
            thread::sleep(pause);
        }
        Ok(())
    }
}

#[derive(Clone, PartialEq)]
struct Record {
    number: String,
    title: String,
    host: String,
    port: String,
}

/// A connection: its number, and how many ADDs it has sent.
struct Session {
    id: usize,
    adds: usize,
}

impl Deviant {
    /// Listens, and returns the port.
    pub(super) fn start(check: &'static str) -> u16 {
        Self::start_in(check, Pieces::Whole)
    }

    /// The same, with answers in pieces.
    pub(super) fn start_in(check: &'static str, pieces: Pieces) -> u16 {
        Self::listen(check, pieces, |_, answer| Some(answer))
    }

    /// A server whose answers are all rewritten.
    pub(super) fn start_as(rewrite: Rewrite) -> u16 {
        Self::listen("", Pieces::Whole, rewrite)
    }

    fn listen(check: &'static str, pieces: Pieces, rewrite: Rewrite) -> u16 {
        let deviant = Arc::new(Self {
            check,
            pieces,
            rewrite,
            records: Mutex::default(),
            open: Mutex::default(),
            closed: Condvar::new(),
            is_broken: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for (id, stream) in listener.incoming().enumerate() {
                let (stream, deviant) = (stream.unwrap(), Arc::clone(&deviant));
                *deviant.open.lock().unwrap() += 1;
                thread::spawn(move || {
                    if deviant.has_room() {
                        deviant.serve(id, &stream);
                    }
                    *deviant.open.lock().unwrap() -= 1;
                    deviant.closed.notify_all();
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        port
    }

    /// Whether there are no more than ten connections, once those that have ended are counted out.
    fn has_room(&self) -> bool {
        let is_full = |open: &mut usize| self.lacks("concurrent") && *open > 10;
        let open = self.open.lock().unwrap();
        let time = Duration::from_secs(1);
        !self
            .closed
            .wait_timeout_while(open, time, is_full)
            .unwrap()
            .1
            .timed_out()
    }

    fn lacks(&self, check: &str) -> bool {
        self.check == check
    }

    fn serve(&self, id: usize, mut stream: &TcpStream) {
        let mut session = Session { id, adds: 0 };
        let (mut buffer, mut waiting) = (vec![0; 4096], Vec::new());
        let is_clean = loop {
            match stream.read(&mut buffer) {
                Ok(0) => break waiting.is_empty(),
                Ok(count) => waiting.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break false,
            }
            if self.lacks("garbage") && waiting.contains(&0xff) {
                self.is_broken.store(true, Ordering::SeqCst);
            }
            if waiting.len() > 8192 || self.is_broken.load(Ordering::SeqCst) {
                break false;
            }
            if self
                .answer_all(&mut waiting, &mut session, stream)
                .is_none()
            {
                break true;
            }
        };
        let forgets = match self.check {
            "close-forgets" => !is_clean,
            "reset-forgets" => is_clean,
            _ => true,
        };
        if forgets {
            self.forget(id);
        }
    }

    /// Answers what is complete. `None`: the connection is to be closed.
    fn answer_all(
        &self,
        waiting: &mut Vec<u8>,
        session: &mut Session,
        stream: &TcpStream,
    ) -> Option<()> {
        let is_end = |waiting: &[u8]| waiting.windows(4).position(|end| end == b"\r\n\r\n");
        if self.lacks("split") && is_end(waiting).is_none() {
            waiting.extend(b"\r\n\r\n");
        }
        while let Some(end) = is_end(waiting) {
            let head = String::from_utf8_lossy(&waiting[..end]).into_owned();
            waiting.drain(..end + 4);
            if self.lacks("pipelined") {
                waiting.clear();
            }
            let (answer, is_error) = self.answer(&head, session);
            if let Some(answer) = (self.rewrite)(&head, answer) {
                self.pieces.write(stream, &answer).ok()?;
            }
            if is_error && self.lacks("goes-on") {
                return None;
            }
        }
        Some(())
    }

    fn forget(&self, id: usize) {
        let mut records = self.records.lock().unwrap();
        let left = records.iter().find(|(owner, _)| *owner == id).cloned();
        records.retain(|(owner, record)| {
            let is_host = left.as_ref().is_some_and(|(_, it)| it.host == record.host);
            *owner != id && !(is_host && self.lacks("same-host"))
        });
    }

    /// The answer, and whether it is an error.
    fn answer(&self, head: &str, session: &mut Session) -> (String, bool) {
        let line = head.lines().next().unwrap_or_default();
        let form = match line.split(' ').next().unwrap_or_default() {
            "ADD" => "add-form",
            "LIST" => "list-form",
            _ => "lookup-form",
        };
        let (code, records) = match self.respond(line, head, session) {
            Ok(records) => (200, records),
            Err(code) => (code, Vec::new()),
        };
        let (phrase, form) = match code {
            200 => ("OK", form),
            404 => ("Not Found", "lookup-404-form"),
            505 => ("P2P-CI Version Not Supported", "error-form"),
            201 => ("Created", ""),
            _ => ("Bad Request", "error-form"),
        };
        let mut answer = format!("P2P-CI/1.0 {code} {phrase}\r\n\r\n");
        for Record {
            number,
            title,
            host,
            port,
        } in records
        {
            writeln!(answer, "RFC {number} {title} {host} {port}\r").unwrap();
        }
        answer += "\r\n";
        if self.lacks(form) {
            answer = answer.replace("\r\n", "\n");
        }
        (answer, code >= 400)
    }

    fn respond(&self, line: &str, head: &str, session: &mut Session) -> Result<Vec<Record>, u16> {
        let field = |name: &str| {
            let mut lines = head.lines();
            let value = lines.find_map(|line| line.strip_prefix(&format!("{name}: ")));
            value.map(str::to_owned)
        };
        let line = match line.strip_suffix(" P2P-CI/1.0") {
            Some(line) => line,
            None if line.ends_with("P2P-CI/2.0") && self.lacks("version-505") => return Err(400),
            None if line.ends_with("P2P-CI/2.0") => return Err(505),
            None if self.lacks("version-missing") => line,
            None => return Err(400),
        };
        let records = self.records.lock().unwrap();
        let all = records.iter().map(|(_, record)| record.clone());
        if let Some(number) = line.strip_prefix("ADD RFC ") {
            drop(records);
            self.add(number, field, session)
        } else if let Some(number) = line.strip_prefix("LOOKUP RFC ") {
            let title = field("Title").unwrap_or_default();
            let is_same = |it: &Record| it.title == title || !self.lacks("lookup-by-number");
            let found = all.filter(|it| it.number == number && is_same(it));
            let most = if self.lacks("lookup-records") { 1 } else { 99 };
            let found: Vec<_> = found.take(most).collect();
            if found.is_empty() && !self.lacks("lookup-404") {
                return Err(404);
            }
            Ok(found)
        } else if line == "LIST ALL" {
            let host = field("Host").unwrap_or_default();
            Ok(all
                .filter(|it| it.host == host || !self.lacks("list-all"))
                .collect())
        } else {
            Err(if self.lacks("method-400") { 404 } else { 400 })
        }
    }

    fn add(
        &self,
        number: &str,
        field: impl Fn(&str) -> Option<String>,
        session: &mut Session,
    ) -> Result<Vec<Record>, u16> {
        let is_port = |port: &String| port.parse::<u16>().is_ok_and(|port| port > 0);
        let host = match field("Host") {
            None if self.lacks("host-missing-400") => "nowhere".to_owned(),
            host => host.ok_or(400_u16)?,
        };
        let port = field("Port");
        let port = port.filter(|port| is_port(port) || self.lacks("port-400"));
        if number.parse::<u32>().is_err() && !self.lacks("number-400") {
            return Err(400);
        }
        session.adds += 1;
        if session.adds > 1 && self.lacks("add-several") {
            return Err(400);
        }
        let most = if self.lacks("long-title") { 100 } else { 1000 };
        let mut record = Record {
            number: number.to_owned(),
            title: field("Title").ok_or(400_u16)?.chars().take(most).collect(),
            host,
            port: port.ok_or(400_u16)?,
        };
        if self.lacks("add-ok") {
            return Err(201);
        }
        let mut records = self.records.lock().unwrap();
        records.insert(0, (session.id, record.clone()));
        if self.lacks("add-record") {
            "Unknown".clone_into(&mut record.title);
        }
        Ok(vec![record])
    }
}
