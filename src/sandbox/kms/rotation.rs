//! Rotation: automatic, on demand, and its history. Old material decrypts for as long as the key exists.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>

use super::find::{Found, Naming};
use super::{days, material, paging, replicas};
use crate::kms::{KeySpec, ON_DEMAND_ROTATIONS, Origin, ROTATION_DAYS_DEFAULT, ROTATION_DAYS_MAX, ROTATION_DAYS_MIN};
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::state::{ExpirationModel, Key, Material, MaterialOrigin, MaterialStanding, Rotation, UnderWay};
use crate::sandbox::wire_json::epoch;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How long before an automatic rotation none on demand starts.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html#API_RotateKeyOnDemand_Errors>
const BEFORE_AUTOMATIC: SignedDuration = SignedDuration::from_mins(20);

/// Refuses what replicas have from their primary.
fn check_primary(call: &Call<'_>, found: &Found, operation: &str) -> Result<(), ApiError> {
    if call.key(found)?.is_replica() {
        let message = format!("{} is a multi-Region replica key: {operation} works on its primary key only", found.arn);
        return Err(ApiError::new("UnsupportedOperationException", message));
    }
    Ok(())
}

/// `EnableKeyRotation`.
pub(super) fn enable(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let range = i64::from(ROTATION_DAYS_MIN)..=i64::from(ROTATION_DAYS_MAX);
    let period_days = call.params.within("RotationPeriodInDays", range)?.unwrap_or(ROTATION_DAYS_DEFAULT.into());
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:EnableKeyRotation", &found);
    with(&mut request, "kms:RotationPeriodInDays", &period_days.to_string());
    call.admit(&request, &found)?;
    check_primary(call, &found, "EnableKeyRotation")?;
    let next = call.now.saturating_add(days(period_days)).unwrap_or(Timestamp::MAX);
    let key = call.key_mut(&found)?;
    if key.rotation.as_ref().is_none_or(|rotation| rotation.period_days != period_days) {
        key.rotation = Some(Rotation { period_days, next });
    }
    replicas::share(call.state, &found.arn);
    Ok(Value::Null)
}

/// `DisableKeyRotation`.
pub(super) fn disable(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:DisableKeyRotation")?;
    check_primary(call, &found, "DisableKeyRotation")?;
    call.key_mut(&found)?.rotation = None;
    replicas::share(call.state, &found.arn);
    Ok(Value::Null)
}

/// `GetKeyRotationStatus`.
pub(super) fn status(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:GetKeyRotationStatus")?;
    let key = call.key(&found)?;
    let rotation = key.rotation.as_ref();
    // A key that is pending deletion is not rotated any more.
    let next = rotation.filter(|_| key.deletion.is_none()).map(|rotation| epoch(rotation.next));
    Ok(json!({
        "KeyId": key.arn,
        "KeyRotationEnabled": rotation.is_some(),
        "RotationPeriodInDays": rotation.map(|rotation| rotation.period_days),
        "NextRotationDate": next,
        "OnDemandRotationStartDate": key.rotating.map(|rotating| epoch(rotating.since)),
    }))
}

/// `RotateKeyOnDemand`.
pub(super) fn on_demand(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:RotateKeyOnDemand")?;
    check_primary(call, &found, "RotateKeyOnDemand")?;
    let (now, settle) = (call.now, call.settle);
    let key = call.key_mut(&found)?;
    check_on_demand(key, now)?;
    if settle.is_zero() {
        rotate(key, now, MaterialOrigin::OnDemand);
    } else {
        let until = now.saturating_add(settle).unwrap_or(Timestamp::MAX);
        key.rotating = Some(UnderWay { since: now, until });
    }
    replicas::share(call.state, &found.arn);
    Ok(json!({ "KeyId": found.arn }))
}

/// Refuses a rotation on demand that cannot start now.
fn check_on_demand(key: &Key, now: Timestamp) -> Result<(), ApiError> {
    let arn = &key.arn;
    let automatic = key.rotation.as_ref().is_some_and(|rotation| rotation.next.duration_since(now) <= BEFORE_AUTOMATIC);
    if automatic || key.rotating.is_some() {
        let message = format!("A rotation of {arn} is in progress, or due within the next 20 minutes");
        return Err(ApiError::new("ConflictException", message));
    }
    let count = key.materials.iter().filter(|material| material.origin == MaterialOrigin::OnDemand).count();
    if count >= ON_DEMAND_ROTATIONS {
        let message = format!("{arn} has been rotated on demand {ON_DEMAND_ROTATIONS} times");
        return Err(ApiError::new("LimitExceededException", message));
    }
    let ready = |material: &Material| material.standing == MaterialStanding::PendingRotation && material.hex.is_some();
    if key.origin == Origin::External && !key.waiting_material().is_some_and(ready) {
        let message = format!("{arn} has no imported key material in the state PENDING_ROTATION");
        return Err(ApiError::new("KMSInvalidStateException", message));
    }
    Ok(())
}

/// Gives a key its next material: what was imported for that, or new one.
pub(super) fn rotate(key: &mut Key, at: Timestamp, origin: MaterialOrigin) {
    if key.origin != Origin::External {
        key.materials.push(material::symmetric(at, origin));
        return;
    }
    let waits = |material: &&mut Material| material.standing != MaterialStanding::InUse;
    if let Some(material) = key.materials.iter_mut().find(waits) {
        material.standing = MaterialStanding::InUse;
        material.origin = origin;
        material.since = at;
    }
}

/// `ListKeyRotations`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let all = call.params.choice("IncludeKeyMaterial", &["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"])?;
    let found = call.open("kms:ListKeyRotations")?;
    let key = call.key(&found)?;
    let listed = |material: &Material| all == Some("ALL_KEY_MATERIAL") || rotation_type(material).is_some();
    let items = key.materials.iter().enumerate().filter(|(_, material)| listed(material));
    let items = items.map(|(index, material)| (format!("{index:08}"), entry(key, material)));
    paging::answer(call.params, "Rotations", (100, 1000), items)
}

/// Returns how material came into use by a rotation; the first material and what waits for its rotation did not.
fn rotation_type(material: &Material) -> Option<&'static str> {
    match material.origin {
        MaterialOrigin::Creation => None,
        MaterialOrigin::Automatic => Some("AUTOMATIC"),
        MaterialOrigin::OnDemand => Some("ON_DEMAND"),
    }
}

/// Returns what is told of a material.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotationsListEntry.html>
fn entry(key: &Key, material: &Material) -> Value {
    let current = key.current_material().is_some_and(|current| current.id == material.id);
    let state = match material.standing {
        MaterialStanding::InUse if current => "CURRENT",
        MaterialStanding::InUse => "NON_CURRENT",
        MaterialStanding::PendingRotation => "PENDING_ROTATION",
        MaterialStanding::PendingMultiRegionImportAndRotation => "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
    };
    let imported = material.imported.as_ref();
    let expiration = imported.filter(|_| material.hex.is_some()).map(|imported| imported.expiration);
    let import_state = if material.hex.is_some() { "IMPORTED" } else { "PENDING_IMPORT" };
    let told = key.origin == Origin::External && key.spec == KeySpec::SymmetricDefault;
    let kind = rotation_type(material);
    json!({
        "KeyId": key.arn,
        "KeyMaterialId": material.id,
        "KeyMaterialDescription": imported.and_then(|imported| imported.description.as_ref()),
        "ImportState": told.then_some(import_state),
        "KeyMaterialState": state,
        "ExpirationModel": expiration.map(ExpirationModel::name),
        "ValidTo": expiration.and_then(ExpirationModel::valid_to).map(epoch),
        "RotationDate": kind.map(|_| epoch(material.since)),
        "RotationType": kind,
    })
}
