//! The table of all KMS actions, sorted by name without case.

use super::action::{Access, ActionScope, KmsAction, Reach};

/// Turns one line per action into the table.
///
/// The columns: access, scope, reach, `grantable` or `never`, `context` (an encryption context) or `plain`, and
/// the condition keys of the action's own.
macro_rules! actions {
    ($($name:ident: $access:ident $scope:ident $reach:ident $grant:ident $context:ident [$($key:literal),*];)*) => {
        /// Every action of AWS KMS.
        ///
        /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html>
        pub const ACTIONS: &[KmsAction] = &[$(KmsAction {
            name: stringify!($name),
            full: concat!("kms:", stringify!($name)),
            access: Access::$access,
            scope: ActionScope::$scope,
            reach: Reach::$reach,
            grantable: actions!(@flag $grant),
            takes_encryption_context: actions!(@flag $context),
            condition_keys: &[$($key),*],
        }),*];
    };
    (@flag grantable) => { true };
    (@flag never) => { false };
    (@flag context) => { true };
    (@flag plain) => { false };
}

actions! {
    CancelKeyDeletion: Write Key OwnAccount never plain [];
    ConnectCustomKeyStore: Write Iam OwnAccount never plain [];
    CreateAlias: Write KeyAndAlias OwnAccount never plain [];
    CreateCustomKeyStore: Write Iam OwnAccount never plain [];
    CreateGrant: Permissions Key AnyAccount grantable plain ["kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:GrantConstraintSourceArn", "kms:GrantConstraintType", "kms:GrantIsForAWSResource", "kms:GrantOperations", "kms:GranteePrincipal", "kms:GranteeServicePrincipal", "kms:RetiringPrincipal", "kms:RetiringServicePrincipal"];
    CreateKey: Write Iam OwnAccount never plain ["aws:RequestTag/", "aws:TagKeys", "kms:BypassPolicyLockoutSafetyCheck", "kms:KeyOrigin", "kms:KeySpec", "kms:KeyUsage", "kms:MultiRegion", "kms:MultiRegionKeyType"];
    Decapsulate: Crypto Key AnyAccount grantable plain [];
    Decrypt: Crypto Key AnyAccount grantable context ["kms:EncryptionAlgorithm", "kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:RequestAlias", "kms:RecipientAttestation:"];
    DeleteAlias: Write KeyAndAlias OwnAccount never plain [];
    DeleteCustomKeyStore: Write Iam OwnAccount never plain [];
    DeleteImportedKeyMaterial: Write Key OwnAccount never plain [];
    DeriveSharedSecret: Crypto Key AnyAccount grantable plain ["kms:KeyAgreementAlgorithm", "kms:RequestAlias", "kms:RecipientAttestation:"];
    DescribeCustomKeyStores: Read Iam OwnAccount never plain [];
    DescribeKey: Read Key AnyAccount grantable plain ["kms:RequestAlias"];
    DisableKey: Write Key OwnAccount never plain ["kms:TrailingDaysWithoutKeyUsage"];
    DisableKeyRotation: Write Key OwnAccount never plain [];
    DisconnectCustomKeyStore: Write Iam OwnAccount never plain [];
    EnableKey: Write Key OwnAccount never plain [];
    EnableKeyRotation: Write Key OwnAccount never plain ["kms:RotationPeriodInDays"];
    Encapsulate: Crypto Key AnyAccount grantable plain [];
    Encrypt: Crypto Key AnyAccount grantable context ["kms:EncryptionAlgorithm", "kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:RequestAlias"];
    GenerateDataKey: Crypto Key AnyAccount grantable context ["kms:EncryptionAlgorithm", "kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:RequestAlias", "kms:RecipientAttestation:"];
    GenerateDataKeyPair: Crypto Key AnyAccount grantable context ["kms:DataKeyPairSpec", "kms:EncryptionAlgorithm", "kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:RequestAlias", "kms:RecipientAttestation:"];
    GenerateDataKeyPairWithoutPlaintext: Crypto Key AnyAccount grantable context ["kms:DataKeyPairSpec", "kms:EncryptionAlgorithm", "kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:RequestAlias"];
    GenerateDataKeyWithoutPlaintext: Crypto Key AnyAccount grantable context ["kms:EncryptionAlgorithm", "kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:RequestAlias"];
    GenerateMac: Crypto Key AnyAccount grantable plain ["kms:MacAlgorithm", "kms:RequestAlias"];
    GenerateRandom: Write Iam OwnAccount never plain ["kms:RecipientAttestation:"];
    GetKeyLastUsage: Read Key OwnAccount never plain [];
    GetKeyPolicy: Read Key OwnAccount never plain [];
    GetKeyRotationStatus: Read Key AnyAccount never plain [];
    GetParametersForImport: Read Key OwnAccount never plain ["kms:WrappingAlgorithm", "kms:WrappingKeySpec"];
    GetPublicKey: Read Key AnyAccount grantable plain ["kms:RequestAlias"];
    ImportKeyMaterial: Write Key OwnAccount never plain ["kms:ExpirationModel", "kms:ValidTo"];
    ListAliases: List Iam OwnAccount never plain [];
    ListGrants: List Key AnyAccount never plain ["kms:GrantIsForAWSResource"];
    ListKeyPolicies: List Key OwnAccount never plain [];
    ListKeyRotations: List Key OwnAccount never plain [];
    ListKeys: List Iam OwnAccount never plain [];
    ListResourceTags: List Key OwnAccount never plain [];
    ListRetirableGrants: List Iam OwnAccount never plain [];
    PutKeyPolicy: Permissions Key OwnAccount never plain ["kms:BypassPolicyLockoutSafetyCheck"];
    ReEncryptFrom: Crypto Key AnyAccount grantable context ["kms:EncryptionAlgorithm", "kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:ReEncryptOnSameKey", "kms:RequestAlias"];
    ReEncryptTo: Crypto Key AnyAccount grantable context ["kms:EncryptionAlgorithm", "kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:ReEncryptOnSameKey", "kms:RequestAlias"];
    ReplicateKey: Write Key OwnAccount never plain ["kms:ReplicaRegion"];
    RetireGrant: Permissions Grant AnyAccount grantable plain ["kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:GrantConstraintType"];
    RevokeGrant: Permissions Key AnyAccount never plain ["kms:GrantIsForAWSResource"];
    RotateKeyOnDemand: Write Key OwnAccount never plain [];
    ScheduleKeyDeletion: Write Key OwnAccount never plain ["kms:ScheduleKeyDeletionPendingWindowInDays", "kms:TrailingDaysWithoutKeyUsage"];
    Sign: Crypto Key AnyAccount grantable plain ["kms:MessageType", "kms:RequestAlias", "kms:SigningAlgorithm"];
    SynchronizeMultiRegionKey: Write Key OwnAccount never plain [];
    TagResource: Tagging Key OwnAccount never plain ["aws:RequestTag/", "aws:TagKeys"];
    UntagResource: Tagging Key OwnAccount never plain ["aws:TagKeys"];
    UpdateAlias: Write KeyAndAlias OwnAccount never plain [];
    UpdateCustomKeyStore: Write Iam OwnAccount never plain [];
    UpdateKeyDescription: Write Key OwnAccount never plain [];
    UpdatePrimaryRegion: Write Key OwnAccount never plain ["kms:PrimaryRegion"];
    Verify: Crypto Key AnyAccount grantable plain ["kms:MessageType", "kms:RequestAlias", "kms:SigningAlgorithm"];
    VerifyMac: Crypto Key AnyAccount grantable plain ["kms:MacAlgorithm", "kms:RequestAlias"];
}

/// Every action that uses key material, as policies write it; what a deny of cryptography lists.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/kms-cryptography.html#cryptographic-operations>
pub const CRYPTOGRAPHIC_ACTIONS: &[&str] = &[
    "kms:Decapsulate",
    "kms:Decrypt",
    "kms:DeriveSharedSecret",
    "kms:Encapsulate",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:Sign",
    "kms:Verify",
    "kms:VerifyMac",
];
