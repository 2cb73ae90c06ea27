//! Completions: which options each command offers, and what bash offers for a value.

use std::mem::replace;

use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

use super::{Program, with_manual_commands};
use crate::program::options::program_and_commands;
use crate::program::variables::with_variables;

/// The line by which bash would complete any value with the names of files.
const FILES: &str = r#"COMPREPLY=($(compgen -f "${cur}"))"#;

/// How the script ends where a command gets words that are no options.
const WORDS: &str = r#"COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )"#;

/// The same for a command whose arguments are files or folders.
const PATHS: &str = r#"            if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then compopt -o filenames; fi
            COMPREPLY=($(compgen -f -- "${cur}"))"#;

/// In `--host=X`, bash takes `=` for the word before the value.
const AFTER_EQUALS: &str =
    r#"    if [[ "${prev}" == "=" ]]; then prev="${COMP_WORDS[COMP_CWORD-2]}"; fi"#;

/// The completions of a program for a shell.
pub(super) fn completions<P: Program>(shell: Shell) -> String {
    let program = with_variables(P::command()).disable_help_subcommand(true);
    let mut program = with_manual_commands(with_options_that_matter::<P>(program));
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    generate(shell, &mut program, name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => for_bash(&script, &program),
        _ => script,
    }
}

/// Gives each command those of the common options that matter to it, instead of all.
fn with_options_that_matter<P: Program>(program: Command) -> Command {
    let common = program.get_arguments().filter(|arg| arg.is_global_set());
    let common: Vec<_> = common.map(|arg| arg.clone().global(false)).collect();
    let program = program.mut_args(|arg| arg.global(false));
    program.mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        let matters = |arg: &&Arg| P::matters(&name, arg.get_id().as_str());
        let common: Vec<_> = common.iter().filter(matters).cloned().collect();
        // Those of a command of several are offered behind the last word.
        let command = command.mut_subcommands(|command| command.args(&common));
        if command.has_subcommands() {
            command.disable_help_subcommand(true)
        } else {
            command.args(common)
        }
    })
}

/// The script for bash: the generated one completes the value of an option with files unless it
/// has a list of values, and never an argument.
fn for_bash(script: &str, program: &Command) -> String {
    let labels = labels_with_paths(program, program.get_name());
    let mut takes_paths = false;
    let mut hint = ValueHint::Unknown;
    let mut lines = Vec::new();
    let mut before = "";
    for line in script.lines() {
        let word = line.trim();
        let is_after_options = replace(&mut before, word) == "esac";
        if word.starts_with(r#"opts=""#) {
            takes_paths = lines.last().is_some_and(|label: &String| {
                let label = label.trim().trim_end_matches(')');
                labels.iter().any(|it| it == label)
            });
        }
        if takes_paths && is_after_options && word == WORDS {
            lines.push(PATHS.to_owned());
            continue;
        }
        if takes_paths && word.starts_with("if [[ ${cur} == -* || ") {
            lines.push("            if [[ ${cur} == -* ]] ; then".to_owned());
            continue;
        }
        if word.starts_with('-')
            && let Some(option) = word.strip_suffix(')')
        {
            hint = hint_of(option, program);
        }
        if word == r#"prev="$3""# {
            lines.push(line.to_owned());
            lines.push(AFTER_EQUALS.to_owned());
            continue;
        }
        lines.push(match hint {
            _ if word.starts_with("complete ") => line.replace(" -o bashdefault -o default", ""),
            ValueHint::Hostname if word == FILES => {
                line.replace(FILES, r#"COMPREPLY=($(compgen -A hostname -- "${cur}"))"#)
            }
            ValueHint::Unknown if word == FILES => line.replace(FILES, "COMPREPLY=()"),
            _ => line.to_owned(),
        });
    }
    lines.join("\n") + "\n"
}

/// The labels in the script of those commands whose arguments are files or folders.
fn labels_with_paths(command: &Command, label: &str) -> Vec<String> {
    let is_path = |arg: &Arg| {
        let hint = arg.get_value_hint();
        matches!(
            hint,
            ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath
        )
    };
    let has_paths = command.get_positionals().any(is_path);
    let own = has_paths.then(|| label.to_owned());
    let others = command.get_subcommands().flat_map(|command| {
        let label = format!("{label}__subcmd__{}", command.get_name());
        labels_with_paths(command, &label)
    });
    own.into_iter().chain(others).collect()
}

/// What the value of an option is. An option has the same meaning in all commands.
fn hint_of(option: &str, program: &Command) -> ValueHint {
    let commands = program_and_commands(program).into_iter();
    let is_it = |arg: &&Arg| {
        let long = arg
            .get_long()
            .is_some_and(|long| option == format!("--{long}"));
        long || arg
            .get_short()
            .is_some_and(|short| option == format!("-{short}"))
    };
    let found = commands.flat_map(Command::get_arguments).find(is_it);
    found.map_or(ValueHint::Unknown, Arg::get_value_hint)
}
