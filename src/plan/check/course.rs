//! Walks each key's steps through the states that they lead to: none may be taken in a state that forbids it, and none
//! may destroy what the same plan makes or takes out of use.

use crate::desired::tags::TAG_RETIRED;
use crate::desired::{DesiredKey, KeyLifecycle, Topology};
use crate::ids::KeyName;
use crate::kms::{KeyShape, KeyState, ON_DEMAND_ROTATIONS, Origin, StateVerdict, state_allows};
use crate::live::LiveKey;
use crate::plan::{Action, Owner, PlanInput, Step, TargetPlan};
use std::collections::BTreeSet;

/// Returns every step that is taken where it must not be.
pub(super) fn faults(target: &TargetPlan, input: PlanInput<'_>) -> Vec<String> {
    let steps = target.outcome.steps();
    let keys: BTreeSet<&KeyName> = steps
        .iter()
        .filter_map(|step| match &step.owner {
            Owner::Key(name) => Some(name),
            Owner::Role(_) => None,
        })
        .collect();
    let mut faults = Vec::new();
    for name in keys {
        let of_key: Vec<&Step> = steps.iter().filter(|step| step.owner == Owner::Key(name.clone())).collect();
        let wanted = input.desired.targets.iter().find(|wanted| wanted.name == target.name);
        let key = wanted.and_then(|wanted| wanted.keys.iter().find(|key| key.name == *name));
        faults.extend(state_faults(&of_key, live_state(target, name, input)));
        faults.extend(deletion_faults(&of_key, name, key, input));
        faults.extend(cancel_fault(&of_key, target, name, input));
        faults.extend(of_key.iter().filter_map(|step| rotation_fault(step, key)));
    }
    faults
}

fn live_key<'p>(target: &TargetPlan, name: &KeyName, input: PlanInput<'p>) -> Option<&'p LiveKey> {
    input.targets.get(&target.name)?.key(&target.keys.get(name)?.key_id())
}

fn live_state(target: &TargetPlan, name: &KeyName, input: PlanInput<'_>) -> Option<KeyState> {
    live_key(target, name, input)?.metadata.known().map(|metadata| metadata.state)
}

/// Only a deletion that keywright scheduled is cancelled without consent for that very name.
fn cancel_fault(steps: &[&Step], target: &TargetPlan, name: &KeyName, input: PlanInput<'_>) -> Option<String> {
    let step = steps.iter().find(|step| matches!(step.action, Action::CancelKeyDeletion { .. }))?;
    let tags = live_key(target, name, input).and_then(|key| key.tags.known());
    let ours = tags.is_some_and(|tags| tags.contains_key(TAG_RETIRED));
    (!ours && !input.options.cancel_deletion.contains(name))
        .then(|| format!("{} cancels the deletion of `{name}` without consent", step.id))
}

/// Takes the steps in order. A key of which the state is not known, as one that another target's step makes, is not
/// judged until a step says what it is.
fn state_faults(steps: &[&Step], live: Option<KeyState>) -> Vec<String> {
    let mut state = live;
    let mut faults = Vec::new();
    for step in steps {
        let operation = step.action.call().trim_start_matches("kms:");
        if let Some(now) = state
            && let Some(StateVerdict::Refused(error)) = state_allows(operation, now)
        {
            faults.push(format!("{} calls {operation} on a key in state {now} ({error})", step.id));
        }
        state = after(&step.action, state);
    }
    faults
}

/// Returns the state after a step.
fn after(action: &Action, before: Option<KeyState>) -> Option<KeyState> {
    match action {
        Action::CreateKey { shape, .. } if shape.origin == Origin::External => Some(KeyState::PendingImport),
        // What is out of reach stays so, whatever is asked of it.
        Action::EnableKey { .. } | Action::DisableKey { .. } if before == Some(KeyState::Unavailable) => before,
        Action::CreateKey { .. } | Action::EnableKey { .. } => Some(KeyState::Enabled),
        Action::DisableKey { .. } | Action::CancelKeyDeletion { .. } => Some(KeyState::Disabled),
        Action::ScheduleKeyDeletion { .. } => Some(KeyState::PendingDeletion),
        // Enabled once all of it is there; disabled keys stay so.
        Action::ImportKeyMaterial { .. } if before == Some(KeyState::PendingImport) => Some(KeyState::Enabled),
        Action::DeleteImportedKeyMaterial { .. } => Some(KeyState::PendingImport),
        Action::CreateRole { .. }
        | Action::UpdateRole { .. }
        | Action::UpdateAssumeRolePolicy { .. }
        | Action::PutRolePermissionsBoundary { .. }
        | Action::DeleteRolePermissionsBoundary { .. }
        | Action::TagRole { .. }
        | Action::UntagRole { .. }
        | Action::PutRolePolicy { .. }
        | Action::DeleteRolePolicy { .. }
        | Action::ReplicateKey { .. }
        | Action::UpdatePrimaryRegion { .. }
        | Action::RotateKeyOnDemand { .. }
        | Action::ImportKeyMaterial { .. }
        | Action::DeleteAlias { .. }
        | Action::PutKeyPolicy { .. }
        | Action::UpdateKeyDescription { .. }
        | Action::TagKey { .. }
        | Action::UntagKey { .. }
        | Action::CreateAlias { .. }
        | Action::UpdateAlias { .. }
        | Action::EnableKeyRotation { .. }
        | Action::DisableKeyRotation { .. } => before,
    }
}

/// A deletion is scheduled for a key that the manifest retires and that rests already, with consent for that very name.
fn deletion_faults(steps: &[&Step], name: &KeyName, key: Option<&DesiredKey>, input: PlanInput<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for step in steps.iter().filter(|step| matches!(step.action, Action::ScheduleKeyDeletion { .. })) {
        if !input.options.allow_retire.contains(name) {
            faults.push(format!("{} deletes `{name}` without consent", step.id));
        }
        if key.is_none_or(|key| key.lifecycle != KeyLifecycle::Retired) {
            faults.push(format!("{} deletes `{name}`, which is not retired", step.id));
        }
        if let Some(other) = steps.iter().find(|other| is_alive_at(&other.action)) {
            faults.push(format!("{} deletes `{name}`, which {} still had in use", step.id, other.id));
        }
    }
    faults
}

/// Returns whether an action shows that its key is in use, or goes out of use, in this very plan.
fn is_alive_at(action: &Action) -> bool {
    let retires = matches!(action, Action::TagKey { tags, .. } if tags.contains_key(TAG_RETIRED));
    let switches = matches!(
        action,
        Action::CreateKey { .. }
            | Action::ReplicateKey { .. }
            | Action::DisableKey { .. }
            | Action::EnableKey { .. }
            | Action::CancelKeyDeletion { .. }
            | Action::RotateKeyOnDemand { .. }
    );
    retires || switches
}

/// Only keys that can rotate do, and no more often than KMS allows.
fn rotation_fault(step: &Step, key: Option<&DesiredKey>) -> Option<String> {
    let shape = key.map(DesiredKey::shape);
    let can = if let Action::RotateKeyOnDemand { before, .. } = &step.action {
        if *before >= ON_DEMAND_ROTATIONS {
            return Some(format!("{} is on-demand rotation {}", step.id, before.saturating_add(1)));
        }
        shape.is_some_and(KeyShape::rotates_on_demand)
    } else if matches!(step.action, Action::EnableKeyRotation { .. } | Action::DisableKeyRotation { .. }) {
        shape.is_some_and(KeyShape::rotates_automatically)
    } else {
        return None;
    };
    let is_replica = key.is_some_and(|key| matches!(key.topology, Topology::Replica { .. }));
    (!can || is_replica).then(|| format!("{} changes the rotation of a key that has none of its own", step.id))
}
