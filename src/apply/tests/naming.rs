//! Adopted and renamed keys, and aliases that move: interrupted anywhere, running again completes it; and whatever the
//! aliases and tags are, none of a key that is not ours is touched.

use super::wire::Fault;
use super::world::{World, is_in_sync, rotating};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{Adoption, DesiredKey, DesiredState, TagReach, Takeover};
use crate::exit::Exit;
use crate::ids::{AliasName, KeyId};
use crate::kms::{KeySpec, KeyUsage};
use crate::plan::{Action, Outcome, Plan, plan_to_json};
use crate::ports::PortErrorKind;
use crate::ports::fake::FakeState;
use crate::source::Located;
use crate::synth::sample;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;
const CLAIM: &str = "alias/keywright/payments/ledger";

const FAULTS: &[Fault] = &[
    Fault::Refused(PortErrorKind::Denied),
    Fault::Refused(PortErrorKind::Unreachable),
    Fault::Lost(PortErrorKind::Unknown),
    Fault::Lost(PortErrorKind::Transient),
    Fault::DiesBefore,
    Fault::DiesAfter,
];

fn wanting(keys: Vec<DesiredKey>) -> DesiredState {
    sample::state(vec![sample::target("prod", "eu-west-1", keys)], Vec::new())
}

fn alias(name: &str) -> AliasName {
    name.parse().unwrap()
}

fn with_aliases(key: DesiredKey, aliases: &[&str]) -> DesiredKey {
    DesiredKey { aliases: aliases.iter().map(|name| Located::new(alias(name), sample::loc())).collect(), ..key }
}

fn adopting(name: &str) -> DesiredKey {
    DesiredKey { adopt: Some(Located::new(Adoption::Alias(alias(name)), sample::loc())), ..rotating("ledger", 180) }
}

fn renamed(old: &str) -> DesiredKey {
    DesiredKey {
        moved_from: Some(Located::new(old.parse().unwrap(), sample::loc())),
        ..with_aliases(rotating("ledger", 180), &["alias/payments/old"])
    }
}

/// A world with somebody's key that the manifest adopts.
fn before_adoption() -> World {
    let world = World::new(wanting(vec![adopting("alias/by-hand")]));
    world.aws.add_key(NOTHING, &[("team", "blue")], &["alias/by-hand"]);
    world
}

/// A world whose manifest gives a key another name.
fn before_renaming() -> World {
    let world = World::new(wanting(vec![rotating("old", 180)]));
    assert_eq!(world.converge().exit(), Exit::Done);
    World { state: wanting(vec![renamed("old")]), ..world }
}

/// Whatever befalls whichever write, another run completes it, from this machine or another, and makes no key.
fn every_fault_is_repaired(before: fn() -> World) {
    let whole = before();
    let start = whole.writes();
    assert_eq!(whole.converge().exit(), Exit::Done);
    whole.assert_whole();
    let writes = whole.writes() - start;
    assert!(writes >= 3, "{writes}");
    for number in 0..writes {
        for fault in FAULTS {
            let world = before();
            let _first = world.apply_with(&world.plan(), Some((number, *fault)));
            let world = if number % 2 == 0 { world.elsewhere() } else { world };
            assert_eq!(world.converge().exit(), Exit::Done, "{fault:?} at {number}");
            assert_eq!(world.aws.state().keys.len(), 1, "{fault:?} at {number}");
            world.assert_whole();
            let claims: Vec<AliasName> =
                world.aws.state().aliases.keys().filter(|alias| alias.is_claim()).cloned().collect();
            assert_eq!(claims, [alias(CLAIM)], "{fault:?} at {number}");
        }
    }
}

#[test]
fn an_interrupted_adoption_is_continued() {
    every_fault_is_repaired(before_adoption);
}

#[test]
fn an_interrupted_renaming_is_continued() {
    every_fault_is_repaired(before_renaming);
}

#[test]
fn a_renamed_key_loses_nothing_and_its_old_name_is_free() {
    let world = before_renaming();
    let before = world.aws.state().keys.values().next().unwrap().clone();
    let plan = world.plan();
    let calls: Vec<&str> = plan.targets[0].outcome.steps().iter().map(|step| step.action.call()).collect();
    assert_eq!(calls, ["kms:CreateAlias", "kms:TagResource", "kms:DeleteAlias"]);
    assert!(plan.targets[0].access.gains.is_empty() && plan.targets[0].access.losses.is_empty());
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    let after = world.aws.state().keys.values().next().unwrap().clone();
    assert_eq!((before.policy, before.rotation), (after.policy, after.rotation));
    // The next key of that name is a new one, also while `moved_from` is still written.
    let both = World { state: wanting(vec![rotating("ledger", 180), sample::key("old")]), ..world };
    let aliases = |key: DesiredKey, name: &str| with_aliases(key, &[name]);
    let state =
        wanting(vec![aliases(rotating("ledger", 180), "alias/payments/old"), aliases(sample::key("old"), "alias/new")]);
    let both = World { state, ..both };
    assert_eq!(both.converge().exit(), Exit::Done);
    assert_eq!(both.aws.state().keys.len(), 2);
}

#[test]
fn an_adopted_key_that_moved_on_stays_who_it_is() {
    let world = before_adoption();
    assert_eq!(world.converge().exit(), Exit::Done);
    let own = world.aws.state().aliases[&alias(CLAIM)].clone();
    let other = world.aws.add_key(NOTHING, &[], &[]).key_id();
    world.aws.state().aliases.insert(alias("alias/by-hand"), other);
    assert!(is_in_sync(&world.plan()), "the claim alias and the tags tell, not `adopt`");
    assert_eq!(world.aws.state().aliases[&alias(CLAIM)], own);
}

#[test]
fn aliases_move_in_one_call_and_are_removed_where_asked() {
    let before = vec![
        with_aliases(sample::key("a"), &["alias/one", "alias/gone", "alias/moves"]),
        with_aliases(sample::key("b"), &["alias/two"]),
    ];
    let world = World::new(wanting(before));
    assert_eq!(world.converge().exit(), Exit::Done);
    let remove = BTreeSet::from([alias("alias/gone"), alias("alias/moves")]);
    let after = vec![
        DesiredKey { remove_aliases: remove, ..with_aliases(sample::key("a"), &["alias/two"]) },
        with_aliases(sample::key("b"), &["alias/one", "alias/moves"]),
    ];
    let world = World { state: wanting(after), ..world };
    let plan = world.plan();
    let calls: Vec<&str> = plan.targets[0].outcome.steps().iter().map(|step| step.action.call()).collect();
    assert_eq!(calls, ["kms:UpdateAlias", "kms:DeleteAlias", "kms:UpdateAlias", "kms:UpdateAlias"]);
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
    assert!(!world.aws.state().aliases.contains_key(&alias("alias/gone")));
}

/// A key of the wish.
#[derive(Debug, Clone)]
struct Wish {
    aliases: BTreeSet<u8>,
    removes: BTreeSet<u8>,
    takeover: Takeover,
    tags: TagReach,
    asymmetric: bool,
    adopts: Option<u8>,
    moved: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    let few = || prop::collection::btree_set(0_u8..6, 0..4);
    let rare = || prop::bool::weighted(0.2);
    let takeover = prop_oneof![Just(Takeover::Never), Just(Takeover::Asked)];
    let tags = prop_oneof![Just(TagReach::Declared), Just(TagReach::All)];
    (few(), few(), takeover, tags, rare(), prop::option::weighted(0.3, 0_u8..6), rare()).prop_map(
        |(aliases, removes, takeover, tags, asymmetric, adopts, moved)| Wish {
            aliases,
            removes,
            takeover,
            tags,
            asymmetric,
            adopts,
            moved,
        },
    )
}

fn shared(number: u8) -> AliasName {
    alias(&format!("alias/shared-{number}"))
}

/// The manifest of two keys; an alias is the first's that wants it.
fn manifest(wishes: &[Wish]) -> DesiredState {
    let mut taken = BTreeSet::new();
    let keys = ["ledger", "tokens"].iter().zip(wishes).map(|(name, wish)| {
        let own = alias(&format!("alias/payments/{name}"));
        let wanted = wish.aliases.iter().filter(|number| taken.insert(**number)).map(|number| shared(*number));
        let aliases: Vec<_> = wanted.chain([own]).map(|alias| Located::new(alias, sample::loc())).collect();
        let declared: BTreeSet<_> = aliases.iter().map(|alias| alias.value.clone()).collect();
        let kind = crate::desired::KeyKind::new(KeySpec::Rsa2048, KeyUsage::SignVerify).unwrap();
        let base = sample::key(name);
        DesiredKey {
            aliases,
            remove_aliases: wish
                .removes
                .iter()
                .map(|number| shared(*number))
                .filter(|a| !declared.contains(a))
                .collect(),
            takeover: wish.takeover,
            tag_reach: wish.tags,
            adopt: wish.adopts.map(|number| Located::new(Adoption::Alias(shared(number)), sample::loc())),
            moved_from: wish.moved.then(|| Located::new(format!("old-{name}").parse().unwrap(), sample::loc())),
            material: if wish.asymmetric {
                crate::desired::KeyMaterial::Generated(kind)
            } else {
                base.material.clone()
            },
            ..base
        }
    });
    wanting(keys.collect())
}

/// A live key: how much of whose tags and claim it has, and which of the shared aliases.
#[derive(Debug, Clone)]
struct Found {
    stack: Option<bool>,
    owner: Option<bool>,
    name: Option<u8>,
    /// The name of its claim alias; most often that of its tag.
    claimed: Option<u8>,
    aliases: BTreeSet<u8>,
    team: bool,
    asymmetric: bool,
}

const NAMES: [&str; 4] = ["ledger", "tokens", "old-ledger", "other"];

fn found() -> impl Strategy<Value = Found> {
    let own = || prop_oneof![8 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)];
    let name = || prop::option::weighted(0.9, 0_u8..4);
    let claim = prop_oneof![8 => Just(None), 1 => name().prop_map(Some)];
    let aliases = prop::collection::btree_set(0_u8..6, 0..4);
    let ours = (own(), own(), name(), claim, aliases, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(stack, owner, name, claim, aliases, team, asymmetric)| Found {
            stack,
            owner,
            name,
            claimed: claim.unwrap_or(name),
            aliases,
            team,
            asymmetric,
        },
    );
    let nobodys = prop::collection::btree_set(0_u8..6, 0..4).prop_map(|aliases| Found {
        stack: None,
        owner: None,
        name: None,
        claimed: None,
        aliases,
        team: true,
        asymmetric: false,
    });
    prop_oneof![2 => ours, 1 => nobodys]
}

fn live(state: DesiredState, keys: &[Found]) -> World {
    let owner = state.owner.to_string();
    let world = World::new(state);
    for found in keys {
        let mut tags = vec![("aws:created-by", "somebody")];
        tags.extend(found.stack.map(|own| (TAG_STACK, if own { "payments" } else { "other" })));
        tags.extend(
            found
                .owner
                .map(|own| (TAG_OWNER, if own { owner.as_str() } else { "11111111-2222-4333-8444-555555555555" })),
        );
        tags.extend(found.name.map(|name| (TAG_KEY, NAMES[usize::from(name)])));
        tags.extend(found.team.then_some(("team", "blue")));
        let arn = world.aws.add_key(NOTHING, &tags, &[]);
        let mut state = world.aws.state();
        for number in &found.aliases {
            state.aliases.entry(shared(*number)).or_insert_with(|| arn.key_id());
        }
        if let Some(name) = found.claimed {
            let claim = alias(&format!("alias/keywright/payments/{}", NAMES[usize::from(name)]));
            state.aliases.entry(claim).or_insert_with(|| arn.key_id());
        }
        if found.asymmetric {
            let metadata = &mut state.keys.get_mut(&arn.key_id()).unwrap().metadata;
            (metadata.spec, metadata.usage) = (KeySpec::Rsa2048, KeyUsage::SignVerify);
        }
    }
    world
}

/// Whether a key is ours beyond doubt: all three tags, and the claim alias of that very name.
fn is_ours(id: &KeyId, state: &FakeState, owner: &str) -> bool {
    let tags = &state.keys[id].tags;
    let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
    let claim = tags.get(TAG_KEY).map(|name| alias(&format!("alias/keywright/payments/{name}")));
    is(TAG_STACK, "payments")
        && is(TAG_OWNER, owner)
        && claim.is_some_and(|claim| state.aliases.get(&claim) == Some(id))
}

/// Each alias that a plan touches is new, or names a key of ours, or one that the manifest takes it from or adopts.
fn assert_hands_off(plan: &Plan, world: &World) {
    let state = world.aws.state();
    let owner = world.state.owner.to_string();
    for step in plan.targets[0].outcome.steps() {
        let crate::plan::Owner::Key(name) = &step.owner else { panic!("a key's step") };
        let wanted = world.state.targets[0].keys.iter().find(|key| key.name == *name).unwrap();
        if let Action::UpdateAlias { alias, from, .. } = &step.action {
            assert!(!alias.is_claim());
            assert_eq!(&state.aliases[alias], from);
            assert!(wanted.takeover == Takeover::Asked || is_ours(from, &state, &owner), "{step:#?}");
        } else if let Action::DeleteAlias { alias, .. } = &step.action {
            let bound = plan.targets[0].keys[name].key_id();
            assert_eq!(state.aliases[alias], bound);
            let old = wanted.moved_from.as_ref().map(|old| AliasName::claim(&world.state.stack, &old.value));
            assert!(wanted.remove_aliases.contains(alias) || old.as_ref() == Some(alias), "{step:#?}");
        } else if let Action::CreateAlias { alias, .. } = &step.action {
            assert!(!state.aliases.contains_key(alias), "{step:#?}");
        } else if let Action::UntagKey { tag_keys, .. } = &step.action {
            assert!(tag_keys.iter().all(|tag| !tag.starts_with("aws:") && !tag.starts_with("keywright:")));
        } else if let Action::CreateKey { .. } = &step.action {
            assert!(wanted.adopt.is_none(), "an adoption never makes a key");
        }
    }
    let codes: Vec<_> = plan.targets[0].outcome.blockers().iter().map(|blocker| blocker.kind.0.name()).collect();
    assert!(!codes.contains(&"plan-check"), "{:#}", plan_to_json(plan));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_aliases_and_tags_foreign_ones_stay_and_a_second_plan_is_empty(
        wishes in prop::collection::vec(wish(), 2),
        keys in prop::collection::vec(found(), 0..4),
    ) {
        let world = live(manifest(&wishes), &keys);
        let plan = world.plan();
        assert_hands_off(&plan, &world);
        let untouched: BTreeMap<AliasName, KeyId> = world.aws.state().aliases.clone();
        let report = world.apply(&plan);
        match &plan.targets[0].outcome {
            Outcome::Blocked { .. } => prop_assert_eq!(&untouched, &world.aws.state().aliases),
            Outcome::InSync | Outcome::Ready(_) => {
                prop_assert_eq!(report.exit(), Exit::Done, "{:#?}", report);
                let second = world.plan();
                prop_assert!(matches!(second.targets[0].outcome, Outcome::InSync), "{:#}\n{:#}", plan_to_json(&plan), plan_to_json(&second));
            }
        }
    }
}
