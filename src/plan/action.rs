//! Actions: one variant per API call that `apply` may make, with complete parameters.

use crate::ids::{AliasName, KeyId, KeyName, RoleName};
use crate::policy::PolicyDocument;
use std::collections::{BTreeMap, BTreeSet};

/// A key that exists, or one that an earlier step of the same plan makes: the only unknown in a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRef {
    /// It exists.
    Live(KeyId),
    /// The step that creates the key of this name yields its id.
    Planned(KeyName),
}

/// One API call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `iam:CreateRole`, with trust policy, boundary and tags in the same call.
    CreateRole {
        /// The role.
        role: RoleName,
        /// Its path.
        path: String,
        /// Its description, if one is wanted.
        description: Option<String>,
        /// The longest session, in seconds.
        max_session_seconds: u32,
        /// The trust policy.
        trust: PolicyDocument,
        /// The permissions boundary.
        permissions_boundary: Option<String>,
        /// All tags, the reserved ones included.
        tags: BTreeMap<String, String>,
    },
    /// `iam:UpdateRole`.
    UpdateRole {
        /// The role.
        role: RoleName,
        /// The description.
        description: String,
        /// The longest session, in seconds.
        max_session_seconds: u32,
    },
    /// `iam:UpdateAssumeRolePolicy`.
    UpdateAssumeRolePolicy {
        /// The role.
        role: RoleName,
        /// The new trust policy.
        trust: PolicyDocument,
    },
    /// `iam:PutRolePermissionsBoundary`.
    PutRolePermissionsBoundary {
        /// The role.
        role: RoleName,
        /// The boundary's ARN.
        boundary: String,
    },
    /// `iam:DeleteRolePermissionsBoundary`.
    DeleteRolePermissionsBoundary {
        /// The role.
        role: RoleName,
    },
    /// `iam:TagRole`.
    TagRole {
        /// The role.
        role: RoleName,
        /// Tags to add or overwrite.
        tags: BTreeMap<String, String>,
    },
    /// `iam:PutRolePolicy`: an inline identity policy.
    PutRolePolicy {
        /// The role.
        role: RoleName,
        /// The policy's name.
        name: String,
        /// The policy.
        policy: PolicyDocument,
    },
    /// `iam:DeleteRolePolicy`: an inline identity policy of ours that is not wanted any more.
    DeleteRolePolicy {
        /// The role.
        role: RoleName,
        /// The policy's name.
        name: String,
    },
    /// `kms:CreateKey`, with policy and tags in the same call; `apply` adds the run's `keywright:claim` tag.
    CreateKey {
        /// The key's name in the manifest.
        key: KeyName,
        /// The description, empty for none.
        description: String,
        /// The final key policy.
        policy: PolicyDocument,
        /// All tags but the run's claim, the reserved ones included.
        tags: BTreeMap<String, String>,
    },
    /// `kms:PutKeyPolicy`.
    PutKeyPolicy {
        /// The key.
        key: KeyRef,
        /// The final key policy.
        policy: PolicyDocument,
    },
    /// `kms:UpdateKeyDescription`.
    UpdateKeyDescription {
        /// The key.
        key: KeyRef,
        /// The new description.
        description: String,
    },
    /// `kms:EnableKey`.
    EnableKey {
        /// The key.
        key: KeyRef,
    },
    /// `kms:DisableKey`.
    DisableKey {
        /// The key.
        key: KeyRef,
    },
    /// `kms:TagResource`.
    TagKey {
        /// The key.
        key: KeyRef,
        /// Tags to add or overwrite.
        tags: BTreeMap<String, String>,
    },
    /// `kms:UntagResource`.
    UntagKey {
        /// The key.
        key: KeyRef,
        /// Tag keys to remove.
        tag_keys: BTreeSet<String>,
    },
    /// `kms:CreateAlias`. The claim alias of a new key is created by the same action.
    CreateAlias {
        /// The alias.
        alias: AliasName,
        /// The key that it names.
        key: KeyRef,
    },
    /// `kms:UpdateAlias`: from one of our keys to another, in one call.
    UpdateAlias {
        /// The alias.
        alias: AliasName,
        /// The key that it names now.
        from: KeyId,
        /// The key that it shall name.
        key: KeyRef,
    },
    /// `kms:EnableKeyRotation`, also to change the period.
    EnableKeyRotation {
        /// The key.
        key: KeyRef,
        /// The period in days.
        days: u16,
    },
    /// `kms:DisableKeyRotation`.
    DisableKeyRotation {
        /// The key.
        key: KeyRef,
    },
}

impl Action {
    /// Returns the API call's name with its service: `kms:CreateKey`.
    pub fn call(&self) -> &'static str {
        match self {
            Self::CreateRole { .. } => "iam:CreateRole",
            Self::UpdateRole { .. } => "iam:UpdateRole",
            Self::UpdateAssumeRolePolicy { .. } => "iam:UpdateAssumeRolePolicy",
            Self::PutRolePermissionsBoundary { .. } => "iam:PutRolePermissionsBoundary",
            Self::DeleteRolePermissionsBoundary { .. } => "iam:DeleteRolePermissionsBoundary",
            Self::TagRole { .. } => "iam:TagRole",
            Self::PutRolePolicy { .. } => "iam:PutRolePolicy",
            Self::DeleteRolePolicy { .. } => "iam:DeleteRolePolicy",
            Self::CreateKey { .. } => "kms:CreateKey",
            Self::PutKeyPolicy { .. } => "kms:PutKeyPolicy",
            Self::UpdateKeyDescription { .. } => "kms:UpdateKeyDescription",
            Self::EnableKey { .. } => "kms:EnableKey",
            Self::DisableKey { .. } => "kms:DisableKey",
            Self::TagKey { .. } => "kms:TagResource",
            Self::UntagKey { .. } => "kms:UntagResource",
            Self::CreateAlias { .. } => "kms:CreateAlias",
            Self::UpdateAlias { .. } => "kms:UpdateAlias",
            Self::EnableKeyRotation { .. } => "kms:EnableKeyRotation",
            Self::DisableKeyRotation { .. } => "kms:DisableKeyRotation",
        }
    }

    /// Returns the key that the action works on; `None` for roles and for the creation of a key.
    pub fn key_ref(&self) -> Option<&KeyRef> {
        match self {
            Self::PutKeyPolicy { key, .. }
            | Self::UpdateKeyDescription { key, .. }
            | Self::EnableKey { key }
            | Self::DisableKey { key }
            | Self::TagKey { key, .. }
            | Self::UntagKey { key, .. }
            | Self::CreateAlias { key, .. }
            | Self::UpdateAlias { key, .. }
            | Self::EnableKeyRotation { key, .. }
            | Self::DisableKeyRotation { key } => Some(key),
            Self::CreateRole { .. }
            | Self::UpdateRole { .. }
            | Self::UpdateAssumeRolePolicy { .. }
            | Self::PutRolePermissionsBoundary { .. }
            | Self::DeleteRolePermissionsBoundary { .. }
            | Self::TagRole { .. }
            | Self::PutRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::CreateKey { .. } => None,
        }
    }

    /// Returns the key policy that the action writes, if it writes one.
    pub fn key_policy(&self) -> Option<&PolicyDocument> {
        if let Self::CreateKey { policy, .. } | Self::PutKeyPolicy { policy, .. } = self { Some(policy) } else { None }
    }
}
