//! What becomes of keys: in which state which step is planned, waits, or is refused.

use super::{EMPTY, blocked_by, calls, findings, ledger, settled, target, touch, wanting};
use crate::apply::tests::world::{CALLER, World, is_in_sync, rotating};
use crate::desired::{Delegation, DesiredKey, KeyKind, KeyLifecycle, KeyMaterial, KeyStore, Topology};
use crate::exit::Exit;
use crate::kms::{KeySpec, KeyState, KeyUsage, Origin};
use crate::live::{LiveKeyStore, LiveRotation, LiveRotationEvent, LiveRotations, MultiRegionType};
use crate::plan::{Action, Plan, PlanOptions, PlanPurpose, plan_to_json};
use crate::ports::PortErrorKind;
use crate::ports::fake::{FakeKey, Strike, Which};
use crate::services::Service;
use crate::synth::sample;
use jiff::civil::{Date, date};

const RETIRED: &str = "keywright:retired-at";

/// A key whose deleter is the deployer too.
fn key(lifecycle: KeyLifecycle) -> DesiredKey {
    DesiredKey { lifecycle, deleters: vec![sample::role("keywright-deployer")], ..ledger() }
}

fn with(world: World, key: DesiredKey) -> World {
    World { state: wanting(vec![key]), ..world }
}

/// A key that was made as it should be, then touched, and is now wanted in another lifecycle.
fn touched(lifecycle: KeyLifecycle, change: impl FnOnce(&mut FakeKey)) -> World {
    let world = settled(vec![key(KeyLifecycle::Enabled)]);
    touch(&world, change);
    with(world, key(lifecycle))
}

fn retire_on(day: &'static str, state: KeyState) -> impl FnOnce(&mut FakeKey) {
    move |key| {
        key.metadata.state = state;
        key.tags.insert(RETIRED.to_owned(), day.to_owned());
    }
}

fn allowing(world: World) -> World {
    let options = PlanOptions { allow_retire: ["ledger".parse().unwrap()].into(), ..world.options.clone() };
    World { options, ..world }
}

fn cancelling(world: World) -> World {
    let options = PlanOptions { cancel_deletion: ["ledger".parse().unwrap()].into(), ..world.options.clone() };
    World { options, ..world }
}

fn rotating_now(world: World) -> World {
    let rotate = ["ledger".parse().unwrap()].into();
    let options = PlanOptions { rotate, purpose: PlanPurpose::Rotate, ..world.options.clone() };
    World { options, ..world }
}

fn said(plan: &Plan, code: &str) -> String {
    let said = target(plan).findings.iter().filter(|finding| finding.code.name() == code);
    said.map(|finding| format!("{} / {}", finding.message, finding.remedy)).collect::<Vec<_>>().join("\n")
}

fn help(plan: &Plan) -> String {
    let all = target(plan).outcome.blockers().iter();
    all.map(|blocker| format!("{} / {}", blocker.message, blocker.help)).collect::<Vec<_>>().join("\n")
}

/// Who applies, whom the key names as deleter, whether it leaves the rest to IAM: blockers and steps.
type WhoRow<'a> = (&'a str, &'a str, Delegation, &'a [&'a str], &'a [&'a str]);

/// A name, the history: steps, blockers, notes.
type AgeRow<'a> = (&'a str, LiveRotations, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

/// A name, what makes a key unfit for rotation, the code.
type Unfit = (&'static str, fn(&mut FakeKey), &'static str);

/// State before, tag before, what is wanted, consent to delete, consent to cancel: steps, blockers, notes.
type Row = (
    KeyState,
    Option<&'static str>,
    KeyLifecycle,
    (bool, bool),
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

#[test]
fn each_state_leads_to_its_steps_and_to_no_other() {
    use KeyLifecycle::{Disabled as Rests, Enabled as Works, Retired};
    use KeyState::{Creating, Disabled, Enabled, PendingDeletion, PendingReplicaDeletion, Updating};
    const NO: (bool, bool) = (false, false);
    const DELETE: (bool, bool) = (true, false);
    const CANCEL: (bool, bool) = (false, true);
    const OLD: Option<&str> = Some("2026-10-25");
    const YOUNG: Option<&str> = Some("2026-10-26");
    const TODAY: Option<&str> = Some("2026-11-24");
    const ODD: Option<&str> = Some("yesterday");
    let rows: &[Row] = &[
        (Enabled, None, Works, NO, &[], &[], &[]),
        (Enabled, None, Rests, NO, &["DisableKey"], &[], &[]),
        (Disabled, None, Works, NO, &["EnableKey"], &[], &[]),
        (Disabled, None, Rests, NO, &[], &[], &[]),
        // Retirement: marked and disabled in one run, deleted in a later one.
        (Enabled, None, Retired, NO, &["TagResource", "DisableKey"], &[], &["retirement"]),
        (Enabled, None, Retired, DELETE, &["TagResource", "DisableKey"], &[], &["retirement"]),
        (Enabled, TODAY, Retired, DELETE, &["DisableKey"], &[], &["retirement"]),
        (Enabled, OLD, Retired, DELETE, &["TagResource", "DisableKey"], &[], &["retirement"]),
        (Disabled, None, Retired, DELETE, &["TagResource"], &[], &["retirement"]),
        (Disabled, ODD, Retired, DELETE, &["TagResource"], &[], &["retirement"]),
        (Disabled, YOUNG, Retired, DELETE, &[], &[], &["retirement"]),
        (Disabled, OLD, Retired, NO, &[], &[], &["retirement", "retirement", "last-use"]),
        (Disabled, OLD, Retired, DELETE, &["ScheduleKeyDeletion"], &[], &["retirement", "last-use"]),
        (PendingDeletion, OLD, Retired, NO, &[], &[], &["retirement"]),
        (PendingDeletion, None, Retired, DELETE, &[], &[], &["retirement"]),
        (PendingReplicaDeletion, OLD, Retired, DELETE, &[], &[], &["retirement"]),
        // Back: the cancellation is a step of its own.
        (Disabled, OLD, Works, NO, &["UntagResource", "EnableKey"], &[], &[]),
        (Disabled, OLD, Rests, NO, &["UntagResource"], &[], &[]),
        (Enabled, OLD, Works, NO, &["UntagResource"], &[], &[]),
        (PendingDeletion, OLD, Works, NO, &["CancelKeyDeletion", "UntagResource", "EnableKey"], &[], &[]),
        (PendingDeletion, OLD, Rests, NO, &["CancelKeyDeletion", "UntagResource"], &[], &[]),
        (PendingDeletion, None, Works, NO, &[], &["pending-deletion"], &[]),
        (PendingDeletion, None, Rests, DELETE, &[], &["pending-deletion"], &[]),
        (PendingDeletion, None, Works, CANCEL, &["CancelKeyDeletion", "EnableKey"], &[], &[]),
        (PendingReplicaDeletion, None, Works, CANCEL, &["CancelKeyDeletion", "EnableKey"], &[], &[]),
        (Enabled, None, Works, CANCEL, &[], &[], &[]),
        // What passes is waited for.
        (Creating, None, Works, NO, &[], &[], &["key-state"]),
        (Creating, None, Rests, NO, &[], &[], &["key-state"]),
        (Creating, OLD, Retired, DELETE, &[], &[], &["key-state"]),
        (Updating, None, Works, NO, &[], &[], &["key-state"]),
        (Updating, None, Rests, NO, &[], &[], &["key-state"]),
        (Updating, OLD, Retired, DELETE, &[], &[], &["key-state"]),
    ];
    for (state, tag, lifecycle, (delete, cancel), steps, blockers, notes) in rows {
        let case = format!("{state} {tag:?} {lifecycle:?} {delete} {cancel}");
        let mut world = touched(*lifecycle, |key| {
            key.metadata.state = *state;
            key.tags.extend(tag.map(|day| (RETIRED.to_owned(), day.to_owned())));
        });
        world = if *delete { allowing(world) } else { world };
        world = if *cancel { cancelling(world) } else { world };
        let plan = world.plan();
        assert_eq!(calls(&plan), *steps, "{case}: {:#}", plan_to_json(&plan));
        assert_eq!(blocked_by(&plan), *blockers, "{case}");
        assert_eq!(findings(&plan), *notes, "{case}");
        if blockers.is_empty() {
            assert_eq!(world.apply(&plan).exit(), Exit::Done, "{case}");
            let after = world.plan();
            assert!(is_in_sync(&after), "{case}: {:#}", plan_to_json(&after));
        } else {
            assert!(world.apply(&plan).scopes.is_empty(), "{case}");
        }
    }
}

#[test]
fn a_retired_key_is_managed_while_it_rests_and_left_alone_while_it_goes() {
    let change = |key: &mut FakeKey| {
        key.policy = EMPTY.into();
        key.tags.insert("data".into(), "other".into());
        key.metadata.description.clear();
        key.rotation = LiveRotation::Off;
    };
    let world = touched(KeyLifecycle::Retired, retire_on("2026-10-25", KeyState::Disabled));
    touch(&world, change);
    let plan = allowing(world).plan();
    assert_eq!(calls(&plan), ["PutKeyPolicy", "TagResource", "UpdateKeyDescription", "ScheduleKeyDeletion"]);
    let world = touched(KeyLifecycle::Retired, retire_on("2026-10-25", KeyState::PendingDeletion));
    touch(&world, change);
    let plan = world.plan();
    assert!(is_in_sync(&plan) && target(&plan).access.gains.is_empty());
    assert_eq!(findings(&plan), ["retirement"]);
}

#[test]
fn a_key_comes_back_under_its_final_policy_only() {
    let world = touched(KeyLifecycle::Enabled, retire_on("2026-10-25", KeyState::PendingDeletion));
    touch(&world, |key| {
        key.policy = EMPTY.into();
        key.rotation = LiveRotation::Off;
    });
    // The policy lets nobody cancel by itself: by hand the deleter does.
    let plan = world.plan();
    assert_eq!(calls(&plan), ["CancelKeyDeletion", "UntagResource", "PutKeyPolicy", "EnableKey", "EnableKeyRotation"]);
    assert_eq!(blocked_by(&plan), ["not-a-deleter"]);
}

#[test]
fn what_goes_with_a_key_is_said_before_its_deletion_can_be_scheduled() {
    let world = touched(KeyLifecycle::Retired, retire_on("2026-10-25", KeyState::Disabled));
    touch(&world, |key| {
        key.last_usage.tracked_since = Some("2026-01-01T00:00:00Z".parse().unwrap());
        key.last_usage.last = Some(("Decrypt".to_owned(), "2026-10-26T10:00:00Z".parse().unwrap()));
    });
    let plan = world.plan();
    let retirement = said(&plan, "retirement");
    for words in [
        "retired since 2026-10-25 and has rested until 2026-11-24",
        "keywright apply --allow-retire ledger, which deletes it 30 days later",
        "`alias/keywright/payments/ledger` and `alias/payments/ledger` go with the key, and no grant",
        "attached volumes until they are detached",
    ] {
        assert!(retirement.contains(words), "{words}: {retirement}");
    }
    let used = said(&plan, "last-use");
    for words in ["Decrypt on 2026-10-26, after it was retired (tracked since 2026-01-01)", "self-test", "AWS warns"] {
        assert!(used.contains(words), "{words}: {used}");
    }
    world.aws.fail("kms:GetKeyLastUsage", Which::Every, Strike::Before, PortErrorKind::Denied);
    let plan = world.plan();
    assert!(is_in_sync(&plan) && said(&plan, "last-use").contains("`kms:GetKeyLastUsage` was denied"));
    world.aws.heal();
    world.aws.fail("kms:GetKeyLastUsage", Which::Every, Strike::Before, PortErrorKind::NotSupported);
    assert!(said(&world.plan(), "last-use").contains("does not tell"));
}

#[test]
fn the_day_on_which_a_key_goes_is_shown() {
    let world = touched(KeyLifecycle::Retired, |key| {
        key.metadata.state = KeyState::PendingDeletion;
        key.metadata.deletion = Some("2026-12-24T06:00:00Z".parse().unwrap());
    });
    assert!(said(&world.plan(), "retirement").contains("PendingDeletion: it is deleted on 2026-12-24"));
    touch(&world, |key| {
        key.metadata.state = KeyState::PendingReplicaDeletion;
        key.metadata.deletion_window = Some(7);
        key.metadata.replica_regions = ["eu-central-1".parse().unwrap(), "us-east-1".parse().unwrap()].into();
    });
    let said = said(&world.plan(), "retirement");
    assert!(said.contains("7 days after its replicas in eu-central-1 and us-east-1 are gone"), "{said}");
}

#[test]
fn a_retired_key_that_is_gone_is_not_made_again() {
    let world = World::new(wanting(vec![key(KeyLifecycle::Retired)]));
    let plan = world.plan();
    assert!(is_in_sync(&plan) && target(&plan).access.gains.is_empty() && findings(&plan).is_empty());
    let tags = [("keywright:stack", "payments"), ("keywright:key", "ledger")];
    world.aws.add_key(EMPTY, &tags, &[]);
    touch(&world, |key| key.metadata.state = KeyState::PendingDeletion);
    assert!(is_in_sync(&world.plan()));
    let world = with(world, key(KeyLifecycle::Enabled));
    let plan = world.plan();
    assert_eq!((calls(&plan), blocked_by(&plan)), (vec![], vec!["pending-deletion"]));
    assert!(help(&plan).contains("create-alias"), "{}", help(&plan));
}

#[test]
fn without_a_soak_the_deletion_is_a_later_run_all_the_same() {
    let soon = DesiredKey { soak_days: 0, ..key(KeyLifecycle::Retired) };
    let world = allowing(with(settled(vec![key(KeyLifecycle::Enabled)]), soon));
    assert_eq!(calls(&world.plan()), ["TagResource", "DisableKey"]);
    assert_eq!(world.converge().exit(), Exit::Done);
    assert_eq!(calls(&world.plan()), ["ScheduleKeyDeletion"]);
}

#[test]
fn of_many_regions_the_replicas_go_first() {
    let family = |lifecycle| {
        let replicas = [("prod-us".parse().unwrap(), "us-east-1".parse().unwrap())].into();
        DesiredKey { topology: Topology::Primary { replicas }, ..key(lifecycle) }
    };
    let world = with(settled(vec![family(KeyLifecycle::Enabled)]), family(KeyLifecycle::Retired));
    touch(&world, retire_on("2026-10-25", KeyState::Disabled));
    let world = allowing(world);
    assert_eq!(calls(&world.plan()), ["ScheduleKeyDeletion"], "it has none");
    touch(&world, |key| key.metadata.replica_regions = ["us-east-1".parse().unwrap()].into());
    let plan = world.plan();
    assert!(is_in_sync(&plan), "{:#}", plan_to_json(&plan));
    assert!(said(&plan, "replicas-first").contains("us-east-1"));

    // Its replica waits to be deleted too.
    let mut read = crate::apply::tests::world::block_on(world.read());
    let mut there = read.targets.values().next().unwrap().clone();
    there.region = "us-east-1".parse().unwrap();
    let replica = there.keys.first_mut().unwrap();
    if let crate::live::Observed::Known(metadata) = &mut replica.metadata {
        metadata.state = KeyState::PendingDeletion;
        metadata.multi_region_type = Some(MultiRegionType::Replica);
    }
    read.targets.insert("prod-us".parse().unwrap(), there);
    let plan = world.plan_of(&read);
    assert_eq!(calls(&plan), ["ScheduleKeyDeletion"]);
}

#[test]
fn who_deletes_is_a_deleter_and_needs_not_be_a_deployer() {
    const DEPLOYER: &str = CALLER;
    const DELETER: &str = "arn:aws:iam::111122223333:role/key-deleter";
    const ANYBODY: &str = "arn:aws:iam::111122223333:role/anybody";
    let all: &[&str] = &["CancelKeyDeletion", "UntagResource", "EnableKey"];
    let rows: &[WhoRow] = &[
        (DEPLOYER, "keywright-deployer", Delegation::RootUser, &[], all),
        (DEPLOYER, "key-deleter", Delegation::RootUser, &["not-a-deleter"], all),
        (DEPLOYER, "key-deleter", Delegation::Account, &["not-a-deleter"], all),
        (DELETER, "key-deleter", Delegation::RootUser, &[], &["CancelKeyDeletion"]),
        (ANYBODY, "key-deleter", Delegation::RootUser, &["not-a-deployer", "not-a-deleter"], all),
    ];
    for (caller, deleter, delegation, blockers, steps) in rows {
        let case = format!("{caller} {deleter} {delegation:?}");
        let wanted =
            DesiredKey { deleters: vec![sample::role(deleter)], delegation: *delegation, ..key(KeyLifecycle::Enabled) };
        let world = settled(vec![wanted]);
        touch(&world, retire_on("2026-10-25", KeyState::PendingDeletion));
        let read = as_caller(&world, caller);
        let mut found = world.plan_of(&read);
        assert_eq!((blocked_by(&found), calls(&found)), (blockers.to_vec(), steps.to_vec()), "{case}");
        if steps.len() == 1 {
            assert!(said(&found, "not-a-deployer").contains("2 other steps left out"), "{case}");
        }
        // To plan is for whoever may read.
        let review = World {
            options: PlanOptions { purpose: PlanPurpose::Review, ..PlanOptions::default() },
            aws: world.aws.clone(),
            ..World::new(world.state.clone())
        };
        found = review.plan_of(&read);
        assert!(blocked_by(&found).is_empty(), "{case}: {}", help(&found));
        let refused = blockers.contains(&"not-a-deleter");
        assert_eq!(findings(&found).contains(&"not-a-deleter"), refused, "{case}");
    }
}

fn as_caller(world: &World, caller: &str) -> crate::apply::tests::world::ReadState {
    let mut read = crate::apply::tests::world::block_on(world.read());
    for live in read.targets.values_mut() {
        live.caller.arn = caller.parse().unwrap();
        live.caller.principal = caller.parse().unwrap();
    }
    read
}

#[test]
fn a_plan_of_deletions_alone_needs_no_deployer_and_a_window_may_be_demanded() {
    let deleter = "arn:aws:iam::111122223333:role/key-deleter";
    let wanted = |lifecycle| DesiredKey { deleters: vec![sample::role("key-deleter")], ..key(lifecycle) };
    let world = with(settled(vec![wanted(KeyLifecycle::Enabled)]), wanted(KeyLifecycle::Retired));
    touch(&world, retire_on("2026-10-25", KeyState::Disabled));
    let world = allowing(world);
    let plan = world.plan_of(&as_caller(&world, deleter));
    assert_eq!((calls(&plan), blocked_by(&plan)), (vec!["ScheduleKeyDeletion"], vec![]));
    assert!(!findings(&plan).contains(&"not-a-deployer"));
    let plan = world.plan();
    assert_eq!(blocked_by(&plan), ["not-a-deleter"], "a deployer is none as such");
    assert!(help(&plan).contains("run as key-deleter"), "{}", help(&plan));
}

#[test]
fn iam_can_make_a_deleter_where_the_key_leaves_it_to_the_account() {
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#;
    let wanted = |lifecycle| DesiredKey { deleters: Vec::new(), ..key(lifecycle) };
    let world = with(settled(vec![wanted(KeyLifecycle::Enabled)]), wanted(KeyLifecycle::Retired));
    touch(&world, retire_on("2026-10-25", KeyState::Disabled));
    let world = allowing(world);
    let before = world.aws.count("kms:GetKeyLastUsage");
    assert_eq!(blocked_by(&world.plan()), ["not-a-deleter"]);
    assert_eq!(world.aws.count("kms:GetKeyLastUsage"), before + 1);
    world
        .aws
        .state()
        .caller_policies
        .identity
        .insert("admin".to_owned(), crate::policy::PolicyDocument::parse(policy).unwrap());
    assert_eq!((calls(&world.plan()), blocked_by(&world.plan())), (vec!["ScheduleKeyDeletion"], vec![]));
}

fn dated(newer_than: Date) -> DesiredKey {
    let KeyMaterial::Symmetric { rotation, .. } = ledger().material else { panic!("it is symmetric") };
    DesiredKey {
        material: KeyMaterial::Symmetric { rotation, newer_than: Some(newer_than) },
        ..key(KeyLifecycle::Enabled)
    }
}

fn event(day: &str, on_demand: bool) -> LiveRotationEvent {
    LiveRotationEvent { at: format!("{day}T12:00:00Z").parse().unwrap(), on_demand }
}

#[test]
fn material_that_is_too_old_is_rotated_once() {
    let under_way = |day: &str| LiveRotations { under_way_since: Some(event(day, true).at), done: Vec::new() };
    let done = |events: &[LiveRotationEvent]| LiveRotations { under_way_since: None, done: events.to_vec() };
    let used_up: Vec<_> = (0..25).map(|_| event("2026-10-01", true)).collect();
    let rows: &[AgeRow] = &[
        ("never rotated", done(&[]), &["RotateKeyOnDemand"], &[], &[]),
        ("rotated before", done(&[event("2026-10-31", false)]), &["RotateKeyOnDemand"], &[], &[]),
        ("rotated that day", done(&[event("2026-11-01", false)]), &[], &[], &[]),
        ("rotated since", done(&[event("2026-10-01", true), event("2026-11-20", false)]), &[], &[], &[]),
        ("under way since", under_way("2026-11-24"), &[], &[], &[]),
        ("under way before", under_way("2026-10-24"), &[], &[], &["rotation-under-way"]),
        ("used up", done(&used_up), &[], &["rotation-budget"], &[]),
    ];
    for (name, history, steps, blockers, notes) in rows {
        let world = with(settled(vec![ledger()]), dated(date(2026, 11, 1)));
        touch(&world, |key| {
            key.metadata.created = Some("2026-09-01T00:00:00Z".parse().unwrap());
            key.rotations = history.clone();
        });
        // The deleter of `dated` is another policy than that of `ledger`.
        let plan = world.plan();
        let rotations: Vec<_> = calls(&plan).into_iter().filter(|call| *call != "PutKeyPolicy").collect();
        assert_eq!(rotations, *steps, "{name}");
        assert_eq!((blocked_by(&plan), findings(&plan)), (blockers.to_vec(), notes.to_vec()), "{name}");
        if blockers.is_empty() {
            assert_eq!(world.apply(&plan).exit(), Exit::Done, "{name}");
            assert!(is_in_sync(&world.plan()), "{name}");
        }
    }
}

#[test]
fn no_material_is_newer_than_tomorrow() {
    for world in
        [World::new(wanting(vec![dated(date(2026, 11, 25))])), with(settled(vec![ledger()]), dated(date(2026, 11, 25)))]
    {
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), ["newer-than-future"]);
        assert!(!calls(&plan).contains(&"RotateKeyOnDemand"));
    }
    let world = World::new(wanting(vec![dated(date(2026, 11, 24))]));
    assert_eq!(world.converge().exit(), Exit::Done);
    assert!(is_in_sync(&world.plan()), "new material is as new as can be");
}

#[test]
fn the_history_is_read_where_it_is_needed_and_blocks_only_there() {
    let other = DesiredKey { name: "other".parse().unwrap(), ..sample::key("other") };
    let world = World {
        state: wanting(vec![dated(date(2026, 11, 1)), other.clone()]),
        ..settled(vec![dated(date(2026, 11, 1)), other])
    };
    let before = world.aws.count("kms:ListKeyRotations");
    assert!(is_in_sync(&world.plan()));
    assert_eq!(world.aws.count("kms:ListKeyRotations"), before + 1);
    world.aws.fail("kms:ListKeyRotations", Which::Every, Strike::Before, PortErrorKind::Denied);
    let plan = world.plan();
    assert_eq!(blocked_by(&plan), ["unreadable"]);
    assert!(help(&plan).contains("kms:ListKeyRotations"));
}

#[test]
fn a_key_that_rests_is_rotated_once_it_is_back() {
    let world = with(
        settled(vec![dated(date(2026, 11, 1))]),
        DesiredKey { lifecycle: KeyLifecycle::Disabled, ..dated(date(2026, 11, 1)) },
    );
    touch(&world, |key| key.metadata.created = Some("2026-09-01T00:00:00Z".parse().unwrap()));
    assert_eq!(calls(&world.plan()), ["DisableKey"]);
    assert_eq!(findings(&world.plan()), ["rotation-waits"]);
    touch(&world, |key| key.metadata.state = KeyState::Disabled);
    assert_eq!((calls(&world.plan()), findings(&world.plan())), (vec![], vec!["rotation-waits"]));
    let world = with(world, dated(date(2026, 11, 1)));
    assert_eq!(calls(&world.plan()), ["EnableKey", "RotateKeyOnDemand"]);
}

#[test]
fn rotation_that_is_asked_for_is_the_only_step() {
    let world = rotating_now(settled(vec![ledger()]));
    touch(&world, |key| {
        key.policy = EMPTY.into();
        key.rotations.done = vec![event("2026-11-01", true); 3];
    });
    let plan = world.plan();
    assert_eq!((calls(&plan), blocked_by(&plan)), (vec!["RotateKeyOnDemand"], vec![]));
    assert!(
        target(&plan).access.gains.is_empty() && target(&plan).access.losses.is_empty() && plan.accounts.is_empty()
    );
    let change = target(&plan).outcome.steps()[0].change.clone().unwrap();
    assert_eq!(change.before.as_deref(), Some("3 of 25 on demand used, newest of 2026-11-01"));
    assert_eq!(change.after.as_deref(), Some("4 of 25 on demand used"));
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    assert_eq!(world.aws.count("kms:RotateKeyOnDemand"), 1);

    let rows: &[Unfit] = &[
        (
            "asymmetric",
            |key| (key.metadata.spec, key.metadata.usage) = (KeySpec::Rsa2048, KeyUsage::SignVerify),
            "rotation-unfit",
        ),
        ("imported", |key| key.metadata.origin = Origin::External, "rotation-unfit"),
        ("in a store", |key| key.metadata.origin = Origin::AwsCloudHsm, "rotation-unfit"),
        ("disabled", |key| key.metadata.state = KeyState::Disabled, "rotation-unfit"),
        ("going", |key| key.metadata.state = KeyState::PendingDeletion, "rotation-unfit"),
        ("used up", |key| key.rotations.done = vec![event("2026-11-01", true); 25], "rotation-budget"),
    ];
    for (name, change, code) in rows {
        let world = rotating_now(settled(vec![ledger()]));
        touch(&world, change);
        let plan = world.plan();
        assert_eq!((calls(&plan), blocked_by(&plan)), (vec![], vec![*code]), "{name}");
    }
    let absent = rotating_now(World::new(wanting(vec![ledger()])));
    assert_eq!(blocked_by(&absent.plan()), ["rotation-unfit"]);
}

#[test]
fn a_replica_has_no_rotation_of_its_own() {
    let replica = |days| DesiredKey {
        topology: Topology::Replica { primary: "prod".parse().unwrap(), region: "eu-central-1".parse().unwrap() },
        ..rotating("ledger", days)
    };
    let primary = DesiredKey { topology: Topology::Primary { replicas: [].into() }, ..rotating("ledger", 180) };
    let world = with(settled(vec![primary]), replica(365));
    assert!(is_in_sync(&world.plan()));
    assert_eq!(calls(&rotating_now(world).plan()), [""; 0]);
}

fn imported(lifecycle: KeyLifecycle) -> DesiredKey {
    let kind = KeyKind::new(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt).unwrap();
    DesiredKey { material: KeyMaterial::Imported { kind, import: None }, ..key(lifecycle) }
}

#[test]
fn a_key_that_waits_for_its_material_is_managed_as_far_as_it_can_be() {
    for lifecycle in [KeyLifecycle::Enabled, KeyLifecycle::Disabled] {
        let world = settled(vec![imported(lifecycle)]);
        assert_eq!(findings(&world.plan()), ["key-state"]);
        touch(&world, |key| {
            key.policy = EMPTY.into();
            key.metadata.description.clear();
        });
        let plan = world.plan();
        assert_eq!(calls(&plan), ["PutKeyPolicy", "UpdateKeyDescription"]);
        assert_eq!(world.apply(&plan).exit(), Exit::Done);
        let waits = said(&world.plan(), "key-state").contains("disabling it waits");
        assert_eq!(waits, lifecycle == KeyLifecycle::Disabled);
    }
    // It rests, being of no use, so it is retired as it is.
    let mut world = allowing(with(settled(vec![imported(KeyLifecycle::Enabled)]), imported(KeyLifecycle::Retired)));
    assert_eq!(calls(&world.plan()), ["TagResource"]);
    assert_eq!(world.converge().exit(), Exit::Done);
    world.pass(30);
    assert_eq!(calls(&world.plan()), ["ScheduleKeyDeletion"]);
}

fn stored(lifecycle: KeyLifecycle) -> DesiredKey {
    let store = KeyStore::CloudHsm { id: "cks-1234567890abcdef0".parse().unwrap() };
    DesiredKey { material: KeyMaterial::Stored(store), ..key(lifecycle) }
}

fn with_store(world: &World, origin: Origin, connection: &str) {
    let error = (connection == "FAILED").then(|| "INVALID_CREDENTIALS".to_owned());
    let store = LiveKeyStore { origin, connection: connection.to_owned(), error };
    world.aws.state().stores.insert("cks-1234567890abcdef0".parse().unwrap(), store);
}

#[test]
fn a_key_is_made_only_in_a_store_that_takes_it() {
    let world = World::new(wanting(vec![stored(KeyLifecycle::Enabled)]));
    let refused = |world: &World, words: &str| {
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), ["key-store"]);
        assert!(help(&plan).contains(words), "{}", help(&plan));
    };
    refused(&world, "there is no custom key store `cks-1234567890abcdef0`");
    with_store(&world, Origin::ExternalKeyStore, "CONNECTED");
    refused(&world, "holds keys of origin EXTERNAL_KEY_STORE");
    with_store(&world, Origin::AwsCloudHsm, "FAILED");
    refused(&world, "is FAILED (INVALID_CREDENTIALS)");
    world.aws.fail("kms:DescribeCustomKeyStores", Which::Every, Strike::Before, PortErrorKind::Denied);
    assert_eq!(blocked_by(&world.plan()), ["unreadable"]);
    world.aws.heal();
    with_store(&world, Origin::AwsCloudHsm, "CONNECTED");
    assert_eq!(world.converge().exit(), Exit::Done);
    assert!(is_in_sync(&world.plan()) && findings(&world.plan()).is_empty());

    with_store(&world, Origin::AwsCloudHsm, "DISCONNECTED");
    touch(&world, |key| key.metadata.state = KeyState::Unavailable);
    let plan = world.plan();
    assert!(is_in_sync(&plan), "{:#}", plan_to_json(&plan));
    assert_eq!(findings(&plan), ["key-state", "key-store"]);
    assert!(said(&plan, "key-state").contains("`cks-1234567890abcdef0`"));
    world.aws.fail("kms:DescribeCustomKeyStores", Which::Every, Strike::Before, PortErrorKind::Denied);
    assert!(is_in_sync(&world.plan()), "nothing depends on it");
    world.aws.heal();
    // What it is once it is back is not known, so it is neither disabled nor enabled.
    let world = with(world, stored(KeyLifecycle::Disabled));
    assert!(is_in_sync(&world.plan()) && said(&world.plan(), "key-state").contains("disabling it waits"));
    let world = with(world, stored(KeyLifecycle::Retired));
    assert_eq!(calls(&world.plan()), ["TagResource"]);
}

#[test]
fn what_cannot_be_changed_comes_with_the_way_to_another_key() {
    let world = settled(vec![DesiredKey { services: [Service::S3, Service::Dynamodb].into(), ..ledger() }]);
    touch(&world, |key| {
        key.metadata.spec = KeySpec::Rsa2048;
        key.metadata.multi_region = true;
    });
    let plan = world.plan();
    assert_eq!(blocked_by(&plan), ["immutable-property", "immutable-property"]);
    let help = &target(&plan).outcome.blockers()[0].help;
    let lines: Vec<&str> = help.lines().collect();
    assert_eq!(lines.len(), 6, "{help}");
    for (line, words) in lines[1..].iter().zip([
        "1. undo the change of `ledger`, and declare `[key.ledger-2]`",
        "2. apply",
        "3. move `alias/payments/ledger` from `ledger` to `ledger-2`",
        "4. S3: ",
        "5. set state = \"retired\" on `ledger`",
    ]) {
        assert!(line.starts_with(words), "{line}");
    }
    assert!(lines[4].contains("DynamoDB") && lines[4].contains("kms:ReEncrypt"));

    let store = || KeyStore::External { id: "cks-1234567890abcdef0".parse().unwrap(), xks_key_id: "one".to_owned() };
    let wanted = DesiredKey { material: KeyMaterial::Stored(store()), ..key(KeyLifecycle::Enabled) };
    let world = World::new(wanting(vec![wanted]));
    with_store(&world, Origin::ExternalKeyStore, "CONNECTED");
    assert_eq!(world.converge().exit(), Exit::Done);
    touch(&world, |key| key.metadata.xks_key_id = None);
    assert!(is_in_sync(&world.plan()), "the server does not tell it");
    touch(&world, |key| key.metadata.xks_key_id = Some("two".to_owned()));
    assert_eq!(blocked_by(&world.plan()), ["immutable-property"]);
    touch(&world, |key| {
        key.metadata.xks_key_id = Some("one".to_owned());
        key.metadata.store = Some("cks-0000000000000000a".parse().unwrap());
    });
    assert_eq!(blocked_by(&world.plan()), ["immutable-property"]);
}

#[test]
fn consent_is_part_of_what_is_approved() {
    let world = touched(KeyLifecycle::Retired, retire_on("2026-11-01", KeyState::Disabled));
    let plain = world.plan().digest;
    let world = allowing(world);
    assert_ne!(plain, world.plan().digest, "even where it changes no step yet");
    let other = DesiredKey { soak_days: 10, ..key(KeyLifecycle::Retired) };
    assert_ne!(
        world.plan().digest,
        with(allowing(touched(KeyLifecycle::Retired, retire_on("2026-11-01", KeyState::Disabled))), other)
            .plan()
            .digest
    );
}

#[test]
fn retired_keys_are_counted_by_themselves() {
    let world = touched(KeyLifecycle::Retired, |_| {});
    let summary = plan_to_json(&world.plan())["summary"].clone();
    assert_eq!((summary["retire"].as_u64(), summary["change"].as_u64()), (Some(1), Some(0)));
    let text = crate::render::render_plan(
        &world.plan(),
        crate::render::style::Painter::Plain,
        crate::render::PolicyText::Hidden,
    );
    assert!(
        text.contains("- key ledger  retired: disabled now") && text.contains("0 to change, 1 to retire"),
        "{text}"
    );
    let Some(Action::TagKey { tags, .. }) =
        target(&world.plan()).outcome.steps().first().map(|step| step.action.clone())
    else {
        panic!("it is marked first")
    };
    assert_eq!(tags[RETIRED], "2026-11-24");
}
