//! Keys as wanted in one target.

use super::Principal;
use crate::ids::{AliasName, ClassName, KeyName};
use crate::kms::{Capability, KeySpec, KeyUsage};
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
    /// Enabled or disabled.
    pub lifecycle: KeyLifecycle,
    /// Where the material comes from; decides spec, usage and rotation.
    pub material: SymmetricMaterial,
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
}

impl DesiredKey {
    /// Returns the spec.
    pub fn spec(&self) -> KeySpec {
        match self.material {
            SymmetricMaterial::Generated { .. } => KeySpec::SymmetricDefault,
        }
    }

    /// Returns the usage.
    pub fn usage(&self) -> KeyUsage {
        match self.material {
            SymmetricMaterial::Generated { .. } => KeyUsage::EncryptDecrypt,
        }
    }

    /// Returns the automatic rotation that is wanted.
    pub fn rotation(&self) -> Rotation {
        match self.material {
            SymmetricMaterial::Generated { rotation } => rotation,
        }
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
}

/// Where a symmetric key's material comes from. Only generated material can rotate automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymmetricMaterial {
    /// KMS makes it.
    Generated {
        /// Automatic rotation.
        rotation: Rotation,
    },
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
