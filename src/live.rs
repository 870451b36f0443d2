//! Live state: what was read from one account and Region at one moment, unreadable parts included.

mod caller;
mod facts;
mod identities;
mod keys;
mod material;
mod observed;

pub use caller::CallerPolicies;
pub use facts::{Facts, Gap, GapEffect};
pub use identities::{
    IdentityKind, IdentityPolicy, LiveBoundary, LiveIdentities, LiveIdentity, PolicyPlace, PolicySource,
    UnreadableIdentity, UnreadablePolicy,
};
pub use keys::{AwsManagedKey, LiveKeys, NamedKey};
pub use material::{Expiry, LiveMaterial, LiveMaterials, LivePresence, MaterialStanding, WARN_DAYS};
pub use observed::Observed;

use crate::ids::{AccountId, AliasName, KeyArn, KeyId, KeyStoreId, PrincipalArn, Region, RoleArn, RoleName};
use crate::kms::{KeySpec, KeyState, KeyUsage, Origin};
use crate::policy::PolicyDocument;
use std::collections::{BTreeMap, BTreeSet};

/// Which kind of server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// AWS itself.
    Aws,
    /// The embedded sandbox.
    Sandbox,
    /// Another server on a given endpoint.
    Endpoint,
}

/// Who is calling, from `sts:GetCallerIdentity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The caller's own ARN (of the session, for roles).
    pub arn: PrincipalArn,
    /// The ARN that a key policy names: the role's for its sessions (with its path, where IAM could be asked).
    pub principal: PrincipalArn,
}

/// One target as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTarget {
    /// What answered.
    pub backend: Backend,
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// Who read it.
    pub caller: Caller,
    /// What the caller's own policies say; `None` where nothing depends on them, so that they were not read.
    pub caller_policies: Option<Observed<CallerPolicies>>,
    /// Every key that has our stack tag, or stands behind a claim alias of our stack or a declared alias; sorted by id.
    pub keys: Vec<LiveKey>,
    /// Every customer alias of the Region, with the key behind it (none for an alias without a key).
    pub aliases: BTreeMap<AliasName, Option<KeyId>>,
    /// Reads that were denied and that no key is to blame for.
    pub unreadable: Vec<Unreadable>,
    /// The custom key stores that declared keys live in: `None` where there is no such store.
    pub stores: BTreeMap<KeyStoreId, Observed<Option<LiveKeyStore>>>,
    /// How many keys the Region holds, whoever made them; `None` where that was not read.
    pub key_count: Option<usize>,
}

/// A read that was denied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unreadable {
    /// What could not be read, in words.
    pub what: String,
    /// The action that was denied.
    pub action: String,
    /// What the server said.
    pub message: String,
}

/// A key as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKey {
    /// The ARN.
    pub arn: KeyArn,
    /// What `DescribeKey` said.
    pub metadata: Observed<KeyMetadata>,
    /// The key policy.
    pub policy: Observed<LivePolicy>,
    /// The second policy `AWS_RAM`, which nobody can write: it lets in those with whom the key is shared through AWS
    /// RAM. `None` where it was not asked for, as by a plan.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyPolicies.html>
    pub ram_policy: Option<Observed<Option<LivePolicy>>>,
    /// All tags.
    pub tags: Observed<BTreeMap<String, String>>,
    /// Automatic rotation, where the key can have it.
    pub rotation: Observed<LiveRotation>,
    /// All grants.
    pub grants: Observed<Vec<LiveGrant>>,
    /// The history of rotations; `None` where nothing depends on it, so that it was not read.
    pub rotations: Option<Observed<LiveRotations>>,
    /// The imported materials; `None` where nothing depends on them, so that they were not read.
    pub materials: Option<Observed<LiveMaterials>>,
    /// The last cryptographic use; `None` where nothing depends on it, so that it was not read.
    pub last_usage: Option<Observed<LiveUsage>>,
}

/// What `DescribeKey` says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMetadata {
    /// The state.
    pub state: KeyState,
    /// The description, empty if there is none.
    pub description: String,
    /// The spec.
    pub spec: KeySpec,
    /// The usage.
    pub usage: KeyUsage,
    /// Where the material comes from.
    pub origin: Origin,
    /// Whether AWS manages it.
    pub manager: KeyManager,
    /// Whether it is a multi-Region key.
    pub multi_region: bool,
    /// Whether a multi-Region key is the primary or a replica, where the server tells.
    pub multi_region_type: Option<MultiRegionType>,
    /// The Region of the primary of a multi-Region key, where the server tells.
    pub primary_region: Option<Region>,
    /// The Regions of the replicas of a multi-Region key, where the server tells.
    pub replica_regions: BTreeSet<Region>,
    /// The custom key store that holds the material.
    pub store: Option<KeyStoreId>,
    /// The key's id in a store outside AWS.
    pub xks_key_id: Option<String>,
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// When it will be deleted, while deletion is pending.
    pub deletion: Option<jiff::Timestamp>,
    /// How many days a primary will wait once the last of its replicas is gone, while that is pending.
    pub deletion_window: Option<u16>,
    /// When the first of the imported materials expires, where there is any and the server tells.
    pub expiry: Option<Expiry>,
}

/// Who manages a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyManager {
    /// A customer: possibly us.
    Customer,
    /// AWS.
    Aws,
}

/// What a multi-Region key is.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_MultiRegionConfiguration.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultiRegionType {
    /// The one that replicas are made of.
    Primary,
    /// A copy of the primary in another Region.
    Replica,
}

impl MultiRegionType {
    /// Returns AWS's word for it, which is also the value of `kms:MultiRegionKeyType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Replica => "REPLICA",
        }
    }
}

/// A key policy as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePolicy {
    /// The text as it came.
    pub text: String,
    /// The text, parsed.
    pub document: PolicyDocument,
}

/// Automatic rotation as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveRotation {
    /// Off, or impossible for the key.
    Off,
    /// On; the period in days where the server tells it.
    On {
        /// The period, in days.
        days: Option<u16>,
    },
}

/// The history of a key's rotations.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html>
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveRotations {
    /// When an on-demand rotation began that is still under way.
    pub under_way_since: Option<jiff::Timestamp>,
    /// Completed rotations, oldest first.
    pub done: Vec<LiveRotationEvent>,
}

impl LiveRotations {
    /// Returns how many on-demand rotations were made; KMS makes at most 25 of a key.
    pub fn on_demand(&self) -> usize {
        self.done.iter().filter(|event| event.on_demand).count() + usize::from(self.under_way_since.is_some())
    }
}

/// A completed rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveRotationEvent {
    /// When.
    pub at: jiff::Timestamp,
    /// Whether somebody asked for it.
    pub on_demand: bool,
}

/// The last cryptographic use of a key.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html>
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveUsage {
    /// Since when KMS keeps track.
    pub tracked_since: Option<jiff::Timestamp>,
    /// The last operation and when it was; `None` if there was none since.
    pub last: Option<(String, jiff::Timestamp)>,
}

/// A custom key store as read.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CustomKeyStoresListEntry.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKeyStore {
    /// Where the keys of the store come from: `AwsCloudHsm` or `ExternalKeyStore`.
    pub origin: Origin,
    /// The connection, in AWS's word: `CONNECTED`, `DISCONNECTED`, …
    pub connection: String,
    /// Why it failed, in AWS's word, where it did.
    pub error: Option<String>,
}

impl LiveKeyStore {
    /// Returns whether its keys can be made and used.
    pub fn is_connected(&self) -> bool {
        self.connection == "CONNECTED"
    }
}

/// A grant as read. Tokens are never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveGrant {
    /// The grant's name, if it has one.
    pub name: Option<String>,
    /// Its facts, as decisions need them.
    pub facts: crate::access::GrantFacts,
}

/// One account as read: the roles that the manifest makes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveAccount {
    /// The account.
    pub account: AccountId,
    /// Each managed role of the manifest: `None` where there is no such role.
    pub roles: BTreeMap<RoleName, Observed<Option<LiveRole>>>,
    /// OpenID Connect providers that the manifest's roles trust, and whether each exists.
    pub oidc_providers: BTreeMap<String, Observed<bool>>,
    /// Permissions boundaries that the managed roles have or shall have, by ARN: `None` where there is no such policy.
    pub boundaries: BTreeMap<String, Observed<Option<PolicyDocument>>>,
}

/// A role as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRole {
    /// The ARN.
    pub arn: RoleArn,
    /// The unique id, `AROA…`.
    pub unique_id: String,
    /// The description, empty if there is none.
    pub description: String,
    /// The longest session, in seconds.
    pub max_session_seconds: u32,
    /// The trust policy.
    pub trust: PolicyDocument,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Inline policies by name.
    pub inline_policies: BTreeMap<String, PolicyDocument>,
    /// ARNs of attached managed policies, sorted.
    pub attached_policies: Vec<String>,
    /// The permissions boundary.
    pub permissions_boundary: Option<String>,
}

impl LiveTarget {
    /// Returns the key with an id.
    pub fn key(&self, id: &KeyId) -> Option<&LiveKey> {
        self.keys.iter().find(|key| key.arn.key_id() == *id)
    }

    /// Returns the customer aliases of a key, sorted.
    pub fn aliases_of<'a>(&'a self, id: &'a KeyId) -> impl Iterator<Item = &'a AliasName> {
        self.aliases.iter().filter(move |(_, key)| key.as_ref() == Some(id)).map(|(alias, _)| alias)
    }
}
