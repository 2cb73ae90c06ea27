//! The man pages of a program and of its commands.

use std::fs;
use std::io;
use std::iter;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use clap_mangen::Man;
use roff::{Inline, Roff, bold, italic, roman};

use super::{PAGES, Program, text};
use crate::program::VERSION;
use crate::program::options::program_and_commands;

/// ENVIRONMENT of every page.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "P2PCI_*",
        "Every option: --max-peers is P2PCI_MAX_PEERS. Options of the command line take precedence.",
    ),
    (
        "RUST_LOG",
        "What is logged to standard error, for example debug; takes precedence over --verbose.",
    ),
    ("NO_COLOR", "If it is set, there is no color."),
    (
        "LC_ALL, LC_CTYPE, LANG",
        "Without UTF-8, only ASCII is printed, except for titles and documents.",
    ),
    (
        "XDG_STATE_HOME",
        "The folder of p2pci/, which keeps state between runs (~/.local/state).",
    ),
];

/// Writes the man pages of a program, its commands and the manual. Creates the folder if missing.
pub(super) fn write<P: Program>(mut program: Command, folder: &Path) -> io::Result<()> {
    program.build();
    fs::create_dir_all(folder)?;
    // `help` needs no page: it shows these pages.
    let commands = program_and_commands(&program);
    let name = program.get_name();
    let page_name = |it: &Command| it.get_display_name().unwrap_or(it.get_name()).to_owned();
    let pages = commands.iter().map(|it| page_name(it));
    let mut others: Vec<_> = pages.map(|page| format!("{page}(1)")).collect();
    others.push(format!(
        "{}(1)",
        if name == "peer" { "server" } else { "peer" }
    ));
    others.extend(PAGES.iter().map(|page| format!("p2pci-{}(7)", page.topic)));
    for command in commands {
        let name = page_name(command);
        let page = page::<P>(command, name == program.get_name(), &others)?;
        fs::write(folder.join(format!("{name}.1")), page)?;
    }
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

/// The page of a program or of one of its commands.
fn page<P: Program>(command: &Command, is_program: bool, others: &[String]) -> io::Result<Vec<u8>> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let man = Man::new(without_summary(command.clone()).subcommand_help_heading("COMMANDS"));
    let man = man.source(format!("p2pci {VERSION}"));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if !is_program && command.get_arguments().any(Arg::is_global_set) {
        let program = command
            .get_bin_name()
            .and_then(|name| name.split(' ').next());
        let program = program.unwrap_or_default();
        roff.control("SH", ["COMMON OPTIONS"]);
        roff.text([roman(format!(
            "All commands have the options of {program}(1)."
        ))]);
    }
    list(&mut roff, "EXIT STATUS", P::EXIT_CODES);
    list(&mut roff, "ENVIRONMENT", ENVIRONMENT);
    list(&mut roff, "FILES", P::FILES);
    examples(&mut roff, command);
    let others = others
        .iter()
        .filter(|other| **other != format!("{name}(1)"));
    let others: Vec<_> = others.map(String::as_str).collect();
    roff.control("SH", ["SEE ALSO"])
        .control("ad", ["l"])
        .text([roman(others.join(", "))]);
    roff.to_writer(&mut page)?;
    Ok(with_bold_code(&page))
}

/// Leaves to NAME the first paragraph of a description that has more.
fn without_summary(command: Command) -> Command {
    let description = command.get_long_about().map(ToString::to_string);
    match description.as_deref().and_then(|it| it.split_once("\n\n")) {
        Some((_, rest)) => command.long_about(rest.to_owned()),
        None => command,
    }
}

/// Makes what stands between backticks bold. A line without the second one stays.
fn with_bold_code(page: &[u8]) -> Vec<u8> {
    let bold = |line: &[u8]| {
        let parts: Vec<_> = line.split(|&byte| byte == b'`').collect();
        if parts.len() % 2 == 0 {
            return line.to_owned();
        }
        let marks = [&b"\\fB"[..], b"\\fR"].into_iter().cycle();
        let marks = iter::once(&b""[..]).chain(marks);
        parts
            .into_iter()
            .zip(marks)
            .flat_map(|(part, mark)| [mark, part].concat())
            .collect()
    };
    page.split_inclusive(|&byte| byte == b'\n')
        .flat_map(bold)
        .collect()
}

/// The command line, with the values of its options.
fn synopsis(command: &Command) -> Roff {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut words = vec![bold(name)];
    let shown = |arg: &&Arg| !arg.is_hide_set();
    for arg in command.get_opts().chain(flags(command)).filter(shown) {
        words.push(roman(" ["));
        words.extend(names(arg));
        words.push(roman("]"));
    }
    for arg in command.get_positionals().filter(shown) {
        let (open, close) = if arg.is_required_set() {
            (" ", "")
        } else {
            (" [", "]")
        };
        words.extend([roman(open), italic(value(arg)), roman(close)]);
    }
    if command.has_subcommands() {
        words.extend([roman(" ["), italic("COMMAND"), roman("]")]);
    } else if command.get_arguments().any(Arg::is_global_set) {
        words.extend([roman(" ["), italic("COMMON OPTIONS"), roman("]")]);
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    // No hyphens, and no wide gaps, in a command line.
    roff.control("nh", []).control("ad", ["l"]);
    roff.text(words).control("ad", []).control("hy", []);
    roff
}

/// The options without values.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    let has_value = |arg: &Arg| arg.get_action().takes_values();
    let options = command.get_arguments();
    options.filter(move |arg| !arg.is_positional() && !has_value(arg))
}

/// The names of an option, and its value.
fn names(arg: &Arg) -> Vec<Inline> {
    let mut words = Vec::new();
    if let Some(short) = arg.get_short() {
        words.push(bold(format!("-{short}")));
    }
    if let Some(long) = arg.get_long() {
        if !words.is_empty() {
            words.push(roman("|"));
        }
        words.push(bold(format!("--{long}")));
    }
    if arg.get_action().takes_values() {
        words.extend([roman(" "), italic(value(arg))]);
    } else if matches!(arg.get_action(), ArgAction::Count) {
        words.push(roman("..."));
    }
    words
}

/// The name of a value.
fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let repeats = arg
        .get_num_args()
        .is_some_and(|count| count.max_values() > 1);
    let more = if repeats || matches!(arg.get_action(), ArgAction::Append) && arg.is_positional() {
        "..."
    } else {
        ""
    };
    names.join(" ") + more
}

fn list(roff: &mut Roff, heading: &str, items: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (item, about) in items {
        roff.control("TP", [])
            .text([bold(*item)])
            .text([roman(*about)]);
    }
}

/// The examples of a command line by line, as its help has them.
fn examples(roff: &mut Roff, command: &Command) {
    let Some(help) = command.get_after_help() else {
        return;
    };
    let help = help.to_string();
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in lines.take_while(|line| !line.is_empty()) {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_bold_and_a_single_backtick_stays() {
        let page = with_bold_code(b"the menu or `share`: `stop`\n.TP\n7\\-bit `\n");
        let expected = b"the menu or \\fBshare\\fR: \\fBstop\\fR\n.TP\n7\\-bit `\n";
        assert_eq!(page, expected);
    }
}
