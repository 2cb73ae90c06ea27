//! Options from the command line and the environment.

use std::env;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Error};

use super::Failure;
use super::manual::{self, Program};
use super::stage::{PRINT_TIME, end};
use super::variables::{unknown, without_variables};
use crate::terminal::Screen;

/// Parses the options from the arguments and the environment. Exits with 2 if they are wrong, and
/// after `help`, `completions` and `man`.
pub fn options<P: Program>() -> P {
    let program = manual::with_manual::<P>();
    let matches = program.clone().try_get_matches();
    let matches = matches.unwrap_or_else(|error| {
        let error = naming_variable(error, &program);
        with_tip::<P>(error, &program).exit()
    });
    if let Some(answered) = manual::answer::<P>(&matches) {
        let answered = answered.map_err(Failure::from);
        std::process::exit(end(&Screen::default(), answered, PRINT_TIME).into());
    }
    let warnings = unknown(&program, P::OTHER_VARIABLES);
    // A screen that is used has threads, which would stay beside those of the program's own.
    if !warnings.is_empty() {
        let screen = Screen::default();
        for warning in warnings {
            screen.warn(warning);
        }
        screen.stderr().finish(PRINT_TIME);
    }
    P::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Whether an option was given on the command line, and not only in the environment.
pub fn is_typed<P: Program>(option: &str) -> bool {
    let matches = manual::with_manual::<P>().get_matches();
    matches.value_source(option) == Some(ValueSource::CommandLine)
}

/// Exits with 2 because options conflict, and shows the usage of the command that they belong to.
/// clap's own check would also reject harmless conflicts with environment variables.
pub fn usage_error<P: Program>(error: &str) -> ! {
    let mut program = manual::with_manual::<P>();
    let matches = program.clone().get_matches();
    program.build();
    let mut command = used_command(&program, &matches).clone();
    command.error(ErrorKind::ArgumentConflict, error).exit()
}

/// The innermost command of the command line.
fn used_command<'a>(command: &'a Command, matches: &ArgMatches) -> &'a Command {
    let inner = matches.subcommand();
    let inner = inner.and_then(|(name, of_it)| Some((command.find_subcommand(name)?, of_it)));
    inner.map_or(command, |(inner, of_it)| used_command(inner, of_it))
}

/// A program and its commands, each before its own commands; without `help` and hidden ones.
pub(super) fn program_and_commands(program: &Command) -> Vec<&Command> {
    let commands = program.get_subcommands();
    let shown = commands.filter(|it| it.get_name() != "help" && !it.is_hide_set());
    let commands = shown.flat_map(program_and_commands);
    [program].into_iter().chain(commands).collect()
}

/// Adds the environment variable to an error about its value.
fn naming_variable(mut error: Error, program: &Command) -> Error {
    let assignment = wrong_option(&error).and_then(|option| assignment(option, program));
    let Some(assignment) = assignment else {
        return error;
    };
    let again = without_variables(program.clone()).try_get_matches();
    let is_in_arguments = again.is_err_and(|again| wrong_option(&again) == wrong_option(&error));
    if !is_in_arguments {
        let tip = format!("the environment has {assignment}");
        let tip = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tip);
    }
    error
}

/// Adds what to do instead to an error about a word too many.
fn with_tip<P: Program>(mut error: Error, program: &Command) -> Error {
    if error.kind() == ErrorKind::UnknownArgument
        && wrong_option(&error).is_some_and(|word| !word.starts_with('-'))
        && let Ok(matches) = program.clone().ignore_errors(true).try_get_matches()
        && let Some(tip) = matches.subcommand_name().and_then(P::tip)
    {
        let tip = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tip);
    }
    error
}

/// The option that an error is about, with the name of its value.
fn wrong_option(error: &Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg)? {
        ContextValue::String(option) => Some(option),
        _ => None,
    }
}

/// The variable of an option, and its value, if it is set.
fn assignment(option: &str, program: &Command) -> Option<String> {
    let commands = program_and_commands(program).into_iter();
    let mut options = commands.flat_map(Command::get_arguments);
    let name = options.find(|other| other.to_string() == option)?;
    let name = name.get_env()?;
    let value = env::var_os(name)?;
    Some(format!("{}={}", name.display(), value.display()))
}
