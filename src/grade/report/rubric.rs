//! How many points a check has.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::Points;
use crate::file_error::FileError;
use crate::grade::check::{Check, Group};
use crate::grade::file;

/// The points of the checks: those of the file, or each check's own. A check that the file does not
/// name has none.
#[derive(Debug, Default)]
pub struct Rubric(Option<BTreeMap<String, Points>>);

/// The longest file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

impl Rubric {
    /// Reads a rubric in TOML: lines of the form `check = points`. An error is a message for the
    /// user.
    pub fn read(path: &Path, table: &[Check]) -> Result<Self, String> {
        let too_long = || format!("a rubric has at most {MAX_FILE} bytes");
        let text = file::open(path).and_then(|file| file::content(file, MAX_FILE, too_long));
        let text = text.and_then(|text| {
            String::from_utf8(text).map_err(|_| io::Error::other("it is not UTF-8 text"))
        });
        let text = text.map_err(|error| FileError::of("read", path)(error).to_string())?;
        Self::parse(&text, table).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str, table: &[Check]) -> Result<Self, String> {
        let points: BTreeMap<String, Points> =
            toml::from_str(text).map_err(|error| error.to_string())?;
        for (name, points) in &points {
            if !table.iter().any(|check| check.name == name) {
                return Err(unknown(name));
            }
            if !points.is_finite() || *points < 0.0 {
                return Err(format!("{name} = {points}: expected 0 or more points"));
            }
        }
        Ok(Self(Some(points)))
    }

    /// The points of a check.
    pub fn points(&self, check: &Check) -> Points {
        match &self.0 {
            None => check.points.into(),
            Some(points) => points.get(check.name).copied().unwrap_or_default(),
        }
    }

    /// Whether the points of a check are not among those for the protocol: the points for robustness
    /// are only if the file names the check.
    pub fn counts_apart(&self, check: &Check) -> bool {
        let names = |points: &BTreeMap<_, _>| points.contains_key(check.name);
        check.group == Group::Robust && !self.0.as_ref().is_some_and(names)
    }
}

/// The message for a check that does not exist.
pub(in crate::grade) fn unknown(name: &str) -> String {
    format!("unknown check {name:?}; --list-checks lists them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grade::checks::SERVER;

    #[test]
    fn a_check_has_the_points_of_the_file_or_none() {
        let rubric = Rubric::parse("add-ok = 10\nsplit = 2.5 # half\n", SERVER).unwrap();
        let points = |name| {
            let check = SERVER.iter().find(|check| check.name == name).unwrap();
            (rubric.points(check), Rubric::default().points(check))
        };
        assert_eq!(points("add-ok"), (10.0, 1.0));
        assert_eq!(points("split"), (2.5, 1.0));
        assert_eq!(points("add-form"), (0.0, 1.0));
    }

    #[test]
    fn robustness_counts_with_the_protocol_if_the_file_names_it() {
        let rubric = Rubric::parse("split = 2.5\n", SERVER).unwrap();
        let apart = |rubric: &Rubric| {
            let apart = SERVER.iter().filter(|check| rubric.counts_apart(check));
            apart.map(|check| check.name).collect::<Vec<_>>()
        };
        let all = apart(&Rubric::default());
        assert_eq!((all.len(), all.contains(&"split")), (9, true));
        let others: Vec<_> = all.into_iter().filter(|name| *name != "split").collect();
        assert_eq!(apart(&rubric), others);
    }

    #[test]
    fn what_is_wrong_with_a_rubric_is_named() {
        for (text, said) in [
            ("ad-ok = 1", "unknown check \"ad-ok\""),
            ("add-ok = -1", "add-ok = -1"),
            ("add-ok = nan", "expected 0 or more"),
            ("add-ok = \"x\"", "add-ok"),
            ("[add-ok", "add-ok"),
        ] {
            let error = Rubric::parse(text, SERVER).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
