//! Keys as such: create, describe, list, enable, disable, delete.

use super::find::{Found, Naming};
use super::{days, paging, policies, tags};
use crate::ids::KeyArn;
use crate::kms::{
    DELETION_DAYS_DEFAULT, DELETION_DAYS_MAX, DELETION_DAYS_MIN, DESCRIPTION_CHARS, KeySpec, KeyUsage, Origin,
};
use crate::sandbox::auth::Caller;
use crate::sandbox::call::{Call, with, with_tags};
use crate::sandbox::error::ApiError;
use crate::sandbox::random;
use crate::sandbox::state::{Key, Material, MaterialOrigin};
use crate::sandbox::wire_json::{Params, epoch};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns new key material.
pub(super) fn material(since: Timestamp, origin: MaterialOrigin) -> Material {
    Material { id: random::hex(32), hex: random::hex(32), since, origin }
}

/// Returns a new key of the caller's account and Region, with the default policy.
pub(super) fn new(call: &Call<'_>) -> Key {
    let Caller { account, region, .. } = call.caller;
    #[expect(clippy::expect_used, reason = "a UUID consists of hexadecimal digits and hyphens")]
    let id = random::uuid().parse().expect("a UUID is a legal key id");
    Key {
        arn: KeyArn::new(region.partition(), region, account, &id),
        created: call.now,
        description: String::new(),
        enabled: true,
        deletion: None,
        policy: policies::default(call.caller.partition(), account),
        tags: BTreeMap::new(),
        rotation: None,
        materials: vec![material(call.now, MaterialOrigin::Creation)],
        grants: Vec::new(),
        last_use: None,
        aws_managed: false,
    }
}

/// `CreateKey`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    check_spec(params)?;
    let description = params.bounded("Description", DESCRIPTION_CHARS)?.unwrap_or_default();
    let tags = tags::given(&params.structures("Tags")?)?;
    tags::check(&tags, &BTreeMap::new())?;
    let mut key = new(call);
    description.clone_into(&mut key.description);
    authorize_create(call, &key, &tags)?;
    if let Some(policy) = params.text("Policy")? {
        key.policy = policies::accept(call, &key, policy)?;
    }
    policies::check_lockout(call, &key)?;
    key.tags = tags.into_iter().collect();
    let answer = json!({ "KeyMetadata": metadata(&key) });
    let arn = key.arn.as_str().to_owned();
    call.lag.hide("key", &arn);
    call.lag.hide("tags", &arn);
    call.state.keys.insert(arn, key);
    Ok(answer)
}

/// Refuses what does not exist, and by name what this sandbox does not have.
fn check_spec(params: &Params) -> Result<(), ApiError> {
    let specs: Vec<&str> = KeySpec::ALL.iter().map(|spec| spec.name()).collect();
    let usages: Vec<&str> = KeyUsage::ALL.iter().map(|usage| usage.name()).collect();
    let origins: Vec<&str> = Origin::ALL.iter().map(|origin| origin.name()).collect();
    let old_name = params.choice("CustomerMasterKeySpec", &specs)?;
    let spec = params.choice("KeySpec", &specs)?.or(old_name).and_then(|spec| spec.parse().ok());
    let spec = spec.unwrap_or(KeySpec::SymmetricDefault);
    let usage = params.choice("KeyUsage", &usages)?.and_then(|usage| usage.parse().ok());
    let usage = usage.unwrap_or(KeyUsage::EncryptDecrypt);
    if !spec.allows(usage) {
        return Err(ApiError::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")));
    }
    let not_yet = |what: String| {
        Err(ApiError::new("UnsupportedOperationException", format!("{what} is not in this sandbox yet")))
    };
    if spec != KeySpec::SymmetricDefault {
        return not_yet(format!("KeySpec {spec}"));
    }
    if let Some(origin) = params.choice("Origin", &origins)?.filter(|origin| *origin != "AWS_KMS") {
        return not_yet(format!("Origin {origin}"));
    }
    if params.flag("MultiRegion")? {
        return not_yet("MultiRegion true".to_owned());
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
    with(&mut request, "kms:KeySpec", "SYMMETRIC_DEFAULT");
    with(&mut request, "kms:CustomerMasterKeySpec", "SYMMETRIC_DEFAULT");
    with(&mut request, "kms:KeyUsage", "ENCRYPT_DECRYPT");
    with(&mut request, "kms:CustomerMasterKeyUsage", "ENCRYPT_DECRYPT");
    with(&mut request, "kms:KeyOrigin", "AWS_KMS");
    with(&mut request, "kms:MultiRegion", "false");
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

/// Returns a key's metadata.
pub(super) fn metadata(key: &Key) -> Value {
    json!({
        "AWSAccountId": key.arn.account(),
        "KeyId": key.arn.key_id(),
        "Arn": key.arn,
        "CreationDate": epoch(key.created),
        "Enabled": key.enabled && key.deletion.is_none(),
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": key.state().name(),
        "DeletionDate": key.deletion.map(epoch),
        "Origin": "AWS_KMS",
        "KeyManager": if key.aws_managed { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
        "CurrentKeyMaterialId": key.current_material().map(|material| material.id.as_str()),
    })
}

/// `DescribeKey`.
pub(super) fn describe(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.named(Naming::Alias)?;
    call.admit(&call.key_request("kms:DescribeKey", &found), &found)?;
    Ok(json!({ "KeyMetadata": metadata(call.key(&found)?) }))
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
    key.deletion = Some(date);
    key.enabled = false;
    Ok(json!({
        "KeyId": found.arn,
        "DeletionDate": epoch(date),
        "KeyState": "PendingDeletion",
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
