//! Capabilities: what a person calls an ability, and the exact actions that it is made of.

use super::{KeyShape, KeyUsage, KmsAction, Origin};
use std::fmt;
use std::str::FromStr;

/// An ability on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Encrypts data.
    Encrypt,
    /// Decrypts data and data keys.
    Decrypt,
    /// Moves ciphertext from key to key inside KMS.
    Reencrypt,
    /// Makes data keys.
    GenerateDataKey,
    /// Makes data key pairs.
    GenerateDataKeyPair,
    /// Signs.
    Sign,
    /// Verifies signatures.
    Verify,
    /// Makes message authentication codes.
    GenerateMac,
    /// Verifies message authentication codes.
    VerifyMac,
    /// Derives shared secrets.
    DeriveSharedSecret,
    /// Encapsulates shared secrets.
    Encapsulate,
    /// Decapsulates shared secrets.
    Decapsulate,
    /// Reads the public key.
    GetPublicKey,
    /// Reads the key's attributes.
    Describe,
    /// Policy, aliases, tags, description, enabling, disabling, rotation, moving the primary; never grants or deletion.
    Administer,
    /// Schedules and cancels deletion, deletes material.
    Delete,
    /// Reads everything about the key.
    Audit,
    /// What `apply` needs: no cryptography, no deletion.
    Deploy,
    /// Imports key material; apart from administration, because a short validity is a kill switch.
    Import,
}

/// A text that is no capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCapability(
    /// The text, as given. Escape it before it reaches a terminal.
    pub String,
);

impl fmt::Display for UnknownCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a capability", self.0.escape_debug())
    }
}

impl std::error::Error for UnknownCapability {}

const READS: &[&str] = &[
    "DescribeKey",
    "GetKeyLastUsage",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
];

const CHANGES: &[&str] = &[
    "CreateAlias",
    "DeleteAlias",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "PutKeyPolicy",
    "RevokeGrant",
    "RotateKeyOnDemand",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
];

/// `ReplicateKey` is not among them: policies fence it by `kms:ReplicaRegion`, in a statement of its own.
const REPLICATION: &[&str] = &["UpdatePrimaryRegion"];
const IMPORT: &[&str] = &["GetParametersForImport", "ImportKeyMaterial"];

impl Capability {
    /// Every capability, in the order of the manual.
    pub const ALL: &'static [Self] = &[
        Self::Encrypt,
        Self::Decrypt,
        Self::Reencrypt,
        Self::GenerateDataKey,
        Self::GenerateDataKeyPair,
        Self::Sign,
        Self::Verify,
        Self::GenerateMac,
        Self::VerifyMac,
        Self::DeriveSharedSecret,
        Self::Encapsulate,
        Self::Decapsulate,
        Self::GetPublicKey,
        Self::Describe,
        Self::Administer,
        Self::Delete,
        Self::Audit,
        Self::Deploy,
        Self::Import,
    ];

    /// Returns the name that manifests use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Reencrypt => "reencrypt",
            Self::GenerateDataKey => "generate-data-key",
            Self::GenerateDataKeyPair => "generate-data-key-pair",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::GenerateMac => "generate-mac",
            Self::VerifyMac => "verify-mac",
            Self::DeriveSharedSecret => "derive-shared-secret",
            Self::Encapsulate => "encapsulate",
            Self::Decapsulate => "decapsulate",
            Self::GetPublicKey => "get-public-key",
            Self::Describe => "describe",
            Self::Administer => "administer",
            Self::Delete => "delete",
            Self::Audit => "audit",
            Self::Deploy => "deploy",
            Self::Import => "import",
        }
    }

    /// Returns whether it uses key material.
    pub fn is_cryptographic(self) -> bool {
        self.all_actions().iter().any(|name| KmsAction::find(name).is_some_and(KmsAction::is_cryptographic))
    }

    /// Returns whether it is one that users of a key can have (`can = […]`).
    pub fn is_for_users(self) -> bool {
        self.is_cryptographic() || matches!(self, Self::GetPublicKey | Self::Describe)
    }

    /// Returns the actions of the capability on some key or other.
    fn all_actions(self) -> &'static [&'static str] {
        match self {
            Self::Encrypt => &["Encrypt"],
            Self::Decrypt => &["Decrypt"],
            Self::Reencrypt => &["ReEncryptFrom", "ReEncryptTo"],
            Self::GenerateDataKey => &["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"],
            Self::GenerateDataKeyPair => &["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"],
            Self::Sign => &["Sign"],
            Self::Verify => &["Verify"],
            Self::GenerateMac => &["GenerateMac"],
            Self::VerifyMac => &["VerifyMac"],
            Self::DeriveSharedSecret => &["DeriveSharedSecret"],
            Self::Encapsulate => &["Encapsulate"],
            Self::Decapsulate => &["Decapsulate"],
            Self::GetPublicKey => &["GetPublicKey"],
            Self::Describe => &["DescribeKey"],
            Self::Delete => &["CancelKeyDeletion", "DeleteImportedKeyMaterial", "DescribeKey", "ScheduleKeyDeletion"],
            Self::Import => IMPORT,
            Self::Administer | Self::Audit | Self::Deploy => READS,
        }
    }

    /// Returns the exact actions of the capability on a key, sorted by name; empty if the key cannot have it.
    pub fn actions(self, key: KeyShape) -> Vec<&'static KmsAction> {
        let mut names: Vec<&'static str> = self.all_actions().to_vec();
        match self {
            Self::Administer => names.extend(CHANGES.iter().chain(REPLICATION)),
            Self::Deploy => names.extend(CHANGES.iter().chain(REPLICATION).chain(IMPORT)),
            Self::Audit => names.push("GetPublicKey"),
            Self::Encrypt
            | Self::Decrypt
            | Self::Reencrypt
            | Self::GenerateDataKey
            | Self::GenerateDataKeyPair
            | Self::Sign
            | Self::Verify
            | Self::GenerateMac
            | Self::VerifyMac
            | Self::DeriveSharedSecret
            | Self::Encapsulate
            | Self::Decapsulate
            | Self::GetPublicKey
            | Self::Describe
            | Self::Delete
            | Self::Import => {}
        }
        names.retain(|name| key.takes(name));
        let mut actions: Vec<&'static KmsAction> = names.into_iter().filter_map(KmsAction::find).collect();
        actions.sort_unstable_by_key(|action| action.name);
        actions
    }

    /// Returns what users of a key can be allowed at all.
    pub fn possible_for(key: KeyShape) -> Vec<Self> {
        let possible = |capability: &Self| capability.is_for_users() && !capability.actions(key).is_empty();
        Self::ALL.iter().copied().filter(possible).collect()
    }

    /// Returns what a user of a key can do where the manifest does not say.
    pub fn defaults(usage: KeyUsage) -> &'static [Self] {
        match usage {
            KeyUsage::EncryptDecrypt => {
                &[Self::Encrypt, Self::Decrypt, Self::Reencrypt, Self::GenerateDataKey, Self::Describe]
            }
            KeyUsage::SignVerify => &[Self::Sign, Self::Verify, Self::GetPublicKey, Self::Describe],
            KeyUsage::GenerateVerifyMac => &[Self::GenerateMac, Self::VerifyMac, Self::Describe],
            KeyUsage::KeyAgreement => &[Self::DeriveSharedSecret, Self::GetPublicKey, Self::Describe],
            KeyUsage::EncapsulateDecapsulate => {
                &[Self::Encapsulate, Self::Decapsulate, Self::GetPublicKey, Self::Describe]
            }
        }
    }

    /// Returns what a user of a key can do where the manifest does not say: the usual set for the usage, without
    /// what the key's spec rules out (asymmetric keys make no data keys, but have a public key).
    pub fn defaults_for(key: KeyShape) -> Vec<Self> {
        let mut usual = Self::defaults(key.usage).to_vec();
        if key.usage == KeyUsage::EncryptDecrypt && key.spec.is_asymmetric() {
            usual.insert(3, Self::GetPublicKey);
        }
        usual.retain(|capability| !capability.actions(key).is_empty());
        usual
    }
}

impl KeyShape {
    /// Returns whether an action, named without prefix, works on a key of the shape in any state; reads do on each.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-compare.html>
    pub fn takes(self, action: &str) -> bool {
        match action {
            "Encrypt" | "Decrypt" | "ReEncryptFrom" | "ReEncryptTo" => self.usage == KeyUsage::EncryptDecrypt,
            "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => self.encrypts_symmetrically(),
            // https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyPair.html
            "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
                self.encrypts_symmetrically() && matches!(self.origin, Origin::AwsKms | Origin::External)
            }
            "Sign" | "Verify" => self.usage == KeyUsage::SignVerify,
            "GenerateMac" | "VerifyMac" => self.usage == KeyUsage::GenerateVerifyMac,
            "DeriveSharedSecret" => self.usage == KeyUsage::KeyAgreement,
            "Encapsulate" | "Decapsulate" => self.usage == KeyUsage::EncapsulateDecapsulate,
            "EnableKeyRotation" | "DisableKeyRotation" => self.rotates_automatically(),
            "RotateKeyOnDemand" => self.rotates_on_demand(),
            "GetPublicKey" => self.spec.is_asymmetric(),
            "ReplicateKey" | "UpdatePrimaryRegion" => self.multi_region,
            "GetParametersForImport" | "ImportKeyMaterial" | "DeleteImportedKeyMaterial" => {
                self.origin == Origin::External
            }
            _ => true,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        let found = Self::ALL.iter().find(|capability| capability.name() == text).copied();
        found.ok_or_else(|| UnknownCapability(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::KeySpec;

    fn names(capability: Capability, key: KeyShape) -> Vec<&'static str> {
        capability.actions(key).iter().map(|action| action.name).collect()
    }

    #[test]
    fn the_deployer_has_exactly_the_agreed_actions() {
        let mut agreed = vec![
            "DescribeKey",
            "GetKeyPolicy",
            "ListKeyPolicies",
            "PutKeyPolicy",
            "ListResourceTags",
            "TagResource",
            "UntagResource",
            "GetKeyRotationStatus",
            "ListKeyRotations",
            "EnableKeyRotation",
            "DisableKeyRotation",
            "RotateKeyOnDemand",
            "ListGrants",
            "RevokeGrant",
            "CreateAlias",
            "UpdateAlias",
            "DeleteAlias",
            "EnableKey",
            "DisableKey",
            "UpdateKeyDescription",
            "GetKeyLastUsage",
        ];
        agreed.sort_unstable();
        assert_eq!(names(Capability::Deploy, KeyShape::default()), agreed);
        // What no such key takes is left out; a key's shape never changes, so neither does its list.
        let signing = KeyShape::new(KeySpec::EccNistP256, KeyUsage::SignVerify);
        agreed.retain(|name| !["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"].contains(name));
        assert_eq!(names(Capability::Deploy, signing), agreed);
        agreed.push("UpdatePrimaryRegion");
        agreed.sort_unstable();
        assert_eq!(names(Capability::Deploy, signing.in_many_regions()), agreed);
    }

    #[test]
    fn nobody_but_users_does_cryptography_and_nobody_creates_grants() {
        let shape = KeyShape::default().with_origin(Origin::External).in_many_regions();
        for capability in Capability::ALL {
            let actions = capability.actions(shape);
            assert!(actions.iter().all(|a| a.name != "CreateGrant"), "{capability}");
            let crypto = actions.iter().any(|a| a.is_cryptographic());
            assert!(!crypto || capability.is_for_users(), "{capability}");
            let deletes = actions.iter().any(|a| a.name.contains("Deletion") || a.name == "DeleteImportedKeyMaterial");
            assert_eq!(deletes, *capability == Capability::Delete, "{capability}");
        }
    }

    #[test]
    fn capabilities_depend_on_the_key() {
        let symmetric = KeyShape::default();
        let signing = KeyShape::new(KeySpec::EccNistP256, KeyUsage::SignVerify);
        assert_eq!(names(Capability::Reencrypt, symmetric), ["ReEncryptFrom", "ReEncryptTo"]);
        assert!(names(Capability::Encrypt, signing).is_empty());
        assert!(names(Capability::GetPublicKey, symmetric).is_empty());
        assert!(names(Capability::Audit, signing).contains(&"GetPublicKey"));
        assert!(!names(Capability::Audit, symmetric).contains(&"GetPublicKey"));
        assert!(!names(Capability::Administer, signing).contains(&"EnableKeyRotation"));
        assert!(names(Capability::Import, symmetric).is_empty());
        let administers = names(Capability::Administer, symmetric.in_many_regions());
        assert!(administers.contains(&"UpdatePrimaryRegion") && !administers.contains(&"ReplicateKey"));
    }

    #[test]
    fn a_key_in_a_custom_store_makes_no_key_pairs_and_does_not_rotate() {
        let stored = KeyShape::default().with_origin(Origin::AwsCloudHsm);
        let possible = Capability::possible_for(stored);
        assert_eq!(possible[..], [&Capability::defaults_for(stored)[..]].concat());
        assert!(!possible.contains(&Capability::GenerateDataKeyPair));
        assert!(
            names(Capability::Deploy, stored)
                .iter()
                .all(|name| !name.ends_with("Rotation") && !name.starts_with("Rotate"))
        );
    }

    #[test]
    fn defaults_are_possible_for_every_legal_key() {
        for spec in KeySpec::ALL {
            for usage in spec.usages() {
                let shape = KeyShape::new(*spec, *usage);
                let usual = Capability::defaults_for(shape);
                assert!(usual.len() >= 3, "{spec} {usage}");
                assert!(usual.iter().all(|capability| !capability.actions(shape).is_empty()), "{spec} {usage}");
            }
        }
        assert_eq!(Capability::defaults_for(KeyShape::default()), Capability::defaults(KeyUsage::EncryptDecrypt),);
    }

    #[test]
    fn names_go_both_ways() {
        for capability in Capability::ALL {
            assert_eq!(capability.name().parse(), Ok(*capability));
        }
        assert!("Decrypt".parse::<Capability>().is_err());
    }
}
