//! The picture of a session at the top of README: the printouts of a server and two peers while one
//! peer gets an RFC from the other. `make picture` writes it.

use expect_test::expect_file;

use super::{CHOICE, Example, QUESTIONS, Stage, with_numbers};

/// The size of a character and of a line, in pixels.
const CHARACTER: usize = 8;
const LINE: usize = 17;
/// The width of a terminal in characters.
const COLUMNS: usize = 56;
/// The space around text, and between terminals.
const MARGIN: usize = 12;
const WIDTH: usize = COLUMNS * CHARACTER + 2 * MARGIN;

const STYLE: &str = "\
svg { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328 }
text { white-space: pre }
rect { fill: #f6f8fa; stroke: #d0d7de }
.typed { font-weight: bold }
.SERVER, .PEER { fill: #0a6b83 }
.UPLOAD { fill: #116329 }
.DOWNLOAD { fill: #8250df }
@media (prefers-color-scheme: dark) {
  svg { fill: #e6edf3 }
  rect { fill: #161b22; stroke: #30363d }
  .SERVER, .PEER { fill: #56d4dd }
  .UPLOAD { fill: #7ee787 }
  .DOWNLOAD { fill: #d2a8ff }
}
";

#[test]
fn the_picture_is_that_of_a_session() {
    let mut stage = Stage::new();
    let get = QUESTIONS.iter().zip(["4", "123", ""]);
    let get = get.map(|(question, answer)| format!("{question} {answer}"));
    for (command, shown) in [
        ("server", Vec::new()),
        ("peer --dir rfcs/peer2", Vec::new()),
        ("peer --dir rfcs", get.collect()),
    ] {
        let command = command.to_owned();
        stage.start(Example { command, shown });
        let (example, program) = stage.running.last_mut().unwrap();
        if !example.is_server() {
            program.expect(CHOICE);
        }
    }
    let terminal = |place: usize, part: &dyn Fn(&str) -> Option<&str>| {
        let (example, program): &(Example, _) = &stage.running[place];
        let part = program.wait_for(|printed| part(printed).map(str::to_owned));
        let part = part.unwrap_or_else(|| panic!("{}", program.printed()));
        format!("$ {}\n…\n{}", example.command, stage.known(part.trim_end()))
    };
    let asking = terminal(2, &|printed| {
        let printed = &printed[printed.find("Choice: 4")?..];
        Some(&printed[..printed.find("1. ADD")?])
    });
    let server = terminal(0, &|printed| {
        // After two ADDs of each peer come the LOOKUP and the ADD of the copy.
        let (start, _) = printed.match_indices("[SERVER] Request").nth(4)?;
        let responses = printed[start..].split("200 OK\n\n").skip(1);
        let are_whole = responses.map(|rest| rest.contains("\n\n")).eq([true, true]);
        are_whole.then_some(&printed[start..])
    });
    let serving = terminal(1, &|printed| {
        let printed = &printed[printed.find("[UPLOAD] Request")?..];
        printed.ends_with("bytes)\n").then_some(printed)
    });
    let columns = with_usual_values(vec![vec![asking], vec![server, serving]]);
    expect_file!["../../../src/manual/session.svg"].assert_eq(&picture(&columns));
}

/// Replaces ports, dates and the kernel by fixed values.
fn with_usual_values(mut columns: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut ports = Vec::new();
    for text in columns.iter_mut().flatten() {
        let lines = text.lines().map(|line| match line.split_once(": ") {
            Some((name @ ("Date" | "Last-Modified"), _)) => {
                format!("{name}: Sat, 21 Nov 2026 02:01:08 GMT")
            }
            Some(("OS", _)) => "OS: Linux 6.18.44".to_owned(),
            _ => with_numbers(line, |port| {
                let is_port = (10_000..=99_999).contains(&port);
                is_port.then(|| {
                    let place = ports.iter().position(|other| *other == port);
                    let place = place.unwrap_or_else(|| {
                        ports.push(port);
                        ports.len() - 1
                    });
                    (40_001 + place).to_string()
                })
            }),
        });
        *text = lines
            .collect::<Vec<_>>()
            .join("\n")
            .replace("[::1]", "127.0.0.1");
    }
    columns
}

/// Draws terminals in columns. The last one in a column fills it.
fn picture(columns: &[Vec<String>]) -> String {
    let height = |text: &String| text.lines().count() * LINE + 2 * MARGIN;
    let heights = columns.iter().map(|texts| {
        let gaps = (texts.len() - 1) * MARGIN;
        texts.iter().map(height).sum::<usize>() + gaps
    });
    let (whole, width) = (
        heights.max().unwrap(),
        columns.len() * (WIDTH + MARGIN) - MARGIN,
    );
    let mut svg = vec![format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {whole}\">\n\
         <style>\n{STYLE}</style>\n"
    )];
    for (column, texts) in columns.iter().enumerate() {
        let (x, mut top) = (column * (WIDTH + MARGIN), 0);
        for (place, text) in texts.iter().enumerate() {
            let is_last = place + 1 == texts.len();
            let height = if is_last { whole - top } else { height(text) };
            svg.push(format!(
                "<rect x=\"{x}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n"
            ));
            for (row, line) in text
                .lines()
                .enumerate()
                .filter(|(_, line)| !line.is_empty())
            {
                let (x, y) = (x + MARGIN, top + MARGIN + row * LINE + CHARACTER + 4);
                let line = marked(line);
                svg.push(format!("<text x=\"{x}\" y=\"{y}\">{line}</text>\n"));
            }
            top += height + MARGIN;
        }
    }
    svg.concat() + "</svg>\n"
}

/// A line with its tag, or the typed text, highlighted.
fn marked(line: &str) -> String {
    let line = line.replace('&', "&amp;").replace('<', "&lt;");
    let tag = line.strip_prefix('[').and_then(|line| line.split_once(']'));
    if let Some((tag, rest)) = tag {
        return format!("<tspan class=\"{tag}\">[{tag}]</tspan>{rest}");
    }
    let mut questions = QUESTIONS.iter().chain(&["$"]);
    match questions.find_map(|question| Some((question, line.strip_prefix(question)?.trim()))) {
        Some((question, "")) => (*question).to_owned(),
        Some((question, answer)) => {
            format!("{question} <tspan class=\"typed\">{answer}</tspan>")
        }
        None => line,
    }
}
