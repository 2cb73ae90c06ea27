//! Where a program under test listens (Linux).

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};

use super::processes::descendants;

/// Where this program listens: the ports, and the addresses of those that can't be reached by the name
/// localhost.
pub(super) fn listening() -> BTreeSet<String> {
    let own: BTreeSet<_> = descendants().iter().flat_map(|it| sockets(it.id)).collect();
    let tables = ["tcp", "tcp6"].map(|name| fs::read_to_string(format!("/proc/self/net/{name}")));
    let lines = tables.iter().flatten().flat_map(|table| table.lines());
    let listening = lines.filter_map(listener);
    let listening = listening.filter(|(_, socket)| own.contains(socket));
    listening.map(|(place, _)| place).collect()
}

/// The numbers of the sockets that a process has.
fn sockets(id: rustix::process::Pid) -> impl Iterator<Item = String> {
    let open = fs::read_dir(format!("/proc/{id}/fd"));
    open.into_iter().flatten().flatten().filter_map(|entry| {
        let link = fs::read_link(entry.path()).ok()?;
        let number = link.to_str()?.strip_prefix("socket:[")?;
        Some(number.strip_suffix(']')?.to_owned())
    })
}

/// The address and the number of a socket that listens, in a line of `/proc/net/tcp` (proc(5)).
fn listener(line: &str) -> Option<(String, String)> {
    const LISTENS: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let address = address(fields.nth(1)?)?;
    let is_listener = fields.nth(1)? == LISTENS;
    let number = fields.nth(5)?.to_owned();
    let ip = address.ip();
    let place = if ip.is_unspecified() || ip.is_loopback() {
        address.port().to_string()
    } else {
        address.to_string()
    };
    is_listener.then_some((place, number))
}

/// The system writes an IP address as numbers of 32 bits.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let (words, _) = ip.as_bytes().as_chunks::<8>();
    let word = |digits: &[u8; 8]| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok();
    let words: Option<Vec<_>> = words.iter().map(word).collect();
    let bytes: Vec<u8> = words?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_of_a_listener_has_a_place_and_a_number() {
        let rest = "00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1";
        for (address, place) in [
            ("0100007F:1E37", "7735"),
            ("00000000000000000000000000000000:1E37", "7735"),
            ("0500000A:1E36", "10.0.0.5:7734"),
        ] {
            let found = listener(&format!("   0: {address} {rest}"));
            assert_eq!(found, Some((place.to_owned(), "4711".to_owned())));
        }
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt";
        assert_eq!(listener(head), None);
        let connected = "0: 0100007F:1E37 0100007F:1E37 01 0:0 00:0 00000000 0 0 4711 1";
        assert_eq!(listener(connected), None);
    }
}
