//! The options of `peer grade`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::check::Check;
use super::checks;
use super::printout;
use super::program::Running;
use super::report::{Outputs, Rubric, unknown};
use crate::wire::ci::SERVER_PORT;
use crate::wire::{Endpoint, Port};

const EXAMPLES: &str = "\
Examples:
  peer grade server localhost                           the server that runs here
  peer grade server --run 'python3 server.py'           start it, grade it, end it
  peer grade peer --run 'python3 peer.py localhost'     the same for a peer
  peer grade printout server.txt peer1.txt peer2.txt    what programs printed
  peer grade class submissions --server 'sh run.sh'     everybody's";

const SERVER: &str = "\
Examples:
  peer grade server localhost                                     the server that runs here
  peer grade server --run 'python3 server.py' --in submission     start it in its folder
  peer grade server --run './server {port}' --port 0              on any free port
  peer grade server --list-checks                                 what is judged";

const PEER: &str = "\
Examples:
  peer grade peer                                            a peer that you start by hand
  peer grade peer --run 'python3 peer.py localhost'          start it, and type for it
  peer grade peer --run './peer localhost' --files rfcs      compare what it sends with its files
  peer grade peer --list-checks                              what is judged";

const PRINTOUT: &str = "\
Examples:
  peer grade printout server.txt peer1.txt peer2.txt     all printouts of one session
  peer grade printout *.txt --gradescope results.json    also for an autograder
  peer grade printout --list-checks                      what is judged";

const CLASS: &str = "\
Examples:
  peer grade class submissions --server 'python3 server.py'
  peer grade class submissions --server 'sh server.sh' --peer 'sh peer.sh' -j 4 --out results";

/// The options of `peer grade`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Options {
    /// List all checks of servers, peers, and printouts, and do nothing else
    #[arg(long, value_parser = crate::program::flag)]
    list_checks: bool,
    #[command(subcommand)]
    pub(super) what: Option<What>,
}

/// What is graded.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Grade an index server
    ///
    /// Connects to a running server, or starts one with --run, as several peers, and judges its
    /// answers: groups 1 to 8 are what the protocol asks, and `robust` is what a real network needs.
    #[command(after_help = SERVER)]
    Server(Server),
    /// Grade a peer
    ///
    /// Plays the index server and other peers with documents of their own. With --run it starts the
    /// peer and types what its menu needs; without, it waits for a peer, and says what to choose in
    /// its menu.
    #[command(after_help = PEER)]
    Peer(Peer),
    /// Grade saved printouts of a server and of peers, of any implementation
    ///
    /// Finds the messages in them, whatever stands around them, and says which of the eight scenarios
    /// they show, which messages deviate, which requests have no answer that fits, and what one
    /// side sent and the other did not receive.
    #[command(after_help = PRINTOUT)]
    Printout(Printout),
    /// Grade all submissions of a course
    ///
    /// Every subfolder is a submission. Each is graded by itself, isolated where the system allows it
    /// and otherwise one after the other. The results folder gets a report of each, its results for
    /// Gradescope, and table.csv.
    #[command(after_help = CLASS)]
    Class(Class),
}

/// The options of `peer grade server`.
#[derive(Debug, Args)]
pub struct Server {
    /// A running server
    #[arg(value_name = "HOST[:PORT]")]
    pub(super) target: Option<String>,
    /// The port of a server that --run starts; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = SERVER_PORT, value_parser = crate::program::port, help_heading = "Program")]
    pub(super) port: u16,
    #[command(flatten)]
    pub(super) running: Running,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The options of `peer grade peer`.
#[derive(Debug, Args)]
pub struct Peer {
    /// The port of the index server that the grader plays; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = SERVER_PORT, value_parser = crate::program::port, help_heading = "Program")]
    pub(super) port: u16,
    /// The folder that the peer shares, from the current folder, whatever --in says: what the peer
    /// sends is compared with its files. It may be a link, and its files may not
    #[arg(long, value_name = "FOLDER", help_heading = "Program")]
    pub(super) files: Option<PathBuf>,
    /// What to type for start, add, lookup, list, get, and exit, for example get='4\n{number}\n\n'; \n
    /// is Enter, {number} and {title} are those of the RFC [default: nothing at the start, and then the
    /// menu of P2P-CI]. What start names answers questions before the peer connects; {port} in it is
    /// the port. An ADD is only typed if the peer registers nothing by itself
    #[arg(long, value_name = "STEP=TEXT", num_args = 1.., value_parser = keys, help_heading = "Program")]
    pub(super) keys: Vec<(Step, String)>,
    /// How long to wait for what a person does, in seconds, where no program is started
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600), help_heading = "Program")]
    pub(super) patience: u64,
    #[command(flatten)]
    pub(super) running: Running,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The options of `peer grade printout`.
#[derive(Debug, Args)]
pub struct Printout {
    /// What the programs printed; a server's file has "server" in its name
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The options of `peer grade class`.
#[derive(Debug, Args)]
pub struct Class {
    /// The folder whose subfolders are the submissions
    #[arg(value_name = "FOLDER")]
    pub(super) folder: PathBuf,
    /// The shell command that starts a server, in the folder of its submission
    #[arg(long, value_name = "COMMAND", help_heading = "Program")]
    pub(super) server: Option<String>,
    /// The shell command that starts a peer
    #[arg(long, value_name = "COMMAND", help_heading = "Program")]
    pub(super) peer: Option<String>,
    /// The folder that a peer shares, within its submission; a link out of it does not count
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "peer",
        help_heading = "Program"
    )]
    pub(super) files: Option<PathBuf>,
    /// What to type for a step of the menu, as in `peer grade peer`
    #[arg(long, value_name = "STEP=TEXT", num_args = 1.., requires = "peer", value_parser = keys_as_they_are, help_heading = "Program")]
    pub(super) keys: Vec<String>,
    /// How many submissions are graded at the same time, if they can be isolated
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) jobs: u8,
    /// The longest time for each program of a submission, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) deadline: u64,
    /// The folder for the results; created if it is missing
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "results",
        help_heading = "Report"
    )]
    pub(super) out: PathBuf,
    /// The points of the checks of a server, as with --rubric of `peer grade server`
    #[arg(
        long,
        value_name = "FILE",
        requires = "server",
        help_heading = "Report"
    )]
    pub(super) server_rubric: Option<PathBuf>,
    /// The points of the checks of a peer
    #[arg(long, value_name = "FILE", requires = "peer", help_heading = "Report")]
    pub(super) peer_rubric: Option<PathBuf>,
}

/// What a menu is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// What it asks before it connects.
    Start,
    /// ADD, of a file that the peer has.
    Add,
    /// LOOKUP.
    Lookup,
    /// LIST.
    List,
    /// GET.
    Get,
    /// EXIT.
    Exit,
}

impl Step {
    /// What the menu of P2P-CI (section 6) needs for it.
    const fn usual_keys(self) -> &'static str {
        match self {
            Self::Start => "",
            Self::Add => "1\n{number}\n{title}\n",
            Self::Lookup => "2\n{number}\n{title}\n",
            Self::List => "3\n",
            Self::Get => "4\n{number}\n{title}\n",
            Self::Exit => "5\n",
        }
    }
}

/// Reads STEP=TEXT.
fn keys(text: &str) -> Result<(Step, String), String> {
    let expected = "expected start=TEXT, add=TEXT, lookup=TEXT, list=TEXT, get=TEXT, or exit=TEXT";
    let (step, text) = text.split_once('=').ok_or(expected)?;
    let step = match step {
        "start" => Step::Start,
        "add" => Step::Add,
        "lookup" => Step::Lookup,
        "list" => Step::List,
        "get" => Step::Get,
        "exit" => Step::Exit,
        _ => return Err(expected.to_owned()),
    };
    let (known, names): (&[&str], _) = match step {
        Step::Start => (&["\\n", "{port}"], "and {port}"),
        _ => (&["\\n", "{number}", "{title}"], "{number}, and {title}"),
    };
    let rest = known
        .iter()
        .fold(text.to_owned(), |rest, known| rest.replace(known, " "));
    match rest.find(['\\', '{', '}']) {
        Some(place) => Err(format!(
            "\"{}\" is unknown: there are \\n for Enter, {names}",
            rest.get(place..).unwrap_or_default()
        )),
        None => Ok((step, text.replace("\\n", "\n"))),
    }
}

/// Checks STEP=TEXT for another process.
fn keys_as_they_are(text: &str) -> Result<String, String> {
    keys(text).map(|_| text.to_owned())
}

/// What is judged, and how it is reported.
#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(super) struct Common {
    /// Judge only these checks
    #[arg(long, value_name = "CHECK", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// The points of the checks: a TOML file with lines `check = points`. A check that it does not
    /// name has none [default: 1 point for each]
    #[arg(long, value_name = "FILE")]
    rubric: Option<PathBuf>,
    /// List the checks, and do nothing else
    #[arg(long, value_parser = crate::program::flag)]
    pub(super) list_checks: bool,
    #[command(flatten)]
    pub(super) outputs: Outputs,
}

impl Options {
    /// Checks the options for conflicts. An error is a message for the user.
    pub fn check(&self) -> Result<(), String> {
        let Some(what) = &self.what else {
            let missing = "name what to grade: server, peer, printout, or class".to_owned();
            return self.list_checks.then_some(()).ok_or(missing);
        };
        match what {
            What::Server(server) => server.check(),
            What::Peer(peer) => peer.check(),
            What::Printout(saved) => {
                if saved.files.is_empty() && !saved.common.list_checks {
                    return Err("name the files of the printouts".to_owned());
                }
                saved
                    .files
                    .iter()
                    .try_for_each(|path| printout::check(path))?;
                saved.common.check(checks::PRINTOUT)
            }
            What::Class(class) if class.server.is_none() && class.peer.is_none() => Err(
                "name the command of a server (--server), of a peer (--peer), or both".to_owned(),
            ),
            What::Class(class) => {
                let rubrics = [
                    (&class.server_rubric, checks::SERVER),
                    (&class.peer_rubric, checks::PEER),
                ];
                rubrics.into_iter().try_for_each(|(path, table)| {
                    let path = path.as_ref();
                    path.map_or(Ok(()), |path| Rubric::read(path, table).map(drop))
                })
            }
        }
    }

    /// Whether grading needs a network of its own.
    pub fn is_isolated(&self) -> bool {
        let (running, common) = match &self.what {
            Some(What::Server(server)) => (&server.running, &server.common),
            Some(What::Peer(peer)) => (&peer.running, &peer.common),
            _ => return false,
        };
        running.isolated && !common.list_checks
    }
}

impl Server {
    fn check(&self) -> Result<(), String> {
        self.common.check(checks::SERVER)?;
        match (&self.target, &self.running.run) {
            _ if self.common.list_checks => Ok(()),
            (Some(_), Some(_)) => Err("HOST conflicts with --run".to_owned()),
            (None, None) => Err("name a server, or a command that starts one (--run)".to_owned()),
            (Some(_), None) if self.running.isolated => {
                Err("--isolated is for a server that --run starts".to_owned())
            }
            (Some(text), None) => endpoint(text).map(drop),
            (None, Some(_)) => Ok(()),
        }
    }
}

impl Peer {
    fn check(&self) -> Result<(), String> {
        self.common.check(checks::PEER)?;
        if self.running.run.is_some() || self.common.list_checks {
            return Ok(());
        }
        match (self.running.isolated, self.keys.is_empty()) {
            (true, _) => Err("--isolated is for a peer that --run starts".to_owned()),
            (_, false) => Err("--keys is for a peer that --run starts".to_owned()),
            _ => Ok(()),
        }
    }

    /// What to type for a step.
    pub(super) fn keys(&self, step: Step) -> &str {
        let mut own = self.keys.iter().filter(|(it, _)| *it == step);
        own.next_back()
            .map_or(step.usual_keys(), |(_, text)| text.as_str())
    }
}

/// Reads HOST or HOST:PORT.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    let port = Port::new(SERVER_PORT).unwrap_or(Port::MAX);
    Endpoint::parse(text, port).map_err(|error| error.to_string())
}

impl Common {
    fn check(&self, table: &[Check]) -> Result<(), String> {
        let is_known = |name: &&String| table.iter().any(|check| check.name == *name);
        match self.only.iter().find(|name| !is_known(name)) {
            Some(name) => Err(unknown(name)),
            None => self.rubric(table).map(drop),
        }
    }

    /// The points of the checks.
    pub(super) fn rubric(&self, table: &[Check]) -> Result<Rubric, String> {
        match &self.rubric {
            Some(path) => Rubric::read(path, table),
            None => Ok(Rubric::default()),
        }
    }

    /// The checks to judge.
    pub(super) fn chosen(&self, table: &'static [Check]) -> Vec<&'static Check> {
        let is_chosen =
            |check: &&Check| self.only.is_empty() || self.only.iter().any(|it| it == check.name);
        table.iter().filter(is_chosen).collect()
    }
}

/// All checks of all kinds.
pub(super) fn list_all() -> String {
    let kinds = [
        ("server", checks::SERVER),
        ("peer", checks::PEER),
        ("printout", checks::PRINTOUT),
    ];
    let lists = kinds.map(|(kind, table)| format!("peer grade {kind}\n\n{}", list(table)));
    lists.join("\n")
}

/// All checks with what they say, for `--list-checks`.
pub(super) fn list(table: &[Check]) -> String {
    let mut text = String::new();
    let mut group = None;
    for check in table {
        if group.replace(check.group) != Some(check.group) {
            text.extend([check.group.name(), "\n"]);
        }
        let points = if check.points == 0 {
            " (no points)"
        } else {
            ""
        };
        // Writing to memory does not fail.
        let _ = writeln!(text, "  {:<17} {}{points}", check.name, check.sentence);
    }
    text
}
