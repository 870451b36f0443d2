//! A replica that is not there yet: what follows in its own Region once its primary was replicated.

use super::super::draft::{Awaited, Draft, Sheet};
use super::{KeyGoal, aliases, days, import};
use crate::desired::{KeyLifecycle, Rotation};
use crate::ids::AliasName;
use crate::kms::{KeyState, Origin};
use crate::live::{LiveRotation, LiveTarget};
use crate::plan::{Action, KeyRef, Why};

/// Adds the steps of a replica after `ReplicateKey`, which brings policy, tags and description; `rotation` is that of
/// the family where the replica is to become its primary.
pub(in crate::plan) fn replica(
    goal: &KeyGoal<'_>,
    rotation: Option<LiveRotation>,
    live: &LiveTarget,
    sheet: &mut Sheet<'_>,
) {
    let name = &goal.key.name;
    let planned = || KeyRef::Planned(name.clone());
    let claim = AliasName::claim(goal.stack, name);
    let action = Action::CreateAlias { alias: claim.clone(), key: planned() };
    sheet.step(Draft::new(action, Why::Absent).awaits(Awaited::Replica).change(
        "claim alias",
        None,
        Some(claim.to_string()),
    ));
    let external = goal.key.origin() == Origin::External;
    let state = if external { import::at_replication(goal, sheet) } else { KeyState::Enabled };
    aliases(goal, None, live, sheet);
    let wanted = goal.key.rotation();
    match (rotation, wanted) {
        (Some(LiveRotation::On { days: live }), Rotation::Every(period))
            if live.is_none_or(|live| live == period.days()) => {}
        (Some(_), Rotation::Every(period)) => {
            let action = Action::EnableKeyRotation { key: planned(), days: period.days() };
            sheet.step(Draft::new(action, Why::Differs).change("rotation", None, Some(days(period.days()))));
        }
        (Some(LiveRotation::On { .. }), Rotation::Off) => {
            let action = Action::DisableKeyRotation { key: planned() };
            sheet.step(Draft::new(action, Why::Differs).change("rotation", None, Some("off".to_owned())));
        }
        (Some(LiveRotation::Off), Rotation::Off) | (None, _) => {}
    }
    if goal.key.lifecycle == KeyLifecycle::Disabled && state == KeyState::Enabled {
        let draft = Draft::new(Action::DisableKey { key: planned() }, Why::Differs);
        sheet.step(draft.change("state", Some("enabled".to_owned()), Some("disabled".to_owned())));
    }
}
