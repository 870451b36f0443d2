//! The life of imported material, as planned and applied: whatever befalls whichever call, running again ends with the
//! same materials, and nothing is rotated twice.

use super::families::{self, FAULTS, TARGETS, lean, rewritten, wanting, with};
use super::wire::{Fault, Lagging};
use super::world::{World, is_in_sync};
use crate::desired::tags::TAG_VALIDITY;
use crate::desired::{
    DesiredKey, DesiredMaterial, DesiredState, Import, KeyKind, KeyLifecycle, KeyMaterial, MaterialEncoding,
    MaterialPresence, MaterialSource, Validity,
};
use crate::exit::Exit;
use crate::kms::{KeySpec, KeyState, KeyUsage, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{Expiry, LivePresence, MaterialStanding};
use crate::plan::{Outcome, Plan, plan_to_json};
use crate::ports::PortErrorKind;
use crate::ports::fake::FakeKey;
use crate::report::{ApplyReport, StepResult};
use crate::synth::sample;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

/// What a manifest says of the material of a key.
#[derive(Debug, Clone, Copy)]
struct Wish {
    names: &'static [&'static str],
    days: Option<u16>,
    presence: MaterialPresence,
    lifecycle: KeyLifecycle,
}

const ONE: Wish =
    Wish { names: &["2025"], days: Some(180), presence: MaterialPresence::Imported, lifecycle: KeyLifecycle::Enabled };
const TWO: Wish = Wish { names: &["2025", "2026"], ..ONE };
const THREE: Wish = Wish { names: &["2025", "2026", "2027"], ..ONE };
const DELETED: Wish = Wish { presence: MaterialPresence::Deleted, ..TWO };

fn validity(days: Option<u16>) -> Validity {
    days.map_or(Validity::Never, |days| Validity::Days { days, reimport_before: 30.min(days / 2).max(1) })
}

fn key(name: &str, spec: KeySpec, usage: KeyUsage, wish: Wish) -> DesiredKey {
    let material = |name: &&str| DesiredMaterial {
        name: name.parse().unwrap(),
        source: MaterialSource::File { path: format!("{name}.bin"), encoding: MaterialEncoding::Raw },
    };
    let import = Import {
        validity: validity(wish.days),
        algorithm: WrappingAlgorithm::default_for(spec).unwrap(),
        wrapping_key: WrappingKeySpec::Rsa4096,
        materials: wish.names.iter().map(material).collect(),
        presence: wish.presence,
    };
    DesiredKey {
        material: KeyMaterial::Imported { kind: KeyKind::new(spec, usage).unwrap(), import: Some(import) },
        lifecycle: wish.lifecycle,
        deleters: vec![sample::role("keywright-deployer")],
        delegation: crate::desired::Delegation::RootUser,
        ..sample::key(name)
    }
}

fn symmetric(name: &str, wish: Wish) -> DesiredKey {
    key(name, KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt, wish)
}

fn manifest(wish: Wish) -> DesiredState {
    sample::state(vec![sample::target("prod", "eu-west-1", vec![symmetric("ledger", wish)])], Vec::new())
}

fn consenting(mut world: World) -> World {
    world.options.delete_material = ["ledger".parse().unwrap(), "sessions".parse().unwrap()].into();
    world
}

fn new_world(wish: Wish) -> World {
    consenting(World::new(manifest(wish)))
}

fn only(world: &World) -> FakeKey {
    let state = world.aws.state();
    assert_eq!(state.keys.len(), 1, "never a second key");
    state.keys.values().next().unwrap().clone()
}

/// The names of the materials in the order in which the key came to use them; no other is there.
fn names(key: &FakeKey) -> Vec<String> {
    key.materials.iter().map(|material| material.description.clone().unwrap_or_default()).collect()
}

/// The key has what a manifest wants, each material once, and was rotated to each but the first once.
#[track_caller]
fn assert_has(key: &FakeKey, wish: Wish, what: &str) {
    assert_eq!(names(key), wish.names, "{what}");
    assert_eq!(key.rotations.on_demand(), wish.names.len() - 1, "{what}: {:?}", key.rotations);
    let (last, earlier) = key.materials.split_last().unwrap();
    assert_eq!(last.standing, MaterialStanding::Current, "{what}");
    assert!(earlier.iter().all(|material| material.standing == MaterialStanding::NonCurrent), "{what}");
    let there = |presence: LivePresence| match (presence, wish.presence) {
        (LivePresence::Imported(expiry), MaterialPresence::Imported) => {
            matches!((expiry, wish.days), (Expiry::Never, None) | (Expiry::At(_), Some(_)))
        }
        (LivePresence::Missing, MaterialPresence::Deleted) => true,
        (LivePresence::Imported(_) | LivePresence::Missing, _) => false,
    };
    assert!(key.materials.iter().all(|material| there(material.presence)), "{what}: {:?}", key.materials);
    let state = match (wish.presence, wish.lifecycle) {
        (MaterialPresence::Deleted, _) => KeyState::PendingImport,
        (MaterialPresence::Imported, KeyLifecycle::Enabled) => KeyState::Enabled,
        (MaterialPresence::Imported, KeyLifecycle::Disabled | KeyLifecycle::Retired) => KeyState::Disabled,
    };
    assert_eq!(key.metadata.state, state, "{what}");
}

/// The stages of a life, each a run: days that pass before, and what is wanted.
const STAGES: [(i64, Wish); 9] = [
    (0, TWO),
    // It expires soon.
    (160, TWO),
    (10, THREE),
    // All of it has expired, and it comes back.
    (300, THREE),
    (1, Wish { names: THREE.names, ..DELETED }),
    (40, THREE),
    (1, Wish { days: None, ..THREE }),
    (1, Wish { days: Some(365), lifecycle: KeyLifecycle::Disabled, ..THREE }),
    // It expires while the key is disabled.
    (365, Wish { days: Some(365), lifecycle: KeyLifecycle::Disabled, ..THREE }),
];

fn enter(world: &mut World, (days, wish): (i64, Wish)) {
    world.pass(days);
    world.state = manifest(wish);
}

fn steps(plan: &Plan) -> Vec<&str> {
    let steps = plan.targets.iter().flat_map(|target| target.outcome.steps());
    steps.map(|step| step.action.call().trim_start_matches("kms:")).collect()
}

#[test]
fn material_lives_expires_and_comes_back() {
    let mut world = new_world(TWO);
    let mut ids = Vec::new();
    for (number, stage) in STAGES.into_iter().enumerate() {
        enter(&mut world, stage);
        let plan = world.plan();
        let report = world.apply(&plan);
        assert_eq!(report.exit(), Exit::Done, "{number}: {report:#?}");
        let key = only(&world);
        assert_has(&key, stage.1, &format!("{number}: {:#}", plan_to_json(&plan)));
        let now: Vec<_> = key.materials.iter().map(|material| material.id.clone()).collect();
        assert!(now.starts_with(&ids), "the same materials all along");
        ids = now;
        let plan = world.plan();
        assert!(is_in_sync(&plan), "{number}: {:#}", plan_to_json(&plan));
    }
    assert_eq!(only(&world).tags[TAG_VALIDITY], "365 days");
    let sent = |call| world.aws.count(call);
    assert_eq!(sent("kms:GetParametersForImport"), sent("kms:ImportKeyMaterial"));
}

/// Runs again until nothing is left; the first of these runs may have to wait for a claim to be given up.
fn settle(world: &World, what: &str) {
    for _ in 0..3 {
        let plan = world.plan();
        if is_in_sync(&plan) {
            return;
        }
        let blocked = plan.targets.iter().any(|target| matches!(target.outcome, Outcome::Blocked { .. }));
        assert!(!blocked, "{what}: {:#}", plan_to_json(&plan));
        let again = world.apply(&plan);
        assert!([Exit::Done, Exit::Unconfirmed].contains(&again.exit()), "{what}: {again:#?}");
        world.machine.advance(Duration::from_mins(6));
    }
    let plan = world.plan();
    assert!(is_in_sync(&plan), "{what}: {:#}", plan_to_json(&plan));
}

fn before(index: usize) -> World {
    let mut world = new_world(TWO);
    for stage in &STAGES[..index] {
        enter(&mut world, *stage);
        assert_eq!(world.converge().exit(), Exit::Done);
    }
    enter(&mut world, STAGES[index]);
    world
}

#[test]
fn every_fault_at_every_call_of_a_life_is_repaired_by_running_again() {
    for (index, (_, wish)) in STAGES.into_iter().enumerate() {
        let whole = before(index);
        let sent = whole.writes();
        assert_eq!(whole.converge().exit(), Exit::Done);
        for number in 0..whole.writes() - sent {
            for fault in FAULTS {
                let what = format!("stage {index}, {fault:?} at {number}");
                let world = before(index);
                let first = world.apply_with(&world.plan(), Some((number, *fault)));
                let exit = first.as_ref().map(ApplyReport::exit);
                let expected: &[Option<Exit>] = match fault {
                    Fault::DiesBefore | Fault::DiesAfter => &[None],
                    Fault::Lost(_) => &[Some(Exit::Done), Some(Exit::Unconfirmed)],
                    Fault::Refused(PortErrorKind::Throttled) => {
                        &[Some(Exit::Done), Some(Exit::Partial), Some(Exit::Failed)]
                    }
                    Fault::Refused(_) => &[Some(Exit::Partial), Some(Exit::Failed)],
                };
                assert!(expected.contains(&exit), "{what}: {first:#?}");
                settle(&world, &what);
                assert_has(&only(&world), wish, &what);
            }
        }
    }
}

#[test]
fn other_kinds_have_one_material_that_expires_and_comes_back() {
    let kinds = [(KeySpec::Hmac384, KeyUsage::GenerateVerifyMac), (KeySpec::Rsa2048, KeyUsage::SignVerify)];
    for (spec, usage) in kinds {
        let state = |wish| {
            sample::state(vec![sample::target("prod", "eu-west-1", vec![key("ledger", spec, usage, wish)])], Vec::new())
        };
        let mut world = consenting(World::new(state(ONE)));
        for (days, wish) in [(0, ONE), (170, ONE), (200, ONE), (0, Wish { names: ONE.names, ..DELETED }), (1, ONE)] {
            world.pass(days);
            world.state = state(wish);
            let plan = world.plan();
            let report = world.apply(&plan);
            assert_eq!(report.exit(), Exit::Done, "{spec}: {report:#?}");
            let there = wish.presence == MaterialPresence::Imported;
            let wanted = if there { KeyState::Enabled } else { KeyState::PendingImport };
            assert_eq!(only(&world).metadata.state, wanted, "{spec}");
            assert_eq!(only(&world).materials.len(), 1);
            assert!(is_in_sync(&world.plan()), "{spec}: {:#}", plan_to_json(&world.plan()));
        }
    }
}

#[test]
fn a_new_key_that_shows_late_gets_its_materials_all_the_same() {
    for lagging in [Lagging::Reads, Lagging::Everything] {
        let mut world = new_world(TWO);
        world.lag = Some((Duration::from_secs(3), lagging));
        let report = world.converge();
        assert_eq!(report.exit(), Exit::Done, "{lagging:?}: {report:#?}");
        assert_has(&only(&world), TWO, "late");
    }
}

#[test]
fn other_material_fails_its_step_and_harms_nothing() {
    let mut world = new_world(ONE);
    assert_eq!(world.converge().exit(), Exit::Done);
    world.pass(170);
    let place = ("ledger".parse().unwrap(), "2025".parse().unwrap());
    world.machine.materials.lock().unwrap().insert(place, b"other".to_vec());
    let before = only(&world).materials;
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Failed);
    let StepResult::Failed { message, .. } = &report.scopes[0].steps[0].result else { panic!("{report:#?}") };
    assert!(message.contains("expects its material `2025`"), "{message}");
    assert_eq!(only(&world).materials, before);
    world.machine.materials.lock().unwrap().clear();
    settle(&world, "the right material");
    assert_has(&only(&world), ONE, "the right material");
}

fn family(wish: Wish) -> DesiredState {
    lean(wanting("eu", &["ap", "us"], &symmetric("sessions", wish)))
}

/// Every Region has every material, and the family was rotated once for each but the first.
fn assert_family_has(world: &World, wish: Wish, what: &str) {
    for (target, _) in TARGETS {
        let mut key = with(world, target, |key| key.clone());
        let primary = target == "eu";
        // The history is the primary's.
        if !primary {
            key.rotations = with(world, "eu", |key| key.rotations.clone());
        }
        assert_has(&key, wish, &format!("{what} in {target}"));
    }
}

fn wanted(world: &World, wish: Wish) -> World {
    consenting(World { today: world.today, ..rewritten(world, family(wish)) })
}

#[test]
fn a_family_imports_in_every_region_and_rotates_once() {
    let mut world = wanted(&families::world(family(ONE)), ONE);
    for (days, wish) in
        [(0, ONE), (0, TWO), (160, TWO), (200, TWO), (0, DELETED), (1, TWO), (0, Wish { days: None, ..THREE })]
    {
        world.pass(days);
        world = wanted(&world, wish);
        let plan = world.plan();
        let report = world.apply(&plan);
        assert_eq!(report.exit(), Exit::Done, "{report:#?}");
        assert_family_has(&world, wish, &format!("{:?}", steps(&plan)));
        assert!(is_in_sync(&world.plan()), "{:#}", plan_to_json(&world.plan()));
    }
}

#[test]
fn a_replica_that_learns_late_of_the_material_is_waited_for() {
    let world = wanted(&families::world(family(ONE)), ONE);
    for target in ["us", "ap"] {
        for kind in [PortErrorKind::IncorrectMaterial, PortErrorKind::NotFound] {
            let which = crate::ports::fake::Which::Nth(if kind == PortErrorKind::NotFound { 2 } else { 1 });
            world.at(target).fail("kms:ImportKeyMaterial", which, crate::ports::fake::Strike::Before, kind);
        }
    }
    assert_eq!(world.converge().exit(), Exit::Done);
    let world = wanted(&world, TWO);
    let next = world.at("us").count("kms:ImportKeyMaterial") + 1;
    for (target, call, kind) in [
        ("us", "kms:ImportKeyMaterial", PortErrorKind::IncorrectMaterial),
        ("eu", "kms:RotateKeyOnDemand", PortErrorKind::InvalidState),
    ] {
        let which = crate::ports::fake::Which::Nth(if target == "us" { next } else { 1 });
        world.at(target).fail(call, which, crate::ports::fake::Strike::Before, kind);
    }
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    assert_family_has(&world, TWO, "late");
}

fn each_fault_in_a_family(settled: impl Fn() -> World, wish: Wish) {
    let whole = wanted(&settled(), wish);
    let sent = whole.writes();
    assert_eq!(whole.converge().exit(), Exit::Done);
    for number in 0..whole.writes() - sent {
        for fault in [Fault::Refused(PortErrorKind::Denied), Fault::Lost(PortErrorKind::Unknown), Fault::DiesAfter] {
            let what = format!("{fault:?} at {number}");
            let world = wanted(&settled(), wish);
            drop(world.apply_with(&world.plan(), Some((number, fault))));
            settle(&world, &what);
            assert_family_has(&world, wish, &what);
        }
    }
}

#[test]
fn every_fault_at_every_call_of_a_family_is_repaired_by_running_again() {
    let settled = || {
        let world = wanted(&families::world(family(ONE)), ONE);
        assert_eq!(world.converge().exit(), Exit::Done);
        world
    };
    each_fault_in_a_family(settled, TWO);
    each_fault_in_a_family(|| families::world(family(ONE)), ONE);
}

/// What becomes of the material behind keywright's back.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    /// Days pass.
    Pass(i64),
    /// A material is deleted by hand.
    Delete(usize),
    Disable,
    DropTag,
    Forget(usize),
}

fn happen(mishap: Mishap, world: &mut World) {
    if let Mishap::Pass(days) = mishap {
        return world.pass(days);
    }
    let Some((id, key)) = world.aws.state().keys.iter().next().map(|(id, key)| (id.clone(), key.clone())) else {
        return;
    };
    let material = |at: usize| key.materials.get(at).map(|material| material.id.clone());
    match mishap {
        Mishap::Delete(at) => {
            if let Some(material) = material(at) {
                let deleted = crate::ports::KeyWriter::delete_material(&*world.aws, &id, Some(&material));
                super::world::block_on(deleted).unwrap();
            }
        }
        // The material that was imported by hand has no name.
        Mishap::Forget(at) => {
            if let Some(material) = world.aws.state().keys.get_mut(&id).unwrap().materials.get_mut(at) {
                material.description = None;
            }
        }
        Mishap::Disable if key.metadata.state == KeyState::Enabled => {
            world.aws.state().keys.get_mut(&id).unwrap().metadata.state = KeyState::Disabled;
        }
        Mishap::DropTag => drop(world.aws.state().keys.get_mut(&id).unwrap().tags.remove(TAG_VALIDITY)),
        Mishap::Disable | Mishap::Pass(_) => {}
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    let names = select(vec![ONE.names, TWO.names, THREE.names]);
    let days = select(vec![None, Some(2_u16), Some(180), Some(365)]);
    let presence = prop_oneof![4 => Just(MaterialPresence::Imported), 1 => Just(MaterialPresence::Deleted)];
    let lifecycle = prop_oneof![4 => Just(KeyLifecycle::Enabled), 1 => Just(KeyLifecycle::Disabled)];
    (names, days, presence, lifecycle).prop_map(|(names, days, presence, lifecycle)| Wish {
        names,
        days,
        presence,
        lifecycle,
    })
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        select(vec![1_i64, 30, 200, 400]).prop_map(Mishap::Pass),
        (0_usize..3).prop_map(Mishap::Delete),
        (0_usize..3).prop_map(Mishap::Forget),
        Just(Mishap::Disable),
        Just(Mishap::DropTag),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_material_is_brought_to_any_wish_and_rotated_to_once(
        earlier in wish(),
        fault in prop::option::of((0_usize..16, select(FAULTS.to_vec()))),
        mishaps in prop::collection::vec(mishap(), 0..3),
        wish in wish(),
        second in prop::option::of((0_usize..10, select(FAULTS.to_vec()))),
    ) {
        let mut world = new_world(earlier);
        drop(world.apply_with(&world.plan(), fault));
        world.machine.advance(Duration::from_mins(6));
        for mishap in &mishaps {
            happen(*mishap, &mut world);
        }
        world.state = manifest(wish);
        drop(world.apply_with(&world.plan(), second));
        world.machine.advance(Duration::from_mins(6));
        for _ in 0..3 {
            let _report = world.converge();
            world.machine.advance(Duration::from_mins(6));
        }
        let plan = world.plan();
        let key = only(&world);
        let used = key.materials.iter().filter(|material| material.standing.is_in_use()).count();
        prop_assert_eq!(key.rotations.on_demand(), used.saturating_sub(1), "no rotation without new material");
        if let Outcome::Blocked { blockers, .. } = &plan.targets[0].outcome {
            let codes: Vec<&str> = blockers.iter().map(|blocker| blocker.kind.0.name()).collect();
            prop_assert!(!mishaps.is_empty() && !codes.contains(&"plan-check"), "{:?} {:#}", codes, plan_to_json(&plan));
        } else {
            prop_assert!(is_in_sync(&plan), "{:#}", plan_to_json(&plan));
        }
    }
}
