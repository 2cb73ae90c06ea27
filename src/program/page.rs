//! The page of a program (`--web`): its option, its address on standard error, and its end.

use std::sync::Arc;

use super::{Failure, Stage, VERSION};
use crate::event::Events;
use crate::index::Kind;
use crate::web::{About, Shown, Web, WebPlace, WebServer};

/// Opens the port of the page, if there is to be one.
pub fn open(place: Option<&WebPlace>) -> Result<Option<Web>, Failure> {
    place.map(Web::open).transpose().map_err(Failure::other)
}

/// The events, read by the page as well.
pub fn read(web: Option<&Web>, events: &Events) -> Events {
    web.map_or_else(|| events.clone(), |web| web.read(events))
}

/// What the page says of a program at `name`.
pub fn about(program: &'static str, kind: Kind, name: &impl ToString) -> About {
    About {
        program,
        kind: kind.name(),
        version: VERSION,
        name: name.to_string(),
        index: None,
    }
}

/// Answers browsers from now on, and prints the addresses of the page. What it shows may be used
/// `with_token`.
pub fn serve(
    web: Option<Web>,
    shown: impl Shown + 'static,
    with_token: bool,
    stage: &Stage,
) -> Result<Option<WebServer>, Failure> {
    let Some(web) = web else {
        return Ok(None);
    };
    let addresses = web.addresses(with_token);
    let server = web.serve(Arc::new(shown), &stage.events, &stage.stop);
    let server = server.map_err(Failure::other)?;
    for address in addresses {
        stage
            .transcript
            .screen()
            .say(format_args!("The page is at {address}"));
    }
    Ok(Some(server))
}
