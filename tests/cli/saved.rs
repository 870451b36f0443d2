//! Saved plans, expectations and consent: what is applied is what was reviewed.

use crate::harness::Place;
use crate::live::{SMALL, applied, rewrite_policy};
use serde_json::{Value, json};

fn digest(place: &Place) -> String {
    place.line("plan --sandbox --format json").json()["digest"].as_str().unwrap().to_owned()
}

fn fresh() -> Place {
    let place = Place::new();
    place.write("keywright.toml", SMALL);
    place
}

fn edit_plan(place: &Place, change: impl FnOnce(&mut Value)) {
    let text = std::fs::read_to_string(place.path("p.json")).unwrap();
    let mut plan = serde_json::from_str(&text).unwrap();
    change(&mut plan);
    place.write("p.json", plan.to_string());
}

/// Demands that a run writes nothing to AWS: the plan for the same manifest stays the same.
fn refused(place: &Place, words: &str, code: i32, why: &str) {
    let before = digest(place);
    let run = place.line(words).ends(code);
    assert!(run.stderr.contains(why), "no `{why}`: {run}");
    assert_eq!(digest(place), before, "{run}");
}

#[test]
fn a_saved_plan_is_applied_without_asking() {
    let place = fresh();
    insta::assert_snapshot!("a_saved_plan", place.line("plan --sandbox --quiet --out p.json --key notes").ends(0));
    place.line("apply p.json --sandbox --key notes").ends(0).answers("Apply: 8 steps done");
    place.line("plan --sandbox --check --key notes").ends(0);
}

#[test]
fn a_plan_that_the_manifest_or_the_live_keys_left_behind_is_stale() {
    let place = applied();
    place.replace("keywright.toml", r#"can = ["decrypt"]"#, r#"can = ["encrypt"]"#);
    place.line("plan --sandbox --out p.json").ends(0);

    place.replace("keywright.toml", r#"can = ["encrypt"]"#, r#"can = ["encrypt", "decrypt"]"#);
    refused(&place, "apply p.json --sandbox", 5, "stale-plan");
    place.replace("keywright.toml", r#"can = ["encrypt", "decrypt"]"#, r#"can = ["encrypt"]"#);

    rewrite_policy(&place, "notes", |policy| {
        policy["Statement"].as_array_mut().unwrap().pop();
    });
    refused(&place, "apply p.json --sandbox", 5, "targets[prod].steps: 1 before, 2 now");
}

#[test]
fn a_plan_holds_for_a_day_and_is_not_from_the_future() {
    let place = fresh();
    place.line("plan --sandbox --out p.json").ends(0);
    for created in ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"] {
        edit_plan(&place, |plan| plan["created"] = json!(created));
        refused(&place, "apply p.json --sandbox", 5, "24 hours");
    }
}

#[test]
fn what_a_plan_file_says_is_never_done() {
    let place = fresh();
    place.line("plan --sandbox --out p.json").ends(0);
    edit_plan(&place, |plan| {
        for policy in plan["plan"]["targets"][0]["policies"].as_object_mut().unwrap().values_mut() {
            *policy = json!({"Version": "2012-10-17", "Statement": []});
        }
        for step in plan["plan"]["targets"][0]["steps"].as_array_mut().unwrap() {
            step["action"]["policy"] = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
            }]});
            step["action"]["description"] = json!("evil");
        }
    });
    // The digest still says what was reviewed, so that the manifest's own plan is applied.
    place.line("apply p.json --sandbox").ends(0);
    place.line("plan --sandbox --check").ends(0);
}

#[test]
fn a_file_that_is_no_plan_is_refused() {
    let place = fresh();
    let files = [("", "not JSON"), ("{}", "--out"), (r#"{"keywright_plan": 99}"#, "format version 99")];
    for (content, why) in files {
        place.write("p.json", content);
        let run = place.line("apply p.json --sandbox").ends(1).talks_of(why);
        assert_eq!(run.stdout, "");
    }
    place.line("apply missing.json --sandbox").ends(1).talks_of("missing.json");
    assert!(!place.path(".keywright").exists());
}

#[test]
fn a_digest_is_an_approval_of_one_plan() {
    let place = fresh();
    let right = digest(&place);
    refused(&place, "apply --sandbox --expect-digest 00ff", 5, "not 00ff");
    refused(&place, &format!("apply --sandbox --yes --expect-digest {}", &right[1..]), 5, "stale-plan");
    place.run(&["apply", "--sandbox", "--expect-digest", &right]).ends(0);
    refused(&place, &format!("apply --sandbox --yes --expect-digest {right}"), 5, "stale-plan");
}

#[test]
fn creations_that_were_not_expected_block() {
    let place = fresh();
    let first = place.run(&["apply", "--sandbox", "--yes", "--expect-creates", "notes"]).ends(5);
    assert!(!first.stderr.contains("done role"), "roles that only blocked keys want are not made: {first}");
    insta::assert_snapshot!("an_unexpected_create", first);
    place.run(&["apply", "--sandbox", "--yes", "--expect-creates", "notes,orders"]).ends(0);
    // With nothing to create, an empty expectation is met.
    place.run(&["apply", "--sandbox", "--yes", "--expect-creates"]).ends(0);
}

#[test]
fn a_key_or_a_target_narrows_the_run() {
    let place = fresh();
    place.line("apply --sandbox --yes --key notes").ends(0).talks_of("--key notes   # nothing is left to change");
    place.line("plan --sandbox --check --key notes").ends(0);
    let rest = place.line("plan --sandbox --check --target prod").ends(4);
    assert!(rest.stdout.contains("+ key orders") && !rest.stdout.contains("+ key notes"), "{rest}");
}

#[test]
fn a_name_that_the_manifest_does_not_have_is_wrong_use() {
    for command in ["plan", "apply --yes", "verify"] {
        let place = fresh();
        let cases = [
            ("--key order", "no key `order`; did you mean `orders`?"),
            ("--target prd", "no target `prd`; did you mean `prod`?"),
        ];
        for (scope, why) in cases {
            let run = place.line(&format!("{command} --sandbox {scope}")).ends(2).talks_of(why);
            assert_eq!(run.stdout, "");
        }
        assert!(!place.path(".keywright").exists());
    }
}

#[test]
fn without_a_terminal_only_yes_agrees() {
    let place = fresh()
        .with("KEYWRIGHT_YES", "1")
        .with("KEYWRIGHT_FORCE", "1")
        .with("KEYWRIGHT_BYPASS_LOCKOUT_CHECK", "orders");
    refused(&place, "apply --sandbox", 2, "--yes");
}

#[test]
fn no_variable_turns_a_run_into_a_rehearsal() {
    let place = fresh().with("KEYWRIGHT_SANDBOX", "1").with("KEYWRIGHT_YES", "1");
    let run = place.line("apply --yes").ends(1).talks_of("credentials");
    assert_eq!(run.stdout, "");
    assert!(!place.path(".keywright").exists());
}
