//! An approval binds: the digest covers what was decided and compared, and a saved plan is never executed itself.

use super::{ledger, settled, touch, wanting};
use crate::apply::tests::world::{ReadState, World, block_on, is_in_sync};
use crate::desired::{DesiredKey, DesiredState, KeyLifecycle};
use crate::kms::KeyState;
use crate::live::{LiveRotation, LiveTarget, Observed};
use crate::plan::{Plan, PlanFile, StalePlan};
use crate::synth::sample;
use jiff::{SignedDuration, Timestamp};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

type Change = fn(&mut LiveTarget);

fn changed(world: &World, change: Change) -> (Plan, Plan) {
    let read = block_on(world.read());
    let mut other: ReadState = read.clone();
    change(other.targets.values_mut().next().unwrap());
    (world.plan_of(&read), world.plan_of(&other))
}

fn edit<T>(part: &mut Observed<T>, change: impl FnOnce(&mut T)) {
    if let Observed::Known(value) = part {
        change(value);
    }
}

#[test]
fn the_digest_changes_with_all_that_was_compared() {
    let cases: &[(&str, Change)] = &[
        ("caller", |live| live.caller.principal = "arn:aws:iam::111122223333:role/other".parse().unwrap()),
        ("state", |live| edit(&mut live.keys[0].metadata, |found| found.state = KeyState::Disabled)),
        ("description", |live| edit(&mut live.keys[0].metadata, |found| found.description.clear())),
        ("tags", |live| edit(&mut live.keys[0].tags, |tags| drop(tags.insert("team".into(), "x".into())))),
        ("rotation", |live| edit(&mut live.keys[0].rotation, |found| *found = LiveRotation::On { days: None })),
        ("alias", |live| drop(live.aliases.insert("alias/x".parse().unwrap(), Some(live.keys[0].arn.key_id())))),
        ("policy", |live| {
            edit(&mut live.keys[0].policy, |policy| policy.document = crate::policy::PolicyDocument::new(Vec::new()));
        }),
    ];
    let world = settled(vec![ledger()]);
    for (name, change) in cases {
        let (before, after) = changed(&world, *change);
        assert_ne!(before.digest, after.digest, "{name}");
        assert_ne!(before.live_digest, after.live_digest, "{name}");
    }
}

#[test]
fn the_digest_does_not_change_with_what_is_of_no_concern() {
    let cases: &[(&str, Change)] = &[
        ("nothing", |_| {}),
        ("session", |live| {
            live.caller.arn = "arn:aws:sts::111122223333:assumed-role/keywright-deployer/ci-2".parse().unwrap();
        }),
        ("date", |live| edit(&mut live.keys[0].metadata, |found| found.created = Some(Timestamp::MAX))),
        ("claim", |live| {
            edit(&mut live.keys[0].tags, |tags| drop(tags.insert("keywright:claim".into(), "other".into())));
        }),
        ("foreign alias", |live| drop(live.aliases.insert("alias/theirs".parse().unwrap(), None))),
    ];
    let world = settled(vec![ledger()]);
    for (name, change) in cases {
        let (before, after) = changed(&world, *change);
        assert_eq!(before.digest, after.digest, "{name}");
    }
}

#[test]
fn the_digest_changes_with_the_manifest_and_the_live_digest_does_not() {
    let settled_world = settled(vec![ledger()]);
    let before = settled_world.plan();
    let wishes: Vec<DesiredState> = vec![
        wanting(vec![DesiredKey { description: None, ..ledger() }]),
        wanting(vec![DesiredKey { lifecycle: KeyLifecycle::Disabled, ..ledger() }]),
        wanting(vec![DesiredKey { auditors: vec![sample::role("compliance")], ..ledger() }]),
        wanting(vec![ledger(), sample::key("tokens")]),
    ];
    for state in wishes {
        let world = World { aws: settled_world.aws.clone(), ..World::new(state) };
        let after = world.plan();
        assert_ne!(before.digest, after.digest);
        assert_eq!(before.live_digest, after.live_digest);
    }
}

#[test]
fn a_saved_plan_comes_back_and_holds_for_a_day() {
    let world = World::new(wanting(vec![ledger()]));
    let plan = world.plan();
    let file = PlanFile::parse(&PlanFile::write(&plan, now())).unwrap();
    assert_eq!((file.created, &file.digest), (now(), &plan.digest));
    let day = SignedDuration::from_hours(24);
    assert_eq!(file.compare(&world.plan(), now() + day), Ok(()));
    let expired = Err(StalePlan::Expired { created: now() });
    assert_eq!(file.compare(&plan, now() + day + SignedDuration::from_secs(1)), expired);
    assert_eq!(file.compare(&plan, now() - SignedDuration::from_mins(6)), expired, "a plan from the future");
    assert_eq!(file.compare(&plan, now() - SignedDuration::from_mins(4)), Ok(()), "clocks differ a little");
}

#[test]
fn a_stale_plan_says_what_changed() {
    let world = settled(vec![ledger(), sample::key("tokens")]);
    touch(&world, |key| key.metadata.description.clear());
    let file = PlanFile::parse(&PlanFile::write(&world.plan(), now())).unwrap();
    touch(&world, |key| key.metadata.description = "by hand".to_owned());
    let Err(StalePlan::Changed { differences }) = file.compare(&world.plan(), now()) else { panic!("it is stale") };
    assert_eq!(differences, ["live_digest changed", "targets[prod].steps[s1].before changed"]);
    touch(&world, |key| key.rotation = LiveRotation::Off);
    let Err(StalePlan::Changed { differences }) = file.compare(&world.plan(), now()) else { panic!("it is stale") };
    assert!(differences.contains(&"targets[prod].steps: 1 before, 2 now".to_owned()), "{differences:?}");
}

#[test]
fn a_stale_plan_says_in_words_that_it_is_done_or_of_another_caller() {
    let world = settled(vec![ledger()]);
    let done = world.plan();
    touch(&world, |key| key.metadata.description.clear());
    let mut open = world.plan();
    let file = PlanFile::parse(&PlanFile::write(&open, now())).unwrap();
    let Err(StalePlan::Changed { differences }) = file.compare(&done, now()) else { panic!("it is stale") };
    assert_eq!(differences[0], "nothing is left to do: what was planned is there already");
    assert!(!differences.iter().any(|line| line.starts_with("summary")), "{differences:?}");
    open.targets[0].caller = "arn:aws:iam::111122223333:role/other".to_owned();
    open.digest.0.clear();
    let Err(StalePlan::Changed { differences }) = file.compare(&open, now()) else { panic!("it is stale") };
    assert!(differences[0].contains("and this is arn:aws:iam::111122223333:role/other"), "{differences:?}");
}

#[test]
fn what_stands_in_a_file_is_never_executed() {
    let world = World::new(wanting(vec![ledger()]));
    let text = PlanFile::write(&world.plan(), now());
    // Somebody changed the policy in the file, and left the digest alone: it decides, and the new plan is executed.
    let forged = text.replace("kms:PutKeyPolicy", "kms:*").replace("\"alias/payments/ledger\"", "\"alias/evil\"");
    let file = PlanFile::parse(&forged).unwrap();
    let plan = world.plan();
    assert_eq!(file.compare(&plan, now()), Ok(()));
    let _report = world.apply(&plan);
    world.assert_whole();
    assert!(!world.aws.state().aliases.contains_key(&"alias/evil".parse().unwrap()));
    assert!(is_in_sync(&world.plan()));
}

#[test]
fn what_is_no_saved_plan_is_refused_in_words() {
    let cases = [
        ("", "not JSON"),
        ("{}", "not a plan saved with --out"),
        (r#"{"keywright_plan": 99}"#, "format version 99"),
        (r#"{"keywright_plan": 1}"#, "no plan"),
        (r#"{"keywright_plan": 1, "plan": {}}"#, "no digest"),
        (r#"{"keywright_plan": 1, "plan": {"digest": "x"}, "created": "noon"}"#, "no valid time"),
    ];
    for (text, words) in cases {
        let error = PlanFile::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}
