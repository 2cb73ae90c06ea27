//! A network and a host name of its own for the grader (Linux), and the question whether the system
//! allows these and what the program under test gets. The program `unshare` makes them, because the
//! system call needs unsafe code.

use std::env;
use std::io;
#[cfg(target_os = "linux")]
use std::os::unix::process::CommandExt;
#[cfg(target_os = "linux")]
use std::process::Command;

#[cfg(target_os = "linux")]
use super::launch::launcher;

/// Set for the process that runs inside.
const INSIDE: &str = "P2PCI_ISOLATED_INSIDE";

/// Isolates this process: replaces it by one that runs the same command inside, or, inside, prepares
/// what is there. Returns only in the latter case, or with the reason why the system does not allow
/// it.
pub fn isolate() -> Result<(), String> {
    let why = if env::var_os(INSIDE).is_some() {
        match prepare() {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        }
    } else {
        enter()
    };
    Err(format!(
        "this system does not allow --isolated: {why}; grade without it, one program at a time"
    ))
}

/// The program under test gets more: see [`launcher`].
#[cfg(target_os = "linux")]
const OPTIONS: [&str; 4] = ["--user", "--map-root-user", "--net", "--uts"];

/// Whether the system allows it; the error is why not.
#[cfg(target_os = "linux")]
pub fn can_isolate() -> Result<(), String> {
    let inner = launcher("true", Some(&[])).map_err(|error| error.to_string())?;
    let mut unshare = Command::new("unshare");
    unshare.args(OPTIONS).arg("--").arg(inner.get_program());
    unshare.args(inner.get_args());
    for (name, value) in inner.get_envs() {
        unshare.envs(value.map(|value| (name, value)));
    }
    match unshare.output() {
        Err(error) => Err(format!("cannot run the program unshare: {error}")),
        Ok(tried) if tried.status.success() => Ok(()),
        Ok(tried) => Err(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
    }
}

/// Runs this command inside, and returns only if that is impossible.
#[cfg(target_os = "linux")]
fn enter() -> String {
    if let Err(why) = can_isolate() {
        return why;
    }
    match env::current_exe() {
        Err(error) => error.to_string(),
        Ok(program) => {
            let mut command = Command::new("unshare");
            command.args(OPTIONS).arg("--").arg(program);
            command.args(env::args_os().skip(1)).env(INSIDE, "1");
            command.exec().to_string()
        }
    }
}

/// Starts the loopback interface, and takes a host name that resolves to it.
#[cfg(target_os = "linux")]
fn prepare() -> io::Result<()> {
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};

    rustix::system::sethostname(b"localhost")?;
    // Otherwise a server that has crashed may not be able to use its port again for a minute. Where
    // that can't be set, its remaining checks are skipped.
    let _ = std::fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
    // Without a protocol it is that of routes and interfaces.
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&netlink, &loopback_up(), SendFlags::empty(), &kernel)?;
    let mut answer = [0; 64];
    let (_, length) = recv(&netlink, &mut answer, RecvFlags::empty())?;
    // A header of 16 bytes, then a negative error number or 0.
    let code = answer.get(16..20).filter(|_| length >= 20);
    let code = code.and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The message of rtnetlink(7) that sets the flag `IFF_UP` of interface 1, which is the loopback
/// interface of every network.
#[cfg(target_os = "linux")]
fn loopback_up() -> [u8; 32] {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_ACK: u16 = 1 | 4;
    const IFF_UP: u32 = 1;
    let mut message = [0; 32];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(field) = message.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    put(0, &32_u32.to_ne_bytes());
    put(4, &RTM_NEWLINK.to_ne_bytes());
    put(6, &NLM_F_REQUEST_ACK.to_ne_bytes());
    // The index of the interface, its flags, and which of them change.
    put(20, &1_i32.to_ne_bytes());
    put(24, &IFF_UP.to_ne_bytes());
    put(28, &IFF_UP.to_ne_bytes());
    message
}

/// Whether the system allows it; the error is why not.
#[cfg(not(target_os = "linux"))]
pub fn can_isolate() -> Result<(), String> {
    Err("only Linux has network namespaces".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn enter() -> String {
    can_isolate().err().unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn prepare() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
