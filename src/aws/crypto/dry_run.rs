//! Dry runs: KMS is asked whether a use would succeed, and does not make it.

use super::{
    Call, Connection, DECAPSULATE, DECRYPT, DERIVE, ENCAPSULATE, ENCRYPT, GENERATE, GENERATE_MAC, GENERATE_PAIR,
    GENERATE_WRAPPED, GENERATE_WRAPPED_PAIR, RE_ENCRYPT, SIGN, VERIFY, VERIFY_MAC, algorithm, context, pairs, to_sign,
};
use crate::ids::KeyId;
use crate::kms::{EncapsulationAlgorithm, KeyAgreementAlgorithm, MacAlgorithm, SigningAlgorithm};
use crate::ports::{Cipher, EncryptionContext, PortError, PortErrorKind, PortResult, Trial};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{
    DataKeyPairSpec, DataKeySpec, DryRunModifierType, EncapsulationAlgorithmSpec, KeyAgreementAlgorithmSpec,
    MacAlgorithmSpec, SigningAlgorithmSpec,
};

/// What a dry run that would succeed answers, as an error.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/testing-permissions.html>
const WOULD_SUCCEED: &str = "DryRunOperationException";

impl Connection {
    /// Asks about a use.
    pub(super) async fn try_out(&self, key: &KeyId, trial: Trial<'_>) -> PortResult<()> {
        let key = key.as_str();
        match trial {
            Trial::Encrypt(cipher) => judged(ENCRYPT, self.dry_encrypt(key, cipher).await),
            Trial::Decrypt(cipher) => judged(DECRYPT, self.dry_decrypt(key, cipher).await),
            Trial::ReEncrypt(cipher) => judged(RE_ENCRYPT, self.dry_re_encrypt(key, cipher).await),
            Trial::GenerateDataKey(context) => judged(GENERATE, self.dry_generate(key, context).await),
            Trial::GenerateDataKeyWithoutPlaintext(context) => {
                judged(GENERATE_WRAPPED, self.dry_generate_wrapped(key, context).await)
            }
            Trial::GenerateDataKeyPair(context) => judged(GENERATE_PAIR, self.dry_generate_pair(key, context).await),
            Trial::GenerateDataKeyPairWithoutPlaintext(context) => {
                judged(GENERATE_WRAPPED_PAIR, self.dry_generate_wrapped_pair(key, context).await)
            }
            Trial::Sign(algorithm, message) => judged(SIGN, self.dry_sign(key, algorithm, message).await),
            Trial::Verify(algorithm, message, signature) => {
                judged(VERIFY, self.dry_verify(key, algorithm, message, signature).await)
            }
            Trial::GenerateMac(algorithm, message) => {
                judged(GENERATE_MAC, self.dry_generate_mac(key, algorithm, message).await)
            }
            Trial::VerifyMac(algorithm, message, mac) => {
                judged(VERIFY_MAC, self.dry_verify_mac(key, algorithm, message, mac).await)
            }
            Trial::DeriveSharedSecret(peer) => judged(DERIVE, self.dry_derive(key, peer).await),
            Trial::Encapsulate => judged(ENCAPSULATE, self.dry_encapsulate(key).await),
            Trial::Decapsulate(ciphertext) => judged(DECAPSULATE, self.dry_decapsulate(key, ciphertext).await),
        }
    }

    async fn dry_encrypt(&self, key: &str, cipher: Cipher<'_>) -> PortResult<()> {
        let request = || {
            self.kms
                .encrypt()
                .key_id(key)
                .plaintext(Blob::new("keywright"))
                .set_encryption_context(context(cipher))
                .set_encryption_algorithm(algorithm(cipher))
                .dry_run(true)
                .send()
        };
        self.gate.send(ENCRYPT, request).await.map(drop)
    }

    async fn dry_decrypt(&self, key: &str, cipher: Cipher<'_>) -> PortResult<()> {
        let request = || {
            self.kms
                .decrypt()
                .key_id(key)
                .set_encryption_context(context(cipher))
                .set_encryption_algorithm(algorithm(cipher))
                .dry_run(true)
                .dry_run_modifiers(DryRunModifierType::IgnoreCiphertext)
                .send()
        };
        self.gate.send(DECRYPT, request).await.map(drop)
    }

    async fn dry_re_encrypt(&self, key: &str, cipher: Cipher<'_>) -> PortResult<()> {
        let request = || {
            self.kms
                .re_encrypt()
                .source_key_id(key)
                .destination_key_id(key)
                .set_source_encryption_context(context(cipher))
                .set_source_encryption_algorithm(algorithm(cipher))
                .set_destination_encryption_context(context(cipher))
                .set_destination_encryption_algorithm(algorithm(cipher))
                .dry_run(true)
                .dry_run_modifiers(DryRunModifierType::IgnoreCiphertext)
                .send()
        };
        self.gate.send(RE_ENCRYPT, request).await.map(drop)
    }

    async fn dry_generate(&self, key: &str, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .generate_data_key()
                .key_id(key)
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(pairs(context))
                .dry_run(true)
                .send()
        };
        self.gate.send(GENERATE, request).await.map(drop)
    }

    async fn dry_generate_wrapped(&self, key: &str, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .generate_data_key_without_plaintext()
                .key_id(key)
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(pairs(context))
                .dry_run(true)
                .send()
        };
        self.gate.send(GENERATE_WRAPPED, request).await.map(drop)
    }

    async fn dry_generate_pair(&self, key: &str, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .generate_data_key_pair()
                .key_id(key)
                .key_pair_spec(DataKeyPairSpec::EccNistP256)
                .set_encryption_context(pairs(context))
                .dry_run(true)
                .send()
        };
        self.gate.send(GENERATE_PAIR, request).await.map(drop)
    }

    async fn dry_generate_wrapped_pair(&self, key: &str, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .generate_data_key_pair_without_plaintext()
                .key_id(key)
                .key_pair_spec(DataKeyPairSpec::EccNistP256)
                .set_encryption_context(pairs(context))
                .dry_run(true)
                .send()
        };
        self.gate.send(GENERATE_WRAPPED_PAIR, request).await.map(drop)
    }

    async fn dry_sign(&self, key: &str, algorithm: SigningAlgorithm, message: &[u8]) -> PortResult<()> {
        let (message, kind) = to_sign(algorithm, message);
        let request = || {
            self.kms
                .sign()
                .key_id(key)
                .signing_algorithm(SigningAlgorithmSpec::from(algorithm.name()))
                .message_type(kind.clone())
                .message(message.clone())
                .dry_run(true)
                .send()
        };
        self.gate.send(SIGN, request).await.map(drop)
    }

    async fn dry_verify(
        &self,
        key: &str,
        algorithm: SigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> PortResult<()> {
        let (message, kind) = to_sign(algorithm, message);
        let request = || {
            self.kms
                .verify()
                .key_id(key)
                .signing_algorithm(SigningAlgorithmSpec::from(algorithm.name()))
                .message_type(kind.clone())
                .message(message.clone())
                .signature(Blob::new(signature))
                .dry_run(true)
                .send()
        };
        self.gate.send(VERIFY, request).await.map(drop)
    }

    async fn dry_generate_mac(&self, key: &str, algorithm: MacAlgorithm, message: &[u8]) -> PortResult<()> {
        let request = || {
            self.kms
                .generate_mac()
                .key_id(key)
                .mac_algorithm(MacAlgorithmSpec::from(algorithm.name()))
                .message(Blob::new(message))
                .dry_run(true)
                .send()
        };
        self.gate.send(GENERATE_MAC, request).await.map(drop)
    }

    async fn dry_verify_mac(&self, key: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> PortResult<()> {
        let request = || {
            self.kms
                .verify_mac()
                .key_id(key)
                .mac_algorithm(MacAlgorithmSpec::from(algorithm.name()))
                .message(Blob::new(message))
                .mac(Blob::new(mac))
                .dry_run(true)
                .send()
        };
        self.gate.send(VERIFY_MAC, request).await.map(drop)
    }

    async fn dry_derive(&self, key: &str, peer: &[u8]) -> PortResult<()> {
        let request = || {
            self.kms
                .derive_shared_secret()
                .key_id(key)
                .key_agreement_algorithm(KeyAgreementAlgorithmSpec::from(KeyAgreementAlgorithm::Ecdh.name()))
                .public_key(Blob::new(peer))
                .dry_run(true)
                .send()
        };
        self.gate.send(DERIVE, request).await.map(drop)
    }

    async fn dry_encapsulate(&self, key: &str) -> PortResult<()> {
        let request = || {
            self.kms
                .encapsulate()
                .key_id(key)
                .encapsulation_algorithm(EncapsulationAlgorithmSpec::from(EncapsulationAlgorithm::MlKem.name()))
                .dry_run(true)
                .send()
        };
        self.gate.send(ENCAPSULATE, request).await.map(drop)
    }

    async fn dry_decapsulate(&self, key: &str, ciphertext: &[u8]) -> PortResult<()> {
        let request = || {
            self.kms
                .decapsulate()
                .key_id(key)
                .encapsulation_algorithm(EncapsulationAlgorithmSpec::from(EncapsulationAlgorithm::MlKem.name()))
                .shared_secret_ciphertext_blob(Blob::new(ciphertext))
                .dry_run(true)
                .send()
        };
        self.gate.send(DECAPSULATE, request).await.map(drop)
    }
}

/// A dry run always answers with an error, and never about what it was given: an answer without one, or about a
/// ciphertext, a signature or a code, comes from a server that does not know dry runs.
fn judged(call: Call, outcome: PortResult<()>) -> PortResult<()> {
    let unknown = |error: PortError, what: &str| PortError {
        kind: PortErrorKind::NotSupported,
        message: format!("the server looked at the {what}: it does not know such a dry run"),
        ..error
    };
    match outcome {
        Err(error) if error.code.as_deref() == Some(WOULD_SUCCEED) => Ok(()),
        Err(error) if error.kind == PortErrorKind::InvalidCiphertext => Err(unknown(error, "ciphertext")),
        Err(error) if error.kind == PortErrorKind::InvalidSignature => Err(unknown(error, "signature")),
        Err(error) if error.kind == PortErrorKind::InvalidMac => Err(unknown(error, "code")),
        Err(error) => Err(error),
        Ok(()) => Err(PortError::new(
            PortErrorKind::NotSupported,
            call.name,
            "the server carried the call out instead of only judging it: it does not know DryRun",
        )),
    }
}
