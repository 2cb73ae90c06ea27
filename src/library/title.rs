//! Finds the title that an RFC prints at the head of its file.
//!
//! Fifty years of RFCs share one habit: a header that announces the number, then the title, then
//! the text. This module splits the first bytes of a file into paragraphs, finds that header and
//! reads the title around it. It knows layouts, never particular RFCs.

use std::iter;

/// How many bytes at the start of a file are enough to find its title.
pub const TITLE_WINDOW: usize = 8192;

/// The longest title returned, in bytes.
const LONGEST_TITLE: usize = 1024;

/// No printed title has more words than this; a longer paragraph is text.
const MOST_WORDS: usize = 45;

/// The header is among the first paragraphs; a later mention of the number is in a page footer.
const HEADER_REACH: usize = 8;

/// Text is indented by at most this many spaces; a line indented more is centered.
const TEXT_INDENT: usize = 3;

/// Where the right-hand column of the header begins; centered lines all begin further left.
const RIGHT_COLUMN: usize = 36;

/// Where the right-hand column ends; its longest lines begin left of [`RIGHT_COLUMN`].
const RIGHT_MARGIN: usize = 70;

/// The least number of spaces between the two columns of a header line; justified text has fewer.
const COLUMN_GAP: &str = "    ";

/// Lines that end a title when they hold nothing else.
const HEADINGS: [&str; 8] = [
    "abstract",
    "by",
    "contents",
    "introduction",
    "preface",
    "status of this memo",
    "summary",
    "table of contents",
];

/// Names of the header fields that stand at the left margin.
const FIELDS: [&str; 8] = [
    "categories",
    "category",
    "obsoleted",
    "obsoletes",
    "references",
    "see also",
    "updated",
    "updates",
];

/// Names of numbered series, and the words between their numbers.
const SERIES: [&str; 14] = [
    "and", "bcp", "by", "doi", "fyi", "ien", "iens", "issn", "nic", "none", "nwg", "rfc", "rfcs",
    "std",
];

/// Month names, whole or shortened to at least three letters: they mark dates.
const MONTHS: &str = "january february march april may june \
                      july august september october november december";

/// Words no title ends with.
const SMALL_WORDS: [&str; 10] = [
    "and", "for", "from", "in", "of", "on", "or", "the", "to", "with",
];

/// Finds the title printed in an RFC text file.
///
/// `head` is the start of the file, of which at most [`TITLE_WINDOW`] bytes are read, and `number`
/// is its RFC number. The title is one line of at most 1,024 bytes without control characters.
/// `None` means that no title can be told apart from the text.
pub fn printed_title(number: u32, head: &[u8]) -> Option<String> {
    let lines = printed_lines(head.get(..TITLE_WINDOW).unwrap_or(head));
    let paragraphs: Vec<&[String]> = lines
        .split(|line| !line.contains(char::is_alphanumeric))
        .filter(|paragraph| !paragraph.is_empty())
        .collect();
    let header = paragraphs
        .iter()
        .take(HEADER_REACH)
        .position(|paragraph| announcement(paragraph, number).is_some());
    let title = match header {
        Some(at) => title_around_header(number, &paragraphs, at),
        None => title_without_header(&paragraphs),
    };
    let line = one_line(&title?);
    line.contains(char::is_alphabetic).then_some(line)
}

fn title_around_header(number: u32, paragraphs: &[&[String]], at: usize) -> Option<String> {
    let (above, from_header) = paragraphs.split_at(at);
    let (header, below) = from_header.split_first()?;
    title_field(from_header)
        .or_else(|| title_after_number(header, number))
        .or_else(|| title_in_journal(header))
        .or_else(|| title_below(header, below))
        .or_else(|| title_above(above))
}

/// Without a header, only a heading right below the first paragraph shows that the file is laid out
/// like an RFC, and that the paragraph is its title.
fn title_without_header(paragraphs: &[&[String]]) -> Option<String> {
    title_field(paragraphs).or_else(|| {
        let mut rest = paragraphs.iter().skip_while(|next| is_header(next));
        let title = title_text(rest.next()?)?;
        is_heading(rest.next()?.first()?).then_some(title)
    })
}

/// A `Title:` or `Subject:` in the header, or among the fields in the paragraph below it.
fn title_field(from_header: &[&[String]]) -> Option<String> {
    let mut lines = from_header.iter().take(2).copied().flatten();
    lines.find_map(|line| {
        let (name, title) = line.split_once(':')?;
        let name = name.trim().to_ascii_lowercase();
        let is_title = ["title", "subject"].contains(&name.as_str());
        (is_title && !title.trim().is_empty()).then(|| title.to_owned())
    })
}

/// The title in `RFC 9: Title` or, perhaps on two lines, in `RFC-9 "Title"`.
fn title_after_number(header: &[String], number: u32) -> Option<String> {
    let (at, rest) = announcement(header, number)?;
    if let Some(opened) = rest.trim_start().strip_prefix('"') {
        let below = header.iter().skip(at + 1).map(String::as_str);
        let quoted = joined(iter::once(opened).chain(below));
        return quoted.split_once('"').map(|(title, _)| title.to_owned());
    }
    let title = rest.strip_prefix(':')?;
    let is_title = !title.contains(COLUMN_GAP) && !is_reference(title);
    is_title.then(|| title.to_owned())
}

/// The left column below the `NWG/RFC# 9` that the NIC's journal put on top of its notes.
fn title_in_journal(header: &[String]) -> Option<String> {
    let (first, below) = header.split_first()?;
    let left = below.first()?.split(COLUMN_GAP).next()?;
    let is_journal = first.to_ascii_lowercase().starts_with("nwg/rfc");
    (is_journal && !left.is_empty() && !is_header_line(left)).then(|| left.to_owned())
}

/// The first paragraph below the header that is not part of it, with those it continues in.
///
/// A title continues when it breaks off in mid-phrase. If the header has a `Category:`, everything
/// centered above the first heading is title; older RFCs center subtitles and authors there too.
fn title_below(header: &[String], below: &[&[String]]) -> Option<String> {
    let is_modern = header
        .iter()
        .any(|line| line.trim_start().starts_with("Category:"));
    let mut rest = below.iter().skip_while(|next| is_header(next));
    let mut title = title_text(rest.next()?)?;
    for next in rest.take_while(|next| is_centered(next) && !is_header(next)) {
        match title_text(next) {
            Some(more) if is_modern || breaks_off(&title) => title = joined([&*title, &*more]),
            _ => break,
        }
    }
    Some(title)
}

/// A centered paragraph right above a header that only text follows.
fn title_above(above: &[&[String]]) -> Option<String> {
    let nearest = above.last()?;
    let title = title_text(nearest);
    title.filter(|_| is_centered(nearest) && !is_header(nearest))
}

/// The lines of a paragraph up to a heading, unless they read like text or an editor's note.
fn title_text(paragraph: &[String]) -> Option<String> {
    let lines = paragraph.iter().take_while(|line| !is_heading(line));
    let title = joined(lines.map(String::as_str));
    let is_text = if is_centered(paragraph) {
        title.ends_with('.') && title.contains(". ")
    } else {
        title.ends_with(['.', ':']) || is_numbered(&title)
    };
    let is_long = title.split_whitespace().nth(MOST_WORDS).is_some();
    let is_note = title.starts_with('[') && title.ends_with(']');
    (!title.is_empty() && !is_text && !is_long && !is_note).then_some(title)
}

/// Where a paragraph announces the RFC's number: which line does, and what follows the number.
fn announcement(paragraph: &[String], number: u32) -> Option<(usize, &str)> {
    let mut lines = paragraph.iter().enumerate();
    lines.find_map(|(at, line)| Some((at, after_number(line, number)?)))
}

/// What follows `Request for Comments: N` anywhere in a line, or `RFC N` at the start of a column.
/// A sentence about the RFC(it continues in lower case) does not announce it.
fn after_number(line: &str, number: u32) -> Option<&str> {
    let lower = line.to_ascii_lowercase();
    let (_, rest) = lower.split_once("request for comment").or_else(|| {
        let (before, rest) = lower.split_once("rfc")?;
        let margin = before.trim_end_matches("nwg/");
        (margin.is_empty() || margin.ends_with("  ")).then_some((before, rest))
    })?;
    let rest = rest.strip_prefix('s').unwrap_or(rest);
    let rest = rest.trim_start_matches(is_separator);
    let rest = rest.strip_prefix("no").unwrap_or(rest);
    let rest = rest.trim_start_matches(is_separator);
    let end = rest.find(|next: char| !next.is_ascii_digit());
    let (digits, rest) = rest.split_at(end.unwrap_or(rest.len()));
    // ASCII lower case keeps every byte in its place, so the rest of `lower` is that of `line`.
    let rest = line.get(line.len() - rest.len()..)?;
    let next_word = rest.trim_start_matches(',');
    let next_word = next_word.strip_prefix(' ').unwrap_or(next_word);
    (digits.parse() == Ok(number) && !next_word.starts_with(char::is_lowercase)).then_some(rest)
}

/// Whether a paragraph belongs to the header: it has two columns, starts with a field, or holds
/// only header lines.
fn is_header(paragraph: &[String]) -> bool {
    let has_columns =
        |line: &String| indent(line) <= TEXT_INDENT && line.trim_start().contains(COLUMN_GAP);
    paragraph.first().is_some_and(|line| is_field(line))
        || paragraph.iter().any(has_columns)
        || paragraph.iter().all(|line| is_header_line(line))
}

/// Whether a line alone shows that it is not a title: a field, a date, document numbers, text at
/// the right, or the name of the group.
fn is_header_line(line: &str) -> bool {
    let is_at_right = indent(line) >= RIGHT_COLUMN
        || indent(line) >= RIGHT_COLUMN / 2 && line.chars().count() >= RIGHT_MARGIN;
    let is_group = line.trim().eq_ignore_ascii_case("network working group");
    is_at_right || is_group || is_reference(line) || is_field(line)
}

/// A field of the header: `Updates: RFC 9`, `Obsoletes RFC 9`. Centered text is never one.
fn is_field(line: &str) -> bool {
    let lower = line.trim_start().to_ascii_lowercase();
    let mut values = FIELDS.iter().filter_map(|name| lower.strip_prefix(name));
    indent(line) <= TEXT_INDENT && values.any(|value| value.starts_with(':') || is_reference(value))
}

/// Whether a line holds only dates, numbers and the names of numbered series.
fn is_reference(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let is_number = |word: &str| word.chars().all(|next| next.is_ascii_digit());
    let is_month =
        |word: &str| word.len() >= 3 && MONTHS.split(' ').any(|month| month.starts_with(word));
    lower
        .split(is_separator)
        .all(|word| is_number(word) || is_month(word) || SERIES.contains(&word))
}

/// Whether a line is the heading of a numbered section, such as `1. Hosts`.
fn is_numbered(line: &str) -> bool {
    let number = line.split(' ').next().unwrap_or_default();
    number.starts_with(|next: char| next.is_ascii_digit()) && !number.contains(char::is_alphabetic)
}

fn is_heading(line: &str) -> bool {
    let heading = line.trim_matches(|next: char| !next.is_alphabetic());
    HEADINGS.contains(&heading.to_ascii_lowercase().as_str())
}

fn is_centered(paragraph: &[String]) -> bool {
    paragraph.iter().all(|line| indent(line) > TEXT_INDENT)
}

fn is_separator(next: char) -> bool {
    !next.is_alphanumeric()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a title can't end here: after a colon, a comma, a dash or a small word.
fn breaks_off(title: &str) -> bool {
    let last_word = title.rsplit(' ').next().unwrap_or_default();
    title.ends_with([':', ',', '-'])
        || SMALL_WORDS.contains(&last_word.to_ascii_lowercase().as_str())
}

/// Joins the lines of a title with spaces, but without one after a hyphen.
fn joined<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    lines.into_iter().fold(String::new(), |mut title, line| {
        let is_hyphenated =
            title.ends_with('-') && !title.ends_with(" -") && !title.ends_with("--");
        if !title.is_empty() && !is_hyphenated {
            title.push(' ');
        }
        title + line.trim()
    })
}

/// Drops the footnote mark, collapses white space and truncates.
fn one_line(title: &str) -> String {
    let words: Vec<&str> = title.trim_end_matches("(1)").split_whitespace().collect();
    let mut line = words.join(" ");
    line.truncate(line.floor_char_boundary(LONGEST_TITLE));
    line.truncate(line.trim_end().len());
    line
}

/// The lines as printed on paper. A new page begins a new paragraph.
fn printed_lines(head: &[u8]) -> Vec<String> {
    let text = decoded(head).replace('\u{c}', "\n\n");
    text.lines().map(printed_line).collect()
}

/// Applies overstrikes, expands tabs and drops all other control characters.
fn printed_line(line: &str) -> String {
    let line = line.trim_end();
    if line.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        // Nearly every line, and much faster.
        return line.to_owned();
    }
    let mut columns = Vec::new();
    for next in line.chars() {
        match next {
            '\u{8}' => drop(columns.pop()),
            '\t' => columns.resize((columns.len() / 8 + 1) * 8, ' '),
            _ if next.is_control() => {}
            _ => columns.push(next),
        }
    }
    columns.into_iter().collect()
}

/// Decodes UTF-8 without its byte-order mark, else Latin-1. A character cut off by the end of the
/// window does not make the text Latin-1.
fn decoded(head: &[u8]) -> String {
    let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    match str::from_utf8(head) {
        Err(error) if error.error_len().is_some() => head.iter().copied().map(char::from).collect(),
        _ => String::from_utf8_lossy(head).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &str = "(none printed)";

    const HEADER: &str = "\
Network Working Group                                             A. Ant
Request for Comments: 9                                             Hill
                                                                May 1975";

    const MODERN_HEADER: &str = "\
Internet Engineering Task Force (IETF)                       A. Ant, Ed.
Request for Comments: 9                                             Hill
Obsoletes: 3, 4                                                   B. Bee
Category: Standards Track                                           Hive
ISSN: 2070-1721                                                 May 2026";

    /// The title of a synthetic RFC 9, or [`NONE`].
    fn title(text: &str) -> String {
        printed_title(9, text.as_bytes()).unwrap_or_else(|| NONE.to_owned())
    }

    /// The title of a synthetic RFC 9 with this text below an old header, without the field that
    /// makes all centered lines part of the title.
    fn below(text: &str) -> String {
        title(&format!("{HEADER}\n\n{text}"))
    }

    #[test]
    fn the_paragraph_below_the_header_is_the_title() {
        let rfc = format!("\n\n\n{MODERN_HEADER}\n\n\n    A Path to Sugar\n\nAbstract\n\n   Ants.");
        assert_eq!(title(&rfc), "A Path to Sugar");
        assert_eq!(title(&rfc.replace('\n', "\r\n")), "A Path to Sugar");
    }

    #[test]
    fn all_lines_of_the_paragraph_are_title() {
        let text = "    Paths to Sugar and Other\n    Sweet  Things\n    in RFC 3\n\nAbstract";
        assert_eq!(
            below(text),
            "Paths to Sugar and Other Sweet Things in RFC 3"
        );
    }

    #[test]
    fn a_line_that_ends_in_a_hyphen_joins_without_a_space() {
        assert_eq!(
            below("    Paths to Low-\n    Fat Sugar"),
            "Paths to Low-Fat Sugar"
        );
        assert_eq!(
            below("    Pre- and Post-\n    Sugar"),
            "Pre- and Post-Sugar"
        );
        assert_eq!(below("    PATHS -\n    PLANS"), "PATHS - PLANS");
        assert_eq!(below("    PATHS --\n    PLANS"), "PATHS -- PLANS");
    }

    #[test]
    fn a_heading_ends_the_title_only_as_a_whole_line() {
        let text = "    Sugar Notation for\n    Abstract Syntax\nStatus of this Memo\n   Sweet.";
        assert_eq!(below(text), "Sugar Notation for Abstract Syntax");
        assert_eq!(below("    Abstract\n\n   Sweet."), NONE);
        assert_eq!(below("1. Introduction\n\n   Sweet."), NONE);
    }

    #[test]
    fn the_header_goes_on_over_empty_lines() {
        let text = "
                                                                  B. Bee

                          Department of Very Long Names, Hive University

Updates: 3, 4, 5,

         6, 7

STD: 1

12 May 1975

C. Cricket, Meadow                                    Obsoletes RFC 2
D. Dragonfly, Pond

                             Sugar Hosts
";
        assert_eq!(below(text), "Sugar Hosts");
    }

    #[test]
    fn centered_text_is_no_field_of_the_header() {
        for line in [
            "Updates to Sugar Hosts",
            "BCP 4 and Sugar",
            "RFC 3 and RFC 4 Are Obsolete",
            "Related Sugars",
        ] {
            assert_eq!(below(&format!("    {line}\n")), line);
            assert_eq!(below(&format!(" {line}\n")), line);
        }
    }

    #[test]
    fn a_title_that_breaks_off_runs_on_in_the_next_centered_paragraph() {
        for (first, joint) in [
            ("Sugar:", " "),
            ("Sugar,", " "),
            ("Sugar -", " "),
            ("Low-", ""),
            ("Sugar for the", " "),
        ] {
            let text = format!("    {first}\n\n\n    Small Hosts\n\n    A. Ant\n");
            assert_eq!(below(&text), format!("{first}{joint}Small Hosts"));
        }
        assert_eq!(below("    Sugar for\n\nHosts want sugar.\n"), "Sugar for");
    }

    #[test]
    fn older_headers_are_followed_by_centered_text_that_is_no_title() {
        assert_eq!(below("    Sugar\n\n    A. Ant\n"), "Sugar");
    }

    #[test]
    fn below_a_category_all_centered_text_is_title() {
        let rfc = format!("{MODERN_HEADER}\n\n    Sugar\n\n    Version 2\n\nAbstract\n\n   Sweet.");
        assert_eq!(title(&rfc), "Sugar Version 2");
    }

    #[test]
    fn many_words_announce_the_number() {
        for header in [
            "RFC 9",
            "RFC-9                              Ant",
            "RFC9",
            "RFC # 9",
            "RFC:  9",
            "NWG/RFC# 0009",
            "RFC No. 9",
            "    REQUEST FOR COMMENT: 9",
            "Request for Comments #9",
            "Network Working Group Request for Comments: 9",
            "A. Ant                        RFC 9 NIC 12",
        ] {
            assert_eq!(
                title(&format!("{header}\n\n    Sugar\n\nSweet.")),
                "Sugar",
                "{header}"
            );
        }
    }

    #[test]
    fn a_mention_of_the_number_is_no_header() {
        for line in [
            "RFC 9 is sweet",
            "RFC 9, they say",
            "See RFC 9",
            "RFC 99",
            "RFC 8",
        ] {
            assert_eq!(
                title(&format!("{line}\n\n    Sugar\n\nSweet.")),
                NONE,
                "{line}"
            );
        }
    }

    #[test]
    fn a_title_field_wins() {
        assert_eq!(
            title("NIC#: 3\nRFC#: 9\nTitle: Sugar\nAuthor: Ant\n\nSweet."),
            "Sugar"
        );
        assert_eq!(below("    Title:   Sugar\n    Author:   Ant\n"), "Sugar");
        assert_eq!(below("To: All\nSubject: Sugar\n\nSweet."), "Sugar");
        assert_eq!(below("    Sugar\n\nSweet.\n\nTitle: Salt\n"), "Sugar");
    }

    #[test]
    fn a_title_may_follow_the_number() {
        assert_eq!(
            title("\n    RFC 9: Sugar Hosts\n\n    A. Ant\n"),
            "Sugar Hosts"
        );
        assert_eq!(title("RFC: 9\n\n    Sugar Hosts\n"), "Sugar Hosts");
        assert_eq!(title("RFC 9: May 1975\n\n    Sugar Hosts\n"), "Sugar Hosts");
    }

    #[test]
    fn a_stub_prints_the_title_in_quotes() {
        let stub = "RFC-9 \"Sugar Hosts and\nSugar Lumps\"\n\nis available elsewhere.\n";
        assert_eq!(title(stub), "Sugar Hosts and Sugar Lumps");
        assert_eq!(
            title("RFC-9 \"Sugar Hosts\n\nis available elsewhere.\n"),
            NONE
        );
    }

    #[test]
    fn the_journal_prints_the_title_below_the_number() {
        let text = "NWG/RFC# 9                    A 12-MAY-75 12:00  77\nSugar Hosts                   A. Ant\n\nSweet.";
        assert_eq!(title(text), "Sugar Hosts");
        assert_eq!(
            title("NWG/RFC# 9\nNIC 77\n\n    Sugar Hosts"),
            "Sugar Hosts"
        );
    }

    #[test]
    fn a_title_above_the_header_counts_when_text_follows_it() {
        assert_eq!(title(&format!("    Sugar\n\n{HEADER}\n\nSweet.")), "Sugar");
        assert_eq!(
            title(&format!("    DRAFT\n\n{HEADER}\n\n    Sugar")),
            "Sugar"
        );
        assert_eq!(
            title("    Network Working Group\n\n   RFC 9\n\nSweet."),
            NONE
        );
    }

    #[test]
    fn text_is_no_title() {
        let long = format!("    {}\n", "sugar ".repeat(MOST_WORDS + 1));
        for text in [
            "It is sweet.",
            "Hosts are:",
            "1. Hosts",
            "    It is. And it is.",
            "[lost]",
            &long,
            "",
        ] {
            assert_eq!(below(text), NONE, "{text}");
        }
    }

    #[test]
    fn a_short_line_at_the_margin_is_a_title() {
        assert_eq!(below("SUGAR HOSTS\n\nSweet."), "SUGAR HOSTS");
    }

    #[test]
    fn without_a_header_only_a_heading_shows_the_title() {
        assert_eq!(title("    Sugar\n\nAbstract\n\n   Sweet."), "Sugar");
        assert_eq!(
            title("A. Ant          Hill\n\n    Sugar\n\n1. Introduction\n"),
            "Sugar"
        );
        assert_eq!(title("Title: Sugar\nSweet.\n"), "Sugar");
        for dummy in [
            "",
            "\n\n",
            "hello world\n",
            "    hello\n\nworld\n",
            "Abstract\n\nAbstract\n",
        ] {
            assert_eq!(title(dummy), NONE, "{dummy:?}");
        }
    }

    #[test]
    fn a_page_footer_is_no_header() {
        let text = format!(
            "{}RFC 9        May 1975\n\n    Hosts\n",
            "Sweet.\n\n".repeat(HEADER_REACH)
        );
        assert_eq!(title(&text), NONE);
    }

    #[test]
    fn rules_and_form_feeds_part_paragraphs() {
        assert_eq!(below("    Sugar\n    -----\n    A. Ant\n"), "Sugar");
        assert_eq!(below("    Sugar\u{c}     Running Head\n"), "Sugar");
    }

    #[test]
    fn control_characters_leave_only_what_a_printer_shows() {
        assert_eq!(below("\t_\u{8}Su\u{8}ug\0ar\tHosts\u{7}\n"), "Sugar Hosts");
        assert_eq!(printed_line("a\tb"), "a       b");
    }

    #[test]
    fn the_mark_of_a_footnote_is_no_title() {
        assert_eq!(below("    SUGAR HOSTS(1)\n"), "SUGAR HOSTS");
    }

    #[test]
    fn bytes_are_utf8_or_latin1() {
        let rfc = format!("\u{feff}{HEADER}\n\n    S\u{fc}gar\n\n");
        assert_eq!(title(&rfc), "Sügar");

        let mut cut = rfc.clone().into_bytes();
        cut.resize(TITLE_WINDOW - 1, b' ');
        cut.extend("ü".bytes());
        assert_eq!(printed_title(9, &cut).as_deref(), Some("Sügar"));

        let latin1: Vec<u8> = rfc
            .chars()
            .filter_map(|next| u8::try_from(next).ok())
            .collect();
        assert_eq!(printed_title(9, &latin1).as_deref(), Some("Sügar"));
    }

    #[test]
    fn a_long_title_is_cut_between_characters() {
        let found = below(&format!("    Sx{}\n", "ü".repeat(2 * LONGEST_TITLE)));
        assert_eq!(found.len(), LONGEST_TITLE);
        let found = below(&format!("    S{}\n", "ü".repeat(2 * LONGEST_TITLE)));
        assert_eq!(found.len(), LONGEST_TITLE - 1);
    }

    /// Any bytes may come: noise, and a sample with each of its bytes corrupted in turn.
    #[test]
    fn no_bytes_panic() {
        let sample = format!("{MODERN_HEADER}\n\n    Sugar\n\nAbstract\n\n   Sweet.\n");
        for at in 0..sample.len() {
            for byte in [0, 8, b'\t', b'\n', 12, b'"', b':', 0xc3, 0xff] {
                let mut corrupted = sample.clone().into_bytes();
                corrupted.splice(at..=at, [byte]);
                assert_clean(&corrupted);
                corrupted.truncate(at);
                assert_clean(&corrupted);
            }
        }

        let mut state = 9_u32;
        let mut noise = iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()
        });
        for length in 0..500 {
            let noise: Vec<u8> = noise.by_ref().take(length).flatten().collect();
            assert_clean(&noise);
            assert_clean(&[b"RFC 9\n\n".as_slice(), &noise].concat());
        }
        for byte in 0..=u8::MAX {
            assert_clean(&[byte; 2 * TITLE_WINDOW]);
        }
    }

    fn assert_clean(head: &[u8]) {
        let title = printed_title(9, head).unwrap_or_default();
        let is_clean = title.len() <= LONGEST_TITLE && !title.contains(char::is_control);
        assert!(is_clean, "{title:?} in {head:?}");
    }
}
