//! Whether a key is in use, how it comes back, and in which order: what a state forbids comes before or after it.

use super::super::draft::{Draft, Sheet};
use super::course::Course;
use super::{KeyGoal, import, retire, rotation};
use crate::desired::KeyLifecycle;
use crate::desired::tags::TAG_RETIRED;
use crate::diag::Code;
use crate::kms::KeyState;
use crate::live::{KeyMetadata, LiveKey};
use crate::plan::{Action, KeyRef, Why};
use crate::review::Risk;
use std::collections::{BTreeMap, BTreeSet};

/// Takes a key back that waits to be deleted; `None` where it may not be, or is let go as declared. Nothing else is
/// looked at then.
pub(super) fn begin(
    goal: &KeyGoal<'_>,
    metadata: &KeyMetadata,
    tags: &BTreeMap<String, String>,
    key: &KeyRef,
    sheet: &mut Sheet<'_>,
) -> Option<Course> {
    let mut course = Course::from(metadata.state);
    if metadata.state.is_pending_deletion() {
        let ours = tags.contains_key(TAG_RETIRED);
        if !ours && !goal.input.options.cancel_deletion.contains(&goal.key.name) {
            refuse_to_cancel(goal, metadata, sheet);
            return None;
        }
        let why = if ours { Why::Differs } else { Why::Asked };
        let draft = Draft::new(Action::CancelKeyDeletion { key: key.clone() }, why);
        sheet.step(draft.change("deletion", Some(when(metadata)), Some("cancelled: the key is disabled".to_owned())));
        course.now(KeyState::Disabled);
    }
    if goal.key.lifecycle != KeyLifecycle::Retired
        && let Some(since) = tags.get(TAG_RETIRED)
    {
        let action = Action::UntagKey { key: key.clone(), tag_keys: BTreeSet::from([TAG_RETIRED.to_owned()]) };
        sheet.step(Draft::new(action, Why::Differs).change("retired since", Some(since.clone()), None));
    }
    Some(course)
}

fn refuse_to_cancel(goal: &KeyGoal<'_>, metadata: &KeyMetadata, sheet: &mut Sheet<'_>) {
    let name = &goal.key.name;
    sheet.block(
        Code::PendingDeletion,
        format!("the key waits to be deleted, {}, and keywright did not schedule that", when(metadata)),
        format!(
            "to keep it: --cancel-deletion {name}; to let it go: state = \"retired\", or remove it from the manifest"
        ),
    );
}

/// Returns when a key that waits to be deleted will be, in words.
pub(super) fn when(metadata: &KeyMetadata) -> String {
    match (metadata.state, metadata.deletion) {
        (KeyState::PendingReplicaDeletion, _) => {
            let replicas: Vec<String> = metadata.replica_regions.iter().map(ToString::to_string).collect();
            let replicas = match replicas.as_slice() {
                [] => "its replicas are gone".to_owned(),
                [one] => format!("its replica in {one} is gone"),
                several => format!("its replicas in {} are gone", crate::text::and_list(several)),
            };
            let window = metadata.deletion_window;
            let window = window.map_or_else(|| "its window".to_owned(), |days| crate::text::plural(days.into(), "day"));
            format!("{window} after {replicas}")
        }
        (_, Some(at)) => format!("on {}", day(at)),
        (_, None) => "on a day that the server does not tell".to_owned(),
    }
}

/// Returns the day of a moment, in UTC.
pub(super) fn day(at: jiff::Timestamp) -> jiff::civil::Date {
    jiff::tz::Offset::UTC.to_datetime(at).date()
}

/// Enables, rotates, disables and retires: last in a key's plan, so that it is in use only as it shall be.
pub(super) fn finish(
    goal: &KeyGoal<'_>,
    (live, key): (&LiveKey, &KeyRef),
    metadata: &KeyMetadata,
    mut course: Course,
    sheet: &mut Sheet<'_>,
) -> Course {
    match goal.key.lifecycle {
        KeyLifecycle::Retired => retire::retire(goal, (live, key), metadata, &mut course, sheet),
        KeyLifecycle::Enabled => {
            // What shall have no material is not taken into use either.
            if !import::is_deleted(goal.key) {
                enable(key, &mut course, sheet);
            }
            rotation::rotation(goal, live, key, &mut course, sheet);
        }
        KeyLifecycle::Disabled => {
            rotation::rotation(goal, live, key, &mut course, sheet);
            disable(key, &mut course, sheet);
        }
    }
    course
}

fn enable(key: &KeyRef, course: &mut Course, sheet: &mut Sheet<'_>) {
    if course.state() == KeyState::Disabled {
        let draft = Draft::new(Action::EnableKey { key: key.clone() }, Why::Differs);
        sheet.step(draft.change("state", Some("disabled".to_owned()), Some("enabled".to_owned())));
        course.now(KeyState::Enabled);
    }
}

/// Disables a key that is in use. What a key in a passing state will be once that has passed is not known.
pub(super) fn disable(key: &KeyRef, course: &mut Course, sheet: &mut Sheet<'_>) {
    match course.state() {
        KeyState::Enabled => {
            let draft = Draft::new(Action::DisableKey { key: key.clone() }, Why::Differs).risk(Risk::Destroy);
            sheet.step(draft.change("state", Some("enabled".to_owned()), Some("disabled".to_owned())));
            course.now(KeyState::Disabled);
        }
        KeyState::Disabled | KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => {}
        KeyState::Creating | KeyState::Updating | KeyState::PendingImport | KeyState::Unavailable => {
            course.waits("disabling it");
        }
    }
}
