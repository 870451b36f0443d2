//! Ports: what the asynchronous shells need of the world, in domain words.
//!
//! `aws` implements them over the SDK; tests implement them in memory. One object implements all ports of one
//! target's connection.

mod crypto;
mod error;
#[cfg(test)]
pub(crate) mod fake;

pub use crypto::{Cipher, Crypto, DataKey, DataKeyPair, Encapsulated, EncryptionContext, Trial, WrappedKeyPair};
pub use error::{PortError, PortErrorKind};

use crate::ids::{
    AccountId, AliasName, KeyArn, KeyId, KeyMaterialId, KeyName, KeyStoreId, MaterialName, Region, RoleArn, RoleName,
    StackName, TargetName,
};
use crate::kms::{ImportKind, KeyShape, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{
    Caller, CallerPolicies, Expiry, KeyMetadata, LiveGrant, LiveIdentities, LiveKeyStore, LiveMaterials, LiveRole,
    LiveRotation, LiveRotations, LiveUsage,
};
use crate::policy::PolicyDocument;
use crate::secret::SecretBytes;
use crate::services::Service;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::time::Duration;

/// What a port returns.
pub type PortResult<T> = Result<T, PortError>;

/// Who is calling.
pub trait CallerReader {
    /// `sts:GetCallerIdentity`; for a session also the role's full ARN, with its path, where `iam:GetRole` allows.
    fn caller(&self) -> impl Future<Output = PortResult<Caller>> + Send;
}

/// Reads keys of one account and Region. Pages are followed to the end; `Truncated` without a marker is an error.
pub trait KeyReader {
    /// Every customer alias with the key behind it; AWS's own (`alias/aws/…`) are left out.
    fn list_aliases(&self) -> impl Future<Output = PortResult<BTreeMap<AliasName, Option<KeyId>>>> + Send;

    /// Keys with a tag `keywright:stack=<value>`, with all their tags, from the tagging API; `NotSupported` or `Denied`
    /// where there is none: the caller falls back to [`KeyReader::list_keys`] and [`KeyReader::key_tags`].
    fn keys_tagged(
        &self,
        tag: &str,
        value: &str,
    ) -> impl Future<Output = PortResult<BTreeMap<KeyArn, BTreeMap<String, String>>>> + Send;

    /// Every key of the Region.
    fn list_keys(&self) -> impl Future<Output = PortResult<Vec<KeyArn>>> + Send;

    /// `kms:ListResourceTags`.
    fn key_tags(&self, key: &KeyId) -> impl Future<Output = PortResult<BTreeMap<String, String>>> + Send;

    /// `kms:DescribeKey`.
    fn describe_key(&self, key: &KeyId) -> impl Future<Output = PortResult<(KeyArn, KeyMetadata)>> + Send;

    /// `kms:GetKeyPolicy`, the text as it came.
    fn key_policy(&self, key: &KeyId) -> impl Future<Output = PortResult<String>> + Send;

    /// `kms:GetKeyRotationStatus`; `Off` where the key cannot rotate.
    fn rotation(&self, key: &KeyId) -> impl Future<Output = PortResult<LiveRotation>> + Send;

    /// `kms:ListGrants`.
    fn grants(&self, key: &KeyId) -> impl Future<Output = PortResult<Vec<LiveGrant>>> + Send;

    /// `kms:ListKeyRotations`, and from `kms:GetKeyRotationStatus` the on-demand rotation that is under way.
    fn rotations(&self, key: &KeyId) -> impl Future<Output = PortResult<LiveRotations>> + Send;

    /// `kms:ListKeyRotations` of all key material; `Untold` where the server does not tell.
    fn materials(&self, key: &KeyId) -> impl Future<Output = PortResult<LiveMaterials>> + Send;

    /// `kms:GetKeyLastUsage`.
    fn last_usage(&self, key: &KeyId) -> impl Future<Output = PortResult<LiveUsage>> + Send;

    /// `kms:DescribeCustomKeyStores` of one store; `None` where there is none.
    fn key_store(&self, store: &KeyStoreId) -> impl Future<Output = PortResult<Option<LiveKeyStore>>> + Send;
}

/// Reads of keys what a plan does not need: keys that no manifest names, and their second policy.
pub trait AnyKeyReader {
    /// `kms:DescribeKey` of a key by any of its names: id, ARN, alias (AWS's own included), alias ARN.
    fn describe_named(&self, name: &str) -> impl Future<Output = PortResult<(KeyArn, KeyMetadata)>> + Send;

    /// `kms:ListKeyPolicies`: the names of the key's policies.
    fn policy_names(&self, key: &KeyId) -> impl Future<Output = PortResult<Vec<String>>> + Send;

    /// `kms:GetKeyPolicy` of one of them, the text as it came.
    fn policy_named(&self, key: &KeyId, name: &str) -> impl Future<Output = PortResult<String>> + Send;
}

/// A new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What it is.
    pub shape: KeyShape,
    /// The custom key store that holds its material.
    pub store: Option<KeyStoreId>,
    /// The key's id in a store outside AWS.
    pub xks_key_id: Option<String>,
    /// The description, empty for none.
    pub description: String,
    /// The policy.
    pub policy: PolicyDocument,
    /// All tags.
    pub tags: BTreeMap<String, String>,
    /// Whether to skip AWS's own lock-out check, with consent.
    pub lockout_check: LockoutCheck,
}

/// A new replica of a multi-Region key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReplica {
    /// Where it is to be.
    pub region: Region,
    /// The description, empty for none.
    pub description: String,
    /// The policy: never AWS's default.
    pub policy: PolicyDocument,
    /// All tags.
    pub tags: BTreeMap<String, String>,
    /// Whether to skip AWS's own lock-out check, with consent.
    pub lockout_check: LockoutCheck,
}

/// What KMS gives to import material into one key, for 24 hours.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html>
pub struct ImportParameters {
    /// The public wrapping key: a subject's public key info in DER.
    pub public_key: Vec<u8>,
    /// The token that goes with it.
    pub token: SecretBytes,
    /// Until when both can be used, where the server tells.
    pub valid_to: Option<jiff::Timestamp>,
}

/// Material on its way into a key.
pub struct MaterialImport {
    /// The token of the wrapping key.
    pub token: SecretBytes,
    /// The material, encrypted under the wrapping key.
    pub encrypted: Vec<u8>,
    /// When it expires.
    pub expiry: Expiry,
    /// Whether it is new to the key; for symmetric encryption keys alone.
    pub kind: Option<ImportKind>,
    /// Its name; for symmetric encryption keys alone.
    pub description: Option<String>,
    /// The id of the material that it must be, not for new material: KMS refuses any other before its use.
    pub id: Option<KeyMaterialId>,
}

/// Material that was encrypted elsewhere, with the token of its wrapping key.
pub struct Prewrapped {
    /// The token.
    pub token: SecretBytes,
    /// The material, encrypted under the wrapping key.
    pub encrypted: Vec<u8>,
}

impl fmt::Debug for ImportParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { public_key, token, valid_to } = self;
        let mut shown = f.debug_struct("ImportParameters");
        shown.field("public_key", &format_args!("{} bytes", public_key.len()));
        shown.field("token", token).field("valid_to", valid_to).finish()
    }
}

impl fmt::Debug for MaterialImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, encrypted, expiry, kind, description, id } = self;
        let mut shown = f.debug_struct("MaterialImport");
        shown.field("token", token).field("encrypted", &format_args!("{} bytes", encrypted.len()));
        shown.field("expiry", expiry).field("kind", kind).field("description", description).field("id", id).finish()
    }
}

impl fmt::Debug for Prewrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, encrypted } = self;
        let mut shown = f.debug_struct("Prewrapped");
        shown.field("token", token).field("encrypted", &format_args!("{} bytes", encrypted.len())).finish()
    }
}

/// Holds the key material that a run imports. None of it comes out but encrypted.
pub trait MaterialHolder {
    /// Returns material that was encrypted elsewhere for the key of a target; `None` where none was given.
    fn prewrapped(&self, target: &TargetName, key: &KeyName, material: &MaterialName)
    -> PortResult<Option<Prewrapped>>;

    /// Encrypts a material of the key of a target (`place`) under a wrapping key.
    fn wrap(
        &self,
        place: (&TargetName, &KeyName, &MaterialName),
        algorithm: WrappingAlgorithm,
        parameters: &ImportParameters,
    ) -> PortResult<Vec<u8>>;
}

/// Whether AWS checks that the caller can change the policy later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockoutCheck {
    /// It does.
    Keep,
    /// It does not: only with `--bypass-lockout-check KEY`.
    Bypass,
}

/// Writes keys. `create_key`, `replicate_key`, `rotate_on_demand` and `import_material` are sent exactly once; the others are repeated on
/// transient errors by the adapter, since they are idempotent.
pub trait KeyWriter {
    /// `kms:CreateKey`. [`PortErrorKind::Unknown`] means that the key may exist.
    fn create_key(&self, key: &NewKey) -> impl Future<Output = PortResult<KeyArn>> + Send;
    /// `kms:ReplicateKey` of a primary of this Region. [`PortErrorKind::Unknown`] means that the replica may exist,
    /// `AlreadyExists` may be the lost reply of our own call.
    fn replicate_key(&self, key: &KeyId, replica: &NewReplica) -> impl Future<Output = PortResult<KeyArn>> + Send;
    /// `kms:UpdatePrimaryRegion` of a primary of this Region.
    fn update_primary_region(&self, key: &KeyId, region: &Region) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:ScheduleKeyDeletion`.
    fn schedule_deletion(&self, key: &KeyId, days: u8) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:CancelKeyDeletion`.
    fn cancel_deletion(&self, key: &KeyId) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:RotateKeyOnDemand`. [`PortErrorKind::Unknown`] means that the key may have been rotated.
    fn rotate_on_demand(&self, key: &KeyId) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:GetParametersForImport`.
    fn import_parameters(
        &self,
        key: &KeyId,
        algorithm: WrappingAlgorithm,
        wrapping_key: WrappingKeySpec,
    ) -> impl Future<Output = PortResult<ImportParameters>> + Send;
    /// `kms:ImportKeyMaterial`; returns the material's id where the server tells it. [`PortErrorKind::Unknown`] means
    /// that the material may be there.
    fn import_material(
        &self,
        key: &KeyId,
        import: &MaterialImport,
    ) -> impl Future<Output = PortResult<Option<KeyMaterialId>>> + Send;
    /// `kms:DeleteImportedKeyMaterial`, of the current material where none is named. What is not there is no error.
    fn delete_material(
        &self,
        key: &KeyId,
        material: Option<&KeyMaterialId>,
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:DeleteAlias`; an alias that is not there is no error.
    fn delete_alias(&self, alias: &AliasName) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:PutKeyPolicy`.
    fn put_key_policy(
        &self,
        key: &KeyId,
        policy: &PolicyDocument,
        check: LockoutCheck,
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:UpdateKeyDescription`.
    fn update_description(&self, key: &KeyId, description: &str) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:EnableKey`.
    fn enable_key(&self, key: &KeyId) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:DisableKey`.
    fn disable_key(&self, key: &KeyId) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:TagResource`.
    fn tag_key(&self, key: &KeyId, tags: &BTreeMap<String, String>) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:UntagResource`.
    fn untag_key(&self, key: &KeyId, tag_keys: &BTreeSet<String>) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:CreateAlias`; `AlreadyExists` may be the lost reply of our own call.
    fn create_alias(&self, alias: &AliasName, key: &KeyId) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:UpdateAlias`.
    fn update_alias(&self, alias: &AliasName, key: &KeyId) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:EnableKeyRotation` with a period in days.
    fn enable_rotation(&self, key: &KeyId, days: u16) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:DisableKeyRotation`.
    fn disable_rotation(&self, key: &KeyId) -> impl Future<Output = PortResult<()>> + Send;
}

/// Reads IAM of one account.
pub trait IdentityReader {
    /// The role with trust policy, tags, inline and attached policies; `None` where there is none.
    fn role(&self, name: &RoleName) -> impl Future<Output = PortResult<Option<LiveRole>>> + Send;
    /// Whether an OpenID Connect provider exists.
    fn oidc_provider_exists(
        &self,
        account: &AccountId,
        provider: &str,
    ) -> impl Future<Output = PortResult<bool>> + Send;
}

/// Reads all identities of one account.
pub trait AccountIdentityReader {
    /// `iam:GetAccountAuthorizationDetails`: every role and user with its policies, those of groups included. A managed
    /// policy that the answer leaves out is asked for by `iam:GetPolicy` and `iam:GetPolicyVersion`.
    fn identities(&self) -> impl Future<Output = PortResult<LiveIdentities>> + Send;
}

/// Reads what single policies and identities of an account may do, where a decision hangs on them.
pub trait IdentityPolicyReader {
    /// The identity policies and the boundary of the caller's role or user, a user's groups included. Whatever of
    /// them cannot be read fails the whole: half of the policies would be another answer.
    fn caller_policies(&self, caller: &Caller) -> impl Future<Output = PortResult<CallerPolicies>> + Send;
    /// The default version of a managed policy; `None` where there is no such policy.
    fn managed_policy(&self, arn: &str) -> impl Future<Output = PortResult<Option<PolicyDocument>>> + Send;
}

/// A new role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRole {
    /// The name.
    pub name: RoleName,
    /// The path, with both slashes.
    pub path: String,
    /// The description.
    pub description: Option<String>,
    /// The longest session, in seconds.
    pub max_session_seconds: u32,
    /// The trust policy.
    pub trust: PolicyDocument,
    /// The permissions boundary.
    pub permissions_boundary: Option<String>,
    /// All tags.
    pub tags: BTreeMap<String, String>,
}

/// Writes IAM of one account.
pub trait IdentityWriter {
    /// `iam:CreateRole`.
    fn create_role(&self, role: &NewRole) -> impl Future<Output = PortResult<()>> + Send;
    /// `iam:UpdateRole`.
    fn update_role(
        &self,
        role: &RoleName,
        description: &str,
        max_session_seconds: u32,
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// `iam:UpdateAssumeRolePolicy`.
    fn update_trust(&self, role: &RoleName, trust: &PolicyDocument) -> impl Future<Output = PortResult<()>> + Send;
    /// `iam:PutRolePermissionsBoundary`.
    fn put_boundary(&self, role: &RoleName, boundary: &str) -> impl Future<Output = PortResult<()>> + Send;
    /// `iam:DeleteRolePermissionsBoundary`.
    fn delete_boundary(&self, role: &RoleName) -> impl Future<Output = PortResult<()>> + Send;
    /// `iam:TagRole`.
    fn tag_role(&self, role: &RoleName, tags: &BTreeMap<String, String>)
    -> impl Future<Output = PortResult<()>> + Send;
    /// `iam:UntagRole`.
    fn untag_role(&self, role: &RoleName, tag_keys: &BTreeSet<String>) -> impl Future<Output = PortResult<()>> + Send;
    /// `iam:PutRolePolicy`.
    fn put_role_policy(
        &self,
        role: &RoleName,
        name: &str,
        policy: &PolicyDocument,
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// `iam:DeleteRolePolicy`.
    fn delete_role_policy(&self, role: &RoleName, name: &str) -> impl Future<Output = PortResult<()>> + Send;
}

/// Has its calls forwarded by a service, so that keys see `kms:ViaService`.
///
/// Only the service itself can do this at AWS; the sandbox lets its callers play one.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>
pub trait Forwarding: Sized {
    /// Returns a connection of the same identity whose uses of keys a service of the Region forwards; `None` where
    /// the server lets nobody play a service.
    fn forwarded_by(&self, service: Service) -> Option<Self>;
}

/// Becomes another identity.
pub trait RoleAssumer {
    /// A connection of the same kind, as the assumed role.
    type Assumed: Crypto + KeyReader + CallerReader + Send + Sync;

    /// `sts:AssumeRole` with a session name and a session policy that limits what the session may do.
    fn assume(
        &self,
        role: &RoleArn,
        session_name: &str,
        session_policy: Option<&PolicyDocument>,
    ) -> impl Future<Output = PortResult<Self::Assumed>> + Send;
}

/// Time as the shells see it.
pub trait Clock {
    /// Returns the time.
    fn now(&self) -> jiff::Timestamp;
    /// Waits.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// Randomness as the shells see it.
pub trait Randomness {
    /// Fills a buffer with random bytes.
    fn fill(&self, bytes: &mut [u8]) -> PortResult<()>;
}

/// The local record of a key that is being created: written before `CreateKey` is sent, removed when its claim alias stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClaimRecord {
    /// The random id of the run, also in the tag `keywright:claim`.
    pub claim: String,
    /// When it was written.
    pub at: jiff::Timestamp,
}

/// Returns where a key's claim record is kept: `<account>/<region>/<stack>/<key>`.
pub fn claim_slot(account: &AccountId, region: &Region, stack: &StackName, key: &KeyName) -> String {
    format!("{account}/{region}/{stack}/{key}")
}

/// Keeps claim records on this machine.
pub trait ClaimStore {
    /// Returns the record of a key in a target (`slot`: of [`claim_slot`]).
    fn load(&self, slot: &str) -> PortResult<Option<ClaimRecord>>;
    /// Writes a record, durably.
    fn save(&self, slot: &str, record: &ClaimRecord) -> PortResult<()>;
    /// Removes a record.
    fn remove(&self, slot: &str) -> PortResult<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_encrypted_material_are_not_shown() {
        let secret = || SecretBytes::new(vec![171; 8]);
        let shown = format!(
            "{:?} {:?} {:?}",
            ImportParameters { public_key: vec![172; 8], token: secret(), valid_to: None },
            Prewrapped { token: secret(), encrypted: vec![173; 8] },
            MaterialImport {
                token: secret(),
                encrypted: vec![173; 8],
                expiry: Expiry::Never,
                kind: None,
                description: Some("2026".to_owned()),
                id: None,
            },
        );
        assert!(shown.contains("8 bytes") && shown.contains("2026"), "{shown}");
        assert!(!["171", "172", "173", "ab, "].iter().any(|part| shown.contains(part)), "{shown}");
    }
}
