//! New key material of every spec, by the cryptographic library.

use crate::kms::KeySpec;
use crate::sandbox::random;
use crate::sandbox::state::{Material, MaterialOrigin, MaterialStanding};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use jiff::Timestamp;

/// Returns new material of a symmetric encryption key.
pub(super) fn symmetric(since: Timestamp, origin: MaterialOrigin) -> Material {
    of(&random::bytes(32), since, origin)
}

/// Returns new material of a spec; `None` for the specs that the library does not have.
pub(super) fn new(spec: KeySpec, since: Timestamp) -> Option<Material> {
    bytes(spec).map(|bytes| of(&bytes, since, MaterialOrigin::Creation))
}

fn of(bytes: &[u8], since: Timestamp, origin: MaterialOrigin) -> Material {
    Material {
        id: random::hex(32),
        hex: Some(hex::encode(bytes)),
        since,
        origin,
        standing: MaterialStanding::InUse,
        imported: None,
    }
}

/// Returns the private half or the secret of a new key, as [`Material::hex`] keeps it; `None` for the specs that no
/// library here has.
///
/// [`Material::hex`]: crate::sandbox::state::Material::hex
pub(super) fn bytes(spec: KeySpec) -> Option<Vec<u8>> {
    match spec {
        KeySpec::SymmetricDefault | KeySpec::Hmac256 | KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => {
            Some(random::bytes(32))
        }
        KeySpec::Hmac224 => Some(random::bytes(28)),
        KeySpec::Hmac384 => Some(random::bytes(48)),
        KeySpec::Hmac512 | KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => Some(random::bytes(64)),
        KeySpec::Rsa2048 => rsa(KeySize::Rsa2048),
        KeySpec::Rsa3072 => rsa(KeySize::Rsa3072),
        KeySpec::Rsa4096 => rsa(KeySize::Rsa4096),
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 | KeySpec::EccSecgP256k1 => {
            let key = EcdsaKeyPair::generate(ecdsa(spec)?).ok()?;
            key.to_pkcs8v1().ok().map(|der| der.as_ref().to_vec())
        }
        KeySpec::EccNistEdwards25519 => {
            let key = Ed25519KeyPair::generate().ok()?;
            key.to_pkcs8v1().ok().map(|der| der.as_ref().to_vec())
        }
        KeySpec::Sm2 => None,
    }
}

fn rsa(size: KeySize) -> Option<Vec<u8>> {
    let key = rsa::KeyPair::generate(size).ok()?;
    key.as_der().ok().map(|der| der.as_ref().to_vec())
}

/// Returns how the library calls ECDSA with keys of a spec, each curve with its one hash.
pub(super) fn ecdsa(spec: KeySpec) -> Option<&'static EcdsaSigningAlgorithm> {
    const CURVES: &[(KeySpec, &EcdsaSigningAlgorithm)] = &[
        (KeySpec::EccNistP256, &ECDSA_P256_SHA256_ASN1_SIGNING),
        (KeySpec::EccNistP384, &ECDSA_P384_SHA384_ASN1_SIGNING),
        (KeySpec::EccNistP521, &ECDSA_P521_SHA512_ASN1_SIGNING),
        (KeySpec::EccSecgP256k1, &ECDSA_P256K1_SHA256_ASN1_SIGNING),
    ];
    CURVES.iter().find(|(curve, _)| *curve == spec).map(|(_, algorithm)| *algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spec_but_sm2_has_material() {
        for spec in KeySpec::ALL {
            assert_eq!(new(*spec, Timestamp::UNIX_EPOCH).is_some(), *spec != KeySpec::Sm2, "{spec}");
        }
    }
}
