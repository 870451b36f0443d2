//! Uses and reads of keys that are called or dry-run, and which of them a key has.

use crate::desired::DesiredKey;
use crate::kms::{KeyShape, KeyUsage};

/// A use that can be called or dry-run; in each kind, those that make something come before those that take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Encrypt,
    GenerateDataKey,
    GenerateDataKeyWithoutPlaintext,
    Decrypt,
    ReEncrypt,
    GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext,
    Sign,
    Verify,
    GenerateMac,
    VerifyMac,
    DeriveSharedSecret,
    Encapsulate,
    Decapsulate,
}

impl Use {
    pub(super) const ALL: &'static [Self] = &[
        Self::Encrypt,
        Self::GenerateDataKey,
        Self::GenerateDataKeyWithoutPlaintext,
        Self::Decrypt,
        Self::ReEncrypt,
        Self::GenerateDataKeyPair,
        Self::GenerateDataKeyPairWithoutPlaintext,
        Self::Sign,
        Self::Verify,
        Self::GenerateMac,
        Self::VerifyMac,
        Self::DeriveSharedSecret,
        Self::Encapsulate,
        Self::Decapsulate,
    ];

    /// Returns the uses that a key of some shape has, in order.
    pub(super) fn of(shape: KeyShape) -> Vec<Self> {
        Self::ALL.iter().copied().filter(|what| what.fits(shape)).collect()
    }

    fn fits(self, shape: KeyShape) -> bool {
        self.actions().iter().all(|action| shape.takes(action.trim_start_matches("kms:")))
    }

    /// Returns the use that nobody but the declared users may have: it gives away what the key protects.
    pub(super) fn gravest(usage: KeyUsage) -> Self {
        match usage {
            KeyUsage::EncryptDecrypt => Self::Decrypt,
            KeyUsage::SignVerify => Self::Sign,
            KeyUsage::GenerateVerifyMac => Self::GenerateMac,
            KeyUsage::KeyAgreement => Self::DeriveSharedSecret,
            KeyUsage::EncapsulateDecapsulate => Self::Decapsulate,
        }
    }

    /// Returns what somebody does who uses the key so.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::GenerateDataKey | Self::GenerateDataKeyWithoutPlaintext => "make data keys",
            Self::Decrypt => "decrypt",
            Self::ReEncrypt => "re-encrypt",
            Self::GenerateDataKeyPair | Self::GenerateDataKeyPairWithoutPlaintext => "make data key pairs",
            Self::Sign => "sign",
            Self::Verify => "verify signatures",
            Self::GenerateMac => "make MACs",
            Self::VerifyMac => "verify MACs",
            Self::DeriveSharedSecret => "derive shared secrets",
            Self::Encapsulate => "encapsulate",
            Self::Decapsulate => "decapsulate",
        }
    }

    /// Returns the operation, with prefix.
    pub(super) fn call(self) -> &'static str {
        match self {
            Self::ReEncrypt => "kms:ReEncrypt",
            Self::Encrypt
            | Self::GenerateDataKey
            | Self::GenerateDataKeyWithoutPlaintext
            | Self::Decrypt
            | Self::GenerateDataKeyPair
            | Self::GenerateDataKeyPairWithoutPlaintext
            | Self::Sign
            | Self::Verify
            | Self::GenerateMac
            | Self::VerifyMac
            | Self::DeriveSharedSecret
            | Self::Encapsulate
            | Self::Decapsulate => self.actions().first().copied().unwrap_or_default(),
        }
    }

    /// Returns the actions that it takes, with prefix.
    pub(super) fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Encrypt => &["kms:Encrypt"],
            Self::GenerateDataKey => &["kms:GenerateDataKey"],
            Self::GenerateDataKeyWithoutPlaintext => &["kms:GenerateDataKeyWithoutPlaintext"],
            Self::Decrypt => &["kms:Decrypt"],
            Self::ReEncrypt => &["kms:ReEncryptFrom", "kms:ReEncryptTo"],
            Self::GenerateDataKeyPair => &["kms:GenerateDataKeyPair"],
            Self::GenerateDataKeyPairWithoutPlaintext => &["kms:GenerateDataKeyPairWithoutPlaintext"],
            Self::Sign => &["kms:Sign"],
            Self::Verify => &["kms:Verify"],
            Self::GenerateMac => &["kms:GenerateMac"],
            Self::VerifyMac => &["kms:VerifyMac"],
            Self::DeriveSharedSecret => &["kms:DeriveSharedSecret"],
            Self::Encapsulate => &["kms:Encapsulate"],
            Self::Decapsulate => &["kms:Decapsulate"],
        }
    }
}

/// Returns whether uses of a key carry an encryption context: those of symmetric encryption keys do.
pub(super) fn takes_context(key: &DesiredKey) -> bool {
    key.usage() == KeyUsage::EncryptDecrypt && !key.spec().is_asymmetric()
}

/// A read that changes nothing and uses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    DescribeKey,
    GetKeyPolicy,
    GetPublicKey,
    ListGrants,
}

impl Read {
    const SYMMETRIC: &'static [Self] = &[Self::GetKeyPolicy, Self::DescribeKey, Self::ListGrants];
    const ASYMMETRIC: &'static [Self] = &[Self::GetKeyPolicy, Self::DescribeKey, Self::GetPublicKey, Self::ListGrants];

    /// Returns the reads that a key has.
    pub(super) fn of(key: &DesiredKey) -> &'static [Self] {
        if key.spec().is_asymmetric() { Self::ASYMMETRIC } else { Self::SYMMETRIC }
    }

    /// Returns the action, with prefix.
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::DescribeKey => "kms:DescribeKey",
            Self::GetKeyPolicy => "kms:GetKeyPolicy",
            Self::GetPublicKey => "kms:GetPublicKey",
            Self::ListGrants => "kms:ListGrants",
        }
    }

    /// Returns whether it is denied to those who need not have it. The others may be had by anybody.
    pub(super) fn is_guarded(self) -> bool {
        match self {
            Self::GetKeyPolicy | Self::GetPublicKey => true,
            Self::DescribeKey | Self::ListGrants => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::KeySpec;
    use crate::kms::Origin;

    #[test]
    fn every_key_has_its_uses_and_no_others() {
        for spec in KeySpec::ALL {
            for usage in spec.usages() {
                let uses = Use::of(KeyShape::new(*spec, *usage));
                assert!(uses.contains(&Use::gravest(*usage)), "{spec} {usage}");
                let wanted: &[Use] = match usage {
                    KeyUsage::EncryptDecrypt if spec.is_asymmetric() => &[Use::Encrypt, Use::Decrypt, Use::ReEncrypt],
                    KeyUsage::EncryptDecrypt => &Use::ALL[..7],
                    KeyUsage::SignVerify => &[Use::Sign, Use::Verify],
                    KeyUsage::GenerateVerifyMac => &[Use::GenerateMac, Use::VerifyMac],
                    KeyUsage::KeyAgreement => &[Use::DeriveSharedSecret],
                    KeyUsage::EncapsulateDecapsulate => &[Use::Encapsulate, Use::Decapsulate],
                };
                assert_eq!(uses, wanted, "{spec} {usage}");
            }
        }
        let stored = Use::of(KeyShape::default().with_origin(Origin::AwsCloudHsm));
        assert_eq!(stored, Use::ALL[..5]);
    }
}
