//! Signatures and message authentication codes, checked by a library on this side.

use super::*;
use crate::kms::{KeySpec, KeyUsage, SigningAlgorithm};
use aws_lc_rs::digest::digest;
use aws_lc_rs::signature as lc;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};

const MESSAGE: &[u8] = b"a message";

fn local(spec: KeySpec, algorithm: SigningAlgorithm) -> &'static dyn lc::VerificationAlgorithm {
    use SigningAlgorithm as A;
    match (algorithm, spec) {
        (A::RsassaPkcs1V15Sha256, _) => &lc::RSA_PKCS1_2048_8192_SHA256,
        (A::RsassaPkcs1V15Sha384, _) => &lc::RSA_PKCS1_2048_8192_SHA384,
        (A::RsassaPkcs1V15Sha512, _) => &lc::RSA_PKCS1_2048_8192_SHA512,
        (A::RsassaPssSha256, _) => &lc::RSA_PSS_2048_8192_SHA256,
        (A::RsassaPssSha384, _) => &lc::RSA_PSS_2048_8192_SHA384,
        (A::RsassaPssSha512, _) => &lc::RSA_PSS_2048_8192_SHA512,
        (A::EcdsaSha256, KeySpec::EccNistP256) => &lc::ECDSA_P256_SHA256_ASN1,
        (A::EcdsaSha256, _) => &lc::ECDSA_P256K1_SHA256_ASN1,
        (A::EcdsaSha384, _) => &lc::ECDSA_P384_SHA384_ASN1,
        (A::EcdsaSha512, _) => &lc::ECDSA_P521_SHA512_ASN1,
        (A::Ed25519Sha512, _) => &lc::ED25519,
        (A::MlDsaShake256, KeySpec::MlDsa44) => &lc::ML_DSA_44,
        (A::MlDsaShake256, KeySpec::MlDsa65) => &lc::ML_DSA_65,
        (A::MlDsaShake256, _) => &lc::ML_DSA_87,
        (A::Ed25519PhSha512 | A::Sm2Dsa, _) => panic!("{algorithm} is not in this library"),
    }
}

/// Returns what is signed in each message type that the algorithm has, except for an external mu.
fn messages(algorithm: SigningAlgorithm) -> Vec<(MessageType, Vec<u8>)> {
    use SigningAlgorithm as A;
    let raw = (MessageType::Raw, MESSAGE.to_vec());
    let hashed = |hash| (MessageType::Digest, digest(hash, MESSAGE).as_ref().to_vec());
    match algorithm {
        A::RsassaPkcs1V15Sha256 | A::RsassaPssSha256 | A::EcdsaSha256 => vec![raw, hashed(&aws_lc_rs::digest::SHA256)],
        A::RsassaPkcs1V15Sha384 | A::RsassaPssSha384 | A::EcdsaSha384 => vec![raw, hashed(&aws_lc_rs::digest::SHA384)],
        A::RsassaPkcs1V15Sha512 | A::RsassaPssSha512 | A::EcdsaSha512 => vec![raw, hashed(&aws_lc_rs::digest::SHA512)],
        A::Ed25519PhSha512 => vec![hashed(&aws_lc_rs::digest::SHA512)],
        A::Ed25519Sha512 | A::MlDsaShake256 | A::Sm2Dsa => vec![raw],
    }
}

#[tokio::test]
async fn every_key_that_signs_signs_by_each_of_its_algorithms() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    let signing = |spec: &&KeySpec| spec.allows(KeyUsage::SignVerify) && !spec.only_in_china();
    for spec in KeySpec::ALL.iter().filter(signing) {
        let key = admin.key_of(spec.name(), "SIGN_VERIFY").await;
        let public = admin.public(&key).await;
        for algorithm in spec.signing_algorithms() {
            let name = SigningAlgorithmSpec::from(algorithm.name());
            for (kind, message) in messages(*algorithm) {
                let sign = kms.sign().key_id(&key).signing_algorithm(name.clone()).message_type(kind.clone());
                let signed = sign.message(Blob::new(message.clone())).send().await.unwrap();
                assert_eq!(signed.signing_algorithm.as_ref(), Some(&name));
                let signature = signed.signature.unwrap();
                if *algorithm != SigningAlgorithm::Ed25519PhSha512 {
                    let public = lc::UnparsedPublicKey::new(local(*spec, *algorithm), &public);
                    assert!(public.verify(MESSAGE, signature.as_ref()).is_ok(), "{spec} {algorithm} {kind}");
                }
                let verify = kms.verify().key_id(&key).signing_algorithm(name.clone()).message_type(kind);
                let verify = verify.signature(signature);
                assert!(verify.clone().message(Blob::new(message.clone())).send().await.unwrap().signature_valid);
                let changed: Vec<u8> = message.iter().map(|byte| byte ^ 1).collect();
                let refused = verify.message(Blob::new(changed)).send().await;
                assert_eq!(code(refused), "KMSInvalidSignatureException", "{spec} {algorithm}");
            }
        }
    }
}

#[tokio::test]
async fn a_signature_of_another_key_or_of_no_form_is_refused() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    for (spec, algorithm) in
        [("RSA_2048", "RSASSA_PSS_SHA_256"), ("ECC_NIST_P256", "ECDSA_SHA_256"), ("ML_DSA_44", "ML_DSA_SHAKE_256")]
    {
        let (one, other) = (admin.key_of(spec, "SIGN_VERIFY").await, admin.key_of(spec, "SIGN_VERIFY").await);
        let sign = kms.sign().key_id(one).signing_algorithm(algorithm.into()).message(Blob::new(MESSAGE));
        let signature = sign.send().await.unwrap().signature.unwrap();
        let verify = kms.verify().key_id(other).signing_algorithm(algorithm.into()).message(Blob::new(MESSAGE));
        assert_eq!(code(verify.clone().signature(signature).send().await), "KMSInvalidSignatureException");
        assert_eq!(code(verify.signature(Blob::new("x")).send().await), "KMSInvalidSignatureException");
    }
}

#[tokio::test]
async fn what_does_not_fit_a_signing_key_is_refused() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    let key = admin.key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    let sign = |key: &str, algorithm: &str, kind: &str, length: usize| {
        let sign = kms.sign().key_id(key).signing_algorithm(algorithm.into()).message_type(kind.into());
        sign.message(Blob::new(vec![7; length])).send()
    };
    assert_eq!(code(sign(&key, "RSASSA_PSS_SHA_256", "RAW", 9).await), "InvalidKeyUsageException");
    assert_eq!(code(sign(&key, "ECDSA_SHA_384", "RAW", 9).await), "InvalidKeyUsageException");
    assert_eq!(code(sign(&key, "ECDSA_SHA_256", "DIGEST", 31).await), "ValidationException");
    assert_eq!(code(sign(&key, "ECDSA_SHA_256", "EXTERNAL_MU", 64).await), "ValidationException");
    assert_eq!(code(sign(&key, "ECDSA_SHA_256", "RAW", 4097).await), "ValidationException");
    assert_eq!(code(sign(&key, "ECDSA_SHA_1", "RAW", 9).await), "ValidationException");
    assert_eq!(code(sign(&admin.key().await, "ECDSA_SHA_256", "RAW", 9).await), "InvalidKeyUsageException");
    let edwards = admin.key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY").await;
    assert_eq!(code(sign(&edwards, "ED25519_PH_SHA_512", "RAW", 64).await), "ValidationException");
    assert_eq!(code(sign(&edwards, "ED25519_SHA_512", "DIGEST", 64).await), "ValidationException");
    assert_eq!(code(sign(&edwards, "ED25519_PH_SHA_512", "DIGEST", 32).await), "ValidationException");
    kms.disable_key().key_id(&key).send().await.unwrap();
    assert_eq!(code(sign(&key, "ECDSA_SHA_256", "RAW", 9).await), "DisabledException");
}

#[tokio::test]
async fn ml_dsa_signs_an_external_mu_of_64_bytes() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    for spec in ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"] {
        let key = admin.key_of(spec, "SIGN_VERIFY").await;
        let sign = kms.sign().key_id(&key).signing_algorithm(SigningAlgorithmSpec::MlDsaShake256);
        let sign = sign.message_type(MessageType::ExternalMu);
        let signature = sign.clone().message(Blob::new([7; 64])).send().await.unwrap().signature.unwrap();
        assert_eq!(code(sign.clone().message(Blob::new([7; 63])).send().await), "ValidationException");
        let digest = sign.message_type(MessageType::Digest).message(Blob::new([7; 64]));
        assert_eq!(code(digest.send().await), "ValidationException");
        let verify = kms.verify().key_id(&key).signing_algorithm(SigningAlgorithmSpec::MlDsaShake256);
        let verify = verify.message(Blob::new([7; 64])).signature(signature);
        assert!(verify.clone().message_type(MessageType::ExternalMu).send().await.unwrap().signature_valid);
        assert_eq!(code(verify.message_type(MessageType::Raw).send().await), "KMSInvalidSignatureException");
    }
}

#[tokio::test]
async fn codes_have_the_size_of_their_hash_and_are_verified() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let kms = admin.kms();
    for (bits, bytes) in [("224", 28), ("256", 32), ("384", 48), ("512", 64)] {
        let key = admin.key_of(&format!("HMAC_{bits}"), "GENERATE_VERIFY_MAC").await;
        let algorithm = format!("HMAC_SHA_{bits}");
        let generate = kms.generate_mac().key_id(&key).mac_algorithm(algorithm.as_str().into());
        let generate = generate.message(Blob::new(MESSAGE));
        let mac = generate.clone().send().await.unwrap().mac.unwrap();
        assert_eq!(mac.as_ref().len(), bytes);
        assert_eq!(generate.clone().send().await.unwrap().mac.as_ref(), Some(&mac));
        let verify = kms.verify_mac().key_id(&key).mac_algorithm(algorithm.as_str().into()).message(Blob::new(MESSAGE));
        assert!(verify.clone().mac(mac.clone()).send().await.unwrap().mac_valid);
        let changed: Vec<u8> = mac.as_ref().iter().map(|byte| byte ^ 1).collect();
        assert_eq!(code(verify.clone().mac(Blob::new(changed)).send().await), "KMSInvalidMacException");
        let other = if bits == "256" { "HMAC_SHA_512" } else { "HMAC_SHA_256" };
        assert_eq!(code(verify.mac_algorithm(other.into()).mac(mac).send().await), "InvalidKeyUsageException");
        assert_eq!(code(generate.mac_algorithm(other.into()).send().await), "InvalidKeyUsageException");
        assert_eq!(code(kms.get_public_key().key_id(&key).send().await), "UnsupportedOperationException");
    }
    let last = admin.key_of("HMAC_256", "GENERATE_VERIFY_MAC").await;
    let long = kms.generate_mac().key_id(&last).mac_algorithm("HMAC_SHA_256".into()).message(Blob::new([0; 4097]));
    assert_eq!(code(long.send().await), "ValidationException");
}

#[tokio::test]
async fn policies_see_the_algorithm_and_the_message_type() {
    let bench = Bench::new().await;
    let role = bench.role("signer", None).await;
    let allowed = json!({ "Effect": "Allow", "Action": "kms:Sign", "Resource": "*",
        "Principal": { "AWS": role_arn("signer") }, "Condition": { "StringEquals": {
            "kms:SigningAlgorithm": "RSASSA_PSS_SHA_256", "kms:MessageType": "DIGEST",
            "kms:KeySpec": "RSA_2048", "kms:KeyUsage": "SIGN_VERIFY" } } });
    let create = bench.admin().kms().create_key().key_spec("RSA_2048".into()).key_usage("SIGN_VERIFY".into());
    let create = create.policy(key_policy(vec![allowed]).to_string());
    let key = create.send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let sign = role.kms().sign().key_id(&key).message(Blob::new([7; 32])).message_type(MessageType::Digest);
    let sign = sign.signing_algorithm(SigningAlgorithmSpec::RsassaPssSha256);
    sign.clone().send().await.unwrap();
    assert_eq!(code(sign.clone().message_type(MessageType::Raw).send().await), "AccessDeniedException");
    let other = sign.signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256);
    assert_eq!(code(other.send().await), "AccessDeniedException");
    let last = bench.admin().kms().get_key_last_usage().key_id(&key).send().await.unwrap();
    assert_eq!(last.key_last_usage.unwrap().operation.unwrap().as_str(), "Sign");
}
