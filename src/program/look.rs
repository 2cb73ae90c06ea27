//! Options for how a printout looks.

use clap::Args;

use crate::printout::Style;

/// How the printout of a program looks.
#[derive(Debug, Clone, Copy, Args)]
pub struct Look {
    /// Print the time before our lines, but never in messages
    #[arg(long, value_parser = super::flag, help_heading = "Printing")]
    timestamps: bool,
    /// On a terminal: wait for Enter after each message, for a projector; only the
    /// printout waits, and the exchange goes on
    #[arg(long, value_parser = super::flag, help_heading = "Printing")]
    step: bool,
}

impl Look {
    /// The style of the printout; `is_whole` means that a screen, too, shows every message whole.
    pub fn style(self, is_whole: bool) -> Style {
        Style {
            is_whole,
            has_times: self.timestamps,
            has_steps: self.step,
        }
    }
}
