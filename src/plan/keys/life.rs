//! Whether a key is in use, and how it rotates: both depend on its state, so they are put in order together.

use super::super::draft::{Draft, Sheet};
use super::KeyGoal;
use crate::desired::{KeyLifecycle, Rotation};
use crate::diag::Code;
use crate::kms::KeyState;
use crate::live::LiveRotation;
use crate::plan::{Action, KeyRef, Why};
use crate::review::Risk;

pub(super) fn days(days: u16) -> String {
    format!("every {days} days")
}

/// Rotation calls fail on a disabled key, so it is enabled before and disabled after.
pub(super) fn lifecycle_and_rotation(
    goal: &KeyGoal<'_>,
    state: KeyState,
    live: LiveRotation,
    key: &KeyRef,
    sheet: &mut Sheet<'_>,
) {
    let state_change = |before: &str, after: &str| ("state", Some(before.to_owned()), Some(after.to_owned()));
    if goal.key.lifecycle == KeyLifecycle::Enabled && state == KeyState::Disabled {
        let (property, before, after) = state_change("disabled", "enabled");
        sheet.step(Draft::new(Action::EnableKey { key: key.clone() }, Why::Differs).change(property, before, after));
    }
    let rests = goal.key.lifecycle == KeyLifecycle::Disabled && state == KeyState::Disabled;
    match rotation_step(goal.key.rotation(), live, key) {
        Some(_) if rests => sheet.note(
            Code::RotationWaits,
            "the rotation differs, but KMS cannot change it while the key is disabled",
            "nothing to do: it is planned once the key is enabled",
        ),
        Some(draft) => sheet.step(draft),
        None => {}
    }
    if goal.key.lifecycle == KeyLifecycle::Disabled && state == KeyState::Enabled {
        let (property, before, after) = state_change("enabled", "disabled");
        let draft = Draft::new(Action::DisableKey { key: key.clone() }, Why::Differs).risk(Risk::Destroy);
        sheet.step(draft.change(property, before, after));
    }
}

fn rotation_step(wanted: Rotation, live: LiveRotation, key: &KeyRef) -> Option<Draft> {
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
