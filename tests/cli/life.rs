//! Keys that are rotated because somebody asks, and keys that somebody else wants to delete.

use crate::harness::Place;
use crate::live::{SMALL, behind_its_back, key_id};
use serde_json::json;

/// The small stack, with a deployer that may delete the orders key too.
fn deletable() -> Place {
    let place = Place::new();
    let from = "[key.orders]\niam_delegation = \"root-user\"\n";
    place.write("keywright.toml", SMALL.replace(from, &format!("{from}deleters = [\"deployer\"]\n")));
    place.line("apply --sandbox --yes").ends(0);
    place
}

#[test]
fn a_key_is_rotated_when_somebody_asks_and_its_budget_is_shown() {
    let place = deletable();
    insta::assert_snapshot!("a_rotation", place.line("rotate orders --sandbox --yes").ends(0));
    let again = place.line("rotate orders notes --sandbox --yes").ends(0);
    again.answers("Rotations of orders in prod: 1 of 25 on demand used").answers("2 steps done");
    let report = place.line("rotate orders --sandbox --yes --format json").ends(0).json();
    let step = &report["plan"]["targets"][0]["steps"][0];
    assert_eq!((&step["action"]["type"], &step["action"]["before"]), (&json!("kms:RotateKeyOnDemand"), &json!(2)));
    assert_eq!(step["why"], json!("asked"));
    place.line("plan --sandbox --check").ends(0);
}

#[test]
fn a_rotation_is_asked_for_by_name_and_consented_to() {
    let place = deletable();
    place.line("rotate --sandbox --yes").ends(2);
    place.line("rotate oders --sandbox --yes").ends(2).talks_of("did you mean `orders`");
    place.line("rotate orders --sandbox").ends(2).talks_of("there is no terminal to ask on");
    behind_its_back(&place, async |kms| {
        let id = key_id(kms, "orders").await;
        assert!(kms.list_key_rotations().key_id(&id).send().await.unwrap().rotations().is_empty());
        kms.disable_key().key_id(id).send().await.unwrap();
    });
    place.line("rotate orders --sandbox --yes").ends(5).answers("(rotation-unfit)");
}

#[test]
fn a_deletion_of_somebody_else_is_cancelled_only_with_consent() {
    let place = deletable();
    behind_its_back(&place, async |kms| {
        let id = key_id(kms, "orders").await;
        kms.schedule_key_deletion().key_id(id).pending_window_in_days(7).send().await.unwrap();
    });
    place.line("plan --sandbox").ends(5).answers("(pending-deletion)").answers("--cancel-deletion orders");
    place.line("apply --sandbox --yes").ends(5);
    let plan = place.line("plan --sandbox --check --cancel-deletion orders").ends(4);
    let plan = plan.answers("comes back: its deletion is cancelled");
    assert!(plan.stdout.contains("disabled → enabled"), "{plan}");
    place.line("apply --sandbox --yes --cancel-deletion orders").ends(0);
    place.line("plan --sandbox --check").ends(0);
    place.line("plan --sandbox --check --cancel-deletion orders").ends(0);
}

#[test]
fn who_may_not_delete_cancels_nothing() {
    let place = crate::live::applied();
    let text = std::fs::read_to_string(place.path("keywright.toml")).unwrap();
    let from = "[key.orders]\niam_delegation = \"root-user\"\n";
    place.write("keywright.toml", text.replace(from, &format!("{from}deleters = [\"deployer\"]\n")));
    place.line("apply --sandbox --yes").ends(0);
    behind_its_back(&place, async |kms| {
        let id = key_id(kms, "orders").await;
        kms.schedule_key_deletion().key_id(id).pending_window_in_days(7).send().await.unwrap();
        // Its deleter is taken away behind keywright's back.
        let id = key_id(kms, "orders").await;
        let live = kms.get_key_policy().key_id(&id).policy_name("default").send().await.unwrap().policy.unwrap();
        let policy = live.replace("\"kms:CancelKeyDeletion\",", "");
        kms.put_key_policy().key_id(id).policy(policy).send().await.unwrap();
    });
    let refused = place.line("apply --sandbox --yes --cancel-deletion orders").ends(5).answers("(not-a-deleter)");
    assert!(!refused.stdout.contains("done"), "{refused}");
    place.line("plan --sandbox --cancel-deletion orders").ends(0).answers("(not-a-deleter)");
}

#[test]
fn consent_names_keys_that_it_can_be_about() {
    let place = deletable();
    for command in ["plan --sandbox", "apply --sandbox --yes"] {
        place.line(&format!("{command} --allow-retire oders")).ends(2).talks_of("did you mean `orders`");
        place.line(&format!("{command} --allow-retire orders")).ends(2).talks_of("the key is not retired");
        place.line(&format!("{command} --cancel-deletion oders")).ends(2).talks_of("did you mean `orders`");
    }
}
