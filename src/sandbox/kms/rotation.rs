//! Rotation: automatic, on demand, and its history. Old material decrypts for as long as the key exists.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>

use super::find::Naming;
use super::{days, material, paging};
use crate::kms::{ON_DEMAND_ROTATIONS, Origin, ROTATION_DAYS_DEFAULT, ROTATION_DAYS_MAX, ROTATION_DAYS_MIN};
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::state::{Key, Material, MaterialOrigin, MaterialStanding, Rotation};
use crate::sandbox::wire_json::epoch;
use jiff::Timestamp;
use serde_json::{Value, json};

/// `EnableKeyRotation`.
pub(super) fn enable(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let range = i64::from(ROTATION_DAYS_MIN)..=i64::from(ROTATION_DAYS_MAX);
    let period_days = call.params.within("RotationPeriodInDays", range)?.unwrap_or(ROTATION_DAYS_DEFAULT.into());
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:EnableKeyRotation", &found);
    with(&mut request, "kms:RotationPeriodInDays", &period_days.to_string());
    call.admit(&request, &found)?;
    let next = call.now.saturating_add(days(period_days)).unwrap_or(Timestamp::MAX);
    let key = call.key_mut(&found)?;
    if key.rotation.as_ref().is_none_or(|rotation| rotation.period_days != period_days) {
        key.rotation = Some(Rotation { period_days, next });
    }
    Ok(Value::Null)
}

/// `DisableKeyRotation`.
pub(super) fn disable(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:DisableKeyRotation")?;
    call.key_mut(&found)?.rotation = None;
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
    }))
}

/// `RotateKeyOnDemand`.
pub(super) fn on_demand(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:RotateKeyOnDemand")?;
    let now = call.now;
    let key = call.key_mut(&found)?;
    let count = key.materials.iter().filter(|material| material.origin == MaterialOrigin::OnDemand).count();
    if count >= ON_DEMAND_ROTATIONS {
        let message = format!("{} has been rotated on demand {ON_DEMAND_ROTATIONS} times", found.arn);
        return Err(ApiError::new("LimitExceededException", message));
    }
    if key.origin == Origin::External {
        take_pending(key, now)?;
    } else {
        key.materials.push(material::symmetric(now, MaterialOrigin::OnDemand));
    }
    Ok(json!({ "KeyId": found.arn }))
}

/// Takes imported material that waits for its rotation into use.
fn take_pending(key: &mut Key, now: Timestamp) -> Result<(), ApiError> {
    let waits =
        |material: &&mut Material| material.standing == MaterialStanding::PendingRotation && material.hex.is_some();
    let Some(material) = key.materials.iter_mut().find(waits) else {
        let message = format!("{} has no imported key material that waits for its rotation", key.arn);
        return Err(ApiError::new("KMSInvalidStateException", message));
    };
    material.standing = MaterialStanding::InUse;
    material.origin = MaterialOrigin::OnDemand;
    material.since = now;
    Ok(())
}

/// `ListKeyRotations`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let all = call.params.choice("IncludeKeyMaterial", &["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"])?;
    let found = call.open("kms:ListKeyRotations")?;
    let key = call.key(&found)?;
    let current = key.current_material().map(|material| material.id.as_str());
    let listed = |material: &Material| all == Some("ALL_KEY_MATERIAL") || material.origin != MaterialOrigin::Creation;
    let entry = |(index, material): (usize, &Material)| {
        let rotation_type = match material.origin {
            MaterialOrigin::Creation => None,
            MaterialOrigin::Automatic => Some("AUTOMATIC"),
            MaterialOrigin::OnDemand => Some("ON_DEMAND"),
        };
        let material_state = match material.standing {
            MaterialStanding::InUse if current == Some(&material.id) => "CURRENT",
            MaterialStanding::InUse => "NON_CURRENT",
            MaterialStanding::PendingRotation => "PENDING_ROTATION",
            MaterialStanding::PendingMultiRegionImportAndRotation => "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
        };
        let entry = json!({
            "KeyId": key.arn,
            "KeyMaterialId": material.id,
            "KeyMaterialState": material_state,
            "RotationDate": rotation_type.map(|_| epoch(material.since)),
            "RotationType": rotation_type,
        });
        (format!("{index:08}"), entry)
    };
    let items = key.materials.iter().enumerate().filter(|(_, material)| listed(material)).map(entry);
    paging::answer(call.params, "Rotations", (100, 1000), items)
}
