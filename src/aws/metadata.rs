//! Turns what KMS tells of keys and grants into live state; an unknown value is an error that names it.

use crate::access::{GrantConstraints, GrantFacts, Grantee};
use crate::ids::Region;
use crate::kms::{KeySpec, KeyState, KeyUsage, Origin};
use crate::live::{
    Expiry, KeyManager, KeyMetadata, LiveGrant, LiveKeyStore, LiveMaterial, LivePresence, MaterialStanding,
    MultiRegionType,
};
use crate::ports::{PortError, PortErrorKind, PortResult};
use aws_sdk_kms::primitives::DateTime;
use aws_sdk_kms::types;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

pub(super) const DESCRIBE: &str = "kms:DescribeKey";
pub(super) const STORES: &str = "kms:DescribeCustomKeyStores";
pub(super) const GRANTS: &str = "kms:ListGrants";

/// Returns an error for an answer that cannot be understood.
pub(super) fn protocol(call: &str, message: impl fmt::Display) -> PortError {
    PortError::new(PortErrorKind::Protocol, call, message.to_string())
}

fn parse<T: FromStr<Err: fmt::Display>>(call: &str, text: &str) -> PortResult<T> {
    text.parse().map_err(|error| protocol(call, error))
}

/// Reads what `DescribeKey` tells.
pub(super) fn key_metadata(key: &types::KeyMetadata) -> PortResult<KeyMetadata> {
    let spec = key_spec(key)?;
    Ok(KeyMetadata {
        state: key_state(key)?,
        description: key.description().unwrap_or_default().to_owned(),
        spec,
        usage: key_usage(key, spec)?,
        origin: match key.origin() {
            Some(origin) => parse::<Origin>(DESCRIBE, origin.as_str())?,
            None => return Err(protocol(DESCRIBE, "the answer does not say where the key's material comes from")),
        },
        manager: match key.key_manager().map(types::KeyManagerType::as_str) {
            // Left out by some servers, none of which has keys of AWS's own.
            Some("CUSTOMER") | None => KeyManager::Customer,
            Some("AWS") => KeyManager::Aws,
            Some(other) => return Err(protocol(DESCRIBE, format!("`{other}` is not a key manager of AWS KMS"))),
        },
        multi_region: key.multi_region().unwrap_or_default(),
        multi_region_type: multi_region_type(key)?,
        primary_region: primary_region(key)?,
        replica_regions: replica_regions(key)?,
        store: key.custom_key_store_id().map(|id| parse(DESCRIBE, id)).transpose()?,
        xks_key_id: key.xks_key_configuration().and_then(|xks| xks.id()).map(str::to_owned),
        created: timestamp(DESCRIBE, key.creation_date())?,
        deletion: timestamp(DESCRIBE, key.deletion_date())?,
        deletion_window: key.pending_deletion_window_in_days().and_then(|days| u16::try_from(days).ok()),
        expiry: expiry(DESCRIBE, key.expiration_model(), key.valid_to())?,
    })
}

/// Some servers leave the state out; `Enabled` is always there.
fn key_state(key: &types::KeyMetadata) -> PortResult<KeyState> {
    match key.key_state() {
        Some(state) => parse(DESCRIBE, state.as_str()),
        None if key.enabled() => Ok(KeyState::Enabled),
        None => Ok(KeyState::Disabled),
    }
}

/// Older servers know only the former name of the field.
#[expect(deprecated, reason = "servers of before 2021 give nothing else")]
fn key_spec(key: &types::KeyMetadata) -> PortResult<KeySpec> {
    let former = key.customer_master_key_spec().map(types::CustomerMasterKeySpec::as_str);
    match key.key_spec().map(types::KeySpec::as_str).or(former) {
        Some(text) => parse(DESCRIBE, text),
        None => Err(protocol(DESCRIBE, "the answer does not give the key's spec")),
    }
}

/// Some servers leave the usage out; for most specs there is only one.
fn key_usage(key: &types::KeyMetadata, spec: KeySpec) -> PortResult<KeyUsage> {
    match key.key_usage() {
        Some(usage) => parse(DESCRIBE, usage.as_str()),
        None => spec.only_usage().ok_or_else(|| protocol(DESCRIBE, "the answer does not give the key's usage")),
    }
}

fn multi_region_type(key: &types::KeyMetadata) -> PortResult<Option<MultiRegionType>> {
    let given = key.multi_region_configuration().and_then(|regions| regions.multi_region_key_type());
    match given.map(types::MultiRegionKeyType::as_str) {
        Some("PRIMARY") => Ok(Some(MultiRegionType::Primary)),
        Some("REPLICA") => Ok(Some(MultiRegionType::Replica)),
        Some(other) => Err(protocol(DESCRIBE, format!("`{other}` is not a type of multi-Region keys"))),
        None => Ok(None),
    }
}

fn primary_region(key: &types::KeyMetadata) -> PortResult<Option<Region>> {
    let primary = key.multi_region_configuration().and_then(|regions| regions.primary_key());
    primary.and_then(|primary| primary.region()).map(|region| parse(DESCRIBE, region)).transpose()
}

fn replica_regions(key: &types::KeyMetadata) -> PortResult<BTreeSet<Region>> {
    let replicas =
        key.multi_region_configuration().map(types::MultiRegionConfiguration::replica_keys).unwrap_or_default();
    replicas.iter().filter_map(|replica| replica.region()).map(|region| parse(DESCRIBE, region)).collect()
}

/// Reads what `DescribeCustomKeyStores` tells of a store.
pub(super) fn key_store(store: &types::CustomKeyStoresListEntry) -> PortResult<LiveKeyStore> {
    let origin = match store.custom_key_store_type().map(types::CustomKeyStoreType::as_str) {
        // Left out by servers of before there were stores outside AWS.
        Some("AWS_CLOUDHSM") | None => Origin::AwsCloudHsm,
        Some("EXTERNAL_KEY_STORE") => Origin::ExternalKeyStore,
        Some(other) => return Err(protocol(STORES, format!("`{other}` is not a type of custom key stores"))),
    };
    let connection = store.connection_state().map(types::ConnectionStateType::as_str);
    Ok(LiveKeyStore {
        origin,
        connection: connection.unwrap_or("DISCONNECTED").to_owned(),
        error: store.connection_error_code().map(|code| code.as_str().to_owned()),
    })
}

pub(super) fn timestamp(call: &str, time: Option<&DateTime>) -> PortResult<Option<jiff::Timestamp>> {
    let Some(time) = time else { return Ok(None) };
    let nanoseconds = i32::try_from(time.subsec_nanos()).map_err(|error| protocol(call, error))?;
    jiff::Timestamp::new(time.secs(), nanoseconds).map(Some).map_err(|error| protocol(call, error))
}

/// Reads when material expires. Servers may leave the model out where there is a date, and keep the one and drop the other
/// once material is deleted: without a date nothing is told.
pub(super) fn expiry(
    call: &str,
    model: Option<&types::ExpirationModelType>,
    valid_to: Option<&DateTime>,
) -> PortResult<Option<Expiry>> {
    let at = timestamp(call, valid_to)?;
    match (model.map(types::ExpirationModelType::as_str), at) {
        (Some("KEY_MATERIAL_DOES_NOT_EXPIRE"), None) => Ok(Some(Expiry::Never)),
        (Some("KEY_MATERIAL_EXPIRES") | None, Some(at)) => Ok(Some(Expiry::At(at))),
        (Some("KEY_MATERIAL_EXPIRES") | None, None) => Ok(None),
        (Some("KEY_MATERIAL_DOES_NOT_EXPIRE"), Some(at)) => {
            Err(protocol(call, format!("the material does not expire, and expires at {at}")))
        }
        (Some(model), _) => Err(protocol(call, format!("`{model}` is not an expiration model"))),
    }
}

/// Reads one material of a key; `None` if the server does not tell which one it is.
pub(super) fn material(call: &str, entry: &types::RotationsListEntry) -> PortResult<Option<LiveMaterial>> {
    let (Some(id), Some(state), Some(import)) =
        (entry.key_material_id(), entry.key_material_state(), entry.import_state())
    else {
        return Ok(None);
    };
    let standing = match state.as_str() {
        "CURRENT" => MaterialStanding::Current,
        "NON_CURRENT" => MaterialStanding::NonCurrent,
        "PENDING_ROTATION" => MaterialStanding::PendingRotation,
        "PENDING_MULTI_REGION_IMPORT_AND_ROTATION" => MaterialStanding::PendingReplicas,
        other => return Err(protocol(call, format!("`{other}` is not a state of key material"))),
    };
    let expiry = expiry(call, entry.expiration_model(), entry.valid_to())?;
    let presence = match (import.as_str(), expiry) {
        ("IMPORTED", Some(expiry)) => LivePresence::Imported(expiry),
        ("PENDING_IMPORT", _) => LivePresence::Missing,
        ("IMPORTED", None) => return Err(protocol(call, "the answer does not say when imported material expires")),
        (other, _) => return Err(protocol(call, format!("`{other}` is not an import state of key material"))),
    };
    let id = parse(call, id)?;
    let description = entry.key_material_description().map(str::to_owned);
    Ok(Some(LiveMaterial { id, description, standing, presence }))
}

/// Reads a grant. The token is not among what `ListGrants` gives, and none is kept.
pub(super) fn grant(entry: &types::GrantListEntry) -> PortResult<LiveGrant> {
    let required = |value: Option<&str>, what: &str| {
        value.map(str::to_owned).ok_or_else(|| protocol(GRANTS, format!("a grant without {what}")))
    };
    let facts = GrantFacts {
        grant_id: required(entry.grant_id(), "an id")?,
        issuing_account: required(entry.issuing_account(), "its issuing account")?,
        operations: entry.operations().iter().map(|operation| operation.as_str().to_owned()).collect(),
        grantee: party(entry.grantee_service_principal(), entry.grantee_principal())
            .ok_or_else(|| protocol(GRANTS, "a grant without a grantee"))?,
        retiring: party(entry.retiring_service_principal(), entry.retiring_principal()),
        constraints: constraints(entry.constraints()),
    };
    Ok(LiveGrant { name: entry.name().filter(|name| !name.is_empty()).map(str::to_owned), facts })
}

/// KMS writes a service into either field.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantListEntry.html>
fn party(service: Option<&str>, principal: Option<&str>) -> Option<Grantee> {
    match (service, principal.filter(|text| !text.is_empty())) {
        (Some(service), _) => Some(Grantee::Service(service.to_owned())),
        (None, Some(text)) if !text.contains(':') && text.contains(".amazonaws.") => {
            Some(Grantee::Service(text.to_owned()))
        }
        (None, Some(text)) => Some(Grantee::Principal(text.to_owned())),
        (None, None) => None,
    }
}

fn constraints(given: Option<&types::GrantConstraints>) -> GrantConstraints {
    let Some(given) = given else { return GrantConstraints::default() };
    // moto gives an empty map for a constraint that was not set; AWS refuses to store one.
    let pairs = |map: Option<&HashMap<String, String>>| {
        map.filter(|map| !map.is_empty())
            .map(|map| map.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>())
    };
    GrantConstraints {
        encryption_context_equals: pairs(given.encryption_context_equals()),
        encryption_context_subset: pairs(given.encryption_context_subset()),
        source_arn: given.source_arn().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(
        build: impl FnOnce(types::builders::KeyMetadataBuilder) -> types::builders::KeyMetadataBuilder,
    ) -> PortResult<KeyMetadata> {
        let base = types::KeyMetadata::builder()
            .key_id("k")
            .enabled(true)
            .key_spec("SYMMETRIC_DEFAULT".into())
            .origin("AWS_KMS".into());
        key_metadata(&build(base).build().unwrap())
    }

    fn regions(kind: &str) -> types::MultiRegionConfiguration {
        types::MultiRegionConfiguration::builder().multi_region_key_type(kind.into()).build()
    }

    #[test]
    fn primaries_are_told_from_replicas() {
        let kind = |kind| described(|b| b.multi_region_configuration(regions(kind))).unwrap().multi_region_type;
        assert_eq!(
            (kind("PRIMARY"), kind("REPLICA")),
            (Some(MultiRegionType::Primary), Some(MultiRegionType::Replica))
        );
        assert_eq!(described(|b| b).unwrap().multi_region_type, None);
    }

    #[test]
    fn what_some_servers_leave_out_is_filled_in_from_the_rest() {
        let key = described(|b| b).unwrap();
        assert_eq!((key.state, key.usage), (KeyState::Enabled, KeyUsage::EncryptDecrypt));
        let key = described(|b| b.enabled(false)).unwrap();
        assert_eq!(key.state, KeyState::Disabled);
        let sign = described(|b| b.key_spec("RSA_2048".into()));
        assert_eq!(sign.unwrap_err().kind, PortErrorKind::Protocol);
    }

    #[test]
    fn unknown_values_are_errors_that_name_them() {
        let unknown = [
            described(|b| b.key_state("Dreaming".into())),
            described(|b| b.key_spec("Dreaming".into())),
            described(|b| b.key_usage("Dreaming".into())),
            described(|b| b.origin("Dreaming".into())),
            described(|b| b.key_manager("Dreaming".into())),
            described(|b| b.multi_region_configuration(regions("Dreaming"))),
        ];
        for result in unknown {
            let error = result.unwrap_err();
            assert!(error.kind == PortErrorKind::Protocol && error.message.contains("Dreaming"), "{error}");
        }
    }

    #[test]
    fn expiry_is_told_by_model_and_date() {
        let (date, at) = (DateTime::from_secs(60), jiff::Timestamp::from_second(60).unwrap());
        let read =
            |model: Option<&str>, date: Option<&DateTime>| expiry(DESCRIBE, model.map(Into::into).as_ref(), date);
        let (expires, never) = (Some("KEY_MATERIAL_EXPIRES"), Some("KEY_MATERIAL_DOES_NOT_EXPIRE"));
        assert_eq!(read(expires, Some(&date)), Ok(Some(Expiry::At(at))));
        assert_eq!(read(None, Some(&date)), Ok(Some(Expiry::At(at))));
        assert_eq!(read(never, None), Ok(Some(Expiry::Never)));
        assert_eq!((read(expires, None), read(None, None)), (Ok(None), Ok(None)));
        assert!(read(never, Some(&date)).unwrap_err().message.contains("does not expire"));
        assert!(read(Some("Dreaming"), None).unwrap_err().message.contains("Dreaming"));
    }

    fn entry() -> types::builders::RotationsListEntryBuilder {
        let entry = types::RotationsListEntry::builder().key_material_id("ab".repeat(32));
        let entry = entry.key_material_state("CURRENT".into()).import_state("IMPORTED".into());
        entry.expiration_model("KEY_MATERIAL_DOES_NOT_EXPIRE".into())
    }

    #[test]
    fn materials_are_read_with_standing_and_presence() {
        let read = |entry: types::builders::RotationsListEntryBuilder| material("list", &entry.build());
        let found = read(entry().key_material_description("2026")).unwrap().unwrap();
        assert_eq!((found.standing, found.description.as_deref()), (MaterialStanding::Current, Some("2026")));
        assert_eq!(found.presence, LivePresence::Imported(Expiry::Never));
        let standings = [
            ("NON_CURRENT", MaterialStanding::NonCurrent),
            ("PENDING_ROTATION", MaterialStanding::PendingRotation),
            ("PENDING_MULTI_REGION_IMPORT_AND_ROTATION", MaterialStanding::PendingReplicas),
        ];
        for (text, standing) in standings {
            assert_eq!(read(entry().key_material_state(text.into())).unwrap().unwrap().standing, standing);
        }
        let gone = entry().import_state("PENDING_IMPORT".into()).set_expiration_model(None);
        assert_eq!(read(gone).unwrap().unwrap().presence, LivePresence::Missing);
        for untold in
            [entry().set_key_material_id(None), entry().set_key_material_state(None), entry().set_import_state(None)]
        {
            assert_eq!(read(untold), Ok(None));
        }
        for wrong in [
            entry().key_material_state("Dreaming".into()),
            entry().import_state("Dreaming".into()),
            entry().key_material_id("Dreaming"),
            entry().set_expiration_model(None),
        ] {
            assert_eq!(read(wrong).unwrap_err().kind, PortErrorKind::Protocol);
        }
    }

    #[test]
    fn grants_tell_services_from_principals() {
        assert_eq!(party(None, Some("s3.amazonaws.com")), Some(Grantee::Service("s3.amazonaws.com".into())));
        assert_eq!(party(Some("x.amazonaws.com"), None), Some(Grantee::Service("x.amazonaws.com".into())));
        assert_eq!(party(None, Some("AROAEXAMPLE")), Some(Grantee::Principal("AROAEXAMPLE".into())));
        assert_eq!(party(None, None), None);
    }
}
