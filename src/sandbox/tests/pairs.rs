//! Data key pairs and encryption under RSA keys.

use super::*;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::{rsa, signature as lc};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeyPairSpec, EncryptionAlgorithmSpec};
use ml_kem::{DecapsulationKey512, DecapsulationKey768, DecapsulationKey1024, KeyExport as _};

/// Returns the public half of a PKCS#8 key.
fn public_of(spec: &str, private: &[u8]) -> Vec<u8> {
    let ecdsa = |curve| lc::EcdsaKeyPair::from_pkcs8(curve, private).unwrap().public_key().as_der().unwrap();
    match spec {
        "ECC_NIST_P256" => ecdsa(&lc::ECDSA_P256_SHA256_ASN1_SIGNING),
        "ECC_NIST_P384" => ecdsa(&lc::ECDSA_P384_SHA384_ASN1_SIGNING),
        "ECC_NIST_P521" => ecdsa(&lc::ECDSA_P521_SHA512_ASN1_SIGNING),
        "ECC_SECG_P256K1" => ecdsa(&lc::ECDSA_P256K1_SHA256_ASN1_SIGNING),
        "ECC_NIST_EDWARDS25519" => lc::Ed25519KeyPair::from_pkcs8(private).unwrap().public_key().as_der().unwrap(),
        _ => rsa::KeyPair::from_pkcs8(private).unwrap().public_key().as_der().unwrap(),
    }
    .as_ref()
    .to_vec()
}

#[tokio::test]
async fn the_halves_of_every_pair_belong_together_and_the_private_one_is_bound_to_its_context() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    for spec in DataKeyPairSpec::values().iter().filter(|spec| **spec != "SM2") {
        let kind = DataKeyPairSpec::from(*spec);
        let generate = kms.generate_data_key_pair().key_id(&key).key_pair_spec(kind.clone());
        let made = generate.encryption_context("a", "b").send().await.unwrap();
        let private = made.private_key_plaintext.unwrap().into_inner();
        let public = made.public_key.unwrap().into_inner();
        if spec.starts_with("ML_KEM") {
            let seed = private[private.len() - 64..].try_into().unwrap();
            let key = match *spec {
                "ML_KEM_512" => DecapsulationKey512::from_seed(seed).encapsulation_key().to_bytes().to_vec(),
                "ML_KEM_768" => DecapsulationKey768::from_seed(seed).encapsulation_key().to_bytes().to_vec(),
                _ => DecapsulationKey1024::from_seed(seed).encapsulation_key().to_bytes().to_vec(),
            };
            assert!(public.ends_with(&key), "{spec}");
        } else {
            assert_eq!(public_of(spec, &private), public, "{spec}");
        }
        assert!(made.key_material_id.is_some());
        let decrypt = kms.decrypt().ciphertext_blob(made.private_key_ciphertext_blob.unwrap());
        assert_eq!(code(decrypt.clone().send().await), "InvalidCiphertextException");
        let opened = decrypt.encryption_context("a", "b").send().await.unwrap().plaintext.unwrap();
        assert_eq!(opened.into_inner(), private);
        let other = kms.generate_data_key_pair_without_plaintext().key_id(&key).key_pair_spec(kind);
        let other = other.send().await.unwrap();
        assert_ne!(other.public_key.unwrap().into_inner(), public);
        kms.decrypt().ciphertext_blob(other.private_key_ciphertext_blob.unwrap()).send().await.unwrap();
    }
    let sm2 = kms.generate_data_key_pair().key_id(&key).key_pair_spec(DataKeyPairSpec::Sm2);
    assert_eq!(code(sm2.send().await), "UnsupportedOperationException");
    let none = kms.generate_data_key_pair().key_id(&key).key_pair_spec(DataKeyPairSpec::from("ML_DSA_44"));
    assert_eq!(code(none.send().await), "ValidationException");
    let rsa = bench.admin().key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let pair = kms.generate_data_key_pair().key_id(rsa).key_pair_spec(DataKeyPairSpec::EccNistP256);
    assert_eq!(code(pair.send().await), "InvalidKeyUsageException");
}

#[tokio::test]
async fn rsa_keys_decrypt_what_is_encrypted_here_or_there() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    let key = admin.key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let public = PublicEncryptingKey::from_der(&admin.public(&key).await).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let algorithms = [
        (EncryptionAlgorithmSpec::RsaesOaepSha1, &OAEP_SHA1_MGF1SHA1, 214),
        (EncryptionAlgorithmSpec::RsaesOaepSha256, &OAEP_SHA256_MGF1SHA256, 190),
    ];
    for (name, algorithm, longest) in algorithms {
        let plaintext = vec![7; longest];
        let encrypt = kms.encrypt().key_id(&key).encryption_algorithm(name.clone());
        let made = encrypt.clone().plaintext(Blob::new(plaintext.clone())).send().await.unwrap();
        let mut ciphertext = vec![0; public.ciphertext_size()];
        public.encrypt(algorithm, &plaintext, &mut ciphertext, None).unwrap();
        let decrypt = kms.decrypt().key_id(&key).encryption_algorithm(name.clone());
        for blob in [made.ciphertext_blob.unwrap(), Blob::new(ciphertext)] {
            let opened = decrypt.clone().ciphertext_blob(blob.clone()).send().await.unwrap();
            assert_eq!(opened.plaintext.unwrap().into_inner(), plaintext);
            assert_eq!((opened.encryption_algorithm.as_ref(), opened.key_material_id), (Some(&name), None));
            let symmetric = kms.decrypt().key_id(&key).ciphertext_blob(blob.clone());
            assert_eq!(code(symmetric.send().await), "InvalidKeyUsageException");
            let nameless = kms.decrypt().encryption_algorithm(name.clone()).ciphertext_blob(blob);
            assert_eq!(code(nameless.send().await), "InvalidCiphertextException");
        }
        assert_eq!(code(decrypt.ciphertext_blob(Blob::new([1; 256])).send().await), "InvalidCiphertextException");
        let long = encrypt.clone().plaintext(Blob::new(vec![7; longest + 1]));
        assert_eq!(code(long.send().await), "ValidationException");
        let context = encrypt.plaintext(Blob::new("x")).encryption_context("a", "b");
        assert_eq!(code(context.send().await), "ValidationException");
    }
}

#[tokio::test]
async fn ciphertext_moves_between_rsa_and_symmetric_keys() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, symmetric) = (admin.kms(), admin.key().await);
    let rsa = admin.key_of("RSA_3072", "ENCRYPT_DECRYPT").await;
    let sealed = kms.encrypt().key_id(&symmetric).plaintext(Blob::new("secret")).encryption_context("a", "b");
    let sealed = sealed.send().await.unwrap().ciphertext_blob.unwrap();
    let there = kms.re_encrypt().ciphertext_blob(sealed).source_encryption_context("a", "b").destination_key_id(&rsa);
    let there = there.destination_encryption_algorithm(EncryptionAlgorithmSpec::RsaesOaepSha256);
    let there = there.send().await.unwrap();
    assert!(there.source_key_material_id.is_some() && there.destination_key_material_id.is_none());
    let back = kms.re_encrypt().ciphertext_blob(there.ciphertext_blob.unwrap()).source_key_id(&rsa);
    let back = back.source_encryption_algorithm(EncryptionAlgorithmSpec::RsaesOaepSha256);
    let back = back.destination_key_id(&symmetric).send().await.unwrap().ciphertext_blob.unwrap();
    let opened = kms.decrypt().ciphertext_blob(back).send().await.unwrap().plaintext.unwrap();
    assert_eq!(opened.as_ref(), b"secret");
}

#[tokio::test]
async fn public_keys_tell_what_they_are_for() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    for (spec, usage) in [
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("ML_DSA_44", "SIGN_VERIFY"),
        ("ECC_NIST_P384", "KEY_AGREEMENT"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
    ] {
        let key = admin.key_of(spec, usage).await;
        let public = admin.kms().get_public_key().key_id(&key).send().await.unwrap();
        assert_eq!(public.key_spec().unwrap().as_str(), spec);
        assert_eq!(public.key_usage().unwrap().as_str(), usage);
        assert!(public.key_id().unwrap().ends_with(&key));
        let counts = [
            public.encryption_algorithms().len(),
            public.signing_algorithms().len(),
            public.key_agreement_algorithms().len(),
            public.encapsulation_algorithms().len(),
        ];
        assert_eq!(counts.iter().filter(|count| **count > 0).count(), 1, "{spec}: {counts:?}");
    }
    let symmetric = admin.kms().get_public_key().key_id(admin.key().await);
    assert_eq!(code(symmetric.send().await), "UnsupportedOperationException");
}

#[tokio::test]
async fn dry_runs_of_every_use_end_before_it() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    let dry = "DryRunOperationException";
    let signer = admin.key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    let sign = kms.sign().key_id(&signer).signing_algorithm("ECDSA_SHA_256".into()).message(Blob::new("x"));
    assert_eq!(code(sign.dry_run(true).send().await), dry);
    let verify = kms.verify().key_id(&signer).signing_algorithm("ECDSA_SHA_256".into()).message(Blob::new("x"));
    assert_eq!(code(verify.signature(Blob::new("x")).dry_run(true).send().await), dry);
    let mac = admin.key_of("HMAC_256", "GENERATE_VERIFY_MAC").await;
    let generate = kms.generate_mac().key_id(&mac).mac_algorithm("HMAC_SHA_256".into()).message(Blob::new("x"));
    assert_eq!(code(generate.clone().dry_run(true).send().await), dry);
    assert_eq!(
        code(generate.mac_algorithm("HMAC_SHA_512".into()).dry_run(true).send().await),
        "InvalidKeyUsageException"
    );
    let verify = kms.verify_mac().key_id(&mac).mac_algorithm("HMAC_SHA_256".into()).message(Blob::new("x"));
    assert_eq!(code(verify.mac(Blob::new("x")).dry_run(true).send().await), dry);
    let pair = kms.generate_data_key_pair().key_id(admin.key().await).key_pair_spec(DataKeyPairSpec::Rsa4096);
    assert_eq!(code(pair.dry_run(true).send().await), dry);
    let pair = kms.generate_data_key_pair_without_plaintext().key_id(admin.key().await);
    assert_eq!(code(pair.key_pair_spec(DataKeyPairSpec::EccNistP256).dry_run(true).send().await), dry);
    let agree = admin.key_of("ECC_NIST_P256", "KEY_AGREEMENT").await;
    let derive = kms.derive_shared_secret().key_id(&agree).key_agreement_algorithm("ECDH".into());
    let public = Blob::new(admin.public(&agree).await);
    assert_eq!(code(derive.public_key(public).dry_run(true).send().await), dry);
    let kem = admin.key_of("ML_KEM_512", "ENCAPSULATE_DECAPSULATE").await;
    let encapsulate = kms.encapsulate().key_id(&kem).encapsulation_algorithm("ML_KEM".into());
    let made = encapsulate.clone().send().await.unwrap().shared_secret_ciphertext_blob.unwrap();
    assert_eq!(code(encapsulate.dry_run(true).send().await), dry);
    let decapsulate = kms.decapsulate().key_id(&kem).encapsulation_algorithm("ML_KEM".into());
    assert_eq!(code(decapsulate.shared_secret_ciphertext_blob(made).dry_run(true).send().await), dry);
    let last = kms.get_key_last_usage().key_id(&signer).send().await.unwrap().key_last_usage.unwrap();
    assert_eq!(last.operation, None);
}
