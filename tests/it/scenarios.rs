//! The eight scenarios, to the byte.

use expect_test::expect_file;

use crate::support::scenarios;

#[test]
fn the_printouts_of_the_eight_scenarios() {
    let printed = scenarios::run(|_| {});
    assert!(
        printed.contains("--- the two files\nare identical\n"),
        "{printed}"
    );
    expect_file!["golden/scenarios.txt"].assert_eq(&printed);
}
