//! The environment variables for options: `--max-peers` is `P2PCI_MAX_PEERS`.

use std::env;
use std::ffi::OsString;

use clap::{Arg, Command};

use super::options::program_and_commands;

/// What the names begin with.
const PREFIX: &str = "P2PCI_";
/// The variable of a peer that `share --daemon` starts: its parent has warned already.
pub const IN_BACKGROUND: &str = "P2PCI_IN_BACKGROUND";
/// Variables that programs of ours set for each other.
const INTERNAL: [&str; 3] = [IN_BACKGROUND, "P2PCI_UNDER_TEST", "P2PCI_ISOLATED_INSIDE"];
/// How similar a name must be to be suggested, from 0 to 1.
const SIMILAR: f64 = 0.8;

/// Gives every option an environment variable.
pub(super) fn with_variables(command: Command) -> Command {
    let command = command.mut_args(|arg| match arg.get_long() {
        Some(long) => {
            let name = long.to_uppercase().replace('-', "_");
            arg.env(OsString::from(format!("{PREFIX}{name}")))
                .hide_env_values(true)
        }
        None => arg,
    });
    command.mut_subcommands(with_variables)
}

pub(super) fn without_variables(command: Command) -> Command {
    let command = command.mut_args(|arg: Arg| arg.env(None));
    command.mut_subcommands(without_variables)
}

/// A warning for each variable that looks like one for an option, but is neither one of `program`
/// nor of the `other` program, whose names have no prefix here.
pub(super) fn unknown(program: &Command, other: &[&str]) -> Vec<String> {
    if env::var_os(IN_BACKGROUND).is_some() {
        return Vec::new();
    }
    let commands = program_and_commands(program).into_iter();
    let options = commands.flat_map(Command::get_arguments);
    let options = options.filter_map(|option| Some(option.get_env()?.to_str()?.to_owned()));
    let own: Vec<_> = options.collect();
    let other: Vec<_> = other.iter().map(|name| format!("{PREFIX}{name}")).collect();
    let set = env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let mut unknown: Vec<_> = set
        .filter(|name| name.starts_with(PREFIX))
        .filter(|name| !own.contains(name) && !other.contains(name))
        .filter(|name| !INTERNAL.contains(&name.as_str()))
        .collect();
    unknown.sort();
    let warning = |name: &String| {
        let closeness = |known: &&String| strsim::jaro(after_prefix(name), after_prefix(known));
        let closest = own
            .iter()
            .max_by(|a, b| closeness(a).total_cmp(&closeness(b)));
        match closest.filter(|known| closeness(known) > SIMILAR) {
            Some(known) => format!("unknown variable {name}; {known} is similar"),
            None => format!("unknown variable {name}"),
        }
    };
    unknown.iter().map(warning).collect()
}

fn after_prefix(name: &str) -> &str {
    name.trim_start_matches(PREFIX)
}
