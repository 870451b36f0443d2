//! `verify`: what it proves, in whose name, and what it cannot.

use crate::live::applied;
use serde_json::Value;
use std::collections::BTreeMap;

/// Returns how many probes have each result.
fn results(report: &Value) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for probe in report["probes"].as_array().unwrap() {
        *counts.entry(probe["result"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn roles_are_proved_in_their_own_name() {
    let place = applied();
    let proof = place.line("verify --sandbox --as-roles --key orders").ends(0);
    insta::assert_snapshot!("a_key_is_proved", proof);

    let report = place.line("verify --sandbox --as-roles --format json").ends(0).json();
    assert_eq!(report["format_version"], 1);
    let probes = report["probes"].as_array().unwrap();
    let result = |key: &str, identity: &str, scenario: &str| {
        let found = probes
            .iter()
            .find(|probe| probe["key"] == key && probe["identity"] == identity && probe["scenario"] == scenario);
        found.unwrap_or_else(|| panic!("no {scenario} of {identity} on {key}"))["result"].as_str().unwrap()
    };
    assert_eq!(result("orders", "app", "envelope: round trip"), "passed");
    assert_eq!(result("orders", "app", "deny: kms:GetKeyPolicy"), "passed");
    assert_eq!(result("orders", "reports", "deny: kms:Encrypt"), "passed");
    assert_eq!(result("orders", "admin", "deny: kms:Decrypt"), "passed");
    assert_eq!(result("orders", "admin", "allow: kms:GetKeyPolicy"), "passed");
    assert_eq!(results(&report).get("failed"), None);
}

#[test]
fn without_roles_less_is_proved_and_nothing_is_claimed() {
    let place = applied();
    let alone = place.line("verify --sandbox --format json").ends(0).json();
    let as_roles = place.line("verify --sandbox --as-roles --format json").ends(0).json();
    assert!(results(&alone)["passed"] < results(&as_roles)["passed"]);
    // The verifier is not `verifiable` itself, so that something is always left open.
    place.line("verify --sandbox --as-roles --require-complete").ends(8).answers("--require-complete");
}

#[test]
fn a_key_that_is_not_there_is_no_success() {
    let place = crate::harness::Place::new();
    place.write("keywright.toml", crate::live::SMALL);
    let proof = place.line("verify --sandbox --as-roles");
    insta::assert_snapshot!("nothing_to_prove", proof);
    place.line("verify --sandbox --as-roles --require-complete").ends(8);
}
