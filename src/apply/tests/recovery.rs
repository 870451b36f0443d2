//! Whatever befalls whichever write: running again completes it, and no key is made twice.

use super::wire::Fault;
use super::world::{World, is_in_sync, single, usual};
use crate::exit::Exit;
use crate::ports::PortErrorKind;
use crate::ports::fake::{Strike, Which};
use crate::report::StepResult;
use std::time::Duration;

const FAULTS: &[Fault] = &[
    Fault::Refused(PortErrorKind::Denied),
    Fault::Refused(PortErrorKind::Throttled),
    Fault::Refused(PortErrorKind::Unreachable),
    Fault::Lost(PortErrorKind::Unknown),
    Fault::Lost(PortErrorKind::Transient),
    Fault::DiesBefore,
    Fault::DiesAfter,
];

#[test]
fn a_fresh_account_is_brought_to_what_is_wanted() {
    let world = World::new(usual());
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    world.assert_whole();
    let after = world.writes();
    assert_eq!(world.converge().scopes, Vec::new());
    assert_eq!(world.writes(), after, "the second run wrote nothing");
}

#[test]
fn every_fault_at_every_write_is_repaired_by_running_again() {
    let whole = World::new(usual());
    assert_eq!(whole.converge().exit(), Exit::Done);
    let writes = whole.writes();
    assert!(writes > 10, "{writes}");
    for number in 0..writes {
        for fault in FAULTS {
            let world = World::new(usual());
            let first = world.apply_with(&world.plan(), Some((number, *fault)));
            let exit = first.as_ref().map(crate::report::ApplyReport::exit);
            let expected: &[Option<Exit>] = match fault {
                // A throttled `CreateKey` is sent again; anything else that is refused, fails.
                Fault::Refused(PortErrorKind::Throttled) => &[Some(Exit::Partial), Some(Exit::Done)],
                Fault::Refused(_) => &[Some(Exit::Partial)],
                // A lost `CreateKey` is found again; any other lost answer is told as such.
                Fault::Lost(_) => &[Some(Exit::Unconfirmed), Some(Exit::Done)],
                Fault::DiesBefore | Fault::DiesAfter => &[None],
            };
            assert!(expected.contains(&exit), "{fault:?} at {number}: {first:#?}");
            // A claim that led to no key is given up after some minutes.
            for _ in 0..2 {
                assert!(world.aws.state().keys.len() <= 2, "{fault:?} at {number}");
                let again = world.converge().exit();
                assert!([Exit::Done, Exit::Unconfirmed].contains(&again), "{fault:?} at {number}: {again:?}");
                world.machine.advance(Duration::from_mins(6));
            }
            assert_eq!(world.aws.state().keys.len(), 2, "{fault:?} at {number}");
            world.assert_whole();
        }
    }
}

#[test]
fn nothing_written_and_something_failed_is_plain_failure() {
    let world = World::new(single());
    let report = world.apply_with(&world.plan(), Some((0, Fault::Refused(PortErrorKind::Denied)))).unwrap();
    assert_eq!(report.exit(), Exit::Failed);
    assert!(report.scopes[0].steps[1..].iter().all(|step| matches!(step.result, StepResult::Skipped { .. })));
    assert!(world.machine.claims.lock().unwrap().is_empty(), "a refused call made nothing to look for");
}

#[test]
fn a_key_whose_creation_got_no_answer_is_not_created_again() {
    let world = World::new(single());
    // The answer is lost, and no list shows the key while this run looks.
    world.aws.fail("kms:CreateKey", Which::Nth(1), Strike::After, PortErrorKind::Unknown);
    world.aws.fail("kms:ListKeys", Which::Every, Strike::Before, PortErrorKind::Throttled);
    world.aws.fail("tag:GetResources", Which::Every, Strike::Before, PortErrorKind::Throttled);
    let plan = {
        let fresh = World { machine: world.machine.clone(), ..World::new(single()) };
        fresh.plan()
    };
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Unconfirmed);
    assert_eq!(world.machine.claims.lock().unwrap().len(), 1, "the claim is kept");
    world.aws.heal();
    assert_eq!(world.converge().exit(), Exit::Done);
    assert_eq!(world.aws.state().keys.len(), 1);
    world.assert_whole();
}

#[test]
fn a_claim_that_led_nowhere_is_waited_for_and_then_given_up() {
    let world = World::new(single());
    assert!(world.apply_with(&world.plan(), Some((0, Fault::DiesBefore))).is_none());
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Unconfirmed, "the key may only not be visible yet");
    assert_eq!(world.aws.count("kms:CreateKey"), 0);
    world.machine.advance(Duration::from_mins(5));
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Done);
    assert!(report.scopes[0].recoveries[0].message.contains("created no key"), "{report:#?}");
    world.assert_whole();
}

#[test]
fn another_machine_does_not_take_over_what_an_interrupted_run_left() {
    let world = World::new(single());
    assert!(world.apply_with(&world.plan(), Some((0, Fault::DiesAfter))).is_none());
    let elsewhere = world.elsewhere();
    let plan = elsewhere.plan();
    let codes: Vec<&str> = plan.targets[0].outcome.blockers().iter().map(|blocker| blocker.kind.0.name()).collect();
    assert_eq!(codes, ["ownership-unclear"]);
    assert!(!is_in_sync(&plan));
    assert_eq!(elsewhere.apply(&plan).scopes, Vec::new());
    assert_eq!(world.converge().exit(), Exit::Done);
    assert!(is_in_sync(&elsewhere.plan()));
}

#[test]
fn the_lag_of_the_tagging_service_hides_no_key() {
    let world = World::new(single());
    world.aws.state().index_at_once = false;
    assert!(world.apply_with(&world.plan(), Some((0, Fault::DiesAfter))).is_none());
    assert_eq!(world.converge().exit(), Exit::Done);
    assert_eq!(world.aws.state().keys.len(), 1);
    world.assert_whole();
}
