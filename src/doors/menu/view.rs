//! Which records of a listing are shown, in which order, and as which rows of a table.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::node::{Listed, Records, with_words};
use crate::terminal::escape::escaped;
use crate::terminal::pages::Column;
use crate::wire::RfcNumber;

/// The columns of the table: one RFC a row, with its holders side by side.
pub(super) static COLUMNS: [Column; 3] = [
    column("RFC", false, true),
    column("Title", true, false),
    column("Held by", true, false),
];

const fn column(name: &'static str, may_be_cut: bool, is_number: bool) -> Column {
    Column {
        name,
        may_be_cut,
        is_number,
    }
}

/// What a person wants to see of a listing: all of it as it came, unless more is typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Words of the titles.
    words: String,
    order: Option<Order>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Number,
    Title,
    /// By the first host that has it.
    Host,
}

/// What follows `by` is no order.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("by number, title or host, not {0:?}")]
pub(super) struct NoOrder(String);

impl View {
    /// Reads what is typed after LIST: words of titles, and perhaps an order (`by title`).
    pub(super) fn read(arguments: &str) -> Result<Self, NoOrder> {
        let words: Vec<_> = arguments.split_whitespace().collect();
        match &words[..] {
            [words @ .., by, name] if by.eq_ignore_ascii_case("by") => {
                let order = Order::read(name).ok_or_else(|| NoOrder((*name).to_owned()))?;
                let words = words.join(" ");
                let order = Some(order);
                Ok(Self { words, order })
            }
            _ => Ok(Self::of_words(arguments)),
        }
    }

    /// Shows titles with these words, in the usual order.
    pub(super) fn of_words(words: &str) -> Self {
        Self {
            words: words.to_owned(),
            order: None,
        }
    }

    /// Whether it shows a listing as it came.
    pub(super) fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// The records that it shows.
    pub(super) fn filter<'a>(&self, records: &'a Records) -> Cow<'a, Records> {
        if self.words.is_empty() {
            return Cow::Borrowed(records);
        }
        Cow::Owned(with_words(records, &self.words))
    }

    /// The records in its order.
    pub(super) fn sorted<'a>(&self, records: &'a Records) -> Box<dyn Iterator<Item = Listed> + 'a> {
        let Some(order) = self.order else {
            return Box::new(records.iter());
        };
        let mut sorted: Vec<_> = records.iter().collect();
        match order {
            Order::Number => sorted.sort_by_key(|it| it.record.number),
            Order::Title => {
                sorted.sort_by_cached_key(|it| it.record.title.as_str().to_lowercase());
            }
            Order::Host => sorted.sort_by_cached_key(|it| it.record.holder.to_string()),
        }
        Box::new(sorted.into_iter())
    }

    /// The rows of a table of these records: by number, unless another order is wanted. The holders
    /// of one RFC that do not fit `width` characters continue in further rows.
    pub(super) fn rows(&self, records: &Records, width: usize) -> Vec<Vec<String>> {
        let mut groups: BTreeMap<RfcNumber, (String, Vec<String>)> = BTreeMap::new();
        for Listed { record, ttl } in records.iter() {
            let holder = match ttl {
                Some(ttl) => format!("{} ({ttl} s)", record.holder),
                None => record.holder.to_string(),
            };
            let title = || (escaped(record.title.as_str().as_bytes(), false), Vec::new());
            let (_, holders) = groups.entry(record.number).or_insert_with(title);
            holders.push(holder);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        match self.order {
            Some(Order::Title) => groups.sort_by_cached_key(|(_, (title, _))| title.to_lowercase()),
            Some(Order::Host) => {
                groups.sort_by_cached_key(|(_, (_, held))| held.iter().min().cloned());
            }
            Some(Order::Number) | None => {}
        }
        let rows = groups.into_iter().flat_map(|(number, (title, holders))| {
            let mut first = Some((number.to_string(), title));
            side_by_side(&holders, width).into_iter().map(move |held| {
                let (number, title) = first.take().unwrap_or_default();
                vec![number, title, held]
            })
        });
        rows.collect()
    }
}

impl Order {
    fn read(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "number" => Some(Self::Number),
            "title" => Some(Self::Title),
            "host" => Some(Self::Host),
            _ => None,
        }
    }
}

/// Joins names to lines of at most `width` characters, each of at least one name.
fn side_by_side(names: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for name in names {
        match lines.last_mut() {
            Some(line) if line.len() + 2 + name.len() <= width => {
                line.push_str(", ");
                line.push_str(name);
            }
            _ => lines.push(name.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Records {
        let json = r#"[
            {"number":9,"title":"Alpha","host":"b","port":1},
            {"number":5,"title":"beta","host":"a","port":2},
            {"number":9,"title":"Alpha","host":"c","port":3}]"#;
        serde_json::from_str(json).unwrap()
    }

    fn rows(typed: &str, width: usize) -> Vec<String> {
        let view = View::read(typed).unwrap();
        let rows = view.rows(&view.filter(&records()), width);
        rows.into_iter().map(|row| row.join("|")).collect()
    }

    #[test]
    fn records_are_grouped_sorted_and_filtered() {
        assert_eq!(rows("", 20), ["5|beta|a:2", "9|Alpha|b:1, c:3"]);
        assert_eq!(rows("by title", 20), ["9|Alpha|b:1, c:3", "5|beta|a:2"]);
        assert_eq!(rows("by host", 20), ["5|beta|a:2", "9|Alpha|b:1, c:3"]);
        assert_eq!(rows("ALP by title", 20), ["9|Alpha|b:1, c:3"]);
        assert_eq!(rows("by", 20), [""; 0]);
        assert!(View::read("").unwrap().is_whole());
        assert!(!View::read("by number").unwrap().is_whole());
    }

    #[test]
    fn an_order_that_does_not_exist_is_an_error() {
        for typed in ["by foo", "alpha BY foo"] {
            let error = View::read(typed).unwrap_err().to_string();
            assert_eq!(error, "by number, title or host, not \"foo\"");
        }
    }

    #[test]
    fn holders_that_do_not_fit_continue_below() {
        assert_eq!(rows("alpha", 5), ["9|Alpha|b:1", "||c:3"]);
    }
}
