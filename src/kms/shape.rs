//! Key specs, usages and origins: their names, and which of them go together.

use std::fmt;

/// A text that is no name of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// The kind: `key spec`.
    pub what: &'static str,
    /// The text, as given. Escape it before it reaches a terminal.
    pub text: String,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a {} of AWS KMS", self.text.escape_debug(), self.what)
    }
}

impl std::error::Error for UnknownName {}

/// Declares an enumeration with AWS's names.
macro_rules! names {
    ($(#[$meta:meta])* $type:ident, $what:literal, { $($(#[$note:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[$note])* $variant,)*
        }

        impl $type {
            /// Every value, in AWS's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns AWS's name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::kms::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|value| value.name() == text).copied();
                found.ok_or_else(|| $crate::kms::UnknownName { what: $what, text: text.to_owned() })
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use names;

names!(
    /// The kind of key material.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>
    KeySpec, "key spec", {
        /// AES-256-GCM, or SM4-128 in China.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSA, 2048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA, 3072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA, 4096 bits.
        Rsa4096 = "RSA_4096",
        /// NIST curve P-256.
        EccNistP256 = "ECC_NIST_P256",
        /// NIST curve P-384.
        EccNistP384 = "ECC_NIST_P384",
        /// NIST curve P-521.
        EccNistP521 = "ECC_NIST_P521",
        /// Ed25519.
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
        /// secp256k1.
        EccSecgP256k1 = "ECC_SECG_P256K1",
        /// HMAC with SHA-224.
        Hmac224 = "HMAC_224",
        /// HMAC with SHA-256.
        Hmac256 = "HMAC_256",
        /// HMAC with SHA-384.
        Hmac384 = "HMAC_384",
        /// HMAC with SHA-512.
        Hmac512 = "HMAC_512",
        /// ML-DSA-44.
        MlDsa44 = "ML_DSA_44",
        /// ML-DSA-65.
        MlDsa65 = "ML_DSA_65",
        /// ML-DSA-87.
        MlDsa87 = "ML_DSA_87",
        /// ML-KEM-512.
        MlKem512 = "ML_KEM_512",
        /// ML-KEM-768.
        MlKem768 = "ML_KEM_768",
        /// ML-KEM-1024.
        MlKem1024 = "ML_KEM_1024",
        /// SM2, in China only.
        Sm2 = "SM2",
    }
);

names!(
    /// What a key is for; fixed when it is created.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html#KMS-CreateKey-request-KeyUsage>
    KeyUsage, "key usage", {
        /// Encrypts and decrypts.
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        /// Signs and verifies.
        SignVerify = "SIGN_VERIFY",
        /// Makes and verifies message authentication codes.
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        /// Derives shared secrets.
        KeyAgreement = "KEY_AGREEMENT",
        /// Encapsulates and decapsulates shared secrets.
        EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE",
    }
);

names!(
    /// Where key material comes from.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html#KMS-CreateKey-request-Origin>
    Origin, "key origin", {
        /// KMS makes it.
        AwsKms = "AWS_KMS",
        /// It is imported.
        External = "EXTERNAL",
        /// It lives in a cluster of hardware modules of one's own.
        AwsCloudHsm = "AWS_CLOUDHSM",
        /// It lives outside AWS.
        ExternalKeyStore = "EXTERNAL_KEY_STORE",
    }
);

impl KeySpec {
    /// Returns the usages that a key of the spec can have; the first is KMS's default where there is one.
    pub fn usages(self) -> &'static [KeyUsage] {
        use KeyUsage::{EncapsulateDecapsulate, EncryptDecrypt, GenerateVerifyMac, KeyAgreement, SignVerify};
        match self {
            Self::SymmetricDefault => &[EncryptDecrypt],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[EncryptDecrypt, SignVerify],
            Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521 => &[SignVerify, KeyAgreement],
            Self::EccNistEdwards25519 | Self::EccSecgP256k1 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => {
                &[SignVerify]
            }
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => &[GenerateVerifyMac],
            Self::MlKem512 | Self::MlKem768 | Self::MlKem1024 => &[EncapsulateDecapsulate],
            Self::Sm2 => &[EncryptDecrypt, SignVerify, KeyAgreement],
        }
    }

    /// Returns whether a key of the spec can have a usage.
    pub fn allows(self, usage: KeyUsage) -> bool {
        self.usages().contains(&usage)
    }

    /// Returns the only usage that the spec can have; `None` where there is a choice.
    pub fn only_usage(self) -> Option<KeyUsage> {
        match self.usages() {
            [usage] => Some(*usage),
            _ => None,
        }
    }

    /// Returns whether it is an HMAC key.
    pub fn is_hmac(self) -> bool {
        self.usages() == [KeyUsage::GenerateVerifyMac]
    }

    /// Returns whether the key has a public half.
    pub fn is_asymmetric(self) -> bool {
        self != Self::SymmetricDefault && !self.is_hmac()
    }

    /// Returns whether keys of the spec exist only in the Regions of China.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html#key-spec-sm>
    pub fn only_in_china(self) -> bool {
        self == Self::Sm2
    }
}

/// What a key is, as far as its legal actions depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyShape {
    /// The kind of material.
    pub spec: KeySpec,
    /// What it is for.
    pub usage: KeyUsage,
    /// Where the material comes from.
    pub origin: Origin,
    /// Whether it is a multi-Region key.
    pub multi_region: bool,
}

impl KeyShape {
    /// Returns the shape of a single-Region key whose material KMS makes.
    pub fn new(spec: KeySpec, usage: KeyUsage) -> Self {
        Self { spec, usage, origin: Origin::AwsKms, multi_region: false }
    }

    /// Sets where the material comes from.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Makes it a multi-Region key.
    #[must_use]
    pub fn in_many_regions(mut self) -> Self {
        self.multi_region = true;
        self
    }

    /// Returns whether KMS can rotate the key by itself.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>
    pub fn rotates_automatically(self) -> bool {
        self.spec == KeySpec::SymmetricDefault && self.origin == Origin::AwsKms
    }

    /// Returns whether `RotateKeyOnDemand` works on the key.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html>
    pub fn rotates_on_demand(self) -> bool {
        self.spec == KeySpec::SymmetricDefault && matches!(self.origin, Origin::AwsKms | Origin::External)
    }

    /// Returns whether the key encrypts symmetrically: the only keys whose use carries an encryption context, and that
    /// AWS services take.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>
    pub fn encrypts_symmetrically(self) -> bool {
        self.spec == KeySpec::SymmetricDefault
    }

    /// Returns whether a key can be made in this shape: custom key stores hold single-Region symmetric
    /// encryption keys only.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-store-overview.html>
    pub fn is_legal(self) -> bool {
        let custom_store = matches!(self.origin, Origin::AwsCloudHsm | Origin::ExternalKeyStore);
        self.spec.allows(self.usage) && !(custom_store && (self.spec != KeySpec::SymmetricDefault || self.multi_region))
    }
}

impl Default for KeyShape {
    /// Returns the shape of a symmetric encryption key.
    fn default() -> Self {
        Self::new(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for spec in KeySpec::ALL {
            assert_eq!(spec.name().parse::<KeySpec>().as_ref(), Ok(spec));
            assert!(!spec.usages().is_empty());
        }
        for usage in KeyUsage::ALL {
            assert_eq!(usage.name().parse::<KeyUsage>().as_ref(), Ok(usage));
        }
        assert!("symmetric_default".parse::<KeySpec>().is_err());
    }

    #[test]
    fn specs_limit_usages() {
        assert!(KeySpec::Rsa2048.allows(KeyUsage::SignVerify));
        assert!(!KeySpec::Rsa2048.allows(KeyUsage::KeyAgreement));
        assert_eq!(KeySpec::EccSecgP256k1.only_usage(), Some(KeyUsage::SignVerify));
        assert_eq!(KeySpec::EccNistP256.only_usage(), None);
        assert!(KeySpec::MlKem768.is_asymmetric() && !KeySpec::Hmac224.is_asymmetric());
    }

    #[test]
    fn rotation_depends_on_the_origin() {
        let symmetric = KeyShape::default();
        assert!(symmetric.rotates_automatically() && symmetric.rotates_on_demand());
        let imported = symmetric.with_origin(Origin::External);
        assert!(!imported.rotates_automatically() && imported.rotates_on_demand());
        assert!(!symmetric.with_origin(Origin::AwsCloudHsm).rotates_on_demand());
        assert!(!KeyShape::new(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac).rotates_on_demand());
    }

    #[test]
    fn custom_stores_hold_symmetric_keys_of_one_region() {
        let hsm = KeyShape::default().with_origin(Origin::AwsCloudHsm);
        assert!(hsm.is_legal() && !hsm.in_many_regions().is_legal());
        assert!(!KeyShape::new(KeySpec::Rsa2048, KeyUsage::SignVerify).with_origin(Origin::AwsCloudHsm).is_legal());
        assert!(!KeyShape::new(KeySpec::Hmac256, KeyUsage::SignVerify).is_legal());
    }
}
