//! What is read of keys: one by one, in lists, by any of their names.

use super::{FakeAws, refused};
use crate::ids::{AliasName, KeyArn, KeyId, KeyStoreId};
use crate::live::{
    Caller, KeyMetadata, LiveGrant, LiveKeyStore, LiveMaterials, LiveRotation, LiveRotations, LiveUsage,
};
use crate::ports::{AnyKeyReader, CallerReader, KeyReader, PortErrorKind, PortResult};
use std::collections::BTreeMap;

impl CallerReader for FakeAws {
    async fn caller(&self) -> PortResult<Caller> {
        self.run("sts:GetCallerIdentity", &"", |_| Ok(self.caller.clone()))
    }
}

impl KeyReader for FakeAws {
    async fn list_aliases(&self) -> PortResult<BTreeMap<AliasName, Option<KeyId>>> {
        self.run("kms:ListAliases", &"", |state| {
            Ok(state.aliases.iter().map(|(alias, key)| (alias.clone(), Some(key.clone()))).collect())
        })
    }

    async fn keys_tagged(&self, tag: &str, value: &str) -> PortResult<BTreeMap<KeyArn, BTreeMap<String, String>>> {
        self.run("tag:GetResources", &"", |state| {
            let found = state
                .keys
                .iter()
                .filter(|(_, key)| key.indexed && key.tags.get(tag).is_some_and(|given| given == value));
            Ok(found.map(|(id, key)| (self.arn(id), key.tags.clone())).collect())
        })
    }

    async fn list_keys(&self) -> PortResult<Vec<KeyArn>> {
        self.run("kms:ListKeys", &"", |state| Ok(state.keys.keys().map(|id| self.arn(id)).collect()))
    }

    async fn key_tags(&self, key: &KeyId) -> PortResult<BTreeMap<String, String>> {
        self.run("kms:ListResourceTags", &key, |state| Ok(state.key(key)?.tags.clone()))
    }

    async fn describe_key(&self, key: &KeyId) -> PortResult<(KeyArn, KeyMetadata)> {
        self.run("kms:DescribeKey", &key, |state| Ok((self.arn(key), state.described(key)?)))
    }

    async fn key_policy(&self, key: &KeyId) -> PortResult<String> {
        self.run("kms:GetKeyPolicy", &key, |state| Ok(state.key(key)?.policy.clone()))
    }

    async fn rotation(&self, key: &KeyId) -> PortResult<LiveRotation> {
        self.run("kms:GetKeyRotationStatus", &key, |state| match state.key_for("GetKeyRotationStatus", key) {
            Err(error) if error.kind == PortErrorKind::NotSupported => Ok(LiveRotation::Off),
            found => Ok(found?.rotation),
        })
    }

    async fn grants(&self, key: &KeyId) -> PortResult<Vec<LiveGrant>> {
        self.run("kms:ListGrants", &key, |state| Ok(state.key(key)?.grants.clone()))
    }

    async fn rotations(&self, key: &KeyId) -> PortResult<LiveRotations> {
        self.run("kms:ListKeyRotations", &key, |state| Ok(state.key(key)?.rotations.clone()))
    }

    async fn materials(&self, key: &KeyId) -> PortResult<LiveMaterials> {
        self.run("kms:ListKeyRotations", &key, |state| state.listed_materials(key))
    }

    async fn last_usage(&self, key: &KeyId) -> PortResult<LiveUsage> {
        self.run("kms:GetKeyLastUsage", &key, |state| Ok(state.key(key)?.last_usage.clone()))
    }

    async fn key_store(&self, store: &KeyStoreId) -> PortResult<Option<LiveKeyStore>> {
        self.run("kms:DescribeCustomKeyStores", &store, |state| Ok(state.stores.get(store).cloned()))
    }
}

impl AnyKeyReader for FakeAws {
    async fn describe_named(&self, name: &str) -> PortResult<(KeyArn, KeyMetadata)> {
        self.run("kms:DescribeKey", &name, |state| {
            let behind = name.parse().ok().and_then(|alias| state.aliases.get(&alias).cloned());
            let id = behind.or_else(|| name.parse().ok());
            let id = id.ok_or_else(|| refused(PortErrorKind::NotFound, format!("no {name}")))?;
            Ok((self.arn(&id), state.key(&id)?.metadata.clone()))
        })
    }

    async fn policy_names(&self, key: &KeyId) -> PortResult<Vec<String>> {
        self.run("kms:ListKeyPolicies", &key, |state| {
            let second = state.key(key)?.ram_policy.as_ref().map(|_| "AWS_RAM".to_owned());
            Ok(std::iter::once("default".to_owned()).chain(second).collect())
        })
    }

    async fn policy_named(&self, key: &KeyId, name: &str) -> PortResult<String> {
        self.run("kms:GetKeyPolicy", &key, |state| {
            let key = state.key(key)?;
            let named = if name == "default" { Some(&key.policy) } else { key.ram_policy.as_ref() };
            named.cloned().ok_or_else(|| refused(PortErrorKind::NotFound, format!("no policy {name}")))
        })
    }
}
