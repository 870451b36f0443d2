//! What the executable shows before it does anything: help, explanations, refusals.

use crate::harness::Place;
use std::process::Stdio;

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    insta::assert_snapshot!(Place::new().run(&["--help"]));
}

#[test]
fn an_unknown_command_is_wrong_use() {
    insta::assert_snapshot!(Place::new().run(&["plann"]));
}

#[test]
fn a_code_is_explained() {
    insta::assert_snapshot!(Place::new().run(&["explain", "unknown-field"]));
}

#[test]
fn an_unknown_code_is_wrong_use() {
    insta::assert_snapshot!(Place::new().run(&["explain", "unknown-feild"]));
}

#[test]
fn a_hostile_argument_is_shown_and_not_obeyed() {
    for hostile in ["\u{1b}]52;c;ZXZpbA==\u{7}", "x\rerror: forged", "\u{202e}nalp"] {
        let run = Place::new().run(&["--color=always", hostile]);
        assert_eq!(run.code, 2);
        assert!(
            !run.stderr.contains(['\u{7}', '\r', '\u{202e}']) && !run.stderr.contains("\u{1b}]"),
            "{:?}",
            run.stderr
        );
    }
}

#[test]
fn a_format_of_a_later_version_is_refused_by_name() {
    let run = Place::new().run(&["plan", "--format", "sarif"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("the format `sarif` is not yet supported"), "{}", run.stderr);
}

#[test]
fn colour_is_for_terminals_unless_asked_for_and_no_color_is_weaker_than_asking() {
    let run = |place: Place, color: &[&str]| place.run(&[color, &["explain", "syntax"]].concat()).stdout;
    assert!(!run(Place::new(), &[]).contains('\u{1b}'));
    assert!(run(Place::new(), &["--color=always"]).contains('\u{1b}'));
    assert!(run(Place::new().with("NO_COLOR", "1"), &["--color=always"]).contains('\u{1b}'));
    assert!(run(Place::new().with("KEYWRIGHT_COLOR", "always"), &[]).contains('\u{1b}'));
    assert!(!run(Place::new().with("KEYWRIGHT_COLOR", "always"), &["--color=never"]).contains('\u{1b}'));
}

#[test]
fn a_variable_switches_a_flag_on_and_its_zero_off() {
    let written = |value: &str| {
        let place = Place::new().with("KEYWRIGHT_QUIET", value);
        let run = place.run(&["man", "--out", "pages"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(place.path("pages/keywright.1").is_file());
        run.stderr
    };
    assert_eq!(written("1"), "");
    assert!(written("0").starts_with("wrote "), "{}", written("0"));
}

#[test]
fn an_empty_variable_is_an_error_and_not_the_absence_of_a_limit() {
    for limit in ["ALLOW_ACCOUNT", "ALLOW_ROLE", "EXPECT_CREATES", "EXPECT_DIGEST", "TARGET", "KEY", "ENDPOINT_URL"] {
        let name = format!("KEYWRIGHT_{limit}");
        let run = Place::new().with(&name, "").run(&["apply", "--yes"]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}: {}", run.stderr);
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_is_quiet_success() {
    let mut child =
        Place::new().command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}
