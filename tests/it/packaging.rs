//! What is installed besides the programs: completions, man pages and the systemd unit.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rexpect::process::PtyProcess;

use crate::support::{Printed, folder, names, peer_command, run, server_command};

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];
const SERVER_COMMANDS: [&str; 1] = ["completions"];
/// The last one has no common options.
const PEER_COMMANDS: [&str; 16] = [
    "experiment",
    "grade",
    "grade server",
    "grade peer",
    "grade printout",
    "grade class",
    "lookup",
    "list",
    "find",
    "get",
    "add",
    "send",
    "share",
    "status",
    "stop",
    "completions",
];

/// The output of a program that succeeds without using standard error.
fn printed_by(name: &str, command: Command) -> String {
    let (status, out, errors) = run(name, command);
    assert!(status.success(), "{name}: {errors}");
    assert_eq!(errors, "", "{name}");
    out
}

/// The name of the man page of a command.
fn page_of(program: &str, command: &str) -> String {
    format!("{program}-{}", command.replace(' ', "-"))
}

/// Runs a program of the system; `None` if it is not installed.
fn output_of(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// A file of the repository.
fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The long options that a help text explains, each at the start of a line.
fn options_in(help: &str) -> Vec<String> {
    let lines = help.lines().map(str::trim_start);
    let options = lines
        .filter(|line| line.starts_with('-') && !line.starts_with("- "))
        .map(|line| {
            let words = line.split([' ', ',', '.']);
            let long = words.into_iter().find(|word| word.starts_with("--"));
            long.expect("an option has a long name").to_owned()
        });
    options.collect()
}

#[test]
fn completions_name_every_command() {
    for shell in SHELLS {
        let server = printed_by("server", server_command(&["completions", shell]));
        let peer = printed_by("peer", peer_command(&["completions", shell]));
        for (text, commands) in [(server, &SERVER_COMMANDS[..]), (peer, &PEER_COMMANDS)] {
            for word in commands.iter().flat_map(|command| command.split(' ')) {
                assert!(text.contains(word), "{shell}: {word} in {text}");
            }
        }
    }
}

#[test]
fn shells_can_read_their_completions() {
    for shell in SHELLS {
        let server = printed_by("server", server_command(&["completions", shell]));
        let peer = printed_by("peer", peer_command(&["completions", shell]));
        let folder = folder(&[("server", server.as_bytes()), ("peer", peer.as_bytes())]);
        for name in ["server", "peer"] {
            let mut check = Command::new(shell);
            check.arg("-n").arg(folder.path().join(name));
            if let Some(output) = output_of(&mut check) {
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{shell} {name}: {errors}");
            }
        }
    }
}

/// What bash offers to complete the last word of a peer command line.
fn offered(words: &[&str]) -> Option<Vec<String>> {
    let completions = printed_by("peer", peer_command(&["completions", "bash"]));
    let line = words.join(" ");
    let (last, word) = (words.len() - 1, words.last()?);
    let ask = format!(
        "COMP_WORDS=({line}); COMP_CWORD={last}; _peer peer '{word}'; echo \"${{COMPREPLY[@]}}\""
    );
    let mut bash = Command::new("bash");
    let output = output_of(bash.arg("-c").arg(format!("{completions}\n{ask}")))?;
    let words = String::from_utf8(output.stdout).unwrap();
    Some(words.split_whitespace().map(str::to_owned).collect())
}

#[test]
fn bash_completes_commands_and_topics() {
    for (words, expected) in [
        (&["peer", "lo"][..], &["lookup"][..]),
        // Commands only for `make install` are not offered.
        (&["peer", "m"], &[]),
        (&["peer", "help", "li"], &["limits", "list"]),
        (&["peer", "help", "-"], &["-h", "--help"]),
        (&["peer", "completions", "-"], &["-h", "--help"]),
    ] {
        if let Some(offered) = offered(words) {
            assert_eq!(offered, expected, "{words:?}");
        }
    }
}

/// Types at a real bash, with the completions of both programs, until it shows `expected`.
fn types_and_sees(cases: &[(&str, &str)]) {
    let peer = printed_by("peer", peer_command(&["completions", "bash"]));
    let server = printed_by("server", server_command(&["completions", "bash"]));
    let folder = folder(&[
        ("completions", (peer + &server).as_bytes()),
        ("hosts", b"127.0.0.1 alpha.example beta\n"),
        ("transcript.txt", b""),
    ]);
    fs::create_dir(folder.path().join("papers")).unwrap();
    // The terminal of PtyProcess shows nothing of what is typed, which bash would keep.
    let mut bash = Command::new("sh");
    bash.args(["-c", "stty sane && exec bash --norc --noprofile"])
        .current_dir(folder.path())
        .env("HOSTFILE", "hosts")
        .env("TERM", "dumb")
        .env("PS1", "$ ");
    let mut process = PtyProcess::new(bash).expect("bash starts");
    // A bash at a terminal ignores SIGTERM.
    process.set_kill_timeout(Some(0));
    let mut keyboard = process.get_file_handle().unwrap();
    let shown = Printed::gather(keyboard.try_clone().unwrap());
    let mut types = |keys: &str| keyboard.write_all(keys.as_bytes()).unwrap();
    types(
        "bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; . ./completions; echo rea''dy\n",
    );
    let mut read = 0;
    let mut sees = |expected: &str| {
        let found = shown.wait(read, |text| Some(text.find(expected)? + expected.len()));
        let Some(length) = found else {
            panic!("{expected:?} is not in {:?}", shown.so_far())
        };
        read += length;
    };
    // With its prompt, bash takes each key as it is typed.
    sees("ready\r\n$ ");
    for (keys, expected) in cases {
        // The last key shows where the cursor is after Tab.
        types(&format!("{keys}\t|"));
        sees(&format!("{expected}|"));
        // Ctrl-U clears the line.
        types("\u{15}");
    }
}

#[test]
fn tab_in_bash_completes_a_whole_word_with_a_space_behind_it() {
    if output_of(Command::new("bash").arg("--version")).is_none() {
        return;
    }
    types_and_sees(&[
        ("peer loo", "peer lookup "),
        ("peer --host al", "peer --host alpha.example "),
        ("peer list --host al", "peer list --host alpha.example "),
        ("peer --host=al", "peer --host=alpha.example "),
        ("peer --hostname be", "peer --hostname beta "),
        ("peer --index di", "peer --index distributed "),
        ("peer --transcript tr", "peer --transcript transcript.txt "),
        ("peer --dir pa", "peer --dir papers/"),
        ("peer get --jo", "peer get --jobs "),
        ("server --max-records", "server --max-records-per-peer "),
        ("peer help prot", "peer help protocol "),
        (
            "peer grade printout tr",
            "peer grade printout transcript.txt ",
        ),
        ("peer grade class pa", "peer grade class papers/"),
        // Numbers, and words in titles, are not the names of files.
        ("peer get --jobs tr", "peer get --jobs tr"),
        ("peer find tr", "peer find tr"),
        ("server --port tr", "server --port tr"),
        // A command only for `make install`.
        ("peer ma", "peer ma"),
    ]);
}

/// A command offers the common options that change something for it.
#[test]
fn completions_leave_out_options_without_effect() {
    let all = [
        "--host",
        "--dialect",
        "--upload-rate",
        "--socket",
        "--quiet",
    ];
    for (command, expected) in [
        ("share", &all[..]),
        ("list", &["--host", "--dialect", "--socket", "--quiet"]),
        ("get", &all),
        ("status", &["--socket", "--quiet"]),
        ("stop", &["--socket", "--quiet"]),
        ("send", &["--host", "--quiet"]),
        ("experiment", &["--upload-rate", "--quiet"]),
        ("grade", &[]),
        ("grade server", &["--quiet"]),
        ("completions", &[]),
        ("help", &[]),
    ] {
        let words = ["peer"].into_iter().chain(command.split(' '));
        let words: Vec<_> = words.chain(["--"]).collect();
        let Some(mut offered) = offered(&words) else {
            return;
        };
        offered.retain(|option| all.contains(&option.as_str()));
        assert_eq!(offered, expected, "{command}");
    }
}

#[test]
fn the_help_of_a_command_is_about_the_command_and_has_an_example() {
    let with_common = &PEER_COMMANDS[..PEER_COMMANDS.len() - 1];
    for command in with_common {
        for flag in ["-h", "--help"] {
            let words: Vec<_> = command.split(' ').chain([flag]).collect();
            let help = printed_by("peer", peer_command(&words));
            let (_, examples) = help.split_once("\nExamples:\n").expect(command);
            let (examples, common) = examples.split_once("\n\n").unwrap();
            for example in examples.lines() {
                let about = [
                    format!("  peer {command}"),
                    "  peer --dir papers ".to_owned(),
                ];
                let is_about = about.iter().any(|about| example.starts_with(about));
                assert!(is_about && example.contains(command), "{example}");
            }
            assert_eq!(common, "Common options: peer help options\n");
            let options = options_in(&help);
            for common in ["--host", "--dialect", "--max-uploads", "--transcript"] {
                assert!(!options.contains(&common.to_owned()), "{help}");
            }
        }
    }
    for name in ["completions", "help"] {
        let peer = printed_by("peer", peer_command(&[name, "--help"]));
        let server = printed_by("server", server_command(&[name, "--help"]));
        for (program, help) in [("peer", peer), ("server", server)] {
            let examples = format!("\nExamples:\n  {program} {name} ");
            assert!(help.contains(&examples), "{help}");
            assert!(!help.contains("Common options"), "{help}");
        }
    }
    // They still work, at each place.
    let options = printed_by("peer", peer_command(&["help", "options"]));
    for option in ["--host <HOST[:PORT]>", "--dialect <DIALECT>"] {
        assert!(options.contains(option), "{options}");
    }
}

#[test]
fn help_takes_names_in_any_letter_case_and_commands_of_commands() {
    let help = |words: &[&str]| printed_by("peer", peer_command(&[&["help"], words].concat()));
    assert_eq!(help(&["GET"]), help(&["get"]));
    assert_eq!(help(&["Protocol"]), help(&["protocol"]));
    for (words, usage) in [
        (&["help"][..], "peer help [NAME] [COMMAND]"),
        (
            &["grade", "server"],
            "peer grade server [OPTIONS] [HOST[:PORT]]",
        ),
        (
            &["GRADE", "Server"],
            "peer grade server [OPTIONS] [HOST[:PORT]]",
        ),
    ] {
        let help = help(words);
        assert!(help.contains(&format!("\nUsage: {usage}\n")), "{help}");
    }
    let of_server = printed_by("server", server_command(&["help", "help"]));
    assert!(of_server.contains("\nUsage: server help [NAME]\n"));
    for words in [["grade", "foo"], ["get", "foo"], ["protocol", "foo"]] {
        let (status, out, errors) = run("peer", peer_command(&[&["help"], &words[..]].concat()));
        assert_eq!((status.code(), out.as_str()), (Some(2), ""));
        let said = format!("error: {:?} has no command \"foo\"\n", words[0]);
        assert!(errors.starts_with(&said), "{errors}");
    }
}

#[test]
fn man_pages_have_the_usual_sections() {
    let folder = folder(&[]);
    let path = folder.path().to_str().unwrap();
    printed_by("server", server_command(&["man", path]));
    printed_by("peer", peer_command(&["man", path]));
    let commands = SERVER_COMMANDS.iter().map(|name| format!("server-{name}"));
    let of_peer = PEER_COMMANDS.iter().map(|name| page_of("peer", name));
    let commands = commands.chain(of_peer);
    for name in commands.chain(["server".to_owned(), "peer".to_owned()]) {
        let page = fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
        let mut rest = page.as_str();
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXIT STATUS",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "SEE ALSO",
        ] {
            let headings = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
            let place = headings.iter().find_map(|heading| rest.find(heading));
            let place = place.unwrap_or_else(|| panic!("{section} in order in {page}"));
            rest = &rest[place..];
        }
    }
    // As a person sees them; without man, the sources are enough.
    let shown = |name: &str| {
        let mut man = Command::new("man");
        man.env("MANWIDTH", "80")
            .env("LC_ALL", "C")
            .args(["--warnings", "-l"]);
        let output = output_of(man.arg(folder.path().join(name)))?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(errors, "", "{name}");
        Some(String::from_utf8(output.stdout).unwrap())
    };
    for name in names(folder.path()) {
        let Some(page) = shown(&name) else {
            return;
        };
        assert!(page.is_ascii(), "{name}");
    }
    let get = shown("peer-get.1").unwrap();
    let synopsis = "\
SYNOPSIS
       peer get [-o|--output FILE] [-j|--jobs N] [-f|--force] [--accept-bare]
       [--share] [--json] [-h|--help] N... [COMMON OPTIONS]
";
    assert!(get.contains(synopsis), "{get}");
    let examples = "\
EXAMPLES
       peer get 123              download RFC 123 into rfcs/
       peer get 8600-8605 123    download seven RFCs
";
    assert!(get.contains(examples), "{get}");
    let server = shown("server.1").unwrap();
    assert!(server.contains("[--max-peers N]"), "{server}");
}

/// Three terminals that stay blank for minutes look broken.
#[test]
fn make_says_that_it_builds_before_it_does() {
    let folder = folder(&[]);
    fs::create_dir(folder.path().join("debug")).unwrap();
    for name in ["cargo", "debug/server", "debug/peer"] {
        let program = folder.path().join(name);
        fs::write(&program, format!("#!/bin/sh\necho \"{name} $*\" >&2\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    let building = "Building, which takes";
    let built = "cargo build --quiet --bins";
    for (target, expected) in [
        ("demo", vec!["cargo test --quiet --test demo"]),
        ("run-server", vec![built, "debug/server "]),
        (
            "run-peer1",
            vec![built, "debug/peer --host localhost --dir rfcs"],
        ),
        (
            "run-peer2",
            vec![built, "debug/peer --host localhost --dir rfcs/peer2"],
        ),
    ] {
        let mut make = Command::new("make");
        make.current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("MAKEFLAGS")
            .env("CARGO_TARGET_DIR", folder.path())
            .arg("--no-print-directory")
            .arg(format!("CARGO={}", folder.path().join("cargo").display()))
            .arg(target);
        let Some(output) = output_of(&mut make) else {
            return;
        };
        assert!(output.status.success() && output.stdout.is_empty());
        let errors = String::from_utf8(output.stderr).unwrap();
        let (first, rest) = errors.split_once('\n').unwrap();
        assert!(first.starts_with(building), "{errors}");
        assert_eq!(rest.lines().collect::<Vec<_>>(), expected);
    }
}

/// Otherwise `cargo build` compiles again what `cargo test` has compiled.
#[test]
fn tests_ask_dependencies_for_no_more_features() {
    let features = |kinds: &str| {
        let mut tree = Command::new(env!("CARGO"));
        tree.current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["tree", "--offline", "--locked", "--prefix", "none"])
            .args(["--format", "{p} {f}", "--edges", kinds]);
        let output = tree.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines
            .lines()
            .map(|line| line.trim_end_matches(" (*)").to_owned());
        lines.collect::<BTreeSet<_>>()
    };
    let (programs, tests) = (features("normal,build"), features("normal,build,dev"));
    let differing: Vec<_> = programs.difference(&tests).collect();
    assert!(programs.len() > 1 && differing.is_empty(), "{differing:?}");
}

#[test]
fn pages_are_ascii_where_the_locale_is() {
    for topic in ["session", "speed", "options", "scripting"] {
        let mut help = peer_command(&["help", topic]);
        help.env("LC_ALL", "C");
        assert!(printed_by("help", help).is_ascii(), "{topic}");
    }
    let mut help = peer_command(&["help", "session"]);
    help.env("LC_ALL", "C.UTF-8");
    assert!(!printed_by("help", help).is_ascii());
}

#[test]
fn a_shell_that_is_unknown_is_refused() {
    for command in [
        server_command(&["completions", "tcsh"]),
        peer_command(&["completions", "tcsh"]),
    ] {
        let (status, out, errors) = run("completions", command);
        assert_eq!((status.code(), out.as_str()), (Some(2), ""));
        assert!(errors.contains("bash"), "{errors}");
    }
}

/// The man page of each command explains each option that its help does.
#[test]
fn man_pages_explain_every_option() {
    let folder = folder(&[]);
    // The folder is created.
    let pages = folder.path().join("man");
    let path = pages.to_str().unwrap();
    assert_eq!(
        printed_by("server", server_command(&["man", path]))
            + &printed_by("peer", peer_command(&["man", path])),
        ""
    );
    let check = |name: &str, help: &str| {
        let page = fs::read_to_string(pages.join(format!("{name}.1"))).expect(name);
        assert!(page.contains(&format!(".TH {name} 1 ")), "{page}");
        // In the source of a page every typed hyphen has a backslash.
        let page = page.replace('\\', "");
        let options = options_in(help);
        assert!(
            options.len() > 1
                || ["-completions", "-stop", "-grade"]
                    .iter()
                    .any(|end| name.ends_with(end)),
            "{help}"
        );
        for option in options {
            // Exactly this option, not one that begins with it.
            let explained = page.contains(&format!("fB{option}fR"));
            assert!(explained, "{option} in {name}.1:\n{page}");
        }
    };
    check("server", &printed_by("server", server_command(&["--help"])));
    for command in SERVER_COMMANDS {
        let help = printed_by("server", server_command(&[command, "--help"]));
        check(&format!("server-{command}"), &help);
    }
    check("peer", &printed_by("peer", peer_command(&["--help"])));
    for command in PEER_COMMANDS {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = printed_by("peer", peer_command(&words));
        check(&page_of("peer", command), &help);
    }
}

/// `make uninstall` removes what `make install` has installed, which is this list.
#[test]
fn the_makefile_knows_every_man_page() {
    let folder = folder(&[]);
    let path = folder.path().to_str().unwrap();
    printed_by("server", server_command(&["man", path]));
    printed_by("peer", peer_command(&["man", path]));
    let makefile = source("Makefile").replace("\\\n", "");
    let list = |name: &str| -> Vec<String> {
        let mut lines = makefile.lines();
        let list = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        let words = list.expect("the Makefile has the list").split_whitespace();
        words.map(str::to_owned).collect()
    };
    let topics = list("TOPICS");
    let topics = topics.iter().map(|topic| format!("p2pci-{topic}.7"));
    let mut listed = list("MAN_PAGES");
    listed.extend(topics);
    listed.sort_unstable();
    assert_eq!(listed, names(folder.path()));
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = env!("CARGO_PKG_VERSION");
    for (name, command) in [
        ("server", server_command(&["--version"])),
        ("peer", peer_command(&["--version"])),
    ] {
        let printed = printed_by(name, command);
        let rest = printed.strip_prefix(&format!("{name} {version}"));
        // Nothing, or the commit.
        let rest = rest.unwrap_or_else(|| panic!("{printed}")).trim_end();
        assert!(rest.is_empty() || rest.starts_with(" ("), "{printed}");
    }
}

#[test]
fn the_units_have_the_places_of_the_programs_and_options_that_exist() {
    for (name, start, variables) in [
        (
            "server",
            "@PREFIX@/bin/server",
            "-/etc/default/p2pci-server",
        ),
        (
            "peer",
            "@PREFIX@/bin/peer share --foreground",
            "-%E/p2pci/peer",
        ),
    ] {
        let unit = source(&format!("src/systemd/p2pci-{name}.service"));
        let value = |name: &str| {
            let lines = unit.lines();
            let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            (values.next(), values.next())
        };
        assert_eq!(value("ExecStart"), (Some(start), None));
        assert_eq!(unit.matches("@PREFIX@").count(), 1);
        assert_eq!(value("EnvironmentFile"), (Some(variables), None));
        let help = match name {
            "server" => printed_by("server", server_command(&["--help"])),
            _ => printed_by("peer", peer_command(&["--help"])),
        };
        let variables = unit.split("P2PCI_").skip(1);
        let mut count = 0;
        for variable in variables {
            let name = variable.split('=').next().unwrap();
            assert!(help.contains(&format!("[env: P2PCI_{name}]")), "{name}");
            count += 1;
        }
        assert!(count > 0);
    }
}
