//! Roles: in the order of trust, never taken over, never recreated.

use super::wire::{Fault, Lagging};
use super::world::{World, is_in_sync, single, task_role, usual};
use crate::desired::{DesiredRole, DesiredState, RoleKind, Trust};
use crate::exit::Exit;
use crate::plan::{Action, Plan};
use crate::ports::{IdentityWriter as _, NewRole, PortErrorKind};
use crate::report::StepResult;
use crate::synth::sample;
use std::collections::BTreeSet;
use std::time::Duration;

fn trusting(name: &str, trusted: &str) -> DesiredRole {
    let trust = Trust { aws: vec![sample::role(trusted)], ..Trust::default() };
    sample::managed(name, RoleKind::KeyUser, trust)
}

fn with_roles(roles: Vec<DesiredRole>) -> DesiredState {
    DesiredState { accounts: sample::state(Vec::new(), roles).accounts, ..single() }
}

fn created(plan: &Plan) -> Vec<String> {
    let steps = plan.accounts[0].outcome.steps().iter();
    let names = steps.filter_map(|step| {
        let Action::CreateRole { role, .. } = &step.action else { return None };
        Some(role.to_string())
    });
    names.collect()
}

#[test]
fn a_trusted_role_is_made_before_those_that_trust_it() {
    let verified = DesiredRole {
        trust: Trust {
            services: vec!["ecs-tasks.amazonaws.com".to_owned()],
            verifier: Some(sample::role("verifier")),
            ..Trust::default()
        },
        ..trusting("b", "c")
    };
    let roles = vec![trusting("a", "b"), verified, task_role("verifier", RoleKind::Verifier)];
    let world = World::new(with_roles(roles));
    // IAM refuses principals that do not exist.
    let known = ["keywright-deployer", "key-admin", "pr-planner"].map(|name| sample::role_arn(name).to_string());
    world.aws.state().known_principals = Some(BTreeSet::from(known));
    let plan = world.plan();
    assert_eq!(created(&plan), ["verifier", "b", "a"]);
    let steps = plan.accounts[0].outcome.steps();
    let step = |name: &str| {
        steps.iter().find(|step| matches!(&step.action, Action::CreateRole { role, .. } if role.as_str() == name))
    };
    assert_eq!(step("a").unwrap().depends_on, [step("b").unwrap().id.clone()]);
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn roles_that_wait_for_each_other_are_blocked() {
    let world = World::new(with_roles(vec![trusting("a", "b"), trusting("b", "a"), trusting("c", "c")]));
    let plan = world.plan();
    let codes = |plan: &Plan| -> Vec<&str> {
        plan.accounts[0].outcome.blockers().iter().map(|blocker| blocker.kind.0.name()).collect()
    };
    assert_eq!(codes(&plan), ["trust-cycle"; 3]);
    assert_eq!(plan.targets[0].outcome.blockers()[0].kind.0.name(), "account-blocked");
    assert!(world.apply(&plan).scopes.is_empty());
}

#[test]
fn a_role_that_shows_late_is_waited_for_before_a_key_names_it() {
    let mut world = World::new(usual());
    world.lag = Some((Duration::from_mins(1), Lagging::Reads));
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Unconfirmed);
    assert_eq!(world.aws.count("kms:CreateKey"), 0, "the keys wait for the roles");
    let skipped = |step: &crate::report::StepOutcome| matches!(step.result, StepResult::Skipped { .. });
    assert!(report.scopes[1].steps.iter().all(skipped));
    world.lag = None;
    assert_eq!(world.converge().exit(), Exit::Done);
    world.assert_whole();
}

#[test]
fn a_role_that_exists_is_ours_only_with_our_tags_and_trust() {
    let state = with_roles(vec![task_role("api", RoleKind::KeyUser)]);
    for (ours, expected) in [(true, Exit::Done), (false, Exit::Partial)] {
        let world = World::new(state.clone());
        let plan = world.plan();
        let Action::CreateRole { role, path, trust, max_session_seconds, tags, .. } =
            &plan.accounts[0].outcome.steps()[0].action
        else {
            panic!("a role is made first");
        };
        let made = NewRole {
            name: role.clone(),
            path: path.clone(),
            description: None,
            max_session_seconds: *max_session_seconds,
            trust: trust.clone(),
            permissions_boundary: None,
            tags: if ours { tags.clone() } else { std::collections::BTreeMap::new() },
        };
        super::world::block_on(world.aws.create_role(&made)).unwrap();
        let report = world.apply(&plan);
        assert_eq!(report.exit(), expected, "{report:#?}");
        assert_eq!(report.scopes[0].recoveries.len(), usize::from(ours));
    }
}

#[test]
fn every_difference_of_a_role_is_mended() {
    let world = World::new(usual());
    assert_eq!(world.converge().exit(), Exit::Done);
    {
        let mut state = world.aws.state();
        let role = state.roles.get_mut(&"api".parse().unwrap()).unwrap();
        role.trust = crate::policy::PolicyDocument::new(Vec::new());
        role.max_session_seconds = 7_200;
        role.tags.remove("keywright:role");
        role.inline_policies.insert("hand-made".to_owned(), crate::policy::PolicyDocument::new(Vec::new()));
        role.attached_policies = vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned()];
        role.permissions_boundary = Some("arn:aws:iam::111122223333:policy/limit".to_owned());
    }
    let plan = world.plan();
    let calls: Vec<&str> = plan.accounts[0].outcome.steps().iter().map(|step| step.action.call()).collect();
    assert_eq!(calls, ["iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:TagRole"]);
    let notes: Vec<&str> = plan.accounts[0].findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("boundary") && notes[1].contains("hand-made") && notes[1].contains("ReadOnlyAccess"));
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    assert!(is_in_sync(&world.plan()));
}

#[test]
fn a_role_that_could_not_be_made_skips_the_keys_that_name_it() {
    let world = World::new(usual());
    let report = world.apply_with(&world.plan(), Some((1, Fault::Refused(PortErrorKind::Denied)))).unwrap();
    assert_eq!(report.exit(), Exit::Partial);
    assert_eq!(world.aws.count("kms:CreateKey"), 0);
}
