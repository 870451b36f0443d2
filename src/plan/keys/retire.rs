//! Retirement: a key is disabled in one run, rests for its soak, and is deleted by a later run, with consent.

use super::super::draft::{Draft, Sheet};
use super::KeyGoal;
use super::course::Course;
use super::life::{day, disable, when};
use crate::access::Grantee;
use crate::desired::tags::TAG_RETIRED;
use crate::diag::Code;
use crate::ids::{AliasName, Region};
use crate::kms::KeyState;
use crate::live::{KeyMetadata, LiveKey, LiveTarget, LiveUsage, MultiRegionType, Observed};
use crate::plan::{Action, KeyRef, Why};
use crate::review::Risk;
use crate::text::{and_list, plural};
use jiff::civil::Date;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What outlives every key: neither disabling nor deleting takes it back.
pub(super) const OUTLIVES: &str = "services go on with what they hold: attached volumes until they are detached, and data keys \
                        that services or applications have cached";

/// Takes the next step towards a key's end, or says what it waits for.
pub(super) fn retire(
    goal: &KeyGoal<'_>,
    (live, key): (&LiveKey, &KeyRef),
    metadata: &KeyMetadata,
    course: &mut Course,
    sheet: &mut Sheet<'_>,
) {
    match course.state() {
        KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => {}
        KeyState::Creating | KeyState::Updating => course.waits("its retirement"),
        KeyState::Enabled => {
            mark(goal, live, key, sheet);
            disable(key, course, sheet);
            begun(goal, sheet);
        }
        // A key without material, or out of reach, rests without being disabled: nobody can use it.
        KeyState::Disabled | KeyState::PendingImport | KeyState::Unavailable => {
            if let Some(since) = retired_since(live) {
                rest(goal, (live, key), (metadata, since), sheet);
            } else {
                mark(goal, live, key, sheet);
                begun(goal, sheet);
            }
        }
    }
}

/// Says of a key that waits to be deleted, as declared, when it goes.
pub(super) fn goes(metadata: &KeyMetadata, sheet: &mut Sheet<'_>) {
    sheet.note(
        Code::Retirement,
        format!("the key is in state {}: it is deleted {}, with its aliases", metadata.state, when(metadata)),
        "to keep it: state = \"enabled\" before that, which cancels the deletion; nothing brings it back afterwards",
    );
}

/// Returns the day on which a key was retired, by its tag.
fn retired_since(live: &LiveKey) -> Option<Date> {
    live.tags.known()?.get(TAG_RETIRED)?.parse().ok()
}

/// Writes the day down from which the soak counts: that on which the key stops being used.
fn mark(goal: &KeyGoal<'_>, live: &LiveKey, key: &KeyRef, sheet: &mut Sheet<'_>) {
    let today = goal.input.today.to_string();
    let before = live.tags.known().and_then(|tags| tags.get(TAG_RETIRED)).cloned();
    if before.as_ref() == Some(&today) {
        return;
    }
    let tags = BTreeMap::from([(TAG_RETIRED.to_owned(), today.clone())]);
    let draft = Draft::new(Action::TagKey { key: key.clone(), tags }, Why::Differs);
    sheet.step(draft.change("retired since", before, Some(today)));
}

fn begun(goal: &KeyGoal<'_>, sheet: &mut Sheet<'_>) {
    let until = soaked(goal, goal.input.today);
    sheet.note(
        Code::Retirement,
        format!("the key is retired today and rests until {until}; {OUTLIVES}"),
        format!(
            "from {until} on, a later run with --allow-retire {} schedules its deletion; to keep it: state = \"enabled\"",
            goal.key.name
        ),
    );
}

/// Returns the first day on which deletion may be scheduled.
fn soaked(goal: &KeyGoal<'_>, since: Date) -> Date {
    since.saturating_add(jiff::Span::new().days(i64::from(goal.key.soak_days)))
}

/// Schedules the deletion of a key that has rested, if it is consented to; otherwise says how to.
fn rest(
    goal: &KeyGoal<'_>,
    (live, key): (&LiveKey, &KeyRef),
    (metadata, since): (&KeyMetadata, Date),
    sheet: &mut Sheet<'_>,
) {
    let name = &goal.key.name;
    let until = soaked(goal, since);
    if goal.input.today < until {
        return sheet.note(
            Code::Retirement,
            format!("the key is retired since {since} and rests until {until}"),
            "nothing to do until then; to keep it: state = \"enabled\"",
        );
    }
    let days = goal.key.deletion_window.days();
    let left = replicas_left(goal, live, metadata);
    if !left.is_empty() {
        let regions: Vec<String> = left.iter().map(ToString::to_string).collect();
        return sheet.note(
            Code::ReplicasFirst,
            format!("the key has rested since {since}, but has replicas in {}", and_list(&regions)),
            "let its replicas go first: take their targets out of `replicas`, and schedule their deletion",
        );
    }
    if goal.input.options.allow_retire.contains(name) {
        let action = Action::ScheduleKeyDeletion { key: key.clone(), days };
        let gone = goal.input.today.saturating_add(jiff::Span::new().days(i64::from(days)));
        let draft = Draft::new(action, Why::Asked).risk(Risk::Destroy);
        let after = format!("deleted in {days} days, on {gone}");
        sheet.step(draft.change("state", Some(format!("retired since {since}")), Some(after)));
    } else {
        sheet.note(
            Code::Retirement,
            format!("the key is retired since {since} and has rested until {until}: its deletion may be scheduled"),
            format!(
                "keywright apply --allow-retire {name}, which deletes it {days} days later; or state = \"enabled\""
            ),
        );
    }
    goes_with(goal, live, sheet);
    last_use(live, since, sheet);
}

/// Returns the Regions of the replicas that are not themselves pending deletion, as far as is known.
fn replicas_left(goal: &KeyGoal<'_>, live: &LiveKey, metadata: &KeyMetadata) -> Vec<Region> {
    if metadata.multi_region_type != Some(MultiRegionType::Primary) {
        return Vec::new();
    }
    let id = live.arn.key_id();
    let is_let_go = |target: &LiveTarget| {
        let replica = target.key(&id).and_then(|key| key.metadata.known());
        replica.is_some_and(|replica| replica.state.is_pending_deletion())
    };
    let let_go = |region: &Region| {
        let mut there = goal.input.targets.values();
        there.any(|target| target.region == *region && target.account == live.arn.account() && is_let_go(target))
    };
    metadata.replica_regions.iter().filter(|region| !let_go(region)).cloned().collect()
}

/// Says what goes with a key, and what does not.
fn goes_with(goal: &KeyGoal<'_>, live: &LiveKey, sheet: &mut Sheet<'_>) {
    let id = live.arn.key_id();
    let aliases: Vec<String> = aliases(goal, live, &id).iter().map(|alias| format!("`{alias}`")).collect();
    let aliases = if aliases.is_empty() { "no alias goes".to_owned() } else { format!("{} go", and_list(&aliases)) };
    let aliases = if aliases.ends_with(" go") && !aliases.contains(" and ") { format!("{aliases}es") } else { aliases };
    sheet.note(
        Code::Retirement,
        format!("{aliases} with the key, and {}; {OUTLIVES}", grants(live)),
        "what was encrypted under it and not re-encrypted cannot be read by anybody afterwards",
    );
}

fn aliases<'a>(goal: &KeyGoal<'a>, live: &LiveKey, id: &'a crate::ids::KeyId) -> Vec<&'a AliasName> {
    let here = goal.input.targets.values().find(|target| target.key(id).is_some_and(|key| key.arn == live.arn));
    here.map(|target| target.aliases_of(id).collect()).unwrap_or_default()
}

/// Returns how many grants end, in words; this version declares none.
fn grants(live: &LiveKey) -> String {
    let Some(grants) = live.grants.known() else { return "grants that could not be read".to_owned() };
    let services = grants.iter().filter(|grant| matches!(grant.facts.grantee, Grantee::Service(_))).count();
    match (grants.len(), services) {
        (0, _) => "no grant".to_owned(),
        (all, 0) => format!("{}, none of them declared", plural(all, "grant")),
        (all, services) => format!("{}, {services} of them to services and none declared", plural(all, "grant")),
    }
}

/// Says when the key was used last, as far as KMS tells. That could not be asked is a note too: it compares nothing.
fn last_use(live: &LiveKey, since: Date, sheet: &mut Sheet<'_>) {
    let message = match &live.last_usage {
        None => "the server does not tell when the key was used last".to_owned(),
        Some(Observed::Denied { action, .. }) => {
            format!("`{action}` was denied, so that it is not known when the key was used last")
        }
        Some(Observed::Known(usage)) => used(usage, since),
    };
    sheet.note(
        Code::LastUse,
        message,
        "AWS warns not to rely on it alone: look for DisabledException in CloudTrail since the key is disabled",
    );
}

fn used(usage: &LiveUsage, since: Date) -> String {
    let tracked = usage.tracked_since.map_or_else(
        || "the server does not tell since when it keeps track".to_owned(),
        |tracked| format!("tracked since {}", day(tracked)),
    );
    let Some((operation, at)) = &usage.last else { return format!("no use is known ({tracked})") };
    let late = match day(*at).cmp(&since) {
        Ordering::Less => "",
        Ordering::Equal => ", the day on which it was retired",
        Ordering::Greater => ", after it was retired",
    };
    format!(
        "the last use known is {} on {}{late} ({tracked}); who called is not told: it may have been \
         keywright's own self-test",
        crate::text::escape(operation),
        day(*at)
    )
}
