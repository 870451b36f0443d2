//! Reads keys, aliases, tags, policies and grants.

use super::Connection;
use super::call::Call;
use super::metadata::{self, protocol};
use super::paging::{Next, Pages};
use crate::ids::{AliasName, KeyArn, KeyId, KeyStoreId};
use crate::live::{
    KeyMetadata, LiveGrant, LiveKeyStore, LiveMaterial, LiveMaterials, LiveRotation, LiveRotationEvent, LiveRotations,
    LiveUsage,
};
use crate::ports::{AnyKeyReader, KeyReader, PortError, PortErrorKind, PortResult};
use aws_sdk_kms::types::IncludeKeyMaterial;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use std::collections::BTreeMap;

const LIST_ALIASES: Call = Call::harmless("kms:ListAliases");
const GET_RESOURCES: Call = Call::harmless("tag:GetResources");
const LIST_KEYS: Call = Call::harmless("kms:ListKeys");
const LIST_TAGS: Call = Call::harmless("kms:ListResourceTags");
const DESCRIBE_KEY: Call = Call::harmless(metadata::DESCRIBE);
const GET_POLICY: Call = Call::harmless("kms:GetKeyPolicy");
const GET_ROTATION: Call = Call::harmless("kms:GetKeyRotationStatus");
const LIST_GRANTS: Call = Call::harmless(metadata::GRANTS);
const LIST_ROTATIONS: Call = Call::harmless("kms:ListKeyRotations");
const LAST_USAGE: Call = Call::harmless("kms:GetKeyLastUsage");
const DESCRIBE_STORES: Call = Call::harmless(metadata::STORES);
const LIST_POLICIES: Call = Call::harmless("kms:ListKeyPolicies");

/// The name of the policy that customers write; some servers demand it.
pub(super) const POLICY_NAME: &str = "default";
/// Most aliases, grants and tags a page.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html>
const PAGE: i32 = 100;
/// Most keys a page.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html>
const KEYS_PAGE: i32 = 1_000;
/// Most tags a page.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListResourceTags.html>
const TAGS_PAGE: i32 = 50;

/// Sorts materials from the first one, which has no date, to those that wait for a rotation, which have none either.
fn in_order(mut materials: Vec<(Option<jiff::Timestamp>, LiveMaterial)>) -> Vec<LiveMaterial> {
    materials.sort_by_key(|(rotated, material)| (!material.standing.is_in_use(), *rotated));
    materials.into_iter().map(|(_, material)| material).collect()
}

impl KeyReader for Connection {
    async fn list_aliases(&self) -> PortResult<BTreeMap<AliasName, Option<KeyId>>> {
        let mut aliases = BTreeMap::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.kms.list_aliases().limit(PAGE).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_ALIASES, request).await?;
            for entry in page.aliases.unwrap_or_default() {
                aliases.extend(alias(entry.alias_name.as_deref(), entry.target_key_id.as_deref())?);
            }
            if pages.turn(LIST_ALIASES.name, page.truncated, page.next_marker)? == Next::End {
                return Ok(aliases);
            }
        }
    }

    async fn keys_tagged(&self, tag: &str, value: &str) -> PortResult<BTreeMap<KeyArn, BTreeMap<String, String>>> {
        let mut keys = BTreeMap::new();
        let mut pages = Pages::default();
        loop {
            let token = pages.marker();
            let request = || {
                self.tagging
                    .get_resources()
                    .resource_type_filters("kms:key")
                    .tag_filters(TagFilter::builder().key(tag).values(value).build())
                    .set_pagination_token(token.clone())
                    .send()
            };
            let page = self.gate.send(GET_RESOURCES, request).await?;
            for found in page.resource_tag_mapping_list.unwrap_or_default() {
                let arn = self.key_arn(GET_RESOURCES.name, found.resource_arn.as_deref()).await?;
                let tags = found.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value));
                keys.insert(arn, tags.collect());
            }
            let token = page.pagination_token.filter(|token| !token.is_empty());
            if pages.turn(GET_RESOURCES.name, token.is_some(), token)? == Next::End {
                return Ok(keys);
            }
        }
    }

    async fn list_keys(&self) -> PortResult<Vec<KeyArn>> {
        let mut keys = Vec::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.kms.list_keys().limit(KEYS_PAGE).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_KEYS, request).await?;
            for entry in page.keys.unwrap_or_default() {
                let given = entry.key_arn.as_deref().or(entry.key_id.as_deref());
                keys.push(self.key_arn(LIST_KEYS.name, given).await?);
            }
            if pages.turn(LIST_KEYS.name, page.truncated, page.next_marker)? == Next::End {
                return Ok(keys);
            }
        }
    }

    async fn key_tags(&self, key: &KeyId) -> PortResult<BTreeMap<String, String>> {
        let mut tags = BTreeMap::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || {
                self.kms.list_resource_tags().key_id(key.as_str()).limit(TAGS_PAGE).set_marker(marker.clone()).send()
            };
            let page = self.gate.send(LIST_TAGS, request).await?;
            tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| (tag.tag_key, tag.tag_value)));
            if pages.turn(LIST_TAGS.name, page.truncated, page.next_marker)? == Next::End {
                return Ok(tags);
            }
        }
    }

    async fn describe_key(&self, key: &KeyId) -> PortResult<(KeyArn, KeyMetadata)> {
        self.describe_named(key.as_str()).await
    }

    async fn key_policy(&self, key: &KeyId) -> PortResult<String> {
        self.policy_named(key, POLICY_NAME).await
    }

    async fn rotation(&self, key: &KeyId) -> PortResult<LiveRotation> {
        let request = || self.kms.get_key_rotation_status().key_id(key.as_str()).send();
        match self.gate.send(GET_ROTATION, request).await {
            Ok(status) if status.key_rotation_enabled => {
                Ok(LiveRotation::On { days: days(status.rotation_period_in_days)? })
            }
            Ok(_) => Ok(LiveRotation::Off),
            Err(error) if error.kind == PortErrorKind::NotSupported => Ok(LiveRotation::Off),
            Err(error) => Err(error),
        }
    }

    async fn grants(&self, key: &KeyId) -> PortResult<Vec<LiveGrant>> {
        let mut grants = Vec::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.kms.list_grants().key_id(key.as_str()).limit(PAGE).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_GRANTS, request).await?;
            for entry in page.grants.unwrap_or_default() {
                grants.push(metadata::grant(&entry)?);
            }
            if pages.turn(LIST_GRANTS.name, page.truncated, page.next_marker)? == Next::End {
                return Ok(grants);
            }
        }
    }

    async fn rotations(&self, key: &KeyId) -> PortResult<LiveRotations> {
        let mut rotations = LiveRotations { under_way_since: self.rotation_under_way(key).await?, done: Vec::new() };
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || {
                self.kms.list_key_rotations().key_id(key.as_str()).limit(KEYS_PAGE).set_marker(marker.clone()).send()
            };
            let page = self.gate.send(LIST_ROTATIONS, request).await?;
            for entry in page.rotations.unwrap_or_default() {
                // Material that was never current has no date.
                let Some(at) = metadata::timestamp(LIST_ROTATIONS.name, entry.rotation_date())? else { continue };
                let on_demand = entry.rotation_type().is_some_and(|kind| kind.as_str() == "ON_DEMAND");
                rotations.done.push(LiveRotationEvent { at, on_demand });
            }
            if pages.turn(LIST_ROTATIONS.name, page.truncated, page.next_marker)? == Next::End {
                rotations.done.sort_by_key(|event| event.at);
                return Ok(rotations);
            }
        }
    }

    async fn materials(&self, key: &KeyId) -> PortResult<LiveMaterials> {
        let mut materials: Vec<(Option<jiff::Timestamp>, LiveMaterial)> = Vec::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || {
                let all = IncludeKeyMaterial::AllKeyMaterial;
                let request = self.kms.list_key_rotations().key_id(key.as_str()).include_key_material(all);
                request.limit(KEYS_PAGE).set_marker(marker.clone()).send()
            };
            let page = match self.gate.send(LIST_ROTATIONS, request).await {
                Err(error) if error.kind == PortErrorKind::NotSupported => return Ok(LiveMaterials::Untold),
                page => page?,
            };
            for entry in page.rotations.unwrap_or_default() {
                let Some(material) = metadata::material(LIST_ROTATIONS.name, &entry)? else {
                    return Ok(LiveMaterials::Untold);
                };
                materials.push((metadata::timestamp(LIST_ROTATIONS.name, entry.rotation_date())?, material));
            }
            if pages.turn(LIST_ROTATIONS.name, page.truncated, page.next_marker)? == Next::End {
                return Ok(LiveMaterials::Listed(in_order(materials)));
            }
        }
    }

    async fn last_usage(&self, key: &KeyId) -> PortResult<LiveUsage> {
        let request = || self.kms.get_key_last_usage().key_id(key.as_str()).send();
        let answer = self.gate.send(LAST_USAGE, request).await?;
        let last = answer.key_last_usage();
        let at = metadata::timestamp(LAST_USAGE.name, last.and_then(|last| last.timestamp()))?;
        let operation = last.and_then(|last| last.operation()).map(|operation| operation.as_str().to_owned());
        Ok(LiveUsage {
            tracked_since: metadata::timestamp(LAST_USAGE.name, answer.tracking_start_date())?,
            last: operation.zip(at),
        })
    }

    async fn key_store(&self, store: &KeyStoreId) -> PortResult<Option<LiveKeyStore>> {
        let request = || self.kms.describe_custom_key_stores().custom_key_store_id(store.as_str()).send();
        match self.gate.send(DESCRIBE_STORES, request).await {
            Ok(answer) => {
                let mut stores = answer.custom_key_stores.unwrap_or_default().into_iter();
                stores.next().map(|store| metadata::key_store(&store)).transpose()
            }
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Connection {
    /// Since when an on-demand rotation is under way, if one is. AWS's pages disagree on whether the call answers for
    /// imported material and before the first import: a key for which it does not has nothing under way to be seen.
    async fn rotation_under_way(&self, key: &KeyId) -> PortResult<Option<jiff::Timestamp>> {
        let request = || self.kms.get_key_rotation_status().key_id(key.as_str()).send();
        match self.gate.send(GET_ROTATION, request).await {
            Err(error) if matches!(error.kind, PortErrorKind::NotSupported | PortErrorKind::InvalidState) => Ok(None),
            status => metadata::timestamp(GET_ROTATION.name, status?.on_demand_rotation_start_date()),
        }
    }
}

impl AnyKeyReader for Connection {
    async fn describe_named(&self, name: &str) -> PortResult<(KeyArn, KeyMetadata)> {
        let answer = self.gate.send(DESCRIBE_KEY, || self.kms.describe_key().key_id(name).send()).await?;
        let Some(described) = answer.key_metadata else {
            return Err(protocol(DESCRIBE_KEY.name, "the answer does not describe the key"));
        };
        let arn = self.key_arn(DESCRIBE_KEY.name, described.arn().or(Some(described.key_id()))).await?;
        Ok((arn, metadata::key_metadata(&described)?))
    }

    async fn policy_names(&self, key: &KeyId) -> PortResult<Vec<String>> {
        let mut names = Vec::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.kms.list_key_policies().key_id(key.as_str()).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_POLICIES, request).await?;
            names.extend(page.policy_names.unwrap_or_default());
            if pages.turn(LIST_POLICIES.name, page.truncated, page.next_marker)? == Next::End {
                return Ok(names);
            }
        }
    }

    async fn policy_named(&self, key: &KeyId, name: &str) -> PortResult<String> {
        let request = || self.kms.get_key_policy().key_id(key.as_str()).policy_name(name).send();
        let answer = self.gate.send(GET_POLICY, request).await?;
        answer.policy.ok_or_else(|| protocol(GET_POLICY.name, "the answer holds no policy"))
    }
}

/// Reads an entry of `ListAliases`; `None` for AWS's own.
fn alias(name: Option<&str>, target: Option<&str>) -> PortResult<Option<(AliasName, Option<KeyId>)>> {
    let wrong = |error: crate::ids::IdError| protocol(LIST_ALIASES.name, error);
    let name = name.ok_or_else(|| protocol(LIST_ALIASES.name, "an alias without a name"))?;
    if name.starts_with("alias/aws/") {
        return Ok(None);
    }
    let name: AliasName = name.parse().map_err(wrong)?;
    let key = match target.filter(|target| !target.is_empty()) {
        // Some servers give an ARN where AWS gives an id.
        Some(text) => match text.parse::<KeyArn>() {
            Ok(arn) => Some(arn.key_id()),
            Err(_) => Some(text.parse::<KeyId>().map_err(wrong)?),
        },
        None => None,
    };
    Ok(Some((name, key)))
}

fn days(given: Option<i32>) -> PortResult<Option<u16>> {
    given
        .map(|days| {
            u16::try_from(days).map_err(|_| {
                PortError::new(
                    PortErrorKind::Protocol,
                    GET_ROTATION.name,
                    format!("`{days}` is not a rotation period in days"),
                )
            })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_of_aws_are_left_out_and_odd_ones_named() {
        assert_eq!(alias(Some("alias/aws/s3"), Some("k")), Ok(None));
        let key: KeyId = "k".parse().unwrap();
        let name: AliasName = "alias/a".parse().unwrap();
        assert_eq!(alias(Some("alias/a"), Some("k")), Ok(Some((name.clone(), Some(key.clone())))));
        assert_eq!(
            alias(Some("alias/a"), Some("arn:aws:kms:eu-west-1:111122223333:key/k")),
            Ok(Some((name.clone(), Some(key))))
        );
        assert_eq!(alias(Some("alias/a"), None), Ok(Some((name, None))));
        assert!(alias(Some("alias/a b"), None).unwrap_err().message.contains("alias/a b"));
        assert!(days(Some(-1)).unwrap_err().message.contains("-1"));
    }
}
