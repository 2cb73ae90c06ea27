//! What the system reports about changes in a folder, so that an idle peer need not scan it.
//!
//! Only Linux reports them, and not those that another host makes in a network file system or that
//! concern the target of a symbolic link. So this never replaces all scans.

#[cfg(target_os = "linux")]
pub use linux::Reports;
#[cfg(not(target_os = "linux"))]
pub use none::Reports;

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::{self, MaybeUninit};
    use std::os::fd::OwnedFd;
    use std::path::{Path, PathBuf};

    use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

    /// The most reports that are read at a time. The system itself keeps fewer.
    const MOST: usize = 100_000;

    /// The reports about one folder.
    #[derive(Debug)]
    pub struct Reports {
        folder: PathBuf,
        /// `None` if the system gives us no more of them.
        inotify: Option<OwnedFd>,
        /// The watch of the folder, while there is one.
        watch: Option<i32>,
    }

    impl Reports {
        /// Starts watching a folder, which may be missing.
        pub fn about(folder: &Path) -> Self {
            let mut reports = Self {
                folder: folder.to_owned(),
                inotify: inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok(),
                watch: None,
            };
            reports.renew();
            reports
        }

        /// Whether a change was reported since the last call, or the path now leads to another
        /// folder. It does not wait.
        pub fn has_changed(&mut self) -> bool {
            let is_other = self.renew();
            self.drain() || is_other
        }

        /// Watches the folder to which the path leads now. Returns whether it is another one.
        fn renew(&mut self) -> bool {
            let Some(inotify) = &self.inotify else {
                return false;
            };
            let changes = WatchFlags::ATTRIB
                | WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MODIFY
                | WatchFlags::MOVE
                | WatchFlags::ONLYDIR;
            // For the same folder, this is the same watch.
            let watch = inotify::add_watch(inotify, &self.folder, changes).ok();
            let before = mem::replace(&mut self.watch, watch);
            if let Some(before) = before.filter(|_| before != watch) {
                // The watch of a folder that was removed has ended by itself.
                let _ = inotify::remove_watch(inotify, before);
            }
            before != watch
        }

        fn drain(&self) -> bool {
            let Some(inotify) = &self.inotify else {
                return false;
            };
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut reader = Reader::new(inotify, &mut buffer);
            let count = (0..MOST).take_while(|_| reader.next().is_ok()).count();
            count > 0
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use std::path::Path;

    /// No reports.
    #[derive(Debug)]
    pub struct Reports;

    impl Reports {
        /// Nothing is watched.
        pub fn about(_: &Path) -> Self {
            Self
        }

        /// Nothing is reported.
        pub fn has_changed(&mut self) -> bool {
            false
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::library::tests::write_at;

    #[test]
    fn every_change_of_a_file_is_reported_and_reading_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut reports = Reports::about(folder.path());
        assert!(!reports.has_changed());
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let changes: [&dyn Fn(); 5] = [
            &|| fs::write(&one, "new").unwrap(),
            &|| write_at(&folder, "one", "changed", 5),
            &|| fs::rename(&one, &two).unwrap(),
            &|| fs::set_permissions(&two, fs::Permissions::from_mode(0o600)).unwrap(),
            &|| fs::remove_file(&two).unwrap(),
        ];
        for (step, change) in changes.iter().enumerate() {
            change();
            assert!(reports.has_changed(), "{step}");
            let _ = fs::read(&one).or_else(|_| fs::read(&two));
            assert!(!reports.has_changed(), "{step}");
        }
    }

    #[test]
    fn a_folder_that_comes_or_goes_is_reported_and_the_new_one_is_watched() {
        let home = tempfile::tempdir().unwrap();
        let [parent, moved] = ["parent", "moved"].map(|name| home.path().join(name));
        let folder = parent.join("folder");
        let mut reports = Reports::about(&folder);
        for _ in 0..2 {
            assert!(!reports.has_changed());
            fs::create_dir_all(&folder).unwrap();
            assert_eq!(
                [reports.has_changed(), reports.has_changed()],
                [true, false]
            );
            fs::write(folder.join("file"), "").unwrap();
            assert_eq!(
                [reports.has_changed(), reports.has_changed()],
                [true, false]
            );
            // Even if only the path to it has changed.
            fs::rename(&parent, &moved).unwrap();
            assert!(reports.has_changed());
            fs::write(moved.join("folder/file"), "new").unwrap();
            assert!(!reports.has_changed());
            fs::remove_dir_all(&moved).unwrap();
        }
    }
}
