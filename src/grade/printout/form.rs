//! The form of messages in a printout: it is what our own writer makes of them.

use std::time::SystemTime;

use super::messages::Message;
use super::{File, Findings, head, request};
use crate::grade::is_same_title;
use crate::wire::ci::server::Conversation;
use crate::wire::di::Origin;
use crate::wire::p2p::Codec;
use crate::wire::{Dialect, Endpoint, Head, Port, Protocol, Record, RfcNumber, Status, date};

/// The statuses of P2P-CI.
const STATUSES: [Status; 6] = [
    Status::Ok,
    Status::BadRequest,
    Status::NotFound,
    Status::RequestTimeout,
    Status::ServiceUnavailable,
    Status::VersionNotSupported,
];

/// All deviations of form in a printout.
pub(super) fn findings(file: &File) -> Findings {
    let mut findings = Findings::new();
    let shows = EmptyLines::of(file);
    for exchange in &file.exchanges {
        // What was refused may be wrong on purpose.
        let code = exchange.response.as_ref().and_then(Message::code);
        if !code.is_some_and(|code| code == 400 || code == 505) {
            let wrong = of_request(&exchange.request);
            add(file, shows, &exchange.request, wrong, &mut findings);
        }
        if let Some(response) = &exchange.response {
            add(file, shows, response, of_response(response), &mut findings);
        }
    }
    for response in &file.unasked {
        add(file, shows, response, of_response(response), &mut findings);
    }
    findings
}

/// Whether a printout shows the empty lines of requests, and of responses: print(head) may leave them
/// out.
#[derive(Clone, Copy)]
struct EmptyLines {
    of_requests: bool,
    of_responses: bool,
}

impl EmptyLines {
    fn of(file: &File) -> Self {
        let mut requests = file.exchanges.iter().map(|it| &it.request);
        let responses = file.exchanges.iter().filter_map(|it| it.response.as_ref());
        Self {
            of_requests: requests.any(|it| it.has_empty_line),
            of_responses: responses.chain(&file.unasked).any(|it| it.has_empty_line),
        }
    }
}

fn add(
    file: &File,
    shows: EmptyLines,
    message: &Message,
    wrong: Option<String>,
    findings: &mut Findings,
) {
    let has_bare_lf = message.has_crlf == Some(false);
    let ends = has_bare_lf.then(|| "a line ends with \\n alone instead of \\r\\n".to_owned());
    let shows_empty_lines = if message.is_request {
        shows.of_requests
    } else {
        shows.of_responses
    };
    let is_open = !message.has_empty_line && (message.has_crlf.is_some() || shows_empty_lines);
    let open = is_open.then(|| "no empty line ends its head".to_owned());
    let all = wrong.into_iter().chain(ends).chain(open);
    findings.extend(
        all.map(|what| file.finding(message.number, &format!("{}: {what}", message.start_line()))),
    );
}

fn of_request(message: &Message) -> Option<String> {
    let is_get = message.start_line().starts_with("GET ");
    let strict = if is_get {
        strict_get(message)
    } else {
        request(message).map(|request| request.encode(Dialect::Text))
    };
    match strict {
        None => Some("it is no request of P2P-CI/1.0".to_owned()),
        Some(strict) => {
            let strict = String::from_utf8_lossy(&strict).into_owned();
            // A LOOKUP may have no Title, and a terminal does not show a space at a line's end.
            let mut expected = strict
                .lines()
                .map(str::trim_end)
                .filter(|line| !line.is_empty());
            let mut got = message.lines.iter().map(|line| line.trim_end());
            loop {
                match (expected.next(), got.next()) {
                    (None, None) => return None,
                    (Some("Title:"), None) if !strict.starts_with("ADD") => {}
                    (Some(expected), Some(got)) if is_same_line(expected, got) => {}
                    (expected, got) => return Some(differs(expected, got)),
                }
            }
        }
    }
}

fn is_same_line(expected: &str, got: &str) -> bool {
    let title = |line: &str| line.strip_prefix("Title: ").map(str::to_owned);
    let is_title = || {
        let (expected, got) = (title(expected)?, title(got)?);
        Some(is_same_title(&expected, &got))
    };
    expected == got || is_title().unwrap_or_default()
}

/// Whether a line has the form of a record. Its title may have several spaces in a row.
fn is_record(line: &str) -> bool {
    let shape = || {
        let record = Record::parse(line)?;
        let Endpoint { host, port } = &record.holder;
        let rest = line.strip_prefix(&format!("RFC {} ", record.number))?;
        let title = rest.strip_suffix(&format!(" {host} {port}"))?;
        Some(is_same_title(record.title.as_str(), title))
    };
    shape().unwrap_or_default()
}

fn differs(expected: Option<&str>, got: Option<&str>) -> String {
    match (expected, got) {
        (Some(expected), None) => format!("it lacks the line \"{expected}\""),
        (None, Some(got)) => format!("the line \"{got}\" is too many"),
        (expected, got) => format!(
            "expected \"{}\", got \"{}\"",
            expected.unwrap_or_default(),
            got.unwrap_or_default()
        ),
    }
}

/// What our own peer sends for this GET.
fn strict_get(message: &Message) -> Option<Vec<u8>> {
    let head = head(message)?;
    let line = message.start_line().strip_prefix("GET RFC ")?;
    let number: RfcNumber = line.strip_suffix(" P2P-CI/1.0")?.parse().ok()?;
    let host = head.field("Host").ok()??.parse().ok()?;
    let holder = Endpoint {
        host,
        port: Port::MAX,
    };
    let origin = Origin {
        date: SystemTime::UNIX_EPOCH,
        os: field(&head, "OS").unwrap_or("…"),
    };
    let codec = Codec::new(Protocol::Ci, Dialect::Text);
    Some(codec.get(number, &holder, origin))
}

fn field<'a>(head: &'a Head, name: &str) -> Option<&'a str> {
    head.field(name).ok().flatten()
}

fn of_response(message: &Message) -> Option<String> {
    let code = message.code()?;
    let known = STATUSES.iter().find(|status| status.code() == code);
    let Some(status) = known else {
        return Some(format!("{code} is no code of P2P-CI"));
    };
    let strict = Conversation::default().refusal(*status);
    let strict = String::from_utf8_lossy(&strict).into_owned();
    let line = strict.lines().next().unwrap_or_default();
    if message.start_line().trim_end() != line {
        return Some(differs(Some(line), Some(message.start_line())));
    }
    let mut records = message.records().iter();
    let wrong = records.find(|line| !is_record(line.trim_end()));
    if let Some(wrong) = wrong {
        return Some(format!("\"{wrong}\" is no record"));
    }
    if message.head == 1 || code != 200 {
        return None;
    }
    of_delivery(&head(message)?)
}

/// Whether the headers before a document have their form.
fn of_delivery(head: &Head) -> Option<String> {
    for name in [
        "Date",
        "OS",
        "Last-Modified",
        "Content-Length",
        "Content-Type",
    ] {
        let Some(value) = field(head, name) else {
            return Some(format!("it lacks the header {name}"));
        };
        let is_right = match name {
            "Date" | "Last-Modified" => date(value).is_some(),
            "Content-Length" => value.parse::<u64>().is_ok(),
            "Content-Type" => value.starts_with("text/"),
            _ => !value.is_empty(),
        };
        if !is_right {
            return Some(format!("\"{name}: {value}\" is not in its form"));
        }
    }
    None
}
