//! The printout of each event: one line with our tag, or a message under its title (section 6 of
//! the protocol page).

use super::Shows;
use crate::event::{Departure, DhtStep, Event, IndexStep, Link, Role, Step, Way};
use crate::wire::dht::Key;
use crate::wire::{Endpoint, RfcNumber};

/// The tag of the program part that prints a line.
pub(super) fn tag(role: Role) -> &'static str {
    match role {
        Role::Session | Role::Registration | Role::Introducer => "[SERVER]",
        Role::Upload => "[UPLOAD]",
        Role::Download => "[DOWNLOAD]",
        Role::Index | Role::Control => "[PEER]",
        Role::Web => "[WEB]",
    }
}

/// The line above a message.
pub(super) fn title(link: &Link, way: Way) -> String {
    let (tag, other) = (tag(link.role), link.remote);
    match (link.role, way) {
        (Role::Download | Role::Index, Way::Sent) => format!("{tag} Sending:"),
        (Role::Download | Role::Index, Way::Received) => format!("{tag} Response:"),
        (_, Way::Received) => format!("{tag} Request from {other}:"),
        (_, Way::Sent) => format!("{tag} Response to {other}:"),
    }
}

/// The least that an output must show to include the lines of this event.
pub(super) fn shown_from(event: &Event<'_>) -> Shows {
    match event {
        Event::Refusing { .. }
        | Event::Added { .. }
        | Event::Upload { .. }
        | Event::Dht(DhtStep::Announced { .. } | DhtStep::LookedUp { .. })
        | Event::Index {
            step:
                IndexStep::Publishing { .. }
                | IndexStep::PublishingAll { .. }
                | IndexStep::PublishedAll { .. },
            ..
        } => Shows::Messages,
        _ => Shows::Life,
    }
}

/// Whether the user must see this event even if the printout goes elsewhere.
pub(super) fn is_problem(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::NoMoreHolders { .. }
            | Event::FileMissing { .. }
            | Event::Download {
                step: Step::Failed { .. },
                ..
            }
            | Event::Index {
                step: IndexStep::Untold { .. },
                ..
            }
    )
}

/// The lines of an event. Some events have none, because they are not part of a printout or another
/// event covers them.
pub(super) fn lines(event: &Event<'_>) -> Vec<String> {
    match event {
        Event::Named { host, reason } => {
            vec![
                format!("[PEER] Hostname: {host}"),
                format!("[PEER] ({reason})"),
            ]
        }
        Event::Entered {
            name,
            from,
            cookie: None,
        } => {
            vec![
                format!("[SERVER] Connection from host {} at {from}", name.host),
                format!("[SERVER] Added {name}"),
            ]
        }
        event => line(event).into_iter().collect(),
    }
}

fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Listening {
            role: Role::Upload,
            port,
        } => format!("[UPLOAD] Upload server listening on port {port}"),
        Event::Listening { role, port } => format!("{} Listening on port {port}...", tag(*role)),
        Event::Stopping => "[SERVER] Stopping...".to_owned(),
        Event::Stopped { cut_off: false } => "[SERVER] Stopped.".to_owned(),
        Event::Stopped { cut_off: true } => {
            "[SERVER] Stopped; some sessions were cut off.".to_owned()
        }
        Event::Opened(link) => {
            let (tag, from) = (tag(link.role), link.remote);
            format!("{tag} New TCP connection from {from}")
        }
        Event::Closed { link, had_name } => {
            let is_told = !had_name && link.role == Role::Session;
            return is_told.then(|| format!("[SERVER] Connection from {} closed", link.remote));
        }
        Event::TurnedAway {
            role,
            from,
            why,
            before,
        } => {
            let from = from.map_or_else(String::new, |from| format!(" from {from}"));
            let others = match before {
                0 => String::new(),
                before => format!(" ({before} others before it)"),
            };
            let tag = tag(*role);
            format!("{tag} Turned away a connection{from}: {why}{others}")
        }
        Event::Refusing { link, code, reason } => {
            let tag = tag(link.role);
            format!("{tag} Answering {code}: {reason}")
        }
        Event::Entered {
            name,
            cookie: Some(cookie),
            ..
        } => format!("[SERVER] Registered {name} with cookie {cookie}"),
        Event::Left {
            name,
            cookie,
            records,
            departure,
        } => match cookie {
            None => format!("[SERVER] Peer {name} left. Removed 1 peer(s), {records} RFC(s)."),
            Some(cookie) if *departure == Departure::Expired => {
                format!("[SERVER] {name} (cookie {cookie}) is no longer active")
            }
            Some(cookie) => format!("[SERVER] {name} (cookie {cookie}) left"),
        },
        Event::Added { record, .. } => {
            let (number, host) = (record.number, &record.holder.host);
            format!("[SERVER] Added RFC {number} from {host}")
        }
        Event::Index { server, step } => return of_index(server, step),
        Event::Dht(step) => return of_dht(step),
        Event::Upload { link, number, step } => return of_upload(link, *number, step),
        Event::Download {
            number,
            holder,
            step,
            ..
        } => return of_download(*number, holder, step),
        Event::AskingInFrames { role, other } => {
            let tag = tag(*role);
            format!("{tag} {other} is silent; asking in frames as well")
        }
        Event::NoMoreHolders { why, .. } => {
            format!("[DOWNLOAD] Could not find more peers: {why}")
        }
        Event::FileGone { number, folder } => {
            let folder = folder.display();
            format!(
                "[PEER] The file of RFC {number} disappeared from {folder}; others will get 404 Not Found."
            )
        }
        Event::FileMissing { number, folder } => {
            let what = format!("{} has no file for RFC {number}", folder.display());
            format!("[PEER] Warning: {what}; others will get 404 Not Found.")
        }
        Event::Named { .. }
        | Event::Dialed { .. }
        | Event::Entered { cookie: None, .. }
        | Event::Message { .. }
        | Event::Removed { .. }
        | Event::Notice { .. } => return None,
    })
}

fn of_index(server: &Endpoint, step: &IndexStep<'_>) -> Option<String> {
    let port = server.port;
    Some(match step {
        IndexStep::Connecting => format!("[PEER] Connecting to server {server}..."),
        IndexStep::Connected => format!("[PEER] Connected to server at port {port}"),
        IndexStep::Registered { cookie, ttl } => {
            format!("[PEER] Registered with cookie {cookie} for {ttl} seconds")
        }
        IndexStep::Publishing {
            number,
            title,
            is_local,
        } => {
            if *is_local {
                format!("[PEER] RFC {number} is in the local index: {title}")
            } else {
                format!("[PEER] Registering RFC {number}: {title}")
            }
        }
        IndexStep::NotPublished { number, why } => {
            format!("[PEER] RFC {number} was not registered: {why}")
        }
        IndexStep::Untold { peer, why } => format!("[PEER] {peer} did not send its index: {why}"),
        IndexStep::Lost { why } => format!(
            "[PEER] Lost connection to the index server {server}: {why}. Still sharing; will reconnect."
        ),
        IndexStep::Back { taken, all } => format!(
            "[PEER] Connected to server at port {port} again, registered {taken} of {all} RFC(s)"
        ),
        IndexStep::Leaving => "[PEER] Disconnecting...".to_owned(),
        IndexStep::PublishingAll { .. }
        | IndexStep::PublishedAll { .. }
        | IndexStep::Published { .. } => return None,
    })
}

fn of_dht(step: &DhtStep) -> Option<String> {
    Some(match step {
        DhtStep::Changed => return None,
        DhtStep::Joined { nodes } => format!("[DHT] Joined: {nodes} other node(s)"),
        DhtStep::Alone => "[DHT] No other node answers; waiting for others".to_owned(),
        DhtStep::Rebuilt => "[DHT] The node ended unexpectedly; it was started again".to_owned(),
        DhtStep::Announced { key, port } => format!("[DHT] Announced port {port} for {key}"),
        DhtStep::LookedUp {
            key,
            found,
            answered,
        } => {
            let who = match key {
                Key::Catalogue => "peer(s)",
                Key::Rfc(_) => "holder(s)",
            };
            format!("[DHT] Looking for {key}: {found} {who}, {answered} answers")
        }
    })
}

fn of_upload(link: &Link, number: RfcNumber, step: &Step<'_>) -> Option<String> {
    let to = link.remote;
    match step {
        Step::Done { bytes, .. } => Some(format!(
            "[UPLOAD] Sent RFC {number} to {to} ({bytes} bytes)"
        )),
        Step::Failed { why } => Some(format!(
            "[UPLOAD] RFC {number} was not sent completely to {to}: {why}"
        )),
        _ => None,
    }
}

fn of_download(number: RfcNumber, holder: &Endpoint, step: &Step<'_>) -> Option<String> {
    match step {
        Step::Connecting => Some(format!(
            "[DOWNLOAD] Connecting to {holder} for RFC {number}..."
        )),
        Step::Done { bytes, path } => {
            let path = path.as_ref()?.display();
            Some(format!("[DOWNLOAD] Saved to {path} ({bytes} bytes)"))
        }
        Step::Failed { why } => Some(format!("[DOWNLOAD] Failed from {holder}: {why}")),
        Step::Began { .. } | Step::Moved(_) | Step::GivenUp => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::link;
    use crate::wire::{Port, Record};

    fn told(event: &Event<'_>) -> String {
        lines(event).join("\n")
    }

    fn vm() -> Endpoint {
        Endpoint::parse("vm:5", Port::MIN).unwrap()
    }

    #[test]
    fn each_message_has_its_title() {
        let titles = |role| [Way::Sent, Way::Received].map(|way| title(&link(role), way));
        for role in [Role::Session, Role::Registration, Role::Introducer] {
            let [sent, received] = titles(role);
            assert_eq!(sent, "[SERVER] Response to 10.0.0.1:5:");
            assert_eq!(received, "[SERVER] Request from 10.0.0.1:5:");
        }
        let [sent, received] = titles(Role::Upload);
        assert_eq!(sent, "[UPLOAD] Response to 10.0.0.1:5:");
        assert_eq!(received, "[UPLOAD] Request from 10.0.0.1:5:");
        let ours = ["[PEER] Sending:", "[PEER] Response:"];
        assert_eq!(titles(Role::Index), ours);
        let ours = ["[DOWNLOAD] Sending:", "[DOWNLOAD] Response:"];
        assert_eq!(titles(Role::Download), ours);
    }

    #[test]
    fn the_life_of_a_server() {
        let (name, link) = (vm(), link(Role::Session));
        let record = Record::parse("RFC 1 t vm 5").unwrap();
        let left = |cookie, departure| Event::Left {
            name: &name,
            cookie,
            records: 2,
            departure,
        };
        let entered = |cookie| Event::Entered {
            name: &name,
            from: link.remote,
            cookie,
        };
        let closed = |had_name| Event::Closed { link, had_name };
        let cookie = Some(crate::wire::di::registration::Cookie(7));
        for (event, line) in [
            (
                Event::Listening {
                    role: Role::Registration,
                    port: 9,
                },
                "[SERVER] Listening on port 9...",
            ),
            (
                Event::Opened(link),
                "[SERVER] New TCP connection from 10.0.0.1:5",
            ),
            (closed(false), "[SERVER] Connection from 10.0.0.1:5 closed"),
            (closed(true), ""),
            (
                entered(None),
                "[SERVER] Connection from host vm at 10.0.0.1:5\n[SERVER] Added vm:5",
            ),
            (entered(cookie), "[SERVER] Registered vm:5 with cookie 7"),
            (
                Event::Added {
                    link,
                    record: &record,
                },
                "[SERVER] Added RFC 1 from vm",
            ),
            (
                left(None, Departure::Left),
                "[SERVER] Peer vm:5 left. Removed 1 peer(s), 2 RFC(s).",
            ),
            (
                left(cookie, Departure::Left),
                "[SERVER] vm:5 (cookie 7) left",
            ),
            (
                left(cookie, Departure::Expired),
                "[SERVER] vm:5 (cookie 7) is no longer active",
            ),
            (Event::Stopping, "[SERVER] Stopping..."),
            (Event::Stopped { cut_off: false }, "[SERVER] Stopped."),
            (
                Event::Stopped { cut_off: true },
                "[SERVER] Stopped; some sessions were cut off.",
            ),
        ] {
            assert_eq!(told(&event), line);
        }
    }

    #[test]
    fn a_silent_side_is_named_before_it_is_asked_in_frames() {
        for (role, line) in [
            (
                Role::Index,
                "[PEER] vm:5 is silent; asking in frames as well",
            ),
            (
                Role::Download,
                "[DOWNLOAD] vm:5 is silent; asking in frames as well",
            ),
        ] {
            assert_eq!(told(&Event::AskingInFrames { role, other: &vm() }), line);
        }
    }

    #[test]
    fn refusals() {
        let refusing = |role| Event::Refusing {
            link: link(role),
            code: 400,
            reason: "\"BLAH\" is no method".into(),
        };
        let line = "[SERVER] Answering 400: \"BLAH\" is no method";
        assert_eq!(told(&refusing(Role::Session)), line);
        let line = "[UPLOAD] Answering 400: \"BLAH\" is no method";
        assert_eq!(told(&refusing(Role::Upload)), line);
        let turned_away = |from, before| Event::TurnedAway {
            role: Role::Session,
            from,
            why: "connection limit reached".into(),
            before,
        };
        let from = Some([10, 0, 0, 1].into());
        let line = "[SERVER] Turned away a connection from 10.0.0.1: connection limit reached";
        assert_eq!(told(&turned_away(from, 0)), line);
        let line = format!("{line} (12 others before it)");
        assert_eq!(told(&turned_away(from, 12)), line);
        let line = "[SERVER] Turned away a connection: connection limit reached";
        assert_eq!(told(&turned_away(None, 0)), line);
    }

    #[test]
    fn the_life_of_a_node() {
        let key = Key::Rfc("5".parse().unwrap());
        for (step, line) in [
            (
                DhtStep::Joined { nodes: 3 },
                "[DHT] Joined: 3 other node(s)",
            ),
            (
                DhtStep::Alone,
                "[DHT] No other node answers; waiting for others",
            ),
            (
                DhtStep::Rebuilt,
                "[DHT] The node ended unexpectedly; it was started again",
            ),
            (
                DhtStep::Announced { key, port: 9 },
                "[DHT] Announced port 9 for RFC 5",
            ),
            (
                DhtStep::LookedUp {
                    key,
                    found: 2,
                    answered: 1,
                },
                "[DHT] Looking for RFC 5: 2 holder(s), 1 answers",
            ),
            (
                DhtStep::LookedUp {
                    key: Key::Catalogue,
                    found: 2,
                    answered: 2,
                },
                "[DHT] Looking for the catalogue: 2 peer(s), 2 answers",
            ),
        ] {
            assert_eq!(told(&Event::Dht(step)), line);
        }
    }

    #[test]
    fn transfers() {
        let (number, holder) = ("5".parse().unwrap(), vm());
        let path = std::path::Path::new("rfcs/rfc5.txt");
        let failed = || Step::Failed {
            why: "it is gone".into(),
        };
        let done = || Step::Done {
            bytes: 3,
            path: Some(path),
        };
        let upload = |step| {
            told(&Event::Upload {
                link: link(Role::Upload),
                number,
                step,
            })
        };
        let download = |step| {
            told(&Event::Download {
                id: 1,
                number,
                holder: &holder,
                step,
            })
        };
        assert_eq!(
            upload(done()),
            "[UPLOAD] Sent RFC 5 to 10.0.0.1:5 (3 bytes)"
        );
        assert_eq!(
            upload(failed()),
            "[UPLOAD] RFC 5 was not sent completely to 10.0.0.1:5: it is gone"
        );
        assert_eq!(
            download(Step::Connecting),
            "[DOWNLOAD] Connecting to vm:5 for RFC 5..."
        );
        assert_eq!(
            download(done()),
            "[DOWNLOAD] Saved to rfcs/rfc5.txt (3 bytes)"
        );
        assert_eq!(
            download(failed()),
            "[DOWNLOAD] Failed from vm:5: it is gone"
        );
        for step in [Step::Began { length: None }, Step::Moved(2), Step::GivenUp] {
            assert_eq!(download(step.clone()) + &upload(step), "");
        }
    }
}
