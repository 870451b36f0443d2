//! In whom the duties of a live key meet, though the manifest keeps them apart.

use super::{blocked_by, findings, ledger, target, touch};
use crate::access::{GrantConstraints, GrantFacts, Grantee};
use crate::apply::tests::world::{World, task_role};
use crate::desired::{Delegation, DesiredKey, DesiredRole, DesiredState, RoleKind, Separation, Trust};
use crate::diag::Severity;
use crate::exit::Exit;
use crate::live::LiveGrant;
use crate::plan::Plan;
use crate::policy::{PolicyDocument, Statement};
use crate::synth::sample;

/// A key whose administrator a deployment role may become, which is no user of it.
fn wanted(separation: Separation) -> DesiredState {
    let delegation = if separation == Separation::Enforced { Delegation::RootUser } else { Delegation::Account };
    let key = DesiredKey { separation, delegation, ..ledger() };
    let trust = Trust { aws: vec![sample::role("deploy")], ..Trust::default() };
    let roles: Vec<DesiredRole> =
        vec![task_role("deploy", RoleKind::KeyUser), sample::managed("key-admin", RoleKind::KeyAdmin, trust)];
    sample::state(vec![sample::target("prod", "eu-west-1", vec![key])], roles)
}

fn settled(separation: Separation) -> World {
    let world = World::new(wanted(separation));
    assert_eq!(world.converge().exit(), Exit::Done);
    assert!(findings(&world.plan()).is_empty(), "deploy administers, and does not use");
    world
}

fn grant_to_deploy(world: &World) {
    let facts = GrantFacts {
        grant_id: "0f1e".to_owned(),
        issuing_account: sample::ACCOUNT.to_owned(),
        operations: vec!["Decrypt".to_owned()],
        grantee: Grantee::Principal(sample::role_arn("deploy").to_string()),
        retiring: None,
        constraints: GrantConstraints::default(),
    };
    touch(world, |key| key.grants.push(LiveGrant { name: None, facts }));
}

fn told(plan: &Plan) -> Vec<(Severity, &str)> {
    let of_duties = |finding: &&crate::plan::Finding| finding.code.name() == "separation-of-duties";
    target(plan).findings.iter().filter(of_duties).map(|finding| (finding.severity, finding.message.as_str())).collect()
}

#[test]
fn a_grant_that_lets_who_becomes_the_administrator_use_the_key_is_told() {
    for (separation, severity) in [(Separation::Advised, Severity::Warning), (Separation::Enforced, Severity::Error)] {
        let world = settled(separation);
        grant_to_deploy(&world);
        let plan = world.plan();
        let [(found, message)] = told(&plan)[..] else { panic!("{:?}", told(&plan)) };
        assert_eq!(found, severity);
        assert!(message.contains("deploy → assumes key-admin → DisableKey, PutKeyPolicy"), "{message}");
        assert!(message.contains("deploy → Decrypt by the statement `0f1e` of a grant"), "{message}");
    }
}

#[test]
fn a_change_of_a_key_that_enforces_separate_duties_is_blocked() {
    for (separation, blocked) in [(Separation::Advised, vec![]), (Separation::Enforced, vec!["separation-of-duties"])] {
        let world = settled(separation);
        grant_to_deploy(&world);
        touch(&world, |key| key.metadata.description = "changed".to_owned());
        assert_eq!(blocked_by(&world.plan()), blocked);
    }
}

#[test]
fn a_foreign_policy_of_a_managed_role_counts_where_the_key_leaves_it_to_iam() {
    for (separation, count) in [(Separation::Advised, 1), (Separation::Enforced, 0)] {
        let world = settled(separation);
        let policy = PolicyDocument::new(vec![Statement::allow("Mine", ["kms:Decrypt"])]);
        let deploy = "deploy".parse().unwrap();
        world.aws.state().roles.get_mut(&deploy).unwrap().inline_policies.insert("mine".to_owned(), policy);
        let plan = world.plan();
        assert_eq!(told(&plan).len(), count, "{:?}", told(&plan));
    }
}
