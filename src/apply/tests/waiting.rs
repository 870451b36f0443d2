//! Waiting: for what was written to be seen, for what passes by itself, and for nothing else.

use super::wire::Lagging;
use super::world::{World, block_on, rotating, single, usual};
use crate::apply::until;
use crate::exit::Exit;
use crate::ports::fake::{Strike, Which};
use crate::ports::{Clock as _, PortError, PortErrorKind};
use crate::report::StepResult;
use crate::synth::sample;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

fn failing(kind: PortErrorKind) -> PortError {
    PortError::new(kind, "kms:CreateAlias", "no")
}

#[test]
fn what_passes_by_itself_is_repeated_until_the_limit() {
    let cases = [(Duration::from_mins(1), 3, true), (Duration::from_mins(1), 500, false), (Duration::ZERO, 1, false)];
    for (limit, failures, succeeds) in cases {
        let world = World::new(single());
        let (calls, started) = (Cell::new(0), world.machine.now());
        let call = || {
            calls.set(calls.get() + 1);
            std::future::ready(if calls.get() > failures { Ok(()) } else { Err(failing(PortErrorKind::NotFound)) })
        };
        let passes = |error: &PortError| error.kind == PortErrorKind::NotFound;
        let result = block_on(until(&*world.machine, limit, passes, call));
        assert_eq!(result.is_ok(), succeeds, "{limit:?}");
        let spent = super::super::elapsed(&*world.machine, started);
        assert!(spent <= limit, "{spent:?} of {limit:?}");
        assert!(calls.get() < 40, "it waits longer each time: {}", calls.get());
    }
}

#[test]
fn what_does_not_pass_is_told_at_once() {
    let world = World::new(single());
    let calls = Cell::new(0);
    let call = || {
        calls.set(calls.get() + 1);
        std::future::ready(Err::<(), _>(failing(PortErrorKind::Denied)))
    };
    let passes = |error: &PortError| error.kind == PortErrorKind::NotFound;
    assert!(block_on(until(&*world.machine, Duration::from_mins(1), passes, call)).is_err());
    assert_eq!(calls.get(), 1);
}

#[test]
fn what_shows_late_is_waited_for() {
    for lagging in [Lagging::Reads, Lagging::Everything] {
        let mut world = World::new(usual());
        world.lag = Some((Duration::from_secs(3), lagging));
        let report = world.converge();
        assert_eq!(report.exit(), Exit::Done, "{lagging:?}: {report:#?}");
        world.assert_whole();
    }
}

#[test]
fn what_does_not_show_in_time_is_unconfirmed_and_no_failure() {
    for wait in [Duration::ZERO, Duration::from_secs(2)] {
        let mut world = World::new(single());
        world.wait = wait;
        world.lag = Some((Duration::from_mins(1), Lagging::Reads));
        let report = world.converge();
        assert_eq!(report.exit(), Exit::Unconfirmed, "{report:#?}");
        assert!(report.scopes[0].steps.iter().all(|step| step.result == StepResult::Unconfirmed));
        world.lag = None;
        world.assert_whole();
    }
}

#[test]
fn without_a_wait_what_shows_at_once_is_confirmed() {
    let mut world = World::new(usual());
    world.wait = Duration::ZERO;
    assert_eq!(world.converge().exit(), Exit::Done);
}

#[test]
fn a_step_that_failed_is_not_confirmed() {
    let world = World::new(single());
    world.aws.fail_on("kms:CreateAlias", "alias/payments/ledger", PortErrorKind::LimitExceeded);
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Partial);
    let results: Vec<bool> = report.scopes[0].steps.iter().map(|step| step.result == StepResult::Done).collect();
    assert_eq!(results, [true, true, false]);
}

#[test]
fn two_hundred_keys_are_confirmed_with_two_reads_each() {
    let keys = (0..200).map(|number| rotating(&format!("key-{number:03}"), 365)).collect();
    let world = World::new(sample::state(vec![sample::target("prod", "eu-west-1", keys)], Vec::new()));
    let plan = world.plan();
    let started = world.machine.now();
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    assert_eq!(world.aws.count("kms:DescribeKey"), 400);
    assert_eq!(world.aws.count("kms:GetKeyRotationStatus"), 400);
    assert_eq!(world.aws.count("kms:ListResourceTags"), 0);
    // One list of aliases was read to plan.
    assert_eq!(world.aws.count("kms:ListAliases"), 3);
    assert!(super::super::elapsed(&*world.machine, started) < Duration::from_secs(1));
    world.assert_whole();
}

#[test]
fn a_new_role_may_be_unknown_to_kms_for_a_while() {
    let world = World::new(usual());
    world.aws.fail("kms:CreateKey", Which::Nth(1), Strike::Before, PortErrorKind::InvalidPrincipal);
    assert_eq!(world.converge().exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn any_other_unknown_principal_fails_at_once() {
    let world = World::new(usual());
    let plan = world.plan();
    // The roles of this stack get known when they are made; the deployer of the policy never does.
    world.aws.state().known_principals = Some(BTreeSet::new());
    let mut lonely = World::new(single());
    lonely.aws.state().known_principals = Some(BTreeSet::new());
    lonely.wait = Duration::from_mins(10);
    let started = lonely.machine.now();
    let report = lonely.converge();
    assert_eq!(report.exit(), Exit::Failed, "{report:#?}");
    assert_eq!(lonely.aws.count("kms:CreateKey"), 1);
    assert_eq!(lonely.machine.now(), started);
    // Where new roles stand in the policy too, it is tried for two minutes at most.
    let started = world.machine.now();
    assert_eq!(world.apply(&plan).exit(), Exit::Partial);
    assert!(super::super::elapsed(&*world.machine, started) < Duration::from_mins(5));
}
