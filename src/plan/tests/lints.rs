//! Lints in a plan: what the plan mends is not said, what stays is.

use super::{calls, findings, ledger, settled, target, touch};
use crate::access::{GrantConstraints, GrantFacts, Grantee};
use crate::apply::tests::world::is_in_sync;
use crate::live::LiveGrant;
use crate::synth::sample;

#[test]
fn what_stays_is_said_with_who_asks_for_it() {
    let world = settled(vec![sample::key("archive")]);
    let plan = world.plan();
    assert!(is_in_sync(&plan));
    assert_eq!(findings(&plan), ["rotation-off"]);
    let message = &target(&plan).findings[0].message;
    assert_eq!(message, "the key: it is not rotated automatically (Security Hub KMS.4)");
}

#[test]
fn what_the_plan_mends_is_not_said() {
    let world = settled(vec![ledger()]);
    assert!(findings(&world.plan()).is_empty());
    let open =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}"#;
    touch(&world, |key| {
        open.clone_into(&mut key.policy);
        key.rotation = crate::live::LiveRotation::Off;
    });
    let plan = world.plan();
    assert_eq!(calls(&plan), ["PutKeyPolicy", "EnableKeyRotation"]);
    assert!(findings(&plan).is_empty(), "{:#?}", target(&plan).findings);
}

#[test]
fn grants_are_lints_beside_being_undeclared() {
    let world = settled(vec![ledger()]);
    let facts = GrantFacts {
        grant_id: "g1".into(),
        issuing_account: sample::ACCOUNT.into(),
        operations: vec!["CreateGrant".into(), "Decrypt".into()],
        grantee: Grantee::Principal("arn:aws:iam::444455556666:user/alice".into()),
        retiring: None,
        constraints: GrantConstraints::default(),
    };
    touch(&world, |key| key.grants.push(LiveGrant { name: None, facts }));
    assert_eq!(findings(&world.plan()), ["undeclared-grant", "granting-grant"]);
}
