//! Cases that are folders: `tests/data/cli/<case>/` has a manifest, `args` with a command a line, and what they say.

use crate::harness::{Place, repository};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn each_folder_says_what_it_always_said() {
    let mut folders: Vec<String> = std::fs::read_dir(repository("tests/data/cli"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert!(!folders.is_empty());
    let mut wrong = BTreeSet::new();
    for case in folders {
        let place = Place::new();
        place.copy(&format!("tests/data/cli/{case}"), ".");
        let args = std::fs::read_to_string(place.path("args")).unwrap();
        let said: String =
            args.lines().map(|line| format!("$ keywright {line}\n{}", place.line(line))).collect::<Vec<_>>().join("\n");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(repository(&format!("tests/data/cli/{case}")));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        // One case that differs must not hide the others.
        let same = catch_unwind(AssertUnwindSafe(|| settings.bind(|| insta::assert_snapshot!("said", said))));
        if same.is_err() {
            wrong.insert(case);
        }
    }
    assert!(wrong.is_empty(), "these cases differ: {wrong:?}");
}
