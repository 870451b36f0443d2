//! Uses of keys, in domain words: every cryptographic operation of KMS, and the question whether one would succeed.

use super::PortResult;
use crate::ids::{KeyArn, KeyId, KeyMaterialId};
use crate::kms::{EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm};
use crate::secret::SecretBytes;
use std::collections::BTreeMap;
use std::future::Future;

/// The encryption context of a call.
pub type EncryptionContext = BTreeMap<String, String>;

/// How a text is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher<'a> {
    /// By a symmetric encryption key, bound to a context.
    Symmetric(&'a EncryptionContext),
    /// With the public half of a key, by an algorithm; there is no context.
    Public(EncryptionAlgorithm),
}

/// A data key as KMS makes it.
#[derive(Debug)]
pub struct DataKey {
    /// The key, in clear.
    pub plaintext: SecretBytes,
    /// The key, wrapped.
    pub ciphertext: Vec<u8>,
    /// The KMS key that wrapped it.
    pub key: KeyArn,
    /// The material of that key, where the server tells.
    pub material: Option<KeyMaterialId>,
}

/// A data key pair as KMS makes it.
#[derive(Debug)]
pub struct DataKeyPair {
    /// The private half in clear, as PKCS #8.
    pub private: SecretBytes,
    /// The rest.
    pub wrapped: WrappedKeyPair,
}

/// A data key pair without its private half in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKeyPair {
    /// The private half, wrapped.
    pub ciphertext: Vec<u8>,
    /// The public half, as `SubjectPublicKeyInfo`.
    pub public: Vec<u8>,
}

/// A shared secret, and what the holder of the private half gets it from.
#[derive(Debug)]
pub struct Encapsulated {
    /// The secret.
    pub secret: SecretBytes,
    /// The secret, encapsulated.
    pub ciphertext: Vec<u8>,
}

/// A use that KMS is asked about and does not make (`DryRun`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial<'a> {
    /// `Encrypt` of a small text.
    Encrypt(Cipher<'a>),
    /// `Decrypt`, whatever the ciphertext (`IGNORE_CIPHERTEXT`).
    Decrypt(Cipher<'a>),
    /// `ReEncrypt` to the same key in the same way, whatever the ciphertext (`IGNORE_CIPHERTEXT`).
    ReEncrypt(Cipher<'a>),
    /// `GenerateDataKey`.
    GenerateDataKey(&'a EncryptionContext),
    /// `GenerateDataKeyWithoutPlaintext`.
    GenerateDataKeyWithoutPlaintext(&'a EncryptionContext),
    /// `GenerateDataKeyPair`.
    GenerateDataKeyPair(&'a EncryptionContext),
    /// `GenerateDataKeyPairWithoutPlaintext`.
    GenerateDataKeyPairWithoutPlaintext(&'a EncryptionContext),
    /// `Sign` of a message.
    Sign(SigningAlgorithm, &'a [u8]),
    /// `Verify` of a message and its signature.
    Verify(SigningAlgorithm, &'a [u8], &'a [u8]),
    /// `GenerateMac` of a message.
    GenerateMac(MacAlgorithm, &'a [u8]),
    /// `VerifyMac` of a message and its code.
    VerifyMac(MacAlgorithm, &'a [u8], &'a [u8]),
    /// `DeriveSharedSecret` with a peer's public key.
    DeriveSharedSecret(&'a [u8]),
    /// `Encapsulate`.
    Encapsulate,
    /// `Decapsulate` of a ciphertext.
    Decapsulate(&'a [u8]),
}

/// Uses keys, as one identity. Public keys are `SubjectPublicKeyInfo`, as DER.
pub trait Crypto {
    /// `kms:GenerateDataKey`, 256 bits.
    fn generate_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> impl Future<Output = PortResult<DataKey>> + Send;
    /// `kms:GenerateDataKeyWithoutPlaintext`, 256 bits.
    fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> impl Future<Output = PortResult<Vec<u8>>> + Send;
    /// `kms:GenerateDataKeyPair`, on the curve P-256.
    fn generate_data_key_pair(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> impl Future<Output = PortResult<DataKeyPair>> + Send;
    /// `kms:GenerateDataKeyPairWithoutPlaintext`, on the curve P-256.
    fn generate_data_key_pair_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> impl Future<Output = PortResult<WrappedKeyPair>> + Send;
    /// `kms:Encrypt`.
    fn encrypt(
        &self,
        key: &KeyId,
        plaintext: &SecretBytes,
        cipher: Cipher<'_>,
    ) -> impl Future<Output = PortResult<Vec<u8>>> + Send;
    /// `kms:Decrypt`, with the key named, so that another key's ciphertext is refused.
    fn decrypt(
        &self,
        key: &KeyId,
        ciphertext: &[u8],
        cipher: Cipher<'_>,
    ) -> impl Future<Output = PortResult<SecretBytes>> + Send;
    /// `kms:ReEncrypt` to the same key under another context, or by another algorithm.
    fn re_encrypt(
        &self,
        key: &KeyId,
        ciphertext: &[u8],
        source: Cipher<'_>,
        destination: Cipher<'_>,
    ) -> impl Future<Output = PortResult<Vec<u8>>> + Send;
    /// `kms:GetPublicKey`.
    fn public_key(&self, key: &KeyId) -> impl Future<Output = PortResult<Vec<u8>>> + Send;
    /// `kms:Sign` of a message; for Ed25519ph KMS is sent the message's digest, as it asks.
    fn sign(
        &self,
        key: &KeyId,
        algorithm: SigningAlgorithm,
        message: &[u8],
    ) -> impl Future<Output = PortResult<Vec<u8>>> + Send;
    /// `kms:Verify`; [`InvalidSignature`](super::PortErrorKind::InvalidSignature) if it is not the key's.
    fn verify(
        &self,
        key: &KeyId,
        algorithm: SigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:GenerateMac`.
    fn generate_mac(
        &self,
        key: &KeyId,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> impl Future<Output = PortResult<Vec<u8>>> + Send;
    /// `kms:VerifyMac`; [`InvalidMac`](super::PortErrorKind::InvalidMac) if it is not the key's.
    fn verify_mac(
        &self,
        key: &KeyId,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// `kms:DeriveSharedSecret` with a peer's public key.
    fn derive_shared_secret(&self, key: &KeyId, peer: &[u8]) -> impl Future<Output = PortResult<SecretBytes>> + Send;
    /// `kms:Encapsulate`.
    fn encapsulate(&self, key: &KeyId) -> impl Future<Output = PortResult<Encapsulated>> + Send;
    /// `kms:Decapsulate`.
    fn decapsulate(&self, key: &KeyId, ciphertext: &[u8]) -> impl Future<Output = PortResult<SecretBytes>> + Send;
    /// Any use with `DryRun`: `Ok` = would succeed.
    fn dry_run(&self, key: &KeyId, trial: Trial<'_>) -> impl Future<Output = PortResult<()>> + Send;
}
