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
