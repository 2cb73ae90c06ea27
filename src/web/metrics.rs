//! The counters in the text format of Prometheus, version 0.0.4.
//!
//! The crate `prometheus-client` writes `OpenMetrics` instead, in which the HELP of a counter has
//! another name than its samples; Prometheus reads that only by its content type.

use std::fmt::Write as _;

use super::counters::{BOUNDS, Counters, Requests, Shard};
use super::hub::Hub;
use super::shown::Shown;

/// The type of the text.
pub(super) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The current values.
pub(super) fn text(hub: &Hub) -> String {
    let counters = hub.counters();
    let (peers, records) = hub.shown().map(Shown::counts).unwrap_or_default();
    let mut out = Text::default();
    out.metric("p2pci_peers", "gauge", "Peers that are known now.");
    out.value("p2pci_peers", "", peers);
    out.metric("p2pci_records", "gauge", "Records that are known now.");
    out.value("p2pci_records", "", records);
    let help = "Requests that were answered, by method and status.";
    out.requests("p2pci_requests_total", help, counters, |shard| {
        &shard.answered
    });
    let help = "Requests to other programs that got an answer, by method and status.";
    out.requests("p2pci_requests_sent_total", help, counters, |shard| {
        &shard.asked
    });
    let received = counters.sum(|shard| &shard.bytes_in);
    let help = "Bytes of messages and documents that were received.";
    out.counter("p2pci_received_bytes_total", help, received);
    let sent = counters.sum(|shard| &shard.bytes_out);
    let help = "Bytes of messages and documents that were sent.";
    out.counter("p2pci_sent_bytes_total", help, sent);
    let missed = counters.sum(|shard| &shard.missed);
    let help = "Events that pages lost because they were read too slowly.";
    out.counter("p2pci_web_missed_events_total", help, missed);
    let name = "p2pci_refusals_total";
    let help = "Requests and connections that were refused, by reason.";
    out.metric(name, "counter", help);
    for (reason, count) in counters.refusals() {
        out.value(name, &format!("{{reason=\"{reason}\"}}"), count);
    }
    out.latency(counters);
    out.0
}

/// Nanoseconds as seconds.
fn seconds(nanos: u64) -> String {
    let (whole, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let rest = format!("{rest:09}");
    match rest.trim_end_matches('0') {
        "" => whole.to_string(),
        rest => format!("{whole}.{rest}"),
    }
}

#[derive(Default)]
struct Text(String);

// Writing to memory does not fail.
impl Text {
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, "counter", help);
        self.value(name, "", value);
    }

    fn latency(&mut self, counters: &Counters) {
        let name = "p2pci_request_duration_seconds";
        let help = "Time from the arrival of a request until its answer is ready to be sent; \
            under load, of a sample of about 100 a second.";
        self.metric(name, "histogram", help);
        let (counts, nanos) = counters.latency();
        let bounds = BOUNDS.iter().map(|bound| seconds(bound * 1_000));
        let bounds = bounds.chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&counts) {
            self.value(
                &format!("{name}_bucket"),
                &format!("{{le=\"{bound}\"}}"),
                count,
            );
        }
        self.value(&format!("{name}_sum"), "", seconds(nanos));
        let all = counts.last().copied().unwrap_or_default();
        self.value(&format!("{name}_count"), "", all);
    }

    fn requests(
        &mut self,
        name: &str,
        help: &str,
        counters: &Counters,
        of: impl Fn(&Shard) -> &Requests,
    ) {
        self.metric(name, "counter", help);
        for (method, status, count) in counters.requests(of) {
            let status = match status {
                0 => "other".to_owned(),
                status => status.to_string(),
            };
            let labels = format!("{{method=\"{method}\",status=\"{status}\"}}");
            self.value(name, &labels, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_no_more_digits_than_needed() {
        let written = [0, 5_000, 2_500_000_000, 1_000_000_000].map(seconds);
        assert_eq!(written, ["0", "0.000005", "2.5", "1"]);
    }
}
