//! New key material of every spec, by the cryptographic library.

use crate::kms::KeySpec;
use crate::sandbox::random;
use crate::sandbox::state::{Material, MaterialOrigin, MaterialStanding};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::kem::{self, DecapsulationKey};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, ML_DSA_44_SIGNING,
    ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm,
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

/// Returns the private half or the secret of a new key: PKCS#8 of asymmetric keys (ML-KEM: the decapsulation key of
/// FIPS 203), otherwise the secret itself; `None` for the specs that the library does not have.
fn bytes(spec: KeySpec) -> Option<Vec<u8>> {
    match spec {
        KeySpec::SymmetricDefault | KeySpec::Hmac256 => Some(random::bytes(32)),
        KeySpec::Hmac224 => Some(random::bytes(28)),
        KeySpec::Hmac384 => Some(random::bytes(48)),
        KeySpec::Hmac512 => Some(random::bytes(64)),
        KeySpec::Rsa2048 => rsa(KeySize::Rsa2048),
        KeySpec::Rsa3072 => rsa(KeySize::Rsa3072),
        KeySpec::Rsa4096 => rsa(KeySize::Rsa4096),
        KeySpec::EccNistP256 => ecc(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeySpec::EccNistP384 => ecc(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeySpec::EccNistP521 => ecc(&ECDSA_P521_SHA512_ASN1_SIGNING),
        KeySpec::EccSecgP256k1 => ecc(&ECDSA_P256K1_SHA256_ASN1_SIGNING),
        KeySpec::EccNistEdwards25519 => {
            Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8v1()).ok().map(|der| der.as_ref().to_vec())
        }
        KeySpec::MlDsa44 => ml_dsa(&ML_DSA_44_SIGNING),
        KeySpec::MlDsa65 => ml_dsa(&ML_DSA_65_SIGNING),
        KeySpec::MlDsa87 => ml_dsa(&ML_DSA_87_SIGNING),
        KeySpec::MlKem512 => ml_kem(&kem::ML_KEM_512),
        KeySpec::MlKem768 => ml_kem(&kem::ML_KEM_768),
        KeySpec::MlKem1024 => ml_kem(&kem::ML_KEM_1024),
        KeySpec::Sm2 => None,
    }
}

fn rsa(size: KeySize) -> Option<Vec<u8>> {
    let key = rsa::KeyPair::generate(size).ok()?;
    key.as_der().ok().map(|der| der.as_ref().to_vec())
}

fn ecc(algorithm: &'static EcdsaSigningAlgorithm) -> Option<Vec<u8>> {
    let key = EcdsaKeyPair::generate(algorithm).ok()?;
    key.to_pkcs8v1().ok().map(|der| der.as_ref().to_vec())
}

fn ml_dsa(algorithm: &'static PqdsaSigningAlgorithm) -> Option<Vec<u8>> {
    let key = PqdsaKeyPair::generate(algorithm).ok()?;
    key.to_pkcs8v1().ok().map(|der| der.as_ref().to_vec())
}

fn ml_kem(algorithm: &'static kem::Algorithm) -> Option<Vec<u8>> {
    let key = DecapsulationKey::generate(algorithm).ok()?;
    key.key_bytes().ok().map(|bytes| bytes.as_ref().to_vec())
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
