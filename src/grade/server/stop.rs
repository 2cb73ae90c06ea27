//! Where an answer ends, or stops before its end.

/// The place in an answer after which it stops: whether it is a 200, and its last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    is_ok: bool,
    last: Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Status,
    /// The empty line after the status line.
    Empty,
    Record,
    /// The empty line after the records, or the second one without any: a complete answer.
    End,
    /// Part of a line.
    Cut,
}

impl Stop {
    /// The place up to which an answer has come.
    pub(super) fn of(came: &[u8]) -> Self {
        let came = came.trim_ascii_start();
        let mut lines = came.rsplit(|byte| *byte == b'\n');
        let rest = lines.next().unwrap_or_default();
        let mut next = || lines.next().map(<[u8]>::trim_ascii_end);
        let last = match (next(), next(), next()) {
            _ if !rest.is_empty() => Last::Cut,
            (Some([]), _, Some(_)) => Last::End,
            (Some([]), ..) => Last::Empty,
            (Some(_), Some(_), _) => Last::Record,
            _ => Last::Status,
        };
        let mut words = came.split(|byte| *byte == b' ');
        let is_ok = words.nth(1).is_some_and(|code| code == b"200");
        Self { is_ok, last }
    }

    /// Whether it is the end of a complete answer.
    pub(super) fn is_end(self) -> bool {
        self.last == Last::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_where_an_answer_stops() {
        let mut came = Vec::new();
        let mut stops = Vec::new();
        for piece in [
            "P2P-CI/1.0 20",
            "0 OK\r\n",
            "\r\n",
            "RFC 1 A vm 5\r\n",
            "\n",
        ] {
            came.extend(piece.bytes());
            stops.push(Stop::of(&came).last);
        }
        let all = [
            Last::Cut,
            Last::Status,
            Last::Empty,
            Last::Record,
            Last::End,
        ];
        assert_eq!(stops, all);
        for (came, is_ok, last) in [
            ("", false, Last::Status),
            ("\r\nP2P-CI/1.0 404 Not Found\n\n", false, Last::Empty),
            ("P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n", false, Last::End),
            ("P2P-CI/1.0 200 OK\r\nRFC 1 A vm 5\r\n", true, Last::Record),
        ] {
            assert_eq!(Stop::of(came.as_bytes()), Stop { is_ok, last }, "{came:?}");
        }
    }
}
