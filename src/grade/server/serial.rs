//! Whether a server that does not answer serves one connection at a time.

use std::time::Duration;

use super::peer::is_silence;
use super::target::Target;
use crate::grade::check::{Held, Sheet, Unmet};
use crate::wire::Dialect;

/// How long a server that serves all takes at most.
const BUSY_TIME: Duration = Duration::from_secs(1);
/// How long one that serves the next one then takes.
const FREE_TIME: Duration = Duration::from_secs(3);

/// What such a server does.
pub(super) const IS_SERIAL: &str = "the server serves one connection at a time";
const CAUSE: &str = "the server serves one connection at a time, and the others wait: it needs a \
                     thread for each connection that accept() returns";

/// If one of these checks failed without an answer, or could not be judged for that reason, finds
/// out whether this is why.
pub(super) fn explain(
    target: &Target<'_>,
    sheet: &mut Sheet,
    checks: &[&str],
    held: &Held,
) -> bool {
    let failures = sheet.failures(checks).into_iter();
    let silent: Vec<_> = failures.filter(|it| is_silence(&it.message)).collect();
    let is_skipped = matches!(held, Err(Unmet::Skipped(reason)) if is_silence(reason));
    if silent.is_empty() && !is_skipped {
        return false;
    }
    let is_serial = target
        .is_serial
        .get()
        .unwrap_or_else(|| is_serial(target).unwrap_or(false));
    target.is_serial.set(Some(is_serial));
    if is_serial {
        for finding in silent {
            finding.cause = Some(CAUSE);
        }
    }
    is_serial && is_skipped
}

/// Whether a request is answered as soon as another connection is closed, and not before.
fn is_serial(target: &Target<'_>) -> Held<bool> {
    let silent = target.join()?;
    let mut peer = target.join()?;
    let request = peer.lists().encode(Dialect::Text);
    // If the server has closed, there is no answer.
    let _ = peer.write(&request);
    if peer.has_answer_within(BUSY_TIME) {
        return Ok(false);
    }
    drop(silent);
    Ok(peer.has_answer_within(FREE_TIME))
}
