//! Detects changes in the shared folder.
//!
//! It has no thread and no clock: the caller decides how often to scan.

use std::collections::BTreeMap;
use std::mem;

use super::scan::{self, Found};
use super::titles::Titles;
use super::{Library, Rfc, State};
use crate::file_error::FileError;
use crate::wire::RfcNumber;

/// The changes that a scan found.
#[derive(Debug, Default)]
pub struct Changes {
    /// RFCs that are newly shared, or have a new title.
    pub settled: Vec<Rfc>,
    /// RFCs that are no longer shared because their files are gone.
    pub gone: Vec<RfcNumber>,
    /// Whether there are new or changed files that the next scan may find settled.
    pub more_to_come: bool,
    /// Why the folder could not be read; all its files then count as gone.
    pub error: Option<FileError>,
}

impl Library {
    /// Scans the folder once. A new or changed file is shared when two scans in a row find it the
    /// same, because until then it may still be being copied. A copy that pauses for longer is
    /// shared half done, and again when the rest changes the title.
    ///
    /// It costs one system call per file, and a read of each file that has settled.
    pub fn look(&self) -> Changes {
        let (files, error) = match scan::files(&self.folder) {
            Ok(files) => (files, None),
            Err(error) => (BTreeMap::new(), Some(error)),
        };
        Changes {
            error,
            ..self.take_in(files, &Titles::default())
        }
    }

    /// Applies the result of a scan. Titles that are not known are read.
    pub(super) fn take_in(&self, files: BTreeMap<RfcNumber, Found>, known: &Titles) -> Changes {
        let (unread, unsettled, gone) = self.state.lock().take_in(files);
        let titles = known.of(&unread).into_iter();
        let settled = unread.iter().zip(titles);
        let settled = settled.filter_map(|((number, Found { path, stamp, .. }), title)| {
            self.share(*number, path, *stamp, title)
        });
        Changes {
            settled: settled.collect(),
            gone,
            more_to_come: unsettled > 0,
            error: None,
        }
    }
}

impl State {
    /// Of the offered files whose title was not read yet, returns those that are the same as in the
    /// last scan, and how many are not; then the files that are no longer shared.
    fn take_in(
        &mut self,
        files: BTreeMap<RfcNumber, Found>,
    ) -> (Vec<(RfcNumber, Found)>, usize, Vec<RfcNumber>) {
        let before = mem::replace(&mut self.files, files);
        let mut gone = Vec::new();
        for number in before.keys().filter(|n| !self.files.contains_key(n)) {
            let entry = self.entries.remove(number);
            gone.extend(entry.filter(|e| e.is_shared).map(|_| *number));
        }
        let files = self.files.iter().map(|(&number, found)| (number, found));
        let unread: Vec<_> = files
            .filter(|&(number, found)| {
                self.is_offered(number) && !self.is_read(number, found.stamp)
            })
            .collect();
        let is_same = |&(number, found): &(RfcNumber, &Found)| {
            let before = before.get(&number);
            before.is_some_and(|before| before.stamp == found.stamp)
        };
        let all = unread.len();
        let settled = unread.into_iter().filter(is_same);
        let settled: Vec<_> = settled
            .map(|(number, found)| (number, found.clone()))
            .collect();
        let unsettled = all - settled.len();
        (settled, unsettled, gone)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::event::Events;
    use crate::library::tests::{folder, number, open, rfc7, write_at};

    /// The numbers and titles that a scan reports as shared.
    fn settled(library: &Library) -> Vec<(u32, String)> {
        let Changes {
            settled,
            gone,
            error,
            ..
        } = library.look();
        assert!(gone.is_empty() && error.is_none(), "{gone:?} {error:?}");
        let settled = settled.into_iter();
        settled
            .map(|rfc| (rfc.number.get(), rfc.title.to_string()))
            .collect()
    }

    fn one(title: &str) -> Vec<(u32, String)> {
        vec![(7, title.to_owned())]
    }

    #[test]
    fn what_was_there_at_the_start_is_not_reported() {
        let folder = folder(&[("rfc7.txt", "")]);
        let library = open(&folder);
        assert_eq!([settled(&library), settled(&library)], [[], []]);
    }

    #[test]
    fn a_file_is_shared_when_two_scans_agree() {
        let folder = folder(&[]);
        let library = open(&folder);
        write_at(&folder, "rfc7.txt", "Netw", 5);
        assert_eq!(settled(&library), []);
        write_at(&folder, "rfc7.txt", &rfc7("A Title"), 6);
        assert_eq!(settled(&library), [], "it is still being copied");
        assert!(library.shared().is_empty());
        assert_eq!(settled(&library), one("A Title"));
        assert_eq!(library.shared().len(), 1);
        assert_eq!(settled(&library), []);
    }

    #[test]
    fn a_changed_file_is_reported_if_its_title_is_new() {
        let folder = folder(&[]);
        write_at(&folder, "rfc7.txt", "no title", 5);
        let library = open(&folder);
        write_at(&folder, "rfc7.txt", "no title either", 6);
        assert_eq!([settled(&library), settled(&library)], [[], []]);
        write_at(&folder, "rfc7.txt", &rfc7("A Title"), 7);
        assert_eq!(
            [settled(&library), settled(&library)],
            [vec![], one("A Title")]
        );
    }

    #[test]
    fn a_title_that_is_given_stays_until_the_file_prints_another() {
        let folder = folder(&[]);
        let library = open(&folder);
        library.offer(number(7), Some("Given".parse().unwrap()));
        // The file comes later, and is changed.
        for seconds in [5, 6] {
            write_at(&folder, "rfc7.txt", &rfc7("Printed"), seconds);
            assert_eq!([settled(&library), settled(&library)], [[], []]);
            assert_eq!(library.title(number(7)).unwrap().as_str(), "Given");
        }
        write_at(&folder, "rfc7.txt", &rfc7("Corrected"), 7);
        assert_eq!(
            [settled(&library), settled(&library)],
            [vec![], one("Corrected")]
        );
    }

    #[test]
    fn what_was_added_without_file_and_title_gets_the_title_of_its_file() {
        let folder = folder(&[]);
        let library = open(&folder);
        library.offer(number(7), None);
        write_at(&folder, "rfc7.txt", &rfc7("Printed"), 5);
        assert_eq!(
            [settled(&library), settled(&library)],
            [vec![], one("Printed")]
        );
    }

    #[test]
    fn a_file_that_disappears_is_no_longer_shared_and_may_come_back() {
        let folder = folder(&[("rfc7.txt", "")]);
        let library = open(&folder);
        library.offer(number(7), Some("Given".parse().unwrap()));
        library.offer(number(8), None);
        fs::remove_file(folder.path().join("rfc7.txt")).unwrap();
        let Changes {
            settled: new, gone, ..
        } = library.look();
        assert_eq!((new.len(), gone), (0, vec![number(7)]));
        assert_eq!(library.shared().len(), 1, "RFC 8 never had a file");
        write_at(&folder, "RFC0007.txt", &rfc7("Printed"), 5);
        assert_eq!(
            [settled(&library), settled(&library)],
            [vec![], one("Printed")]
        );
        assert!(library.path_of(number(7)).is_some());
    }

    #[test]
    fn a_file_that_disappears_before_it_is_shared_is_not_reported() {
        let folder = folder(&[]);
        let library = open(&folder);
        write_at(&folder, "rfc7.txt", "", 5);
        assert_eq!(settled(&library), []);
        fs::remove_file(folder.path().join("rfc7.txt")).unwrap();
        assert_eq!(settled(&library), []);
        write_at(&folder, "rfc7.txt", "", 5);
        assert_eq!(
            [settled(&library), settled(&library)],
            [vec![], one("RFC 7")]
        );
    }

    #[test]
    fn what_is_not_offered_is_not_reported() {
        let folder = folder(&[("rfc1.txt", "")]);
        let library =
            Library::open(folder.path(), Some(&[number(1)]), None, Events::default()).unwrap();
        write_at(&folder, "rfc7.txt", "", 5);
        assert_eq!([settled(&library), settled(&library)], [[], []]);
        fs::remove_file(folder.path().join("rfc7.txt")).unwrap();
        assert_eq!(settled(&library), []);
    }

    #[test]
    fn a_folder_that_disappears_takes_its_files_with_it() {
        let folder = folder(&[("rfc7.txt", "")]);
        let library = open(&folder);
        fs::remove_dir_all(folder.path()).unwrap();
        let Changes { gone, error, .. } = library.look();
        assert_eq!(gone, [number(7)]);
        let error = error.unwrap().to_string();
        assert!(error.starts_with("cannot read the folder "), "{error}");
        fs::create_dir(folder.path()).unwrap();
        write_at(&folder, "rfc7.txt", "", 5);
        assert_eq!(
            [settled(&library), settled(&library)],
            [vec![], one("RFC 7")]
        );
    }
}
