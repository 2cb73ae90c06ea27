//! Existing programs of this family, each played by a small script: as peers of our server and of our
//! upload server, and as servers and holders for our peer.

mod answers;
mod faithful;
mod requests;
