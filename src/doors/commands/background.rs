//! `status` and `stop`: for the peer in the background itself.

use clap::Subcommand;

use super::{Format, Printed, Printer};
use crate::control::Client;
use crate::node::{Actions, Failure};

const STATUS: &str = "\
Examples:
  peer status               of the peer that shares rfcs/
  peer status --json | jq   the same for a program";

const STOP: &str = "\
Examples:
  peer --dir papers stop    end the peer that shares papers/";

/// A command for a peer in the background.
#[derive(Debug, Subcommand)]
pub enum Background {
    /// Show the state of the peer in the background
    #[command(after_help = STATUS)]
    Status {
        /// The output options.
        #[command(flatten)]
        printed: Printed,
    },
    /// End the peer in the background, and wait until it has ended
    #[command(after_help = STOP)]
    Stop,
}

impl Background {
    /// The format of the result.
    pub fn format(&self) -> Format {
        match self {
            Self::Status { printed } if printed.json => Format::Json,
            _ => Format::Lines,
        }
    }

    /// Runs the command and prints the result.
    pub fn run(&self, peer: &Client, printer: &Printer<'_>) -> Result<(), Failure> {
        match self {
            Self::Status { .. } => {
                let status = peer.status()?;
                match printer.format {
                    Format::Json => printer.document(&status),
                    _ => printer.stage.print(|out| write!(out, "{status}")),
                }
            }
            Self::Stop => {
                peer.stop()?;
                let pid = peer.found().pid;
                let what = format_args!("the peer in the background (process {pid}) has ended");
                printer.stage.say(what);
                Ok(())
            }
        }
    }
}
