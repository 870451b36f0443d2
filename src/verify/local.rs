//! Cryptography on this machine: the other side of what KMS computes, by the same library as the envelope.

use crate::kms::{EncryptionAlgorithm, KeySpec, MacAlgorithm, SigningAlgorithm};
use crate::ports::Encapsulated;
use crate::secret::SecretBytes;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use aws_lc_rs::{agreement, hmac, kem, rand};

mod signer;

pub(super) use crate::import::hmac_of;
pub(super) use signer::Signer;

/// Why something is not checked on this machine.
const NO_SM2: &str = "the cryptographic library on this side has no SM2";

/// What this side says of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opinion {
    Valid,
    Invalid,
    /// It cannot be told, for this reason.
    Unable(&'static str),
}

/// Checks a signature of KMS with the public key.
pub(super) fn check(
    spec: KeySpec,
    algorithm: SigningAlgorithm,
    public: &[u8],
    (message, signature): (&[u8], &[u8]),
) -> Opinion {
    let algorithm = match verification(spec, algorithm) {
        Ok(algorithm) => algorithm,
        Err(reason) => return Opinion::Unable(reason),
    };
    match UnparsedPublicKey::new(algorithm, public).verify(message, signature) {
        Ok(()) => Opinion::Valid,
        Err(aws_lc_rs::error::Unspecified) => Opinion::Invalid,
    }
}

fn verification(
    spec: KeySpec,
    algorithm: SigningAlgorithm,
) -> Result<&'static dyn VerificationAlgorithm, &'static str> {
    use SigningAlgorithm as A;
    Ok(match algorithm {
        A::RsassaPkcs1V15Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        A::RsassaPkcs1V15Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        A::RsassaPkcs1V15Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        A::RsassaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
        A::RsassaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
        A::RsassaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
        A::EcdsaSha256 if spec == KeySpec::EccSecgP256k1 => &signature::ECDSA_P256K1_SHA256_ASN1,
        A::EcdsaSha256 => &signature::ECDSA_P256_SHA256_ASN1,
        A::EcdsaSha384 => &signature::ECDSA_P384_SHA384_ASN1,
        A::EcdsaSha512 => &signature::ECDSA_P521_SHA512_ASN1,
        A::Ed25519Sha512 => &signature::ED25519,
        A::Ed25519PhSha512 => return Err("the cryptographic library on this side has no Ed25519ph"),
        A::MlDsaShake256 if spec == KeySpec::MlDsa44 => &signature::ML_DSA_44,
        A::MlDsaShake256 if spec == KeySpec::MlDsa65 => &signature::ML_DSA_65,
        A::MlDsaShake256 => &signature::ML_DSA_87,
        A::Sm2Dsa => return Err(NO_SM2),
    })
}

/// Encrypts a text with a public key.
pub(super) fn encrypt(public: &[u8], algorithm: EncryptionAlgorithm, text: &[u8]) -> Result<Vec<u8>, &'static str> {
    const UNFIT: &str = "nothing could be encrypted with the public key on this side";
    let padding = match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => &OAEP_SHA1_MGF1SHA1,
        EncryptionAlgorithm::RsaesOaepSha256 => &OAEP_SHA256_MGF1SHA256,
        EncryptionAlgorithm::Sm2Pke => return Err(NO_SM2),
        EncryptionAlgorithm::SymmetricDefault => return Err("a symmetric key has no public half"),
    };
    let key = PublicEncryptingKey::from_der(public).map_err(|_| UNFIT)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| UNFIT)?;
    let mut ciphertext = vec![0; key.ciphertext_size()];
    let length = key.encrypt(padding, text, &mut ciphertext, None).map_err(|_| UNFIT)?.len();
    ciphertext.truncate(length);
    Ok(ciphertext)
}

/// The other party of a key agreement, for one probe.
#[derive(Debug)]
pub(super) struct Peer {
    private: agreement::PrivateKey,
    public: Vec<u8>,
}

impl Peer {
    /// Returns a new one on a key's curve.
    pub(super) fn new(spec: KeySpec) -> Result<Self, &'static str> {
        let curve = match spec {
            KeySpec::EccNistP256 => &agreement::ECDH_P256,
            KeySpec::EccNistP384 => &agreement::ECDH_P384,
            KeySpec::EccNistP521 => &agreement::ECDH_P521,
            KeySpec::Sm2 => return Err(NO_SM2),
            KeySpec::SymmetricDefault
            | KeySpec::Rsa2048
            | KeySpec::Rsa3072
            | KeySpec::Rsa4096
            | KeySpec::EccNistEdwards25519
            | KeySpec::EccSecgP256k1
            | KeySpec::Hmac224
            | KeySpec::Hmac256
            | KeySpec::Hmac384
            | KeySpec::Hmac512
            | KeySpec::MlDsa44
            | KeySpec::MlDsa65
            | KeySpec::MlDsa87
            | KeySpec::MlKem512
            | KeySpec::MlKem768
            | KeySpec::MlKem1024 => return Err("keys of this spec agree on nothing"),
        };
        let made = agreement::PrivateKey::generate(curve).and_then(|private| {
            let public = private.compute_public_key()?.as_der()?.as_ref().to_vec();
            Ok(Self { private, public })
        });
        made.map_err(|_| "no key could be made on this side")
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Returns the secret that it shares with the holder of a public key.
    pub(super) fn agree(&self, public: &[u8]) -> Result<SecretBytes, &'static str> {
        let theirs = agreement::UnparsedPublicKey::new(self.private.algorithm(), public);
        let unfit = "this side could not derive a secret with the public key";
        agreement::agree(&self.private, theirs, unfit, |secret| Ok(SecretBytes::new(secret.to_vec())))
    }
}

/// Returns the library's algorithm for ML-KEM keys of a spec, and the last arc of its object identifier.
pub(super) fn ml_kem(spec: KeySpec) -> Option<(&'static kem::Algorithm, u8)> {
    match spec {
        KeySpec::MlKem512 => Some((&kem::ML_KEM_512, 1)),
        KeySpec::MlKem768 => Some((&kem::ML_KEM_768, 2)),
        KeySpec::MlKem1024 => Some((&kem::ML_KEM_1024, 3)),
        KeySpec::SymmetricDefault
        | KeySpec::Rsa2048
        | KeySpec::Rsa3072
        | KeySpec::Rsa4096
        | KeySpec::EccNistP256
        | KeySpec::EccNistP384
        | KeySpec::EccNistP521
        | KeySpec::EccNistEdwards25519
        | KeySpec::EccSecgP256k1
        | KeySpec::Hmac224
        | KeySpec::Hmac256
        | KeySpec::Hmac384
        | KeySpec::Hmac512
        | KeySpec::MlDsa44
        | KeySpec::MlDsa65
        | KeySpec::MlDsa87
        | KeySpec::Sm2 => None,
    }
}

/// How the public key of an ML-KEM key begins, up to the last arc of its algorithm: two lengths that are left out, the
/// algorithm's identifier, the bit string.
///
/// <https://www.rfc-editor.org/rfc/rfc9935>
const ML_KEM_ARC: &[u8] = &[0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04];
/// How long the lengths and what they belong to are, before the identifier and before the key.
const ML_KEM_OUTER: usize = 4;
const ML_KEM_INNER: usize = 5;

/// Returns the key itself out of a `SubjectPublicKeyInfo`.
fn ml_kem_key(public: &[u8], arc: u8) -> Option<&[u8]> {
    let (_, rest) = public.split_at_checked(ML_KEM_OUTER)?;
    let rest = rest.strip_prefix(ML_KEM_ARC)?.strip_prefix(&[arc])?;
    let (bits, key) = rest.split_at_checked(ML_KEM_INNER)?;
    (bits.first() == Some(&0x03) && bits.last() == Some(&0)).then_some(key)
}

/// Encapsulates a new secret for the holder of a public key.
pub(super) fn encapsulate(spec: KeySpec, public: &[u8]) -> Result<Encapsulated, &'static str> {
    const UNFIT: &str = "nothing could be encapsulated for the public key on this side";
    let (algorithm, arc) = ml_kem(spec).ok_or("keys of this spec encapsulate nothing")?;
    let key = ml_kem_key(public, arc).ok_or("the public key is none of ML-KEM")?;
    encapsulated(&kem::EncapsulationKey::new(algorithm, key).map_err(|_| UNFIT)?).ok_or(UNFIT)
}

fn encapsulated(key: &kem::EncapsulationKey) -> Option<Encapsulated> {
    let (ciphertext, secret) = key.encapsulate().ok()?;
    Some(Encapsulated { secret: SecretBytes::new(secret.as_ref().to_vec()), ciphertext: ciphertext.as_ref().to_vec() })
}

/// Encapsulates a new secret for somebody else, whose private half is gone at once.
pub(super) fn encapsulate_for_stranger(spec: KeySpec) -> Option<Encapsulated> {
    let (algorithm, _) = ml_kem(spec)?;
    encapsulated(&kem::DecapsulationKey::generate(algorithm).ok()?.encapsulation_key().ok()?)
}

/// Returns how long the codes of an algorithm are.
pub(super) fn mac_length(algorithm: MacAlgorithm) -> usize {
    hmac_of(algorithm).digest_algorithm().output_len()
}

/// Returns the code of a message under a random key, which is gone at once.
pub(super) fn mac_of_stranger(algorithm: MacAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
    let key = hmac::Key::generate(hmac_of(algorithm), &rand::SystemRandom::new()).ok()?;
    Some(hmac::sign(&key, message).as_ref().to_vec())
}

/// Returns whether the two halves of a data key pair on P-256 belong together.
pub(super) fn is_pair(private: &SecretBytes, public: &[u8]) -> bool {
    const TEXT: &[u8] = b"keywright self-test";
    let random = rand::SystemRandom::new();
    let signed = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private.expose_secret())
        .ok()
        .and_then(|pair| pair.sign(&random, TEXT).ok());
    signed.is_some_and(|signed| {
        UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, public).verify(TEXT, signed.as_ref()).is_ok()
    })
}
