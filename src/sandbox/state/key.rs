//! Keys of every kind as they are remembered, and the state that follows from it.

use crate::ids::KeyArn;
use crate::kms::{KeyShape, KeySpec, KeyState, KeyUsage, Origin};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A KMS key.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Key {
    pub(in crate::sandbox) arn: KeyArn,
    pub(in crate::sandbox) created: Timestamp,
    pub(in crate::sandbox) description: String,
    pub(in crate::sandbox) spec: KeySpec,
    pub(in crate::sandbox) usage: KeyUsage,
    pub(in crate::sandbox) origin: Origin,
    /// What a multi-Region key is to its relatives.
    pub(in crate::sandbox) multi_region: Option<MultiRegion>,
    /// The id of the custom key store that holds it.
    pub(in crate::sandbox) store: Option<String>,
    /// The id of an external key, in an external key store.
    pub(in crate::sandbox) xks_key_id: Option<String>,
    pub(in crate::sandbox) enabled: bool,
    pub(in crate::sandbox) deletion: Option<Deletion>,
    /// What still happens to the key.
    pub(in crate::sandbox) transition: Option<Transition>,
    pub(in crate::sandbox) policy: String,
    pub(in crate::sandbox) tags: BTreeMap<String, String>,
    pub(in crate::sandbox) rotation: Option<Rotation>,
    /// In the order in which they came into use; those that wait for their use stand last.
    pub(in crate::sandbox) materials: Vec<Material>,
    pub(in crate::sandbox) grants: Vec<Grant>,
    pub(in crate::sandbox) last_use: Option<LastUse>,
    pub(in crate::sandbox) aws_managed: bool,
}

/// What a multi-Region key is to its relatives.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum MultiRegion {
    /// The primary, which knows its replicas.
    Primary { replicas: Vec<KeyArn> },
    /// A replica.
    Replica { primary: KeyArn },
}

/// A deletion that is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum Deletion {
    /// At that time.
    At(Timestamp),
    /// So many days after the last replica is gone.
    AfterReplicas { window_days: i64 },
}

/// What takes a while.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum Transition {
    /// A replica that is being made.
    Creating { until: Timestamp },
    /// A multi-Region key whose primary is being moved.
    Updating { until: Timestamp },
}

/// Automatic rotation.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Rotation {
    pub(in crate::sandbox) period_days: i64,
    pub(in crate::sandbox) next: Timestamp,
}

/// How key material came to be.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum MaterialOrigin {
    Creation,
    Automatic,
    OnDemand,
}

/// Whether key material is in use. Of the materials in use the last one encrypts, the others decrypt.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum MaterialStanding {
    /// It encrypts, or once did.
    InUse,
    /// It waits for a rotation on demand.
    PendingRotation,
    /// The same, and not every replica has it yet.
    PendingMultiRegionImportAndRotation,
}

/// Key material of one id.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Material {
    pub(in crate::sandbox) id: String,
    /// Its bytes as hexadecimal digits: PKCS#8 of RSA and elliptic-curve keys, the seed of ML-DSA (32 bytes) and ML-KEM
    /// (64 bytes) keys, otherwise the secret itself. `None` once imported material has expired or was deleted.
    pub(in crate::sandbox) hex: Option<String>,
    pub(in crate::sandbox) since: Timestamp,
    pub(in crate::sandbox) origin: MaterialOrigin,
    pub(in crate::sandbox) standing: MaterialStanding,
    /// What was said at the import.
    pub(in crate::sandbox) imported: Option<Imported>,
}

/// What was said when material was imported.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Imported {
    pub(in crate::sandbox) expiration: ExpirationModel,
    pub(in crate::sandbox) description: Option<String>,
}

/// Whether imported material expires.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum ExpirationModel {
    /// `KEY_MATERIAL_EXPIRES`.
    Expires { valid_to: Timestamp },
    /// `KEY_MATERIAL_DOES_NOT_EXPIRE`.
    DoesNotExpire,
}

/// The last cryptographic use of a key.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct LastUse {
    pub(in crate::sandbox) operation: String,
    pub(in crate::sandbox) at: Timestamp,
    pub(in crate::sandbox) request_id: String,
}

/// A grant.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Grant {
    pub(in crate::sandbox) id: String,
    pub(in crate::sandbox) token: String,
    pub(in crate::sandbox) name: Option<String>,
    pub(in crate::sandbox) created: Timestamp,
    pub(in crate::sandbox) issuing_account: String,
    pub(in crate::sandbox) grantee: Option<String>,
    pub(in crate::sandbox) grantee_service: Option<String>,
    pub(in crate::sandbox) retiring: Option<String>,
    pub(in crate::sandbox) retiring_service: Option<String>,
    pub(in crate::sandbox) operations: Vec<String>,
    pub(in crate::sandbox) equals: Option<BTreeMap<String, String>>,
    pub(in crate::sandbox) subset: Option<BTreeMap<String, String>>,
    pub(in crate::sandbox) source_arn: Option<String>,
}

/// Whether the store of a key can be reached; keys outside custom key stores always can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum StoreLink {
    Connected,
    Cut,
}

impl Transition {
    /// Returns the state until the transition ends.
    fn state(self, now: Timestamp) -> Option<KeyState> {
        match self {
            Self::Creating { until } => (now < until).then_some(KeyState::Creating),
            Self::Updating { until } => (now < until).then_some(KeyState::Updating),
        }
    }
}

impl ExpirationModel {
    /// Returns AWS's name.
    pub(in crate::sandbox) fn name(self) -> &'static str {
        match self {
            Self::Expires { .. } => "KEY_MATERIAL_EXPIRES",
            Self::DoesNotExpire => "KEY_MATERIAL_DOES_NOT_EXPIRE",
        }
    }

    /// Returns when the material expires.
    pub(in crate::sandbox) fn valid_to(self) -> Option<Timestamp> {
        match self {
            Self::Expires { valid_to } => Some(valid_to),
            Self::DoesNotExpire => None,
        }
    }
}

impl Material {
    /// Returns the bytes, if they are there.
    pub(in crate::sandbox) fn bytes(&self) -> Option<Vec<u8>> {
        hex::decode(self.hex.as_ref()?).ok()
    }
}

impl Key {
    /// Returns what the key is, as far as its legal actions depend on it.
    pub(in crate::sandbox) fn shape(&self) -> KeyShape {
        let shape = KeyShape::new(self.spec, self.usage).with_origin(self.origin);
        if self.multi_region.is_some() { shape.in_many_regions() } else { shape }
    }

    /// Returns the key's state. A scheduled deletion hides everything else.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
    pub(in crate::sandbox) fn state(&self, now: Timestamp, store: StoreLink) -> KeyState {
        match self.deletion {
            Some(Deletion::At(_)) => return KeyState::PendingDeletion,
            Some(Deletion::AfterReplicas { .. }) => return KeyState::PendingReplicaDeletion,
            None => {}
        }
        if let Some(state) = self.transition.and_then(|transition| transition.state(now)) {
            return state;
        }
        match (self.lacks_material(), store, self.enabled) {
            (true, _, _) => KeyState::PendingImport,
            (false, StoreLink::Cut, _) => KeyState::Unavailable,
            (false, StoreLink::Connected, true) => KeyState::Enabled,
            (false, StoreLink::Connected, false) => KeyState::Disabled,
        }
    }

    /// Returns whether material has to be imported before the key can be used: all that is in use must be there.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-managing.html>
    fn lacks_material(&self) -> bool {
        let mut in_use = self.materials_in_use().peekable();
        self.origin == Origin::External && (in_use.peek().is_none() || in_use.any(|material| material.hex.is_none()))
    }

    /// Returns the materials that encrypt or once did, oldest first.
    pub(in crate::sandbox) fn materials_in_use(&self) -> impl DoubleEndedIterator<Item = &Material> {
        self.materials.iter().filter(|material| material.standing == MaterialStanding::InUse)
    }

    /// Returns the material that encrypts, signs and so on.
    pub(in crate::sandbox) fn current_material(&self) -> Option<&Material> {
        self.materials_in_use().next_back()
    }

    /// Returns the id of the current material where AWS tells it: of symmetric encryption keys outside custom key stores.
    pub(in crate::sandbox) fn current_material_id(&self) -> Option<&str> {
        let told = self.shape().rotates_on_demand();
        self.current_material().filter(|_| told).map(|material| material.id.as_str())
    }

    /// Returns when the first material in use expires, if any does.
    pub(in crate::sandbox) fn expiration(&self) -> Option<ExpirationModel> {
        let models = self.materials_in_use().filter(|material| material.hex.is_some());
        let models = models.filter_map(|material| material.imported.as_ref()).map(|imported| imported.expiration);
        // Material that does not expire sorts after all that does.
        models.min_by_key(|model| model.valid_to().unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material(hex: Option<&str>, standing: MaterialStanding) -> Material {
        Material {
            id: "m".to_owned(),
            hex: hex.map(str::to_owned),
            since: Timestamp::UNIX_EPOCH,
            origin: MaterialOrigin::Creation,
            standing,
            imported: None,
        }
    }

    fn key() -> Key {
        Key {
            arn: "arn:aws:kms:eu-west-1:111122223333:key/k".parse().unwrap(),
            created: Timestamp::UNIX_EPOCH,
            description: String::new(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            multi_region: None,
            store: None,
            xks_key_id: None,
            enabled: true,
            deletion: None,
            transition: None,
            policy: String::new(),
            tags: BTreeMap::new(),
            rotation: None,
            materials: vec![material(Some("00"), MaterialStanding::InUse)],
            grants: Vec::new(),
            last_use: None,
            aws_managed: false,
        }
    }

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[test]
    fn the_state_follows_from_what_is_remembered() {
        let state = |change: fn(&mut Key), store| {
            let mut key = key();
            change(&mut key);
            key.state(now(), store)
        };
        assert_eq!(state(|_| (), StoreLink::Connected), KeyState::Enabled);
        assert_eq!(state(|key| key.enabled = false, StoreLink::Connected), KeyState::Disabled);
        assert_eq!(state(|key| key.enabled = false, StoreLink::Cut), KeyState::Unavailable);
        let deleted = |key: &mut Key| key.deletion = Some(Deletion::At(now()));
        assert_eq!(state(deleted, StoreLink::Cut), KeyState::PendingDeletion);
        let waits = |key: &mut Key| key.deletion = Some(Deletion::AfterReplicas { window_days: 7 });
        assert_eq!(state(waits, StoreLink::Connected), KeyState::PendingReplicaDeletion);
        let creating = |key: &mut Key| key.transition = Some(Transition::Creating { until: Timestamp::MAX });
        assert_eq!(state(creating, StoreLink::Connected), KeyState::Creating);
        let updated = |key: &mut Key| key.transition = Some(Transition::Updating { until: now() });
        assert_eq!(state(updated, StoreLink::Connected), KeyState::Enabled);
    }

    #[test]
    fn an_imported_key_needs_all_material_in_use_and_none_that_waits() {
        use MaterialStanding::{InUse, PendingRotation};
        let state = |materials: Vec<Material>| {
            let key = Key { origin: Origin::External, materials, ..key() };
            key.state(now(), StoreLink::Connected)
        };
        assert_eq!(state(Vec::new()), KeyState::PendingImport);
        assert_eq!(state(vec![material(Some("00"), PendingRotation)]), KeyState::PendingImport);
        assert_eq!(state(vec![material(None, InUse), material(Some("00"), InUse)]), KeyState::PendingImport);
        assert_eq!(state(vec![material(Some("00"), InUse), material(None, PendingRotation)]), KeyState::Enabled);
    }

    #[test]
    fn the_current_material_is_the_last_in_use() {
        let mut key = key();
        key.materials.push(Material { id: "next".to_owned(), ..material(None, MaterialStanding::PendingRotation) });
        assert_eq!(key.current_material_id(), Some("m"));
        key.spec = KeySpec::Rsa2048;
        assert_eq!(key.current_material_id(), None);
    }
}
