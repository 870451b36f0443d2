//! Makes wrapping keys, unwraps what was imported under them, and tells whether it fits the key.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-get-public-key-and-token.html>

use super::material;
use crate::kms::{KeySpec, WrappingAlgorithm, WrappingKeySpec};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use aws_lc_rs::rsa::{
    self, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair};

/// Returns a new key pair: the private half as PKCS#8, the public half as a subject's public key info.
pub(super) fn generate(spec: WrappingKeySpec) -> Option<(Vec<u8>, Vec<u8>)> {
    let size = match spec {
        WrappingKeySpec::Rsa2048 => KeySize::Rsa2048,
        WrappingKeySpec::Rsa3072 => KeySize::Rsa3072,
        WrappingKeySpec::Rsa4096 => KeySize::Rsa4096,
    };
    let private = PrivateDecryptingKey::generate(size).ok()?;
    let public = private.public_key().as_der().ok()?.as_ref().to_vec();
    Some((private.as_der().ok()?.as_ref().to_vec(), public))
}

/// Decrypts key material with the private key (PKCS#8); `None` if it was not encrypted in this way for that key.
pub(super) fn unwrap(wrapping: WrappingAlgorithm, private: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
    match wrapping {
        WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::OaepSha256 => decrypt(wrapping, private, blob),
        WrappingAlgorithm::AesKeyWrapSha1 | WrappingAlgorithm::AesKeyWrapSha256 => {
            let length = PrivateDecryptingKey::from_pkcs8(private).ok()?.key_size_bytes();
            let (wrapped_key, wrapped) = blob.split_at_checked(length)?;
            let key = AesKek::new(&AES_256, &decrypt(wrapping, private, wrapped_key)?).ok()?;
            let mut material = vec![0; wrapped.len()];
            let length = key.unwrap_with_padding(wrapped, &mut material).ok()?.len();
            material.truncate(length);
            Some(material)
        }
    }
}

fn decrypt(wrapping: WrappingAlgorithm, private: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match wrapping {
        WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::AesKeyWrapSha1 => &OAEP_SHA1_MGF1SHA1,
        WrappingAlgorithm::OaepSha256 | WrappingAlgorithm::AesKeyWrapSha256 => &OAEP_SHA256_MGF1SHA256,
    };
    let key = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(private).ok()?).ok()?;
    let mut plaintext = vec![0; key.min_output_size()];
    let length = key.decrypt(algorithm, blob, &mut plaintext, None).ok()?.len();
    plaintext.truncate(length);
    Some(plaintext)
}

/// Returns imported material in the form in which keys keep it; `None` if it is not that of a key of the spec.
pub(super) fn read(spec: KeySpec, given: &[u8]) -> Option<Vec<u8>> {
    if let Some(length) = spec.secret_length() {
        return (given.len() == length).then(|| given.to_vec());
    }
    if let Some(bits) = spec.rsa_bits() {
        return rsa(bits, given);
    }
    let der = if spec == KeySpec::EccNistEdwards25519 {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(given).ok()?.to_pkcs8v1()
    } else {
        EcdsaKeyPair::from_pkcs8(material::ecdsa(spec)?, given).ok()?.to_pkcs8v1()
    };
    der.ok().map(|der| der.as_ref().to_vec())
}

fn rsa(bits: usize, material: &[u8]) -> Option<Vec<u8>> {
    let key = rsa::KeyPair::from_pkcs8(material).ok().filter(|key| key.public_modulus_len() * 8 == bits)?;
    key.as_der().ok().map(|der| der.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn new(spec: KeySpec) -> Vec<u8> {
        material::new(spec, Timestamp::UNIX_EPOCH).unwrap().bytes().unwrap()
    }

    #[test]
    fn material_fits_its_own_spec_alone() {
        let importable = [
            KeySpec::SymmetricDefault,
            KeySpec::Rsa2048,
            KeySpec::Rsa3072,
            KeySpec::EccNistP256,
            KeySpec::EccNistP384,
            KeySpec::EccNistP521,
            KeySpec::EccNistEdwards25519,
            KeySpec::EccSecgP256k1,
            KeySpec::Hmac224,
            KeySpec::Hmac384,
            KeySpec::Hmac512,
        ];
        for spec in importable {
            let bytes = new(spec);
            for other in KeySpec::ALL {
                // Any bytes of the right length are a secret.
                let is_secret = !other.is_asymmetric();
                let fits = spec == *other || (is_secret && read(*other, &vec![0; bytes.len()]).is_some());
                assert_eq!(read(*other, &bytes).is_some(), fits, "{spec} as {other}");
            }
            // What is kept is read as the same again: the id of the material depends on that.
            let kept = read(spec, &bytes).unwrap();
            assert_eq!(read(spec, &kept).unwrap(), kept, "{spec}");
            assert!(read(spec, &bytes[1..]).is_none(), "{spec}, cut short");
        }
    }

    #[test]
    fn garbage_and_foreign_keys_unwrap_nothing() {
        let (private, public) = generate(WrappingKeySpec::Rsa2048).unwrap();
        assert!(public.len() > 256);
        for wrapping in WrappingAlgorithm::ALL {
            for length in [0, 1, 255, 256, 257, 300] {
                assert!(unwrap(*wrapping, &private, &vec![7; length]).is_none(), "{wrapping} {length}");
            }
        }
    }
}
