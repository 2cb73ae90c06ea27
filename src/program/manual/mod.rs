//! The manual: the help of the commands, the pages of `src/manual`, man pages, and completions.
//!
//! A page is written once, in Markdown. `help TOPIC` prints it, `make install` installs it as a man
//! page, and rustdoc shows it as a module here. The list of options is clap's.

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

/// How wide a page is at least, and at most: shorter lines can't hold a table, and longer ones are
/// hard to read.
const WIDTHS: (u16, u16) = (40, 100);

/// A page of the manual.
struct Page {
    topic: &'static str,
    text: &'static str,
}

macro_rules! pages {
    ($($topic:ident)*) => {
        /// All pages, in the order in which they are listed.
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

pages!(session protocol distributed dht framed scripting options limits security speed);

impl Page {
    /// What it is about, in a few words.
    fn title(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.trim_start_matches(['#', ' '])
    }
}

/// The command line of a program with everything that it shows: besides its work, what both
/// programs say about themselves.
fn shown(program: Command) -> Command {
    let mut program = with_variables(program).disable_help_subcommand(true);
    // This hands global options down to the commands that are there. Those below have no use for
    // them.
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

/// The commands of a program, and what each does.
fn commands(program: &Command) -> impl Iterator<Item = (String, String)> {
    program.get_subcommands().map(|command| {
        let about = command.get_about().map(ToString::to_string);
        (command.get_name().to_owned(), about.unwrap_or_default())
    })
}

/// The command line of a program with everything that it understands.
pub(super) fn understood(program: Command) -> Command {
    let folder = Arg::new("FOLDER").required(true);
    let folder = folder.value_parser(value_parser!(PathBuf));
    let man = Command::new("man").about("Write the man pages into a folder");
    shown(program).subcommand(man.hide(true).arg(folder))
}

/// Does what a program is asked about itself; `None` where it is asked something else.
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

/// Writes to standard output, without color where it may have none.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    unless_unread(written).context("cannot write standard output")
}

/// The commands and the topics.
fn overview<O: CommandFactory>() -> String {
    let program = shown(O::command());
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

/// The help of a command.
fn help_of<O: CommandFactory>(name: &str) -> String {
    let mut program = shown(O::command());
    let command = program.find_subcommand_mut(name);
    let help = command.map(|command| command.render_long_help().ansi().to_string());
    format!("{}\n", help.unwrap_or_default().trim_end())
}

/// A page, and below that of the options all of them.
fn page<O: CommandFactory>(page: &Page) -> String {
    let columns = Screen::default().size().columns;
    let width = columns.clamp(WIDTHS.0, WIDTHS.1);
    let mut text = text::text(page.text, width.into());
    if page.topic == "options" {
        let program = with_variables(O::command());
        let mut add = |command: &Command| {
            // Commands are not told again, nor options again for each command that has them.
            let command = command
                .clone()
                .mut_subcommands(|command| command.hide(true));
            let command = command
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
    let mut program = shown(O::command());
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes the man pages of a program and its commands, and those of the manual, into a folder,
/// which is made.
fn write_man_pages<O: CommandFactory>(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // The pages below are what `help` shows.
    let program = shown(O::command()).mut_subcommand("help", |help| help.hide(true));
    clap_mangen::generate_to(program, folder)?;
    for page in PAGES {
        let (name, source) = (format!("p2pci-{}", page.topic), format!("p2pci {VERSION}"));
        let others = PAGES.iter().filter(|other| other.topic != page.topic);
        let others = others.map(|other| format!("p2pci-{}(7)", other.topic));
        let others = others.collect::<Vec<_>>().join(", ");
        let others = format!("server(1), peer(1), {others}");
        let text = text::man_page(&name, &source, page.text, &others);
        fs::write(folder.join(format!("{name}.7")), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `help` lists are the titles, so they are short and on the first line.
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
