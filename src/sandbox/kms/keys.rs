//! Keys as such: create, describe, list, enable, disable, delete.

use super::find::{Found, Naming};
use super::metadata::metadata;
use super::{crypto, days, material, paging, policies, tags};
use crate::ids::KeyArn;
use crate::kms::{
    DELETION_DAYS_DEFAULT, DELETION_DAYS_MAX, DELETION_DAYS_MIN, DESCRIPTION_CHARS, KeyShape, KeySpec, KeyState,
    KeyUsage, Origin,
};
use crate::sandbox::auth::Caller;
use crate::sandbox::call::{Call, with, with_tags};
use crate::sandbox::error::ApiError;
use crate::sandbox::random;
use crate::sandbox::state::{Deletion, Key, MultiRegion};
use crate::sandbox::wire_json::{Params, epoch};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns a new key of the caller's account and Region, with the default policy and without material.
pub(super) fn new(call: &Call<'_>, shape: KeyShape) -> Key {
    let Caller { account, region, .. } = call.caller;
    let id = if shape.multi_region { format!("mrk-{}", random::hex(16)) } else { random::uuid() };
    #[expect(clippy::expect_used, reason = "both forms consist of letters, digits and hyphens")]
    let id = id.parse().expect("the id is a legal key id");
    Key {
        arn: KeyArn::new(region.partition(), region, account, &id),
        created: call.now,
        description: String::new(),
        spec: shape.spec,
        usage: shape.usage,
        origin: shape.origin,
        multi_region: shape.multi_region.then(|| MultiRegion::Primary { replicas: Vec::new() }),
        store: None,
        xks_key_id: None,
        enabled: true,
        deletion: None,
        transition: None,
        policy: policies::default(call.caller.partition(), account),
        tags: BTreeMap::new(),
        rotation: None,
        materials: Vec::new(),
        grants: Vec::new(),
        last_use: None,
        aws_managed: false,
    }
}

/// `CreateKey`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let shape = shape(call)?;
    let description = params.bounded("Description", DESCRIPTION_CHARS)?.unwrap_or_default();
    let tags = tags::given(&params.structures("Tags")?)?;
    tags::check(&tags, &BTreeMap::new())?;
    let mut key = new(call, shape);
    description.clone_into(&mut key.description);
    authorize_create(call, &key, &tags)?;
    if let Some(policy) = params.text("Policy")? {
        key.policy = policies::accept(call, &key, policy)?;
    }
    policies::check_lockout(call, &key)?;
    key.tags = tags.into_iter().collect();
    if shape.origin == Origin::AwsKms {
        key.materials
            .push(material::new(shape.spec, call.now).ok_or_else(|| crypto::unsupported_spec(call, shape.spec))?);
    }
    let answer = json!({ "KeyMetadata": metadata(call.state, &key, call.now) });
    let arn = key.arn.as_str().to_owned();
    call.lag.hide("key", &arn);
    call.lag.hide("tags", &arn);
    call.state.keys.insert(arn, key);
    Ok(answer)
}

/// Returns what kind of key is asked for; refuses what does not exist, and by name what this sandbox does not have.
fn shape(call: &Call<'_>) -> Result<KeyShape, ApiError> {
    let params = call.params;
    let old_name: Option<KeySpec> = params.named("CustomerMasterKeySpec", KeySpec::ALL)?;
    let spec = params.named("KeySpec", KeySpec::ALL)?.or(old_name).unwrap_or(KeySpec::SymmetricDefault);
    let usage = match params.named("KeyUsage", KeyUsage::ALL)? {
        Some(usage) => usage,
        None if spec == KeySpec::SymmetricDefault => KeyUsage::EncryptDecrypt,
        None => return Err(ApiError::validation(format!("You must specify a KeyUsage value for KeySpec {spec}."))),
    };
    if !spec.allows(usage) {
        return Err(ApiError::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")));
    }
    if spec.only_in_china() {
        return Err(crypto::unsupported_spec(call, spec));
    }
    let origin = params.named("Origin", Origin::ALL)?.unwrap_or(Origin::AwsKms);
    let shape = KeyShape::new(spec, usage).with_origin(origin);
    let shape = if params.flag("MultiRegion")? { shape.in_many_regions() } else { shape };
    if !shape.is_legal() {
        let message = format!("Origin {origin} is for single-Region keys with KeySpec SYMMETRIC_DEFAULT");
        return Err(ApiError::new("UnsupportedOperationException", message));
    }
    check_store(params, origin)?;
    Ok(shape)
}

/// Refuses custom key stores by name.
fn check_store(params: &Params, origin: Origin) -> Result<(), ApiError> {
    let not_yet = |what: String| {
        Err(ApiError::new("UnsupportedOperationException", format!("{what} is not in this sandbox yet")))
    };
    if matches!(origin, Origin::AwsCloudHsm | Origin::ExternalKeyStore) {
        return not_yet(format!("Origin {origin}"));
    }
    for name in ["CustomKeyStoreId", "XksKeyId"] {
        if params.has(name) {
            return not_yet(name.to_owned());
        }
    }
    Ok(())
}

/// `kms:CreateKey` is a matter of IAM alone; with tags `kms:TagResource` is needed as well.
fn authorize_create(call: &Call<'_>, key: &Key, tags: &[(String, String)]) -> Result<(), ApiError> {
    let mut request = call.request("kms:CreateKey", "*");
    for name in ["kms:KeySpec", "kms:CustomerMasterKeySpec"] {
        with(&mut request, name, key.spec.name());
    }
    for name in ["kms:KeyUsage", "kms:CustomerMasterKeyUsage"] {
        with(&mut request, name, key.usage.name());
    }
    with(&mut request, "kms:KeyOrigin", key.origin.name());
    with(&mut request, "kms:MultiRegion", if key.multi_region.is_some() { "true" } else { "false" });
    if key.multi_region.is_some() {
        with(&mut request, "kms:MultiRegionKeyType", "PRIMARY");
    }
    let bypass = call.params.flag("BypassPolicyLockoutSafetyCheck")?;
    with(&mut request, "kms:BypassPolicyLockoutSafetyCheck", if bypass { "true" } else { "false" });
    with_tags(&mut request, tags.iter().map(|(key, value)| (key, Some(value))));
    call.authorize(&request)?;
    if tags.is_empty() {
        return Ok(());
    }
    // The key has its default policy here, so that the caller's own policies decide.
    let mut request = call.request("kms:TagResource", key.arn.as_str());
    with_tags(&mut request, tags.iter().map(|(key, value)| (key, Some(value))));
    call.authorize_on_key(&request, key)
}

/// `DescribeKey`.
pub(super) fn describe(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.named(Naming::Alias)?;
    call.admit(&call.key_request("kms:DescribeKey", &found), &found)?;
    Ok(json!({ "KeyMetadata": metadata(call.state, call.key(&found)?, call.now) }))
}

/// Returns whether a key belongs to the caller's account and Region.
pub(super) fn is_here(caller: &Caller, key: &KeyArn) -> bool {
    key.arn().account() == caller.account.as_str() && key.arn().region() == caller.region.as_str()
}

/// `ListKeys`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.authorize(&call.request("kms:ListKeys", "*"))?;
    let visible =
        call.state.keys.iter().filter(|(arn, key)| is_here(call.caller, &key.arn) && !call.lag.hides("key", arn));
    let items = visible.map(|(arn, key)| (arn.clone(), json!({ "KeyId": key.arn.key_id(), "KeyArn": key.arn })));
    let answer = paging::answer(call.params, "Keys", (100, 1000), items)?;
    call.lag.listed("key");
    Ok(answer)
}

/// `UpdateKeyDescription`.
pub(super) fn update_description(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let missing = || params.constraint("Description", "null", "Member must not be null");
    let description = params.bounded("Description", DESCRIPTION_CHARS)?.ok_or_else(missing)?;
    let found = call.open("kms:UpdateKeyDescription")?;
    description.clone_into(&mut call.key_mut(&found)?.description);
    Ok(Value::Null)
}

/// `EnableKey`.
pub(super) fn enable(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:EnableKey")?;
    call.key_mut(&found)?.enabled = true;
    Ok(Value::Null)
}

/// `DisableKey`.
pub(super) fn disable(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:DisableKey")?;
    call.key_mut(&found)?.enabled = false;
    Ok(Value::Null)
}

/// `ScheduleKeyDeletion`.
pub(super) fn schedule_deletion(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let range = i64::from(DELETION_DAYS_MIN)..=i64::from(DELETION_DAYS_MAX);
    let window = call.params.within("PendingWindowInDays", range)?.unwrap_or(DELETION_DAYS_DEFAULT.into());
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:ScheduleKeyDeletion", &found);
    with(&mut request, "kms:ScheduleKeyDeletionPendingWindowInDays", &window.to_string());
    call.admit(&request, &found)?;
    let date = call.now.saturating_add(days(window)).unwrap_or(Timestamp::MAX);
    let key = call.key_mut(&found)?;
    key.deletion = Some(Deletion::At(date));
    key.enabled = false;
    Ok(json!({
        "KeyId": found.arn,
        "DeletionDate": epoch(date),
        "KeyState": KeyState::PendingDeletion,
        "PendingWindowInDays": window,
    }))
}

/// `CancelKeyDeletion`: the key is disabled afterwards.
pub(super) fn cancel_deletion(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:CancelKeyDeletion")?;
    let key = call.key_mut(&found)?;
    key.deletion = None;
    Ok(json!({ "KeyId": found.arn }))
}

/// `GetKeyLastUsage`.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html>
pub(super) fn last_usage(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:GetKeyLastUsage")?;
    let key = call.key(&found)?;
    let usage = key.last_use.as_ref().map_or_else(
        || json!({}),
        |last| {
            json!({
                "Operation": last.operation,
                "Timestamp": epoch(last.at),
                "KmsRequestId": last.request_id,
            })
        },
    );
    Ok(json!({
        "KeyId": key.arn,
        "KeyCreationDate": epoch(key.created),
        "TrackingStartDate": epoch(key.created),
        "KeyLastUsage": usage,
    }))
}

impl Call<'_> {
    /// Remembers that a key was used.
    pub(super) fn used(&mut self, found: &Found, operation: &str) -> Result<(), ApiError> {
        let (at, request_id) = (self.now, self.request_id.to_owned());
        let key = self.key_mut(found)?;
        key.last_use = Some(crate::sandbox::state::LastUse { operation: operation.to_owned(), at, request_id });
        Ok(())
    }
}
