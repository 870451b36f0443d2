//! Families of multi-Region keys: made, moved, dropped and mended over several targets that run side by side.

use super::wire::Fault;
use super::world::{World, block_on, is_in_sync, rotating};
use crate::desired::tags::{TAG_KEY, TAG_RETIRED};
use crate::desired::{DesiredKey, DesiredState, KeyLifecycle, Topology};
use crate::exit::Exit;
use crate::ids::{AliasName, KeyId, Region};
use crate::kms::KeyState;
use crate::live::{LiveRotation, MultiRegionType};
use crate::plan::{Action, Outcome, Owner, Plan, TargetPlan, plan_to_json};
use crate::ports::PortErrorKind;
use crate::ports::fake::{Delay, FakeKey, Strike, Which};
use crate::report::{ApplyReport, Scope, StepResult};
use crate::synth::sample;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The targets, and the Region of each.
pub(super) const TARGETS: [(&str, &str); 3] = [("ap", "ap-southeast-2"), ("eu", "eu-west-1"), ("us", "us-east-1")];

const CLAIM: &str = "alias/keywright/payments/sessions";

fn region(target: &str) -> Region {
    TARGETS.iter().find(|(name, _)| *name == target).unwrap().1.parse().unwrap()
}

/// One family, and a key of one Region in each target.
pub(crate) fn family(primary: &str, replicas: &[&str]) -> DesiredState {
    wanting(primary, replicas, &rotating("sessions", 365))
}

pub(super) fn wanting(primary: &str, replicas: &[&str], key: &DesiredKey) -> DesiredState {
    let targets = TARGETS.map(|(name, region)| {
        let replicas_of = || replicas.iter().map(|name| (name.parse().unwrap(), self::region(name))).collect();
        let topology = match name {
            _ if name == primary => Some(Topology::Primary { replicas: replicas_of() }),
            _ if replicas.contains(&name) => {
                Some(Topology::Replica { primary: primary.parse().unwrap(), region: self::region(primary) })
            }
            _ => None,
        };
        let member = topology.map(|topology| DesiredKey { topology, ..key.clone() });
        let keys = [sample::key("ledger")].into_iter().chain(member).collect();
        sample::target(name, region, keys)
    });
    sample::state(targets.to_vec(), Vec::new())
}

/// The same with the Regions of the family written down, as the manifest does: its policies let it be replicated there.
fn fenced(mut state: DesiredState, members: &[&str]) -> DesiredState {
    for key in state.targets.iter_mut().flat_map(|target| &mut target.keys) {
        if key.topology != Topology::Single {
            key.family = members.iter().map(|name| region(name)).collect();
        }
    }
    state
}

/// The same without the keys of one Region.
pub(super) fn lean(mut state: DesiredState) -> DesiredState {
    for target in &mut state.targets {
        target.keys.retain(|key| key.topology != Topology::Single);
    }
    state
}

pub(super) fn world(state: DesiredState) -> World {
    let mut world = World::new(state);
    world.aws = std::sync::Arc::new(crate::ports::fake::FakeAws::new("ap-southeast-2", super::world::CALLER));
    world
}

/// A world that is as the manifest wants it.
fn settled(primary: &str, replicas: &[&str]) -> World {
    let world = world(family(primary, replicas));
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    world.assert_whole();
    world
}

/// The same accounts and machine, another manifest.
pub(super) fn rewritten(world: &World, state: DesiredState) -> World {
    World { aws: world.aws.clone(), machine: world.machine.clone(), ..World::new(state) }
}

fn of<'p>(plan: &'p Plan, target: &str) -> &'p TargetPlan {
    plan.targets.iter().find(|plan| plan.name.as_str() == target).unwrap()
}

fn calls<'p>(plan: &'p Plan, target: &str) -> Vec<&'p str> {
    let steps = of(plan, target).outcome.steps().iter();
    steps.map(|step| step.action.call().trim_start_matches("kms:")).collect()
}

fn codes<'p>(plan: &'p Plan, target: &str) -> Vec<&'p str> {
    of(plan, target).outcome.blockers().iter().map(|blocker| blocker.kind.0.name()).collect()
}

fn findings<'p>(plan: &'p Plan, target: &str) -> Vec<&'p str> {
    of(plan, target).findings.iter().map(|finding| finding.code.name()).collect()
}

pub(super) fn with<T>(world: &World, target: &str, look: impl FnOnce(&mut FakeKey) -> T) -> T {
    let aws = world.at(target);
    let mut state = aws.state();
    let id = state.aliases[&CLAIM.parse::<AliasName>().unwrap()].clone();
    look(state.keys.get_mut(&id).unwrap())
}

fn member(world: &World, target: &str) -> KeyId {
    world.at(target).state().aliases[&CLAIM.parse::<AliasName>().unwrap()].clone()
}

fn kind(world: &World, target: &str) -> Option<MultiRegionType> {
    with(world, target, |key| key.metadata.multi_region_type)
}

fn result<'r>(report: &'r ApplyReport, call: &str) -> &'r StepResult {
    let mut steps = report.scopes.iter().flat_map(|scope| &scope.steps);
    &steps.rfind(|outcome| outcome.step.action.call() == call).unwrap().result
}

#[test]
fn a_family_is_made_in_one_go_and_each_replica_is_its_own() {
    let world = world(fenced(family("eu", &["ap", "us"]), &["ap", "eu", "us"]));
    let plan = world.plan();
    let eu =
        ["CreateKey", "CreateAlias", "CreateAlias", "CreateKey", "CreateAlias", "CreateAlias", "EnableKeyRotation"];
    assert_eq!(calls(&plan, "eu"), [&eu[..], &["ReplicateKey", "ReplicateKey"]].concat());
    assert_eq!(calls(&plan, "us"), ["CreateKey", "CreateAlias", "CreateAlias", "CreateAlias", "CreateAlias"]);
    let replicate = of(&plan, "eu").outcome.steps().iter().find(|step| step.action.other_target().is_some());
    let claim = of(&plan, "ap")
        .outcome
        .steps()
        .iter()
        .find(|step| !step.depends_on.is_empty() && step.owner == Owner::Key("sessions".parse().unwrap()));
    assert!(claim.unwrap().depends_on.contains(&replicate.unwrap().id), "{:#}", plan_to_json(&plan));
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    let order: Vec<_> = report.scopes.iter().map(|scope| scope.scope.clone()).collect();
    assert_eq!(order, TARGETS.map(|(name, _)| Scope::Target(name.parse().unwrap())));
    world.assert_whole();
    let ids: BTreeSet<KeyId> = TARGETS.iter().map(|(name, _)| member(&world, name)).collect();
    assert_eq!(ids.len(), 1);
    let policies: BTreeSet<String> =
        TARGETS.iter().map(|(name, _)| with(&world, name, |key| key.policy.clone())).collect();
    assert!(policies.iter().all(|policy| policy.contains("ReplicateKey")));
    assert_eq!(kind(&world, "eu"), Some(MultiRegionType::Primary));
    assert_eq!(kind(&world, "us"), Some(MultiRegionType::Replica));
    let summary = crate::plan::Summary::of(&plan);
    assert_eq!((summary.create, summary.change), (6, 0), "each Region's key counts once");
}

#[test]
fn every_member_is_managed_like_a_key_and_rotation_by_the_primary_alone() {
    let world = settled("eu", &["us"]);
    for target in ["eu", "us"] {
        with(&world, target, |key| {
            key.metadata.state = KeyState::Disabled;
            key.tags.remove("data");
            key.policy = r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned();
            key.rotation = LiveRotation::Off;
        });
    }
    let plan = world.plan();
    let both = ["PutKeyPolicy", "TagResource", "EnableKey"];
    assert_eq!(calls(&plan, "us"), both);
    assert_eq!(calls(&plan, "eu"), [&both[..], &["EnableKeyRotation"]].concat());
    assert!(!of(&plan, "us").access.gains.is_empty(), "access is told in each Region");
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn a_replica_that_takes_minutes_is_waited_for_and_one_that_takes_longer_is_continued() {
    for (busy, exit) in [(30, Exit::Done), (10_000, Exit::Unconfirmed)] {
        let world = world(family("eu", &["us"]));
        world.at("us").state().delay = Delay { hidden: 3, busy };
        let started = crate::ports::Clock::now(&*world.machine);
        let report = world.converge();
        assert_eq!(report.exit(), exit, "{report:#?}");
        let spent = super::super::elapsed(&*world.machine, started);
        assert!(spent < Duration::from_mins(17), "{spent:?}");
        if exit == Exit::Unconfirmed {
            assert_eq!(*result(&report, "kms:ReplicateKey"), StepResult::Unconfirmed);
            assert_eq!(world.at("us").count("kms:CreateAlias"), 2, "those of the other key");
            // The next run finds the replica by its primary, still being made, and gives it its names.
            let report = world.converge();
            assert_eq!(report.exit(), Exit::Done, "{report:#?}");
            assert_eq!(world.at("eu").count("kms:ReplicateKey"), 1);
        }
        world.assert_whole();
    }
}

pub(super) const FAULTS: &[Fault] = &[
    Fault::Refused(PortErrorKind::Denied),
    Fault::Refused(PortErrorKind::Throttled),
    Fault::Lost(PortErrorKind::Unknown),
    Fault::Lost(PortErrorKind::Transient),
    Fault::DiesBefore,
    Fault::DiesAfter,
];

/// Runs again until nothing is left, and looks whether all is as it should be, and nothing was made twice.
fn assert_recovers(world: &World, what: &str) {
    for _ in 0..2 {
        let again = world.converge();
        assert!([Exit::Done, Exit::Unconfirmed].contains(&again.exit()), "{what}: {again:#?}");
        world.machine.advance(Duration::from_mins(6));
    }
    world.assert_whole();
    let primaries = TARGETS.iter().flat_map(|(name, _)| {
        let keys: Vec<FakeKey> = world.at(name).state().keys.values().cloned().collect();
        keys.into_iter().filter(|key| key.metadata.multi_region_type == Some(MultiRegionType::Primary))
    });
    assert_eq!(primaries.count(), 1, "{what}");
    for (name, _) in TARGETS {
        let aws = world.at(name);
        assert!(aws.state().log.iter().all(|(call, _)| !call.contains("Deletion") && !call.contains("DeleteAlias")));
    }
}

fn each_fault(before: impl Fn() -> World, wanted: &DesiredState) {
    let whole = rewritten(&before(), wanted.clone());
    let already = whole.writes();
    assert_eq!(whole.converge().exit(), Exit::Done);
    let writes = whole.writes() - already;
    assert!(writes > 0);
    for number in 0..writes {
        for fault in FAULTS {
            let world = rewritten(&before(), wanted.clone());
            drop(world.apply_with(&world.plan(), Some((number, *fault))));
            assert_recovers(&world, &format!("{fault:?} at {number}"));
        }
    }
}

#[test]
fn every_fault_at_every_write_of_a_new_family_is_repaired_by_running_again() {
    each_fault(|| world(lean(family("eu", &["us"]))), &lean(family("eu", &["us"])));
}

#[test]
fn every_fault_at_every_write_of_a_move_is_repaired_by_running_again() {
    let settled = |replicas: &[&str]| {
        let world = world(lean(family("eu", replicas)));
        assert_eq!(world.converge().exit(), Exit::Done);
        world
    };
    each_fault(|| settled(&["us"]), &lean(family("us", &["eu"])));
    each_fault(|| settled(&[]), &lean(family("ap", &["eu"])));
}

#[test]
fn another_machine_continues_a_replica_without_its_claim_alias() {
    let world = world(family("eu", &["us"]));
    let whole = rewritten(&world, world.state.clone());
    let position = whole.plan().targets.iter().flat_map(|target| target.outcome.steps().to_vec()).count();
    assert!(position > 0);
    world.at("us").fail_on("kms:CreateAlias", CLAIM, PortErrorKind::Denied);
    assert_eq!(world.converge().exit(), Exit::Partial);
    world.at("us").heal();
    world.at("us").state().index_at_once = false;
    let other = world.elsewhere();
    let plan = other.plan();
    assert_eq!(calls(&plan, "us"), ["CreateAlias", "CreateAlias"], "{:#}", plan_to_json(&plan));
    assert_eq!(other.apply(&plan).exit(), Exit::Done);
    other.assert_whole();
}

#[test]
fn an_answer_of_replicate_key_that_is_lost_is_looked_for_and_never_sent_twice() {
    for kind in [PortErrorKind::Unknown, PortErrorKind::Transient] {
        let world = world(family("eu", &["us"]));
        world.at("eu").fail("kms:ReplicateKey", Which::Nth(1), Strike::After, kind);
        world.at("us").state().delay = Delay { hidden: 2, busy: 2 };
        let report = world.converge();
        assert_eq!(report.exit(), Exit::Done, "{report:#?}");
        assert!(report.scopes.iter().any(|scope| scope.recoveries.iter().any(|r| r.message.contains("is there"))));
        assert_eq!(world.at("eu").count("kms:ReplicateKey"), 1);
        world.assert_whole();
    }
    // Nothing was made: that is told, and the next run makes it.
    let world = world(family("eu", &["us"]));
    world.at("eu").fail("kms:ReplicateKey", Which::Nth(1), Strike::Before, PortErrorKind::Unknown);
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Unconfirmed);
    assert!(matches!(result(&report, "kms:ReplicateKey"), StepResult::Unknown { .. }));
    assert_eq!(world.at("eu").count("kms:ReplicateKey"), 1);
    assert_eq!(world.converge().exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn two_runs_that_replicate_at_once_end_in_one_family() {
    let first = world(family("eu", &["us"]));
    let second = first.elsewhere();
    let (one, two) = (first.plan(), second.plan());
    let (one, two) = block_on(async { tokio::join!(first.run(&one, None), second.run(&two, None)) });
    for report in [one.unwrap(), two.unwrap()] {
        assert!([Exit::Done, Exit::Partial].contains(&report.exit()), "{report:#?}");
    }
    assert_eq!(first.converge().exit(), Exit::Done);
    assert_eq!(second.converge().exit(), Exit::Done);
    first.assert_whole();
    assert_eq!(member(&first, "eu"), member(&first, "us"));
}

#[test]
fn a_replica_that_somebody_else_made_meanwhile_is_not_taken_for_ours() {
    let world = settled("eu", &[]);
    let wider = rewritten(&world, family("eu", &["us"]));
    let plan = wider.plan();
    // Meanwhile somebody replicates the key by hand, with a policy and tags of their own.
    let id = member(&wider, "eu");
    let foreign = crate::ports::NewReplica {
        region: region("us"),
        description: String::new(),
        policy: crate::policy::PolicyDocument::new(Vec::new()),
        tags: BTreeMap::new(),
        lockout_check: crate::ports::LockoutCheck::Keep,
    };
    block_on(crate::ports::KeyWriter::replicate_key(&*wider.at("eu"), &id, &foreign)).unwrap();
    let report = wider.apply(&plan);
    let StepResult::Failed { message, .. } = result(&report, "kms:ReplicateKey") else { panic!("{report:#?}") };
    assert!(message.contains("did not make"), "{message}");
    assert!(matches!(result(&report, "kms:CreateAlias"), StepResult::Skipped { .. }));
    // The next plan sees it as the replica that the primary lists, and shows what it changes on it.
    let plan = wider.plan();
    assert_eq!(calls(&plan, "us"), ["CreateAlias", "PutKeyPolicy", "TagResource", "CreateAlias"]);
    assert_eq!(wider.apply(&plan).exit(), Exit::Done);
    wider.assert_whole();
}

#[test]
fn the_primary_moves_by_one_readable_step_and_rotation_follows_it() {
    let world = settled("eu", &["us"]);
    let mut state = wanting("us", &["eu"], &rotating("sessions", 180));
    state.targets.retain(|target| target.name.as_str() != "ap");
    let world = rewritten(&world, state);
    let world = World { aws: world.aws.region(&region("eu")), ..world };
    let plan = world.plan();
    assert_eq!(calls(&plan, "eu"), ["UpdatePrimaryRegion"]);
    assert_eq!(calls(&plan, "us"), ["EnableKeyRotation"]);
    let step = &of(&plan, "eu").outcome.steps()[0];
    let change = step.change.as_ref().unwrap();
    assert_eq!(change.before.as_deref(), Some("eu-west-1 (target eu)"));
    assert_eq!(change.after.as_deref(), Some("us-east-1 (target us)"));
    assert_eq!(of(&plan, "us").outcome.steps()[0].depends_on, std::slice::from_ref(&step.id));
    assert!(findings(&plan, "eu").contains(&"primary-moves"));
    for target in ["eu", "us"] {
        world.at(target).state().delay = Delay { hidden: 0, busy: 4 };
    }
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    assert_eq!(
        (kind(&world, "us"), kind(&world, "eu")),
        (Some(MultiRegionType::Primary), Some(MultiRegionType::Replica))
    );
    assert_eq!(with(&world, "eu", |key| key.rotation), LiveRotation::On { days: Some(180) });
    world.assert_whole();
}

#[test]
fn where_there_is_no_replica_yet_the_primary_moves_after_one_is_made() {
    let world = rewritten(&settled("eu", &[]), family("us", &["eu", "ap"]));
    let plan = world.plan();
    assert_eq!(calls(&plan, "eu"), ["ReplicateKey", "ReplicateKey", "UpdatePrimaryRegion"]);
    assert_eq!(calls(&plan, "us"), ["CreateAlias", "CreateAlias"], "the family rotates already");
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
    assert_eq!(kind(&world, "us"), Some(MultiRegionType::Primary));
}

#[test]
fn a_replica_that_is_not_named_any_more_is_retired_and_never_deleted() {
    let world = rewritten(&settled("eu", &["ap", "us"]), family("eu", &["ap"]));
    let plan = world.plan();
    assert_eq!(calls(&plan, "us"), ["TagResource", "DisableKey"], "{:#}", plan_to_json(&plan));
    assert!(is_quiet(&plan, "eu") && is_quiet(&plan, "ap"));
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    assert_eq!(with(&world, "us", |key| key.tags[TAG_RETIRED].clone()), "2026-11-24");
    assert_eq!(with(&world, "us", |key| key.metadata.state), KeyState::Disabled);
    assert!(is_in_sync(&world.plan()), "{:#}", plan_to_json(&world.plan()));
    // The primary that was, too.
    let world = rewritten(&settled("eu", &["us"]), family("us", &[]));
    let plan = world.plan();
    assert_eq!(calls(&plan, "eu"), ["UpdatePrimaryRegion", "TagResource", "DisableKey"]);
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    assert!(is_in_sync(&world.plan()));
    assert_eq!(kind(&world, "us"), Some(MultiRegionType::Primary));
}

fn is_quiet(plan: &Plan, target: &str) -> bool {
    matches!(of(plan, target).outcome, Outcome::InSync)
}

#[test]
fn a_part_of_the_targets_plans_what_it_can_and_says_what_it_cannot() {
    let narrow = |world: &World, keep: &[&str]| {
        let mut state = world.state.clone();
        state.targets.retain(|target| keep.contains(&target.name.as_str()));
        let first = state.targets[0].region.clone();
        World { aws: world.aws.region(&first), ..rewritten(world, state) }
    };
    // A replica that exists is managed without its primary's target; one that does not, waits.
    let whole = settled("eu", &["us"]);
    let part = narrow(&whole, &["us"]);
    with(&whole, "us", |key| key.metadata.state = KeyState::Disabled);
    assert_eq!(calls(&part.plan(), "us"), ["EnableKey"]);
    let fresh = world(family("eu", &["us"]));
    let part = narrow(&fresh, &["us"]);
    assert_eq!(codes(&part.plan(), "us"), ["replica-waits"]);
    assert!(of(&part.plan(), "us").outcome.blockers()[0].help.contains("--target eu"));
    // The primary alone is made without its replica, which is told.
    let part = narrow(&fresh, &["eu"]);
    let plan = part.plan();
    assert!(!calls(&plan, "eu").contains(&"ReplicateKey"));
    assert!(findings(&plan, "eu").contains(&"replica-waits"));
    // The primary cannot move from a Region that is left out.
    let whole = rewritten(&settled("eu", &["us"]), family("us", &["eu"]));
    let part = narrow(&whole, &["us"]);
    assert_eq!(codes(&part.plan(), "us"), ["primary-elsewhere"]);
    let part = narrow(&whole, &["eu"]);
    assert!(is_quiet(&part.plan(), "eu"), "{:#}", plan_to_json(&part.plan()));
}

#[test]
fn a_region_without_a_target_is_a_finding() {
    let world = settled("eu", &["us"]);
    with(&world, "eu", |key| key.metadata.replica_regions.insert("sa-east-1".parse().unwrap()));
    let plan = world.plan();
    assert!(is_in_sync(&plan));
    let mut found = of(&plan, "eu").findings.iter();
    let found = found.find(|finding| finding.code.name() == "replica-elsewhere").unwrap();
    assert!(found.message.contains("sa-east-1"));
}

#[test]
fn another_key_under_the_name_of_a_replica_is_not_touched() {
    let world = world(family("eu", &["us"]));
    let tags =
        [("keywright:stack", "payments"), (TAG_KEY, "sessions"), ("keywright:owner", world.state.owner.as_str())];
    let stranger = world.at("us").add_key(r#"{"Version":"2012-10-17","Statement":[]}"#, &tags, &[CLAIM]).key_id();
    assert_eq!(codes(&world.plan(), "us"), ["immutable-property"], "it is of one Region");
    let settled = settled("eu", &[]);
    let wider = rewritten(&settled, family("eu", &["us"]));
    let stranger_there = wider.at("us").add_key(r#"{"Version":"2012-10-17","Statement":[]}"#, &tags, &[CLAIM]).key_id();
    let plan = wider.plan();
    assert_eq!(codes(&plan, "us"), ["replica-mismatch"]);
    assert!(is_quiet(&plan, "eu"), "nothing is replicated into a blocked target");
    let before = wider.at("us").state().keys[&stranger_there].clone();
    assert!(wider.apply(&plan).scopes.is_empty());
    assert_eq!(format!("{before:?}"), format!("{:?}", wider.at("us").state().keys[&stranger_there]));
    assert!(world.at("us").state().keys.contains_key(&stranger));
}

#[test]
fn nothing_is_replicated_into_a_blocked_target_and_the_others_go_on() {
    let world = world(family("eu", &["ap", "us"]));
    world.at("us").add_key(r#"{"Version":"2012-10-17","Statement":[]}"#, &[], &["alias/payments/ledger"]);
    let plan = world.plan();
    assert_eq!(codes(&plan, "us"), ["alias-foreign"]);
    let replicas = of(&plan, "eu").outcome.steps().iter().filter_map(|step| step.action.other_target());
    assert_eq!(replicas.map(crate::ids::TargetName::as_str).collect::<Vec<_>>(), ["ap"]);
    assert!(findings(&plan, "eu").contains(&"replica-waits"));
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    assert_eq!(world.at("us").state().keys.len(), 1, "nothing was written there");
    assert_eq!(kind(&world, "ap"), Some(MultiRegionType::Replica));
}

#[test]
fn what_waits_for_a_blocked_primary_is_skipped_and_named() {
    let world = world(family("eu", &["us"]));
    world.at("eu").add_key(r#"{"Version":"2012-10-17","Statement":[]}"#, &[], &["alias/payments/ledger"]);
    let plan = world.plan();
    assert_eq!(codes(&plan, "eu"), ["alias-foreign"]);
    assert!(findings(&plan, "us").contains(&"replica-waits"));
    let report = world.apply(&plan);
    let us = report.scopes.iter().find(|scope| scope.scope == Scope::Target("us".parse().unwrap())).unwrap();
    let (done, rest): (Vec<_>, Vec<_>) = us.steps.iter().partition(|outcome| outcome.result == StepResult::Done);
    assert_eq!((done.len(), rest.len()), (3, 2), "{report:#?}");
    assert!(rest.iter().all(|outcome| matches!(outcome.result, StepResult::Skipped { .. })));
}

#[test]
fn a_disabled_primary_is_neither_replicated_nor_moved() {
    let resting = DesiredKey { lifecycle: KeyLifecycle::Disabled, ..rotating("sessions", 365) };
    let world = world(wanting("eu", &["us"], &resting));
    assert_eq!(world.converge().exit(), Exit::Done, "it is replicated before it rests");
    world.assert_whole();
    assert_eq!(with(&world, "us", |key| key.metadata.state), KeyState::Disabled);
    let wider = rewritten(&world, wanting("eu", &["ap", "us"], &resting));
    assert_eq!(codes(&wider.plan(), "ap"), ["replica-waits"]);
    assert!(is_quiet(&wider.plan(), "eu"));
    let moved = rewritten(&world, wanting("us", &["eu"], &resting));
    assert_eq!(codes(&moved.plan(), "us"), ["primary-elsewhere"]);
    let woken = rewritten(&world, family("us", &["ap", "eu"]));
    assert_eq!(calls(&woken.plan(), "eu"), ["EnableKey", "ReplicateKey", "UpdatePrimaryRegion"]);
    assert_eq!(woken.converge().exit(), Exit::Done);
    woken.assert_whole();
}

#[test]
fn a_target_without_a_connection_stops_no_other() {
    let world = world(family("eu", &["ap", "us"]));
    let plan = world.plan();
    let report = block_on(world.run_without(&plan, "us"));
    let scopes: Vec<_> = report.scopes.iter().map(|scope| scope.scope.clone()).collect();
    assert_eq!(scopes, TARGETS.map(|(name, _)| Scope::Target(name.parse().unwrap())));
    assert!(report.scopes[2].steps.iter().all(|step| matches!(step.result, StepResult::Failed { .. })));
    assert!(report.scopes[0].steps.iter().all(|step| step.result == StepResult::Done), "{report:#?}");
    let eu = &report.scopes[1].steps;
    let failed: Vec<_> = eu.iter().filter(|step| step.result != StepResult::Done).collect();
    assert_eq!(failed.len(), 1, "the replica that nobody could see: {report:#?}");
    assert_eq!(report.exit(), Exit::Partial);
    assert_eq!(world.converge().exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn a_replica_whose_policy_shuts_out_whoever_replicates_is_blocked() {
    let mut state = family("eu", &["us"]);
    for target in state.targets.iter_mut().filter(|target| target.name.as_str() == "us") {
        target.deployers = vec![sample::role("somebody-else")];
        for key in &mut target.keys {
            key.delegation = crate::desired::Delegation::None;
        }
    }
    let plan = world(state).plan();
    assert!(codes(&plan, "us").contains(&"lockout"), "{:?}", codes(&plan, "us"));
    assert!(!calls(&plan, "eu").contains(&"ReplicateKey"));
}

#[test]
fn a_region_that_holds_a_replica_of_others_or_one_pending_deletion_is_reported() {
    type Change = fn(&mut FakeKey);
    let cases: &[(&str, Change)] = &[
        ("another stack", |key| drop(key.tags.insert("keywright:stack".to_owned(), "other".to_owned()))),
        ("waits to be deleted", |key| {
            key.metadata.state = KeyState::PendingDeletion;
            key.tags.clear();
        }),
    ];
    for (what, change) in cases {
        let world = settled("eu", &["us"]);
        with(&world, "us", *change);
        world.at("us").state().aliases.remove(&CLAIM.parse::<AliasName>().unwrap());
        let plan = world.plan();
        assert_eq!(codes(&plan, "us"), ["replica-waits"], "{what}");
        let blockers = of(&plan, "us").outcome.blockers();
        assert!(blockers[0].message.contains(what), "{:?}", blockers[0]);
        assert!(is_quiet(&plan, "eu"));
    }
}

#[test]
fn only_expected_replicas_are_made() {
    let mut world = world(family("eu", &["us"]));
    world.options.expect_creates = Some(["ledger".parse().unwrap()].into());
    let plan = world.plan();
    assert_eq!((codes(&plan, "eu"), codes(&plan, "us")), (vec!["unexpected-create"], vec!["unexpected-create"]));
}

/// What becomes of a family behind keywright's back.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    Disable,
    DropClaim,
    DropTags,
    OtherPolicy,
    Rotation,
}

fn happen(mishap: Mishap, world: &World, target: &str) {
    let aws = world.at(target);
    let mut state = aws.state();
    let claim: AliasName = CLAIM.parse().unwrap();
    let Some(id) = state.aliases.get(&claim).cloned() else { return };
    match mishap {
        Mishap::DropClaim => drop(state.aliases.remove(&claim)),
        Mishap::Disable => state.keys.get_mut(&id).unwrap().metadata.state = KeyState::Disabled,
        Mishap::DropTags => state.keys.get_mut(&id).unwrap().tags.clear(),
        Mishap::OtherPolicy => {
            state.keys.get_mut(&id).unwrap().policy = r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned();
        }
        Mishap::Rotation => state.keys.get_mut(&id).unwrap().rotation = LiveRotation::Off,
    }
}

const MISHAPS: [Mishap; 5] =
    [Mishap::Disable, Mishap::DropClaim, Mishap::DropTags, Mishap::OtherPolicy, Mishap::Rotation];

/// A primary among the targets, and which of the others have replicas.
fn shape() -> impl Strategy<Value = (usize, Vec<bool>)> {
    (0_usize..3, prop::collection::vec(any::<bool>(), 3))
}

fn of_shape((primary, replicas): &(usize, Vec<bool>)) -> DesiredState {
    let names: Vec<&str> = (0..3).filter(|at| at != primary && replicas[*at]).map(|at| TARGETS[at].0).collect();
    lean(family(TARGETS[*primary].0, &names))
}

fn assert_lawful(plan: &Plan, world: &World) {
    for target in &plan.targets {
        assert!(codes(plan, target.name.as_str()).iter().all(|code| *code != "plan-check"), "{:#}", plan_to_json(plan));
        let aws = world.in_region(&target.region);
        for step in target.outcome.steps() {
            let call = step.action.call();
            assert!(!call.contains("Delet"), "{call}");
            // The family exists: no second one is made.
            let exists = TARGETS
                .iter()
                .any(|(name, _)| world.at(name).state().keys.values().any(|key| key.metadata.multi_region));
            let new = matches!(&step.action, Action::CreateKey { key, .. } if key.as_str() == "sessions");
            let blocked = plan.targets.iter().any(|target| matches!(target.outcome, Outcome::Blocked { .. }));
            assert!(!new || !exists || blocked, "a second family");
        }
        assert!(aws.state().keys.values().filter(|key| key.metadata.multi_region).count() <= 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_family_becomes_any_other_and_no_key_is_deleted_or_made_twice(
        earlier in shape(),
        wanted in shape(),
        mishaps in prop::collection::vec((prop::sample::select(MISHAPS.to_vec()), 0_usize..3), 0..3),
        fault in prop::option::of((0_usize..12, prop::sample::select(FAULTS.to_vec()))),
    ) {
        let before = world(of_shape(&earlier));
        drop(before.apply_with(&before.plan(), fault));
        // What has lost its tags and its claim alias is nobody's, and no one can know it again.
        let mut unproven = BTreeSet::new();
        for (mishap, at) in &mishaps {
            if !matches!(mishap, Mishap::DropClaim | Mishap::DropTags) || unproven.insert(*at) {
                happen(*mishap, &before, TARGETS[*at].0);
            }
        }
        let world = rewritten(&before, of_shape(&wanted));
        for _ in 0..4 {
            let plan = world.plan();
            assert_lawful(&plan, &world);
            prop_assert_eq!(&plan.digest, &world.plan().digest);
            drop(world.apply(&plan));
            world.machine.advance(Duration::from_mins(6));
        }
        let plan = world.plan();
        let primaries: usize = TARGETS
            .iter()
            .map(|(name, _)| {
                let aws = world.at(name);
                let state = aws.state();
                state.keys.values().filter(|key| key.metadata.multi_region_type == Some(MultiRegionType::Primary)).count()
            })
            .sum();
        prop_assert!(primaries <= 1);
        let blocked: Vec<&str> = TARGETS.iter().flat_map(|(name, _)| codes(&plan, name)).collect();
        if blocked.is_empty() {
            prop_assert!(is_in_sync(&plan), "{:#}", plan_to_json(&plan));
            let primary = TARGETS[wanted.0].0;
            prop_assert_eq!(kind(&world, primary), Some(MultiRegionType::Primary));
        }
        // What keywright alone did never ends blocked.
        prop_assert!(!mishaps.is_empty() || blocked.is_empty(), "{:?} {:#}", blocked, plan_to_json(&plan));
    }
}
