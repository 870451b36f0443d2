//! Envelope encryption of files: bytes in, bytes out, in a format that other tools read.
//!
//! The format is the AWS Encryption SDK's message format 2 with algorithm suite `0x0478` (AES-256-GCM with
//! HKDF-SHA512 and key commitment, no signature), framed. A header names the encryption context and the wrapped
//! data keys; frames of equal length follow, each with its own tag, the last one marked.
//!
//! Nothing here calls KMS or makes randomness: the caller brings the data key and a random message id.
//! See <https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/message-format.html> and
//! <https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/algorithms-reference.html>.

mod body;
mod context;
mod error;
mod header;
mod open;
pub mod probes;
mod reader;
mod seal;
mod suite;

pub use body::FrameKind;
pub use context::{EncryptionContext, MAX_CONTEXT_LENGTH};
pub use error::EnvelopeError;
pub use header::{
    EncryptedDataKey, FrameLength, Header, KMS_PROVIDER, MAX_DATA_KEYS, MAX_HEADER_LENGTH, MESSAGE_ID_LENGTH,
    parse_header,
};
pub use open::{OpenedFrame, Opener, open};
pub use seal::{Sealer, seal};
pub use suite::DATA_KEY_LENGTH;

#[cfg(test)]
mod tests;
