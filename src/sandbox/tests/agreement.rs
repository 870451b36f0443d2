//! Shared secrets: derived and encapsulated, computed on this side as well.

use super::*;
use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::kem::{EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{EncapsulationAlgorithmSpec, KeyAgreementAlgorithmSpec};

fn der(key: &PrivateKey) -> Vec<u8> {
    let der: PublicKeyX509Der<'_> = key.compute_public_key().unwrap().as_der().unwrap();
    der.as_ref().to_vec()
}

#[tokio::test]
async fn both_sides_derive_the_same_secret() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    for (spec, curve) in [("ECC_NIST_P256", &ECDH_P256), ("ECC_NIST_P384", &ECDH_P384), ("ECC_NIST_P521", &ECDH_P521)] {
        let key = admin.key_of(spec, "KEY_AGREEMENT").await;
        let own = PrivateKey::generate(curve).unwrap();
        let derive = kms.derive_shared_secret().key_id(&key).key_agreement_algorithm(KeyAgreementAlgorithmSpec::Ecdh);
        let derived = derive.clone().public_key(Blob::new(der(&own))).send().await.unwrap();
        let public = UnparsedPublicKey::new(curve, admin.public(&key).await);
        let secret = agreement::agree(&own, public, (), |secret| Ok(secret.to_vec())).unwrap();
        assert_eq!(derived.shared_secret.unwrap().into_inner(), secret, "{spec}");
        assert_eq!(derived.key_origin.unwrap().as_str(), "AWS_KMS");
        let other = if spec == "ECC_NIST_P256" { &ECDH_P384 } else { &ECDH_P256 };
        let other = der(&PrivateKey::generate(other).unwrap());
        assert_eq!(code(derive.clone().public_key(Blob::new(other)).send().await), "ValidationException");
        // A bare point is no SubjectPublicKeyInfo.
        let point = own.compute_public_key().unwrap().as_ref().to_vec();
        assert_eq!(code(derive.public_key(Blob::new(point)).send().await), "ValidationException");
    }
    let signer = admin.key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    let derive = kms.derive_shared_secret().key_id(signer).key_agreement_algorithm(KeyAgreementAlgorithmSpec::Ecdh);
    let public = Blob::new(der(&PrivateKey::generate(&ECDH_P256).unwrap()));
    assert_eq!(code(derive.public_key(public).send().await), "InvalidKeyUsageException");
}

#[tokio::test]
async fn what_is_encapsulated_here_or_there_is_decapsulated() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    let sets = [("ML_KEM_512", &ML_KEM_512, 768, 800), ("ML_KEM_768", &ML_KEM_768, 1088, 1184)];
    for (spec, set, length, public_length) in sets.into_iter().chain([("ML_KEM_1024", &ML_KEM_1024, 1568, 1568)]) {
        let key = admin.key_of(spec, "ENCAPSULATE_DECAPSULATE").await;
        let encapsulate = kms.encapsulate().key_id(&key).encapsulation_algorithm(EncapsulationAlgorithmSpec::MlKem);
        let made = encapsulate.send().await.unwrap();
        let (secret, ciphertext) = (made.shared_secret.unwrap(), made.shared_secret_ciphertext_blob.unwrap());
        assert_eq!((secret.as_ref().len(), ciphertext.as_ref().len()), (32, length));
        let decapsulate = kms.decapsulate().key_id(&key).encapsulation_algorithm(EncapsulationAlgorithmSpec::MlKem);
        let opened = decapsulate.clone().shared_secret_ciphertext_blob(ciphertext).send().await.unwrap();
        assert_eq!(opened.shared_secret.as_ref(), Some(&secret));
        let public = admin.public(&key).await;
        let public = EncapsulationKey::new(set, &public[public.len() - public_length..]).unwrap();
        let (ciphertext, secret) = public.encapsulate().unwrap();
        let ciphertext = ciphertext.as_ref().to_vec();
        let opened = decapsulate.clone().shared_secret_ciphertext_blob(Blob::new(ciphertext.clone()));
        let opened = opened.send().await.unwrap().shared_secret.unwrap();
        assert_eq!(opened.as_ref(), secret.as_ref(), "{spec}");
        let changed: Vec<u8> = ciphertext.iter().map(|byte| byte ^ 1).collect();
        let rejected = decapsulate.clone().shared_secret_ciphertext_blob(Blob::new(changed)).send().await.unwrap();
        assert_ne!(rejected.shared_secret, Some(opened), "a changed ciphertext gives a secret that nobody knows");
        let short = decapsulate.shared_secret_ciphertext_blob(Blob::new([0; 7]));
        assert_eq!(code(short.send().await), "InvalidCiphertextException");
    }
}
