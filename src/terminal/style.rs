//! Color, only for our own lines and only on a terminal.

use std::borrow::Cow;
use std::io;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Whether this output may have color: it is a terminal, and neither `NO_COLOR` nor a similar
/// variable forbids it.
pub fn has_color(stream: &impl RawStream) -> bool {
    stream.is_terminal() && AutoStream::choice(stream) != ColorChoice::Never
}

/// A line that starts with a tag such as `[PEER]`, with the tag in color if standard output may
/// have color. The rest is unchanged.
pub fn tagged(line: &str) -> Cow<'_, str> {
    let Some(end) = line.find("] ").filter(|_| line.starts_with('[')) else {
        return line.into();
    };
    if !has_color(&io::stdout()) {
        return line.into();
    }
    let (tag, rest) = line.split_at(end + 1);
    let color = match tag {
        "[UPLOAD]" => AnsiColor::Green,
        "[DOWNLOAD]" => AnsiColor::Magenta,
        _ => AnsiColor::Cyan,
    };
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{tag}{style:#}{rest}").into()
}

/// A message and the line above it, if standard output may have color: the line in the color of the
/// direction, a bar of that color at the left edge, and the status code in green or red.
///
/// The bar is the background of the first character, so that what is copied from the screen is the
/// message and nothing else.
pub fn message<'a>(title: &'a str, message: &'a str, is_sent: bool) -> [Cow<'a, str>; 2] {
    if !has_color(&io::stdout()) {
        return [title.into(), message.into()];
    }
    let color = if is_sent {
        AnsiColor::Yellow
    } else {
        AnsiColor::Blue
    };
    let (above, bar) = (color.on_default(), AnsiColor::Black.on(color));
    let lines = message.split_inclusive('\n').enumerate();
    let lines = lines.map(|(place, line)| {
        let code = Some(line).filter(|_| place == 0).and_then(status_code);
        let second = line.char_indices().nth(1).map_or(line.len(), |(at, _)| at);
        match (line, code) {
            ("\n", _) => format!("{bar}{ERASED}{bar:#}\n"),
            (_, Some((before, code, after))) => {
                let (first, before) = before.split_at(second.min(before.len()));
                let style = code_color(code).on_default().bold();
                format!("{bar}{first}{bar:#}{before}{style}{code}{style:#}{after}")
            }
            _ => {
                let (first, rest) = line.split_at(second);
                format!("{bar}{first}{bar:#}{rest}")
            }
        }
    });
    let title = format!("{above}{title}{above:#}").into();
    [title, Cow::Owned(lines.collect())]
}

/// Colors one cell without a character in it.
const ERASED: &str = "\u{1b}[X";

/// Splits a status line around its code, `P2P-CI/1.0 200 OK`.
fn status_code(line: &str) -> Option<(&str, &str, &str)> {
    let start = line.find(' ').filter(|_| line.starts_with("P2P-"))? + 1;
    let end = start + line.get(start..)?.find([' ', '\n'])?;
    let code = line.get(start..end)?;
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then_some((line.get(..start)?, code, line.get(end..)?))
}

fn code_color(code: &str) -> AnsiColor {
    if code.starts_with('2') {
        AnsiColor::Green
    } else {
        AnsiColor::Red
    }
}

/// A word such as `error:` before a message, in color if `stream` may have color.
fn word(word: &str, color: AnsiColor, stream: &impl RawStream) -> String {
    if !has_color(stream) {
        return word.to_owned();
    }
    let style = color.on_default().bold();
    format!("{style}{word}{style:#}")
}

/// The start of a warning.
pub(crate) fn warning(stream: &impl RawStream) -> String {
    word("warning:", AnsiColor::Yellow, stream)
}

/// The start of an error message.
pub(crate) fn error(stream: &impl RawStream) -> String {
    word("error:", AnsiColor::Red, stream)
}
