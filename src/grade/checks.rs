//! All checks, in the order in which they are reported. To add one, add a line here, and judge it in
//! a scenario.

use super::check::Check;
use super::check::Group::{
    self, BadRequest, Download, Leaving, List, Lookup, Menu, Messages, NotFound, Registration,
    Robust, Upload, Version,
};

const fn check(group: Group, name: &'static str, sentence: &'static str) -> Check {
    Check {
        name,
        group,
        points: 1,
        sentence,
    }
}

/// The checks of an index server.
#[rustfmt::skip]
pub const SERVER: &[Check] = &[
    check(Registration, "add-ok", "an ADD is answered with 200"),
    check(Registration, "add-record", "the answer to an ADD has its RFC, title, host, and port"),
    check(Registration, "add-form", "the answer to an ADD is exact to the byte"),
    check(Registration, "add-several", "a second and a third ADD work on the same connection"),
    check(List, "list-all", "LIST has every record of two peers, each once"),
    check(List, "list-form", "the answer to a LIST is exact to the byte, in any order"),
    check(Lookup, "lookup-records", "LOOKUP has one record for each peer that has the RFC"),
    check(Lookup, "lookup-form", "the answer to a LOOKUP is exact to the byte"),
    check(Lookup, "lookup-by-number", "LOOKUP finds an RFC by its number, whatever its title says"),
    check(NotFound, "lookup-404", "a LOOKUP of an unknown RFC is answered with 404"),
    check(NotFound, "lookup-404-form", "the answer 404 is exact to the byte"),
    check(BadRequest, "method-400", "an unknown method is answered with 400"),
    check(BadRequest, "host-missing-400", "an ADD without Host is answered with 400"),
    check(Version, "version-505", "a request in version P2P-CI/2.0 is answered with 505"),
    check(Version, "error-form", "the answers 400 and 505 are exact to the byte"),
    check(Version, "goes-on", "after 400, 404, and 505 the same connection answers a LOOKUP"),
    check(Leaving, "close-forgets", "when a peer closes, its records go within 5 s and others stay"),
    check(Leaving, "reset-forgets", "the same after a reset, and after half a request and a close"),
    check(Robust, "number-400", "an ADD with the number \"abc\" is answered with 400"),
    check(Robust, "port-400", "an ADD with port 0, 70000, or \"x\" is answered with 400"),
    check(Robust, "version-missing", "a request line without a version is answered with 400 or 505"),
    check(Robust, "split", "a request that arrives in pieces is answered"),
    check(Robust, "pipelined", "two requests that arrive together get two answers"),
    check(Robust, "concurrent", "silent and slow peers hold up nobody, and 20 peers get their own answers"),
    check(Robust, "same-host", "two ports of one host are two peers, and one can leave alone"),
    check(Robust, "long-title", "a title of 200 characters with punctuation comes back unchanged"),
    check(Robust, "garbage", "noise and an endless line on other connections disturb nobody"),
];

/// The checks of a peer.
#[rustfmt::skip]
pub const PEER: &[Check] = &[
    check(Registration, "joins", "the peer connects to the server and sends an ADD"),
    check(Registration, "add-form", "every ADD is exact to the byte"),
    check(Registration, "add-port", "the port that it registers listens"),
    check(Upload, "get-ok", "GET of an RFC that it registered is answered with 200"),
    check(Upload, "get-body", "the body has exactly Content-Length bytes, those of the file"),
    check(Upload, "get-headers", "Date, OS, Last-Modified, Content-Length, and Content-Type have their form"),
    check(Upload, "get-closes", "the connection is closed after the body"),
    check(Upload, "get-404", "GET of an unknown RFC is answered with 404"),
    check(Upload, "get-400", "an unknown method is answered with 400"),
    check(Upload, "get-505", "a request in version P2P-CI/2.0 is answered with 505"),
    check(Upload, "get-error-form", "the answers 400, 404, and 505 are exact to the byte"),
    check(Upload, "get-parallel", "a downloader that reads nothing holds up no other"),
    check(Menu, "lookup-form", "the LOOKUP of its menu is exact to the byte"),
    check(Menu, "list-form", "the LIST of its menu is exact to the byte"),
    check(Download, "get-flow", "GET is a LOOKUP, a GET from the holder, and an ADD"),
    check(Download, "get-request-form", "the GET to the holder is exact to the byte"),
    check(Download, "get-identical", "the downloaded document, fetched back, is identical"),
    Check { points: 0, ..check(Download, "get-next-holder", "if the first holder refuses, the next is asked") },
    check(NotFound, "get-unknown", "after a 404 to its LOOKUP there is no GET and no ADD, and the menu goes on"),
    check(Leaving, "exit-closes", "EXIT closes the connection within 5 s"),
    check(Robust, "answer-split", "answers of the server that arrive in pieces are read"),
    check(Robust, "answer-together", "several answers that arrive together are read"),
];

/// The checks of saved printouts.
#[rustfmt::skip]
pub const PRINTOUT: &[Check] = &[
    check(Registration, "shows-register", "an ADD is answered with 200"),
    check(List, "shows-list", "a LIST is answered with 200"),
    check(Lookup, "shows-lookup", "a LOOKUP is answered with 200 and records"),
    check(Download, "shows-download", "a GET is answered with 200"),
    check(NotFound, "shows-404", "a LOOKUP or a GET is answered with 404"),
    check(BadRequest, "shows-400", "a request is answered with 400"),
    check(Version, "shows-505", "a request is answered with 505"),
    check(Leaving, "shows-leaving", "a peer leaves, and its records go"),
    check(Messages, "messages-form", "every message has its form, as far as a terminal shows it"),
    check(Messages, "messages-fit", "every request has an answer, and the answer fits it"),
    check(Messages, "sides-agree", "what a peer sent, the other side received"),
];
