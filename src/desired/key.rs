//! Keys as wanted in one target.

use super::{Import, Principal};
use crate::ids::{AliasName, ClassName, KeyArn, KeyName, KeyStoreId, MaterialName, Region, TargetName};
use crate::kms::{Capability, KeyShape, KeySpec, KeyUsage, Origin};
use crate::services::Service;
use crate::source::{Loc, Located};
use std::collections::{BTreeMap, BTreeSet};

/// A key as wanted in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredKey {
    /// The name in the manifest.
    pub name: KeyName,
    /// Where it is declared.
    pub loc: Loc,
    /// Its data class.
    pub class: Option<ClassName>,
    /// The description; `None` leaves it alone.
    pub description: Option<String>,
    /// The aliases, without the claim alias; never empty.
    pub aliases: Vec<Located<AliasName>>,
    /// Aliases that are taken off the key; an undeclared alias that is not here is left alone.
    pub remove_aliases: BTreeSet<AliasName>,
    /// Whether a declared alias that names somebody else's key is moved to this one.
    pub takeover: Takeover,
    /// Enabled, disabled or retired.
    pub lifecycle: KeyLifecycle,
    /// How many days it rests disabled, once retired, before its deletion may be scheduled.
    pub soak_days: u16,
    /// What it is made of; decides spec, usage, origin and rotation.
    pub material: KeyMaterial,
    /// Whether it is a multi-Region key, and which one of its family this target has.
    pub topology: Topology,
    /// The Regions of its family, its own among them: there alone it may be replicated. Empty where it
    /// has no replicas.
    pub family: BTreeSet<Region>,
    /// The name that it had in the manifest before.
    pub moved_from: Option<Located<KeyName>>,
    /// The existing key that it takes over; never a new one.
    pub adopt: Option<Located<Adoption>>,
    /// Who administers it; never empty.
    pub admins: Vec<KeyAdmin>,
    /// Who schedules its deletion.
    pub deleters: Vec<Principal>,
    /// Who reads it.
    pub auditors: Vec<Principal>,
    /// Who uses it, in manifest order.
    pub users: Vec<DesiredUser>,
    /// The services that users may come through, and whose own needs the key admits.
    pub services: BTreeSet<Service>,
    /// Encryption-context keys that each direct use must carry.
    pub required_context: BTreeSet<String>,
    /// Whether administrators are denied cryptography.
    pub separation: Separation,
    /// Whether, and to whom, the key policy leaves a way in through IAM.
    pub delegation: Delegation,
    /// How long KMS waits once deletion is scheduled.
    pub deletion_window: DeletionWindow,
    /// Tags of the manifest and of the key, without the reserved ones.
    pub tags: BTreeMap<String, String>,
    /// Whether tags that the manifest does not declare are removed.
    pub tag_reach: TagReach,
    /// Where it is written.
    pub places: KeyPlaces,
}

/// Where what a key's policy is made of is written: in the key, in its class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPlaces {
    /// Each administrator, in order.
    pub admins: Vec<Loc>,
    /// Each deleter, in order.
    pub deleters: Vec<Loc>,
    /// Each auditor, in order.
    pub auditors: Vec<Loc>,
    /// The delegation; `None` where it is the default.
    pub delegation: Option<Loc>,
    /// The separation; `None` where it is the default.
    pub separation: Option<Loc>,
    /// Each context key that direct use must carry.
    pub required_context: BTreeMap<String, Loc>,
    /// The `import` table, if there is one.
    pub import: Option<Loc>,
    /// Each imported material.
    pub materials: BTreeMap<MaterialName, Loc>,
}

impl DesiredKey {
    /// Returns the spec.
    pub fn spec(&self) -> KeySpec {
        self.material.kind().spec()
    }

    /// Returns the usage.
    pub fn usage(&self) -> KeyUsage {
        self.material.kind().usage()
    }

    /// Returns where the material comes from.
    pub fn origin(&self) -> Origin {
        self.material.origin()
    }

    /// Returns the shape, on which the legal actions of the key depend.
    pub fn shape(&self) -> KeyShape {
        let shape = KeyShape::new(self.spec(), self.usage()).with_origin(self.origin());
        if self.topology == Topology::Single { shape } else { shape.in_many_regions() }
    }

    /// Returns the automatic rotation that is wanted; off for keys that cannot rotate.
    ///
    /// A replica has that of its primary, where alone it is set.
    pub fn rotation(&self) -> Rotation {
        match self.material {
            KeyMaterial::Symmetric { rotation, .. } => rotation,
            KeyMaterial::Generated(_) | KeyMaterial::Imported { .. } | KeyMaterial::Stored(_) => Rotation::Off,
        }
    }

    /// Returns how imported material comes in; `None` for keys without any, and where it is imported by hand.
    pub fn import(&self) -> Option<&Import> {
        if let KeyMaterial::Imported { import, .. } = &self.material { import.as_ref() } else { None }
    }

    /// Returns the custom key store that holds the material, if one does.
    pub fn key_store(&self) -> Option<&KeyStore> {
        if let KeyMaterial::Stored(store) = &self.material { Some(store) } else { None }
    }
}

/// Someone who administers a key. Not convertible into a user: separation of duties is visible in the types.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyAdmin(pub Principal);

/// Someone who uses a key, for what, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredUser {
    /// Who.
    pub principal: Principal,
    /// For what; never empty.
    pub capabilities: BTreeSet<Capability>,
    /// Directly, or only through services.
    pub access: DataKeyUse,
    /// Where the table stands.
    pub loc: Loc,
}

/// How a user comes to the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataKeyUse {
    /// By calling KMS itself, with encryption-context values that must match (patterns; empty: any context).
    Direct {
        /// Context key to the patterns, one of which its value must match.
        context: BTreeMap<String, Vec<String>>,
    },
    /// Only through these services; never empty.
    Via {
        /// The services.
        services: BTreeSet<Service>,
        /// Context key to the patterns, for keys that the services send.
        context: BTreeMap<String, Vec<String>>,
    },
}

/// Whether a key is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLifecycle {
    /// It can be used.
    Enabled,
    /// It rests; every use fails.
    Disabled,
    /// It rests, and is deleted after its soak, by a later run with consent.
    Retired,
}

/// Whether a declared alias that names somebody else's key is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Never: an alias is touched only if it names a key of ours.
    Never,
    /// The manifest asks for it (`takeover = true`).
    Asked,
}

/// Whether tags that the manifest does not declare are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagReach {
    /// They are left alone.
    Declared,
    /// They are removed (`tags_exclusive = true`), but for reserved ones and AWS's own.
    All,
}

/// An existing key that a declared one takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adoption {
    /// The key behind an alias.
    Alias(AliasName),
    /// The key with an ARN.
    Key(KeyArn),
}

/// Which one of a family of multi-Region keys a target has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// None: a single-Region key.
    Single,
    /// The primary, with the targets of its replicas.
    Primary {
        /// The replicas' targets with their Regions; may be empty.
        replicas: BTreeMap<TargetName, Region>,
    },
    /// A replica.
    Replica {
        /// The primary's target.
        primary: TargetName,
        /// The primary's Region.
        region: Region,
    },
}

/// A spec with a usage that it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyKind {
    spec: KeySpec,
    usage: KeyUsage,
}

impl KeyKind {
    /// A symmetric encryption key.
    pub const SYMMETRIC: Self = Self { spec: KeySpec::SymmetricDefault, usage: KeyUsage::EncryptDecrypt };

    /// Returns a kind; `None` where no key of the spec has the usage.
    pub fn new(spec: KeySpec, usage: KeyUsage) -> Option<Self> {
        spec.allows(usage).then_some(Self { spec, usage })
    }

    /// Returns the spec.
    pub fn spec(self) -> KeySpec {
        self.spec
    }

    /// Returns the usage.
    pub fn usage(self) -> KeyUsage {
        self.usage
    }
}

/// What a key is made of. Only what KMS itself makes for symmetric encryption rotates automatically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// A symmetric encryption key of KMS's making.
    Symmetric {
        /// Automatic rotation.
        rotation: Rotation,
        /// The day since which the current material must have been made, if the manifest says so.
        newer_than: Option<jiff::civil::Date>,
    },
    /// Any other key of KMS's making.
    Generated(KeyKind),
    /// Imported material.
    Imported {
        /// The kind.
        kind: KeyKind,
        /// How the material comes in; `None` where somebody imports it by hand.
        import: Option<Import>,
    },
    /// A symmetric encryption key in a custom key store.
    Stored(KeyStore),
}

impl KeyMaterial {
    /// Returns spec and usage.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Symmetric { .. } | Self::Stored(_) => KeyKind::SYMMETRIC,
            Self::Generated(kind) | Self::Imported { kind, .. } => *kind,
        }
    }

    /// Returns where the material comes from.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Symmetric { .. } | Self::Generated(_) => Origin::AwsKms,
            Self::Imported { .. } => Origin::External,
            Self::Stored(KeyStore::CloudHsm { .. }) => Origin::AwsCloudHsm,
            Self::Stored(KeyStore::External { .. }) => Origin::ExternalKeyStore,
        }
    }
}

/// A custom key store, which exists.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-store-overview.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStore {
    /// A store in a cluster of hardware modules: KMS makes the material there.
    CloudHsm {
        /// The store.
        id: KeyStoreId,
    },
    /// A store outside AWS, where the key exists already.
    External {
        /// The store.
        id: KeyStoreId,
        /// The key's id there.
        xks_key_id: String,
    },
}

impl KeyStore {
    /// Returns the store's id.
    pub fn id(&self) -> &KeyStoreId {
        match self {
            Self::CloudHsm { id } | Self::External { id, .. } => id,
        }
    }

    /// Returns the key's id in a store outside AWS.
    pub fn xks_key_id(&self) -> Option<&str> {
        match self {
            Self::CloudHsm { .. } => None,
            Self::External { xks_key_id, .. } => Some(xks_key_id),
        }
    }
}

/// Automatic rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// None.
    Off,
    /// Every so many days.
    Every(RotationPeriod),
}

/// A rotation period: 90 to 2560 days.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RotationPeriod(u16);

impl RotationPeriod {
    /// Returns a period, `None` outside the legal range.
    pub fn from_days(days: i64) -> Option<Self> {
        u16::try_from(days).ok().filter(|days| (90..=2560).contains(days)).map(Self)
    }

    /// Returns the number of days.
    pub fn days(self) -> u16 {
        self.0
    }
}

/// How long KMS waits once deletion is scheduled: 7 to 30 days.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeletionWindow(u8);

impl DeletionWindow {
    /// The longest wait, which is the default.
    pub const LONGEST: Self = Self(30);

    /// Returns a window, `None` outside the legal range.
    pub fn from_days(days: i64) -> Option<Self> {
        u8::try_from(days).ok().filter(|days| (7..=30).contains(days)).map(Self)
    }

    /// Returns the number of days.
    pub fn days(self) -> u8 {
        self.0
    }
}

/// Whether the key policy denies administrators every cryptographic action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Separation {
    /// It is checked in the manifest only.
    Advised,
    /// The key policy denies it.
    Enforced,
}

/// Whether, and to whom, the key policy leaves a way in through IAM; ordered from strict to loose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delegation {
    /// To nobody: only the principals of the policy, and AWS Support.
    None,
    /// To the account's root user alone, to recover.
    RootUser,
    /// To the account's IAM policies.
    Account,
}
