//! Snapshots of manifests and of live state agree, and survive their file.

use super::*;
use crate::apply::tests::world::{World, block_on, usual};
use crate::desired::DesiredState;
use crate::desired::tags::{TAG_KEY, TAG_STRAY};
use crate::ids::KeyId;
use crate::ports::PortErrorKind;
use crate::ports::fake::{Strike, Which};
use crate::source::SourceMap;
use crate::synth::sample;
use crate::synth::tests::any_key;
use proptest::prelude::*;

fn applied() -> World {
    let world = World::new(usual());
    assert_eq!(world.converge().exit(), crate::exit::Exit::Done);
    world
}

fn live(world: &World) -> Snapshot {
    let read = block_on(world.read());
    of_live(&world.state, &read.targets, &read.accounts)
}

fn declared(state: &DesiredState) -> Snapshot {
    of_manifest(state, &SourceMap::default())
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.targets[0].keys.iter().map(|key| key.name.as_str()).collect()
}

fn id_of(world: &World, alias: &str) -> KeyId {
    world.aws.state().aliases[&alias.parse().unwrap()].clone()
}

#[test]
fn what_was_applied_is_what_was_declared() {
    let world = applied();
    let (live, declared) = (live(&world), declared(&world.state));
    assert_eq!(names(&live), names(&declared));
    for (found, wanted) in live.targets[0].keys.iter().zip(&declared.targets[0].keys) {
        assert!(found.policy.as_ref().unwrap().same_permissions(wanted.policy.as_ref().unwrap()));
        assert_eq!(found.aliases, wanted.aliases);
        for (property, text) in found.properties.iter().filter(|(name, _)| wanted.properties.contains_key(name)) {
            assert_eq!(text, &wanted.properties[property], "{}", property.name());
        }
    }
    let roles =
        |snapshot: &Snapshot| snapshot.accounts[0].roles.iter().map(|role| role.name.clone()).collect::<Vec<_>>();
    assert_eq!(roles(&live), roles(&declared));
}

#[test]
fn keys_are_called_as_their_claim_says_then_their_tags_then_their_ids() {
    let world = applied();
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let ledger = id_of(&world, "alias/keywright/payments/ledger");
    let tags = |name: &'static str| [("keywright:stack", "payments"), ("keywright:key", name)];
    let lost = world.aws.add_key(policy, &tags("lost"), &[]).key_id();
    let twin = world.aws.add_key(policy, &tags("ledger"), &[]).key_id();
    let stray = world.aws.add_key(policy, &tags("other"), &[]).key_id();
    world.aws.state().key(&stray).unwrap().tags.insert(TAG_STRAY.to_owned(), ledger.to_string());
    let snapshot = live(&world);
    let found = |name: &str| snapshot.targets[0].key(&name.parse().unwrap()).and_then(|key| key.arn.clone()).unwrap();
    assert_eq!(found("ledger").key_id(), ledger);
    assert_eq!(found("lost").key_id(), lost);
    assert_eq!((found(twin.as_str()).key_id(), found(stray.as_str()).key_id()), (twin, stray));
    assert_eq!(names(&snapshot).len(), 5);
    let moved = world.aws.state().key(&lost).unwrap().tags.insert(TAG_KEY.to_owned(), "not a name".to_owned());
    assert!(moved.is_some() && names(&live(&world)).contains(&lost.as_str()));
}

#[test]
fn a_denied_part_is_not_an_empty_one() {
    for (call, part) in [
        ("kms:GetKeyPolicy", "the key policy"),
        ("kms:ListGrants", "the grants"),
        ("kms:DescribeKey", "the key's settings"),
        ("kms:GetKeyRotationStatus", "the rotation"),
    ] {
        let world = applied();
        world.aws.fail(call, Which::Every, Strike::Before, PortErrorKind::Denied);
        let snapshot = live(&world);
        for key in &snapshot.targets[0].keys {
            let denied: Vec<(&str, &str)> =
                key.unreadable.iter().map(|item| (item.what.as_str(), item.action.as_str())).collect();
            assert_eq!(denied, [(part, call)]);
            assert_eq!(key.policy.is_none(), call == "kms:GetKeyPolicy");
            assert_eq!(key.grants.is_none(), call == "kms:ListGrants");
        }
        let read = snapshot_from_json(&snapshot_to_json(&snapshot).to_string()).unwrap();
        assert_eq!(read, snapshot);
    }
}

/// As a file gives it back.
fn read_back(snapshot: &Snapshot) -> Snapshot {
    let mut kept = snapshot.clone();
    kept.origin = Origin::Live;
    kept.targets.iter_mut().flat_map(|target| &mut target.keys).for_each(|key| key.position = None);
    kept.accounts.iter_mut().flat_map(|account| &mut account.roles).for_each(|role| role.position = None);
    kept
}

#[test]
fn a_file_gives_back_what_was_written_and_the_same_bytes() {
    let snapshot = live(&applied());
    let text = snapshot_to_json(&snapshot).to_string();
    let read = snapshot_from_json(&text).unwrap();
    assert_eq!(read, read_back(&snapshot));
    assert_eq!(snapshot_to_json(&read).to_string(), text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_key_survives_its_file(key in any_key()) {
        let state = sample::state(vec![sample::target("prod", "eu-west-1", vec![key])], Vec::new());
        let snapshot = declared(&state);
        let text = snapshot_to_json(&snapshot).to_string();
        let read = snapshot_from_json(&text).unwrap();
        let policy = |snapshot: &Snapshot| snapshot.targets[0].keys[0].policy.clone().unwrap();
        prop_assert!(policy(&read).same_permissions(&policy(&snapshot)));
        // JSON gathers conditions by operator, so that their order in memory may be another one.
        prop_assert_eq!(snapshot_to_json(&read).to_string(), text);
    }

    #[test]
    fn no_text_stops_the_reader(text in any::<String>()) {
        prop_assert!(snapshot_from_json(&text).is_err());
    }
}

#[test]
fn what_is_no_snapshot_says_why() {
    let good = snapshot_to_json(&live(&applied()));
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = good.clone();
        change(&mut value);
        snapshot_from_json(&value.to_string()).unwrap_err().to_string()
    };
    assert!(
        with(&|value| value["format_version"] = 2.into()).contains("its format_version is 2; this program reads 1")
    );
    assert!(with(&|value| value["extra"] = 2.into()).contains("unknown field `extra`"));
    assert!(with(&|value| value["targets"][0]["keys"][0]["policy"] = "x".into()).contains("target prod, key archive"));
    assert!(with(&|value| value["targets"][0]["keys"][0]["properties"]["colour"] = "red".into()).contains("`colour`"));
    let twice = with(&|value| {
        let key = value["targets"][0]["keys"][0].clone();
        value["targets"][0]["keys"].as_array_mut().unwrap().push(key);
    });
    assert!(twice.contains("has the key `archive` twice"), "{twice}");
    let hostile = with(&|value| value["targets"][0]["name"] = "\u{1b}[2J".into());
    assert!(!hostile.contains('\u{1b}'), "{hostile}");
}

#[test]
fn the_schema_describes_exactly_what_is_written() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schemas/snapshot.schema.json")).unwrap();
    let mut snapshot = live(&applied());
    let grants = crate::access::GrantFacts {
        grant_id: "g".to_owned(),
        issuing_account: "111122223333".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        grantee: crate::access::Grantee::Service("s3.amazonaws.com".to_owned()),
        retiring: None,
        constraints: crate::access::GrantConstraints::default(),
    };
    snapshot.targets[0].keys[0].grants = Some(vec![LiveGrant { name: None, facts: grants }]);
    snapshot.targets[0].unreadable =
        vec![Unreadable { what: "w".to_owned(), action: "a".to_owned(), message: "m".to_owned() }];
    let printed = snapshot_to_json(&snapshot);
    let (defs, target) = (&schema["$defs"], &printed["targets"][0]);
    let pairs = [
        (&printed, &schema),
        (target, &defs["target"]),
        (&target["keys"][0], &defs["key"]),
        (&target["keys"][0]["grants"][0], &defs["grant"]),
        (&target["keys"][0]["ram_policy"], &defs["key"]["properties"]["ram_policy"]),
        (&target["unreadable"][0], &defs["unreadable"]),
        (&printed["accounts"][0], &defs["account"]),
        (&printed["accounts"][0]["roles"][0], &defs["role"]),
    ];
    let listed = |value: &serde_json::Value| -> BTreeSet<String> {
        let names = value.as_array().map(|list| list.iter().map(|name| name.as_str().unwrap().to_owned()).collect());
        names.unwrap_or_else(|| value.as_object().unwrap().keys().cloned().collect())
    };
    for (printed, described) in pairs {
        assert_eq!(listed(printed), listed(&described["properties"]));
        assert_eq!(listed(printed), listed(&described["required"]));
    }
    assert_eq!(printed["format_version"], schema["properties"]["format_version"]["const"]);
}
