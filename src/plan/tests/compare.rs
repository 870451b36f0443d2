//! Each difference leads to its step, and to nothing else.

use super::{EMPTY, blocked_by, calls, findings, first_key, ledger, settled, target, touch, wanting};
use crate::access::{GrantConstraints, GrantFacts, Grantee};
use crate::apply::tests::world::{World, is_in_sync, rotating};
use crate::desired::{DesiredKey, KeyLifecycle, KeyMaterial, Rotation};
use crate::exit::Exit;
use crate::kms::{KeySpec, KeyState, KeyUsage, Origin};
use crate::live::{KeyManager, LiveGrant, LiveRotation};
use crate::plan::{Action, KeyRef};
use crate::ports::fake::FakeKey;
use crate::source::Located;
use crate::synth::sample;
use std::collections::BTreeMap;

type Change = fn(&mut FakeKey);

/// A name, what is changed, the blockers.
type BlockingCase<'a> = (&'a str, Box<dyn Fn(&mut FakeKey)>, &'a [&'a str]);

/// A name, the tags and the aliases of a key that is not ours.
type ForeignCase<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn what_was_changed_by_hand_is_mended() {
    let cases: &[(&str, Change, &[&str])] = &[
        ("nothing", |_| {}, &[]),
        ("disabled", |key| key.metadata.state = KeyState::Disabled, &["EnableKey"]),
        ("description", |key| key.metadata.description.clear(), &["UpdateKeyDescription"]),
        ("tag", |key| drop(key.tags.insert("data".into(), "other".into())), &["TagResource"]),
        ("tag gone", |key| drop(key.tags.remove("data")), &["TagResource"]),
        ("claim gone", |key| drop(key.tags.remove("keywright:claim")), &[]),
        ("policy", |key| key.policy = EMPTY.into(), &["PutKeyPolicy"]),
        ("wording", |key| key.policy = key.policy.replace("\"Sid\": \"", "\"Sid\": \"X"), &[]),
        ("rotation off", |key| key.rotation = LiveRotation::Off, &["EnableKeyRotation"]),
        ("other period", |key| key.rotation = LiveRotation::On { days: Some(90) }, &["EnableKeyRotation"]),
        ("unknown period", |key| key.rotation = LiveRotation::On { days: None }, &[]),
        (
            "everything",
            |key| {
                key.policy = EMPTY.into();
                key.tags.remove("data");
                key.metadata.description.clear();
                key.metadata.state = KeyState::Disabled;
                key.rotation = LiveRotation::Off;
            },
            &["PutKeyPolicy", "TagResource", "UpdateKeyDescription", "EnableKey", "EnableKeyRotation"],
        ),
    ];
    for (name, change, expected) in cases {
        let world = settled(vec![ledger()]);
        touch(&world, change);
        let plan = world.plan();
        assert_eq!(calls(&plan), *expected, "{name}");
        assert_eq!(blocked_by(&plan), [""; 0], "{name}");
        if !expected.is_empty() {
            assert_eq!(world.apply(&plan).exit(), Exit::Done, "{name}");
        }
        world.assert_whole_but_for_wording();
    }
}

#[test]
fn what_cannot_be_mended_blocks() {
    let foreign = "11111111-2222-4333-8444-555555555555";
    let cases: &[BlockingCase] = &[
        ("name", Box::new(|key| drop(key.tags.remove("keywright:key"))), &["ownership-unclear"]),
        ("stack", Box::new(|key| drop(key.tags.remove("keywright:stack"))), &["ownership-unclear"]),
        ("owner", Box::new(|key| drop(key.tags.insert("keywright:owner".into(), foreign.into()))), &["foreign-owner"]),
        ("deleting", Box::new(|key| key.metadata.state = KeyState::PendingDeletion), &["pending-deletion"]),
        ("spec", Box::new(|key| key.metadata.spec = KeySpec::Rsa2048), &["immutable-property"]),
        ("usage", Box::new(|key| key.metadata.usage = KeyUsage::SignVerify), &["immutable-property"]),
        ("origin", Box::new(|key| key.metadata.origin = Origin::External), &["immutable-property"]),
        ("Regions", Box::new(|key| key.metadata.multi_region = true), &["immutable-property"]),
        ("manager", Box::new(|key| key.metadata.manager = KeyManager::Aws), &["immutable-property"]),
    ];
    for (name, change, expected) in cases {
        let world = settled(vec![ledger()]);
        touch(&world, change);
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), *expected, "{name}");
        assert!(calls(&plan).is_empty() && target(&plan).access.gains.is_empty(), "{name}: {:?}", calls(&plan));
        assert!(world.apply(&plan).scopes.is_empty(), "{name}");
    }
}

#[test]
fn what_the_manifest_changes_is_planned() {
    let resting = |key: DesiredKey| DesiredKey { lifecycle: KeyLifecycle::Disabled, ..key };
    let still = KeyMaterial::Symmetric { rotation: Rotation::Off, newer_than: None };
    let cases: Vec<(&str, DesiredKey, &[&str])> = vec![
        ("description unmanaged", DesiredKey { description: None, ..ledger() }, &[]),
        ("description", DesiredKey { description: Some("New".into()), ..ledger() }, &["UpdateKeyDescription"]),
        ("disabled", resting(ledger()), &["DisableKey"]),
        (
            "disabled, other period",
            resting(DesiredKey { material: rotating("x", 90).material, ..ledger() }),
            &["EnableKeyRotation", "DisableKey"],
        ),
        ("no rotation", DesiredKey { material: still, ..ledger() }, &["DisableKeyRotation"]),
        ("auditor", DesiredKey { auditors: vec![sample::role("compliance")], ..ledger() }, &["PutKeyPolicy"]),
        ("tag dropped", DesiredKey { tags: BTreeMap::default(), ..ledger() }, &[]),
    ];
    for (name, key, expected) in cases {
        let world = World { state: wanting(vec![key]), ..settled(vec![ledger()]) };
        let plan = world.plan();
        assert_eq!(calls(&plan), expected, "{name}");
        if !expected.is_empty() {
            assert_eq!(world.apply(&plan).exit(), Exit::Done, "{name}");
            world.assert_whole();
        }
    }
}

#[test]
fn rotation_waits_while_a_key_rests() {
    let resting = DesiredKey { lifecycle: KeyLifecycle::Disabled, ..ledger() };
    let world = settled(vec![resting]);
    touch(&world, |key| key.rotation = LiveRotation::Off);
    let plan = world.plan();
    assert!(is_in_sync(&plan));
    assert_eq!(findings(&plan), ["rotation-waits"]);
}

#[test]
fn wording_is_planned_only_when_asked_for() {
    let world = settled(vec![ledger()]);
    touch(&world, |key| key.policy = key.policy.replace("\"Sid\": \"", "\"Sid\": \"X"));
    assert!(is_in_sync(&world.plan()));
    let world = world.wording();
    let plan = world.plan();
    assert_eq!(calls(&plan), ["PutKeyPolicy"]);
    assert!(target(&plan).access.gains.is_empty() && target(&plan).access.losses.is_empty());
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
}

fn with_aliases(name: &str, aliases: &[&str]) -> DesiredKey {
    let aliases = aliases.iter().map(|alias| Located::new(alias.parse().unwrap(), sample::loc())).collect();
    DesiredKey { aliases, ..sample::key(name) }
}

#[test]
fn two_keys_exchange_their_aliases() {
    let before = vec![with_aliases("a", &["alias/one"]), with_aliases("b", &["alias/two"])];
    let after = vec![with_aliases("a", &["alias/two"]), with_aliases("b", &["alias/one"])];
    let world = World { state: wanting(after), ..settled(before) };
    let plan = world.plan();
    assert_eq!(calls(&plan), ["UpdateAlias", "UpdateAlias"]);
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn a_new_key_takes_over_the_alias_of_an_old_one_in_one_call() {
    let before = vec![with_aliases("old", &["alias/data"])];
    let after = vec![with_aliases("new", &["alias/data"])];
    let world = World { state: wanting(after), ..settled(before) };
    let plan = world.plan();
    assert_eq!(calls(&plan), ["CreateKey", "CreateAlias", "UpdateAlias"]);
    let Action::UpdateAlias { from, key, .. } = &target(&plan).outcome.steps()[2].action else { panic!("it moves") };
    assert_eq!((from, key), (&first_key(&world), &KeyRef::Planned("new".parse().unwrap())));
    let orphans: Vec<_> = target(&plan).orphans.iter().map(|orphan| orphan.key.clone()).collect();
    assert_eq!(orphans, [Some("old".to_owned())], "the old key is named, and left alone");
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn an_alias_of_anybody_else_is_not_touched() {
    let stack = ("keywright:stack", "payments");
    let other = ("keywright:owner", "11111111-2222-4333-8444-555555555555");
    let named = ("keywright:key", "other");
    let claim = "alias/keywright/payments/other";
    let cases: &[ForeignCase] = &[
        ("foreign", &[], &["alias/payments/ledger"]),
        ("tagged without claim", &[stack, named], &["alias/payments/ledger"]),
        ("claimed without tags", &[], &["alias/payments/ledger", claim]),
        ("of another manifest", &[stack, named, other], &["alias/payments/ledger", claim]),
    ];
    for (name, tags, aliases) in cases {
        let world = World::new(wanting(vec![sample::key("ledger")]));
        world.aws.add_key(EMPTY, tags, aliases);
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), ["alias-foreign"], "{name}");
        assert!(world.apply(&plan).scopes.is_empty());
    }
}

#[test]
fn what_is_not_declared_is_drift() {
    let world = settled(vec![ledger()]);
    touch(&world, |key| drop(key.tags.insert("team".into(), "blue".into())));
    let id = first_key(&world);
    world.aws.state().aliases.insert("alias/by-hand".parse().unwrap(), id);
    let plan = world.plan();
    assert!(is_in_sync(&plan));
    let drift: Vec<_> = target(&plan).drift.iter().map(|drift| drift.what.as_str()).collect();
    assert_eq!(drift, ["alias alias/by-hand is not declared", "tag team is not declared"]);
}

#[test]
fn grants_of_people_are_findings_and_those_of_services_are_not() {
    let principals = [
        (Grantee::Principal("arn:aws:iam::111122223333:role/someone".into()), true),
        (Grantee::Principal("arn:aws:iam::999999999999:role/aws-service-role/rds.amazonaws.com/X".into()), false),
        (Grantee::Principal("arn:aws:iam::111122223333:role/aws:ec2-infrastructure".into()), false),
        (Grantee::Service("dynamodb.amazonaws.com".into()), false),
    ];
    for (grantee, found) in principals {
        let world = settled(vec![ledger()]);
        let facts = GrantFacts {
            grant_id: "0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60".into(),
            issuing_account: sample::ACCOUNT.into(),
            operations: vec!["Decrypt".into()],
            grantee: grantee.clone(),
            retiring: None,
            constraints: GrantConstraints::default(),
        };
        touch(&world, |key| key.grants.push(LiveGrant { name: None, facts }));
        let plan = world.plan();
        assert!(is_in_sync(&plan));
        assert_eq!(!findings(&plan).is_empty(), found, "{grantee:?}");
    }
}
