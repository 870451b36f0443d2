//! RSA OAEP.

use crate::kms::{EncryptionAlgorithm, KeySpec};
use crate::sandbox::error::ApiError;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey,
};

/// Returns how the library calls an algorithm, and the bytes of its hash; `None` if it is no RSA algorithm.
fn oaep(algorithm: EncryptionAlgorithm) -> Option<(&'static OaepAlgorithm, usize)> {
    match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => Some((&OAEP_SHA1_MGF1SHA1, 20)),
        EncryptionAlgorithm::RsaesOaepSha256 => Some((&OAEP_SHA256_MGF1SHA256, 32)),
        EncryptionAlgorithm::SymmetricDefault | EncryptionAlgorithm::Sm2Pke => None,
    }
}

/// Refuses a plaintext that does not fit into one block of the key.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
pub(super) fn check_length(spec: KeySpec, algorithm: EncryptionAlgorithm, plaintext: usize) -> Result<(), ApiError> {
    let modulus: &[(KeySpec, usize)] = &[(KeySpec::Rsa2048, 256), (KeySpec::Rsa3072, 384), (KeySpec::Rsa4096, 512)];
    let modulus = modulus.iter().find(|(rsa, _)| *rsa == spec).map(|(_, bytes)| *bytes);
    let (Some(modulus), Some((_, hash))) = (modulus, oaep(algorithm)) else { return Ok(()) };
    let longest = modulus.saturating_sub(2 * hash + 2);
    if plaintext <= longest {
        return Ok(());
    }
    let message = format!("Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {longest} bytes.");
    Err(ApiError::validation(message))
}

/// Encrypts under the public half of a private key; `None` if the key is damaged.
pub(super) fn encrypt(algorithm: EncryptionAlgorithm, private: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    let (oaep, _) = oaep(algorithm)?;
    let key = OaepPublicEncryptingKey::new(PrivateDecryptingKey::from_pkcs8(private).ok()?.public_key()).ok()?;
    let mut ciphertext = vec![0; key.ciphertext_size()];
    let length = key.encrypt(oaep, plaintext, &mut ciphertext, None).ok()?.len();
    ciphertext.truncate(length);
    Some(ciphertext)
}

/// Decrypts; `None` if the ciphertext is not of this key and algorithm.
pub(super) fn decrypt(algorithm: EncryptionAlgorithm, private: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let (oaep, _) = oaep(algorithm)?;
    let key = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(private).ok()?).ok()?;
    let mut plaintext = vec![0; key.min_output_size()];
    let length = key.decrypt(oaep, ciphertext, &mut plaintext, None).ok()?.len();
    plaintext.truncate(length);
    Some(plaintext)
}
