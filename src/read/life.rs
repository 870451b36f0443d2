//! Reads of a key's life that only some keys need: imported materials, rotations, the last use, the key store, and who
//! may delete.

use super::error::{ReadError, about};
use super::key::observed;
use super::{ReadOptions, caller};
use crate::desired::tags::{TAG_KEY, TAG_RETIRED, TAG_STACK};
use crate::desired::{
    Delegation, DesiredKey, DesiredState, DesiredTarget, Import, KeyLifecycle, KeyMaterial, KeyStore, Topology,
};
use crate::ids::{AliasName, KeyId, KeyName, KeyStoreId};
use crate::kms::{KeyShape, KeySpec, Origin};
use crate::live::{LiveKey, LiveKeyStore, LiveMaterials, LiveRotations, LiveTarget, LiveUsage, Observed};
use crate::ports::{IdentityPolicyReader, KeyReader, PortError, PortErrorKind, PortResult};
use futures::stream::{StreamExt as _, TryStreamExt as _};
use std::collections::{BTreeMap, BTreeSet};

/// Reads the history of rotations of the keys of these names too, which `rotate` needs of each.
///
/// # Errors
/// Where a call fails; one that is denied is kept as such.
pub async fn read_rotations<C: KeyReader + Sync>(
    connection: &C,
    state: &DesiredState,
    names: &BTreeSet<KeyName>,
    live: &mut LiveTarget,
) -> Result<(), ReadError> {
    for name in names {
        let Some(id) = id_of(name, state, live) else { continue };
        let Some(key) = live.keys.iter_mut().find(|key| key.arn.key_id() == id) else { continue };
        if key.rotations.is_none() && rotates_on_demand(key) {
            key.rotations = rotations(connection, &id).await.map_err(ReadError::Port)?;
        }
    }
    Ok(())
}

/// Returns the key that a name means: that behind its claim alias, or that with its tags.
fn id_of(name: &KeyName, state: &DesiredState, live: &LiveTarget) -> Option<KeyId> {
    if let Some(id) = live.aliases.get(&AliasName::claim(&state.stack, name)) {
        return id.clone();
    }
    let is = |tags: &BTreeMap<String, String>, tag: &str, value: &str| tags.get(tag).is_some_and(|is| is == value);
    let tagged = live.keys.iter().find(|key| {
        let tags = key.tags.known();
        tags.is_some_and(|tags| is(tags, TAG_STACK, state.stack.as_str()) && is(tags, TAG_KEY, name.as_str()))
    });
    tagged.map(|key| key.arn.key_id())
}

fn rotates_on_demand(key: &LiveKey) -> bool {
    key.metadata.known().is_some_and(|metadata| {
        KeyShape::new(metadata.spec, metadata.usage).with_origin(metadata.origin).rotates_on_demand()
    })
}

/// Completes what was read of a target's keys: no key is asked for more than what the manifest says of it needs.
pub(super) async fn complete<C: KeyReader + IdentityPolicyReader + Sync>(
    connection: &C,
    (desired, state): (&DesiredTarget, &DesiredState),
    options: &ReadOptions,
    live: &mut LiveTarget,
) -> PortResult<()> {
    let wanted: Vec<&DesiredKey> = desired.keys.iter().filter(|key| options.wants(&key.name)).collect();
    live.stores = read_stores(connection, &wanted).await?;
    let mut needs: BTreeMap<KeyId, Needs> = BTreeMap::new();
    for key in &wanted {
        let found = id_of(&key.name, state, live).and_then(|id| live.key(&id));
        needs.extend(found.and_then(|found| Some((found.arn.key_id(), Needs::of(key, found)?))));
    }
    if live.caller_policies.is_none() && needs.values().any(|needs| needs.iam) {
        live.caller_policies = Some(caller::read_own(connection, &live.caller).await?);
    }
    let reads = needs.into_iter().map(|(id, needs)| read_life(connection, id, needs));
    let read: Vec<Life> = futures::stream::iter(reads).buffered(options.parallel.max(1)).try_collect().await?;
    for life in read {
        if let Some(key) = live.keys.iter_mut().find(|key| key.arn.key_id() == life.id) {
            key.materials = life.materials;
            key.rotations = life.rotations;
            key.last_usage = life.last_usage;
        }
    }
    Ok(())
}

/// Completes what was read of one key of a target with its imported materials, where it has any, and what their rotation
/// needs.
pub(super) async fn complete_imported<C: KeyReader + Sync>(
    connection: &C,
    desired: &DesiredKey,
    live: &mut LiveKey,
) -> PortResult<()> {
    let Some(needs) = Needs::of(desired, live) else { return Ok(()) };
    let needs = Needs { last_usage: false, ..needs };
    let found = read_life(connection, live.arn.key_id(), needs).await?;
    live.materials = found.materials;
    live.rotations = found.rotations;
    Ok(())
}

/// Reads the imported materials of a key; `None` for a key that has none, or of which that is not known.
pub(super) async fn imported<C: KeyReader + Sync>(
    connection: &C,
    live: &LiveKey,
) -> PortResult<Option<Observed<LiveMaterials>>> {
    match MaterialRead::of(live) {
        Some(read) => materials(connection, &live.arn.key_id(), read).await.map(Some),
        None => Ok(None),
    }
}

/// How the materials of a key are learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MaterialRead {
    /// KMS lists them.
    Listed,
    /// KMS lists those of symmetric encryption keys alone: no call would tell.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html>
    Untold,
}

impl MaterialRead {
    fn of(live: &LiveKey) -> Option<Self> {
        let metadata = live.metadata.known().filter(|metadata| metadata.origin == Origin::External)?;
        Some(if metadata.spec == KeySpec::SymmetricDefault { Self::Listed } else { Self::Untold })
    }
}

/// What is read of one key besides the usual.
#[derive(Debug, Clone, Copy)]
struct Needs<'d> {
    materials: Option<MaterialRead>,
    /// How its materials come in, where a new one is taken into use by a rotation.
    takes: Option<&'d Import>,
    rotations: bool,
    last_usage: bool,
    /// What the caller's IAM policies say, since its deletion may come up and hangs on them.
    iam: bool,
}

impl<'d> Needs<'d> {
    /// Returns what a key needs; `None` for nothing.
    fn of(key: &'d DesiredKey, live: &LiveKey) -> Option<Self> {
        let retired = key.lifecycle == KeyLifecycle::Retired;
        let dated = matches!(key.material, KeyMaterial::Symmetric { newer_than: Some(_), .. });
        let pending = live.metadata.known().is_some_and(|metadata| metadata.state.is_pending_deletion());
        let rests = retired && !pending && live.tags.known().is_some_and(|tags| tags.contains_key(TAG_RETIRED));
        let deletes = rests || (pending && !retired);
        let replica = matches!(key.topology, Topology::Replica { .. });
        let needs = Self {
            materials: MaterialRead::of(live),
            takes: key.import().filter(|_| !retired && !replica && rotates_on_demand(live)),
            rotations: dated && !retired && rotates_on_demand(live),
            last_usage: rests,
            iam: deletes && key.delegation == Delegation::Account,
        };
        (needs.materials.is_some() || needs.rotations || needs.last_usage || needs.iam).then_some(needs)
    }
}

struct Life {
    id: KeyId,
    materials: Option<Observed<LiveMaterials>>,
    rotations: Option<Observed<LiveRotations>>,
    last_usage: Option<Observed<LiveUsage>>,
}

async fn read_life<C: KeyReader + Sync>(connection: &C, id: KeyId, needs: Needs<'_>) -> PortResult<Life> {
    let materials = match needs.materials {
        Some(read) => Some(materials(connection, &id, read).await?),
        None => None,
    };
    let comes = needs.takes.zip(materials.as_ref().and_then(Observed::known));
    let rotates = needs.rotations || comes.is_some_and(|(import, live)| may_rotate(import, live));
    let rotations = if rotates { rotations(connection, &id).await? } else { None };
    let last_usage = if needs.last_usage { last_usage(connection, &id).await } else { None };
    Ok(Life { id, materials, rotations, last_usage })
}

/// Returns whether a plan may rotate a key into a new material: one that waits for it, or one that is not there under
/// its name. The first material of a key needs no rotation.
fn may_rotate(import: &Import, live: &LiveMaterials) -> bool {
    let LiveMaterials::Listed(live) = live else { return false };
    let waits = live.iter().any(|material| !material.standing.is_in_use());
    let is_there = |name: &str| live.iter().any(|material| material.description.as_deref() == Some(name));
    let first = live.is_empty() && import.materials.len() <= 1;
    waits || (!first && import.materials.iter().any(|material| !is_there(material.name.as_str())))
}

async fn materials<C: KeyReader + Sync>(
    connection: &C,
    id: &KeyId,
    read: MaterialRead,
) -> PortResult<Observed<LiveMaterials>> {
    match read {
        MaterialRead::Untold => Ok(Observed::Known(LiveMaterials::Untold)),
        MaterialRead::Listed => {
            observed(connection.materials(id).await).map_err(|error| about(error, format_args!("key {id}")))
        }
    }
}

async fn rotations<C: KeyReader + Sync>(connection: &C, id: &KeyId) -> PortResult<Option<Observed<LiveRotations>>> {
    let outcome = connection.rotations(id).await.map_err(|error| {
        // A server without the call tells as little as one that refuses it.
        let kind = if error.kind == PortErrorKind::NotSupported { PortErrorKind::Denied } else { error.kind };
        PortError { kind, ..error }
    });
    observed(outcome).map(Some).map_err(|error| about(error, format_args!("key {id}")))
}

/// Nothing that is compared depends on the last use, so that a server which cannot tell it is no failure: it is said.
async fn last_usage<C: KeyReader + Sync>(connection: &C, id: &KeyId) -> Option<Observed<LiveUsage>> {
    match connection.last_usage(id).await {
        Ok(usage) => Some(Observed::Known(usage)),
        Err(error) if error.kind == PortErrorKind::Denied => {
            Some(Observed::Denied { action: error.call, message: error.message })
        }
        Err(error) => {
            tracing::warn!(key = %id, %error, "the last use of a key was not read");
            None
        }
    }
}

async fn read_stores<C: KeyReader + Sync>(
    connection: &C,
    wanted: &[&DesiredKey],
) -> PortResult<BTreeMap<KeyStoreId, Observed<Option<LiveKeyStore>>>> {
    let ids: BTreeSet<&KeyStoreId> = wanted.iter().filter_map(|key| key.key_store()).map(KeyStore::id).collect();
    let mut stores = BTreeMap::new();
    for id in ids {
        let store = observed(connection.key_store(id).await)
            .map_err(|error| about(error, format_args!("custom key store {id}")))?;
        stores.insert(id.clone(), store);
    }
    Ok(stores)
}
