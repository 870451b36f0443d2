//! Algorithms: their names, and which of them the keys of a spec use.

use super::shape::names;
use super::{KeySpec, KeyUsage};

names!(
    /// How a key signs.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html#KMS-Sign-request-SigningAlgorithm>
    SigningAlgorithm, "signing algorithm", {
        /// RSA PKCS #1 v1.5 with SHA-256.
        RsassaPkcs1V15Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
        /// RSA PKCS #1 v1.5 with SHA-384.
        RsassaPkcs1V15Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
        /// RSA PKCS #1 v1.5 with SHA-512.
        RsassaPkcs1V15Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
        /// RSA PSS with SHA-256.
        RsassaPssSha256 = "RSASSA_PSS_SHA_256",
        /// RSA PSS with SHA-384.
        RsassaPssSha384 = "RSASSA_PSS_SHA_384",
        /// RSA PSS with SHA-512.
        RsassaPssSha512 = "RSASSA_PSS_SHA_512",
        /// ECDSA with SHA-256.
        EcdsaSha256 = "ECDSA_SHA_256",
        /// ECDSA with SHA-384.
        EcdsaSha384 = "ECDSA_SHA_384",
        /// ECDSA with SHA-512.
        EcdsaSha512 = "ECDSA_SHA_512",
        /// Ed25519 over the message.
        Ed25519Sha512 = "ED25519_SHA_512",
        /// Ed25519ph: over the message's SHA-512.
        Ed25519PhSha512 = "ED25519_PH_SHA_512",
        /// ML-DSA.
        MlDsaShake256 = "ML_DSA_SHAKE_256",
        /// SM2, in China only.
        Sm2Dsa = "SM2DSA",
    }
);

names!(
    /// How a key encrypts.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html#KMS-Encrypt-request-EncryptionAlgorithm>
    EncryptionAlgorithm, "encryption algorithm", {
        /// AES-256-GCM, or SM4 in China.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSA OAEP with SHA-1.
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        /// RSA OAEP with SHA-256.
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        /// SM2, in China only.
        Sm2Pke = "SM2PKE",
    }
);

names!(
    /// How a key makes message authentication codes.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html#KMS-GenerateMac-request-MacAlgorithm>
    MacAlgorithm, "MAC algorithm", {
        /// HMAC with SHA-224.
        HmacSha224 = "HMAC_SHA_224",
        /// HMAC with SHA-256.
        HmacSha256 = "HMAC_SHA_256",
        /// HMAC with SHA-384.
        HmacSha384 = "HMAC_SHA_384",
        /// HMAC with SHA-512.
        HmacSha512 = "HMAC_SHA_512",
    }
);

names!(
    /// How a key derives shared secrets.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_DeriveSharedSecret.html>
    KeyAgreementAlgorithm, "key agreement algorithm", {
        /// Elliptic-curve Diffie-Hellman with cofactor.
        Ecdh = "ECDH",
    }
);

names!(
    /// How a key encapsulates shared secrets.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encapsulate.html>
    EncapsulationAlgorithm, "encapsulation algorithm", {
        /// ML-KEM.
        MlKem = "ML_KEM",
    }
);

impl KeySpec {
    /// Returns the algorithms of keys of the spec that sign.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>
    pub fn signing_algorithms(self) -> &'static [SigningAlgorithm] {
        use SigningAlgorithm as A;
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[
                A::RsassaPkcs1V15Sha256,
                A::RsassaPkcs1V15Sha384,
                A::RsassaPkcs1V15Sha512,
                A::RsassaPssSha256,
                A::RsassaPssSha384,
                A::RsassaPssSha512,
            ],
            Self::EccNistP256 | Self::EccSecgP256k1 => &[A::EcdsaSha256],
            Self::EccNistP384 => &[A::EcdsaSha384],
            Self::EccNistP521 => &[A::EcdsaSha512],
            Self::EccNistEdwards25519 => &[A::Ed25519Sha512, A::Ed25519PhSha512],
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => &[A::MlDsaShake256],
            Self::Sm2 => &[A::Sm2Dsa],
            Self::SymmetricDefault
            | Self::Hmac224
            | Self::Hmac256
            | Self::Hmac384
            | Self::Hmac512
            | Self::MlKem512
            | Self::MlKem768
            | Self::MlKem1024 => &[],
        }
    }

    /// Returns the algorithms of keys of the spec that encrypt.
    pub fn encryption_algorithms(self) -> &'static [EncryptionAlgorithm] {
        use EncryptionAlgorithm as A;
        match self {
            Self::SymmetricDefault => &[A::SymmetricDefault],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[A::RsaesOaepSha1, A::RsaesOaepSha256],
            Self::Sm2 => &[A::Sm2Pke],
            Self::EccNistP256
            | Self::EccNistP384
            | Self::EccNistP521
            | Self::EccNistEdwards25519
            | Self::EccSecgP256k1
            | Self::Hmac224
            | Self::Hmac256
            | Self::Hmac384
            | Self::Hmac512
            | Self::MlDsa44
            | Self::MlDsa65
            | Self::MlDsa87
            | Self::MlKem512
            | Self::MlKem768
            | Self::MlKem1024 => &[],
        }
    }

    /// Returns the algorithms of keys of the spec that make message authentication codes.
    pub fn mac_algorithms(self) -> &'static [MacAlgorithm] {
        let at = MacAlgorithm::ALL.iter().position(|algorithm| algorithm.key_spec() == self);
        at.and_then(|at| MacAlgorithm::ALL.get(at..=at)).unwrap_or_default()
    }

    /// Returns the algorithms of keys of the spec that derive shared secrets.
    pub fn key_agreement_algorithms(self) -> &'static [KeyAgreementAlgorithm] {
        if self.allows(KeyUsage::KeyAgreement) { KeyAgreementAlgorithm::ALL } else { &[] }
    }

    /// Returns the algorithms of keys of the spec that encapsulate shared secrets.
    pub fn encapsulation_algorithms(self) -> &'static [EncapsulationAlgorithm] {
        if self.allows(KeyUsage::EncapsulateDecapsulate) { EncapsulationAlgorithm::ALL } else { &[] }
    }
}

impl MacAlgorithm {
    /// Returns the one spec whose keys use it.
    pub fn key_spec(self) -> KeySpec {
        match self {
            Self::HmacSha224 => KeySpec::Hmac224,
            Self::HmacSha256 => KeySpec::Hmac256,
            Self::HmacSha384 => KeySpec::Hmac384,
            Self::HmacSha512 => KeySpec::Hmac512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spec_has_algorithms_for_exactly_its_usages() {
        for spec in KeySpec::ALL {
            let counts = [
                (KeyUsage::EncryptDecrypt, spec.encryption_algorithms().len()),
                (KeyUsage::SignVerify, spec.signing_algorithms().len()),
                (KeyUsage::GenerateVerifyMac, spec.mac_algorithms().len()),
                (KeyUsage::KeyAgreement, spec.key_agreement_algorithms().len()),
                (KeyUsage::EncapsulateDecapsulate, spec.encapsulation_algorithms().len()),
            ];
            for (usage, count) in counts {
                assert_eq!(count > 0, spec.allows(usage), "{spec} {usage}");
            }
        }
    }

    #[test]
    fn an_hmac_key_has_one_algorithm() {
        assert_eq!(KeySpec::Hmac384.mac_algorithms(), [MacAlgorithm::HmacSha384]);
        assert_eq!("ED25519_PH_SHA_512".parse(), Ok(SigningAlgorithm::Ed25519PhSha512));
    }
}
