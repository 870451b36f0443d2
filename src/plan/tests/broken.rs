//! The independent check finds every plan that breaks a rule.

use super::super::{Applyable, check};
use super::{blocked_by, ledger, settled, touch, wanting};
use crate::apply::tests::families;
use crate::apply::tests::world::{World, block_on};
use crate::desired::{DesiredKey, KeyLifecycle};
use crate::live::LiveRotation;
use crate::plan::{Action, KeyRef, Outcome, Owner, Step, StepId};
use crate::policy::PolicyDocument;

type Break = fn(&mut Vec<Step>);

fn assert_found(name: &str, world: &World, damage: Break) {
    let read = block_on(world.read());
    let mut plan = world.plan_of(&read);
    let Outcome::Ready(Applyable { steps }) = &mut plan.targets[0].outcome else { panic!("{name}: it is ready") };
    damage(steps);
    world.with_input(&read, |input| check::enforce(&mut plan, input));
    assert!(blocked_by(&plan).contains(&"plan-check"), "{name}");
}

#[test]
fn a_plan_that_creates_is_checked() {
    let world = World::new(wanting(vec![ledger()]));
    let cases: &[(&str, Break)] = &[
        ("a number twice", |steps| steps[1].id = steps[0].id.clone()),
        ("waits for the future", |steps| steps[0].depends_on = vec![StepId("s3".into())]),
        ("claim does not follow", |steps| drop(steps.remove(1))),
        ("created twice", |steps| {
            let mut again = steps[0].clone();
            again.id = StepId("s99".into());
            again.depends_on.clear();
            steps.push(again);
        }),
        ("used before it is made", |steps| {
            for step in steps.iter_mut() {
                step.depends_on.clear();
            }
            let last = steps.len() - 1;
            steps.swap(0, last);
        }),
        ("a step of a role", |steps| steps[2].owner = Owner::Role("api".parse().unwrap())),
        ("of a key that is not shown", |steps| steps[2].owner = Owner::Key("other".parse().unwrap())),
        ("a call of IAM", |steps| {
            steps[2].action = Action::DeleteRolePermissionsBoundary { role: "api".parse().unwrap() };
        }),
        ("an alias twice", |steps| {
            let mut again = steps[2].clone();
            again.id = StepId("s99".into());
            steps.push(again);
        }),
        ("without the owner's tag", |steps| {
            if let Action::CreateKey { tags, .. } = &mut steps[0].action {
                tags.remove("keywright:owner");
            }
        }),
        ("another policy than shown", |steps| {
            if let Action::CreateKey { policy, .. } = &mut steps[0].action {
                *policy = PolicyDocument::new(Vec::new());
            }
        }),
        ("another key's", |steps| {
            if let Action::CreateAlias { key, .. } = &mut steps[2].action {
                *key = KeyRef::Live("00000000-0000-4000-8000-000000000009".parse().unwrap());
            }
        }),
        ("rotates after it rests", |steps| {
            let mut rest = steps[2].clone();
            rest.id = StepId("s99".into());
            rest.action = Action::DisableKey { key: KeyRef::Planned("ledger".parse().unwrap()) };
            steps.insert(3, rest);
        }),
    ];
    for (name, damage) in cases {
        assert_found(name, &world, *damage);
    }
}

#[test]
fn a_plan_that_changes_is_checked() {
    let world = settled(vec![ledger()]);
    touch(&world, |key| key.rotation = LiveRotation::Off);
    let cases: &[(&str, Break)] = &[
        ("creates what exists", |steps| {
            steps[0].action = Action::CreateKey {
                shape: crate::kms::KeyShape::default(),
                store: None,
                key: "ledger".parse().unwrap(),
                description: String::new(),
                policy: PolicyDocument::new(Vec::new()),
                tags: std::collections::BTreeMap::new(),
            };
        }),
        ("moves a claim alias", |steps| {
            let Action::EnableKeyRotation { key: KeyRef::Live(id), .. } = &steps[0].action else {
                panic!("it rotates")
            };
            steps[0].action = Action::UpdateAlias {
                alias: "alias/keywright/payments/ledger".parse().unwrap(),
                from: id.clone(),
                key: KeyRef::Live(id.clone()),
            };
        }),
    ];
    for (name, damage) in cases {
        assert_found(name, &world, *damage);
    }
}

#[test]
fn what_targets_do_in_each_other_is_checked() {
    type Break = fn(&mut Vec<Step>, &mut Vec<Step>);
    let world = World::new(families::family("ap", &["eu"]));
    let replicate = |steps: &mut Vec<Step>| {
        steps.iter().position(|step| matches!(step.action, Action::ReplicateKey { .. })).unwrap()
    };
    let cases: &[(&str, Break)] = &[
        ("another policy than shown", |steps, _| {
            for step in steps {
                if let Action::ReplicateKey { policy, .. } = &mut step.action {
                    *policy = PolicyDocument::new(Vec::new());
                }
            }
        }),
        ("another Region than the target's", |steps, _| {
            for step in steps {
                if let Action::ReplicateKey { region, .. } = &mut step.action {
                    *region = "sa-east-1".parse().unwrap();
                }
            }
        }),
        ("without the owner's tag", |steps, _| {
            for step in steps {
                if let Action::ReplicateKey { tags, .. } = &mut step.action {
                    tags.remove("keywright:owner");
                }
            }
        }),
        ("waits for no step at all", |_, there| there.last_mut().unwrap().depends_on = vec![StepId("s99".into())]),
        ("is not made", |_, there| there.iter_mut().for_each(|step| step.depends_on.clear())),
        ("wait for each other", |steps, there| {
            let last = there.last().unwrap().id.clone();
            steps.first_mut().unwrap().depends_on.push(last);
        }),
    ];
    for (name, damage) in cases {
        let read = block_on(world.read());
        let mut plan = world.plan_of(&read);
        let [first, second, _] = &mut plan.targets[..] else { panic!("there are three") };
        let (Outcome::Ready(Applyable { steps }), Outcome::Ready(Applyable { steps: there })) =
            (&mut first.outcome, &mut second.outcome)
        else {
            panic!("{name}: they are ready")
        };
        assert!(replicate(steps) > 0);
        damage(steps, there);
        world.with_input(&read, |input| check::enforce(&mut plan, input));
        let faults = plan.targets.iter().flat_map(|target| target.outcome.blockers());
        assert!(faults.into_iter().any(|blocker| blocker.kind.0.name() == "plan-check"), "{name}");
    }
}

#[test]
fn an_accounts_plan_holds_no_step_of_a_key() {
    let world = World::new(crate::apply::tests::world::usual());
    let read = block_on(world.read());
    let mut plan = world.plan_of(&read);
    let Outcome::Ready(Applyable { steps }) = &mut plan.accounts[0].outcome else { panic!("it is ready") };
    steps[0].owner = Owner::Key("ledger".parse().unwrap());
    world.with_input(&read, |input| check::enforce(&mut plan, input));
    assert_eq!(plan.accounts[0].outcome.blockers()[0].kind.0.name(), "plan-check");
}

fn resting() -> World {
    let retired = DesiredKey {
        lifecycle: KeyLifecycle::Retired,
        deleters: vec![crate::synth::sample::role("keywright-deployer")],
        ..ledger()
    };
    let enabled = DesiredKey { lifecycle: KeyLifecycle::Enabled, ..retired.clone() };
    let mut world = World { state: wanting(vec![retired]), ..settled(vec![enabled]) };
    touch(&world, |key| {
        key.metadata.state = crate::kms::KeyState::Disabled;
        key.tags.insert("keywright:retired-at".into(), "2026-01-01".into());
    });
    world.options.allow_retire = ["ledger".parse().unwrap()].into();
    world
}

/// Another step of the same key, after which nothing waits.
fn more(steps: &[Step], action: Action) -> Step {
    Step { id: StepId("s99".into()), action, depends_on: Vec::new(), ..steps[0].clone() }
}

fn key_of(steps: &[Step]) -> KeyRef {
    steps[0].action.key_ref().unwrap().clone()
}

#[test]
fn a_plan_that_deletes_is_checked() {
    let world = resting();
    assert_eq!(super::calls(&world.plan()), ["ScheduleKeyDeletion"]);
    let cases: &[(&str, Break)] = &[
        ("disabled in the same plan", |steps| {
            steps.insert(0, more(steps, Action::DisableKey { key: key_of(steps) }));
        }),
        ("marked in the same plan", |steps| {
            let tags = [("keywright:retired-at".to_owned(), "2026-11-24".to_owned())].into();
            steps.insert(0, more(steps, Action::TagKey { key: key_of(steps), tags }));
        }),
        ("tagged afterwards", |steps| {
            let tags = [("data".to_owned(), "x".to_owned())].into();
            steps.push(more(steps, Action::TagKey { key: key_of(steps), tags }));
        }),
        ("enabled afterwards", |steps| steps.push(more(steps, Action::EnableKey { key: key_of(steps) }))),
        ("deleted twice", |steps| {
            steps.push(more(steps, Action::ScheduleKeyDeletion { key: key_of(steps), days: 7 }));
        }),
        ("cancelled, and not pending", |steps| steps[0].action = Action::CancelKeyDeletion { key: key_of(steps) }),
        ("rotated while it rests", |steps| {
            steps[0].action = Action::EnableKeyRotation { key: key_of(steps), days: 90 };
        }),
        ("rotated once too often", |steps| {
            steps.insert(0, more(steps, Action::EnableKey { key: key_of(steps) }));
            steps[1].action = Action::RotateKeyOnDemand { key: key_of(steps), before: 25 };
        }),
    ];
    for (name, damage) in cases {
        assert_found(name, &world, *damage);
    }
}

#[test]
fn consent_to_a_deletion_is_checked_for_the_very_name() {
    let world = resting();
    let read = block_on(world.read());
    let mut plan = world.plan_of(&read);
    world.with_input(&read, |input| check::enforce(&mut plan, input));
    assert_eq!(blocked_by(&plan), [""; 0]);
    let mut other = World { options: world.options.clone(), ..World::new(world.state.clone()) };
    other.options.allow_retire = ["tokens".parse().unwrap()].into();
    other.with_input(&read, |input| check::enforce(&mut plan, input));
    assert_eq!(blocked_by(&plan), ["plan-check"]);
}
