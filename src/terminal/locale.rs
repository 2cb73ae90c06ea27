//! What the user's locale can show.

use std::env;

/// Whether the locale has Unicode. The first of these variables that is set decides, as in POSIX;
/// without any, there is only ASCII.
pub fn has_unicode() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let mut set = names.filter_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    set.next().is_some_and(|locale| is_utf8(&locale))
}

/// Three dots, in one character if the locale has it.
pub fn ellipsis() -> &'static str {
    if has_unicode() { "…" } else { "..." }
}

/// Whether the character set of a locale (after the dot, if it is named) is UTF-8.
fn is_utf8(locale: &str) -> bool {
    let name = locale.to_ascii_lowercase().replace('-', "");
    name.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_locale_with_utf8_has_unicode() {
        for locale in ["C.UTF-8", "en_US.utf8", "de_DE.UTF-8@euro"] {
            assert!(is_utf8(locale), "{locale}");
        }
        for locale in ["C", "POSIX", "en_US", "de_DE.ISO-8859-1"] {
            assert!(!is_utf8(locale), "{locale}");
        }
    }
}
