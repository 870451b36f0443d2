//! Uses keys, and asks whether a use would succeed.

use super::Connection;
use super::call::Call;
use super::metadata::protocol;
use crate::ids::KeyId;
use crate::ports::{Crypto, DataKey, EncryptionContext, PortError, PortErrorKind, PortResult};
use crate::secret::SecretBytes;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, DryRunModifierType};
use std::collections::HashMap;

const GENERATE: Call = Call::harmless("kms:GenerateDataKey");
const GENERATE_WRAPPED: Call = Call::harmless("kms:GenerateDataKeyWithoutPlaintext");
const ENCRYPT: Call = Call::harmless("kms:Encrypt");
const DECRYPT: Call = Call::harmless("kms:Decrypt");
const RE_ENCRYPT: Call = Call::harmless("kms:ReEncrypt");

/// What a dry run that would succeed answers, as an error.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/testing-permissions.html>
const WOULD_SUCCEED: &str = "DryRunOperationException";

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

    async fn encrypt(&self, key: &KeyId, plaintext: &SecretBytes, context: &EncryptionContext) -> PortResult<Vec<u8>> {
        let request = || {
            self.kms
                .encrypt()
                .key_id(key.as_str())
                .plaintext(Blob::new(plaintext.expose_secret()))
                .set_encryption_context(pairs(context))
                .send()
        };
        bytes(ENCRYPT, self.gate.send(ENCRYPT, request).await?.ciphertext_blob)
    }

    async fn decrypt(&self, key: &KeyId, ciphertext: &[u8], context: &EncryptionContext) -> PortResult<SecretBytes> {
        let request = || {
            self.kms
                .decrypt()
                .key_id(key.as_str())
                .ciphertext_blob(Blob::new(ciphertext))
                .set_encryption_context(pairs(context))
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
        source: &EncryptionContext,
        destination: &EncryptionContext,
    ) -> PortResult<Vec<u8>> {
        let request = || {
            self.kms
                .re_encrypt()
                .source_key_id(key.as_str())
                .destination_key_id(key.as_str())
                .ciphertext_blob(Blob::new(ciphertext))
                .set_source_encryption_context(pairs(source))
                .set_destination_encryption_context(pairs(destination))
                .send()
        };
        bytes(RE_ENCRYPT, self.gate.send(RE_ENCRYPT, request).await?.ciphertext_blob)
    }

    async fn dry_run(&self, action: &str, key: &KeyId, context: &EncryptionContext) -> PortResult<()> {
        let operation = action.strip_prefix("kms:").unwrap_or(action);
        match operation {
            "Encrypt" => judged(ENCRYPT, self.dry_encrypt(key, context).await),
            "Decrypt" => judged(DECRYPT, self.dry_decrypt(key, context).await),
            "GenerateDataKey" => judged(GENERATE, self.dry_generate(key, context).await),
            "GenerateDataKeyWithoutPlaintext" => {
                judged(GENERATE_WRAPPED, self.dry_generate_wrapped(key, context).await)
            }
            "ReEncrypt" => judged(RE_ENCRYPT, self.dry_re_encrypt(key, context).await),
            other => Err(PortError::new(PortErrorKind::NotSupported, format!("kms:{other}"), "it has no dry run here")),
        }
    }
}

impl Connection {
    async fn dry_encrypt(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .encrypt()
                .key_id(key.as_str())
                .plaintext(Blob::new("keywright"))
                .set_encryption_context(pairs(context))
                .dry_run(true)
                .send()
        };
        self.gate.send(ENCRYPT, request).await.map(drop)
    }

    async fn dry_decrypt(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .decrypt()
                .key_id(key.as_str())
                .set_encryption_context(pairs(context))
                .dry_run(true)
                .dry_run_modifiers(DryRunModifierType::IgnoreCiphertext)
                .send()
        };
        self.gate.send(DECRYPT, request).await.map(drop)
    }

    async fn dry_generate(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .generate_data_key()
                .key_id(key.as_str())
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(pairs(context))
                .dry_run(true)
                .send()
        };
        self.gate.send(GENERATE, request).await.map(drop)
    }

    async fn dry_generate_wrapped(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .generate_data_key_without_plaintext()
                .key_id(key.as_str())
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(pairs(context))
                .dry_run(true)
                .send()
        };
        self.gate.send(GENERATE_WRAPPED, request).await.map(drop)
    }

    async fn dry_re_encrypt(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<()> {
        let request = || {
            self.kms
                .re_encrypt()
                .source_key_id(key.as_str())
                .destination_key_id(key.as_str())
                .set_source_encryption_context(pairs(context))
                .set_destination_encryption_context(pairs(context))
                .dry_run(true)
                .dry_run_modifiers(DryRunModifierType::IgnoreCiphertext)
                .send()
        };
        self.gate.send(RE_ENCRYPT, request).await.map(drop)
    }
}

/// A dry run always answers with an error, and never about a ciphertext: an answer without one, or about one, comes
/// from a server that does not know dry runs.
fn judged(call: Call, outcome: PortResult<()>) -> PortResult<()> {
    match outcome {
        Err(error) if error.code.as_deref() == Some(WOULD_SUCCEED) => Ok(()),
        Err(error) if error.kind == PortErrorKind::InvalidCiphertext => Err(PortError {
            kind: PortErrorKind::NotSupported,
            message: "the server looked at the ciphertext: it does not know DryRun with IGNORE_CIPHERTEXT".to_owned(),
            ..error
        }),
        Err(error) => Err(error),
        Ok(()) => Err(PortError::new(
            PortErrorKind::NotSupported,
            call.name,
            "the server carried the call out instead of only judging it: it does not know DryRun",
        )),
    }
}

/// An empty context is not sent: some servers take it for another one.
fn pairs(context: &EncryptionContext) -> Option<HashMap<String, String>> {
    let pairs: HashMap<String, String> = context.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Some(pairs).filter(|pairs| !pairs.is_empty())
}

fn bytes(call: Call, blob: Option<Blob>) -> PortResult<Vec<u8>> {
    let bytes = blob.map(Blob::into_inner).filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| protocol(call.name, "the answer holds no ciphertext"))
}
