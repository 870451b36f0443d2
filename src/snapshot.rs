//! The keys and roles of a stack at one moment, as a manifest declares them or as they were read: what can be
//! compared, and kept in a file.

mod data;
mod live;
mod manifest;

pub use data::{SNAPSHOT_FORMAT_VERSION, SnapshotError, snapshot_from_json, snapshot_to_json};
pub use live::of_live;
pub use manifest::of_manifest;

use crate::desired::Import;
use crate::ids::{AccountId, AliasName, KeyArn, KeyName, Region, RoleArn, RoleName, StackName, TargetName};
use crate::live::{Backend, LiveGrant, Unreadable};
use crate::policy::PolicyDocument;
use crate::source::Position;
use std::collections::{BTreeMap, BTreeSet};

/// Where a snapshot comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A manifest: what is wanted. What a manifest does not manage (grants, for one) is not in it.
    Manifest,
    /// AWS, now or earlier: what is.
    Live,
}

impl Origin {
    /// Returns the origin's name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Live => "live",
        }
    }
}

/// A stack at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where it comes from.
    pub origin: Origin,
    /// The stack.
    pub stack: StackName,
    /// The targets, sorted by name.
    pub targets: Vec<TargetSnapshot>,
    /// The accounts, sorted.
    pub accounts: Vec<AccountSnapshot>,
}

/// The keys of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSnapshot {
    /// The target's name.
    pub name: TargetName,
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// What answered; `None` for manifests.
    pub backend: Option<Backend>,
    /// How people call ARNs: the manifest's names.
    pub names: BTreeMap<String, String>,
    /// The keys, sorted by name, each name once.
    pub keys: Vec<KeySnapshot>,
    /// Reads that were denied and that no key is to blame for.
    pub unreadable: Vec<Unreadable>,
}

/// One key. A part that is `None` was not read, or is not managed by the manifest: it is not "empty".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySnapshot {
    /// Its name in the manifest; a key of no manifest name goes by its id.
    pub name: KeyName,
    /// The ARN, of keys that exist.
    pub arn: Option<KeyArn>,
    /// The key policy.
    pub policy: Option<PolicyDocument>,
    /// The second policy `AWS_RAM`.
    pub ram_policy: RamPolicy,
    /// The grants.
    pub grants: Option<Vec<LiveGrant>>,
    /// The aliases, the claim alias among them.
    pub aliases: Option<BTreeSet<AliasName>>,
    /// The tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// What else is known of it.
    pub properties: BTreeMap<Property, String>,
    /// How the manifest imports its material; files do not keep it, and live state does not have it.
    pub import: Option<Import>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Where the manifest declares it.
    pub position: Option<Position>,
}

/// The second, read-only policy of a key that is shared through AWS RAM.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyPolicies.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RamPolicy {
    /// Nobody looked.
    NotRead,
    /// There is none.
    Absent,
    /// This one.
    Present(PolicyDocument),
}

impl RamPolicy {
    /// Returns the policy, if there is one.
    pub fn document(&self) -> Option<&PolicyDocument> {
        match self {
            Self::Present(document) => Some(document),
            Self::NotRead | Self::Absent => None,
        }
    }
}

/// Declares [`Property`] with its names.
macro_rules! properties {
    ($($(#[$note:meta])* $variant:ident = $name:literal,)*) => {
        /// A property of a key or role that is not access.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Property {
            $($(#[$note])* $variant,)*
        }

        impl Property {
            /// Every property, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the property's name, in JSON and for people.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

properties! {
    /// The data class of a key.
    Class = "class",
    /// Whether a key is in use.
    State = "state",
    /// The spec of a key.
    Spec = "spec",
    /// The usage of a key.
    Usage = "usage",
    /// Where a key's material comes from.
    Material = "origin",
    /// Whether a key is in several Regions.
    MultiRegion = "multi-Region",
    /// Automatic rotation.
    Rotation = "rotation",
    /// The description of a key or role.
    Description = "description",
    /// To whom the key policy leaves a way in through IAM.
    Delegation = "delegation",
    /// Whether administrators are denied cryptography.
    Separation = "separation",
    /// Encryption-context keys that each direct use must carry.
    RequiredContext = "required context",
    /// How long KMS waits once deletion is scheduled.
    DeletionWindow = "deletion window",
    /// What a role is for.
    Kind = "kind",
    /// The longest session of a role.
    Sessions = "sessions",
    /// The permissions boundary of a role.
    Boundary = "boundary",
    /// Managed policies that are attached to a role.
    Attached = "attached",
}

/// A rotation whose period the server does not tell.
pub const ROTATES: &str = "on";

impl std::str::FromStr for Property {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|property| property.name() == text);
        found.ok_or_else(|| format!("`{}` is no property", crate::text::escape(text)))
    }
}

/// The roles of one account that the manifest makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSnapshot {
    /// The account.
    pub account: AccountId,
    /// How people call ARNs.
    pub names: BTreeMap<String, String>,
    /// The roles, sorted by name.
    pub roles: Vec<RoleSnapshot>,
    /// Reads that were denied.
    pub unreadable: Vec<Unreadable>,
}

/// One role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSnapshot {
    /// The name.
    pub name: RoleName,
    /// The ARN.
    pub arn: RoleArn,
    /// Who may become it.
    pub trust: PolicyDocument,
    /// Its inline policies, by name.
    pub policies: BTreeMap<String, PolicyDocument>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// What else is known of it.
    pub properties: BTreeMap<Property, String>,
    /// Where the manifest declares it.
    pub position: Option<Position>,
}

impl Snapshot {
    /// Returns the target with a name.
    pub fn target(&self, name: &TargetName) -> Option<&TargetSnapshot> {
        self.targets.iter().find(|target| target.name == *name)
    }

    /// Returns the account with an id.
    pub fn account(&self, account: &AccountId) -> Option<&AccountSnapshot> {
        self.accounts.iter().find(|candidate| candidate.account == *account)
    }
}

impl TargetSnapshot {
    /// Returns the key with a name.
    pub fn key(&self, name: &KeyName) -> Option<&KeySnapshot> {
        self.keys.iter().find(|key| key.name == *name)
    }
}

#[cfg(test)]
mod tests;
