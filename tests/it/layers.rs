//! Checks which modules of the library import which, by reading `src` as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The layers, bottom first. A module may only import those below it. So a reader of one has
/// already read what it depends on, and the lower ones are tested without the rest.
const LAYERS: [(&str, &str); 20] = [
    ("file_error", "what went wrong with which file"),
    ("state_file", "what is kept between runs"),
    ("wire", "messages and bytes, and nothing else"),
    ("event", "what happens, as data: all above it tell it"),
    ("net", "sockets, limits and deadlines"),
    ("dht", "a node of a distributed hash table"),
    ("library", "the folder that is shared"),
    (
        "central registration introducer",
        "the servers, each for itself",
    ),
    ("index", "a peer's view of who has what"),
    ("transfer", "uploads and downloads"),
    ("node", "a peer and its actions: its parts meet here"),
    (
        "control",
        "a peer in the background, and programs that use it",
    ),
    ("web", "a page that shows a server or a peer, for browsers"),
    ("terminal", "what a screen can do, whatever it shows"),
    ("printout", "events as lines"),
    ("program", "options, exit codes and limits of both programs"),
    ("doors", "the ways to the actions of a peer"),
    ("experiment", "many peers, measured"),
    ("grade", "another program, judged by what it sends"),
    ("bin", "the programs: options, one value, and an exit code"),
];

/// Imports that are forbidden although they go downward: importer, imported, and reason.
const NEVER: [(&str, &str, &str); 7] = [
    (
        "central registration introducer",
        "library index transfer node",
        "a server has no folder and is no peer; what they have in common goes over the wire",
    ),
    (
        "index transfer node",
        "central registration introducer",
        "a peer knows a server by what it answers",
    ),
    (
        "transfer",
        "index",
        "who has a document and how it comes are two questions; the node asks both",
    ),
    (
        "doors",
        "transfer index net",
        "a door uses the actions of a node, or the same work is written once for each door",
    ),
    (
        "web",
        "transfer index control",
        "a page of a peer uses the actions of its node, as a door does",
    ),
    (
        "experiment",
        "doors",
        "it starts nodes and uses their actions, as a door does",
    ),
    (
        "grade",
        "doors experiment",
        "it judges programs, and shows no others how to work",
    ),
];

/// Crates for programs and their users. Below [`PROGRAMS_BEGIN`] errors have types that say what to
/// do next, and nothing knows about a command line.
const FOR_PROGRAMS: [&str; 2] = ["anyhow", "clap"];
const PROGRAMS_BEGIN: &str = "terminal";

/// Importers and imported modules, with the places of the imports. Each door counts as its own
/// module: `doors::menu`.
type Imports = BTreeMap<(String, String), Vec<String>>;

#[test]
fn no_import_goes_upward_or_where_it_must_not() {
    let mut wrong = Vec::new();
    for ((who, whom), places) in imports() {
        if let Some(reason) = verdict(&who, &whom) {
            let places = places.join("\n  ");
            wrong.push(format!("{who} -> {whom}: {reason}\n  {places}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Why this import is forbidden; `None` if it is allowed.
fn verdict(who: &str, whom: &str) -> Option<String> {
    let layer = |module: &str| {
        let place = LAYERS.iter().position(|(names, _)| is_in(module, names));
        place.unwrap_or_else(|| panic!("{module} has no place among the layers"))
    };
    let (room, other) = (room(who), room(whom));
    if FOR_PROGRAMS.contains(&other) {
        return (layer(room) < layer(PROGRAMS_BEGIN)).then(|| "for programs only".to_owned());
    }
    if room == other {
        // Imports within a room are allowed, except between doors.
        let is_another = room == "doors" && who != room && whom != room && who != whom;
        return is_another.then(|| "a door does not know another one".to_owned());
    }
    if layer(room) <= layer(other) {
        return Some(format!("{other} is not below {room}"));
    }
    let mut rules = NEVER.iter();
    let rule = rules.find(|(from, to, _)| is_in(room, from) && is_in(other, to));
    rule.map(|(_, _, reason)| (*reason).to_owned())
}

fn is_in(module: &str, names: &str) -> bool {
    names.split(' ').any(|name| name == module)
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

/// All imports between the modules of `src`.
fn imports() -> Imports {
    let mut imports = Imports::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let file = path.strip_prefix(&src).unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = file.strip_suffix(".rs")
                && !["lib", "build"].contains(&name)
            {
                let module: Vec<_> = name.split('/').filter(|name| *name != "mod").collect();
                for (line, whom) in named(&module, &fs::read_to_string(&path).unwrap()) {
                    let places = imports.entry((place(&module), whom)).or_default();
                    places.push(format!("src/{file}:{line}"));
                }
            }
        }
    }
    imports
}

/// The module that counts: its room, or the door that it belongs to.
fn place(module: &[&str]) -> String {
    match module {
        ["doors", door, ..] => format!("doors::{door}"),
        _ => module[0].to_owned(),
    }
}

/// The modules and crates that the text of a module names, each with its line, ignoring comments.
fn named(module: &[&str], text: &str) -> BTreeSet<(usize, String)> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut all = BTreeSet::new();
    for root in ["crate::", "p2pci::", "super::", "anyhow::", "clap::"] {
        for (found, _) in code.match_indices(root) {
            let line = code[..found].rsplit('\n').next().unwrap();
            if !line.ends_with(is_of_path) {
                let number = code[..found].matches('\n').count() + 1;
                let paths = expanded(&code[found..]);
                let paths = paths
                    .iter()
                    .map(|path| path.split("::").collect::<Vec<_>>());
                let named = paths.filter_map(|path| target(module, line, &path));
                all.extend(named.map(|place| (number, place)));
            }
        }
    }
    all
}

/// The meaning of a path in a module; `before` is the start of its line.
fn target(module: &[&str], before: &str, path: &[&str]) -> Option<String> {
    let ups = path.iter().take_while(|name| **name == "super").count();
    let (above, names) = match path[0] {
        // In a nested module (the tests) it refers to the file itself.
        "super" if before.starts_with(' ') || ups > module.len() => return None,
        "super" => (&module[..module.len() - ups], &path[ups..]),
        "crate" if module[0] == "bin" => return None,
        "crate" | "p2pci" => (&[][..], &path[1..]),
        _ => (&[][..], &path[..1]),
    };
    // A name with a capital letter is a type, not a module.
    let is_module = |name: &&&str| name.starts_with(|c: char| c.is_ascii_lowercase());
    let whole: Vec<_> = above
        .iter()
        .chain(names)
        .take_while(is_module)
        .copied()
        .collect();
    (!whole.is_empty()).then(|| place(&whole))
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

/// The paths that a path with braces expands to.
fn expanded(path: &str) -> Vec<String> {
    let end = path.find(|c| !is_of_path(c)).unwrap_or(path.len());
    let (stem, rest) = path.split_at(end);
    let Some(group) = rest.strip_prefix('{').filter(|_| stem.ends_with("::")) else {
        return vec![stem.to_owned()];
    };
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (place, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                paths.extend(expanded(group[start..place].trim()));
                start = place + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
        if c == '}' && start == place + 1 {
            break;
        }
    }
    paths.iter().map(|path| format!("{stem}{path}")).collect()
}

#[test]
fn every_form_of_import_is_seen() {
    let text = "use crate::net::{Pace, Sockets}; // crate::no::Comment\n\
                use crate::{\n    index::{Known, central::{self, Central}},\n    Root,\n};\n\
                use super::menu::CHOICES;\n\
                use super::super::terminal::Screen;\n\
                fn f() -> Result<(), anyhow::Error> { crate::wire::ci::sent(my_crate::printout()) }\n\
                mod tests {\n    use super::super::commands;\n}\n";
    let expected = [
        (1, "net"),
        (2, "index"),
        (6, "doors::menu"),
        (7, "terminal"),
        (8, "anyhow"),
        (8, "wire"),
    ];
    let expected = expected.map(|(line, name)| (line, name.to_owned()));
    assert_eq!(named(&["doors", "console"], text), BTreeSet::from(expected));
}

#[test]
fn the_rules_forbid_what_they_say() {
    for (who, whom, may) in [
        ("net", "wire", true),
        ("wire", "event", false),
        ("central", "registration", false),
        ("node", "central", false),
        ("node", "transfer", true),
        ("transfer", "index", false),
        ("index", "clap", false),
        ("program", "clap", true),
        ("doors::menu", "node", true),
        ("doors::menu", "net", false),
        ("doors::menu", "doors::commands", false),
        ("doors::menu", "doors::menu", true),
        ("experiment", "doors::menu", false),
        ("bin", "doors::menu", true),
    ] {
        assert_eq!(verdict(who, whom).is_none(), may, "{who} -> {whom}");
    }
}
