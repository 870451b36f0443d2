//! How a key rotates: by itself, and on demand.

use super::super::draft::{Draft, Sheet};
use super::course::Course;
use super::life::day;
use super::{KeyGoal, import, readable};
use crate::desired::{KeyLifecycle, KeyMaterial, Rotation, Topology};
use crate::diag::Code;
use crate::kms::{KeyState, ON_DEMAND_ROTATIONS, Origin};
use crate::live::{KeyMetadata, LiveKey, LiveRotation, LiveRotations, Observed};
use crate::plan::{Action, KeyRef, Why};

pub(super) fn days(days: u16) -> String {
    format!("every {days} days")
}

/// Sets the automatic rotation, and rotates on demand where the material is too old. A replica rotates with its primary.
pub(super) fn rotation(goal: &KeyGoal<'_>, live: &LiveKey, key: &KeyRef, course: &mut Course, sheet: &mut Sheet<'_>) {
    if matches!(goal.key.topology, Topology::Replica { .. }) {
        return;
    }
    automatic(goal, live, key, course, sheet);
    if let Some(metadata) = live.metadata.known() {
        import::renew(goal, (live, key), metadata, course, sheet);
    }
    if let (Some(metadata), Some(oldest)) = (live.metadata.known(), newer_than(goal)) {
        newer(goal, (live, metadata), (key, oldest), course, sheet);
    }
}

/// Returns the day since which the material must have been made, if the manifest says so.
fn newer_than(goal: &KeyGoal<'_>) -> Option<jiff::civil::Date> {
    match goal.key.material {
        KeyMaterial::Symmetric { newer_than, .. } => newer_than,
        KeyMaterial::Generated(_) | KeyMaterial::Imported { .. } | KeyMaterial::Stored(_) => None,
    }
}

/// No material is newer than tomorrow.
pub(super) fn not_in_the_future(goal: &KeyGoal<'_>, sheet: &mut Sheet<'_>) {
    let today = goal.input.today;
    if let Some(wanted) = newer_than(goal).filter(|wanted| *wanted > today) {
        sheet.block(
            Code::NewerThanFuture,
            format!("`rotation.newer_than` is {wanted}, and today is {today}"),
            format!("write newer_than = {today}, or wait for the day"),
        );
    }
}

fn automatic(goal: &KeyGoal<'_>, live: &LiveKey, key: &KeyRef, course: &mut Course, sheet: &mut Sheet<'_>) {
    if !goal.key.shape().rotates_automatically() {
        return;
    }
    let Some(found) = readable(&live.rotation, live, sheet) else { return };
    let Some(draft) = step(goal.key.rotation(), *found, key) else { return };
    if course.allows("EnableKeyRotation") {
        sheet.step(draft);
    } else {
        wait("the rotation differs, but KMS cannot change it while the key is disabled", course, sheet);
    }
}

/// What waits for the key to be enabled is said by itself, what waits for a state to pass with that.
fn wait(resting: &str, course: &mut Course, sheet: &mut Sheet<'_>) {
    if course.state() == KeyState::Disabled {
        sheet.note(Code::RotationWaits, resting, "nothing to do: it is planned once the key is enabled");
    } else {
        course.waits("its rotation");
    }
}

fn step(wanted: Rotation, live: LiveRotation, key: &KeyRef) -> Option<Draft> {
    let before = match live {
        LiveRotation::Off => "off".to_owned(),
        LiveRotation::On { days: Some(period) } => days(period),
        LiveRotation::On { days: None } => "on".to_owned(),
    };
    match (wanted, live) {
        (Rotation::Off, LiveRotation::Off) | (Rotation::Every(_), LiveRotation::On { days: None }) => None,
        (Rotation::Every(period), LiveRotation::On { days: Some(current) }) if period.days() == current => None,
        (Rotation::Off, LiveRotation::On { .. }) => {
            let draft = Draft::new(Action::DisableKeyRotation { key: key.clone() }, Why::Differs);
            Some(draft.change("rotation", Some(before), Some("off".to_owned())))
        }
        (Rotation::Every(period), _) => {
            let draft = Draft::new(Action::EnableKeyRotation { key: key.clone(), days: period.days() }, Why::Differs);
            Some(draft.change("rotation", Some(before), Some(days(period.days()))))
        }
    }
}

/// Rotates where the current material was made before a day.
fn newer(
    goal: &KeyGoal<'_>,
    (live, metadata): (&LiveKey, &KeyMetadata),
    (key, oldest): (&KeyRef, jiff::civil::Date),
    course: &mut Course,
    sheet: &mut Sheet<'_>,
) {
    if oldest > goal.input.today {
        return;
    }
    let Some(history) = history(live, sheet) else { return };
    let newest = history.under_way_since.or_else(|| history.done.last().map(|event| event.at)).or(metadata.created);
    if newest.is_some_and(|newest| day(newest) >= oldest) {
        return;
    }
    let resting = "the material is older than `rotation.newer_than`, but KMS cannot rotate a disabled key";
    if goal.key.lifecycle != KeyLifecycle::Enabled || !course.allows("RotateKeyOnDemand") {
        return if course.state() == KeyState::Enabled {
            sheet.note(Code::RotationWaits, resting, "nothing to do: it is planned once the manifest enables the key");
        } else {
            wait(resting, course, sheet);
        };
    }
    on_demand(history, key, Why::Differs, sheet);
}

/// Returns the history of a key's rotations; without it nothing can be told of its age.
pub(super) fn history<'a>(live: &'a LiveKey, sheet: &mut Sheet<'_>) -> Option<&'a LiveRotations> {
    match &live.rotations {
        Some(Observed::Known(history)) => Some(history),
        Some(denied @ Observed::Denied { .. }) => readable(denied, live, sheet),
        None => {
            sheet.block(
                Code::Unreadable,
                format!("the rotations of `{}` were not read", live.arn),
                "run the command again",
            );
            None
        }
    }
}

fn on_demand(history: &LiveRotations, key: &KeyRef, why: Why, sheet: &mut Sheet<'_>) {
    let before = history.on_demand();
    if let Some(since) = history.under_way_since {
        return sheet.note(
            Code::RotationUnderWay,
            format!("an on-demand rotation is under way since {since}, so none is asked for"),
            "nothing to do: plan again when KMS has finished it",
        );
    }
    if before >= ON_DEMAND_ROTATIONS {
        return sheet.block(
            Code::RotationBudget,
            format!("{before} of {ON_DEMAND_ROTATIONS} on-demand rotations are used, and KMS makes no more"),
            "rely on automatic rotation, or declare a new key and move the alias to it",
        );
    }
    let of = |used: usize| format!("{used} of {ON_DEMAND_ROTATIONS} on demand used");
    let newest = history.done.last().map(|event| format!(", newest of {}", day(event.at))).unwrap_or_default();
    let draft = Draft::new(Action::RotateKeyOnDemand { key: key.clone(), before }, why);
    sheet.step(draft.change("rotated now", Some(format!("{}{newest}", of(before))), Some(of(before + 1))));
}

/// Rotates a key because somebody asks, and does nothing else. A replica rotates with its primary.
pub(super) fn asked(goal: &KeyGoal<'_>, live: &LiveKey, sheet: &mut Sheet<'_>) {
    let is_replica = matches!(goal.key.topology, Topology::Replica { .. });
    if is_replica && goal.key.import().is_none() {
        return;
    }
    let Some(metadata) = readable(&live.metadata, live, sheet) else { return };
    let shape = crate::kms::KeyShape::new(metadata.spec, metadata.usage).with_origin(metadata.origin);
    let unfit = if !shape.rotates_on_demand() {
        Some(format!("a key of spec {} and origin {} cannot be rotated on demand", metadata.spec, metadata.origin))
    } else if metadata.origin == Origin::External && goal.key.import().is_none() {
        Some(
            "imported material is rotated by importing new material first, and no `import` table says whence"
                .to_owned(),
        )
    } else {
        (!Course::from(metadata.state).allows("RotateKeyOnDemand"))
            .then(|| format!("a key in state {} cannot be rotated", metadata.state))
    };
    if unfit.is_none() && metadata.origin == Origin::External {
        if !import::asked(goal, live, sheet) {
            sheet.block(
                Code::RotationUnfit,
                "imported material is rotated by importing new material, and the manifest declares none",
                format!("append a material: `[[key.{}.import.material]]`", goal.key.name),
            );
        }
        return;
    }
    match unfit {
        Some(_) if is_replica => {}
        Some(why) => sheet.block(Code::RotationUnfit, why, "leave the key out of `rotate`"),
        None => {
            if let Some(history) = history(live, sheet) {
                on_demand(history, &KeyRef::Live(live.arn.key_id()), Why::Asked, sheet);
            }
        }
    }
}
