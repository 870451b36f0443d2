//! Finds the keys of a target that keywright has to look at.

use super::{ReadOptions, denied_or};
use crate::desired::tags::{TAG_KEY, TAG_STACK};
use crate::desired::{Adoption, DesiredKey, DesiredState, DesiredTarget};
use crate::ids::{AliasName, KeyArn, KeyId, KeyName, StackName};
use crate::live::Unreadable;
use crate::ports::{KeyReader, PortError, PortErrorKind};
use futures::stream::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeMap;

/// The tags of keys, by key.
type Tagged = BTreeMap<KeyId, BTreeMap<String, String>>;

/// The keys to look at, with their tags where those are known already.
pub(super) struct Candidates {
    pub(super) keys: BTreeMap<KeyId, Option<BTreeMap<String, String>>>,
    /// How many keys the Region has, where they were listed to find ours.
    pub(super) listed: Option<usize>,
}

impl Candidates {
    /// Finds the keys with our stack tag, those behind claim aliases of our stack and declared aliases, and those that
    /// are adopted.
    pub(super) async fn find<C: KeyReader + Sync>(
        connection: &C,
        (desired, state): (&DesiredTarget, &DesiredState),
        options: &ReadOptions,
        aliases: &BTreeMap<AliasName, Option<KeyId>>,
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<Self, PortError> {
        let (tagged, listed) = tagged(connection, &state.stack, options, unreadable).await?;
        let mut keys: BTreeMap<_, _> = tagged
            .into_iter()
            .filter(|(_, tags)| wanted_by_tag(tags, desired, options))
            .map(|(id, tags)| (id, Some(tags)))
            .collect();
        for (alias, id) in aliases {
            if let Some(id) = id
                && wanted_by_alias(alias, desired, &state.stack, options)
            {
                // The tagging API lags: a key that it does not give has tags all the same.
                keys.entry(id.clone()).or_default();
            }
        }
        let adopted = desired.keys.iter().filter(|key| options.wants(&key.name)).filter_map(adopted_by_arn);
        for arn in
            adopted.filter(|arn| (arn.account(), arn.region()) == (desired.account.clone(), desired.region.clone()))
        {
            keys.entry(arn.key_id()).or_default();
        }
        Ok(Self { keys, listed })
    }
}

fn adopted_by_arn(key: &DesiredKey) -> Option<&KeyArn> {
    key.adopt.as_ref().and_then(|adopt| if let Adoption::Key(arn) = &adopt.value { Some(arn) } else { None })
}

/// Returns whether a name is, or was, that of a key that is asked for.
fn wants_name(name: &KeyName, desired: &DesiredTarget, options: &ReadOptions) -> bool {
    let was = |key: &DesiredKey| key.moved_from.as_ref().is_some_and(|old| old.value == *name);
    options.wants(name) || desired.keys.iter().any(|key| was(key) && options.wants(&key.name))
}

/// Strays have no key tag; they are looked at whenever everything is.
fn wanted_by_tag(tags: &BTreeMap<String, String>, desired: &DesiredTarget, options: &ReadOptions) -> bool {
    match tags.get(TAG_KEY).and_then(|name| name.parse::<KeyName>().ok()) {
        Some(name) => wants_name(&name, desired, options),
        None => options.only_keys.is_none(),
    }
}

fn wanted_by_alias(alias: &AliasName, desired: &DesiredTarget, stack: &StackName, options: &ReadOptions) -> bool {
    let claimed = alias.as_str().strip_prefix(&format!("alias/keywright/{stack}/"));
    let claimed = claimed.is_some_and(|name| match name.parse::<KeyName>() {
        Ok(name) => wants_name(&name, desired, options),
        Err(_) => options.only_keys.is_none(),
    });
    let mut declaring = desired.keys.iter().filter(|key| options.wants(&key.name));
    let adopts = |key: &DesiredKey| {
        key.adopt.as_ref().is_some_and(|adopt| matches!(&adopt.value, Adoption::Alias(adopted) if adopted == alias))
    };
    claimed || declaring.any(|key| key.aliases.iter().any(|declared| declared.value == *alias) || adopts(key))
}

/// Returns the keys with our stack tag: from the tagging API, or key by key where that may not or cannot be asked, and
/// then how many keys there are.
async fn tagged<C: KeyReader + Sync>(
    connection: &C,
    stack: &StackName,
    options: &ReadOptions,
    unreadable: &mut Vec<Unreadable>,
) -> Result<(Tagged, Option<usize>), PortError> {
    let refusal = match connection.keys_tagged(TAG_STACK, stack.as_str()).await {
        Ok(keys) => return Ok((keys.into_iter().map(|(arn, tags)| (arn.key_id(), tags)).collect(), None)),
        Err(error) if matches!(error.kind, PortErrorKind::Denied | PortErrorKind::NotSupported) => error,
        Err(error) => return Err(error),
    };
    let what = format!("the keys with the tag {TAG_STACK}={stack}");
    let Some(keys) = denied_or(connection.list_keys().await, &what, unreadable)? else {
        let (action, message) = (refusal.call, refusal.message);
        unreadable.push(Unreadable { what, action, message });
        return Ok((Tagged::new(), None));
    };
    let reads = keys.iter().map(|arn| tags_of(connection, arn));
    let found: Vec<Option<_>> =
        futures::stream::iter(reads).buffer_unordered(options.parallel.max(1)).try_collect().await?;
    let ours = |tags: &BTreeMap<String, String>| tags.get(TAG_STACK).is_some_and(|value| value == stack.as_str());
    Ok((found.into_iter().flatten().filter(|(_, tags)| ours(tags)).collect(), Some(keys.len())))
}

/// Returns a key's tags; `None` for a key that does not let its tags be read, or is gone.
///
/// Without its tags a key is ours only by its claim alias, and is looked at then in any case.
async fn tags_of<C: KeyReader + Sync>(
    connection: &C,
    arn: &KeyArn,
) -> Result<Option<(KeyId, BTreeMap<String, String>)>, PortError> {
    let id = arn.key_id();
    match connection.key_tags(&id).await {
        Ok(tags) => Ok(Some((id, tags))),
        Err(error) if matches!(error.kind, PortErrorKind::Denied | PortErrorKind::NotFound) => {
            tracing::info!(key = %id, kind = ?error.kind, "the tags of a key were not read");
            Ok(None)
        }
        Err(error) => Err(super::error::about(error, format_args!("key {id}"))),
    }
}
