//! Multi-Region keys: replicas, the move of the primary, and what a primary shares with its replicas.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>

use super::find::{Found, Naming, check_state};
use super::metadata::metadata;
use super::{keys, policies};
use crate::access::Request;
use crate::ids::{KeyArn, Region};
use crate::kms::Origin;
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::state::{Key, Material, MaterialStanding, MultiRegion, State, Transition};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Returns the replicas of a primary; refuses replicas, which name another key as their primary.
fn replicas_of(key: &Key, operation: &str) -> Result<Vec<KeyArn>, ApiError> {
    match &key.multi_region {
        Some(MultiRegion::Primary { replicas }) => Ok(replicas.clone()),
        Some(MultiRegion::Replica { .. }) | None => {
            let message = format!("{operation} is not supported for {}, which is no primary key", key.arn);
            Err(ApiError::new("UnsupportedOperationException", message))
        }
    }
}

/// `ReplicateKey`.
pub(super) fn replicate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let region = call.params.required("ReplicaRegion")?;
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:ReplicateKey", &found);
    with(&mut request, "kms:ReplicaRegion", region);
    call.admit(&request, &found)?;
    replicas_of(call.key(&found)?, "ReplicateKey")?;
    let replica = described(call, &found, free_place(call, &found, region)?)?;
    let arn = replica.arn.clone();
    call.lag.hide("key", arn.as_str());
    call.lag.hide("tags", arn.as_str());
    call.state.keys.insert(arn.as_str().to_owned(), replica);
    if let Some(MultiRegion::Primary { replicas }) = &mut call.key_mut(&found)?.multi_region {
        replicas.push(arn.clone());
    }
    review_waiting_material(call.state, &found.arn);
    let replica = call.key(&Found { arn, alias: None })?;
    let tags: Vec<Value> = replica.tags.iter().map(|(k, v)| json!({ "TagKey": k, "TagValue": v })).collect();
    Ok(json!({
        "ReplicaKeyMetadata": metadata(call.state, replica, call.now),
        "ReplicaPolicy": replica.policy,
        "ReplicaTags": tags,
    }))
}

/// Returns the ARN of a replica that does not exist yet.
fn free_place(call: &Call<'_>, found: &Found, region: &str) -> Result<KeyArn, ApiError> {
    let primary = &found.arn;
    let rule = "Member must be the code of a Region";
    let region: Region = region.parse().map_err(|_| call.params.constraint("ReplicaRegion", region, rule))?;
    let partition = primary.region().partition();
    if region.partition() != partition {
        let message = format!("{region} is not in the partition {partition}: replicas stay in that of their primary");
        return Err(ApiError::new("UnsupportedOperationException", message));
    }
    let arn = KeyArn::new(partition, &region, &primary.account(), &primary.key_id());
    if call.state.keys.get(arn.as_str()).is_some() {
        return Err(ApiError::new("AlreadyExistsException", format!("{arn} already exists")));
    }
    Ok(arn)
}

/// Returns the replica that a call describes, if the caller may make it: it has the primary's id, material and
/// rotation, and a policy, tags and a description of its own.
fn described(call: &Call<'_>, found: &Found, arn: KeyArn) -> Result<Key, ApiError> {
    let primary = call.key(found)?;
    let until = call.now.saturating_add(call.settle).unwrap_or(Timestamp::MAX);
    let replica = Key {
        created: call.now,
        multi_region: Some(MultiRegion::Replica { primary: primary.arn.clone() }),
        enabled: true,
        transition: (!call.settle.is_zero()).then_some(Transition::Creating { until }),
        policy: policies::default(arn.region().partition(), &arn.account()),
        materials: shared(primary, &[]),
        grants: Vec::new(),
        last_use: None,
        arn,
        ..primary.clone()
    };
    keys::described(call, replica)
}

/// `UpdatePrimaryRegion`: the primary and one of its replicas change places.
pub(super) fn update_primary(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let region = call.params.required("PrimaryRegion")?;
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:UpdatePrimaryRegion", &found);
    with(&mut request, "kms:PrimaryRegion", region);
    call.admit(&request, &found)?;
    let replicas = replicas_of(call.key(&found)?, "UpdatePrimaryRegion")?;
    let in_region = replicas.iter().find(|arn| arn.arn().region() == region);
    let new = in_region.cloned().ok_or_else(|| {
        ApiError::not_found(format!("{} has no replica in {region} that could become the primary", found.arn))
    })?;
    let new = Found { arn: new, alias: None };
    let there = Request { region: new.arn.region(), resource: new.arn.as_str().to_owned(), ..request };
    let key = call.key(&new)?;
    call.authorize_on_key(&there, key)?;
    check_state(key, call.state.key_state(key, call.now), "UpdatePrimaryRegion")?;
    move_primary(call, &found, &new)?;
    Ok(Value::Null)
}

fn move_primary(call: &mut Call<'_>, old: &Found, new: &Found) -> Result<(), ApiError> {
    let mut replicas = replicas_of(call.key(old)?, "UpdatePrimaryRegion")?;
    for arn in replicas.iter_mut().filter(|arn| **arn == new.arn) {
        arn.clone_from(&old.arn);
    }
    for arn in &replicas {
        call.key_mut(&Found { arn: arn.clone(), alias: None })?.multi_region =
            Some(MultiRegion::Replica { primary: new.arn.clone() });
    }
    call.key_mut(new)?.multi_region = Some(MultiRegion::Primary { replicas });
    if !call.settle.is_zero() {
        let until = call.now.saturating_add(call.settle).unwrap_or(Timestamp::MAX);
        for found in [old, new] {
            call.key_mut(found)?.transition = Some(Transition::Updating { until });
        }
    }
    Ok(())
}

/// Gives replicas what their primary shares: material, where KMS makes it, and rotation. Of imported material they share
/// the id and what it is for; each Region has its own copy.
pub(super) fn share(state: &mut State, primary: &KeyArn) {
    let Some(key) = state.keys.get(primary.as_str()).cloned() else { return };
    let Some(MultiRegion::Primary { replicas }) = &key.multi_region else { return };
    for arn in replicas {
        let Some(replica) = state.keys.get_mut(arn.as_str()) else { continue };
        replica.rotation.clone_from(&key.rotation);
        replica.rotating = key.rotating;
        replica.materials = shared(&key, &replica.materials);
    }
}

/// Returns the materials of a replica, which has some of them already.
fn shared(primary: &Key, own: &[Material]) -> Vec<Material> {
    let of_replica = |material: &Material| {
        if primary.origin != Origin::External {
            return material.clone();
        }
        let own = own.iter().find(|own| own.id == material.id);
        let (hex, imported) = own.map(|own| (own.hex.clone(), own.imported.clone())).unwrap_or_default();
        Material { hex, imported, ..material.clone() }
    };
    primary.materials.iter().map(of_replica).collect()
}

/// Decides whether imported material of a multi-Region key can be rotated to: once every replica has it.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html#multi-region-rotate>
pub(super) fn review_waiting_material(state: &mut State, primary: &KeyArn) {
    let Some(key) = state.keys.get(primary.as_str()) else { return };
    let Some(MultiRegion::Primary { replicas }) = &key.multi_region else { return };
    let Some(waiting) = key.waiting_material().map(|material| material.id.clone()) else { return };
    let has = |arn: &KeyArn| {
        let key = state.keys.get(arn.as_str());
        key.is_some_and(|key| key.materials.iter().any(|material| material.id == waiting && material.hex.is_some()))
    };
    let standing = if replicas.iter().all(has) {
        MaterialStanding::PendingRotation
    } else {
        MaterialStanding::PendingMultiRegionImportAndRotation
    };
    if let Some(key) = state.keys.get_mut(primary.as_str()) {
        for material in key.materials.iter_mut().filter(|material| material.id == waiting) {
            material.standing = standing;
        }
    }
    share(state, primary);
}
