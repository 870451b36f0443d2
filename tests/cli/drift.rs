//! What changed in live keys behind keywright's back: words are left alone, meaning is planned.

use crate::live::{SMALL, applied, behind_its_back, key_id, rewrite_policy};
use serde_json::{Value, json};

/// Says the same in other words: order, names of statements, a list for a single action.
fn reword(policy: &mut Value) {
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.reverse();
    for (index, statement) in statements.iter_mut().enumerate() {
        statement["Sid"] = json!(format!("Renamed{index}"));
        let action = statement["Action"].take();
        let mut actions = action.as_array().cloned().unwrap_or_else(|| vec![action]);
        actions.reverse();
        statement["Action"] = json!(actions);
    }
}

#[test]
fn other_words_for_the_same_policy_are_no_change() {
    let place = applied();
    rewrite_policy(&place, "orders", reword);
    let plan = place.line("plan --sandbox --check").ends(0).answers("nothing to change: 2 keys as declared");
    assert!(plan.stdout.contains("0 to create, 0 to change"), "{plan}");
    insta::assert_snapshot!("other_words_with_normalize", place.line("plan --sandbox --check --normalize").ends(4));
    place.line("apply --sandbox --yes --normalize").ends(0);
    place.line("plan --sandbox --check --normalize").ends(0);
}

#[test]
fn another_meaning_is_planned_with_what_it_takes_back() {
    let place = applied();
    rewrite_policy(&place, "orders", |policy| {
        policy["Statement"].as_array_mut().unwrap().push(json!({
            "Sid": "Backdoor", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"},
            "Action": ["kms:Decrypt", "kms:CreateGrant"], "Resource": "*",
        }));
    });
    let plan = place.line("plan --sandbox --check").ends(4);
    insta::assert_snapshot!("a_back_door", plan);
    assert!(plan.stdout.contains("- admin loses CreateGrant and decrypt"), "{plan}");

    let proof = place.line("verify --sandbox --as-roles --key orders").ends(8);
    let failed: Vec<&str> = proof.stdout.lines().filter(|line| line.contains('✗')).collect();
    assert!(failed.iter().any(|line| line.contains("kms:Decrypt")), "{proof}");

    place.line("apply --sandbox --yes").ends(0);
    place.line("plan --sandbox --check").ends(0);
    place.line("verify --sandbox --as-roles --key orders").ends(0);
}

#[test]
fn a_disabled_key_is_noticed_by_plan_and_by_verify() {
    let place = applied();
    behind_its_back(&place, async |kms| {
        let id = key_id(kms, "orders").await;
        kms.disable_key().key_id(id).send().await.unwrap();
    });
    let plan = place.line("plan --sandbox --check").ends(4);
    insta::assert_snapshot!("a_disabled_key", plan);
    let proof = place.line("verify --sandbox --as-roles --key orders");
    assert_ne!(proof.code, 0, "{proof}");
    assert!(proof.stdout.to_lowercase().contains("disabled"), "{proof}");
    place.line("apply --sandbox --yes").ends(0);
    place.line("verify --sandbox --as-roles").ends(0);
}

#[test]
fn a_grant_that_nobody_declared_is_a_finding() {
    let place = applied();
    rewrite_policy(&place, "orders", |policy| {
        policy["Statement"].as_array_mut().unwrap().push(json!({
            "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/deployer"},
            "Action": "kms:CreateGrant", "Resource": "*",
        }));
    });
    behind_its_back(&place, async |kms| {
        let id = key_id(kms, "orders").await;
        let grant = kms.create_grant().key_id(id).grantee_principal("arn:aws:iam::111122223333:role/admin");
        grant.operations(aws_sdk_kms::types::GrantOperation::Decrypt).send().await.unwrap();
    });
    place.line("apply --sandbox --yes").ends(0);
    let plan = place.line("plan --sandbox").ends(0);
    insta::assert_snapshot!("an_undeclared_grant", plan);
    assert!(plan.stdout.contains("undeclared-grant"), "{plan}");
}

#[test]
fn drift_alone_is_shown_and_nothing_is_planned() {
    let place = applied();
    place.line("plan --sandbox --refresh-only --check").ends(0).answers("Drift: 0 differences; nothing is planned");
    behind_its_back(&place, async |kms| {
        let id = key_id(kms, "orders").await;
        kms.update_key_description().key_id(&id).description("by hand").send().await.unwrap();
        kms.create_alias().alias_name("alias/by-hand").target_key_id(id).send().await.unwrap();
    });
    rewrite_policy(&place, "notes", |policy| {
        policy["Statement"].as_array_mut().unwrap().push(json!({
            "Sid": "Backdoor", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"},
            "Action": "kms:Decrypt", "Resource": "*",
        }));
    });
    place.replace("keywright.toml", "[key.orders]", "[key.orders]\ndescription = \"Orders\"");
    place.line("plan --sandbox --refresh-only").ends(0);
    insta::assert_snapshot!("drift_alone", place.line("plan --sandbox --refresh-only --check").ends(4));
    let data = place.line("plan --sandbox --refresh-only --format json").ends(0).json();
    assert!(data["targets"][0]["steps"].as_array().unwrap().is_empty());
    place.line("plan --sandbox --refresh-only --out p.json").ends(2);
}

#[test]
fn what_was_changed_outside_is_told_from_what_the_manifest_changes() {
    let place = applied();
    place.write("old.toml", SMALL);
    behind_its_back(&place, async |kms| {
        let id = key_id(kms, "orders").await;
        kms.disable_key().key_id(id).send().await.unwrap();
    });
    place.replace("keywright.toml", "[key.orders]", "[key.orders]\ndescription = \"Orders\"");
    insta::assert_snapshot!("since_an_older_manifest", place.line("plan --sandbox --since old.toml").ends(0));
    let data = place.line("plan --sandbox --since old.toml --format json").ends(0).json();
    let steps = data["targets"][0]["steps"].as_array().unwrap();
    let cause = |property: &str| &steps.iter().find(|step| step["property"] == property).unwrap()["cause"];
    assert_eq!((cause("description"), cause("state")), (&json!("intended"), &json!("drift")));
    place.line("plan --sandbox --since live").ends(2);
    place.line("plan --sandbox --since git:HEAD").ends(1);
    place.line("plan --sandbox --since absent.toml").ends(3);
}
