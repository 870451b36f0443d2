//! What `DescribeKey` tells of a key.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html>

use crate::ids::KeyArn;
use crate::kms::{KeySpec, KeyState, KeyUsage};
use crate::sandbox::state::{Deletion, ExpirationModel, Key, MultiRegion, State};
use crate::sandbox::wire_json::epoch;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Returns a key's metadata.
pub(super) fn metadata(state: &State, key: &Key, now: Timestamp) -> Value {
    let key_state = state.key_state(key, now);
    let expiration = key.expiration();
    let (date, window) = match key.deletion {
        Some(Deletion::At(date)) => (Some(epoch(date)), None),
        Some(Deletion::AfterReplicas { window_days }) => (None, Some(window_days)),
        None => (None, None),
    };
    let mut metadata = json!({
        "AWSAccountId": key.arn.account(),
        "KeyId": key.arn.key_id(),
        "Arn": key.arn,
        "CreationDate": epoch(key.created),
        "Enabled": key_state == KeyState::Enabled,
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": key_state,
        "DeletionDate": date,
        "PendingDeletionWindowInDays": window,
        "Origin": key.origin,
        "ExpirationModel": expiration.map(ExpirationModel::name),
        "ValidTo": expiration.and_then(ExpirationModel::valid_to).map(epoch),
        "KeyManager": if key.aws_managed { "AWS" } else { "CUSTOMER" },
        "CustomKeyStoreId": key.store,
        "CloudHsmClusterId": key.store.as_ref().and_then(|id| state.stores.get(id)?.cluster.as_ref()),
        "XksKeyConfiguration": key.xks_key_id.as_ref().map(|id| json!({ "Id": id })),
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": key.multi_region.is_some(),
        "MultiRegionConfiguration": relatives(state, key),
        "CurrentKeyMaterialId": key.current_material_id(),
    });
    add_algorithms(&mut metadata, key.spec, key.usage);
    metadata
}

/// Adds the list of the algorithms with which a key does what it is for.
pub(super) fn add_algorithms(answer: &mut Value, spec: KeySpec, usage: KeyUsage) {
    let (name, list) = match usage {
        KeyUsage::EncryptDecrypt => ("EncryptionAlgorithms", json!(spec.encryption_algorithms())),
        KeyUsage::SignVerify => ("SigningAlgorithms", json!(spec.signing_algorithms())),
        KeyUsage::GenerateVerifyMac => ("MacAlgorithms", json!(spec.mac_algorithms())),
        KeyUsage::KeyAgreement => ("KeyAgreementAlgorithms", json!(spec.key_agreement_algorithms())),
        KeyUsage::EncapsulateDecapsulate => ("EncapsulationAlgorithms", json!(spec.encapsulation_algorithms())),
    };
    if let Some(fields) = answer.as_object_mut() {
        fields.insert(name.to_owned(), list);
    }
}

fn relatives(state: &State, key: &Key) -> Option<Value> {
    let kind = match key.multi_region.as_ref()? {
        MultiRegion::Primary { .. } => "PRIMARY",
        MultiRegion::Replica { .. } => "REPLICA",
    };
    let (primary, replicas) = state.relatives(key)?;
    let place = |arn: &KeyArn| json!({ "Arn": arn, "Region": arn.region() });
    let replicas: Vec<Value> = replicas.iter().map(place).collect();
    Some(json!({ "MultiRegionKeyType": kind, "PrimaryKey": place(&primary), "ReplicaKeys": replicas }))
}
