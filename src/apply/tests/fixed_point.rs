//! From any live state and for any wish: a ready plan leads to the wish in one go, and a blocked one changes nothing.

use super::world::{World, rotating};
use crate::desired::{DesiredKey, DesiredState, KeyLifecycle, RoleKind};
use crate::exit::Exit;
use crate::ids::{AliasName, KeyId};
use crate::kms::KeyState;
use crate::live::LiveRotation;
use crate::plan::{Action, Outcome, Plan, plan_to_json};
use crate::ports::fake::FakeState;
use crate::source::Located;
use crate::synth::sample;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 3] = ["archive", "ledger", "tokens"];

/// A key as some manifest wants it.
#[derive(Debug, Clone)]
struct Wish {
    description: Option<u8>,
    days: Option<i64>,
    rests: bool,
    /// Which of the shared aliases it wants besides its own, if free.
    shared: BTreeSet<u8>,
    tag: Option<u8>,
    auditor: bool,
}

fn wish() -> impl Strategy<Value = Option<Wish>> {
    let description = prop::option::of(0_u8..3);
    let days = prop::option::of(prop::sample::select(vec![90_i64, 365]));
    let shared = prop::collection::btree_set(0_u8..3, 0..3);
    let all = (description, days, any::<bool>(), shared, prop::option::of(0_u8..2), any::<bool>());
    prop::option::weighted(
        0.8,
        all.prop_map(|(description, days, rests, shared, tag, auditor)| Wish {
            description,
            days,
            rests,
            shared,
            tag,
            auditor,
        }),
    )
}

fn manifest(wishes: &[Option<Wish>]) -> DesiredState {
    let mut taken = BTreeSet::new();
    let keys = NAMES.iter().zip(wishes).filter_map(|(name, wish)| Some(key(name, wish.as_ref()?, &mut taken)));
    let roles = vec![super::world::task_role("key-admin", RoleKind::KeyAdmin)];
    sample::state(vec![sample::target("prod", "eu-west-1", keys.collect())], roles)
}

fn key(name: &str, wish: &Wish, taken: &mut BTreeSet<u8>) -> DesiredKey {
    let base = wish.days.map_or_else(|| sample::key(name), |days| rotating(name, days));
    let free = wish.shared.iter().filter(|alias| taken.insert(**alias)).map(|alias| format!("alias/shared-{alias}"));
    let aliases = free.chain([format!("alias/payments/{name}")]);
    DesiredKey {
        description: wish.description.map(|number| format!("words {number}")),
        aliases: aliases.map(|alias| Located::new(alias.parse().unwrap(), sample::loc())).collect(),
        lifecycle: if wish.rests { KeyLifecycle::Disabled } else { KeyLifecycle::Enabled },
        tags: wish.tag.map(|tag| ("data".to_owned(), tag.to_string())).into_iter().collect(),
        auditors: wish.auditor.then(|| sample::role("compliance")).into_iter().collect(),
        ..base
    }
}

/// Something that happens to a key behind keywright's back.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    Disable,
    Enable,
    Describe,
    DropAlias,
    DropClaim,
    AddAlias,
    DropName,
    ChangeOwner,
    ChangeTag,
    OtherPolicy,
    SamePolicyOtherText,
    Delete,
    RotationOff,
    RotationOdd,
    Stray,
}

const MISHAPS: [Mishap; 15] = [
    Mishap::Disable,
    Mishap::Enable,
    Mishap::Describe,
    Mishap::DropAlias,
    Mishap::DropClaim,
    Mishap::AddAlias,
    Mishap::DropName,
    Mishap::ChangeOwner,
    Mishap::ChangeTag,
    Mishap::OtherPolicy,
    Mishap::SamePolicyOtherText,
    Mishap::Delete,
    Mishap::RotationOff,
    Mishap::RotationOdd,
    Mishap::Stray,
];

fn happen(mishap: Mishap, id: &KeyId, state: &mut FakeState) {
    let own = |state: &FakeState, claim: bool| -> Option<AliasName> {
        state
            .aliases
            .iter()
            .find(|(alias, key)| *key == id && alias.is_claim() == claim)
            .map(|(alias, _)| alias.clone())
    };
    if matches!(mishap, Mishap::DropAlias | Mishap::DropClaim) {
        if let Some(alias) = own(state, matches!(mishap, Mishap::DropClaim)) {
            state.aliases.remove(&alias);
        }
        return;
    }
    if matches!(mishap, Mishap::AddAlias) {
        state.aliases.entry("alias/by-hand".parse().unwrap()).or_insert_with(|| id.clone());
        return;
    }
    let key = state.keys.get_mut(id).unwrap();
    let mut tag = |name: &str, value: &str| key.tags.insert(name.to_owned(), value.to_owned());
    match mishap {
        Mishap::Disable => key.metadata.state = KeyState::Disabled,
        Mishap::Enable => key.metadata.state = KeyState::Enabled,
        Mishap::Delete => key.metadata.state = KeyState::PendingDeletion,
        Mishap::Describe => key.metadata.description = "by hand".to_owned(),
        Mishap::DropName => drop(key.tags.remove("keywright:key")),
        Mishap::ChangeOwner => drop(tag("keywright:owner", "11111111-2222-4333-8444-555555555555")),
        Mishap::ChangeTag => drop(tag("data", "by hand")),
        Mishap::Stray => drop(tag("keywright:stray", "00000000-0000-4000-8000-000000000099")),
        Mishap::OtherPolicy => key.policy = r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
        Mishap::SamePolicyOtherText => key.policy = key.policy.replace("\"Sid\": \"", "\"Sid\": \"X"),
        Mishap::RotationOff => key.rotation = LiveRotation::Off,
        Mishap::RotationOdd => key.rotation = LiveRotation::On { days: Some(720) },
        Mishap::DropAlias | Mishap::DropClaim | Mishap::AddAlias => {}
    }
}

/// The live state before: made by an earlier manifest, and then touched by others.
fn live(earlier: &[Option<Wish>], mishaps: &[(Mishap, prop::sample::Index)]) -> World {
    let world = World::new(manifest(earlier));
    assert_eq!(world.converge().exit(), Exit::Done);
    world.aws.add_key(r#"{"Version":"2012-10-17","Statement":[]}"#, &[("team", "other")], &["alias/shared-2-other"]);
    let ids: Vec<KeyId> = world.aws.state().keys.keys().cloned().collect();
    for (mishap, index) in mishaps {
        happen(*mishap, index.get(&ids), &mut world.aws.state());
    }
    world
}

/// Rules of every plan, written apart from the planner and from its own check.
fn assert_lawful(plan: &Plan, before: &FakeState) {
    let steps = || plan.targets[0].outcome.steps().iter();
    for step in steps() {
        let call = step.action.call();
        assert!(!call.contains("Delete") && !call.contains("Schedule"), "{call}");
        if let Action::CreateKey { key, .. } = &step.action {
            let tagged = |found: &crate::ports::fake::FakeKey| {
                found.tags.get("keywright:key").is_some_and(|name| name == key.as_str())
                    && !found.tags.contains_key("keywright:stray")
            };
            let twin = before.keys.values().any(tagged);
            assert!(!twin || matches!(plan.targets[0].outcome, Outcome::Blocked { .. }), "a twin of {key}");
        }
        if let Action::UpdateAlias { from, .. } = &step.action {
            assert_eq!(before.keys[from].tags["keywright:stack"], "payments");
        }
    }
    let codes = plan.targets[0].outcome.blockers().iter().map(|blocker| blocker.kind.0.name());
    assert!(codes.into_iter().all(|code| code != "plan-check"), "{:#}", plan_to_json(plan));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_apply_leads_to_the_wish_or_changes_nothing(
        earlier in prop::collection::vec(wish(), 3),
        wishes in prop::collection::vec(wish(), 3),
        mishaps in prop::collection::vec((prop::sample::select(MISHAPS.to_vec()), any::<prop::sample::Index>()), 0..4),
    ) {
        let world = World { state: manifest(&wishes), ..live(&earlier, &mishaps) };
        let plan = world.plan();
        assert_lawful(&plan, &world.aws.state());
        let again = world.plan();
        prop_assert_eq!(&plan.digest, &again.digest);
        prop_assert_eq!(plan_to_json(&plan).to_string(), plan_to_json(&again).to_string());
        let before: BTreeMap<_, _> = world.aws.state().keys.iter().map(|(id, key)| (id.clone(), format!("{key:?}"))).collect();
        let report = world.apply(&plan);
        let second = world.plan();
        match &plan.targets[0].outcome {
            Outcome::Blocked { .. } => {
                let after: BTreeMap<_, _> = world.aws.state().keys.iter().map(|(id, key)| (id.clone(), format!("{key:?}"))).collect();
                prop_assert_eq!(before, after);
            }
            Outcome::InSync | Outcome::Ready(_) => {
                prop_assert_eq!(report.exit(), Exit::Done, "{:#?}", report);
                prop_assert!(matches!(second.targets[0].outcome, Outcome::InSync), "{:#}", plan_to_json(&second));
            }
        }
    }
}
