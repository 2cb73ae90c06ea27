//! The title of the window, so that several on one desk can be told apart.

use super::{Shows, Transcript};
use crate::event::{Event, Role};

impl Transcript {
    /// Names the window, once the name of this peer is known.
    pub(super) fn entitle(&self, event: &Event<'_>) {
        match event {
            Event::Listening { role, port } => {
                *self.port.lock() = Some(*port);
                if *role != Role::Upload {
                    self.set_title(&format!("server :{port}"));
                }
            }
            Event::Named { host, .. } => {
                if let Some(port) = *self.port.lock() {
                    self.set_title(&format!("peer {host}:{port}"));
                }
            }
            _ => {}
        }
    }

    fn set_title(&self, title: &str) {
        let first = self.sinks.first().map(|sink| &sink.output);
        if first.is_some_and(|output| output.is_screen && output.shows > Shows::Nothing) {
            self.screen.set_title(title);
        }
    }
}
