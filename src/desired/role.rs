//! Roles that keywright makes: what they are for, who may assume them.

use super::{Principal, TagReach};
use crate::ids::{Arn, RoleArn, RoleName};
use crate::source::Loc;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a role is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {
    /// Runs `apply`.
    Deployer,
    /// Administers keys.
    KeyAdmin,
    /// Schedules and cancels deletion.
    KeyDeleter,
    /// Uses keys.
    KeyUser,
    /// Reads keys.
    KeyAuditor,
    /// Runs the self-test.
    Verifier,
}

impl RoleKind {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::Deployer, Self::KeyAdmin, Self::KeyDeleter, Self::KeyUser, Self::KeyAuditor, Self::Verifier];

    /// Returns the kind's name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployer => "deployer",
            Self::KeyAdmin => "key-admin",
            Self::KeyDeleter => "key-deleter",
            Self::KeyUser => "key-user",
            Self::KeyAuditor => "key-auditor",
            Self::Verifier => "verifier",
        }
    }
}

impl fmt::Display for RoleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no kind of role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownRoleKind;

impl FromStr for RoleKind {
    type Err = UnknownRoleKind;

    fn from_str(text: &str) -> Result<Self, UnknownRoleKind> {
        Self::ALL.iter().copied().find(|kind| kind.name() == text).ok_or(UnknownRoleKind)
    }
}

/// A role that keywright makes and keeps, in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRole {
    /// The name.
    pub name: RoleName,
    /// The ARN, predictable before the role exists.
    pub arn: RoleArn,
    /// What it is for.
    pub kind: RoleKind,
    /// The description; `None` leaves it alone.
    pub description: Option<String>,
    /// The longest session, in seconds (3,600 to 43,200).
    pub max_session_seconds: u32,
    /// The permissions boundary.
    pub permissions_boundary: Option<Arn>,
    /// Tags of the manifest and of the role, without the reserved ones.
    pub tags: BTreeMap<String, String>,
    /// Whether tags that the manifest does not declare are removed.
    pub tag_reach: TagReach,
    /// Who may assume it.
    pub trust: Trust,
    /// Where it is declared.
    pub loc: Loc,
}

/// Who may assume a role; at least one entry of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// Roles, users and Identity Center permission sets.
    pub aws: Vec<Principal>,
    /// Services, such as `ecs-tasks.amazonaws.com`.
    pub services: Vec<TrustService>,
    /// An OpenID Connect provider.
    pub oidc: Option<OidcTrust>,
    /// The principal that runs the self-test, for verifiable roles.
    pub verifier: Option<Principal>,
}

/// A service principal in a trust policy, as written.
pub type TrustService = String;

/// Trust in tokens of an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcTrust {
    /// The provider's host and path, without scheme.
    pub provider: String,
    /// The audience that a token must name.
    pub audience: String,
    /// The subjects, never a bare wildcard; never empty.
    pub subjects: Vec<String>,
}
