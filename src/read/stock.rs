//! Reads what an inventory says of each key besides what questions about access need.

use super::ReadOptions;
use crate::ids::KeyId;
use crate::kms::KeyShape;
use crate::live::{KeyMetadata, LiveKey, LiveKeys, LiveRotations, LiveUsage, Observed};
use crate::ports::{KeyReader, PortError, PortResult};
use futures::stream::StreamExt as _;

/// Whether the last use of keys is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastUse {
    /// It is: a call a key.
    Asked,
    /// It is not.
    Left,
}

/// Reads the rotations of every key, and the last use where it is asked for; imported materials were read with the key.
///
/// Nothing is decided on these: a read that fails, for whatever reason, is kept as one that was denied, with what the
/// server said, and never fails the rest.
pub async fn read_stock<C: KeyReader + Sync>(
    connection: &C,
    keys: &mut LiveKeys,
    last_use: LastUse,
    options: &ReadOptions,
) {
    let reads: Vec<_> = keys.keys.iter().map(|key| (key.arn.key_id(), Needs::of(key, last_use))).collect();
    let reads = reads.into_iter().map(|(id, needs)| async move { needs.read(connection, &id).await });
    let read: Vec<Stock> = futures::stream::iter(reads).buffered(options.parallel.max(1)).collect().await;
    for (key, stock) in keys.keys.iter_mut().zip(read) {
        key.rotations = stock.rotations.or_else(|| key.rotations.take());
        key.last_usage = stock.last_usage.or_else(|| key.last_usage.take());
    }
}

/// What was read of one key.
struct Stock {
    rotations: Option<Observed<LiveRotations>>,
    last_usage: Option<Observed<LiveUsage>>,
}

/// What is read of one key.
#[derive(Debug, Clone, Copy)]
struct Needs {
    rotations: bool,
    last_usage: bool,
}

impl Needs {
    fn of(key: &LiveKey, last_use: LastUse) -> Self {
        let metadata = key.metadata.known();
        // Its price is nothing, whatever its history.
        let leaves = |metadata: &KeyMetadata| metadata.state.is_pending_deletion();
        let rotates = |metadata: &KeyMetadata| {
            KeyShape::new(metadata.spec, metadata.usage).with_origin(metadata.origin).rotates_automatically()
        };
        Self {
            rotations: key.rotations.is_none() && metadata.is_some_and(|found| rotates(found) && !leaves(found)),
            last_usage: key.last_usage.is_none() && last_use == LastUse::Asked,
        }
    }

    async fn read<C: KeyReader + Sync>(self, connection: &C, id: &KeyId) -> Stock {
        let (rotations, last_usage) = futures::join!(
            async { if self.rotations { Some(kept(connection.rotations(id).await)) } else { None } },
            async { if self.last_usage { Some(kept(connection.last_usage(id).await)) } else { None } },
        );
        Stock { rotations, last_usage }
    }
}

fn kept<T>(outcome: PortResult<T>) -> Observed<T> {
    match outcome {
        Ok(value) => Observed::Known(value),
        Err(PortError { call, message, .. }) => Observed::Denied { action: call, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::{KeySpec, Origin};
    use crate::live::{Backend, LiveMaterials};
    use crate::ports::PortErrorKind;
    use crate::ports::fake::{FakeAws, Strike, Which};
    use crate::read::every_key;

    const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

    fn fake() -> FakeAws {
        FakeAws::new("eu-west-1", "arn:aws:iam::111122223333:role/auditor")
    }

    async fn stocked(fake: &FakeAws, last_use: LastUse) -> LiveKeys {
        let options = ReadOptions::new(Backend::Sandbox);
        let read = every_key(fake, &"eu-west-1".parse().unwrap(), &options).await.unwrap();
        let mut keys = read.known().unwrap().clone();
        read_stock(fake, &mut keys, last_use, &options).await;
        keys
    }

    #[tokio::test]
    async fn only_keys_that_have_it_are_asked_for_it() {
        let fake = fake();
        fake.add_key(POLICY, &[], &[]);
        let [imported, mac] = [(); 2].map(|()| fake.add_key(POLICY, &[], &[]).key_id());
        {
            let mut state = fake.state();
            state.key(&imported).unwrap().metadata.origin = Origin::External;
            let metadata = &mut state.key(&mac).unwrap().metadata;
            (metadata.origin, metadata.spec) = (Origin::External, KeySpec::Hmac256);
        }
        let keys = stocked(&fake, LastUse::Left).await.keys;
        assert!(keys[0].rotations.is_some() && keys[0].materials.is_none());
        assert!(keys[1].rotations.is_none() && keys[1].materials.is_some());
        // KMS lists nothing of it.
        assert!(keys[2].rotations.is_none());
        assert_eq!(keys[2].materials, Some(Observed::Known(LiveMaterials::Untold)));
        assert_eq!((fake.count("kms:ListKeyRotations"), fake.count("kms:GetKeyLastUsage")), (2, 0));
        let keys = stocked(&fake, LastUse::Asked).await.keys;
        assert!(keys.iter().all(|key| key.last_usage.as_ref().unwrap().known().is_some()));
    }

    #[tokio::test]
    async fn what_fails_is_said_of_its_key_and_fails_nothing_else() {
        let fake = fake();
        fake.add_key(POLICY, &[], &[]);
        for kind in [PortErrorKind::Denied, PortErrorKind::Transient, PortErrorKind::NotSupported] {
            fake.fail("kms:GetKeyLastUsage", Which::Every, Strike::Before, kind);
            let keys = stocked(&fake, LastUse::Asked).await.keys;
            assert_eq!(keys[0].last_usage.as_ref().unwrap().denied(), Some("kms:GetKeyLastUsage"), "{kind:?}");
            assert!(keys[0].rotations.as_ref().unwrap().known().is_some());
            fake.heal();
        }
    }
}
