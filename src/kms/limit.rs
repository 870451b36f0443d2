//! The limits that KMS sets, as numbers.

/// The most bytes of a key policy.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html#key-policy-limit>
pub const POLICY_BYTES: usize = 32_768;
/// The most characters of a description.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>
pub const DESCRIPTION_CHARS: usize = 8_192;
/// The most tags of a key.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/tagging-keys.html>
pub const TAGS_PER_KEY: usize = 50;
/// The most characters of a tag's key.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Tag.html>
pub const TAG_KEY_CHARS: usize = 128;
/// The most characters of a tag's value.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Tag.html>
pub const TAG_VALUE_CHARS: usize = 256;
/// The most aliases of a key.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html#aliases-per-key>
pub const ALIASES_PER_KEY: usize = 50;
/// The most grants of a key.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html#grants-per-key>
pub const GRANTS_PER_KEY: usize = 50_000;
/// The most keys of an account in a Region.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html#kms-keys-limit>
pub const KEYS_PER_REGION: usize = 100_000;
/// The most custom key stores of an account in a Region.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub const CUSTOM_KEY_STORES: usize = 10;
/// The most pairs of an encryption-context constraint of a grant.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html>
pub const CONSTRAINT_PAIRS: usize = 8;
/// The most characters of a value in an encryption-context constraint of a grant.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html>
pub const CONSTRAINT_VALUE_CHARS: usize = 384;
/// The most grant tokens of a request.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>
pub const GRANT_TOKENS: usize = 10;
/// The fewest days between automatic rotations.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html>
pub const ROTATION_DAYS_MIN: u16 = 90;
/// The most days between automatic rotations.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html>
pub const ROTATION_DAYS_MAX: u16 = 2_560;
/// The days between automatic rotations where none are given.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html>
pub const ROTATION_DAYS_DEFAULT: u16 = 365;
/// The most on-demand rotations of a key.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html>
pub const ON_DEMAND_ROTATIONS: usize = 25;
/// The fewest days that a key waits for its deletion.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
pub const DELETION_DAYS_MIN: u16 = 7;
/// The most days that a key waits for its deletion.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
pub const DELETION_DAYS_MAX: u16 = 30;
/// The days that a key waits for its deletion where none are given.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
pub const DELETION_DAYS_DEFAULT: u16 = 30;
/// The most bytes that `Encrypt` takes under a symmetric key.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
pub const PLAINTEXT_BYTES: usize = 4_096;
/// The most bytes of a ciphertext.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>
pub const CIPHERTEXT_BYTES: usize = 6_144;
/// The most bytes of a message to sign or to authenticate.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>
pub const MESSAGE_BYTES: usize = 4_096;
/// The most bytes of `GenerateRandom` and `GenerateDataKey`.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateRandom.html>
pub const RANDOM_BYTES: usize = 1_024;
/// The most days that imported material stays valid.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html>
pub const IMPORT_VALID_DAYS_MAX: u16 = 365;
/// The hours that an import token stays valid.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html>
pub const IMPORT_TOKEN_HOURS: u16 = 24;
/// The most characters of a description of key material.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html>
pub const MATERIAL_DESCRIPTION_CHARS: usize = 256;
/// The largest page of `ListKeys`, `ListKeyPolicies` and `ListKeyRotations`.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html>
pub const PAGE_KEYS_MAX: usize = 1_000;
/// The page of `ListKeys` where no limit is given.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html>
pub const PAGE_KEYS_DEFAULT: usize = 100;
/// The largest page of `ListAliases`, `ListGrants` and `ListRetirableGrants`.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html>
pub const PAGE_MAX: usize = 100;
/// The page of `ListAliases`, `ListGrants` and `ListResourceTags` where no limit is given.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html>
pub const PAGE_DEFAULT: usize = 50;
/// The largest page of `ListResourceTags`.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListResourceTags.html>
pub const PAGE_TAGS_MAX: usize = 50;
