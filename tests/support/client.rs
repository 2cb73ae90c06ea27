//! Programs played by a test, which speak bytes to the real ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use socket2::{Domain, Socket, Type};

use super::PATIENCE;

/// A request to an index server that changes nothing,
pub(crate) const LIST: &str = "LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n";
/// its answer without records,
pub(crate) const EMPTY: &str = "P2P-CI/1.0 200 OK\r\n\r\n\r\n";
/// and the answer to an invalid request.
pub(crate) const BAD: &str = "P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n";

/// A connection on which a test speaks bytes.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the bytes are taken");
    }

    /// Asserts that exactly `text` comes next.
    #[track_caller]
    pub(crate) fn receive(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        let mut count = 0;
        while count < bytes.len() {
            match self.reader.read(&mut bytes[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) => panic!(
                    "{error} after {:?}",
                    String::from_utf8_lossy(&bytes[..count])
                ),
            }
        }
        assert_eq!(String::from_utf8_lossy(&bytes[..count]), text);
    }

    /// Registers a record at an index server, which must confirm it.
    #[track_caller]
    pub(crate) fn add(&mut self, number: u32, title: &str, host: &str, port: u16) {
        self.send(format!(
            "ADD RFC {number} P2P-CI/1.0\r\nHost: {host}\r\nPort: {port}\r\nTitle: {title}\r\n\r\n"
        ));
        self.receive(&format!(
            "P2P-CI/1.0 200 OK\r\n\r\nRFC {number} {title} {host} {port}\r\n\r\n"
        ));
    }

    /// The next line without its end; empty at the end of the stream.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// A message head, up to its empty line.
    pub(crate) fn head(&mut self) -> String {
        let mut head = String::new();
        while self.reader.read_line(&mut head).unwrap() > 2 {}
        head
    }

    /// Everything up to the close.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.reader
            .read_to_end(&mut rest)
            .expect("the other side closes");
        rest
    }

    /// Closes the sending side.
    pub(crate) fn half_close(&mut self) {
        self.reader.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }
}

/// Sends `bytes` and returns everything up to the close.
pub(crate) fn exchange(port: u16, bytes: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(port);
    client.send(bytes);
    client.half_close();
    String::from_utf8_lossy(&client.rest()).into_owned()
}

/// Listens on a free port and passes each connection to `answer`, in turn, in a thread.
pub(crate) fn pretend(answer: impl Fn(Client) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(Client::over(stream.unwrap()));
        }
    });
    port
}

/// The status line of a head, and the names of its fields.
pub(crate) fn names_in(head: &str) -> Vec<&str> {
    let names = head.lines().map(|line| line.split(": ").next());
    names.map(Option::unwrap_or_default).collect()
}

/// A port where nobody listens. It stays bound until the tests end, so that no other test gets it.
pub(crate) fn dead_port() -> u16 {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address.port()
}

/// Registers RFC `number` for 127.0.0.1:`port`, while the returned connection lives.
pub(crate) fn registered(server: u16, number: u32, title: &str, port: u16) -> Client {
    let mut client = Client::connect(server);
    client.add(number, title, "127.0.0.1", port);
    client
}

/// A holder of RFC 7 that passes each connection to `serve`, while the returned one lives.
pub(crate) fn holder_that(server: u16, serve: impl Fn(Client) + Send + 'static) -> Client {
    registered(server, 7, "Seven", pretend(serve))
}

/// A holder of RFC 7 that sends `answer` to every GET and closes.
pub(crate) fn holder(server: u16, answer: impl AsRef<[u8]> + Send + 'static) -> Client {
    holder_that(server, move |mut client| {
        client.head();
        client.send(&answer);
    })
}

/// A holder of RFC 7 that begins to deliver, reports that, and hangs.
pub(crate) fn hanging_holder(server: u16) -> (Client, Receiver<()>) {
    let (begun, wait) = mpsc::channel();
    let holder = holder_that(server, move |mut client| {
        client.head();
        client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        begun.send(()).unwrap();
        client.rest();
    });
    (holder, wait)
}
