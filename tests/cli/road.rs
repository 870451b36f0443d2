//! The whole road on the example: apply, plan, verify, and what an edit of the manifest shows.

use crate::harness::Place;
use serde_json::Value;
use std::process::Command;

fn example() -> Place {
    let place = Place::new();
    place.copy("examples/data-classes", "data classes");
    place
}

const F: [&str; 2] = ["-f", "data classes"];

fn run(place: &Place, words: &str) -> crate::harness::Run {
    place.run(&[&words.split(' ').collect::<Vec<_>>()[..], &F].concat())
}

/// Runs the commands that `apply` names, as a person pastes them into a shell.
fn paste(place: &Place, talk: &str) -> Vec<(Option<i32>, String)> {
    let next = talk.split("Next:\n").nth(1).unwrap();
    next.lines()
        .map(|line| {
            let mut shell = Command::new("sh");
            shell.args(["-c", line]).current_dir(place.path(".")).env("AWS_EC2_METADATA_DISABLED", "true");
            let output = shell.output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        })
        .collect()
}

#[test]
fn the_example_is_applied_planned_and_proved() {
    let place = example();
    let first = run(&place, "apply --sandbox --yes").ends(0);
    insta::assert_snapshot!("the_first_apply", first);

    let ends = paste(&place, &first.stderr);
    let codes: Vec<_> = ends.iter().map(|end| end.0).collect();
    assert_eq!(codes, [Some(0), Some(0)], "{ends:?}");
    assert!(ends[0].1.contains("nothing to change: 8 keys as declared"), "{}", ends[0].1);
    assert!(ends[1].1.contains(" 0 failed"), "{}", ends[1].1);

    insta::assert_snapshot!("a_plan_with_nothing_to_do", run(&place, "plan --sandbox --check"));
    insta::assert_snapshot!("the_second_apply", run(&place, "apply --sandbox --yes"));
}

#[test]
fn a_plan_as_json_is_one_document_and_complete() {
    let place = example();
    let run = run(&place, "plan --sandbox --format json").ends(0);
    let plan = run.json();
    assert_eq!(plan["format_version"], 1);
    let target = &plan["targets"][0];
    assert_eq!((target["name"].as_str(), target["status"].as_str()), (Some("prod"), Some("ready")));
    assert_eq!(target["backend"], "sandbox");
    let policies = target["policies"].as_object().unwrap();
    assert_eq!(policies.len(), 8);
    for (key, policy) in policies {
        assert_eq!(policy["Version"], "2012-10-17", "{key}");
        let statements = policy["Statement"].as_array().unwrap();
        assert!(statements.iter().any(names_deployer), "{key}");
    }
    let creates = target["steps"].as_array().unwrap().iter().filter(|step| step["action"]["type"] == "kms:CreateKey");
    assert_eq!(creates.count(), 8);
    assert!(!plan.to_string().contains("AKIA"));
}

fn names_deployer(statement: &Value) -> bool {
    statement["Principal"].to_string().contains("role/keywright-deployer") && statement["Effect"] == "Allow"
}

#[test]
fn an_edit_is_shown_as_access_before_any_policy() {
    let place = example();
    run(&place, "apply --sandbox --yes").ends(0);
    place.replace("data classes/4-keys.toml", r#"["decrypt"]"#, r#"["encrypt"]"#);
    let plan = run(&place, "plan --sandbox --policy-text");
    insta::assert_snapshot!("an_edit", plan);
    let at = |text: &str| plan.stdout.find(text).unwrap_or_else(|| panic!("no `{text}` in {plan}"));
    assert!(at("+ payments-reporting gains encrypt") < at("@@"));
    assert!(at("- payments-reporting loses decrypt") < at("@@"));

    run(&place, "plan --sandbox --check").ends(4);
    run(&place, "apply --sandbox --yes").ends(0).talks_of("done key restricted-records");
    run(&place, "plan --sandbox --check").ends(0);
    run(&place, "verify --sandbox --as-roles --key restricted-records").ends(0);
}
