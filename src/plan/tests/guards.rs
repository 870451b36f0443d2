//! What forbids a plan: what cannot be read, who may not deploy, who would be locked out, what was not expected.

use super::{EMPTY, blocked_by, calls, findings, ledger, settled, target, touch, wanting};
use crate::apply::tests::world::{World, block_on, is_in_sync, usual};
use crate::desired::{Delegation, DesiredKey, KeyAdmin};
use crate::exit::Exit;
use crate::plan::PlanOptions;
use crate::ports::PortErrorKind::{Denied, NotSupported};
use crate::ports::fake::{Strike, Which};
use crate::synth::sample;

fn deny(world: &World, call: &str) {
    world.aws.fail(call, Which::Every, Strike::Before, Denied);
}

#[test]
fn aliases_that_cannot_be_read_block_and_make_no_key_look_absent() {
    for world in [settled(vec![ledger()]), World::new(wanting(vec![ledger()]))] {
        deny(&world, "kms:ListAliases");
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), ["unreadable"]);
        assert!(target(&plan).outcome.blockers()[0].help.contains("kms:ListAliases"));
        assert!(calls(&plan).is_empty() && target(&plan).access.gains.is_empty() && findings(&plan).is_empty());
        assert_eq!(target(&plan).policies.len(), 1, "the policies are shown all the same");
    }
}

#[test]
fn keys_that_cannot_be_listed_block_every_creation_and_nothing_else() {
    for refusal in [Denied, NotSupported] {
        let fresh = World::new(wanting(vec![ledger()]));
        let standing = settled(vec![ledger()]);
        touch(&standing, |key| key.metadata.description.clear());
        for world in [&fresh, &standing] {
            world.aws.fail("tag:GetResources", Which::Every, Strike::Before, refusal);
            deny(world, "kms:ListKeys");
        }
        let plan = fresh.plan();
        assert!(blocked_by(&plan).iter().all(|code| *code == "unreadable") && !blocked_by(&plan).is_empty());
        assert!(fresh.apply(&plan).scopes.is_empty());
        let plan = standing.plan();
        assert_eq!(calls(&plan), ["UpdateKeyDescription"]);
        assert_eq!(blocked_by(&plan), [""; 0], "a key behind its claim alias needs no list");
        assert!(!target(&plan).unreadable.is_empty(), "and what was not read is told");
    }
}

#[test]
fn the_tags_of_a_foreign_key_are_nobodys_business() {
    let world = settled(vec![ledger()]);
    let foreign = world.aws.add_key(EMPTY, &[], &[]).key_id();
    world.aws.fail("tag:GetResources", Which::Every, Strike::Before, NotSupported);
    world.aws.fail_on("kms:ListResourceTags", foreign.as_ref(), Denied);
    assert!(is_in_sync(&world.plan()));
}

#[test]
fn each_part_of_a_key_that_cannot_be_read_blocks() {
    for call in ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants"] {
        let world = settled(vec![ledger()]);
        deny(&world, call);
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), ["unreadable"], "{call}");
        assert!(target(&plan).outcome.blockers()[0].message.contains(call));
    }
    let world = settled(vec![ledger()]);
    world.aws.fail("tag:GetResources", Which::Every, Strike::Before, NotSupported);
    deny(&world, "kms:ListResourceTags");
    assert_eq!(blocked_by(&world.plan()), ["unreadable"]);
}

#[test]
fn a_role_that_cannot_be_read_blocks_its_account_and_the_keys() {
    let world = World::new(usual());
    deny(&world, "iam:GetRole");
    let plan = world.plan();
    assert!(plan.accounts[0].outcome.blockers().iter().all(|blocker| blocker.kind.0.name() == "unreadable"));
    assert_eq!(blocked_by(&plan), ["account-blocked"]);
    assert!(world.apply(&plan).scopes.is_empty());
}

#[test]
fn only_expected_keys_are_created() {
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    let mut world = World::new(wanting(vec![sample::key("archive"), sample::key("ledger")]));
    world.options = PlanOptions { expect_creates: Some(names(&["ledger"])), ..PlanOptions::default() };
    assert_eq!(blocked_by(&world.plan()), ["unexpected-create"]);
    world.options.expect_creates = Some(names(&["ledger", "archive"]));
    assert_eq!(world.converge().exit(), Exit::Done);
    world.options.expect_creates = Some(names(&[]));
    assert!(is_in_sync(&world.plan()));
}

#[test]
fn a_plan_for_one_key_leaves_the_others_alone() {
    let mut world = World::new(wanting(vec![sample::key("archive"), sample::key("ledger")]));
    world.options.only_keys = Some(["ledger".parse().unwrap()].into());
    assert_eq!(world.converge().exit(), Exit::Done);
    assert_eq!(world.aws.state().keys.len(), 1);
    let plan = world.plan();
    assert!(is_in_sync(&plan) && target(&plan).orphans.is_empty() && findings(&plan).is_empty());
    world.options.only_keys = None;
    assert_eq!(calls(&world.plan()), ["CreateKey", "CreateAlias", "CreateAlias"]);
}

#[test]
fn who_is_no_deployer_may_look_and_not_touch() {
    let strict = DesiredKey { delegation: Delegation::RootUser, ..ledger() };
    let foreign = |world: &World| {
        let mut read = block_on(world.read());
        let caller = &mut read.targets.values_mut().next().unwrap().caller;
        caller.arn = "arn:aws:iam::111122223333:role/passer-by".parse().unwrap();
        caller.principal = caller.arn.clone();
        world.plan_of(&read)
    };
    let plan = foreign(&World::new(wanting(vec![strict.clone()])));
    assert_eq!(blocked_by(&plan), ["not-a-deployer"]);
    assert!(is_in_sync(&foreign(&settled(vec![strict]))), "nothing to do is nothing to forbid");
    // Where the account's IAM decides too, what was not read is no permission.
    assert_eq!(blocked_by(&foreign(&World::new(wanting(vec![ledger()])))), ["not-a-deployer"]);
}

#[test]
fn no_plan_locks_out_every_administrator() {
    let many = crate::desired::Principal::Account("999999999999".parse().unwrap());
    let key = DesiredKey { admins: vec![KeyAdmin(many)], delegation: Delegation::None, ..ledger() };
    assert_eq!(blocked_by(&World::new(wanting(vec![key])).plan()), ["lockout"]);
}

#[test]
fn one_blocked_key_blocks_the_target_and_no_other_target() {
    let mut state = wanting(vec![ledger()]);
    state.targets.push(sample::target("second", "eu-west-1", vec![sample::key("tokens")]));
    let world = World::new(state);
    world.aws.add_key(EMPTY, &[], &["alias/payments/ledger"]);
    let plan = world.plan();
    assert_eq!(blocked_by(&plan), ["alias-foreign"]);
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Done);
    assert_eq!(report.scopes.len(), 1, "the ready target is applied");
}
