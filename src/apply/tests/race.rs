//! Two runs that race for a name: one key is adopted, the other is a stray.

use super::world::{World, block_on, single, usual};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STRAY};
use crate::diag::Code;
use crate::exit::Exit;
use crate::ids::{AliasName, KeyId};
use crate::kms::KeyState;
use crate::plan::Action;
use crate::report::StepResult;

#[track_caller]
fn assert_one_each(world: &World, strays: usize) {
    world.assert_whole();
    let state = world.aws.state();
    let claimed = |id: &KeyId| state.aliases.iter().any(|(alias, key)| alias.is_claim() && key == id);
    let others: Vec<_> = state.keys.iter().filter(|(id, _)| !claimed(id)).collect();
    assert_eq!(others.len(), strays);
    for (_, stray) in others {
        assert_eq!(stray.metadata.state, KeyState::Disabled);
        assert!(!stray.tags.contains_key(TAG_KEY), "{:?}", stray.tags);
        assert!(claimed(&stray.tags[TAG_STRAY].parse().unwrap()));
    }
}

#[test]
fn whoever_comes_second_steps_back_and_goes_on_with_the_winner() {
    let (first, second) = (World::new(single()), World::new(single()));
    let second = World { aws: first.aws.clone(), machine: super::world::TestMachine::new(77), ..second };
    let late = second.plan();
    assert_eq!(first.converge().exit(), Exit::Done);
    let report = second.apply(&late);
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    assert!(report.scopes[0].recoveries[0].message.contains("another run claimed"), "{report:#?}");
    assert_one_each(&first, 1);
    assert!(second.machine.claims.lock().unwrap().is_empty(), "the loser has nothing to look for");
    let plan = second.plan();
    let codes = plan.targets[0].findings.iter().map(|finding| finding.code);
    assert_eq!(codes.filter(|code| *code == Code::StrayKey).count(), 1);
}

#[test]
fn interleaved_runs_adopt_one_key_each() {
    let first = World::new(usual());
    let second = first.elsewhere();
    let (one, two) = (first.plan(), second.plan());
    let (one, two) = block_on(async { tokio::join!(first.run(&one, None), second.run(&two, None)) });
    // Roles are made once: one of the runs may see them as made by somebody else meanwhile.
    for report in [one.unwrap(), two.unwrap()] {
        assert!([Exit::Done, Exit::Partial, Exit::Failed].contains(&report.exit()), "{report:#?}");
    }
    assert_eq!(first.converge().exit(), Exit::Done);
    assert_eq!(second.converge().exit(), Exit::Done);
    assert_one_each(&first, 2);
}

#[test]
fn a_claim_alias_of_anybody_else_is_respected() {
    let world = World::new(single());
    let plan = world.plan();
    let claim = "alias/keywright/payments/ledger";
    let tags =
        [("keywright:stack", "payments"), (TAG_KEY, "ledger"), (TAG_OWNER, "11111111-2222-4333-8444-555555555555")];
    let theirs = world.aws.add_key(r#"{"Version":"2012-10-17","Statement":[]}"#, &tags, &[claim]).key_id();
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Partial);
    let failed = report.scopes[0].steps.iter().find(|step| matches!(step.result, StepResult::Failed { .. })).unwrap();
    assert!(matches!(&failed.step.action, Action::CreateAlias { alias, .. } if alias.as_str() == claim));
    let state = world.aws.state();
    assert_eq!(state.aliases[&claim.parse::<AliasName>().unwrap()], theirs);
    assert!(state.keys.values().all(|key| key.metadata.state == KeyState::Enabled), "nothing was disabled");
}

#[test]
fn the_key_of_an_interrupted_run_that_lost_is_left_alone() {
    let world = World::new(single());
    assert!(world.apply_with(&world.plan(), Some((0, super::wire::Fault::DiesAfter))).is_none());
    let late = world.plan();
    // Another machine knows nothing of the interrupted run, and has planned before it.
    let other = world.elsewhere();
    let before = World::new(single()).plan();
    assert_eq!(other.apply(&before).exit(), Exit::Done);
    let report = world.apply(&late);
    assert_eq!(report.exit(), Exit::Failed, "{report:#?}");
    assert!(world.aws.state().keys.values().all(|key| key.metadata.state == KeyState::Enabled));
    assert!(world.machine.claims.lock().unwrap().is_empty());
    world.assert_whole();
}
