//! The page, as browsers and attackers see it.

mod attackers;
mod peers;
mod reading;
mod stream;

use std::path::Path;

use serde_json::Value;

use crate::support::{Client, Program, peer_of, server, sharing};

/// A program with a page, whose token is empty if it printed none.
struct Shown {
    program: Program,
    port: u16,
    token: String,
}

impl Shown {
    /// A server with these options besides.
    fn server(arguments: &[&str]) -> Self {
        Self::of(server(&[&["--web", "0"], arguments].concat()))
    }

    /// A peer that shares a folder, with these options besides.
    fn peer(server: u16, folder: &Path, arguments: &[&str]) -> Self {
        let options = [&["--web", "0", "-q"], arguments, &["share"]].concat();
        let command = peer_of(server, folder, &options);
        let peer = Program::start("peer", command);
        Self::of(sharing(peer))
    }

    fn of(program: Program) -> Self {
        program.expect_error("The page is at http://");
        // The whole line is there once the next character is.
        let url = program.wait_for_error(|errors| {
            let (_, rest) = errors.split_once("The page is at http://")?;
            rest.split_once('\n').map(|(url, _)| url.to_owned())
        });
        let url = url.unwrap();
        let (address, token) = url.split_once("/#token=").unwrap_or((&url, ""));
        let port = address.trim_end_matches('/').rsplit(':').next().unwrap();
        Self {
            port: port.parse().unwrap(),
            token: token.to_owned(),
            program,
        }
    }

    /// The answer to a request with this line and these headers, which end with line ends.
    fn ask(&self, line: &str, headers: &str, body: &str) -> Response {
        let mut client = Client::connect(self.port);
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        client.send(format!(
            "{line} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n{headers}{length}\r\n{body}",
            self.port
        ));
        Response::read(&mut client)
    }

    fn get(&self, path: &str) -> Response {
        self.ask(&format!("GET {path}"), "", "")
    }

    fn json(&self, path: &str) -> Value {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{}", response.body);
        serde_json::from_str(&response.body).unwrap()
    }

    /// Asks `path` until `found` finds something in its JSON.
    fn wait<T>(&self, path: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        let mut events = self.watch("");
        loop {
            if let Some(it) = found(&self.json(path)) {
                return it;
            }
            // Nothing changes without an event; reading one has a deadline.
            events.next();
        }
    }

    /// Watches the stream.
    fn watch(&self, headers: &str) -> Stream {
        Stream::over(Client::connect(self.port), self.port, headers)
    }
}

/// A response that ends with its connection.
struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Response {
    fn read(client: &mut Client) -> Self {
        let all = String::from_utf8(client.rest()).unwrap();
        let (head, body) = all.split_once("\r\n\r\n").expect(&all);
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

/// An event of the stream.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    name: String,
    data: Value,
}

/// A stream of events.
struct Stream(Client);

impl Stream {
    fn over(mut client: Client, port: u16, headers: &str) -> Self {
        client.send(format!(
            "GET /api/events HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/event-stream\r\n\
             {headers}\r\n"
        ));
        let head = client.head();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"),
            "{head}"
        );
        Self(client)
    }

    /// The next event.
    fn next(&mut self) -> Event {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let line = self.0.line();
            match line.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => value.clone_into(&mut data),
                Some(("id", _)) => {}
                _ if line.is_empty() && !name.is_empty() => {
                    let data = serde_json::from_str(&data).expect(&data);
                    return Event { name, data };
                }
                // A comment has an empty line of its own. The end of the stream has none.
                _ => {
                    assert!(line.starts_with(':'), "{line:?}");
                    assert_eq!(self.0.line(), "");
                }
            }
        }
    }

    /// The data of the next event of this name for which `found` is true.
    fn find(&mut self, name: &str, found: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.next();
            if event.name == name && found(&event.data) {
                return event.data;
            }
        }
    }

    /// The data of the next event of this name.
    fn expect(&mut self, name: &str) -> Value {
        self.find(name, |_| true)
    }
}
