//! What is installed besides the programs: completions, man pages and the systemd unit.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{folder, names, peer_command, run, server_command};

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];
const SERVER_COMMANDS: [&str; 1] = ["completions"];
const PEER_COMMANDS: [&str; 11] = [
    "experiment",
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
            for command in commands {
                assert!(text.contains(command), "{shell}: {command} in {text}");
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
            options.len() > 1 || name.ends_with("-completions"),
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
        let help = printed_by("peer", peer_command(&[command, "--help"]));
        check(&format!("peer-{command}"), &help);
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
            _ => printed_by("peer", peer_command(&["share", "--help"])),
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
