//! Reads one key, part by part.

use super::ReadOptions;
use super::error::about;
use crate::desired::DesiredTarget;
use crate::ids::{KeyArn, KeyId};
use crate::kms::KeyShape;
use crate::live::{KeyMetadata, LiveKey, LivePolicy, LiveRotation, Observed};
use crate::policy::PolicyDocument;
use crate::ports::{KeyReader, PortError, PortErrorKind, PortResult};
use std::collections::BTreeMap;

/// How often a key that was just listed is asked for.
const TRIES: u32 = 4;

/// Reads a key; `None` for one that was listed a moment ago and is gone.
pub(super) async fn read_key<C: KeyReader + Sync>(
    connection: &C,
    target: &DesiredTarget,
    (id, tags): (&KeyId, Option<&BTreeMap<String, String>>),
    options: &ReadOptions,
) -> PortResult<Option<LiveKey>> {
    let named = |error: PortError| about(error, format_args!("key {id}"));
    let Some(described) = settled(connection, id, options).await.map_err(named)? else {
        tracing::warn!(key = %id, "a key that an alias or tag led to does not exist (yet, or any more)");
        return Ok(None);
    };
    let (arn, metadata) = match described {
        Observed::Known((arn, metadata)) => (arn, Observed::Known(metadata)),
        Observed::Denied { action, message } => {
            // The target's account is the caller's, and aliases and tags lead to no key of another.
            let arn = KeyArn::new(target.region.partition(), &target.region, &target.account, id);
            (arn, Observed::Denied { action, message })
        }
    };
    read_parts(connection, (arn, metadata), tags).await.map(Some).map_err(named)
}

/// Reads the other parts of a key that was described, but for its second policy; its tags only where they are not
/// known already.
pub(super) async fn read_parts<C: KeyReader + Sync>(
    connection: &C,
    (arn, metadata): (KeyArn, Observed<KeyMetadata>),
    tags: Option<&BTreeMap<String, String>>,
) -> PortResult<LiveKey> {
    let id = &arn.key_id();
    let rotates = metadata.known().is_none_or(can_rotate);
    let (policy, rotation, grants, tags) = futures::try_join!(
        async { observed(connection.key_policy(id).await) },
        async {
            if rotates { observed(connection.rotation(id).await) } else { Ok(Observed::Known(LiveRotation::Off)) }
        },
        async { observed(connection.grants(id).await) },
        async {
            match tags {
                Some(tags) => Ok(Observed::Known(tags.clone())),
                None => observed(connection.key_tags(id).await),
            }
        },
    )?;
    Ok(LiveKey {
        arn,
        metadata,
        policy: parsed(policy)?,
        ram_policy: None,
        tags,
        rotation,
        grants,
        rotations: None,
        materials: None,
        last_usage: None,
    })
}

/// Asks for a key until it is there: KMS is eventually consistent, and an alias may be seen before its key.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency>
pub(super) async fn settled<C: KeyReader + Sync>(
    connection: &C,
    id: &KeyId,
    options: &ReadOptions,
) -> PortResult<Option<Observed<(KeyArn, KeyMetadata)>>> {
    let mut wait = options.settle;
    for _ in 1..TRIES {
        match connection.describe_key(id).await {
            Err(error) if error.kind == PortErrorKind::NotFound => tokio::time::sleep(wait).await,
            outcome => return observed(outcome).map(Some),
        }
        wait = wait.saturating_mul(2);
    }
    match connection.describe_key(id).await {
        Err(error) if error.kind == PortErrorKind::NotFound => Ok(None),
        outcome => observed(outcome).map(Some),
    }
}

fn can_rotate(key: &KeyMetadata) -> bool {
    KeyShape::new(key.spec, key.usage).with_origin(key.origin).rotates_automatically()
}

/// Keeps a denied read as such; any other failure is one.
pub(super) fn observed<T>(outcome: PortResult<T>) -> PortResult<Observed<T>> {
    match outcome {
        Ok(value) => Ok(Observed::Known(value)),
        Err(error) if error.kind == PortErrorKind::Denied => {
            Ok(Observed::Denied { action: error.call, message: error.message })
        }
        Err(error) => Err(error),
    }
}

pub(super) fn parsed(text: Observed<String>) -> PortResult<Observed<LivePolicy>> {
    match text {
        Observed::Known(text) => {
            let document = PolicyDocument::parse(&text).map_err(|error| {
                let message = format!("the key policy is none: {error}");
                PortError::new(PortErrorKind::Protocol, "kms:GetKeyPolicy", message)
            })?;
            Ok(Observed::Known(LivePolicy { text, document }))
        }
        Observed::Denied { action, message } => Ok(Observed::Denied { action, message }),
    }
}
