//! Uploads against nginx with sendfile, which the same client asks for the same files over HTTP/1.0.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::load::{
    LARGE, Program, SMALL, copies, documents, free_port, get, many_pairs, pairs, visits,
};

/// Reports each row: what it is, the unit, our figure and that of nginx. `false`: there is no nginx.
pub(crate) fn against_nginx(mut row: impl FnMut(&str, &str, f64, f64)) -> bool {
    let folder = documents();
    let Some(nginx) = Nginx::start(folder.path()) else {
        return false;
    };
    let server = Program::server(&[]).ignore_output();
    // Like nginx without its log, it prints nothing for an upload.
    let peer = Program::peer(server.port, folder.path(), &["share"]).ignore_output();
    let limit = sender();
    let ask = |number: u32| format!("GET /rfc{number}.txt HTTP/1.0\r\nHost: x\r\n\r\n");
    for downloaders in [1, 4] {
        let speed = |port, request: String| copies(port, request.as_bytes(), downloaders, LARGE);
        // A single download may be twice as fast as the next one.
        let (ours, theirs) =
            many_pairs(25, || (speed(peer.port, get(1)), speed(nginx.port, ask(1))));
        let what = format!("200 MiB to {downloaders} downloader(s)");
        row(&what, "MiB/s", ours, theirs);
    }
    for clients in [1, 4] {
        let rate = |port, request: String| visits(port, request.as_bytes(), clients);
        let (ours, theirs) = pairs(|| (rate(peer.port, get(2)), rate(nginx.port, ask(2))));
        let what = format!("30 KiB files, {clients} at a time, new connection each");
        row(&what, "/s", ours, theirs);
        let (most, theirs) = pairs(|| (rate(limit, get(2)), rate(nginx.port, ask(2))));
        let what = "  the same of threads that accept, read and write only";
        row(what, "/s", most, theirs);
    }
    true
}

/// Sends as many bytes as the small document has to everyone who asks anything, from as many threads
/// as there are cores. It shows what a thread for each connection costs by itself.
fn sender() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
        let listener = listener.try_clone().unwrap();
        thread::spawn(move || {
            let (mut request, answer) = ([0; 512], vec![b'x'; SMALL]);
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // A client that is gone is none of its business.
                let _ = stream.read(&mut request);
                let _ = stream.write_all(&answer);
            }
        });
    }
    port
}

/// A running nginx, stopped when it goes out of scope.
struct Nginx {
    process: Child,
    port: u16,
    _home: tempfile::TempDir,
}

impl Nginx {
    /// `None` where it is not installed.
    fn start(folder: &Path) -> Option<Self> {
        let (home, port) = (tempfile::tempdir().unwrap(), free_port());
        let config = format!(
            "daemon off; master_process on; worker_processes 2; pid {home}/pid; error_log {home}/log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; root {root};\n\
             server {{ listen 127.0.0.1:{port}; }} }}\n",
            home = home.path().display(),
            root = folder.display()
        );
        let file = home.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        // Its workers run as another user.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).arg("-p").arg(home.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let started = Self {
            process: command.spawn().ok()?,
            port,
            _home: home,
        };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let waited = begin.elapsed();
            assert!(waited < Duration::from_secs(5), "nginx does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        Some(started)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only if it is asked to end, not if it is killed.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}
