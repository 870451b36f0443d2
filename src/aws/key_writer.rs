//! Writes keys: what makes a key, a replica or material is sent exactly once, everything else changes nothing when it
//! is repeated.

use super::Connection;
use super::call::Call;
use super::key_reader::POLICY_NAME;
use super::metadata::{self, protocol};
use crate::ids::{AliasName, KeyArn, KeyId, KeyMaterialId, Region};
use crate::kms::{WrappingAlgorithm, WrappingKeySpec};
use crate::live::Expiry;
use crate::policy::PolicyDocument;
use crate::ports::{
    ImportParameters, KeyWriter, LockoutCheck, MaterialImport, NewKey, NewReplica, PortError, PortErrorKind, PortResult,
};
use crate::secret::SecretBytes;
use aws_sdk_kms::primitives::{Blob, DateTime};
use aws_sdk_kms::types::{self, AlgorithmSpec, ExpirationModelType, KeySpec, KeyUsageType, OriginType, Tag};
use std::collections::{BTreeMap, BTreeSet};

const CREATE_KEY: Call = Call::once("kms:CreateKey");
const REPLICATE: Call = Call::once("kms:ReplicateKey");
const ROTATE: Call = Call::once("kms:RotateKeyOnDemand");
const UPDATE_PRIMARY: Call = Call::harmless("kms:UpdatePrimaryRegion");
const SCHEDULE_DELETION: Call = Call::harmless("kms:ScheduleKeyDeletion");
const CANCEL_DELETION: Call = Call::harmless("kms:CancelKeyDeletion");
const IMPORT_PARAMETERS: Call = Call::harmless("kms:GetParametersForImport");
const IMPORT: Call = Call::once("kms:ImportKeyMaterial");
const DELETE_MATERIAL: Call = Call::harmless("kms:DeleteImportedKeyMaterial");
const DELETE_ALIAS: Call = Call::harmless("kms:DeleteAlias");
const PUT_POLICY: Call = Call::harmless("kms:PutKeyPolicy");
const DESCRIPTION: Call = Call::harmless("kms:UpdateKeyDescription");
const ENABLE: Call = Call::harmless("kms:EnableKey");
const DISABLE: Call = Call::harmless("kms:DisableKey");
const TAG: Call = Call::harmless("kms:TagResource");
const UNTAG: Call = Call::harmless("kms:UntagResource");
const CREATE_ALIAS: Call = Call::harmless("kms:CreateAlias");
const UPDATE_ALIAS: Call = Call::harmless("kms:UpdateAlias");
const ENABLE_ROTATION: Call = Call::harmless("kms:EnableKeyRotation");
const DISABLE_ROTATION: Call = Call::harmless("kms:DisableKeyRotation");

impl KeyWriter for Connection {
    async fn create_key(&self, key: &NewKey) -> PortResult<KeyArn> {
        let tags = tags(CREATE_KEY, &key.tags)?;
        let description = Some(key.description.clone()).filter(|text| !text.is_empty());
        let request = || {
            self.kms
                .create_key()
                .key_spec(KeySpec::from(key.shape.spec.name()))
                .key_usage(KeyUsageType::from(key.shape.usage.name()))
                .origin(OriginType::from(key.shape.origin.name()))
                .set_multi_region(key.shape.multi_region.then_some(true))
                .set_custom_key_store_id(key.store.as_ref().map(ToString::to_string))
                .set_xks_key_id(key.xks_key_id.clone())
                .set_description(description.clone())
                .policy(key.policy.to_text())
                .set_tags(Some(tags.clone()))
                .set_bypass_policy_lockout_safety_check(bypass(key.lockout_check))
                .send()
        };
        let answer = self.gate.send(CREATE_KEY, request).await?;
        let made = answer.key_metadata.as_ref();
        let given = made.map(|made| made.arn().unwrap_or(made.key_id()));
        // Whatever is wrong with the answer: the key exists.
        self.key_arn(CREATE_KEY.name, given).await.map_err(|error| PortError {
            kind: PortErrorKind::Unknown,
            call: CREATE_KEY.name.to_owned(),
            ..error
        })
    }

    async fn replicate_key(&self, key: &KeyId, replica: &NewReplica) -> PortResult<KeyArn> {
        let tags = tags(REPLICATE, &replica.tags)?;
        let description = Some(replica.description.clone()).filter(|text| !text.is_empty());
        let request = || {
            self.kms
                .replicate_key()
                .key_id(key.as_str())
                .replica_region(replica.region.as_str())
                .set_description(description.clone())
                .policy(replica.policy.to_text())
                .set_tags(Some(tags.clone()))
                .set_bypass_policy_lockout_safety_check(bypass(replica.lockout_check))
                .send()
        };
        let answer = self.gate.send(REPLICATE, request).await?;
        let made = answer.replica_key_metadata.as_ref().and_then(|made| made.arn());
        // Whatever is wrong with the answer: the replica exists.
        made.and_then(|arn| arn.parse().ok()).ok_or_else(|| PortError {
            kind: PortErrorKind::Unknown,
            ..protocol(REPLICATE.name, "the answer does not name the replica")
        })
    }

    async fn update_primary_region(&self, key: &KeyId, region: &Region) -> PortResult<()> {
        let request = || self.kms.update_primary_region().key_id(key.as_str()).primary_region(region.as_str()).send();
        self.gate.send(UPDATE_PRIMARY, request).await.map(drop)
    }

    async fn schedule_deletion(&self, key: &KeyId, days: u8) -> PortResult<()> {
        let request =
            || self.kms.schedule_key_deletion().key_id(key.as_str()).pending_window_in_days(i32::from(days)).send();
        self.gate.send(SCHEDULE_DELETION, request).await.map(drop)
    }

    async fn cancel_deletion(&self, key: &KeyId) -> PortResult<()> {
        self.gate.send(CANCEL_DELETION, || self.kms.cancel_key_deletion().key_id(key.as_str()).send()).await.map(drop)
    }

    async fn rotate_on_demand(&self, key: &KeyId) -> PortResult<()> {
        self.gate.send(ROTATE, || self.kms.rotate_key_on_demand().key_id(key.as_str()).send()).await.map(drop)
    }

    async fn import_parameters(
        &self,
        key: &KeyId,
        algorithm: WrappingAlgorithm,
        wrapping_key: WrappingKeySpec,
    ) -> PortResult<ImportParameters> {
        let request = || {
            let request = self.kms.get_parameters_for_import().key_id(key.as_str());
            let request = request.wrapping_algorithm(AlgorithmSpec::from(algorithm.name()));
            request.wrapping_key_spec(types::WrappingKeySpec::from(wrapping_key.name())).send()
        };
        let answer = self.gate.send(IMPORT_PARAMETERS, request).await?;
        let call = IMPORT_PARAMETERS.name;
        let missing = |what: &str| protocol(call, format!("the answer has no {what}"));
        let public_key = answer.public_key.ok_or_else(|| missing("wrapping key"))?.into_inner();
        let token = SecretBytes::new(answer.import_token.ok_or_else(|| missing("import token"))?.into_inner());
        let valid_to = metadata::timestamp(call, answer.parameters_valid_to.as_ref())?;
        Ok(ImportParameters { public_key, token, valid_to })
    }

    async fn import_material(&self, key: &KeyId, import: &MaterialImport) -> PortResult<Option<KeyMaterialId>> {
        let (model, valid_to) = match import.expiry {
            Expiry::Never => (ExpirationModelType::KeyMaterialDoesNotExpire, None),
            Expiry::At(at) => (ExpirationModelType::KeyMaterialExpires, Some(DateTime::from_secs(at.as_second()))),
        };
        let request = || {
            self.kms
                .import_key_material()
                .key_id(key.as_str())
                .import_token(Blob::new(import.token.expose_secret()))
                .encrypted_key_material(Blob::new(import.encrypted.clone()))
                .expiration_model(model.clone())
                .set_valid_to(valid_to)
                .set_import_type(import.kind.map(|kind| types::ImportType::from(kind.name())))
                .set_key_material_description(import.description.clone())
                .set_key_material_id(import.id.as_ref().map(ToString::to_string))
                .send()
        };
        let answer = self.gate.send(IMPORT, request).await?;
        // Whatever is wrong with the answer: the material is there.
        answer
            .key_material_id
            .map(|id| id.parse())
            .transpose()
            .map_err(|error| PortError { kind: PortErrorKind::Unknown, ..protocol(IMPORT.name, error) })
    }

    async fn delete_material(&self, key: &KeyId, material: Option<&KeyMaterialId>) -> PortResult<()> {
        let id = material.map(ToString::to_string);
        let request =
            || self.kms.delete_imported_key_material().key_id(key.as_str()).set_key_material_id(id.clone()).send();
        self.gate.send(DELETE_MATERIAL, request).await.map(drop)
    }

    async fn delete_alias(&self, alias: &AliasName) -> PortResult<()> {
        match self.gate.send(DELETE_ALIAS, || self.kms.delete_alias().alias_name(alias.as_str()).send()).await {
            // Gone is what was wanted; a repetition after a lost answer says so too.
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    async fn put_key_policy(&self, key: &KeyId, policy: &PolicyDocument, check: LockoutCheck) -> PortResult<()> {
        let request = || {
            self.kms
                .put_key_policy()
                .key_id(key.as_str())
                .policy_name(POLICY_NAME)
                .policy(policy.to_text())
                .set_bypass_policy_lockout_safety_check(bypass(check))
                .send()
        };
        self.gate.send(PUT_POLICY, request).await.map(drop)
    }

    async fn update_description(&self, key: &KeyId, description: &str) -> PortResult<()> {
        let request = || self.kms.update_key_description().key_id(key.as_str()).description(description).send();
        self.gate.send(DESCRIPTION, request).await.map(drop)
    }

    async fn enable_key(&self, key: &KeyId) -> PortResult<()> {
        self.gate.send(ENABLE, || self.kms.enable_key().key_id(key.as_str()).send()).await.map(drop)
    }

    async fn disable_key(&self, key: &KeyId) -> PortResult<()> {
        self.gate.send(DISABLE, || self.kms.disable_key().key_id(key.as_str()).send()).await.map(drop)
    }

    async fn tag_key(&self, key: &KeyId, wanted: &BTreeMap<String, String>) -> PortResult<()> {
        let tags = tags(TAG, wanted)?;
        let request = || self.kms.tag_resource().key_id(key.as_str()).set_tags(Some(tags.clone())).send();
        self.gate.send(TAG, request).await.map(drop)
    }

    async fn untag_key(&self, key: &KeyId, tag_keys: &BTreeSet<String>) -> PortResult<()> {
        let names: Vec<String> = tag_keys.iter().cloned().collect();
        let request = || self.kms.untag_resource().key_id(key.as_str()).set_tag_keys(Some(names.clone())).send();
        self.gate.send(UNTAG, request).await.map(drop)
    }

    async fn create_alias(&self, alias: &AliasName, key: &KeyId) -> PortResult<()> {
        let request = || self.kms.create_alias().alias_name(alias.as_str()).target_key_id(key.as_str()).send();
        self.gate.send(CREATE_ALIAS, request).await.map(drop)
    }

    async fn update_alias(&self, alias: &AliasName, key: &KeyId) -> PortResult<()> {
        let request = || self.kms.update_alias().alias_name(alias.as_str()).target_key_id(key.as_str()).send();
        self.gate.send(UPDATE_ALIAS, request).await.map(drop)
    }

    async fn enable_rotation(&self, key: &KeyId, days: u16) -> PortResult<()> {
        let request =
            || self.kms.enable_key_rotation().key_id(key.as_str()).rotation_period_in_days(i32::from(days)).send();
        self.gate.send(ENABLE_ROTATION, request).await.map(drop)
    }

    async fn disable_rotation(&self, key: &KeyId) -> PortResult<()> {
        self.gate.send(DISABLE_ROTATION, || self.kms.disable_key_rotation().key_id(key.as_str()).send()).await.map(drop)
    }
}

/// The parameter is a right of its own (`kms:BypassPolicyLockoutSafetyCheck`), so it is sent only when it is meant.
fn bypass(check: LockoutCheck) -> Option<bool> {
    match check {
        LockoutCheck::Keep => None,
        LockoutCheck::Bypass => Some(true),
    }
}

fn tags(call: Call, tags: &BTreeMap<String, String>) -> PortResult<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| {
            Tag::builder().tag_key(key).tag_value(value).build().map_err(|error| protocol(call.name, error))
        })
        .collect()
}
