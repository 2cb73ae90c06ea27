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

/// The word that begins an error, in colour where standard error may have some.
pub fn error_tag() -> String {
    if !has_colour(&io::stderr()) {
        return "error:".to_owned();
    }
    let style = AnsiColor::Red.on_default().bold();
    format!("{style}error:{style:#}")
}
