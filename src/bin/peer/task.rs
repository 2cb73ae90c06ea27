//! What a peer is to do once it takes part.

use anyhow::Context;
use clap::CommandFactory;
use clap::error::ErrorKind;
use p2pci::peer::commands::{self, Format, Wanted};
use p2pci::peer::numbers::Selection;
use p2pci::peer::{Console, Peer, menu};
use p2pci::program::{self, Failure};
use p2pci::terminal::Screen;
use p2pci::terminal::progress::Progress;
use p2pci::transcript::Shows;
use p2pci::wire::{RfcNumber, Title};

use crate::arguments::{Arguments, Get};

/// What the peer is to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// The menu.
    Menu,
    /// Share until a signal comes.
    Share,
    Lookup(RfcNumber),
    List,
    Find(Vec<String>),
    Get(Get, Selection),
    Add(RfcNumber, Option<Title>),
}

/// Ends the program for options that are no sense together. What comes from the environment may
/// stand against what the command line says only where this finds it wrong, so clap is not asked.
pub(crate) fn usage_error(error: &str) -> ! {
    Arguments::command()
        .error(ErrorKind::ArgumentConflict, error)
        .exit()
}

impl Task {
    /// The downloads that are wanted. Ends the program where they are no sense.
    pub(crate) fn get(get: Get) -> Self {
        match get.selection() {
            Ok(selection) => Self::Get(get, selection),
            Err(error) => usage_error(&error),
        }
    }

    /// Whether the whole folder is registered, and the peer stays until it is told to end: a signal
    /// is no failure then.
    pub(crate) fn shares(&self) -> bool {
        match self {
            Self::Menu | Self::Share => true,
            Self::Get(get, _) => get.share,
            _ => false,
        }
    }

    /// What standard output shows of the printout.
    pub(crate) fn shows(&self, arguments: &Arguments) -> Shows {
        match self {
            _ if arguments.print_messages => Shows::Messages,
            Self::Menu if !arguments.quiet => Shows::Messages,
            Self::Menu | Self::Share => Shows::Life,
            _ => Shows::Nothing,
        }
    }

    /// Does it, and prints the result in a format.
    pub(crate) fn run(
        &self,
        peer: &Peer,
        format: Format,
        console: &mut Console,
        screen: &Screen,
        says: bool,
    ) -> Result<(), Failure> {
        let progress = Progress::new(screen);
        let ended = match self {
            Self::Menu => {
                let history = program::state_folder().map(|folder| folder.join("history"));
                console
                    .read_stdin(history)
                    .context("cannot read standard input")?;
                menu::run(peer, console, &progress);
                return Ok(());
            }
            Self::Share => Ok(()),
            Self::Lookup(number) => commands::lookup(peer, *number, format),
            Self::List => commands::list(peer, format),
            Self::Find(words) => commands::find(peer, words, format),
            Self::Add(number, title) => commands::add(peer, *number, title.clone(), format),
            Self::Get(get, selection) => {
                let wanted = Wanted {
                    selection: selection.clone(),
                    output: get.output.as_deref(),
                    force: get.force,
                    jobs: get.jobs,
                    says,
                };
                commands::get(peer, &wanted, format, &progress)
            }
        };
        if self.shares() {
            console.wait_for_hangup();
        }
        ended
    }
}
