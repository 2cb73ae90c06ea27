//! Colour, for our own lines on a terminal and for nothing else.

use std::borrow::Cow;
use std::io;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Whether this output may have colour: it is a terminal, and neither `NO_COLOR` nor its
/// relatives say otherwise.
pub fn has_colour(stream: &impl RawStream) -> bool {
    stream.is_terminal() && AutoStream::choice(stream) != ColorChoice::Never
}

/// A line of ours with its tag, as `[PEER]`, in colour where standard output may have some. What
/// follows the tag is never touched.
pub fn tagged(line: &str) -> Cow<'_, str> {
    let Some(end) = line.find("] ").filter(|_| line.starts_with('[')) else {
        return line.into();
    };
    if !has_colour(&io::stdout()) {
        return line.into();
    }
    let (tag, rest) = line.split_at(end + 1);
    let colour = match tag {
        "[UPLOAD]" => AnsiColor::Green,
        "[DOWNLOAD]" => AnsiColor::Magenta,
        _ => AnsiColor::Cyan,
    };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{tag}{style:#}{rest}").into()
}

/// A word before something that is said to a person, as `error:`, in colour where `stream` may have
/// some.
fn word(word: &str, colour: AnsiColor, stream: &impl RawStream) -> String {
    if !has_colour(stream) {
        return word.to_owned();
    }
    let style = colour.on_default().bold();
    format!("{style}{word}{style:#}")
}

/// What begins a warning.
pub(crate) fn warning(stream: &impl RawStream) -> String {
    word("warning:", AnsiColor::Yellow, stream)
}

/// What begins an error.
pub(crate) fn error(stream: &impl RawStream) -> String {
    word("error:", AnsiColor::Red, stream)
}
