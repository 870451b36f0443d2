//! Uses keys, and asks whether a use would succeed.

mod dry_run;

use super::Connection;
use super::call::Call;
use super::metadata::protocol;
use crate::ids::KeyId;
use crate::kms::{EncapsulationAlgorithm, KeyAgreementAlgorithm, MacAlgorithm, SigningAlgorithm};
use crate::ports::{
    Cipher, Crypto, DataKey, DataKeyPair, Encapsulated, EncryptionContext, PortResult, Trial, WrappedKeyPair,
};
use crate::secret::SecretBytes;
use aws_lc_rs::digest;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{
    DataKeyPairSpec, DataKeySpec, EncapsulationAlgorithmSpec, EncryptionAlgorithmSpec, KeyAgreementAlgorithmSpec,
    MacAlgorithmSpec, MessageType, SigningAlgorithmSpec,
};
use std::collections::HashMap;

const GENERATE: Call = Call::harmless("kms:GenerateDataKey");
const GENERATE_WRAPPED: Call = Call::harmless("kms:GenerateDataKeyWithoutPlaintext");
const GENERATE_PAIR: Call = Call::harmless("kms:GenerateDataKeyPair");
const GENERATE_WRAPPED_PAIR: Call = Call::harmless("kms:GenerateDataKeyPairWithoutPlaintext");
const ENCRYPT: Call = Call::harmless("kms:Encrypt");
const DECRYPT: Call = Call::harmless("kms:Decrypt");
const RE_ENCRYPT: Call = Call::harmless("kms:ReEncrypt");
const PUBLIC_KEY: Call = Call::harmless("kms:GetPublicKey");
const SIGN: Call = Call::harmless("kms:Sign");
const VERIFY: Call = Call::harmless("kms:Verify");
const GENERATE_MAC: Call = Call::harmless("kms:GenerateMac");
const VERIFY_MAC: Call = Call::harmless("kms:VerifyMac");
const DERIVE: Call = Call::harmless("kms:DeriveSharedSecret");
const ENCAPSULATE: Call = Call::harmless("kms:Encapsulate");
const DECAPSULATE: Call = Call::harmless("kms:Decapsulate");

impl Crypto for Connection {
    async fn generate_data_key(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<DataKey> {
        let request = || {
            self.kms
                .generate_data_key()
                .key_id(key.as_str())
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(pairs(context))
                .send()
        };
        let answer = self.gate.send(GENERATE, request).await?;
        let plaintext = answer.plaintext.map(|blob| SecretBytes::new(blob.into_inner()));
        let plaintext = plaintext.filter(|bytes| bytes.len() == 32);
        Ok(DataKey {
            plaintext: plaintext.ok_or_else(|| protocol(GENERATE.name, "the answer holds no data key of 32 bytes"))?,
            ciphertext: bytes(GENERATE, answer.ciphertext_blob)?,
            key: self.key_arn(GENERATE.name, answer.key_id.as_deref()).await?,
            // A courtesy: what no server owes cannot fail the call.
            material: answer.key_material_id.as_deref().and_then(|id| id.parse().ok()),
        })
    }

    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> PortResult<Vec<u8>> {
        let request = || {
            self.kms
                .generate_data_key_without_plaintext()
                .key_id(key.as_str())
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(pairs(context))
                .send()
        };
        bytes(GENERATE_WRAPPED, self.gate.send(GENERATE_WRAPPED, request).await?.ciphertext_blob)
    }

    async fn generate_data_key_pair(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<DataKeyPair> {
        let request = || {
            self.kms
                .generate_data_key_pair()
                .key_id(key.as_str())
                .key_pair_spec(DataKeyPairSpec::EccNistP256)
                .set_encryption_context(pairs(context))
                .send()
        };
        let answer = self.gate.send(GENERATE_PAIR, request).await?;
        Ok(DataKeyPair {
            private: secret(GENERATE_PAIR, answer.private_key_plaintext)?,
            wrapped: wrapped_pair(GENERATE_PAIR, answer.private_key_ciphertext_blob, answer.public_key)?,
        })
    }

    async fn generate_data_key_pair_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> PortResult<WrappedKeyPair> {
        let request = || {
            self.kms
                .generate_data_key_pair_without_plaintext()
                .key_id(key.as_str())
                .key_pair_spec(DataKeyPairSpec::EccNistP256)
                .set_encryption_context(pairs(context))
                .send()
        };
        let answer = self.gate.send(GENERATE_WRAPPED_PAIR, request).await?;
        wrapped_pair(GENERATE_WRAPPED_PAIR, answer.private_key_ciphertext_blob, answer.public_key)
    }

    async fn encrypt(&self, key: &KeyId, plaintext: &SecretBytes, cipher: Cipher<'_>) -> PortResult<Vec<u8>> {
        let request = || {
            self.kms
                .encrypt()
                .key_id(key.as_str())
                .plaintext(Blob::new(plaintext.expose_secret()))
                .set_encryption_context(context(cipher))
                .set_encryption_algorithm(algorithm(cipher))
                .send()
        };
        bytes(ENCRYPT, self.gate.send(ENCRYPT, request).await?.ciphertext_blob)
    }

    async fn decrypt(&self, key: &KeyId, ciphertext: &[u8], cipher: Cipher<'_>) -> PortResult<SecretBytes> {
        let request = || {
            self.kms
                .decrypt()
                .key_id(key.as_str())
                .ciphertext_blob(Blob::new(ciphertext))
                .set_encryption_context(context(cipher))
                .set_encryption_algorithm(algorithm(cipher))
                .send()
        };
        let answer = self.gate.send(DECRYPT, request).await?;
        let plaintext = answer.plaintext.map(|blob| SecretBytes::new(blob.into_inner()));
        plaintext.ok_or_else(|| protocol(DECRYPT.name, "the answer holds no plaintext"))
    }

    async fn re_encrypt(
        &self,
        key: &KeyId,
        ciphertext: &[u8],
        source: Cipher<'_>,
        destination: Cipher<'_>,
    ) -> PortResult<Vec<u8>> {
        let request = || {
            self.kms
                .re_encrypt()
                .source_key_id(key.as_str())
                .destination_key_id(key.as_str())
                .ciphertext_blob(Blob::new(ciphertext))
                .set_source_encryption_context(context(source))
                .set_source_encryption_algorithm(algorithm(source))
                .set_destination_encryption_context(context(destination))
                .set_destination_encryption_algorithm(algorithm(destination))
                .send()
        };
        bytes(RE_ENCRYPT, self.gate.send(RE_ENCRYPT, request).await?.ciphertext_blob)
    }

    async fn public_key(&self, key: &KeyId) -> PortResult<Vec<u8>> {
        let request = || self.kms.get_public_key().key_id(key.as_str()).send();
        bytes(PUBLIC_KEY, self.gate.send(PUBLIC_KEY, request).await?.public_key)
    }

    async fn sign(&self, key: &KeyId, algorithm: SigningAlgorithm, message: &[u8]) -> PortResult<Vec<u8>> {
        let (message, kind) = to_sign(algorithm, message);
        let request = || {
            self.kms
                .sign()
                .key_id(key.as_str())
                .signing_algorithm(SigningAlgorithmSpec::from(algorithm.name()))
                .message_type(kind.clone())
                .message(message.clone())
                .send()
        };
        bytes(SIGN, self.gate.send(SIGN, request).await?.signature)
    }

    async fn verify(
        &self,
        key: &KeyId,
        algorithm: SigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> PortResult<()> {
        let (message, kind) = to_sign(algorithm, message);
        let request = || {
            self.kms
                .verify()
                .key_id(key.as_str())
                .signing_algorithm(SigningAlgorithmSpec::from(algorithm.name()))
                .message_type(kind.clone())
                .message(message.clone())
                .signature(Blob::new(signature))
                .send()
        };
        valid(VERIFY, self.gate.send(VERIFY, request).await?.signature_valid)
    }

    async fn generate_mac(&self, key: &KeyId, algorithm: MacAlgorithm, message: &[u8]) -> PortResult<Vec<u8>> {
        let request = || {
            self.kms
                .generate_mac()
                .key_id(key.as_str())
                .mac_algorithm(MacAlgorithmSpec::from(algorithm.name()))
                .message(Blob::new(message))
                .send()
        };
        bytes(GENERATE_MAC, self.gate.send(GENERATE_MAC, request).await?.mac)
    }

    async fn verify_mac(&self, key: &KeyId, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> PortResult<()> {
        let request = || {
            self.kms
                .verify_mac()
                .key_id(key.as_str())
                .mac_algorithm(MacAlgorithmSpec::from(algorithm.name()))
                .message(Blob::new(message))
                .mac(Blob::new(mac))
                .send()
        };
        valid(VERIFY_MAC, self.gate.send(VERIFY_MAC, request).await?.mac_valid)
    }

    async fn derive_shared_secret(&self, key: &KeyId, peer: &[u8]) -> PortResult<SecretBytes> {
        let request = || {
            self.kms
                .derive_shared_secret()
                .key_id(key.as_str())
                .key_agreement_algorithm(KeyAgreementAlgorithmSpec::from(KeyAgreementAlgorithm::Ecdh.name()))
                .public_key(Blob::new(peer))
                .send()
        };
        secret(DERIVE, self.gate.send(DERIVE, request).await?.shared_secret)
    }

    async fn encapsulate(&self, key: &KeyId) -> PortResult<Encapsulated> {
        let request = || {
            self.kms
                .encapsulate()
                .key_id(key.as_str())
                .encapsulation_algorithm(EncapsulationAlgorithmSpec::from(EncapsulationAlgorithm::MlKem.name()))
                .send()
        };
        let answer = self.gate.send(ENCAPSULATE, request).await?;
        Ok(Encapsulated {
            secret: secret(ENCAPSULATE, answer.shared_secret)?,
            ciphertext: bytes(ENCAPSULATE, answer.shared_secret_ciphertext_blob)?,
        })
    }

    async fn decapsulate(&self, key: &KeyId, ciphertext: &[u8]) -> PortResult<SecretBytes> {
        let request = || {
            self.kms
                .decapsulate()
                .key_id(key.as_str())
                .encapsulation_algorithm(EncapsulationAlgorithmSpec::from(EncapsulationAlgorithm::MlKem.name()))
                .shared_secret_ciphertext_blob(Blob::new(ciphertext))
                .send()
        };
        secret(DECAPSULATE, self.gate.send(DECAPSULATE, request).await?.shared_secret)
    }

    async fn dry_run(&self, key: &KeyId, trial: Trial<'_>) -> PortResult<()> {
        self.try_out(key, trial).await
    }
}

/// What KMS is sent to sign: the message, but for Ed25519ph its SHA-512.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html#KMS-Sign-request-MessageType>
fn to_sign(algorithm: SigningAlgorithm, message: &[u8]) -> (Blob, MessageType) {
    if algorithm == SigningAlgorithm::Ed25519PhSha512 {
        (Blob::new(digest::digest(&digest::SHA512, message).as_ref()), MessageType::Digest)
    } else {
        (Blob::new(message), MessageType::Raw)
    }
}

/// An empty context is not sent: some servers take it for another one.
fn pairs(context: &EncryptionContext) -> Option<HashMap<String, String>> {
    let pairs: HashMap<String, String> = context.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Some(pairs).filter(|pairs| !pairs.is_empty())
}

fn context(cipher: Cipher<'_>) -> Option<HashMap<String, String>> {
    match cipher {
        Cipher::Symmetric(context) => pairs(context),
        Cipher::Public(_) => None,
    }
}

/// The algorithm of symmetric keys is the one that KMS takes where none is named.
fn algorithm(cipher: Cipher<'_>) -> Option<EncryptionAlgorithmSpec> {
    match cipher {
        Cipher::Symmetric(_) => None,
        Cipher::Public(algorithm) => Some(EncryptionAlgorithmSpec::from(algorithm.name())),
    }
}

fn bytes(call: Call, blob: Option<Blob>) -> PortResult<Vec<u8>> {
    let bytes = blob.map(Blob::into_inner).filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| protocol(call.name, "the answer holds nothing of what was asked for"))
}

fn secret(call: Call, blob: Option<Blob>) -> PortResult<SecretBytes> {
    bytes(call, blob).map(SecretBytes::new)
}

fn wrapped_pair(call: Call, ciphertext: Option<Blob>, public: Option<Blob>) -> PortResult<WrappedKeyPair> {
    Ok(WrappedKeyPair { ciphertext: bytes(call, ciphertext)?, public: bytes(call, public)? })
}

/// What is not valid is answered by an error; an answer that says so is one of another server.
fn valid(call: Call, answer: bool) -> PortResult<()> {
    if answer { Ok(()) } else { Err(protocol(call.name, "the answer says `not valid`, where an error is due")) }
}
