//! What can be done from the page of a peer: search, list, download, and read what it shares.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::events;
use super::http::{JSON, Response, Status};
use super::shown::{Record, Shown, first};
use crate::library::Rfc;
use crate::node::get::{Downloaded, Kept};
use crate::node::{Actions as _, Failure, Handle, Outcome, Query, Wanted, numbers};
use crate::wire::{RfcNumber, Title};

/// The most records in the answer to a search.
const MOST: usize = 5_000;

/// A request of the page.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
enum Action {
    /// Downloads a document into the folder. An existing file stays.
    Get { number: RfcNumber },
    /// Asks the index who has what.
    List {},
    /// Finds records by number or by words in their titles.
    Find { words: String },
}

/// A document that this peer shares.
#[derive(Debug, Serialize)]
pub(super) struct Shared {
    number: RfcNumber,
    title: Title,
    bytes: Option<u64>,
}

impl Shared {
    /// The cells of its row in a plain table.
    pub(super) fn cells(&self) -> Vec<String> {
        let bytes = self
            .bytes
            .map_or_else(String::new, |bytes| bytes.to_string());
        vec![self.number.to_string(), self.title.to_string(), bytes]
    }
}

/// What a peer shares.
pub(super) fn shared(node: &Handle) -> Vec<Shared> {
    let documents = node.documents().into_iter();
    let shared = documents.map(|(Rfc { number, title }, bytes)| Shared {
        number,
        title,
        bytes,
    });
    shared.collect()
}

/// Carries out the action of a request.
pub(super) fn carry_out(shown: &dyn Shown, body: &[u8]) -> Response {
    let action = match serde_json::from_slice(body) {
        Ok(action) => action,
        Err(error) => {
            let status = Status::BadRequest;
            let error = json!({ "error": format!("not an action: {error}") });
            return answer(status, &error);
        }
    };
    let done = shown.node().map(|node| match action {
        Action::Get { number } => get(node, number),
        Action::List {} => list(shown, node),
        Action::Find { words } => find(node, &words),
    });
    match done {
        Some(Ok(done)) => answer(Status::Ok, &done),
        Some(Err(failure)) => answer(Status::Ok, &json!({ "error": failure.to_string() })),
        None => answer(Status::NotFound, &json!({ "error": "this is not a peer" })),
    }
}

fn answer(status: Status, answer: &serde_json::Value) -> Response {
    Response {
        status,
        kind: JSON,
        body: Arc::new(events::json(answer)),
    }
}

fn list(shown: &dyn Shown, node: &Handle) -> Result<serde_json::Value, Failure> {
    let found = node.find(&Query::All { fresh: true })?;
    let count = found.records.len();
    shown.listed(found.records);
    Ok(json!({ "done": { "records": count } }))
}

fn find(node: &Handle, words: &str) -> Result<serde_json::Value, Failure> {
    let found = match numbers::number(words) {
        Ok(number) => {
            let title = Title::default();
            node.find(&Query::Number { number, title })?
        }
        Err(_) => node.find_titles(words)?,
    };
    let records = found.records.iter();
    let records = first(records.map(|listed| Record::from(&listed.record)), MOST);
    let more = found.records.len().saturating_sub(records.len());
    Ok(json!({ "records": records, "more": more }))
}

fn get(node: &Handle, number: RfcNumber) -> Result<serde_json::Value, Failure> {
    let wanted = Wanted::one(number);
    let mut done = None;
    let mut keep = |outcome: &Outcome| done = Some(outcome.clone());
    // Nobody answers a question, such as whether to try more peers.
    node.get(&wanted, &mut |_| None, &mut keep)?;
    match done {
        Some(Outcome::Downloaded(Downloaded { record, bytes, .. })) => {
            let from = record.record.holder.to_string();
            Ok(json!({ "done": { "number": number, "bytes": bytes, "from": from } }))
        }
        Some(Outcome::Kept(Kept { number, .. })) => {
            Ok(json!({ "done": { "number": number, "kept": true } }))
        }
        Some(Outcome::Failed(failed)) => Err(Failure::new(failed.failure.code, failed)),
        Some(Outcome::Interrupted(_)) | None => Err(Failure::other("the peer is about to end")),
    }
}
