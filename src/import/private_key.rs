//! Private keys: read from PKCS#8, PKCS#1 or SEC1, and written as the PKCS#8 that KMS takes.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html#importing-keys-material-requirements>

use super::der::{self, Outline};
use super::encoding::{self, Buffer};
use super::{Found, KeyKind, MaterialFlaw, Weakness, pem};
use crate::desired::MaterialEncoding;
use crate::kms::KeySpec;
use crate::secret::SecretBytes;
use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
};

/// How the library calls ECDSA on each curve.
const CURVES: &[(KeySpec, &EcdsaSigningAlgorithm)] = &[
    (KeySpec::EccNistP256, &ECDSA_P256_SHA256_ASN1_SIGNING),
    (KeySpec::EccNistP384, &ECDSA_P384_SHA384_ASN1_SIGNING),
    (KeySpec::EccNistP521, &ECDSA_P521_SHA512_ASN1_SIGNING),
    (KeySpec::EccSecgP256k1, &ECDSA_P256K1_SHA256_ASN1_SIGNING),
];

/// A private key of a spec, as the library holds it.
enum PrivateKey {
    Rsa(rsa::KeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Reads a private key, and writes it as PKCS#8 in DER, version 1.
pub(super) fn read(spec: KeySpec, encoding: MaterialEncoding, given: &[u8]) -> Result<SecretBytes, MaterialFlaw> {
    let der = decode(spec, encoding, given)?;
    let rejected = || match der::outline(&der) {
        Outline::PrivateKey(Some(found)) if !is_of(found, spec) => MaterialFlaw::OtherKey { spec, found },
        Outline::PrivateKey(_) => MaterialFlaw::Damaged(spec),
        Outline::Other(_) if pem::is_pem(&der) => MaterialFlaw::NotPrivateKey(Found::PemText),
        Outline::Other(found) => MaterialFlaw::NotPrivateKey(found),
        Outline::Trailing(length) => {
            let line_end = der.ends_with(b"\n") && length <= 2;
            MaterialFlaw::Trailing { line_end }
        }
    };
    let key = PrivateKey::read(spec, &der).ok_or_else(rejected)?;
    if let Some(weakness) = key.weakness() {
        return Err(MaterialFlaw::Weak(weakness));
    }
    key.pkcs8().ok_or(MaterialFlaw::Damaged(spec))
}

fn decode(spec: KeySpec, encoding: MaterialEncoding, given: &[u8]) -> Result<Buffer, MaterialFlaw> {
    let undecodable = || {
        let reading = pem::is_pem(given).then_some(super::Reading::As(MaterialEncoding::Pem));
        MaterialFlaw::Undecodable { encoding, reading }
    };
    match encoding {
        MaterialEncoding::Raw => Err(MaterialFlaw::Encoding { spec, encoding }),
        MaterialEncoding::Pem => pem::read(given),
        MaterialEncoding::Hex | MaterialEncoding::Base64 | MaterialEncoding::Der => {
            encoding::decode(encoding, given).ok_or_else(undecodable)
        }
    }
}

fn is_of(found: KeyKind, spec: KeySpec) -> bool {
    found == KeyKind::Of(spec) || matches!(found, KeyKind::Rsa(bits) if spec.rsa_bits() == Some(bits))
}

impl PrivateKey {
    /// Reads a key of a spec; `None` if it is none.
    fn read(spec: KeySpec, der: &[u8]) -> Option<Self> {
        if let Some(bits) = spec.rsa_bits() {
            let key = rsa::KeyPair::from_pkcs8(der).or_else(|_| rsa::KeyPair::from_der(der)).ok()?;
            return (key.public_modulus_len() * 8 == bits).then_some(Self::Rsa(key));
        }
        if spec == KeySpec::EccNistEdwards25519 {
            return Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Self::Ed25519);
        }
        let (_, algorithm) = CURVES.iter().find(|(curve, _)| *curve == spec)?;
        EcdsaKeyPair::from_private_key_der(algorithm, der).ok().map(Self::Ecdsa)
    }

    /// Returns it as PKCS#8, version 1.
    fn pkcs8(&self) -> Option<SecretBytes> {
        let bytes = match self {
            Self::Rsa(key) => key.as_der().ok()?.as_ref().to_vec(),
            Self::Ecdsa(key) => key.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Self::Ed25519(key) => key.to_pkcs8v1().ok()?.as_ref().to_vec(),
        };
        Some(SecretBytes::new(bytes))
    }

    /// Returns how the number that makes the key can be guessed. Of RSA nobody chooses one.
    fn weakness(&self) -> Option<Weakness> {
        match self {
            Self::Rsa(_) => None,
            Self::Ecdsa(key) => Weakness::of(key.private_key().as_be_bytes().ok()?.as_ref()),
            Self::Ed25519(key) => Weakness::of(key.seed().ok()?.as_be_bytes().ok()?.as_ref()),
        }
    }

    fn public_key(&self) -> Option<Vec<u8>> {
        let der = match self {
            Self::Rsa(key) => key.public_key().as_der(),
            Self::Ecdsa(key) => key.public_key().as_der(),
            Self::Ed25519(key) => key.public_key().as_der(),
        };
        der.ok().map(|der| der.as_ref().to_vec())
    }
}

/// Returns the public half of a private key of a spec, as a subject's public key info.
pub(super) fn public_key(spec: KeySpec, der: &[u8]) -> Option<Vec<u8>> {
    PrivateKey::read(spec, der)?.public_key()
}
