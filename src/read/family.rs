//! Looks in the other Regions for the keys of multi-Region families: a replica is known by its primary, whatever its tags.

use super::ReadOptions;
use super::error::{ReadError, about};
use super::key::read_key;
use super::life::complete_imported;
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredState, DesiredTarget, Topology};
use crate::ids::{AccountId, AliasName, KeyId, KeyName, Region, TargetName};
use crate::live::{LiveKey, LiveTarget};
use crate::ports::{KeyReader, PortResult};
use futures::stream::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};

/// Adds to what was read the keys that KMS says are in other targets too: replicas of our keys, and their primaries. A
/// run that was interrupted may have left them without a claim alias, and the tagging API may not know them yet.
///
/// A target in which such a key cannot be read is taken out, and the reason is returned.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_MultiRegionConfiguration.html>
pub async fn read_replicas<'c, C: KeyReader + Sync + 'c>(
    connection: impl Fn(&TargetName) -> Option<&'c C>,
    state: &DesiredState,
    targets: &mut BTreeMap<TargetName, LiveTarget>,
    options: &ReadOptions,
) -> Vec<ReadError> {
    let mut missing: Vec<(&DesiredTarget, KeyName, KeyId)> = Vec::new();
    for (account, name, id, regions) in families(state, targets, options) {
        let there = state.targets.iter().filter(|target| target.account == account && regions.contains(&target.region));
        let unread = there.filter(|target| targets.get(&target.name).is_some_and(|live| live.key(&id).is_none()));
        missing.extend(unread.map(|target| (target, name.clone(), id.clone())));
    }
    let reads = missing.iter().filter_map(|(target, name, id)| {
        let connection = connection(&target.name)?;
        Some(async move { (*target, read_relative(connection, target, (name, id), options).await) })
    });
    let read: Vec<_> = futures::stream::iter(reads).buffered(options.parallel.max(1)).collect().await;
    let mut errors = Vec::new();
    for (target, outcome) in read {
        match outcome {
            Ok(found) => {
                if let Some(live) = targets.get_mut(&target.name) {
                    live.keys.extend(found);
                    live.keys.sort_by_key(|key| key.arn.key_id());
                }
            }
            Err(error) => {
                targets.remove(&target.name);
                errors.push(ReadError::in_target(&target.name, about(error, "a key of a multi-Region family")));
            }
        }
    }
    errors
}

async fn read_relative<C: KeyReader + Sync>(
    connection: &C,
    target: &DesiredTarget,
    (name, id): (&KeyName, &KeyId),
    options: &ReadOptions,
) -> PortResult<Option<LiveKey>> {
    let mut found = read_key(connection, target, (id, None), options).await?;
    let declared = target.keys.iter().find(|key| key.name == *name);
    if let Some((live, key)) = found.as_mut().zip(declared) {
        complete_imported(connection, key, live).await?;
    }
    Ok(found)
}

/// Returns the families of our keys, each with its name and every Region that KMS lists.
fn families(
    state: &DesiredState,
    targets: &BTreeMap<TargetName, LiveTarget>,
    options: &ReadOptions,
) -> BTreeSet<(AccountId, KeyName, KeyId, BTreeSet<Region>)> {
    let names: BTreeSet<(&AccountId, &KeyName)> = state
        .targets
        .iter()
        .flat_map(|target| target.keys.iter().map(move |key| (&target.account, key)))
        .filter(|(_, key)| key.topology != Topology::Single && options.wants(&key.name))
        .map(|(account, key)| (account, &key.name))
        .collect();
    let mut found = BTreeSet::new();
    for live in targets.values() {
        for (account, name) in names.iter().filter(|(account, _)| **account == live.account) {
            let claimed = live.aliases.get(&AliasName::claim(&state.stack, name)).cloned().flatten();
            let keys = live.keys.iter().filter(|key| claimed == Some(key.arn.key_id()) || is_tagged(state, name, key));
            found.extend(keys.filter_map(|key| {
                let metadata = key.metadata.known().filter(|metadata| metadata.multi_region)?;
                let mut regions = metadata.replica_regions.clone();
                regions.extend(metadata.primary_region.clone());
                Some(((*account).clone(), (*name).clone(), key.arn.key_id(), regions))
            }));
        }
    }
    found
}

fn is_tagged(state: &DesiredState, name: &KeyName, key: &LiveKey) -> bool {
    let Some(tags) = key.tags.known() else { return false };
    let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
    is(TAG_STACK, state.stack.as_str()) && is(TAG_KEY, name.as_str()) && is(TAG_OWNER, state.owner.as_str())
}
