//! Tags of keys and roles, what depends on them, and what a plan costs.

use super::{blocked_by, calls, findings, first_key, ledger, settled, target, touch, wanting};
use crate::apply::tests::world::{World, is_in_sync, task_role};
use crate::desired::{DesiredKey, DesiredRole, DesiredState, RoleKind, TagReach};
use crate::exit::Exit;
use crate::live::{LiveRotationEvent, LiveRotations};
use crate::plan::Plan;
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use crate::ports::fake::{FakeKey, Strike, Which};
use crate::source::Located;
use crate::synth::sample;
use std::collections::BTreeMap;

fn exclusive() -> DesiredKey {
    DesiredKey { tag_reach: TagReach::All, ..ledger() }
}

fn tag(key: &mut FakeKey, name: &str, value: &str) {
    key.tags.insert(name.to_owned(), value.to_owned());
}

#[test]
fn exclusive_tags_of_a_key_are_its_only_ones_but_for_reserved_and_awss() {
    let world = settled(vec![exclusive()]);
    touch(&world, |key| {
        tag(key, "team", "blue");
        tag(key, "aws:cloudformation:stack-name", "x");
        tag(key, "keywright:later", "of another version");
        tag(key, "data", "by hand");
    });
    let plan = world.plan();
    assert_eq!(calls(&plan), ["TagResource", "UntagResource"]);
    assert!(target(&plan).drift.is_empty(), "what is removed is not left alone");
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    let tags = world.aws.state().keys.values().next().unwrap().tags.clone();
    assert!(!tags.contains_key("team") && tags.len() == 7, "{tags:?}");
    world.assert_whole();
}

#[test]
fn fifty_tags_count_those_that_nobody_declared() {
    let world = settled(vec![ledger()]);
    touch(&world, |key| {
        key.tags.remove("data");
        (0..46).for_each(|number| tag(key, &format!("t{number:02}"), "x"));
    });
    let plan = world.plan();
    assert_eq!(blocked_by(&plan), ["tag-limits"]);
    assert!(target(&plan).outcome.blockers()[0].message.contains("51 tags"));
    let world = World { state: wanting(vec![exclusive()]), ..world };
    assert_eq!(calls(&world.plan()), ["UntagResource", "TagResource"]);
    assert_eq!(world.converge().exit(), Exit::Done);
    world.assert_whole();
}

fn with_role(reach: TagReach) -> DesiredState {
    let role = DesiredRole { tag_reach: reach, ..task_role("key-admin", RoleKind::KeyAdmin) };
    sample::state(vec![sample::target("prod", "eu-west-1", vec![sample::key("ledger")])], vec![role])
}

#[test]
fn exclusive_tags_of_a_role_too() {
    let world = World::new(with_role(TagReach::Declared));
    assert_eq!(world.converge().exit(), Exit::Done);
    world.aws.state().roles.values_mut().next().unwrap().tags.insert("team".into(), "blue".into());
    assert!(is_in_sync(&world.plan()), "others' tags are left alone");
    let world = World { state: with_role(TagReach::All), ..world };
    let plan = world.plan();
    let steps: Vec<&str> = plan.accounts[0].outcome.steps().iter().map(|step| step.action.call()).collect();
    assert_eq!(steps, ["iam:UntagRole"]);
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    assert!(is_in_sync(&world.plan()));
    assert!(!world.aws.state().roles.values().next().unwrap().tags.contains_key("team"));
}

fn app() -> Vec<PrincipalEntry> {
    vec![PrincipalEntry::Aws(sample::role_arn("app").to_string())]
}

/// Adds statements to the live policy of the first key that the plan leaves in place: its wanted policy has them too.
fn plan_with(world: &World, statements: &[Statement]) -> Plan {
    let wanted = &world.state.targets[0];
    let mut policy = crate::synth::key_policy(wanted, &wanted.keys[0]);
    policy.statements.extend(statements.iter().cloned());
    touch(world, |key| key.policy = policy.to_text());
    world.plan()
}

/// The gains and losses of a key whose policy stays and whose tags and aliases change.
fn change(
    statements: Vec<Statement>,
    before: (&str, &[&str]),
    after: (&str, &[&str]),
) -> (Vec<String>, Vec<String>, usize) {
    use super::super::abac::{Subject, review};
    let aliases =
        |names: &[&str]| names.iter().map(|name| Located::new(name.parse().unwrap(), sample::loc())).collect();
    let key = |(team, names): (&str, &[&str])| DesiredKey {
        tags: BTreeMap::from([("team".to_owned(), team.to_owned())]),
        aliases: aliases(names),
        remove_aliases: ["alias/a", "alias/b"]
            .iter()
            .filter(|name| !names.contains(name))
            .map(|name| name.parse().unwrap())
            .collect(),
        ..sample::key("ledger")
    };
    let world = settled(vec![key(before)]);
    let policy = PolicyDocument::new(statements);
    touch(&world, |key| key.policy = policy.to_text());
    let world = World { state: wanting(vec![key(after)]), ..world };
    let read = crate::apply::tests::world::block_on(world.read());
    world.with_input(&read, |input| {
        let wanted = &input.desired.targets[0];
        let live = &input.targets[&wanted.name];
        let families = super::super::family::decide(input, super::super::family::find(input));
        let mut draft = super::super::guard::draft_target(input, wanted, live, &families);
        draft.plan.findings.clear();
        draft.plan.access = crate::review::AccessChange::default();
        let subject = Subject {
            key: &wanted.keys[0],
            policy: policy.clone(),
            tags: crate::synth::key_tags(input.desired, &wanted.keys[0]),
            live: live.keys.first(),
        };
        review(input, wanted, live, &[subject], &mut draft);
        let lines = |lines: &[crate::review::AccessLine]| {
            lines
                .iter()
                .map(|line| format!("{} {}", line.principal.rsplit('/').next().unwrap(), line.conditions.join(" ")))
                .collect()
        };
        (lines(&draft.plan.access.gains), lines(&draft.plan.access.losses), draft.plan.findings.len())
    })
}

#[test]
fn access_that_a_tag_gives_is_gained_and_lost_with_it() {
    let when = |value: &str| {
        Statement::allow("Team", ["kms:Decrypt"]).principals(app()).when(
            "StringEquals",
            "aws:ResourceTag/team",
            [value],
        )
    };
    let none: &[&str] = &["alias/x"];
    let (gains, losses, told) = change(vec![when("red")], ("blue", none), ("red", none));
    assert_eq!((gains.len(), losses.len(), told), (1, 0, 1), "{gains:?} {losses:?}");
    let (gains, losses, told) = change(vec![when("blue")], ("blue", none), ("red", none));
    assert_eq!((gains.len(), losses.len(), told), (0, 1, 1));
    // Neither value is the one that is asked for: it is said, and gives nobody anything.
    let (gains, losses, told) = change(vec![when("green")], ("blue", none), ("red", none));
    assert_eq!((gains.len(), losses.len(), told), (0, 0, 1));
    let (gains, losses, told) = change(vec![when("blue")], ("blue", none), ("blue", none));
    assert_eq!((gains.len(), losses.len(), told), (0, 0, 0));
    let other =
        Statement::allow("Team", ["kms:Decrypt"]).principals(app()).when("StringEquals", "aws:ResourceTag/data", ["x"]);
    assert_eq!(change(vec![other], ("blue", none), ("red", none)).2, 0);
}

#[test]
fn a_tag_that_must_be_the_callers_own_gives_to_some_and_takes_from_others() {
    let statement = Statement::allow("Own", ["kms:Decrypt"]).principals(app()).when(
        "StringEquals",
        "aws:ResourceTag/team",
        ["${aws:PrincipalTag/team}"],
    );
    let (gains, losses, told) = change(vec![statement], ("blue", &["alias/x"]), ("red", &["alias/x"]));
    assert_eq!((gains.len(), losses.len(), told), (1, 1, 1));
    assert!(gains[0].contains("red") && losses[0].contains("blue"), "{gains:?} {losses:?}");
}

#[test]
fn a_deny_by_tag_gives_what_it_denies_no_more() {
    let allow = Statement::allow("All", ["kms:Decrypt"]).principals(app());
    let deny = Statement::deny("No", ["kms:Decrypt"]).principals(vec![PrincipalEntry::Everyone]).when(
        "StringNotEquals",
        "aws:ResourceTag/team",
        ["red"],
    );
    let both = || vec![allow.clone(), deny.clone()];
    let (gains, losses, told) = change(both(), ("blue", &["alias/x"]), ("red", &["alias/x"]));
    assert_eq!((gains.len(), losses.len(), told), (1, 0, 1));
    let (gains, losses, told) = change(both(), ("red", &["alias/x"]), ("blue", &["alias/x"]));
    assert_eq!((gains.len(), losses.len(), told), (0, 1, 1));
}

#[test]
fn access_by_alias_goes_with_the_alias() {
    let by = |key: &str| {
        Statement::allow("Alias", ["kms:Decrypt"]).principals(app()).when("ForAnyValue:StringLike", key, ["alias/a*"])
    };
    let (gains, losses, told) = change(vec![by("kms:ResourceAliases")], ("x", &["alias/a"]), ("x", &["alias/b"]));
    assert_eq!((gains.len(), losses.len(), told), (0, 1, 1));
    let (gains, losses, told) = change(vec![by("kms:ResourceAliases")], ("x", &["alias/b"]), ("x", &["alias/a"]));
    assert_eq!((gains.len(), losses.len(), told), (1, 0, 1));
    // The caller names the alias: that is said, and which access it gives hangs on what callers write.
    let (gains, losses, told) = change(vec![by("kms:RequestAlias")], ("x", &["alias/a"]), ("x", &["alias/b"]));
    assert_eq!((gains.len(), losses.len(), told), (0, 0, 1));
}

#[test]
fn a_live_statement_by_tag_is_told_when_the_plan_changes_the_tag() {
    let world = settled(vec![ledger()]);
    touch(&world, |key| tag(key, "data", "by hand"));
    let by_tag = Statement::allow("ByData", ["kms:Decrypt"]).principals(app()).when(
        "StringEquals",
        "aws:ResourceTag/data",
        ["by hand"],
    );
    let plan = plan_with(&world, &[by_tag]);
    assert!(findings(&plan).contains(&"abac-change"), "{:?}", findings(&plan));
    let found = target(&plan).findings.iter().find(|finding| finding.code.name() == "abac-change").unwrap();
    let said = "the statement `ByData` of the live policy depends on the tag `data`, which changes from `by hand` to `cardholder`: it concerns `arn:aws:iam::111122223333:role/app`";
    assert_eq!(found.message, said);
    assert!(found.remedy.contains("five minutes"));
}

#[test]
fn what_a_plan_costs_and_how_full_the_region_is() {
    let world = World::new(wanting(vec![ledger(), sample::key("tokens")]));
    let plan = world.plan();
    assert_eq!(target(&plan).cost_per_month_delta, "2.00");
    assert_eq!(target(&plan).quotas.keys, Some(2));
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    assert_eq!(target(&world.plan()).cost_per_month_delta, "0.00");
    world.aws.fail("kms:ListKeys", Which::Every, Strike::Before, crate::ports::PortErrorKind::Denied);
    let plan = world.plan();
    assert!(is_in_sync(&plan) && target(&plan).unreadable.is_empty());
    assert_eq!(target(&plan).quotas.keys, None);
}

#[test]
fn the_first_two_rotations_cost_and_deletion_ends_it_all() {
    use super::super::cost::monthly;
    use super::super::draft::{Draft, Sheet};
    use crate::plan::{Action, KeyRef, Owner, Why};
    let world = settled(vec![ledger()]);
    let id = first_key(&world);
    let read = crate::apply::tests::world::block_on(world.read());
    let sources = crate::source::SourceMap::default();
    let cost = |action: Action, rotated: usize| {
        let mut live = read.targets.values().next().unwrap().clone();
        let event = LiveRotationEvent { at: jiff::Timestamp::UNIX_EPOCH, on_demand: false };
        let history = LiveRotations { under_way_since: None, done: vec![event; rotated] };
        live.keys[0].rotations = Some(crate::live::Observed::Known(history));
        let mut sheet = Sheet::new(Owner::Key("ledger".parse().unwrap()), sample::loc(), &sources);
        sheet.step(Draft::new(action, Why::Differs));
        monthly(&[sheet], &live)
    };
    let key = || KeyRef::Live(id.clone());
    let rotate = || Action::RotateKeyOnDemand { key: key(), before: 0 };
    assert_eq!([0, 1, 2, 3].map(|done| cost(rotate(), done)), ["1.00", "1.00", "0.00", "0.00"]);
    let delete = || Action::ScheduleKeyDeletion { key: key(), days: 30 };
    assert_eq!([0, 1, 2, 3].map(|done| cost(delete(), done)), ["-1.00", "-2.00", "-3.00", "-3.00"]);
    assert_eq!(cost(Action::CancelKeyDeletion { key: key() }, 1), "2.00");
    assert_eq!(cost(Action::DisableKey { key: key() }, 1), "0.00");
}
