//! Reads the live state of targets and accounts, with bounded concurrency; what may not be read stays marked so.

mod account;
mod caller;
mod error;
mod family;
mod find;
mod inventory;
mod key;
mod life;
mod named;

#[cfg(test)]
mod tests;

pub use account::read_account;
pub use error::ReadError;
pub use family::read_replicas;
pub use inventory::{every_key, read_identities, read_ram_policies};
pub use life::read_rotations;
pub use named::{KeyNameError, key_named};

use crate::desired::{DesiredState, DesiredTarget};
use crate::ids::KeyName;
use crate::live::{Backend, LiveKey, LiveTarget, Unreadable};
use crate::ports::{CallerReader, IdentityPolicyReader, KeyReader, PortError, PortErrorKind};
use find::Candidates;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How to read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// How many keys or roles are read at once.
    pub parallel: usize,
    /// Only these keys of the manifest; `None`: all.
    pub only_keys: Option<BTreeSet<KeyName>>,
    /// What answers.
    pub backend: Backend,
    /// How long to wait before a key that was just listed, and is not found, is asked for again; it doubles.
    pub settle: Duration,
}

impl ReadOptions {
    /// Returns the options for reading everything.
    pub fn new(backend: Backend) -> Self {
        Self { parallel: 8, only_keys: None, backend, settle: Duration::from_millis(250) }
    }

    /// Returns whether a key of the manifest is asked for.
    fn wants(&self, key: &KeyName) -> bool {
        self.only_keys.as_ref().is_none_or(|only| only.contains(key))
    }
}

/// Reads a target: every key that has our stack tag, or stands behind a claim alias of our stack or a declared alias.
///
/// The first thing that is read is the caller: a target is never read, let alone written, in another account than its
/// own. A read that is denied is kept as such; any other failure fails the whole, since a plan on half the truth is a
/// wrong plan. A key takes at most five calls; one more where it is retired, where its material must be newer than a day,
/// or where its material is imported, and two more where a new one may come.
pub async fn read_target<C: CallerReader + KeyReader + IdentityPolicyReader + Sync>(
    connection: &C,
    desired: &DesiredTarget,
    state: &DesiredState,
    options: &ReadOptions,
) -> Result<LiveTarget, ReadError> {
    let in_target = |error: PortError| ReadError::in_target(&desired.name, error);
    let caller = connection.caller().await.map_err(in_target)?;
    if caller.account != desired.account {
        return Err(ReadError::WrongAccount {
            target: desired.name.clone(),
            expected: desired.account.clone(),
            actual: caller.account,
            caller: Box::new(caller.arn),
            loc: desired.loc,
        });
    }
    let caller_policies = caller::read_policies(connection, &caller, desired, options).await.map_err(in_target)?;
    let mut unreadable = Vec::new();
    let aliases = denied_or(connection.list_aliases().await, "the aliases of the Region", &mut unreadable)
        .map_err(in_target)?
        .unwrap_or_default();
    let candidates =
        Candidates::find(connection, (desired, state), options, &aliases, &mut unreadable).await.map_err(in_target)?;
    let key_count = match candidates.listed {
        Some(count) => Some(count),
        None => key_count(connection).await,
    };
    let reads =
        candidates.keys.iter().map(|(id, tags)| key::read_key(connection, desired, (id, tags.as_ref()), options));
    let keys: Vec<Option<LiveKey>> = futures::stream::iter(reads)
        .buffer_unordered(options.parallel.max(1))
        .try_collect()
        .await
        .map_err(in_target)?;
    let mut keys: Vec<LiveKey> = keys.into_iter().flatten().collect();
    keys.sort_by_key(|key| key.arn.key_id());
    let mut live = LiveTarget {
        backend: options.backend,
        account: desired.account.clone(),
        region: desired.region.clone(),
        caller,
        caller_policies,
        keys,
        aliases,
        unreadable,
        stores: BTreeMap::new(),
        key_count,
    };
    life::complete(connection, (desired, state), options, &mut live).await.map_err(in_target)?;
    Ok(live)
}

/// Returns how many keys the Region holds. Nothing but a remark depends on it, so that any failure is none.
async fn key_count<C: KeyReader + Sync>(connection: &C) -> Option<usize> {
    let counted = connection.list_keys().await;
    if let Err(error) = &counted {
        tracing::info!(%error, "the keys of the Region were not counted");
    }
    counted.ok().map(|keys| keys.len())
}

/// Returns what was read; takes note of a read that was denied.
fn denied_or<T>(
    outcome: Result<T, PortError>,
    what: &str,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Option<T>, PortError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == PortErrorKind::Denied => {
            unreadable.push(Unreadable { what: what.to_owned(), action: error.call, message: error.message });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
