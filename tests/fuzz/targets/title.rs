//! Titles of documents: any file gives a valid title, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2pci::library::title::{TITLE_WINDOW, printed_title};

fuzz_target!(|input: &[u8]| {
    let Some((number, file)) = input.split_first() else {
        return;
    };
    let window = &file[..file.len().min(TITLE_WINDOW)];
    if let Some(title) = printed_title(u32::from(*number) + 1, window) {
        assert!(!title.is_empty() && title.len() <= 1024);
        assert!(!title.chars().any(char::is_control));
    }
});
