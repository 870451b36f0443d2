//! Desired state: the manifest, valid and resolved for each target and account; illegal states are unwritable.

mod import;
mod key;
mod principal;
mod role;
pub mod tags;

pub use import::{DesiredMaterial, Import, MaterialEncoding, MaterialPresence, MaterialSource, Validity};
pub use key::{
    Adoption, DataKeyUse, Delegation, DeletionWindow, DesiredKey, DesiredUser, KeyAdmin, KeyKind, KeyLifecycle,
    KeyMaterial, KeyPlaces, KeyStore, Rotation, RotationPeriod, Separation, TagReach, Takeover, Topology,
};
pub use principal::{Principal, PrincipalName};
pub use role::{DesiredRole, OidcTrust, RoleKind, Trust, TrustService};

use crate::ids::{AccountId, OwnerId, Partition, Region, RoleArn, RoleName, StackName, TargetName};
use crate::source::Loc;
use std::collections::{BTreeMap, BTreeSet};

/// The whole manifest as wanted.
#[derive(Debug, Clone)]
pub struct DesiredState {
    /// The ownership namespace.
    pub stack: StackName,
    /// The manifest's owner id, in the tag `keywright:owner` of all that is ours.
    pub owner: OwnerId,
    /// The accounts, sorted, with the managed roles of each.
    pub accounts: Vec<DesiredAccount>,
    /// The targets, sorted by name.
    pub targets: Vec<DesiredTarget>,
    /// The targets that this run leaves alone (`--target`). Roles serve them all the same: IAM is global.
    pub left_out: Vec<DesiredTarget>,
}

/// What is wanted in one account, whatever the Region: IAM is global.
#[derive(Debug, Clone)]
pub struct DesiredAccount {
    /// The account.
    pub account: AccountId,
    /// The partition of its targets.
    pub partition: Partition,
    /// The roles that keywright makes here, sorted by name: those that a key of the account uses.
    pub roles: Vec<DesiredRole>,
    /// Every role that the manifest declares as it exists in this account, managed or not, by name.
    pub known_roles: BTreeMap<RoleName, KnownRole>,
}

/// A declared role as it exists in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRole {
    /// Its ARN: given, or predictable from account, path and name.
    pub arn: RoleArn,
    /// Its kind.
    pub kind: RoleKind,
    /// Who makes it.
    pub origin: RoleOrigin,
    /// Whether the self-test may assume it.
    pub verifiable: Verifiable,
    /// Where it is declared.
    pub loc: Loc,
}

/// Who makes a declared role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleOrigin {
    /// keywright does.
    Managed,
    /// It exists already; keywright refers to it and never changes it.
    Referred,
}

/// Whether the self-test may assume a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verifiable {
    /// The `[verify]` principal may assume it.
    Yes,
    /// It is not assumed; probes in its name are `not checked`.
    No,
}

/// One target: the keys wanted in an account and Region, and how to get there.
#[derive(Debug, Clone)]
pub struct DesiredTarget {
    /// The target's name.
    pub name: TargetName,
    /// The account, checked against the caller's before anything else.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// How to reach it.
    pub connection: Connection,
    /// What an emulator behind a loopback endpoint enforces; `None` for AWS and for the sandbox.
    pub enforces: Option<BTreeSet<Enforcement>>,
    /// Who runs `apply`; never empty.
    pub deployers: Vec<Principal>,
    /// Who runs `plan` on pull requests: read-only on every key.
    pub planners: Vec<Principal>,
    /// Who runs the self-test and may assume verifiable roles.
    pub verifier: Option<Principal>,
    /// The keys, sorted by name.
    pub keys: Vec<DesiredKey>,
    /// Where the target is declared.
    pub loc: Loc,
    /// Where its staff is written.
    pub places: TargetPlaces,
}

/// Where those are written who work with all keys of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetPlaces {
    /// Each deployer, in order.
    pub deployers: Vec<Loc>,
    /// Each planner, in order.
    pub planners: Vec<Loc>,
    /// Who runs the self-test.
    pub verifier: Option<Loc>,
}

/// Credentials and endpoint of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// The profile of the AWS configuration files.
    pub profile: Option<String>,
    /// The role to assume.
    pub assume_role: Option<RoleArn>,
    /// The external id to assume it with.
    pub external_id: Option<String>,
    /// A loopback endpoint.
    pub endpoint_url: Option<String>,
}

/// What an emulator enforces, so that the self-test knows which negative probes mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// Key policies.
    KeyPolicy,
    /// Identity policies.
    IdentityPolicy,
    /// Conditions on the encryption context.
    Context,
    /// Grants.
    Grants,
}

impl DesiredState {
    /// Returns what is wanted in an account.
    pub fn account(&self, account: &AccountId) -> Option<&DesiredAccount> {
        self.accounts.iter().find(|candidate| candidate.account == *account)
    }
}
