//! Actions: one variant per API call that `apply` may make, with complete parameters.

use crate::desired::KeyStore;
use crate::ids::{AliasName, KeyId, KeyMaterialId, KeyName, MaterialName, Region, RoleName, TargetName};
use crate::kms::{ImportKind, KeyShape, KeySpec, WrappingAlgorithm, WrappingKeySpec};
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
    /// `iam:UntagRole`.
    UntagRole {
        /// The role.
        role: RoleName,
        /// Tag keys to remove.
        tag_keys: BTreeSet<String>,
    },
    /// `kms:CreateKey`, with policy and tags in the same call; `apply` adds the run's `keywright:claim` tag.
    CreateKey {
        /// The key's name in the manifest.
        key: KeyName,
        /// What it is.
        shape: KeyShape,
        /// The custom key store that holds its material.
        store: Option<KeyStore>,
        /// The description, empty for none.
        description: String,
        /// The final key policy.
        policy: PolicyDocument,
        /// All tags but the run's claim, the reserved ones included.
        tags: BTreeMap<String, String>,
    },
    /// `kms:ReplicateKey`: makes the replica of another target. It is a step of the primary's target, since KMS takes
    /// the call in the primary's Region; policy and tags are those of the replica, in the same call.
    ReplicateKey {
        /// The primary.
        key: KeyRef,
        /// The replica's target.
        target: TargetName,
        /// The replica's Region.
        region: Region,
        /// The replica's description, empty for none.
        description: String,
        /// The replica's final policy.
        policy: PolicyDocument,
        /// All tags of the replica.
        tags: BTreeMap<String, String>,
    },
    /// `kms:UpdatePrimaryRegion`: makes a replica the primary. A step of the target of the primary that was.
    UpdatePrimaryRegion {
        /// The primary.
        key: KeyRef,
        /// The target of the primary to be.
        target: TargetName,
        /// Its Region.
        region: Region,
    },
    /// `kms:ScheduleKeyDeletion`.
    ScheduleKeyDeletion {
        /// The key.
        key: KeyRef,
        /// How many days KMS waits.
        days: u8,
    },
    /// `kms:CancelKeyDeletion`: the key is disabled afterwards.
    CancelKeyDeletion {
        /// The key.
        key: KeyRef,
    },
    /// `kms:RotateKeyOnDemand`.
    RotateKeyOnDemand {
        /// The key.
        key: KeyRef,
        /// How many on-demand rotations were made before: this is one more. `apply` sends the call only if KMS still
        /// counts as many.
        before: usize,
    },
    /// `kms:GetParametersForImport` and `kms:ImportKeyMaterial`.
    ImportKeyMaterial {
        /// The key.
        key: KeyRef,
        /// Its spec.
        spec: KeySpec,
        /// The material.
        material: MaterialName,
        /// Whether it is new to the key.
        kind: ImportKind,
        /// The id of the material that it must be, where it is known.
        id: Option<KeyMaterialId>,
        /// The days until it expires; `None` where it does not.
        valid_for_days: Option<u16>,
        /// How it is encrypted on its way.
        wrapping: Wrapping,
    },
    /// `kms:DeleteImportedKeyMaterial`: the key cannot be used until the material is imported again.
    DeleteImportedKeyMaterial {
        /// The key.
        key: KeyRef,
        /// The material, where its name is known.
        material: Option<MaterialName>,
        /// Its id, where it is known: KMS tells those of symmetric encryption keys alone.
        id: Option<KeyMaterialId>,
    },
    /// `kms:DeleteAlias`.
    DeleteAlias {
        /// The alias.
        alias: AliasName,
        /// The key that it names.
        key: KeyRef,
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

/// Where material is encrypted for its import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// By keywright.
    Here {
        /// The algorithm.
        algorithm: WrappingAlgorithm,
        /// The wrapping key.
        key: WrappingKeySpec,
    },
    /// Elsewhere, before: `apply --prewrapped` brings it.
    Before,
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
            Self::UntagRole { .. } => "iam:UntagRole",
            Self::CreateKey { .. } => "kms:CreateKey",
            Self::ReplicateKey { .. } => "kms:ReplicateKey",
            Self::UpdatePrimaryRegion { .. } => "kms:UpdatePrimaryRegion",
            Self::ScheduleKeyDeletion { .. } => "kms:ScheduleKeyDeletion",
            Self::CancelKeyDeletion { .. } => "kms:CancelKeyDeletion",
            Self::RotateKeyOnDemand { .. } => "kms:RotateKeyOnDemand",
            Self::ImportKeyMaterial { .. } => "kms:ImportKeyMaterial",
            Self::DeleteImportedKeyMaterial { .. } => "kms:DeleteImportedKeyMaterial",
            Self::DeleteAlias { .. } => "kms:DeleteAlias",
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
            | Self::ReplicateKey { key, .. }
            | Self::UpdatePrimaryRegion { key, .. }
            | Self::ScheduleKeyDeletion { key, .. }
            | Self::CancelKeyDeletion { key }
            | Self::RotateKeyOnDemand { key, .. }
            | Self::ImportKeyMaterial { key, .. }
            | Self::DeleteImportedKeyMaterial { key, .. }
            | Self::DeleteAlias { key, .. }
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
            | Self::UntagRole { .. }
            | Self::PutRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::CreateKey { .. } => None,
        }
    }

    /// Returns the target, other than the step's own, that the action writes into.
    pub fn other_target(&self) -> Option<&TargetName> {
        if let Self::ReplicateKey { target, .. } | Self::UpdatePrimaryRegion { target, .. } = self {
            Some(target)
        } else {
            None
        }
    }

    /// Returns the key policy that the action writes, in whichever target.
    pub fn written_policy(&self) -> Option<&PolicyDocument> {
        if let Self::ReplicateKey { policy, .. } = self { Some(policy) } else { self.key_policy() }
    }

    /// Returns the key policy that the action writes on the key of its own target, if it writes one.
    pub fn key_policy(&self) -> Option<&PolicyDocument> {
        if let Self::CreateKey { policy, .. } | Self::PutKeyPolicy { policy, .. } = self { Some(policy) } else { None }
    }
}
