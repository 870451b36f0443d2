//! Encrypts material under a wrapping key, so that KMS alone can read it.
//!
//! RSA-OAEP draws randomness inside the library; the AES key between it and long material is drawn here.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-encrypt-key-material.html>

use super::Material;
use crate::kms::{KeySpec, WrappingAlgorithm, WrappingKeySpec};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use zeroize::Zeroizing;

/// The bytes of an AES-256 key.
const AES_KEY_LENGTH: usize = 32;
/// AES key wrap puts one block before what it wraps, and fills the last one.
///
/// <https://www.rfc-editor.org/rfc/rfc5649>
const AES_WRAP_BLOCK: usize = 8;

/// Why material cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// The wrapping key is not an RSA public key.
    #[error("the wrapping key is not an RSA public key in DER (SubjectPublicKeyInfo)")]
    NotRsa,
    /// The wrapping key has a size that KMS does not have.
    #[error("the wrapping key has {0} bits; those of KMS have 2048, 3072 or 4096")]
    Size(usize),
    /// Material of the spec does not travel so.
    #[error("{algorithm} under {key} cannot carry material of a key of spec {spec}")]
    Unfit {
        /// The spec of the key.
        spec: KeySpec,
        /// The algorithm.
        algorithm: WrappingAlgorithm,
        /// The wrapping key.
        key: WrappingKeySpec,
    },
    /// The cryptographic library failed.
    #[error("the cryptographic library could not encrypt the material")]
    Library,
}

impl From<aws_lc_rs::error::Unspecified> for WrapError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Library
    }
}

/// Returns the spec of a wrapping key, which is a subject's public key info in DER.
pub fn wrapping_key_spec(public_key: &[u8]) -> Result<WrappingKeySpec, WrapError> {
    spec_of(&PublicEncryptingKey::from_der(public_key).map_err(|_| WrapError::NotRsa)?)
}

fn spec_of(key: &PublicEncryptingKey) -> Result<WrappingKeySpec, WrapError> {
    let bits = key.key_size_bits();
    let fits = |spec: &&WrappingKeySpec| spec.bytes() * 8 == bits;
    WrappingKeySpec::ALL.iter().find(fits).copied().ok_or(WrapError::Size(bits))
}

impl Material {
    /// Encrypts it under a wrapping key, a subject's public key info in DER.
    pub fn wrap(&self, algorithm: WrappingAlgorithm, public_key: &[u8]) -> Result<Vec<u8>, WrapError> {
        let public_key = PublicEncryptingKey::from_der(public_key).map_err(|_| WrapError::NotRsa)?;
        let (spec, key) = (self.spec, spec_of(&public_key)?);
        if !algorithm.fits(spec, key) {
            return Err(WrapError::Unfit { spec, algorithm, key });
        }
        let public_key = OaepPublicEncryptingKey::new(public_key)?;
        let material = self.bytes.expose_secret();
        if algorithm.uses_aes() {
            let mut aes_key = Zeroizing::new([0; AES_KEY_LENGTH]);
            rand::fill(&mut *aes_key)?;
            let mut wrapped = oaep(algorithm, &public_key, &*aes_key)?;
            wrapped.extend(aes_wrap(&*aes_key, material)?);
            return Ok(wrapped);
        }
        Ok(oaep(algorithm, &public_key, material)?)
    }
}

fn oaep(
    algorithm: WrappingAlgorithm,
    key: &OaepPublicEncryptingKey,
    plaintext: &[u8],
) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    let padding: &'static OaepAlgorithm = match algorithm {
        WrappingAlgorithm::OaepSha256 | WrappingAlgorithm::AesKeyWrapSha256 => &OAEP_SHA256_MGF1SHA256,
        WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::AesKeyWrapSha1 => &OAEP_SHA1_MGF1SHA1,
    };
    let mut ciphertext = vec![0; key.ciphertext_size()];
    let length = key.encrypt(padding, plaintext, &mut ciphertext, None)?.len();
    ciphertext.truncate(length);
    Ok(ciphertext)
}

/// AES key wrap with padding.
fn aes_wrap(key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    let mut wrapped = vec![0; plaintext.len().next_multiple_of(AES_WRAP_BLOCK) + AES_WRAP_BLOCK];
    let length = AesKek::new(&AES_256, key)?.wrap_with_padding(plaintext, &mut wrapped)?.len();
    wrapped.truncate(length);
    Ok(wrapped)
}
