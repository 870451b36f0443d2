//! Live state: what was read from one account and Region at one moment, unreadable parts included.

mod facts;
mod identities;
mod keys;
mod observed;

pub use facts::{Facts, Gap, GapEffect};
pub use identities::{
    IdentityKind, IdentityPolicy, LiveBoundary, LiveIdentities, LiveIdentity, PolicyPlace, PolicySource,
    UnreadableIdentity, UnreadablePolicy,
};
pub use keys::{AwsManagedKey, LiveKeys, NamedKey};
pub use observed::Observed;

use crate::ids::{AccountId, AliasName, KeyArn, KeyId, PrincipalArn, Region, RoleArn, RoleName};
use crate::kms::{KeySpec, KeyState, KeyUsage, Origin};
use crate::policy::PolicyDocument;
use std::collections::BTreeMap;

/// Which kind of server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
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
    /// Every key that has our stack tag, or stands behind a claim alias of our stack or a declared alias; sorted by id.
    pub keys: Vec<LiveKey>,
    /// Every customer alias of the Region, with the key behind it (none for an alias without a key).
    pub aliases: BTreeMap<AliasName, Option<KeyId>>,
    /// Reads that were denied and that no key is to blame for.
    pub unreadable: Vec<Unreadable>,
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
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// When it will be deleted, while deletion is pending.
    pub deletion: Option<jiff::Timestamp>,
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
