//! The manual: the help of the commands, the pages of `src/manual`, man pages, and completions.
//!
//! Each page has one source, in Markdown. `help TOPIC` prints it, `make install` installs it as a
//! man page, and rustdoc shows it as a module here. clap generates the list of options.

mod text;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgMatches, Command, CommandFactory, value_parser};
use clap_complete::Shell;

use super::{VERSION, unless_unread, with_variables};
use crate::terminal::Screen;
use text::heading;

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

/// Adds the variables and the commands that both programs have.
fn complete(program: Command) -> Command {
    let mut program = with_variables(program).disable_help_subcommand(true);
    // Passes global options to the existing commands. The commands added below don't need them.
    program.build();
    let name = program.get_name().to_owned();
    let command = |command: &'static str, about: &'static str, argument: Arg| {
        Command::new(command)
            .bin_name(format!("{name} {command}"))
            .display_name(format!("{name}-{command}"))
            .about(about)
            .arg(argument)
    };
    let shell = Arg::new("SHELL")
        .help("Which shell")
        .required(true)
        .value_parser(value_parser!(Shell));
    let completions = command("completions", "Print completions for a shell", shell);
    let program = program.subcommand(completions);
    let topics = PAGES
        .iter()
        .map(|page| (page.topic.to_owned(), page.title().to_owned()));
    let names = topics.chain(commands(&program));
    let names = names.map(|(name, about)| PossibleValue::new(name).help(about));
    let name = Arg::new("NAME")
        .help("A topic or a command [default: list them]")
        .value_parser(PossibleValuesParser::new(names));
    program.subcommand(command(
        "help",
        "Show a page of the manual, or the help of a command",
        name,
    ))
}

/// The names and descriptions of the commands.
fn commands(program: &Command) -> impl Iterator<Item = (String, String)> {
    program.get_subcommands().map(|command| {
        let about = command.get_about().map(ToString::to_string);
        (command.get_name().to_owned(), about.unwrap_or_default())
    })
}

/// Adds all commands of the manual, including the hidden `man`.
pub(super) fn with_manual(program: Command) -> Command {
    let folder = Arg::new("FOLDER").required(true);
    let folder = folder.value_parser(value_parser!(PathBuf));
    let man = Command::new("man").about("Write the man pages into a folder");
    complete(program).subcommand(man.hide(true).arg(folder))
}

/// Runs a command of the manual; `None` for any other command.
pub(super) fn answer<O: CommandFactory>(matches: &ArgMatches) -> Option<anyhow::Result<()>> {
    match matches.subcommand()? {
        ("help", arguments) => Some(print(&match arguments.get_one::<String>("NAME") {
            None => overview::<O>(),
            Some(topic) => match PAGES.iter().find(|page| page.topic == topic) {
                Some(found) => page::<O>(found),
                None => help_of::<O>(topic),
            },
        })),
        ("completions", arguments) => {
            let shell = arguments.get_one::<Shell>("SHELL")?;
            Some(print(&completions::<O>(*shell)))
        }
        ("man", arguments) => {
            let folder = arguments.get_one::<PathBuf>("FOLDER")?;
            let written = write_man_pages::<O>(folder);
            let context = || format!("cannot write man pages into {}", folder.display());
            Some(written.with_context(context))
        }
        _ => None,
    }
}

/// Writes to standard output, with color only if it supports that.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    unless_unread(written).context("cannot write standard output")
}

/// Lists the topics and the commands.
fn overview<O: CommandFactory>() -> String {
    let program = complete(O::command());
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

fn help_of<O: CommandFactory>(name: &str) -> String {
    let mut program = complete(O::command());
    let command = program.find_subcommand_mut(name);
    let help = command.map(|command| command.render_long_help().ansi().to_string());
    format!("{}\n", help.unwrap_or_default().trim_end())
}

/// Renders a page. The page `options` also lists all options.
fn page<O: CommandFactory>(page: &Page) -> String {
    let columns = Screen::default().size().columns;
    let width = columns.clamp(WIDTHS.0, WIDTHS.1);
    let mut text = text::text(page.text, width.into());
    if page.topic == "options" {
        let program = with_variables(O::command());
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
        add(&program);
        program.get_subcommands().for_each(add);
    }
    text
}

fn completions<O: CommandFactory>(shell: Shell) -> String {
    let mut program = complete(O::command());
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes the man pages of a program, its commands and the manual. Creates the folder if missing.
fn write_man_pages<O: CommandFactory>(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // `help` needs no page: it shows the pages below.
    let program = complete(O::command()).mut_subcommand("help", |help| help.hide(true));
    clap_mangen::generate_to(program, folder)?;
    for page in PAGES {
        let (name, source) = (format!("p2pci-{}", page.topic), format!("p2pci {VERSION}"));
        let others = PAGES.iter().filter(|other| other.topic != page.topic);
        let others = others.map(|other| format!(", p2pci-{}(7)", other.topic));
        let others = format!("server(1), peer(1){}", others.collect::<String>());
        let text = text::man_page(&name, &source, page.text, &others);
        fs::write(folder.join(format!("{name}.7")), text)?;
    }
    Ok(())
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
