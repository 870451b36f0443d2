//! What the passing of time does to keys: deletion, expiry, rotation.

use super::{days, replicas, rotation};
use crate::ids::KeyArn;
use crate::kms::KeyState;
use crate::sandbox::state::{Deletion, Key, Material, MaterialOrigin, MultiRegion, State, StoreLink};
use jiff::Timestamp;

/// Lets time pass: deletes keys whose window ended, takes expired material away, ends and makes rotations, forgets what
/// nobody can use any more.
pub(in crate::sandbox) fn pass_time(state: &mut State, now: Timestamp) {
    delete_due(state, now);
    expire_material(state, now);
    end_rotations(state, now);
    rotate_due(state, now);
    // What has expired is told apart from what never was for a while.
    let forgotten = |expires: Timestamp| now.duration_since(expires) > days(7);
    for id in state.imports.names_where(|parameters| forgotten(parameters.valid_to)) {
        state.imports.remove(&id);
    }
}

/// Deletes keys whose window ended; the deletion of a last replica starts the window of its primary, which may have
/// ended as well.
fn delete_due(state: &mut State, now: Timestamp) {
    loop {
        let due = state.keys.names_where(|key| matches!(key.deletion, Some(Deletion::At(date)) if date <= now));
        if due.is_empty() {
            return;
        }
        for arn in due {
            delete(state, &arn);
        }
    }
}

/// Deletes a key and its aliases.
fn delete(state: &mut State, arn: &str) {
    let Some(key) = state.keys.get(arn).cloned() else { return };
    for alias in state.aliases.names_where(|alias| alias.target == key.arn) {
        state.aliases.remove(&alias);
    }
    state.keys.remove(arn);
    if let Some(MultiRegion::Replica { primary }) = &key.multi_region {
        let date = match key.deletion {
            Some(Deletion::At(date)) => date,
            Some(Deletion::AfterReplicas { .. }) | None => return,
        };
        forget_replica(state, primary, &key.arn, date);
    }
}

/// Takes a replica that was deleted from its primary, whose own window starts with the end of the last one.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/deleting-mrks.html>
fn forget_replica(state: &mut State, primary: &KeyArn, replica: &KeyArn, date: Timestamp) {
    let Some(key) = state.keys.get_mut(primary.as_str()) else { return };
    let Some(MultiRegion::Primary { replicas }) = &mut key.multi_region else { return };
    replicas.retain(|arn| arn != replica);
    if let Some(Deletion::AfterReplicas { window_days }) = key.deletion
        && replicas.is_empty()
    {
        key.deletion = Some(Deletion::At(date.saturating_add(days(window_days)).unwrap_or(Timestamp::MAX)));
    }
    replicas::review_waiting_material(state, primary);
}

/// Takes imported material away that has expired.
fn expire_material(state: &mut State, now: Timestamp) {
    let expired = |material: &Material| {
        let until = material.imported.as_ref().and_then(|imported| imported.expiration.valid_to());
        material.hex.is_some() && until.is_some_and(|until| until <= now)
    };
    for arn in state.keys.names_where(|key| key.materials.iter().any(expired)) {
        let Some(key) = state.keys.get_mut(&arn) else { continue };
        for material in key.materials.iter_mut().filter(|material| expired(material)) {
            material.hex = None;
        }
        if let Some((primary, _)) = state.keys.get(&arn).and_then(|key| state.relatives(key)) {
            replicas::review_waiting_material(state, &primary);
        }
    }
}

/// Ends the rotations on demand that were under way.
fn end_rotations(state: &mut State, now: Timestamp) {
    let ends = |key: &Key| !key.is_replica() && key.rotating.is_some_and(|rotating| rotating.until <= now);
    for arn in state.keys.names_where(ends) {
        let Some(key) = state.keys.get_mut(&arn) else { continue };
        if let Some(rotating) = key.rotating.take() {
            rotation::rotate(key, rotating.until, MaterialOrigin::OnDemand);
        }
        let arn = key.arn.clone();
        replicas::share(state, &arn);
    }
}

/// Rotates the keys that are due. Replicas get the material of their primary.
fn rotate_due(state: &mut State, now: Timestamp) {
    // No key in a custom key store rotates.
    let enabled = |key: &Key| key.state(now, StoreLink::Connected) == KeyState::Enabled && !key.is_replica();
    let due = |key: &Key| enabled(key) && key.rotation.as_ref().is_some_and(|rotation| rotation.next <= now);
    for arn in state.keys.names_where(due) {
        let Some(key) = state.keys.get_mut(&arn) else { continue };
        while let Some(automatic) = &mut key.rotation
            && automatic.next <= now
        {
            let at = automatic.next;
            automatic.next = at.saturating_add(days(automatic.period_days.max(1))).unwrap_or(Timestamp::MAX);
            rotation::rotate(key, at, MaterialOrigin::Automatic);
        }
        let arn = key.arn.clone();
        replicas::share(state, &arn);
    }
}
