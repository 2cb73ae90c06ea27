//! The peer under test: how it is started, and what it does.

mod steps;

use std::cell::RefCell;
use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use super::LARGE;
use super::form::refusal;
use super::holders::Holders;
use super::index::Index;
use super::seen::{Asked, Event, Seen, What};
use crate::file_error::FileError;
use crate::grade::check::{Held, Unmet};
use crate::grade::file;
use crate::grade::options::{Peer, Step};
use crate::grade::program::{Program, ProgramError};
use crate::library::scan;
use crate::net::{Connection, Limits, Sockets, connect};
use crate::program::{Code, Failure, Stage};
use crate::wire::ci::p2s::Request;
use crate::wire::{Endpoint, Host, Record, RfcNumber, Title};

/// The deadline of each check.
pub(super) const CHECK_TIME: Duration = Duration::from_secs(5);
/// How much silence means that the peer has registered all that it has.
const SETTLE_TIME: Duration = Duration::from_millis(1200);
/// The longest wait for that.
const REGISTER_TIME: Duration = Duration::from_secs(15);
/// How long after the end of the program its last messages may arrive.
const LAST_TIME: Duration = Duration::from_secs(1);
/// How often to look whether the program has ended.
const LOOK: Duration = Duration::from_millis(100);
/// The number of a file that a peer of the assignment has.
const USUAL_FILE: u32 = 2345;
/// The hundreds of numbers to choose those of the grader from.
const NUMBERS: std::ops::Range<u32> = 900..1000;

/// The peer under test, and all that the grader plays around it.
pub(super) struct Subject<'a> {
    options: &'a Peer,
    stage: &'a Stage,
    pub(super) seen: Seen,
    pub(super) index: Index,
    pub(super) holders: Holders,
    pub(super) sockets: Sockets,
    program: RefCell<Option<Program>>,
    /// Where its output is kept.
    kept: Option<File>,
    /// What is remarkable about a program that ended early.
    notes: RefCell<Vec<String>>,
    /// The folder that the peer shares, if it is known. It was opened before the program could put a
    /// link in its place.
    pub(super) files: Option<File>,
    /// The first of ten numbers that the peer has not registered.
    first_number: u32,
    /// The address of the grader, as the peer reaches it.
    pub(super) own: Host,
}

/// What the peer has registered.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    /// The records, in the order of their ADDs.
    pub(super) records: Vec<Record>,
}

impl<'a> Subject<'a> {
    /// Starts all that the grader plays.
    pub(super) fn new(options: &'a Peer, stage: &'a Stage) -> Result<Self, Failure> {
        let sockets = Sockets::with_limits(Limits {
            send_time: CHECK_TIME,
            ..Limits::default()
        });
        stage.stop.watch(&sockets);
        let seen = Seen::default();
        let files = options.files.as_deref().map(open_folder).transpose()?;
        Ok(Self {
            options,
            stage,
            index: Index::start(options.port, &seen, &stage.stop)?,
            holders: Holders::start(&seen, &stage.stop)?,
            seen,
            sockets,
            program: RefCell::new(None),
            kept: None,
            notes: RefCell::default(),
            files,
            first_number: 0,
            own: Host::localhost(),
        })
    }

    /// Starts the peer, or asks the person to, and waits until it connects.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        let Some(command) = &self.options.running.run else {
            let (port, time) = (self.index.port(), self.time().as_secs());
            self.stage.say(format_args!(
                "Start your peer with this machine as its server, port {port}, and let it register \
                 an RFC ({time} s)."
            ));
            let came = self.wait(0, |_| Some(()));
            return came.ok_or_else(|| self.nobody());
        };
        self.kept = self.options.running.output()?;
        self.run(command).map_err(|error| {
            let way_out = match &error {
                ProgramError::Asks { .. } => "; --keys 'start=TEXT\\n' types TEXT and Enter",
                _ => return error.into(),
            };
            Failure::new(Code::IndexUnreachable, format!("{error}{way_out}"))
        })
    }

    /// Starts the program, and waits until it connects.
    fn run(&self, command: &str) -> Result<(), ProgramError> {
        let port = self.index.port();
        let then = self.seen.now();
        let command = command.replace("{port}", &port.to_string());
        let mut program = Program::start(&command, &self.options.running, self.kept.as_ref())?;
        let keys = self.options.keys(Step::Start);
        program.type_text(&keys.replace("{port}", &port.to_string()));
        let awaited = format!("connected to port {port}");
        let begun = program.wait_until(&awaited, &self.stage.stop, || {
            (self.seen.now() > then).then_some(())
        });
        *self.program.borrow_mut() = Some(program);
        begun
    }

    /// Starts a program that has ended again, so that its end by the menu can be judged too. Returns
    /// since when the program that runs has done what is seen.
    pub(super) fn revive(&self) -> Held<usize> {
        let (Some(ended), Some(command)) = (self.end(), &self.options.running.run) else {
            return Ok(0);
        };
        let notes = self.program.borrow_mut().take().map(|mut it| it.stop());
        self.notes.borrow_mut().extend(notes.into_iter().flatten());
        let again = "the program ended early, and was started again once";
        self.notes.borrow_mut().push(again.to_owned());
        let then = self.seen.now();
        let begun = self.run(command);
        begun.map_err(|error| Unmet::Skipped(format!("{ended}; started again, {error}")))?;
        self.settle();
        Ok(then)
    }

    fn nobody(&self) -> Failure {
        let (port, time) = (self.index.port(), self.time().as_secs());
        let said =
            format!("no peer has connected to port {port} after {time} s; --patience waits longer");
        Failure::new(Code::IndexUnreachable, said)
    }

    /// Waits until the peer has sent an ADD, and then until it sends no more.
    pub(super) fn join(&mut self) -> Held<Registered> {
        if self.wait(0, |event| added(event).map(drop)).is_none() {
            self.register_by_hand()?;
        }
        self.settle();
        let records: Vec<_> = self.seen.since(0).iter().filter_map(added).collect();
        let has = |number| {
            records
                .iter()
                .any(|it: &Record| it.number.get() / 10 == number)
        };
        let own = self
            .seen
            .since(0)
            .iter()
            .find_map(|event| match event.what {
                What::Came(from) => own_host(from),
                _ => None,
            });
        self.own = own.unwrap_or_else(Host::localhost);
        self.first_number = NUMBERS.clone().find(|it| !has(*it)).unwrap_or_default() * 10;
        Ok(Registered { records })
    }

    /// Waits until the peer sends no more.
    fn settle(&self) {
        let until = Instant::now() + REGISTER_TIME;
        let mut count = self.seen.now();
        while Instant::now() < until {
            self.seen.wait(count, SETTLE_TIME);
            if self.seen.now() == count {
                break;
            }
            count = self.seen.now();
        }
    }

    /// Lets the menu send an ADD, and waits until it has.
    fn register_by_hand(&self) -> Held {
        if let Some(refused) = self.refused(0) {
            return Err(refused);
        }
        let nothing = || Unmet::failed(self.missed("ADD"));
        if self.end().is_some() {
            return Err(nothing());
        }
        let (number, title) = self.own_file()?;
        let then = self.type_or_tell(Step::Add, number, &title);
        let came = self.wait(then, |event| added(event).map(drop));
        came.ok_or_else(|| self.refused(then).unwrap_or_else(nothing))
    }

    /// A document that the peer has: the first of its files, or else that of the assignment.
    fn own_file(&self) -> Held<(RfcNumber, Title)> {
        let folder = self.options.files.as_deref();
        let files = folder.and_then(|folder| scan::files(folder).ok());
        let first = files.and_then(|files| files.into_keys().next());
        let number = first.or_else(|| RfcNumber::new(USUAL_FILE));
        let number = number.ok_or_else(|| Unmet::Skipped("no number".to_owned()))?;
        Ok((number, Title::fallback(number)))
    }

    /// The number of one of the grader's documents, and its title.
    pub(super) fn document(&self, place: u32) -> Held<(RfcNumber, Title)> {
        let titles = [
            "A Document That Nobody Has",
            "Grading Over Carrier Pigeons",
            "A Large Document for Graders",
            "A Document That One Refuses",
            "An Answer in Pieces",
        ];
        let title = usize::try_from(place).ok().and_then(|it| titles.get(it));
        let title = title.and_then(|it| it.parse().ok());
        let number = RfcNumber::new(self.first_number + place);
        number
            .zip(title)
            .ok_or_else(|| Unmet::Skipped("no number is free".to_owned()))
    }

    /// Lets holders have a document: one, or both.
    pub(super) fn offer(&self, place: u32, holders: usize) -> Held<Record> {
        let (number, title) = self.document(place)?;
        let ports = self.holders.ports().into_iter().flatten().take(holders);
        let records = ports.map(|port| Record {
            number,
            title: title.clone(),
            holder: Endpoint {
                host: self.own.clone(),
                port,
            },
        });
        let records: Vec<_> = records.collect();
        records.iter().cloned().for_each(|it| self.index.add(it));
        let first = records.into_iter().next();
        let first = first.ok_or_else(|| Unmet::Skipped("no holder".to_owned()))?;
        self.holders.offer(first.clone());
        debug_assert!(place != LARGE || number.get() % 10 == LARGE);
        Ok(first)
    }

    /// Waits for something that the peer does, since then.
    pub(super) fn wait<T>(&self, then: usize, found: impl Fn(&Event) -> Option<T>) -> Option<T> {
        let until = Instant::now() + self.time();
        let mut ended_at = None;
        let mut count = then;
        loop {
            let events = self.seen.since(count);
            if let Some(it) = events.iter().find_map(&found) {
                return Some(it);
            }
            count += events.len();
            let now = Instant::now();
            // What it did before its end is still on its way, or it connects again.
            ended_at = self.end().and(ended_at.or(Some(now)));
            let is_over = ended_at.is_some_and(|ended_at| now >= ended_at + LAST_TIME);
            if is_over || now >= until || self.stage.stop.signal().is_some() {
                return None;
            }
            self.seen.wait(count, LOOK);
        }
    }

    /// Waits for a request to the index, since then.
    pub(super) fn wait_for_request(
        &self,
        then: usize,
        what: &str,
        is_it: impl Fn(&Request) -> bool,
    ) -> Held<(u64, Asked)> {
        let asked = self.wait(then, |event| match &event.what {
            What::Asked(asked) if is_it(&asked.request) => Some((event.link, asked.clone())),
            _ => None,
        });
        asked.ok_or_else(|| {
            let missed = self.missed(what);
            self.refused(then).unwrap_or_else(|| Unmet::failed(missed))
        })
    }

    /// What it sent since then that is no request.
    fn refused(&self, then: usize) -> Option<Unmet> {
        let events = self.seen.since(then);
        events.into_iter().find_map(|event| match event.what {
            What::Wrong(bytes, why) => Some(refusal(&bytes, &why)),
            _ => None,
        })
    }

    /// Connects to the upload server of the peer: where it says that it is, or at its port where it
    /// comes from.
    pub(super) fn connect(&self, registered: &Registered) -> Held<Connection> {
        let Some(record) = registered.records.last() else {
            return Err(Unmet::Skipped("it registered nothing".to_owned()));
        };
        let named = connect(&self.sockets, &record.holder, CHECK_TIME);
        let found = named.or_else(|error| {
            let place = Endpoint {
                host: self.own.clone(),
                port: record.holder.port,
            };
            connect(&self.sockets, &place, CHECK_TIME).map_err(|_| error)
        });
        found.map_err(|error| Unmet::failed(format!("{error}{}", self.printed())))
    }

    /// How long to wait for what the peer is made to do.
    fn time(&self) -> Duration {
        if self.is_by_hand() {
            Duration::from_secs(self.options.patience)
        } else {
            CHECK_TIME
        }
    }

    /// How the program has ended, or that the peer of a person has left, if it has.
    pub(super) fn end(&self) -> Option<String> {
        if self.is_by_hand() {
            return self.seen.has_left().then(|| steps::HAS_LEFT.to_owned());
        }
        self.program.borrow_mut().as_mut().and_then(Program::end)
    }

    /// The last lines of the program, on lines of their own; empty if there is none.
    pub(super) fn printed(&self) -> String {
        let program = self.program.borrow();
        let printed = program.as_ref().map(Program::printed);
        printed.map_or_else(String::new, |printed| format!("\n{printed}"))
    }

    pub(super) fn stop(&mut self) -> Vec<String> {
        self.sockets.close_all();
        let program = self.program.get_mut().as_mut();
        let last = program.map(Program::stop).unwrap_or_default();
        let mut notes = self.notes.take();
        notes.extend(last);
        notes
    }
}

fn open_folder(path: &Path) -> Result<File, Failure> {
    let opened = fs::read_dir(path).and_then(|_| file::open(path));
    opened.map_err(|error| {
        let error = FileError::of("read the folder", path)(error);
        let hint = "name it as seen from the current one";
        Failure::other(format_args!("--files: {error}; {hint}"))
    })
}

/// The record of an ADD.
pub(super) fn added(event: &Event) -> Option<Record> {
    match &event.what {
        What::Asked(Asked {
            request: Request::Add(record),
            ..
        }) => Some(record.clone()),
        _ => None,
    }
}

/// The address at which somebody at this address reaches us.
pub(super) fn own_host(remote: SocketAddr) -> Option<Host> {
    let own = match remote.ip().to_canonical() {
        it if it.is_loopback() => it,
        _ => crate::net::local_address_toward(remote).ok()?,
    };
    let own: IpAddr = own.to_canonical();
    own.to_string().parse().ok()
}
