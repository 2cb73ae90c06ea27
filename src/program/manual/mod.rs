//! The manual: the help of the commands, the pages of `src/manual`, man pages, and completions.
//!
//! Each page has one source, in Markdown. `help TOPIC` prints it, `make install` installs it as a
//! man page, and rustdoc shows it as a module here. clap generates the list of options.

mod completions;
mod man;
mod text;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::{Error, ErrorKind};
use clap::{Arg, ArgMatches, Command, Parser, ValueHint, value_parser};
use clap_complete::Shell;

use super::options::program_and_commands;
use super::unless_unread;
use super::variables::with_variables;
use crate::terminal::{Screen, locale};
use completions::completions;
use text::heading;

/// The options of a program, and what its manual says besides.
pub trait Program: Parser {
    /// The exit codes, and what they mean.
    const EXIT_CODES: &'static [(&'static str, &'static str)];
    /// The files that the program uses.
    const FILES: &'static [(&'static str, &'static str)];

    /// The variables for the options of the other program, without their prefix: a shell may set
    /// variables for both.
    const OTHER_VARIABLES: &'static [&'static str];

    /// Whether an option that all commands accept changes anything for this one.
    fn matters(_command: &str, _option: &str) -> bool {
        true
    }

    /// What to do instead, for a command that was given a word too many.
    fn tip(_command: &str) -> Option<&'static str> {
        None
    }
}

/// The minimum width of a page, which tables need, and the maximum that is easy to read.
const WIDTHS: (u16, u16) = (40, 100);

struct Page {
    topic: &'static str,
    text: &'static str,
}

macro_rules! pages {
    ($($topic:ident)*) => {
        /// All pages, in the order of the overview.
        const PAGES: &[Page] = &[$(Page {
            topic: stringify!($topic),
            text: include_str!(concat!("../../manual/", stringify!($topic), ".md")),
        }),*];
        $(
            #[doc = include_str!(concat!("../../manual/", stringify!($topic), ".md"))]
            pub mod $topic {}
        )*
    };
}

pages!(session protocol distributed dht choosing framed scripting background web grading options limits security speed);

impl Page {
    /// The heading of the first line.
    fn title(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.trim_start_matches(['#', ' '])
    }
}

/// The command line with everything that its help and man pages show.
fn complete<P: Program>() -> Command {
    let mut program = with_variables(P::command()).disable_help_subcommand(true);
    // Passes global options to the existing commands. The commands added below don't need them.
    program.build();
    let name = program.get_name().to_owned();
    let program = program.mut_subcommands(|command| without_common_options(command, &name));
    let codes = P::EXIT_CODES
        .iter()
        .map(|(code, meaning)| format!("{code} {meaning}"));
    let codes = codes.collect::<Vec<_>>().join("\n  ");
    let examples = program.get_after_help().map(ToString::to_string);
    let help = format!("{}\n\nExit codes:\n  {codes}", examples.unwrap_or_default());
    with_manual_commands(program.after_help(help))
}

/// Mentions the options that all commands have in one line instead of showing them.
fn without_common_options(command: Command, program: &str) -> Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let examples = examples.unwrap_or_default();
    let command = command.mut_args(|arg| {
        let is_common = arg.is_global_set();
        arg.hide(is_common)
    });
    let command = command.mut_subcommands(|command| without_common_options(command, program));
    command.after_help(format!(
        "{examples}\n\nCommon options: {program} help options"
    ))
}

/// Adds the commands that both programs have.
fn with_manual_commands(program: Command) -> Command {
    let name = program.get_name().to_owned();
    let command = |command: &'static str, about: &'static str, argument: Arg, example: &str| {
        Command::new(command)
            .bin_name(format!("{name} {command}"))
            .display_name(format!("{name}-{command}"))
            .about(about)
            .arg(argument)
            .after_help(format!("Examples:\n  {name} {example}"))
    };
    let shell = Arg::new("SHELL")
        .help("Which shell")
        .required(true)
        .value_parser(value_parser!(Shell));
    let completions = command(
        "completions",
        "Print completions for a shell",
        shell,
        &format!("completions bash > ~/.local/share/bash-completion/completions/{name}"),
    );
    let program = program.subcommand(completions);
    let topics = PAGES
        .iter()
        .map(|page| (page.topic.to_owned(), page.title().to_owned()));
    let about = "Show a page of the manual, or the help of a command";
    let this = [("help".to_owned(), about.to_owned())];
    let names = topics.chain(commands(&program)).chain(this);
    let names = names.map(|(name, about)| PossibleValue::new(name).help(about));
    let topic = Arg::new("NAME")
        .help("A topic or a command [default: list them]")
        .ignore_case(true)
        .value_parser(PossibleValuesParser::new(names));
    let inner = Arg::new("COMMAND")
        .help("One of the commands of that command")
        .value_hint(ValueHint::Other)
        .hide(!program.get_subcommands().any(Command::has_subcommands));
    program.subcommand(command("help", about, topic, "help protocol").arg(inner))
}

/// The names and descriptions of the commands.
fn commands(program: &Command) -> impl Iterator<Item = (String, String)> {
    program.get_subcommands().map(|command| {
        let about = command.get_about().map(ToString::to_string);
        (command.get_name().to_owned(), about.unwrap_or_default())
    })
}

/// Adds all commands of the manual, including the hidden `man`.
pub(super) fn with_manual<P: Program>() -> Command {
    let folder = Arg::new("FOLDER").required(true);
    let folder = folder.value_parser(value_parser!(PathBuf));
    let man = Command::new("man").about("Write the man pages into a folder");
    complete::<P>().subcommand(man.hide(true).arg(folder))
}

/// Runs a command of the manual; `None` for any other command. Exits with 2 if there is no such help.
pub(super) fn answer<P: Program>(matches: &ArgMatches) -> Option<anyhow::Result<()>> {
    match matches.subcommand()? {
        ("help", arguments) => {
            let word = |name| Some(arguments.get_one::<String>(name)?.to_ascii_lowercase());
            let text = match word("NAME") {
                None => overview::<P>(),
                Some(name) => help_on::<P>(&name, word("COMMAND").as_deref())
                    .unwrap_or_else(|error| error.exit()),
            };
            Some(print(&text))
        }
        ("completions", arguments) => {
            let shell = arguments.get_one::<Shell>("SHELL")?;
            Some(print(&completions::<P>(*shell)))
        }
        ("man", arguments) => {
            let folder = arguments.get_one::<PathBuf>("FOLDER")?;
            let written = man::write::<P>(complete::<P>(), folder);
            let context = || format!("cannot write man pages into {}", folder.display());
            Some(written.with_context(context))
        }
        _ => None,
    }
}

/// Writes to standard output, with color only if it supports that.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    let text = if locale::has_unicode() {
        text.to_owned()
    } else {
        text::ascii(text)
    };
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    unless_unread(written).context("cannot write standard output")
}

/// Lists the topics and the commands.
fn overview<P: Program>() -> String {
    let program = complete::<P>();
    let item = |name: &str, about: &str| format!("  {name:<12} {about}\n");
    let topics = PAGES.iter().map(|page| item(page.topic, page.title()));
    let commands = commands(&program).map(|(name, about)| item(&name, &about));
    let name = program.get_name();
    [
        heading("Topics:"),
        topics.collect(),
        heading("\nCommands:"),
        commands.collect(),
        format!("\n`{name} help NAME` shows the page of a topic or the help of a command.\n"),
    ]
    .concat()
}

/// The page of a topic, or the help of a command or of one of its own commands.
fn help_on<P: Program>(name: &str, inner: Option<&str>) -> Result<String, Error> {
    let topic = PAGES.iter().find(|page| page.topic == name);
    if let (Some(topic), None) = (topic, inner) {
        return Ok(page::<P>(topic));
    }
    let mut program = complete::<P>();
    let mut command = program.find_subcommand_mut(name);
    if let Some(inner) = inner {
        command = command.and_then(|command| command.find_subcommand_mut(inner));
    }
    if let Some(command) = command {
        let help = command.render_long_help().ansi().to_string();
        return Ok(format!("{}\n", help.trim_end()));
    }
    let what = format!("{name:?} has no command {:?}", inner.unwrap_or_default());
    Err(program.error(ErrorKind::InvalidSubcommand, what))
}

/// Renders a page. The page `options` also lists all options.
fn page<P: Program>(page: &Page) -> String {
    let columns = Screen::default().size().columns;
    let width = columns.clamp(WIDTHS.0, WIDTHS.1);
    let mut text = text::text(page.text, width.into());
    if page.topic == "options" {
        let program = with_variables(P::command());
        let mut add = |command: &Command| {
            // List neither the commands nor their options again.
            let command = command
                .clone()
                .mut_subcommands(|command| command.hide(true))
                .disable_help_flag(true)
                .disable_version_flag(true)
                .disable_help_subcommand(true)
                .term_width(width.into());
            if command.get_arguments().next().is_some() {
                let title = format!("Options of {}", command.get_name());
                let options = command.help_template("{all-args}").render_long_help();
                text += &["\n", &heading(&title), "\n", &options.ansi().to_string()].concat();
            }
        };
        program_and_commands(&program)
            .into_iter()
            .for_each(&mut add);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `help` lists the titles, so they must be short and on the first line.
    #[test]
    fn pages_begin_with_their_title() {
        for page in PAGES {
            let title = page.title();
            assert!(
                page.text.starts_with(&format!("# {title}\n\n")),
                "{}",
                page.topic
            );
            assert!((1..=60).contains(&title.chars().count()), "{title}");
        }
    }
}
