//! One connection of a browser: read a request, check who asks, write the response.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tracing::debug;

use super::action;
use super::events::json;
use super::files;
use super::gate::Gate;
use super::http::{self, JSON, Method, Refusal, Request, Response, Status, TEXT};
use super::hub::{Begin, Hub, PEERS};
use super::metrics;
use super::shown::{Page, Shown};
use crate::library::Document;
use crate::net::{Connection, Sockets};
use crate::node::Handle;
use crate::wire::RfcNumber;

/// How long a request may take, from the connection or the last response on to its last byte.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// How often a stream that has nothing to say checks whether somebody listens,
const LOOK: Duration = Duration::from_secs(1);
/// and says so.
const STILL_HERE: Duration = Duration::from_secs(15);
/// The most watchers.
const WATCHERS: usize = 256;
/// The records in a page by default, and at most.
const LIMITS: (usize, usize) = (1_000, 5_000);

/// What all sessions share.
pub(super) struct Sessions {
    pub(super) hub: Arc<Hub>,
    pub(super) gate: Gate,
    pub(super) sockets: Sockets,
    pub(super) watchers: Arc<AtomicUsize>,
}

/// The response to a request.
enum Answer {
    Whole(Response),
    Document(Document),
    /// The stream of events.
    Stream(Watcher, Begin),
}

/// A place among the watchers, freed on drop.
struct Watcher(Arc<AtomicUsize>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sessions {
    /// Answers the requests on a connection, and ends it.
    pub(super) fn serve(&self, connection: &mut Connection) {
        match self.run(connection) {
            Ok(()) => connection.finish(),
            Err(error) => debug!(%error, "the browser is gone"),
        }
    }

    fn run(&self, connection: &mut Connection) -> io::Result<()> {
        connection.keep_little()?;
        loop {
            let read = Request::read(connection, REQUEST_TIME);
            self.sockets.heard(connection.id());
            let request = match read {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(()),
                // The stream is out of step.
                Err(refusal) => {
                    return respond(connection, &refusal.into(), Method::Other, false);
                }
            };
            let (method, stays_open) = (request.method, request.stays_open);
            match self.answer(&request) {
                Err(refusal) => respond(connection, &refusal.into(), method, stays_open)?,
                Ok(Answer::Whole(response)) => respond(connection, &response, method, stays_open)?,
                Ok(Answer::Document(document)) => {
                    let length = document.stamp.length;
                    let head = http::head(Status::Ok, TEXT, Some(length), stays_open);
                    connection.write_all(head.as_bytes())?;
                    if method != Method::Head {
                        connection.send_file(&document.file, length, None)?;
                    }
                    connection.flush()?;
                }
                Ok(Answer::Stream(watcher, begin)) => {
                    return self.stream(connection, method, &watcher, begin);
                }
            }
            if !stays_open {
                return Ok(());
            }
            self.sockets.answered(connection.id());
        }
    }

    fn answer(&self, request: &Request) -> Result<Answer, Refusal> {
        self.gate.check_host(request)?;
        let shown = self.hub.shown().ok_or_else(|| {
            let why = "the program is starting; try again";
            Refusal::new(Status::Unavailable, why)
        })?;
        if request.path == "/api/action" && shown.node().is_some() {
            if request.method != Method::Post {
                return Err(not_allowed("POST"));
            }
            self.gate.check_changing(request)?;
            return Ok(Answer::Whole(action::carry_out(shown, &request.body)));
        }
        let response = match request.path.as_str() {
            path if !is_known(path, shown) => {
                return Err(Refusal::new(
                    Status::NotFound,
                    "there is nothing at this path",
                ));
            }
            _ if !matches!(request.method, Method::Get | Method::Head) => {
                return Err(not_allowed("GET, HEAD"));
            }
            "/" => self.page(shown)?,
            path if let Some((kind, text)) = files::file(path) => {
                Response::ok(kind, Arc::new(text))
            }
            path => {
                self.gate.check_reading(request)?;
                if path == "/api/events" && request.wants_events() {
                    let watcher = self.watcher()?;
                    return Ok(Answer::Stream(watcher, self.hub.begin(shown)?));
                }
                if let Some((node, number)) = shown.node().zip(number(path)) {
                    return document(node, number).map(Answer::Document);
                }
                self.read(shown, request)?
            }
        };
        Ok(Answer::Whole(response))
    }

    /// What needs the token unless only this machine can connect.
    fn read(&self, shown: &dyn Shown, request: &Request) -> Result<Response, Refusal> {
        let path = request.path.as_str();
        match path {
            "/api/events" => return Ok(Response::ok(JSON, self.hub.messages()?)),
            // They are short, and wanted most when others fill the room.
            "/metrics" => {
                let text = metrics::text(&self.hub);
                return Ok(Response::ok(metrics::KIND, Arc::new(text)));
            }
            _ => {}
        }
        let room = self.hub.budget.room()?;
        let text = match path {
            "/api/peers" => json(&self.hub.peers(PEERS)),
            "/api/records" => json(&records(shown, request)?),
            _ => json(&shown.node().map(action::shared)),
        };
        Ok(Response::ok(JSON, room.hold(text)))
    }

    /// The page. Without scripts it shows tables, unless reading needs a token, which only a script
    /// can send.
    fn page(&self, shown: &dyn Shown) -> Result<Response, Refusal> {
        let room = self.hub.budget.room()?;
        let about = shown.about();
        let title = format!("{} {}", about.program, about.name);
        let plain = if self.gate.reading_needs_token() {
            "<p>This page needs JavaScript here, to send the token of its address.</p>".to_owned()
        } else {
            let (most, _) = LIMITS;
            let shared = shown.node().map(action::shared);
            let (peers, all) = (self.hub.peers(most), shown.counts().0);
            let page = shown.records(None, most).unwrap_or_default();
            files::tables(shared.as_deref(), (&peers, all), &page)
        };
        let text = room.hold(files::page(&title, &plain));
        Ok(Response::ok(files::HTML, text))
    }

    fn watcher(&self) -> Result<Watcher, Refusal> {
        let watcher = Watcher(Arc::clone(&self.watchers));
        if self.watchers.fetch_add(1, Ordering::Relaxed) >= WATCHERS {
            let why = format!("{WATCHERS} pages are open, which is the most; close one");
            return Err(Refusal::new(Status::Unavailable, why));
        }
        Ok(watcher)
    }

    /// Streams what happens, until either side ends.
    fn stream(
        &self,
        connection: &mut Connection,
        method: Method,
        _watcher: &Watcher,
        begin: Begin,
    ) -> io::Result<()> {
        let head = http::head(Status::Ok, "text/event-stream", None, false);
        connection.write_all(head.as_bytes())?;
        if method == Method::Head {
            return connection.flush();
        }
        let Begin { text, after, .. } = begin;
        connection.send_in_time(|connection| connection.write_all((*text).as_ref()))?;
        drop(text);
        let mut last = after;
        let watch = connection.watch();
        let mut sent = Instant::now();
        loop {
            let next = self.hub.ring.after(last, LOOK);
            let is_silent = next.last <= last;
            // Whoever reads a little now and then would hold these events for ever.
            connection.send_in_time(|connection| {
                if next.missed > 0 {
                    self.hub.counters().mine().missed.add(next.missed);
                    let missed = next.missed;
                    write!(connection, "event: gap\ndata: {{\"missed\":{missed}}}\n\n")?;
                }
                for text in &next.texts {
                    connection.write_all(text.as_bytes())?;
                }
                if is_silent && sent.elapsed() >= STILL_HERE {
                    connection.write_all(b": still here\n\n")?;
                    sent = Instant::now();
                }
                Ok(())
            })?;
            if !is_silent {
                sent = Instant::now();
            }
            last = next.last;
            // Otherwise writing fails once the browser is gone.
            if next.is_ended || (is_silent && watch.wait_until_closed(Duration::ZERO)) {
                return Ok(());
            }
        }
    }
}

/// Sends a response, which holds memory until it is read.
fn respond(
    connection: &mut Connection,
    response: &Response,
    method: Method,
    stays_open: bool,
) -> io::Result<()> {
    connection.send_in_time(|connection| response.write(connection, method, stays_open))
}

fn not_allowed(methods: &'static str) -> Refusal {
    let why = format!("this path allows {methods}");
    Refusal::new(Status::MethodNotAllowed(methods), why)
}

/// The number in the path of a document.
fn number(path: &str) -> Option<RfcNumber> {
    path.strip_prefix("/document/")?.parse().ok()
}

fn is_known(path: &str, shown: &dyn Shown) -> bool {
    match path {
        "/" | "/metrics" | "/api/peers" | "/api/records" | "/api/events" => true,
        "/api/shared" => shown.node().is_some(),
        path => files::file(path).is_some() || (shown.node().is_some() && number(path).is_some()),
    }
}

fn records(shown: &dyn Shown, request: &Request) -> Result<Page, Refusal> {
    let (usual, most) = LIMITS;
    let limit = request.parameter("limit").map_or(Some(usual), |digits| {
        digits
            .parse()
            .ok()
            .filter(|limit| (1..=most).contains(limit))
    });
    let limit = limit.ok_or_else(|| {
        let why = format!("limit is a number from 1 to {most}");
        Refusal::new(Status::BadRequest, why)
    })?;
    let page = shown.records(request.parameter("after"), limit);
    page.ok_or_else(|| {
        let why = "after is the value of next of another page";
        Refusal::new(Status::BadRequest, why)
    })
}

fn document(node: &Handle, number: RfcNumber) -> Result<Document, Refusal> {
    let opened = node.document(number);
    let opened = opened.map_err(|error| Refusal::new(Status::Failed, error.to_string()))?;
    opened.ok_or_else(|| {
        let why = "this peer does not share that document";
        Refusal::new(Status::NotFound, why)
    })
}
