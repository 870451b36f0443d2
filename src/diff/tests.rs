//! What differs between two states, on data.

use super::*;
use crate::apply::tests::world::{World, block_on};
use crate::desired::{DesiredKey, DesiredRole, DesiredState, RoleKind, Trust as DesiredTrust};
use crate::kms::Capability;
use crate::live::Unreadable;
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use crate::review::{AccessLine, Risk};
use crate::snapshot::{KeySnapshot, Origin, of_live, of_manifest};
use crate::source::SourceMap;
use crate::synth::sample::{self, direct, key, managed, restricted, role, sso, user};
use crate::synth::tests::any_key;
use proptest::prelude::*;

fn state_of(targets: &[(&str, &[DesiredKey])], roles: &[DesiredRole]) -> DesiredState {
    let targets = targets.iter().map(|(name, keys)| sample::target(name, "eu-west-1", keys.to_vec())).collect();
    sample::state(targets, roles.to_vec())
}

fn declared(targets: &[(&str, &[DesiredKey])], roles: &[DesiredRole]) -> Snapshot {
    of_manifest(&state_of(targets, roles), &SourceMap::default())
}

pub(crate) fn of_keys(keys: &[DesiredKey]) -> Snapshot {
    declared(&[("prod", keys)], &[])
}

pub(crate) fn compared(old: &Snapshot, new: &Snapshot) -> Difference {
    let mut old = old.clone();
    align(&mut old, new);
    difference((&old, "old"), (new, "new"), &in_order)
}

/// The reporting role decrypts, for these tenants.
pub(crate) fn decrypting(tenants: &[&str]) -> DesiredKey {
    DesiredKey {
        users: vec![user(role("reporting"), &[Capability::Decrypt], direct(&[("tenant", tenants)]))],
        required_context: BTreeSet::new(),
        ..restricted()
    }
}

fn said(lines: &[AccessLine]) -> Vec<String> {
    let words = |line: &AccessLine| format!("{} {} {}", line.principal, line.capability, line.conditions.join(", "));
    lines.iter().map(|line| words(line).trim_end().to_owned()).collect()
}

fn only_key(found: &Difference) -> &KeyDifference {
    let [target] = found.targets.as_slice() else { panic!("{found:#?}") };
    let [key] = target.keys.as_slice() else { panic!("{found:#?}") };
    key
}

fn changes(properties: &[PropertyDifference]) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    properties
        .iter()
        .map(|change| format!("{}: {} > {}", change.property, text(&change.before), text(&change.after)))
        .collect()
}

// ---- keys ------------------------------------------------------------------------------------------------------

#[test]
fn the_same_state_has_no_difference() {
    let state = of_keys(&[restricted(), key("notes")]);
    let found = compared(&state, &state);
    assert!(found.is_empty());
    assert_eq!(Summary::of(&found), Summary::default());
}

#[test]
fn a_wider_condition_is_a_gain_with_a_request_and_a_narrower_one_a_loss() {
    let (one, two) = (of_keys(&[decrypting(&["acme-*"])]), of_keys(&[decrypting(&["acme-*", "blue"])]));
    let wider = compared(&one, &two);
    let key = only_key(&wider);
    let reporting = crate::synth::sample::role_arn("reporting").to_string();
    assert_eq!(said(&key.access.gains), [format!("{reporting} decrypt only with tenant = blue")]);
    assert!(key.access.losses.is_empty() && key.properties.is_empty());
    let witness = key.access.gains[0].witness.as_ref().unwrap();
    assert_eq!(witness.context["kms:EncryptionContext:tenant"], "blue");
    let summary = Summary::of(&wider);
    assert_eq!((summary.changed, summary.gains, summary.gravest), (1, 1, Some(Risk::Decrypt)));
    let narrower = compared(&two, &one);
    assert!(only_key(&narrower).access.gains.is_empty());
    assert_eq!(only_key(&narrower).access.losses.len(), 1);
    assert_eq!(Summary::of(&narrower).gravest, None);
}

#[test]
fn a_key_that_is_new_gives_and_one_that_is_not_declared_any_more_takes_nothing() {
    let (one, two) = (of_keys(&[key("notes")]), of_keys(&[decrypting(&["acme"]), key("notes")]));
    let added = compared(&one, &two);
    assert_eq!(only_key(&added).presence, Presence::Added);
    assert!(only_key(&added).access.gains.len() > 2 && only_key(&added).gave.is_empty());
    let removed = compared(&two, &one);
    let gone = only_key(&removed);
    assert_eq!((&gone.presence, gone.access.losses.len()), (&Presence::Removed, 0));
    assert_eq!(said(&gone.gave), said(&only_key(&added).access.gains));
    assert!(gone.gave.iter().all(|line| line.witness.is_none()));
    let summary = Summary::of(&removed);
    assert_eq!((summary.removed, summary.gains, summary.losses), (1, 0, 0));
    // A key that was there and is gone is another matter.
    let as_live = |snapshot: &Snapshot| Snapshot { origin: Origin::Live, ..snapshot.clone() };
    let deleted = compared(&as_live(&two), &as_live(&one));
    assert_eq!(said(&only_key(&deleted).access.losses), said(&gone.gave));
}

#[test]
fn a_key_that_changes_its_target_has_moved_and_is_compared() {
    let old = declared(&[("a", &[decrypting(&["acme"])]), ("b", &[])], &[]);
    let new = declared(&[("a", &[]), ("b", &[decrypting(&["acme", "blue"])])], &[]);
    let found = compared(&old, &new);
    assert_eq!(found.targets[0].name.as_str(), "b");
    assert_eq!(only_key(&found).presence, Presence::MovedFrom("a".parse().unwrap()));
    assert_eq!(only_key(&found).access.gains.len(), 1);
    // In two targets at once it has not moved, but is there once more.
    let both = declared(&[("a", &[decrypting(&["acme"])]), ("b", &[decrypting(&["acme"])])], &[]);
    assert_eq!(only_key(&compared(&old, &both)).presence, Presence::Added);
}

#[test]
fn a_target_in_another_account_is_compared_as_if_it_had_stayed() {
    let old = of_keys(&[decrypting(&["acme"])]);
    let mut new = old.clone();
    let text = |text: &str| text.replace("111122223333", "444455556666").replace("eu-west-1", "us-east-1");
    let target = &mut new.targets[0];
    (target.account, target.region) = ("444455556666".parse().unwrap(), "us-east-1".parse().unwrap());
    let policy = target.keys[0].policy.as_ref().unwrap().to_compact();
    target.keys[0].policy = Some(PolicyDocument::parse(&text(&policy)).unwrap());
    target.names = target.names.iter().map(|(arn, name)| (text(arn), name.clone())).collect();
    new.accounts[0].account = "444455556666".parse().unwrap();
    let found = compared(&old, &new);
    let [target] = found.targets.as_slice() else { panic!("{found:#?}") };
    assert!(target.has_moved() && target.keys.is_empty(), "{target:#?}");
    assert!(found.accounts.is_empty());
}

#[test]
fn what_is_not_access_is_listed_by_itself() {
    let before = DesiredKey { description: Some("a".to_owned()), ..key("notes") };
    let after = DesiredKey {
        description: Some("b".to_owned()),
        lifecycle: crate::desired::KeyLifecycle::Disabled,
        class: Some("secret".parse().unwrap()),
        aliases: vec![crate::source::Located::new("alias/x".parse().unwrap(), sample::loc())],
        tags: std::collections::BTreeMap::from([("team".to_owned(), "core".to_owned())]),
        ..key("notes")
    };
    let found = compared(&of_keys(&[before]), &of_keys(&[after]));
    let key = only_key(&found);
    assert_eq!(
        changes(&key.properties),
        [
            "class: - > secret",
            "state: enabled > disabled",
            "description: a > b",
            "alias: alias/payments/notes > -",
            "alias: - > alias/x",
            "tag data: cardholder > -",
            "tag team: - > core",
        ]
    );
    assert!(key.access.gains.is_empty() && key.access.losses.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_difference_is_none_exactly_where_policies_allow_the_same(one in any_key(), other in any_key()) {
        let (before, after) = (of_keys(std::slice::from_ref(&one)), of_keys(std::slice::from_ref(&other)));
        prop_assert!(compared(&before, &before).is_empty());
        let found = compared(&before, &after);
        let policy = |snapshot: &Snapshot| snapshot.targets[0].keys[0].policy.clone().unwrap();
        let same = policy(&before).same_permissions(&policy(&after));
        if before.targets[0].keys[0].name == after.targets[0].keys[0].name {
            let differs = found.targets.iter().flat_map(|target| &target.keys).any(|key| {
                key.policy == PolicyRelation::Differs
            });
            prop_assert_eq!(differs, !same);
        }
    }
}

// ---- live ------------------------------------------------------------------------------------------------------

fn applied(keys: &[DesiredKey]) -> World {
    let world = World::new(state_of(&[("prod", keys)], &[]));
    assert_eq!(world.converge().exit(), crate::exit::Exit::Done);
    world
}

fn live(world: &World) -> Snapshot {
    let read = block_on(world.read());
    of_live(&world.state, &read.targets, &read.accounts)
}

#[test]
fn what_was_applied_does_not_differ_in_either_direction() {
    let world = applied(&[key("notes"), restricted()]);
    let (manifest, live) = (of_manifest(&world.state, &SourceMap::default()), live(&world));
    assert!(compared(&manifest, &live).is_empty(), "{:#?}", compared(&manifest, &live));
    assert!(compared(&live, &manifest).is_empty());
}

fn grant(grantee: &str) -> crate::live::LiveGrant {
    let facts = crate::access::GrantFacts {
        grant_id: "g-1".to_owned(),
        issuing_account: "111122223333".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        grantee: crate::access::Grantee::Principal(grantee.to_owned()),
        retiring: None,
        constraints: crate::access::GrantConstraints::default(),
    };
    crate::live::LiveGrant { name: None, facts }
}

fn with(snapshot: &Snapshot, change: impl Fn(&mut KeySnapshot)) -> Snapshot {
    let mut snapshot = snapshot.clone();
    snapshot.targets.iter_mut().flat_map(|target| &mut target.keys).for_each(change);
    snapshot
}

#[test]
fn a_grant_is_a_gain_when_it_appears_and_stays_whatever_a_manifest_says() {
    let world = applied(&[key("notes")]);
    let (manifest, live) = (of_manifest(&world.state, &SourceMap::default()), live(&world));
    let granted = with(&live, |key| key.grants = Some(vec![grant("arn:aws:iam::111122223333:role/eve")]));
    for old in [&manifest, &live] {
        let found = compared(old, &granted);
        assert_eq!(said(&only_key(&found).access.gains), ["arn:aws:iam::111122223333:role/eve decrypt"]);
    }
    assert!(compared(&granted, &manifest).is_empty());
    assert_eq!(only_key(&compared(&granted, &live)).access.losses.len(), 1);
    // Another id for the same grant is no difference.
    let renewed = with(&granted, |key| key.grants.as_mut().unwrap()[0].facts.grant_id = "g-2".to_owned());
    assert!(compared(&granted, &renewed).is_empty());
}

#[test]
fn what_was_not_read_is_neither_gained_nor_lost_but_said() {
    let world = applied(&[key("notes")]);
    let live = live(&world);
    let granted = with(&live, |key| key.grants = Some(vec![grant("arn:aws:iam::111122223333:role/eve")]));
    let denied =
        |action: &str| Unreadable { what: "the part".to_owned(), action: action.to_owned(), message: String::new() };
    let blind = with(&granted, |key| {
        key.grants = None;
        key.unreadable.push(denied("kms:ListGrants"));
    });
    for (old, new) in [(&granted, &blind), (&blind, &granted)] {
        let found = compared(old, new);
        let key = only_key(&found);
        assert!(key.access.gains.is_empty() && key.access.losses.is_empty());
        assert!(key.undecided[0].contains("kms:ListGrants was denied"), "{:?}", key.undecided);
        assert_eq!(Summary::of(&found).undecided, 1);
    }
    let dark = with(&live, |key| {
        key.policy = None;
        key.unreadable.push(denied("kms:GetKeyPolicy"));
    });
    assert_eq!(only_key(&compared(&live, &dark)).undecided.len(), 1);
}

#[test]
fn a_tag_that_a_condition_looks_at_leaves_it_undecided() {
    let by_tag = Statement::allow("Abac", ["kms:Decrypt"])
        .principals(vec![PrincipalEntry::Aws("arn:aws:iam::111122223333:role/eve".to_owned())])
        .when("StringEquals", "aws:ResourceTag/team", ["core"]);
    let old = with(&of_keys(&[key("notes")]), |key| key.policy.as_mut().unwrap().statements.push(by_tag.clone()));
    let new = with(&old, |key| {
        key.tags.as_mut().unwrap().insert("team".to_owned(), "core".to_owned());
    });
    let found = compared(&old, &new);
    assert!(only_key(&found).undecided[0].contains("its tags differ"), "{:?}", only_key(&found).undecided);
    let other = with(&old, |key| {
        key.tags.as_mut().unwrap().insert("cost".to_owned(), "core".to_owned());
    });
    assert!(only_key(&compared(&old, &other)).undecided.is_empty());
}

#[test]
fn a_rotation_of_unknown_period_agrees_with_every_period() {
    use crate::snapshot::{Property, ROTATES};
    let every = |text: &'static str| {
        with(&of_keys(&[key("notes")]), move |key| {
            key.properties.insert(Property::Rotation, text.to_owned());
        })
    };
    assert!(compared(&every("every 90 days"), &every(ROTATES)).is_empty());
    assert!(!compared(&every("off"), &every(ROTATES)).is_empty());
    assert!(!compared(&every("every 90 days"), &every("every 91 days")).is_empty());
}

// ---- roles -----------------------------------------------------------------------------------------------------

fn trusting(trust: DesiredTrust) -> Snapshot {
    declared(&[("prod", &[key("notes")])], &[managed("api", RoleKind::KeyUser, trust)])
}

fn services(names: &[&str]) -> DesiredTrust {
    DesiredTrust { services: names.iter().map(|name| (*name).to_owned()).collect(), ..DesiredTrust::default() }
}

fn trust_lines(lines: &[TrustLine]) -> Vec<String> {
    let words = |line: &TrustLine| format!("{} {}", line.principal, line.conditions.join(", ")).trim_end().to_owned();
    lines.iter().map(words).collect()
}

#[test]
fn who_may_newly_become_a_role_is_an_escalation_with_a_request() {
    let old = trusting(services(&["ecs-tasks.amazonaws.com"]));
    let trust = DesiredTrust {
        aws: vec![sso("Admin"), sample::foreign("arn:aws:iam::111122223333:user/alice")],
        oidc: Some(crate::desired::OidcTrust {
            provider: "token.actions.githubusercontent.com".to_owned(),
            audience: "sts.amazonaws.com".to_owned(),
            subjects: vec!["repo:acme/app:*".to_owned()],
        }),
        ..services(&["ecs-tasks.amazonaws.com"])
    };
    let new = trusting(trust);
    let found = compared(&old, &new);
    let role = &found.accounts[0].roles[0];
    assert_eq!(
        trust_lines(&role.gains),
        [
            "arn:aws:iam::111122223333:user/alice",
            "sso:Admin",
            "tokens of token.actions.githubusercontent.com only when token.actions.githubusercontent.com:aud is \
             sts.amazonaws.com, only when token.actions.githubusercontent.com:sub is like repo:acme/app:*",
        ]
    );
    assert!(role.losses.is_empty());
    let unproved: Vec<&TrustLine> = role.gains.iter().filter(|line| line.witness.is_none()).collect();
    assert!(unproved.is_empty(), "{unproved:#?}");
    assert_eq!(Summary::of(&found).gravest, Some(Risk::Escalation));
    let back = compared(&new, &old);
    assert_eq!(trust_lines(&back.accounts[0].roles[0].losses), trust_lines(&role.gains));
    assert!(back.accounts[0].roles[0].losses.iter().all(|line| line.witness.is_none()));
}

#[test]
fn what_a_wider_trust_allows_already_is_no_gain() {
    let mut old = trusting(services(&["ecs-tasks.amazonaws.com"]));
    let everyone = Statement { resources: None, ..Statement::allow("All", ["sts:AssumeRole"]) };
    old.accounts[0].roles[0].trust.statements.push(everyone.principals(vec![PrincipalEntry::Everyone]));
    let mut new = old.clone();
    let eve = PrincipalEntry::Aws("arn:aws:iam::111122223333:role/eve".to_owned());
    let statement = Statement { resources: None, ..Statement::allow("Eve", ["sts:AssumeRole"]) }.principals(vec![eve]);
    new.accounts[0].roles[0].trust.statements.push(statement.clone());
    assert!(compared(&old, &new).is_empty());
    // A deny that goes away is a gain.
    let mut denied = old.clone();
    let deny = Statement { effect: crate::policy::Effect::Deny, ..statement };
    denied.accounts[0].roles[0].trust.statements.push(deny);
    let found = compared(&denied, &old);
    let gains = &found.accounts[0].roles[0].gains;
    assert_eq!(trust_lines(gains), ["arn:aws:iam::111122223333:role/eve no longer denied"]);
    assert!(gains[0].witness.is_some());
}

#[test]
fn a_role_that_is_not_declared_any_more_keeps_its_trust() {
    let old = trusting(services(&["ecs-tasks.amazonaws.com"]));
    let new = of_keys(&[key("notes")]);
    let found = compared(&old, &new);
    let role = &found.accounts[0].roles[0];
    assert_eq!((&role.presence, role.losses.len(), role.gave.len()), (&Presence::Removed, 0, 1));
    let back = compared(&new, &old);
    assert_eq!((&back.accounts[0].roles[0].presence, back.accounts[0].roles[0].gains.len()), (&Presence::Added, 1));
}

#[test]
fn other_properties_of_a_role_are_listed() {
    let role = managed("key-admin", RoleKind::KeyAdmin, services(&["ecs-tasks.amazonaws.com"]));
    let longer = DesiredRole { max_session_seconds: 7200, ..role.clone() };
    let other_alias = DesiredKey {
        aliases: vec![crate::source::Located::new("alias/x".parse().unwrap(), sample::loc())],
        ..key("notes")
    };
    let old = declared(&[("prod", &[key("notes")])], &[role]);
    let new = declared(&[("prod", &[other_alias])], &[longer]);
    let found = compared(&old, &new);
    assert_eq!(
        changes(&found.accounts[0].roles[0].properties),
        [
            "sessions: up to 60 minutes > up to 120 minutes",
            "identity policy keywright-payments: 2 statements > 2 statements (~ ManageAliases)",
        ]
    );
}
