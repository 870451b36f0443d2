//! What material computes on this side, so that an answer of KMS proves that it has the same.

use super::{Material, private_key};
use crate::kms::{KeySpec, MacAlgorithm};
use crate::secret::SecretBytes;
use aws_lc_rs::{agreement, hmac};

/// How the library calls key agreement on each curve.
const CURVES: &[(KeySpec, &agreement::Algorithm)] = &[
    (KeySpec::EccNistP256, &agreement::ECDH_P256),
    (KeySpec::EccNistP384, &agreement::ECDH_P384),
    (KeySpec::EccNistP521, &agreement::ECDH_P521),
];

/// Returns how the library calls a MAC algorithm.
pub(crate) fn hmac_of(algorithm: MacAlgorithm) -> hmac::Algorithm {
    match algorithm {
        MacAlgorithm::HmacSha224 => hmac::HMAC_SHA224,
        MacAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
        MacAlgorithm::HmacSha384 => hmac::HMAC_SHA384,
        MacAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
    }
}

impl Material {
    /// Returns the public half of a private key, as a subject's public key info in DER: what `GetPublicKey` has to
    /// return, and what checks KMS's signatures. `None` for secrets.
    pub fn public_key(&self) -> Option<Vec<u8>> {
        private_key::public_key(self.spec, self.bytes.expose_secret())
    }

    /// Returns the code of a message; `None` unless it is the material of an HMAC key that uses the algorithm.
    pub fn mac(&self, algorithm: MacAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        let key = (algorithm.key_spec() == self.spec)
            .then(|| hmac::Key::new(hmac_of(algorithm), self.bytes.expose_secret()))?;
        Some(hmac::sign(&key, message).as_ref().to_vec())
    }

    /// Returns the secret that a private key shares with the holder of a public key, a subject's public key info in
    /// DER; `None` unless both are on one curve that agrees.
    pub fn agree(&self, peer: &[u8]) -> Option<SecretBytes> {
        let (_, curve) = CURVES.iter().find(|(spec, _)| *spec == self.spec)?;
        let key = agreement::PrivateKey::from_private_key_der(curve, self.bytes.expose_secret()).ok()?;
        let peer = agreement::UnparsedPublicKey::new(curve, peer);
        agreement::agree(&key, peer, (), |secret| Ok(SecretBytes::new(secret.to_vec()))).ok()
    }
}
