//! Files that are made from the program and committed: each must be what the program makes now.

use crate::rust_source::root;
use keywright::cli::docs;

/// Compares a file with what it should be, or with `UPDATE=1` in the environment writes it.
#[track_caller]
fn assert_current(path: &str, expected: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{path} is out of date; run `UPDATE=1 cargo test --test pure`");
}

#[test]
#[cfg(feature = "sandbox")]
fn the_command_line_reference_is_current() {
    assert_current("docs/cli.md", &docs::command_line());
}

#[test]
fn the_list_of_codes_is_current() {
    assert_current("docs/codes.md", &docs::codes());
}

#[test]
fn the_list_of_lints_is_current() {
    assert_current("docs/lints.md", &docs::lints());
}

#[test]
fn every_exit_code_of_the_readme_is_in_the_manual() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let help = docs::command_line();
    for code in 0..=8 {
        let row = format!("| {code} | ");
        let meaning = readme.lines().find_map(|line| line.strip_prefix(&row)).unwrap().trim_end_matches(" |");
        let words = |text: &str| text.replace(['`', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&help).contains(&words(&format!("{code} {meaning}"))), "{code}: {meaning}");
    }
}
