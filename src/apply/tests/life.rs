//! From its making to its end and back: whatever befalls whichever write, running again goes on, and nothing is lost.

use super::wire::Fault;
use super::world::{World, is_in_sync, rotating};
use crate::desired::{DesiredKey, DesiredState, KeyLifecycle, KeyMaterial};
use crate::exit::Exit;
use crate::ids::KeyId;
use crate::kms::KeyState;
use crate::plan::plan_to_json;
use crate::ports::PortErrorKind;
use crate::ports::fake::{FakeKey, Strike, Which};
use crate::report::StepResult;
use crate::synth::sample;
use jiff::civil::date;

const FAULTS: &[Fault] = &[
    Fault::Refused(PortErrorKind::Denied),
    Fault::Refused(PortErrorKind::Throttled),
    Fault::Lost(PortErrorKind::Unknown),
    Fault::Lost(PortErrorKind::Transient),
    Fault::DiesBefore,
    Fault::DiesAfter,
];

fn wanting(lifecycle: KeyLifecycle) -> DesiredState {
    let deleters = vec![sample::role("keywright-deployer")];
    let key = DesiredKey { lifecycle, deleters, ..rotating("ledger", 180) };
    sample::state(vec![sample::target("prod", "eu-west-1", vec![key])], Vec::new())
}

fn only_key(world: &World) -> FakeKey {
    let state = world.aws.state();
    assert_eq!(state.keys.len(), 1, "never a second key");
    state.keys.values().next().unwrap().clone()
}

fn state_of(world: &World) -> KeyState {
    only_key(world).metadata.state
}

/// The stages of a key's life, each a run: what is wanted, days that pass before, consent, the state afterwards.
const STAGES: [(KeyLifecycle, i64, bool, KeyState); 6] = [
    (KeyLifecycle::Enabled, 0, false, KeyState::Enabled),
    (KeyLifecycle::Retired, 10, true, KeyState::Disabled),
    (KeyLifecycle::Retired, 29, true, KeyState::Disabled),
    (KeyLifecycle::Retired, 1, true, KeyState::PendingDeletion),
    (KeyLifecycle::Enabled, 5, false, KeyState::Enabled),
    (KeyLifecycle::Disabled, 1, false, KeyState::Disabled),
];

fn enter(world: &mut World, (lifecycle, days, consent, _): (KeyLifecycle, i64, bool, KeyState)) {
    world.state = wanting(lifecycle);
    world.pass(days);
    world.options.allow_retire = if consent { ["ledger".parse().unwrap()].into() } else { [].into() };
}

#[test]
fn a_key_goes_through_its_whole_life_and_comes_back() {
    let mut world = World::new(wanting(KeyLifecycle::Enabled));
    let mut id: Option<KeyId> = None;
    for stage in STAGES {
        enter(&mut world, stage);
        let plan = world.plan();
        assert_eq!(world.apply(&plan).exit(), Exit::Done, "{stage:?}: {:#}", plan_to_json(&plan));
        assert_eq!(state_of(&world), stage.3, "{stage:?}");
        assert!(is_in_sync(&world.plan()), "{stage:?}");
        let now = world.aws.state().keys.keys().next().unwrap().clone();
        assert_eq!(*id.get_or_insert_with(|| now.clone()), now, "it is the same key all along");
    }
    assert!(!only_key(&world).tags.contains_key("keywright:retired-at"));
}

#[test]
fn every_fault_at_every_write_of_a_life_is_repaired_by_running_again() {
    for (index, stage) in STAGES.iter().enumerate().skip(1) {
        let before = || {
            let mut world = World::new(wanting(KeyLifecycle::Enabled));
            for earlier in &STAGES[..index] {
                enter(&mut world, *earlier);
                assert_eq!(world.converge().exit(), Exit::Done);
            }
            enter(&mut world, *stage);
            world
        };
        let whole = before();
        let sent = whole.writes();
        assert_eq!(whole.converge().exit(), Exit::Done);
        for number in 0..whole.writes() - sent {
            for fault in FAULTS {
                let world = before();
                let first = world.apply_with(&world.plan(), Some((number, *fault)));
                let exit = first.as_ref().map(crate::report::ApplyReport::exit);
                assert_ne!(exit, Some(Exit::Done), "{stage:?} {fault:?} at {number}");
                let again = world.plan();
                assert!(
                    again.targets[0].outcome.blockers().is_empty(),
                    "{stage:?} {fault:?} at {number}: {:#}",
                    plan_to_json(&again)
                );
                assert_eq!(world.apply(&again).exit(), Exit::Done, "{stage:?} {fault:?} at {number}");
                assert_eq!(state_of(&world), stage.3, "{stage:?} {fault:?} at {number}");
                assert!(is_in_sync(&world.plan()), "{stage:?} {fault:?} at {number}");
            }
        }
    }
}

#[test]
fn a_deletion_is_not_scheduled_for_a_key_that_somebody_enabled_meanwhile() {
    let mut world = World::new(wanting(KeyLifecycle::Enabled));
    for stage in &STAGES[..3] {
        enter(&mut world, *stage);
        assert_eq!(world.converge().exit(), Exit::Done);
    }
    enter(&mut world, STAGES[3]);
    let plan = world.plan();
    world.aws.state().keys.values_mut().next().unwrap().metadata.state = KeyState::Enabled;
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Failed);
    assert_eq!(world.aws.count("kms:ScheduleKeyDeletion"), 0);
    // It was used, so it rests anew.
    let again = world.plan();
    assert_eq!(again.targets[0].outcome.steps().len(), 2, "{:#}", plan_to_json(&again));
    assert_eq!(world.apply(&again).exit(), Exit::Done);
    assert!(is_in_sync(&world.plan()));
    assert_eq!(world.aws.count("kms:ScheduleKeyDeletion"), 0);
}

fn old_material() -> World {
    let mut world = World::new(wanting(KeyLifecycle::Enabled));
    assert_eq!(world.converge().exit(), Exit::Done);
    let key = &mut world.state.targets[0].keys[0];
    if let KeyMaterial::Symmetric { newer_than, .. } = &mut key.material {
        *newer_than = Some(date(2026, 12, 1));
    }
    world.pass(20);
    world
}

#[test]
fn no_fault_rotates_twice() {
    for fault in FAULTS {
        let world = old_material();
        let report = world.apply_with(&world.plan(), Some((0, *fault)));
        match fault {
            Fault::Lost(_) => {
                let report = report.unwrap();
                assert_eq!(report.exit(), Exit::Done, "{fault:?}: the history tells");
                assert!(report.scopes[0].recoveries[0].message.contains("the history has the rotation"));
            }
            Fault::Refused(PortErrorKind::Throttled) => {
                assert_eq!(report.unwrap().exit(), Exit::Done, "nothing was done, so it is asked again");
            }
            Fault::Refused(_) => assert_eq!(report.unwrap().exit(), Exit::Failed),
            Fault::DiesBefore | Fault::DiesAfter => assert!(report.is_none()),
        }
        assert!([Exit::Done].contains(&world.converge().exit()), "{fault:?}");
        assert_eq!(only_key(&world).rotations.on_demand(), 1, "{fault:?}");
        assert!(is_in_sync(&world.plan()), "{fault:?}");
    }
}

#[test]
fn a_rotation_whose_answer_and_history_are_lost_is_not_repeated() {
    let world = old_material();
    let plan = world.plan();
    world.aws.fail("kms:RotateKeyOnDemand", Which::Nth(1), Strike::After, PortErrorKind::Unknown);
    let sent = world.aws.count("kms:ListKeyRotations");
    // The first look is before the call; all later ones fail.
    for number in sent + 2..sent + 200 {
        world.aws.fail("kms:ListKeyRotations", Which::Nth(number), Strike::Before, PortErrorKind::Throttled);
    }
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Unconfirmed);
    assert!(matches!(report.scopes[0].steps[0].result, StepResult::Unknown { .. }));
    assert_eq!(world.aws.count("kms:RotateKeyOnDemand"), 1);
}

#[test]
fn what_was_rotated_meanwhile_is_not_rotated_again() {
    let world = old_material();
    let plan = world.plan();
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    let stale = world.apply(&plan);
    assert_eq!(stale.exit(), Exit::Failed);
    assert!(
        matches!(&stale.scopes[0].steps[0].result, StepResult::Failed { message, .. } if message.contains("1 on-demand"))
    );
    assert_eq!(world.aws.count("kms:RotateKeyOnDemand"), 1);
}

#[test]
fn what_an_earlier_step_ended_may_show_late() {
    let mut world = World::new(wanting(KeyLifecycle::Enabled));
    for stage in &STAGES[..4] {
        enter(&mut world, *stage);
        assert_eq!(world.converge().exit(), Exit::Done);
    }
    enter(&mut world, STAGES[4]);
    world.aws.fail("kms:EnableKey", Which::Nth(1), Strike::Before, PortErrorKind::InvalidState);
    world.aws.fail("kms:EnableKey", Which::Nth(2), Strike::Before, PortErrorKind::InvalidState);
    assert_eq!(world.converge().exit(), Exit::Done);
    assert_eq!((state_of(&world), world.aws.count("kms:EnableKey")), (KeyState::Enabled, 3));
}
