//! Options from the environment.

use std::process::Command;

use super::ended;
use crate::support::{
    Program, dead_port, folder, holder, peer_command, peer_of, registered, run, samples, server,
    server_command,
};

#[test]
fn options_may_come_from_the_environment_and_the_command_line_wins() {
    let mut server = server(&[]);
    let (samples, empty) = (samples(), folder(&[]));
    let host = format!("127.0.0.1:{}", server.port);
    let _holder = registered(server.port, 7, "Seven", 7001);
    let record = "RFC 7 Seven 127.0.0.1 7001\n";

    let mut list = peer_command(&["list"]);
    list.env("P2PCI_HOST", &host);
    assert_eq!(ended(list).result(), record);
    let mut list = peer_command(&["list", "--host", &host]);
    list.env("P2PCI_HOST", "127.0.0.1:1");
    assert_eq!(ended(list).result(), record);

    let mut json = peer_command(&["list"]);
    json.env("P2PCI_HOST", &host).env("P2PCI_JSON", "1");
    assert_eq!(ended(json).json()["records"][0]["number"], 7);
    for off in ["0", "false", "no", "Off", ""] {
        let mut lines = peer_command(&["list"]);
        lines.env("P2PCI_HOST", &host).env("P2PCI_JSON", off);
        assert_eq!(ended(lines).result(), record, "{off:?}");
    }

    let mut menu = peer_command(&["--dir", samples.path().to_str().unwrap()]);
    menu.env("P2PCI_HOST", &host)
        .env("P2PCI_DIR", empty.path())
        .env("P2PCI_QUIET", "1");
    menu.env("P2PCI_HOSTNAME", "localhost");
    let menu = ended(menu);
    assert_eq!(menu.code, Some(0));
    assert!(!menu.out.contains("P2P-CI/1.0"), "{menu:?}");
    server.expect("\r\nHost: localhost\r\n".replace('\r', "").as_str());
    server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
    let mut menu = peer_command(&["--hostname", "localhost"]);
    menu.env("P2PCI_HOST", &host)
        .env("P2PCI_DIR", samples.path());
    assert!(ended(menu).out.contains("ADD RFC 2345 P2P-CI/1.0\n"));

    let mut another = server_command(&["-q"]);
    another.env("P2PCI_PORT", "0");
    let mut another = Program::start("server", another);
    let line = another.expect("...\n");
    assert_ne!(line, "[SERVER] Listening on port 7734...\n");
    let mut taken = server_command(&["--port", &server.port.to_string()]);
    taken.env("P2PCI_PORT", "0").env("P2PCI_QUIET", "1");
    let (status, _, errors) = run("server", taken);
    assert_eq!(status.code(), Some(1));
    assert!(
        errors.contains(&format!(":{}: the port is in use", server.port)),
        "{errors}"
    );
}

#[test]
fn what_the_environment_switches_off_or_on_is_no_conflict_with_the_command_line() {
    let server = server(&["-q"]);
    let empty = folder(&[]);
    let _holder = holder(
        server.port,
        b"P2P-CI/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    );
    let file = empty.path().join("document");
    let into_file = ["get", "7", "-o", file.to_str().unwrap()];
    let messages = "[UPLOAD] Upload server listening on port ";
    for (variable, value, arguments, out) in [
        ("P2PCI_SHARE", "0", &into_file[..], "RFC 7 Seven 127.0.0.1 "),
        ("P2PCI_JSON", "0", &["get", "7", "-o", "-"], "x"),
        ("P2PCI_PRINT_MESSAGES", "0", &["list", "--json"], "{\n"),
        (
            "P2PCI_PRINT_MESSAGES",
            "0",
            &["list", "-q"],
            "RFC 7 Seven 127.0.0.1 ",
        ),
        ("P2PCI_QUIET", "0", &["list", "--print-messages"], messages),
        ("P2PCI_QUIET", "1", &["list", "--print-messages"], messages),
    ] {
        let mut asking = peer_of(server.port, empty.path(), arguments);
        asking.env(variable, value);
        let ended = ended(asking);
        assert_eq!(
            ended.code,
            Some(0),
            "{variable}={value} {arguments:?}: {}",
            ended.errors
        );
        assert!(
            ended.out.starts_with(out),
            "{variable}={value} {arguments:?}: {}",
            ended.out
        );
    }
}

#[test]
fn a_variable_with_a_wrong_value_is_named() {
    let errors = |command| {
        let (status, out, errors) = run("program", command);
        assert_eq!((status.code(), out.as_str()), (Some(2), ""), "{errors}");
        errors
    };
    let mut server = server_command(&[]);
    server.env("P2PCI_PORT", "80x");
    let expected = "error: invalid value '80x' for '--port <PORT>': a port is a whole number from 1 to \
                    65535, or 0 for any free one, not \"80x\"\n\n  tip: the environment has P2PCI_PORT=80x\n";
    let printed = errors(server);
    assert!(printed.starts_with(expected), "{printed}");
    for (variable, value, arguments) in [
        ("P2PCI_INDEX", "centrl", &["list"][..]),
        ("P2PCI_JOBS", "0", &["get", "1"]),
        ("P2PCI_HOST", "a b", &[]),
        ("P2PCI_QUIET", "maybe", &[]),
        ("P2PCI_SHARE", "2", &["get", "1"]),
        ("P2PCI_UPLOAD_PORT", "80x", &["list"]),
    ] {
        let mut peer = peer_command(arguments);
        peer.env(variable, value);
        let printed = errors(peer);
        let tip = format!("tip: the environment has {variable}={value}\n");
        assert!(printed.contains(&tip), "{printed}");
    }
    // The value on the command line is wrong, and the variable is not even used.
    let mut server = server_command(&["--port", "x"]);
    server.env("P2PCI_PORT", "y");
    assert!(!errors(server).contains("P2PCI_PORT"));
}

#[test]
fn a_misspelled_variable_is_named() {
    let errors = |mut command: Command, variables: &[&str]| {
        for variable in variables {
            command.env(variable, "");
        }
        run("program", command).2
    };
    let variables = ["P2PCI_PROT", "P2PCI_QUITE", "P2PCI_XYZ", "P2PCI_DIR"];
    assert_eq!(
        errors(server_command(&["help"]), &variables),
        "",
        "only where options are used"
    );
    let of_server = errors(server_command(&["--port", "65536"]), &variables);
    assert!(!of_server.contains("unknown variable"), "{of_server}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let options = ["--port", &port, "--bind", "127.0.0.1"];
    let of_server = errors(server_command(&options), &variables);
    let warnings = "warning: unknown variable P2PCI_PROT; P2PCI_PORT is similar\n\
                    warning: unknown variable P2PCI_QUITE; P2PCI_QUIET is similar\n\
                    warning: unknown variable P2PCI_XYZ\n";
    assert!(of_server.starts_with(warnings), "{of_server}");
    assert_eq!(of_server.matches("unknown").count(), 3, "{of_server}");
    let host = format!("127.0.0.1:{}", dead_port());
    let of_peer = errors(peer_command(&["--host", &host, "list"]), &["P2PCI_HOTS"]);
    let warning = "warning: unknown variable P2PCI_HOTS; P2PCI_HOST is similar\n";
    assert!(of_peer.starts_with(warning), "{of_peer}");
}

#[test]
fn a_usage_error_shows_the_usage_of_its_command() {
    for (arguments, usage) in [
        (&["get", "abc"][..], "Usage: peer get [OPTIONS] <N>...\n"),
        (
            &["get", "5", "6", "-o", "x"],
            "Usage: peer get [OPTIONS] <N>...\n",
        ),
        (
            &["grade", "server", "x", "--only", "nosuch"],
            "Usage: peer grade server [OPTIONS]",
        ),
        (
            &["grade", "-q"],
            "name what to grade: server, peer, printout, or class\n",
        ),
    ] {
        let (status, _, errors) = run("peer", peer_command(arguments));
        assert_eq!(status.code(), Some(2));
        assert!(errors.contains(usage), "{errors}");
    }
}

#[test]
fn the_checks_of_every_kind_can_be_listed_at_once() {
    let list = |kind: &[&str]| {
        let arguments = [&["grade"], kind, &["--list-checks"]].concat();
        ended(peer_command(&arguments)).result().to_owned()
    };
    let all = list(&[]);
    for kind in ["server", "peer", "printout"] {
        assert!(
            all.contains(&format!("peer grade {kind}\n\n{}", list(&[kind]))),
            "{all}"
        );
    }
}

#[test]
fn a_shell_may_have_the_variables_of_both_programs() {
    let variables = |mut command: Command| {
        let out = command.args(["help", "options"]).output().unwrap().stdout;
        let out = String::from_utf8(out).unwrap();
        let names = out.split("[env: ").skip(1);
        let names = names.map(|rest| rest.split(']').next().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let all = [variables(peer_command(&[])), variables(server_command(&[]))].concat();
    assert!(all.len() > 60);
    let folder = folder(&[]);
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    // A second value on the command line is what counts; both programs fail soon.
    for name in all {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let server = server_command(&["--port", &port, "--bind", "127.0.0.1"]);
        let peer = peer_command(&["--dir", file.to_str().unwrap(), "stop"]);
        for mut program in [server, peer] {
            // A transcript is a file of that name.
            program.env(&name, "1").current_dir(folder.path());
            let (_, _, errors) = run("program", program);
            assert!(!errors.contains("unknown variable"), "{name}: {errors}");
        }
    }
}

#[test]
fn an_invalid_rust_log_is_said() {
    let server = server(&["-q"]);
    let folder = folder(&[]);
    let list = |value: &str| {
        let mut list = peer_of(server.port, folder.path(), &["list"]);
        list.env("RUST_LOG", value);
        ended(list)
    };
    for (value, why) in [
        ("inof", "unknown level \"inof\""),
        ("p2pci=loud", "invalid filter directive"),
        ("info,loud", "unknown level \"loud\""),
    ] {
        let said = list(value);
        let warning = format!(
            "warning: ignoring RUST_LOG={value}: {why}; for example RUST_LOG=debug or \
             RUST_LOG=p2pci=info\n"
        );
        assert_eq!((said.code, said.errors), (Some(0), warning));
    }
    for value in [
        "",
        "warn",
        "ERROR",
        "off",
        "p2pci=warn,mainline=off",
        "warn, mainline=off,",
        ",",
        "p2pci::net=error",
    ] {
        list(value).result();
    }
    assert!(list("info").errors.contains("INFO starting"));
}
