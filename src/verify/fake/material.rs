//! What the keys of the KMS in memory are made of: real ones, by the library that the self-test computes with.

use crate::desired::KeyKind;
use crate::kms::{KeySpec, KeyUsage};
use crate::verify::local::{self, Signer};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::{agreement, hmac, kem};

/// What a key is made of.
pub(in crate::verify) enum Material {
    Symmetric,
    Rsa(OaepPrivateDecryptingKey, Vec<u8>),
    Signer(Signer),
    Hmac(Box<hmac::Key>),
    Agreement(agreement::PrivateKey, Vec<u8>),
    Kem(kem::DecapsulationKey, Vec<u8>),
}

pub(super) fn material(kind: KeyKind) -> Material {
    use aws_lc_rs::rsa::KeySize;
    let spec = kind.spec();
    match kind.usage() {
        // No library here has it: every use of such a key is refused.
        _ if spec == KeySpec::Sm2 => Material::Symmetric,
        KeyUsage::EncryptDecrypt if spec.is_asymmetric() => {
            let sizes = [(KeySpec::Rsa2048, KeySize::Rsa2048), (KeySpec::Rsa3072, KeySize::Rsa3072)];
            let size = sizes.into_iter().find(|(known, _)| *known == spec).map_or(KeySize::Rsa4096, |(_, size)| size);
            let private = PrivateDecryptingKey::generate(size).unwrap();
            let public = private.public_key().as_der().unwrap().as_ref().to_vec();
            Material::Rsa(OaepPrivateDecryptingKey::new(private).unwrap(), public)
        }
        KeyUsage::EncryptDecrypt => Material::Symmetric,
        KeyUsage::SignVerify => Material::Signer(Signer::generate(spec).unwrap()),
        KeyUsage::GenerateVerifyMac => {
            let algorithm = local::hmac_of(spec.mac_algorithms()[0]);
            Material::Hmac(Box::new(hmac::Key::generate(algorithm, &aws_lc_rs::rand::SystemRandom::new()).unwrap()))
        }
        KeyUsage::KeyAgreement => {
            let curves = [(KeySpec::EccNistP256, &agreement::ECDH_P256), (KeySpec::EccNistP384, &agreement::ECDH_P384)];
            let curve = curves.into_iter().find(|(known, _)| *known == spec).map(|(_, curve)| curve);
            let curve = curve.unwrap_or(&agreement::ECDH_P521);
            let private = agreement::PrivateKey::generate(curve).unwrap();
            let public = private.compute_public_key().unwrap().as_der().unwrap().as_ref().to_vec();
            Material::Agreement(private, public)
        }
        KeyUsage::EncapsulateDecapsulate => {
            let (algorithm, arc) = local::ml_kem(spec).unwrap();
            let private = kem::DecapsulationKey::generate(algorithm).unwrap();
            let raw = private.encapsulation_key().unwrap().key_bytes().unwrap().as_ref().to_vec();
            Material::Kem(private, spki(&raw, arc))
        }
    }
}

/// Returns what is imported into a key of a kind.
pub(in crate::verify) fn to_import(kind: KeyKind) -> Vec<u8> {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    };
    let spec = kind.spec();
    if let Some(algorithm) = spec.mac_algorithms().first() {
        let mut bytes = vec![0; local::mac_length(*algorithm)];
        aws_lc_rs::rand::fill(&mut bytes).unwrap();
        return bytes;
    }
    if spec == KeySpec::Rsa2048 {
        let pair = PrivateDecryptingKey::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        return pair.as_der().unwrap().as_ref().to_vec();
    }
    if spec == KeySpec::EccNistEdwards25519 {
        return Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    }
    let p256 = spec == KeySpec::EccNistP256;
    let curve = if p256 { &ECDSA_P256_SHA256_ASN1_SIGNING } else { &ECDSA_P521_SHA512_ASN1_SIGNING };
    EcdsaKeyPair::generate(curve).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec()
}

/// Returns what a key of a kind is made of once that is imported.
pub(super) fn imported(kind: KeyKind, bytes: &[u8]) -> Material {
    let private = || PrivateDecryptingKey::from_pkcs8(bytes).unwrap();
    let agreeing = |curve| {
        let private = agreement::PrivateKey::from_private_key_der(curve, bytes).unwrap();
        let public = private.compute_public_key().unwrap().as_der().unwrap().as_ref().to_vec();
        Material::Agreement(private, public)
    };
    match (kind.spec(), kind.usage()) {
        (KeySpec::Rsa2048, KeyUsage::EncryptDecrypt) => {
            let public = private().public_key().as_der().unwrap().as_ref().to_vec();
            Material::Rsa(OaepPrivateDecryptingKey::new(private()).unwrap(), public)
        }
        (KeySpec::EccNistP256, KeyUsage::KeyAgreement) => agreeing(&agreement::ECDH_P256),
        (KeySpec::EccNistP521, KeyUsage::KeyAgreement) => agreeing(&agreement::ECDH_P521),
        (_, KeyUsage::SignVerify) => Material::Signer(Signer::imported(kind.spec(), bytes)),
        (spec, _) => Material::Hmac(Box::new(hmac::Key::new(local::hmac_of(spec.mac_algorithms()[0]), bytes))),
    }
}

/// Returns the public key of ML-KEM as KMS gives it.
fn spki(raw: &[u8], arc: u8) -> Vec<u8> {
    let two = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let algorithm = [&[0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04][..], &[arc]].concat();
    let bits = [&[0x03, 0x82][..], &two(raw.len() + 1), &[0], raw].concat();
    [&[0x30, 0x82][..], &two(algorithm.len() + bits.len()), &algorithm, &bits].concat()
}

/// Returns a private key of P-256 as PKCS #8, and its public half.
pub(super) fn pair() -> (Vec<u8>, Vec<u8>) {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let public = pair.public_key().as_der().unwrap().as_ref().to_vec();
    (pair.to_pkcs8v1().unwrap().as_ref().to_vec(), public)
}
