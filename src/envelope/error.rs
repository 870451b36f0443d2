//! What can be wrong with a message, or with what it is made from.

use super::{DATA_KEY_LENGTH, FrameLength, MAX_CONTEXT_LENGTH, MAX_DATA_KEYS};

/// Why a message cannot be written, read or trusted.
///
/// Offsets count from the first byte of the message. No text of the message is repeated, so that none can reach
/// a terminal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More bytes are needed. A streaming reader reads on; at the end of the file this is an error.
    #[error("the message is cut off at byte {at}, inside its header or a frame; restore the whole file")]
    Truncated {
        /// How many bytes there are.
        at: u64,
    },
    /// The first byte is not that of message format 2.
    #[error("this is not a message in format 2 of the AWS Encryption SDK: its first byte is {0:#04x}, not 0x02")]
    UnsupportedVersion(u8),
    /// The algorithm suite is not the committing, unsigned one.
    #[error("algorithm suite {0:#06x} is not supported: only 0x0478 (AES-256-GCM, committing, unsigned) is")]
    UnsupportedAlgorithm(u16),
    /// The body is not framed.
    #[error("content type {0} is not supported: only framed content (2) is")]
    UnsupportedContentType(u8),
    /// The lengths inside the encryption context do not add up.
    #[error("the encryption context is malformed at byte {at}")]
    MalformedContext {
        /// Where the fault shows.
        at: u64,
    },
    /// A key of the encryption context occurs twice.
    #[error("the encryption context names a key twice, at byte {at}")]
    DuplicateContextKey {
        /// Where the second one is.
        at: u64,
    },
    /// A text is not UTF-8.
    #[error("the text at byte {at} of the header is not valid UTF-8")]
    NotUtf8 {
        /// Where the text begins.
        at: u64,
    },
    /// A key of the encryption context belongs to the AWS Encryption SDK.
    #[error("encryption context keys that begin with `aws-crypto-` are reserved by the AWS Encryption SDK")]
    ReservedContextKey,
    /// The encryption context does not fit into a header.
    #[error("the encryption context takes {length} bytes; a message holds {max}", max = MAX_CONTEXT_LENGTH)]
    ContextTooLong {
        /// Its serialised length.
        length: usize,
    },
    /// There is no wrapped data key, so nobody could ever open the message.
    #[error("the message has no wrapped data key")]
    NoDataKeys,
    /// More wrapped data keys than are accepted.
    #[error("the message has {0} wrapped data keys; at most {max} are accepted", max = MAX_DATA_KEYS)]
    TooManyDataKeys(usize),
    /// A field of a wrapped data key is longer than any that KMS writes.
    #[error("the {field} of a wrapped data key has {length} bytes; at most {limit} are accepted")]
    DataKeyField {
        /// Which field.
        field: &'static str,
        /// Its length.
        length: usize,
        /// The longest accepted.
        limit: usize,
    },
    /// The frame length is zero or too large to be held in memory safely.
    #[error("a frame length of {0} bytes is not accepted; it must be between 1 and {max}", max = FrameLength::MAX.get())]
    FrameLength(u32),
    /// The plaintext data key is not a 256-bit key.
    #[error("the data key has {0} bytes; this format needs {needed}", needed = DATA_KEY_LENGTH)]
    DataKeyLength(usize),
    /// A chunk of plaintext that does not fill its frame, or does not fit into the last one.
    #[error("the chunk has {found} bytes; frames of this message take {expected}")]
    ChunkLength {
        /// The message's frame length.
        expected: u32,
        /// The chunk's length.
        found: usize,
    },
    /// The frame counter is used up.
    #[error("the message would have more than 4294967295 frames; use longer frames")]
    TooManyFrames,
    /// The data key is not the one that the message was sealed with.
    #[error("the data key is not the one that this message commits to, or the message id or commitment was altered")]
    CommitmentMismatch,
    /// The header's tag does not verify.
    #[error("the header was altered: its tag does not verify")]
    HeaderTampered,
    /// A frame is missing, repeated or out of place.
    #[error("the frames are out of order: frame {expected} should follow, frame {found} does")]
    FrameOrder {
        /// The sequence number that should follow.
        expected: u32,
        /// The one that does.
        found: u32,
    },
    /// The last frame says that it is longer than frames of this message are.
    #[error("the final frame claims {length} bytes; frames of this message hold at most {limit}")]
    FinalFrameTooLong {
        /// Its claimed length.
        length: u32,
        /// The message's frame length.
        limit: u32,
    },
    /// A frame's tag does not verify.
    #[error("frame {sequence} was altered: its tag does not verify")]
    FrameTampered {
        /// The frame's sequence number; the first is 1.
        sequence: u32,
    },
    /// The message ends between frames, before the one that is marked as the last.
    #[error("the message is cut off after frame {after}: its final frame is missing; restore the whole file")]
    MissingFinalFrame {
        /// How many frames there are.
        after: u32,
    },
    /// Something follows the final frame.
    #[error("the message ends at byte {at}, but the data goes on")]
    TrailingData {
        /// Where the message ends.
        at: u64,
    },
    /// The cryptographic library refused a valid request.
    #[error("the cryptographic library failed to {0}")]
    Library(&'static str),
}
