//! The counters in the text format of Prometheus, version 0.0.4.
//!
//! The crate `prometheus-client` writes `OpenMetrics` instead, in which the HELP of a counter has
//! another name than its samples; Prometheus reads that only by its content type.

use std::fmt::Write as _;

use super::counters::{BOUNDS, Requests};
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
    out.requests("p2pci_requests_total", help, &counters.answered);
    let help = "Requests to other programs that got an answer, by method and status.";
    out.requests("p2pci_requests_sent_total", help, &counters.asked);
    for (name, help, counter) in [
        (
            "p2pci_received_bytes_total",
            "Bytes of messages and documents that were received.",
            &counters.bytes_in,
        ),
        (
            "p2pci_sent_bytes_total",
            "Bytes of messages and documents that were sent.",
            &counters.bytes_out,
        ),
        (
            "p2pci_web_missed_events_total",
            "Events that pages lost because they were read too slowly.",
            &counters.missed,
        ),
    ] {
        out.metric(name, "counter", help);
        out.value(name, "", counter.get());
    }
    let name = "p2pci_refusals_total";
    out.metric(
        name,
        "counter",
        "Requests and connections that were refused, by reason.",
    );
    for (reason, count) in counters.refusals() {
        out.value(name, &format!("{{reason=\"{reason}\"}}"), count);
    }
    let name = "p2pci_request_duration_seconds";
    let help = "Time from the arrival of a request until its answer is ready to be sent.";
    out.metric(name, "histogram", help);
    let mut sum = 0;
    let bounds = BOUNDS.iter().map(|bound| seconds(bound * 1_000));
    let bounds = bounds.chain(["+Inf".to_owned()]);
    for (bound, counter) in bounds.zip(&counters.latency.counts) {
        sum += counter.get();
        out.value(
            &format!("{name}_bucket"),
            &format!("{{le=\"{bound}\"}}"),
            sum,
        );
    }
    out.value(
        &format!("{name}_sum"),
        "",
        seconds(counters.latency.sum.get()),
    );
    out.value(&format!("{name}_count"), "", sum);
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

    fn requests(&mut self, name: &str, help: &str, requests: &Requests) {
        self.metric(name, "counter", help);
        for (method, status, count) in requests.all() {
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
