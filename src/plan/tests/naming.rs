//! Which key is adopted or renamed, which alias may be touched, and what is said of keys that nobody declares.

use super::{EMPTY, blocked_by, calls, findings, first_key, ledger, settled, target, touch, wanting};
use crate::apply::tests::world::{World, is_in_sync};
use crate::desired::{Adoption, DesiredKey, KeyKind, KeyLifecycle, KeyMaterial, Takeover, Topology};
use crate::exit::Exit;
use crate::ids::AliasName;
use crate::kms::{KeySpec, KeyState, KeyUsage};
use crate::live::KeyManager;
use crate::plan::{Plan, PlanKind, Why, plan_to_json};
use crate::ports::fake::FakeKey;
use crate::source::Located;
use crate::synth::sample;
use std::collections::BTreeSet;

fn alias(name: &str) -> AliasName {
    name.parse().unwrap()
}

fn adopting(adoption: Adoption) -> DesiredKey {
    DesiredKey { adopt: Some(Located::new(adoption, sample::loc())), ..ledger() }
}

fn by_alias(name: &str) -> DesiredKey {
    adopting(Adoption::Alias(alias(name)))
}

fn moved(name: &str, old: &str) -> DesiredKey {
    DesiredKey { moved_from: Some(Located::new(old.parse().unwrap(), sample::loc())), ..sample::key(name) }
}

fn with_aliases(name: &str, aliases: &[&str]) -> DesiredKey {
    let aliases = aliases.iter().map(|name| Located::new(alias(name), sample::loc())).collect();
    DesiredKey { aliases, ..sample::key(name) }
}

fn message(plan: &Plan) -> &str {
    &target(plan).outcome.blockers()[0].message
}

const STACK: (&str, &str) = ("keywright:stack", "payments");
const NAME: (&str, &str) = ("keywright:key", "ledger");
const OWNER: (&str, &str) = ("keywright:owner", "7f9c2a52-9d0e-4d0a-8f53-0c7c4a1a9b11");
const STRANGER: (&str, &str) = ("keywright:owner", "11111111-2222-4333-8444-555555555555");

#[test]
fn an_adopted_key_gets_its_claim_then_its_tags_then_all_the_rest() {
    let world = World::new(wanting(vec![by_alias("alias/found")]));
    let arn = world.aws.add_key(EMPTY, &[("team", "blue")], &["alias/found"]);
    let plan = world.plan();
    let expected = [
        "CreateAlias",
        "TagResource",
        "PutKeyPolicy",
        "TagResource",
        "UpdateKeyDescription",
        "CreateAlias",
        "EnableKeyRotation",
    ];
    assert_eq!(calls(&plan), expected);
    let why: Vec<Why> = target(&plan).outcome.steps().iter().map(|step| step.why).collect();
    assert_eq!(why[..3], [Why::Adopted, Why::Adopted, Why::Differs]);
    assert!(!target(&plan).access.gains.is_empty(), "what the policy gives is said");
    assert_eq!(target(&plan).cost_per_month_delta, "0.00");
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
    assert_eq!(world.aws.state().keys[&arn.key_id()].tags["team"], "blue");
    // By its ARN it is the same.
    let world = World { state: wanting(vec![adopting(Adoption::Key(arn))]), ..world };
    assert!(is_in_sync(&world.plan()));
}

#[test]
fn a_key_with_two_names_is_adopted_once() {
    let other = DesiredKey { name: "orders".parse().unwrap(), aliases: Vec::new(), ..by_alias("alias/second") };
    let world = World::new(wanting(vec![by_alias("alias/first"), other]));
    world.aws.add_key(EMPTY, &[], &["alias/first", "alias/second"]);
    let plan = world.plan();
    assert_eq!(blocked_by(&plan), ["adopt-refused", "adopt-refused"]);
    assert!(message(&plan).contains("adopted by the key `orders`"), "{}", message(&plan));
}

#[test]
fn a_key_is_adopted_by_its_arn() {
    let world = World::new(wanting(Vec::new()));
    let arn = world.aws.add_key(EMPTY, &[], &[]);
    let world = World { state: wanting(vec![adopting(Adoption::Key(arn))]), ..world };
    assert_eq!(world.converge().exit(), Exit::Done);
    assert_eq!(world.aws.state().keys.len(), 1);
    world.assert_whole();
}

/// A name, the tags and aliases of the key that is named, what is changed on it, the code and a part of the message.
type AdoptionCase<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], fn(&mut FakeKey), &'a str, &'a str);

#[test]
fn what_cannot_become_ours_is_refused_and_nothing_is_made_in_its_place() {
    let cases: &[AdoptionCase] = &[
        ("AWS", &[], &[], |key| key.metadata.manager = KeyManager::Aws, "adopt-refused", "AWS manages"),
        ("deleting", &[], &[], |key| key.metadata.state = KeyState::PendingDeletion, "pending-deletion", ""),
        ("stack", &[("keywright:stack", "other")], &[], |_| {}, "adopt-refused", "the stack `other`"),
        ("owner", &[STACK, STRANGER], &[], |_| {}, "foreign-owner", ""),
        ("named", &[STACK, OWNER, ("keywright:key", "other")], &[], |_| {}, "adopt-refused", "is the key `other`"),
        ("stray", &[("keywright:stray", "x")], &[], |_| {}, "adopt-refused", "lost the race"),
        ("claimed", &[], &["alias/keywright/else/other"], |_| {}, "adopt-refused", "claimed by"),
        ("spec", &[], &[], |key| key.metadata.spec = KeySpec::Hmac256, "adopt-refused", "its spec is HMAC_256"),
        (
            "usage",
            &[],
            &[],
            |key| key.metadata.usage = KeyUsage::SignVerify,
            "adopt-refused",
            "its usage is SIGN_VERIFY",
        ),
        ("Regions", &[], &[], |key| key.metadata.multi_region = true, "adopt-refused", "its kind is multi-Region"),
    ];
    for (name, tags, aliases, change, code, part) in cases {
        let world = World::new(wanting(vec![by_alias("alias/found")]));
        let all: Vec<&str> = aliases.iter().copied().chain(["alias/found"]).collect();
        let id = world.aws.add_key(EMPTY, tags, &all).key_id();
        change(world.aws.state().keys.get_mut(&id).unwrap());
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), [*code], "{name}");
        assert!(message(&plan).contains(part), "{name}: {}", message(&plan));
        assert!(calls(&plan).is_empty() && world.apply(&plan).scopes.is_empty(), "{name}");
    }
    let plan = World::new(wanting(vec![by_alias("alias/nowhere")])).plan();
    assert_eq!(blocked_by(&plan), ["adopt-refused"]);
    assert!(message(&plan).contains("no such key"));
    let elsewhere = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
    assert_eq!(blocked_by(&World::new(wanting(vec![adopting(Adoption::Key(elsewhere))])).plan()), ["adopt-refused"]);
}

/// A name, what is changed behind the manifest's back, the code.
type RenamingCase<'a> = (&'a str, fn(&World), &'a str);

#[test]
fn a_name_that_was_cannot_be_two_keys() {
    let declared = World::new(wanting(vec![moved("ledger", "old"), sample::key("old")])).plan();
    assert!(blocked_by(&declared).contains(&"rename-refused"));
    // Where there is no key of the old name, there is nothing to rename.
    let fresh = World::new(wanting(vec![moved("ledger", "old")]));
    assert_eq!(calls(&fresh.plan())[0], "CreateKey");
    let cases: &[RenamingCase] = &[
        (
            "claim gone",
            |world| drop(world.aws.state().aliases.remove(&alias("alias/keywright/payments/old"))),
            "rename-refused",
        ),
        ("tag gone", |world| touch(world, |key| drop(key.tags.remove("keywright:key"))), "rename-refused"),
        (
            "owner",
            |world| touch(world, |key| drop(key.tags.insert(STRANGER.0.into(), STRANGER.1.into()))),
            "foreign-owner",
        ),
        ("deleting", |world| touch(world, |key| key.metadata.state = KeyState::PendingDeletion), "pending-deletion"),
    ];
    for (name, change, code) in cases {
        let world = settled(vec![sample::key("old")]);
        change(&world);
        let world = World { state: wanting(vec![moved("ledger", "old")]), ..world };
        assert_eq!(blocked_by(&world.plan()), [*code], "{name}");
    }
}

#[test]
fn a_renaming_is_found_when_one_key_is_asked_for() {
    let world = settled(vec![sample::key("old"), sample::key("other")]);
    let mut world = World { state: wanting(vec![moved("ledger", "old"), sample::key("other")]), ..world };
    world.options.only_keys = Some(BTreeSet::from(["ledger".parse().unwrap()]));
    assert_eq!(calls(&world.plan())[..2], ["CreateAlias", "TagResource"]);
    assert_eq!(target(&world.plan()).outcome.steps()[0].why, Why::Renamed);
}

#[test]
fn an_alias_of_somebody_else_is_taken_over_only_where_asked_and_where_kms_moves_it() {
    let asking = |takeover| DesiredKey { takeover, ..with_aliases("ledger", &["alias/theirs"]) };
    let world = World::new(wanting(vec![asking(Takeover::Never)]));
    let theirs = world.aws.add_key(EMPTY, &[], &["alias/theirs"]).key_id();
    assert_eq!(blocked_by(&world.plan()), ["alias-foreign"]);
    let world = World { state: wanting(vec![asking(Takeover::Asked)]), ..world };
    let plan = world.plan();
    let moves = target(&plan).outcome.steps().last().unwrap().clone();
    assert_eq!((moves.action.call(), moves.risk.name()), ("kms:UpdateAlias", "decrypt"));
    let change = moves.change.unwrap();
    assert_eq!(change.before, Some(format!("{theirs}, which is not ours")));
    assert_eq!(change.after.as_deref(), Some("ledger (new)"));
    world.aws.state().keys.get_mut(&theirs).unwrap().metadata.usage = KeyUsage::SignVerify;
    assert_eq!(blocked_by(&world.plan()), ["alias-mismatch"]);
    world.aws.state().keys.get_mut(&theirs).unwrap().metadata.usage = KeyUsage::EncryptDecrypt;
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn kms_moves_an_alias_between_keys_of_one_type_and_usage_whatever_their_states() {
    let rsa = KeyMaterial::Generated(KeyKind::new(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt).unwrap());
    let other = KeyMaterial::Generated(KeyKind::new(KeySpec::Rsa4096, KeyUsage::EncryptDecrypt).unwrap());
    let hmac = KeyMaterial::Generated(KeyKind::new(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac).unwrap());
    let symmetric = sample::key("x").material;
    for (from, to, moves) in [(&rsa, &other, true), (&rsa, &symmetric, false), (&hmac, &symmetric, false)] {
        let key = |name: &str, material: &KeyMaterial, aliases: &[&str]| DesiredKey {
            material: material.clone(),
            lifecycle: KeyLifecycle::Disabled,
            ..with_aliases(name, aliases)
        };
        let world = settled(vec![key("a", from, &["alias/a", "alias/x"]), key("b", to, &["alias/b"])]);
        let wanted = vec![key("a", from, &["alias/a"]), key("b", to, &["alias/b", "alias/x"])];
        let world = World { state: wanting(wanted), ..world };
        let plan = world.plan();
        if moves {
            assert_eq!(calls(&plan), ["UpdateAlias"]);
            assert_eq!(world.apply(&plan).exit(), Exit::Done);
        } else {
            assert_eq!(blocked_by(&plan), ["alias-mismatch"]);
        }
    }
}

#[test]
fn fifty_aliases_count_those_that_nobody_declared() {
    let world = settled(vec![sample::key("ledger")]);
    let id = first_key(&world);
    for number in 0..47 {
        world.aws.state().aliases.insert(alias(&format!("alias/hand-{number:02}")), id.clone());
    }
    let wanting_more = |names: &[&str], remove: &[&str]| {
        let own = std::iter::once("alias/payments/ledger").chain(names.iter().copied()).collect::<Vec<_>>();
        let key = with_aliases("ledger", &own);
        wanting(vec![DesiredKey { remove_aliases: remove.iter().map(|name| alias(name)).collect(), ..key }])
    };
    let plan = |names: &[&str], remove: &[&str]| World {
        state: wanting_more(names, remove),
        aws: world.aws.clone(),
        ..World::new(wanting(Vec::new()))
    };
    assert_eq!(calls(&plan(&["alias/more"], &[]).plan()), ["CreateAlias"]);
    let refused = plan(&["alias/more", "alias/most"], &[]).plan();
    assert_eq!(blocked_by(&refused), ["alias-limit"]);
    assert!(message(&refused).contains("would have 51 aliases"), "{}", message(&refused));
    assert!(target(&refused).outcome.blockers()[0].help.contains("`alias/hand-00`"));
    // There is room once one is gone, so it goes first.
    let room = plan(&["alias/more", "alias/most"], &["alias/hand-00"]);
    assert_eq!(calls(&room.plan()), ["DeleteAlias", "CreateAlias", "CreateAlias"]);
    assert_eq!(room.converge().exit(), Exit::Done);
    let full = room.plan();
    let near = &target(&full).quotas.near;
    assert_eq!(near.iter().map(|near| (near.what, near.used, near.limit)).collect::<Vec<_>>(), [("aliases", 50, 50)]);
}

#[test]
fn what_is_removed_must_be_on_the_key_and_no_claim() {
    let claim = "alias/keywright/payments/ledger";
    let remove = ["alias/theirs", "alias/nowhere", claim].map(alias).into();
    let world = settled(vec![sample::key("ledger")]);
    world.aws.add_key(EMPTY, &[], &["alias/theirs"]);
    let key = DesiredKey { remove_aliases: remove, ..sample::key("ledger") };
    let plan = World { state: wanting(vec![key]), ..world }.plan();
    assert!(is_in_sync(&plan));
    assert_eq!(findings(&plan), ["alias-foreign", "rotation-off"]);
}

#[test]
fn keys_that_nobody_declares_are_told_with_what_to_do() {
    let world = settled(vec![sample::key("old"), sample::key("kept")]);
    world.aws.add_key(EMPTY, &[STACK, NAME, STRANGER], &[]);
    let stays = vec![sample::key("kept")];
    let mut state = wanting(stays);
    let elsewhere = sample::target("us", "us-east-1", vec![sample::key("old")]);
    let nobody = World { state: state.clone(), aws: world.aws.clone(), ..World::new(wanting(Vec::new())) };
    let told = |plan: &Plan| -> Vec<(String, String)> {
        target(plan).orphans.iter().map(|orphan| (orphan.note.clone(), orphan.next.clone())).collect()
    };
    let orphans = told(&nobody.plan());
    assert!(
        orphans.iter().any(|(_, next)| next.contains("moved_from = \"old\"") && next.contains("retired")),
        "{orphans:?}"
    );
    assert!(orphans.iter().any(|(note, next)| note.contains("of another manifest") && next.contains("leave it")));
    state.targets.push(elsewhere);
    let moved_away = World { state, aws: world.aws.clone(), ..World::new(wanting(Vec::new())) };
    let orphans = told(&moved_away.plan());
    assert!(
        orphans.iter().any(|(note, next)| note.contains("other targets") && next.contains("add this target")),
        "{orphans:?}"
    );
    touch(&world, |key| key.metadata.state = KeyState::PendingDeletion);
    let orphans = told(&nobody.plan());
    assert!(orphans.iter().any(|(_, next)| next.starts_with("nothing to do: it is deleted")), "{orphans:?}");
}

#[test]
fn a_plan_of_drift_shows_every_difference_and_does_nothing() {
    let absent = DesiredKey { topology: Topology::Single, ..sample::key("new") };
    let world = settled(vec![ledger()]);
    touch(&world, |key| {
        key.metadata.description = "by hand".into();
        key.tags.insert("team".into(), "blue".into());
        key.policy = EMPTY.into();
    });
    let mut world = World { state: wanting(vec![ledger(), absent]), ..world };
    world.options.kind = PlanKind::Drift;
    let plan = world.plan();
    assert!(is_in_sync(&plan) && plan.has_drift());
    let what: Vec<&str> = target(&plan).drift.iter().map(|drift| drift.what.as_str()).collect();
    assert_eq!(what, ["tag team is not declared", "description differs", "policy differs", "it does not exist"]);
    let json = plan_to_json(&plan);
    assert_eq!(json["kind"], "drift");
    assert_eq!(json["targets"][0]["drift"][1]["live"], "by hand");
    assert_eq!(json["summary"]["drift"], 4);
    assert_eq!(world.apply(&plan).scopes, Vec::new());
}

#[test]
fn what_an_older_manifest_would_change_back_too_was_changed_outside() {
    let world = settled(vec![ledger()]);
    touch(&world, |key| {
        key.metadata.description = "by hand".into();
        key.rotation = crate::live::LiveRotation::Off;
    });
    let older = world.plan();
    let newer = DesiredKey { auditors: vec![sample::role("compliance")], ..ledger() };
    let world = World { state: wanting(vec![newer]), ..world };
    let mut plan = world.plan();
    let digest = plan.digest.clone();
    assert!(plan_to_json(&plan)["targets"][0]["steps"][0].get("cause").is_none());
    crate::plan::tell_causes(&mut plan, &older);
    let causes: Vec<_> = plan_to_json(&plan)["targets"][0]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["cause"].clone())
        .collect();
    assert_eq!(calls(&plan), ["PutKeyPolicy", "UpdateKeyDescription", "EnableKeyRotation"]);
    assert_eq!(causes, ["intended", "drift", "drift"]);
    assert_eq!(plan.digest, digest, "an approval does not depend on it");
}
