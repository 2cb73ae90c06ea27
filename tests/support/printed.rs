//! The output of a program, gathered as it arrives.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use super::PATIENCE;

/// What a program has printed so far.
#[derive(Default)]
pub(crate) struct Printed {
    text: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

impl Printed {
    pub(crate) fn gather(mut from: impl Read + Send + 'static) -> Arc<Self> {
        let printed = Arc::new(Self::default());
        let gathered = Arc::clone(&printed);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = from.read(&mut buffer).unwrap_or(0);
                let mut text = gathered.text.lock().unwrap();
                text.0.extend_from_slice(&buffer[..count]);
                text.1 = count == 0;
                gathered.more.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        printed
    }

    /// Empty if a program prints elsewhere.
    pub(super) fn gather_where_piped(from: Option<impl Read + Send + 'static>) -> Arc<Self> {
        match from {
            Some(from) => Self::gather(from),
            None => Self::gather(std::io::empty()),
        }
    }

    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.text.lock().unwrap().0.clone()
    }

    /// Waits until `found` finds something in the text after `start`.
    pub(crate) fn wait<T>(&self, start: usize, found: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.text.lock().unwrap();
        loop {
            let printed = String::from_utf8_lossy(&text.0[start..]).into_owned();
            let left = deadline.saturating_duration_since(Instant::now());
            match found(&printed) {
                Some(it) => return Some(it),
                None if text.1 || left.is_zero() => return None,
                None => text = self.more.wait_timeout(text, left).unwrap().0,
            }
        }
    }
}
