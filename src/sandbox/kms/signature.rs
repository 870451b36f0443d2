//! Signatures by the private half of a key: the cryptography of `Sign` and `Verify`.

use super::public_key::{ml_dsa, spki};
use super::{material, mu};
use crate::kms::{KeySpec, SigningAlgorithm};
use aws_lc_rs::digest::{Algorithm as Hash, Digest, SHA256, SHA384, SHA512, digest};
use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256K1_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    EcdsaKeyPair, Ed25519KeyPair, ML_DSA_44, ML_DSA_65, ML_DSA_87, PqdsaKeyPair, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, UnparsedPublicKey, VerificationAlgorithm,
};
use ed25519_dalek::{Digest as _, Sha512, Signature, SigningKey};

/// What is signed.
pub(super) enum Message<'a> {
    /// The message itself.
    Raw(&'a [u8]),
    /// Its hash.
    Digest(&'a [u8]),
    /// What ML-DSA makes of the public key and the message.
    ///
    /// <https://doi.org/10.6028/NIST.FIPS.204>, section 6.2
    Mu(&'a [u8; 64]),
}

/// Returns the hash of the algorithms that sign one; `None` for those that see the message.
pub(super) fn hash(algorithm: SigningAlgorithm) -> Option<&'static Hash> {
    use SigningAlgorithm as A;
    match algorithm {
        A::RsassaPkcs1V15Sha256 | A::RsassaPssSha256 | A::EcdsaSha256 => Some(&SHA256),
        A::RsassaPkcs1V15Sha384 | A::RsassaPssSha384 | A::EcdsaSha384 => Some(&SHA384),
        A::RsassaPkcs1V15Sha512 | A::RsassaPssSha512 | A::EcdsaSha512 => Some(&SHA512),
        A::Ed25519Sha512 | A::Ed25519PhSha512 | A::MlDsaShake256 | A::Sm2Dsa => None,
    }
}

/// Returns how the library calls an RSA algorithm, for signing and for verifying.
fn rsa(algorithm: SigningAlgorithm) -> Option<(&'static dyn RsaEncoding, &'static dyn VerificationAlgorithm)> {
    use SigningAlgorithm as A;
    match algorithm {
        A::RsassaPkcs1V15Sha256 => Some((&RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256)),
        A::RsassaPkcs1V15Sha384 => Some((&RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384)),
        A::RsassaPkcs1V15Sha512 => Some((&RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512)),
        A::RsassaPssSha256 => Some((&RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256)),
        A::RsassaPssSha384 => Some((&RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384)),
        A::RsassaPssSha512 => Some((&RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512)),
        A::EcdsaSha256
        | A::EcdsaSha384
        | A::EcdsaSha512
        | A::Ed25519Sha512
        | A::Ed25519PhSha512
        | A::MlDsaShake256
        | A::Sm2Dsa => None,
    }
}

/// Returns how the library verifies by keys of a spec; RSA is left to [`rsa`].
fn verification(spec: KeySpec) -> Option<&'static dyn VerificationAlgorithm> {
    const ALGORITHMS: &[(KeySpec, &dyn VerificationAlgorithm)] = &[
        (KeySpec::EccNistP256, &ECDSA_P256_SHA256_ASN1),
        (KeySpec::EccNistP384, &ECDSA_P384_SHA384_ASN1),
        (KeySpec::EccNistP521, &ECDSA_P521_SHA512_ASN1),
        (KeySpec::EccSecgP256k1, &ECDSA_P256K1_SHA256_ASN1),
        (KeySpec::EccNistEdwards25519, &ED25519),
        (KeySpec::MlDsa44, &ML_DSA_44),
        (KeySpec::MlDsa65, &ML_DSA_65),
        (KeySpec::MlDsa87, &ML_DSA_87),
    ];
    ALGORITHMS.iter().find(|(known, _)| *known == spec).map(|(_, algorithm)| *algorithm)
}

/// Returns the hash that is signed; `None` if the message is no hash of this kind.
fn hashed(hash: &'static Hash, message: &Message<'_>) -> Option<Digest> {
    match message {
        Message::Raw(message) => Some(digest(hash, message)),
        Message::Digest(digest) => Digest::import_less_safe(digest, hash).ok(),
        Message::Mu(_) => None,
    }
}

/// Returns the key of Ed25519ph, which the library lacks.
fn ed25519ph(private: &[u8]) -> Option<SigningKey> {
    let seed = Ed25519KeyPair::from_pkcs8(private).ok()?.seed().ok()?.as_be_bytes().ok()?;
    Some(SigningKey::from_bytes(seed.as_ref().try_into().ok()?))
}

/// Signs; `None` if the key is damaged, or algorithm, key and message do not go together.
pub(super) fn sign(
    spec: KeySpec,
    algorithm: SigningAlgorithm,
    private: &[u8],
    message: &Message<'_>,
) -> Option<Vec<u8>> {
    if let Some(hash) = hash(algorithm) {
        return sign_hash(spec, algorithm, private, &hashed(hash, message)?);
    }
    match (algorithm, message) {
        (SigningAlgorithm::Ed25519Sha512, Message::Raw(message)) => {
            Some(Ed25519KeyPair::from_pkcs8(private).ok()?.sign(message).as_ref().to_vec())
        }
        (SigningAlgorithm::Ed25519PhSha512, Message::Digest(digest)) => {
            let signature = ed25519ph(private)?.sign_prehashed(Sha512::new().chain_update(digest), None).ok()?;
            Some(signature.to_bytes().to_vec())
        }
        (SigningAlgorithm::MlDsaShake256, Message::Raw(message)) => {
            let algorithm = ml_dsa(spec)?;
            let mut signature = vec![0; algorithm.signature_len()];
            PqdsaKeyPair::from_seed(algorithm, private).ok()?.sign(message, &mut signature).ok()?;
            Some(signature)
        }
        (SigningAlgorithm::MlDsaShake256, Message::Mu(mu)) => mu::sign(spec, private, mu),
        _ => None,
    }
}

fn sign_hash(spec: KeySpec, algorithm: SigningAlgorithm, private: &[u8], digest: &Digest) -> Option<Vec<u8>> {
    if let Some((encoding, _)) = rsa(algorithm) {
        let key = rsa::KeyPair::from_pkcs8(private).ok()?;
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign_digest(encoding, digest, &mut signature).ok()?;
        return Some(signature);
    }
    let key = EcdsaKeyPair::from_pkcs8(material::ecdsa(spec)?, private).ok()?;
    key.sign_digest(digest).ok().map(|signature| signature.as_ref().to_vec())
}

/// Returns whether a signature is that of the key, the algorithm and the message.
pub(super) fn verify(
    spec: KeySpec,
    algorithm: SigningAlgorithm,
    private: &[u8],
    message: &Message<'_>,
    signature: &[u8],
) -> bool {
    valid(spec, algorithm, private, message, signature).unwrap_or(false)
}

fn valid(
    spec: KeySpec,
    algorithm: SigningAlgorithm,
    private: &[u8],
    message: &Message<'_>,
    signature: &[u8],
) -> Option<bool> {
    let by = rsa(algorithm).map(|(_, by)| by).or_else(|| verification(spec))?;
    let key = || spki(spec, private).map(|public| UnparsedPublicKey::new(by, public));
    if let Some(hash) = hash(algorithm) {
        return Some(key()?.verify_digest(&hashed(hash, message)?, signature).is_ok());
    }
    match (algorithm, message) {
        (SigningAlgorithm::Ed25519PhSha512, Message::Digest(digest)) => {
            let signature = Signature::from_slice(signature).ok()?;
            let prehashed = Sha512::new().chain_update(digest);
            Some(ed25519ph(private)?.verifying_key().verify_prehashed(prehashed, None, &signature).is_ok())
        }
        (SigningAlgorithm::MlDsaShake256, Message::Mu(mu)) => mu::verify(spec, private, mu, signature),
        (SigningAlgorithm::Ed25519Sha512 | SigningAlgorithm::MlDsaShake256, Message::Raw(message)) => {
            Some(key()?.verify(message, signature).is_ok())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of RFC 8032, section 7.3.
    #[test]
    fn ed25519ph_signs_as_its_rfc_says() {
        let seed = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42";
        let private = hex::decode(format!("302e020100300506032b657004220420{seed}")).unwrap();
        let (spec, algorithm) = (KeySpec::EccNistEdwards25519, SigningAlgorithm::Ed25519PhSha512);
        let signature = sign(spec, algorithm, &private, &Message::Digest(b"abc")).unwrap();
        let expected = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
                        31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";
        assert_eq!(hex::encode(&signature), expected);
        assert!(verify(spec, algorithm, &private, &Message::Digest(b"abc"), &signature));
        assert!(!verify(spec, algorithm, &private, &Message::Digest(b"abd"), &signature));
    }
}
