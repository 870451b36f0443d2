//! The identities of an account as IAM tells them: each role and user, with every policy that says what it may do.

use crate::ids::{AccountId, PrincipalArn};
use crate::policy::PolicyDocument;
use std::collections::BTreeMap;
use std::fmt;

/// All roles and users of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveIdentities {
    /// The account.
    pub account: AccountId,
    /// Each role and user, sorted by ARN.
    pub principals: Vec<LiveIdentity>,
    /// Roles and users that exist and that could not be understood at all, sorted by ARN.
    pub unreadable: Vec<UnreadableIdentity>,
}

impl LiveIdentities {
    /// Returns the role or user with an ARN.
    pub fn principal(&self, arn: &PrincipalArn) -> Option<&LiveIdentity> {
        self.principals.iter().find(|principal| principal.arn == *arn)
    }
}

/// A role or user that exists, and of which nothing else can be said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableIdentity {
    /// Its ARN as it came, or else its name.
    pub arn: String,
    /// What could not be understood.
    pub reason: String,
}

/// Whether an identity is a role or a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    /// A role.
    Role,
    /// A user.
    User,
}

/// A role or user as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveIdentity {
    /// The ARN, with the path.
    pub arn: PrincipalArn,
    /// Whether it is a role or a user.
    pub kind: IdentityKind,
    /// The unique id, `AROA…` or `AIDA…`.
    pub unique_id: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The identity policies that could be read: inline, attached, and those of the user's groups.
    pub policies: Vec<IdentityPolicy>,
    /// The permissions boundary.
    pub boundary: Option<LiveBoundary>,
    /// The trust policy of a role; `None` for users, and where it could not be read.
    pub trust: Option<PolicyDocument>,
    /// Policies that are known to exist and that could not be read: what they say is unknown, not nothing.
    pub unreadable: Vec<UnreadablePolicy>,
}

impl LiveIdentity {
    /// Returns an identity without tags and policies.
    pub fn new(arn: PrincipalArn, kind: IdentityKind, unique_id: impl Into<String>) -> Self {
        Self {
            arn,
            kind,
            unique_id: unique_id.into(),
            tags: BTreeMap::new(),
            policies: Vec::new(),
            boundary: None,
            trust: None,
            unreadable: Vec::new(),
        }
    }

    /// Returns whether it is a service-linked role, which only its service can use and which no service or resource
    /// control policy restricts.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html>
    pub fn is_service_linked(&self) -> bool {
        self.kind == IdentityKind::Role && self.arn.arn().resource().starts_with("role/aws-service-role/")
    }
}

/// A permissions boundary as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBoundary {
    /// The managed policy's ARN.
    pub arn: String,
    /// Its default version; `None` where it could not be read, and why is said among what is unreadable.
    pub document: Option<PolicyDocument>,
}

/// An identity policy as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityPolicy {
    /// Where it comes from.
    pub source: PolicySource,
    /// The policy; of a managed one, its default version.
    pub document: PolicyDocument,
}

/// Where an identity policy comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicySource {
    /// It stands in the role or user itself.
    Inline {
        /// Its name.
        name: String,
    },
    /// It is attached to the role or user.
    Managed {
        /// Its ARN.
        arn: String,
    },
    /// It is a policy of a group of the user.
    Group {
        /// The group's name.
        group: String,
        /// The name of an inline policy, the ARN of an attached one.
        policy: String,
    },
}

impl fmt::Display for PolicySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline { name } => write!(f, "inline policy {name}"),
            Self::Managed { arn } => write!(f, "attached policy {arn}"),
            Self::Group { group, policy } => write!(f, "policy {policy} of group {group}"),
        }
    }
}

/// A policy that exists and could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadablePolicy {
    /// Which one.
    pub place: PolicyPlace,
    /// Why: what is wrong with its text, or the action that was denied.
    pub reason: String,
}

/// The place of a policy of an identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyPlace {
    /// An identity policy.
    Identity(PolicySource),
    /// All policies of a group of the user.
    WholeGroup {
        /// The group's name.
        group: String,
    },
    /// The permissions boundary.
    Boundary {
        /// The managed policy's ARN.
        arn: String,
    },
    /// The trust policy of a role.
    Trust,
}

impl fmt::Display for PolicyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(source) => source.fmt(f),
            Self::WholeGroup { group } => write!(f, "policies of group {group}"),
            Self::Boundary { arn } => write!(f, "permissions boundary {arn}"),
            Self::Trust => f.write_str("trust policy"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_linked_roles_are_told_by_their_path() {
        for (resource, kind, expected) in [
            ("role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", IdentityKind::Role, true),
            ("role/aws-service-role", IdentityKind::Role, false),
            ("role/team/aws-service-role/x", IdentityKind::Role, false),
            ("user/aws-service-role/x", IdentityKind::User, false),
        ] {
            let arn = format!("arn:aws:iam::111122223333:{resource}").parse().unwrap();
            assert_eq!(LiveIdentity::new(arn, kind, "X").is_service_linked(), expected, "{resource}");
        }
    }
}
