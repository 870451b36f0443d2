//! Somebody else who signs in the same way, so that there are signatures for the key under test to refuse.

use crate::kms::{KeySpec, SigningAlgorithm};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, PqdsaKeyPair, PqdsaSigningAlgorithm, RsaEncoding,
    RsaKeyPair,
};

/// A key pair that signs.
#[derive(Debug)]
pub(in crate::verify) enum Signer {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl Signer {
    /// Returns a new one of a spec; `None` for the specs that the library does not have.
    pub(in crate::verify) fn generate(spec: KeySpec) -> Option<Self> {
        let rsa = |size| RsaKeyPair::generate(size).ok().map(|pair| Self::Rsa(Box::new(pair)));
        let ecdsa = |curve: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::generate(curve).ok().map(Self::Ecdsa);
        let ml_dsa = |size: &'static PqdsaSigningAlgorithm| PqdsaKeyPair::generate(size).ok().map(Self::MlDsa);
        match spec {
            KeySpec::Rsa2048 => rsa(KeySize::Rsa2048),
            KeySpec::Rsa3072 => rsa(KeySize::Rsa3072),
            KeySpec::Rsa4096 => rsa(KeySize::Rsa4096),
            KeySpec::EccNistP256 => ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING),
            KeySpec::EccNistP384 => ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING),
            KeySpec::EccNistP521 => ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING),
            KeySpec::EccSecgP256k1 => ecdsa(&signature::ECDSA_P256K1_SHA256_ASN1_SIGNING),
            KeySpec::EccNistEdwards25519 => Ed25519KeyPair::generate().ok().map(Self::Ed25519),
            KeySpec::MlDsa44 => ml_dsa(&signature::ML_DSA_44_SIGNING),
            KeySpec::MlDsa65 => ml_dsa(&signature::ML_DSA_65_SIGNING),
            KeySpec::MlDsa87 => ml_dsa(&signature::ML_DSA_87_SIGNING),
            KeySpec::SymmetricDefault
            | KeySpec::Hmac224
            | KeySpec::Hmac256
            | KeySpec::Hmac384
            | KeySpec::Hmac512
            | KeySpec::MlKem512
            | KeySpec::MlKem768
            | KeySpec::MlKem1024
            | KeySpec::Sm2 => None,
        }
    }

    /// Returns the one whose private half is imported, as PKCS #8.
    #[cfg(test)]
    pub(in crate::verify) fn imported(spec: KeySpec, private: &[u8]) -> Self {
        let curves = [
            (KeySpec::EccNistP256, &signature::ECDSA_P256_SHA256_ASN1_SIGNING),
            (KeySpec::EccNistP521, &signature::ECDSA_P521_SHA512_ASN1_SIGNING),
        ];
        match curves.into_iter().find(|(curve, _)| *curve == spec) {
            Some((_, algorithm)) => Self::Ecdsa(EcdsaKeyPair::from_pkcs8(algorithm, private).unwrap()),
            None if spec == KeySpec::EccNistEdwards25519 => {
                Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(private).unwrap())
            }
            None => Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(private).unwrap())),
        }
    }

    /// Signs a message. Ed25519 signs the message itself whatever the algorithm: the library has no Ed25519ph.
    pub(in crate::verify) fn sign(&self, algorithm: SigningAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(encoding(algorithm)?, &random, message, &mut signed).ok()?;
                Some(signed)
            }
            Self::Ecdsa(pair) => pair.sign(&random, message).ok().map(|signed| signed.as_ref().to_vec()),
            Self::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Self::MlDsa(pair) => {
                let mut signed = vec![0; pair.algorithm().signature_len()];
                let length = pair.sign(message, &mut signed).ok()?;
                signed.truncate(length);
                Some(signed)
            }
        }
    }

    /// Returns the public half, as KMS gives it.
    pub(in crate::verify) fn public(&self) -> Option<Vec<u8>> {
        use aws_lc_rs::encoding::AsDer as _;
        use aws_lc_rs::signature::KeyPair as _;
        let der = match self {
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::Ecdsa(pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::MlDsa(pair) => pair.public_key().as_der(),
        };
        der.ok().map(|der| der.as_ref().to_vec())
    }
}

fn encoding(algorithm: SigningAlgorithm) -> Option<&'static dyn RsaEncoding> {
    use SigningAlgorithm as A;
    match algorithm {
        A::RsassaPkcs1V15Sha256 => Some(&signature::RSA_PKCS1_SHA256),
        A::RsassaPkcs1V15Sha384 => Some(&signature::RSA_PKCS1_SHA384),
        A::RsassaPkcs1V15Sha512 => Some(&signature::RSA_PKCS1_SHA512),
        A::RsassaPssSha256 => Some(&signature::RSA_PSS_SHA256),
        A::RsassaPssSha384 => Some(&signature::RSA_PSS_SHA384),
        A::RsassaPssSha512 => Some(&signature::RSA_PSS_SHA512),
        A::EcdsaSha256
        | A::EcdsaSha384
        | A::EcdsaSha512
        | A::Ed25519Sha512
        | A::Ed25519PhSha512
        | A::MlDsaShake256
        | A::Sm2Dsa => None,
    }
}
