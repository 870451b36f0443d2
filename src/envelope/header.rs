//! The header of a message: what it holds, its limits, and its bytes.

use super::reader::Reader;
use super::suite::{ALGORITHM, COMMITMENT_LENGTH, TAG_LENGTH};
use super::{EncryptionContext, EnvelopeError, MAX_CONTEXT_LENGTH};
use crate::ids::KeyArn;
use std::ops::Range;

/// The length of a message id in format 2.
pub const MESSAGE_ID_LENGTH: usize = 32;
/// The provider id of a data key that AWS KMS wrapped.
pub const KMS_PROVIDER: &str = "aws-kms";
/// The most wrapped data keys that are accepted; each may cost a call to decrypt.
pub const MAX_DATA_KEYS: usize = 64;
/// The longest header that is accepted: a streaming reader need not look further for its end.
pub const MAX_HEADER_LENGTH: usize = 1
    + 2
    + MESSAGE_ID_LENGTH
    + 2
    + MAX_CONTEXT_LENGTH
    + 2
    + MAX_DATA_KEYS * (6 + MAX_PROVIDER_ID + MAX_PROVIDER_INFO + MAX_WRAPPED_KEY)
    + 1
    + 4
    + COMMITMENT_LENGTH
    + TAG_LENGTH;

const VERSION: u8 = 2;
const FRAMED: u8 = 2;
const MAX_PROVIDER_ID: usize = 128;
/// `KeyId` of <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html> has at most 2048 characters.
const MAX_PROVIDER_INFO: usize = 2048;
/// `CiphertextBlob` of <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html> has at most 6144 bytes.
const MAX_WRAPPED_KEY: usize = 6144;

/// A data key as its provider wrapped it, with the name of the key that unwraps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedDataKey {
    /// Who wrapped it: `aws-kms`, or the name of another provider.
    pub provider_id: String,
    /// With which key: for `aws-kms` the key's ARN.
    pub provider_info: Vec<u8>,
    /// The wrapped data key: for `aws-kms` the `CiphertextBlob`.
    pub ciphertext: Vec<u8>,
}

impl EncryptedDataKey {
    /// Returns a data key that KMS wrapped.
    pub fn kms(key: &KeyArn, ciphertext: Vec<u8>) -> Self {
        Self { provider_id: KMS_PROVIDER.to_owned(), provider_info: key.as_str().as_bytes().to_vec(), ciphertext }
    }

    /// Returns the ARN of the KMS key that unwraps it, or nothing if another provider wrapped it.
    pub fn key_arn(&self) -> Option<KeyArn> {
        let info = std::str::from_utf8(&self.provider_info).ok()?;
        if self.provider_id == KMS_PROVIDER { info.parse().ok() } else { None }
    }
}

const PROVIDER_ID: &str = "provider id";
const PROVIDER_INFO: &str = "key name";
const CIPHERTEXT: &str = "ciphertext";

fn check_field(field: &'static str, length: usize, limit: usize) -> Result<u16, EnvelopeError> {
    let fault = EnvelopeError::DataKeyField { field, length, limit };
    if length > limit { Err(fault) } else { u16::try_from(length).map_err(|_| fault) }
}

fn check_count(count: usize) -> Result<u16, EnvelopeError> {
    match u16::try_from(count) {
        Ok(0) => Err(EnvelopeError::NoDataKeys),
        Ok(few) if count <= MAX_DATA_KEYS => Ok(few),
        _ => Err(EnvelopeError::TooManyDataKeys(count)),
    }
}

/// How many bytes of plaintext each frame but the last holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLength(u32);

impl FrameLength {
    /// The default of the AWS Encryption SDK.
    pub const DEFAULT: Self = Self(4096);
    /// The largest that is accepted: an opener must hold a whole frame before it may release any of it.
    pub const MAX: Self = Self(16 * 1024 * 1024);

    /// Returns the frame length, if it is from 1 byte to 16 MiB.
    pub fn new(bytes: u32) -> Result<Self, EnvelopeError> {
        if bytes == 0 || bytes > Self::MAX.0 { Err(EnvelopeError::FrameLength(bytes)) } else { Ok(Self(bytes)) }
    }

    /// Returns the number of bytes.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Returns the number of bytes, as a length in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A parsed header. Nothing in it is to be trusted until [`super::Opener::new`] has verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub(super) message_id: [u8; MESSAGE_ID_LENGTH],
    context: EncryptionContext,
    data_keys: Vec<EncryptedDataKey>,
    frame_length: FrameLength,
    pub(super) commitment: [u8; COMMITMENT_LENGTH],
    /// The bytes that the tag covers, as they stand in the message.
    pub(super) body: Vec<u8>,
    pub(super) tag: [u8; TAG_LENGTH],
    pub(super) places: Places,
}

/// Where the probes find what they alter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The ciphertext of each wrapped data key.
    pub(super) wrapped_keys: Vec<Range<usize>>,
    /// The last byte of the frame length.
    pub(super) frame_length_end: usize,
}

impl Header {
    /// Returns the stored encryption context.
    ///
    /// KMS must be given this one to unwrap the data key. Whether it is the *expected* one is for the caller to
    /// compare: the format authenticates it, but cannot know what it should be.
    pub fn encryption_context(&self) -> &EncryptionContext {
        &self.context
    }

    /// Returns the wrapped data keys, of which any one opens the message.
    pub fn data_keys(&self) -> &[EncryptedDataKey] {
        &self.data_keys
    }

    /// Returns how many bytes of plaintext each frame but the last holds.
    pub fn frame_length(&self) -> FrameLength {
        self.frame_length
    }

    /// Returns the message's id.
    pub fn message_id(&self) -> &[u8; MESSAGE_ID_LENGTH] {
        &self.message_id
    }

    /// Returns the length of the header, its tag included.
    pub fn encoded_len(&self) -> usize {
        self.body.len() + TAG_LENGTH
    }
}

/// Reads the header at the beginning of a message, and returns it with its length.
///
/// [`EnvelopeError::Truncated`] means that more bytes are needed, up to [`MAX_HEADER_LENGTH`]. Every other error is
/// final.
pub fn parse_header(message: &[u8]) -> Result<(Header, usize), EnvelopeError> {
    let mut reader = Reader::new(message, 0);
    let message_id = parse_start(&mut reader)?;
    let context = parse_context(&mut reader)?;
    let (data_keys, wrapped_keys) = parse_data_keys(&mut reader)?;
    let frame_length = parse_content(&mut reader)?;
    let frame_length_end = reader.taken().saturating_sub(1);
    let commitment = reader.array()?;
    let body = message.get(..reader.taken()).unwrap_or_default().to_vec();
    let tag = reader.array()?;
    let places = Places { wrapped_keys, frame_length_end };
    let header = Header { message_id, context, data_keys, frame_length, commitment, body, tag, places };
    Ok((header, reader.taken()))
}

fn parse_start(reader: &mut Reader<'_>) -> Result<[u8; MESSAGE_ID_LENGTH], EnvelopeError> {
    match reader.u8()? {
        VERSION => {}
        other => return Err(EnvelopeError::UnsupportedVersion(other)),
    }
    match reader.u16()? {
        ALGORITHM => reader.array(),
        other => Err(EnvelopeError::UnsupportedAlgorithm(other)),
    }
}

fn parse_context(reader: &mut Reader<'_>) -> Result<EncryptionContext, EnvelopeError> {
    let length = reader.u16()?;
    let at = reader.at();
    EncryptionContext::parse(reader.take(usize::from(length))?, at)
}

fn parse_data_keys(reader: &mut Reader<'_>) -> Result<(Vec<EncryptedDataKey>, Vec<Range<usize>>), EnvelopeError> {
    let count = usize::from(reader.u16()?);
    check_count(count)?;
    let mut keys = Vec::with_capacity(count);
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        let at = reader.at().saturating_add(2);
        let provider_id = parse_field(reader, PROVIDER_ID, MAX_PROVIDER_ID)?;
        let provider_id = std::str::from_utf8(provider_id).map_err(|_| EnvelopeError::NotUtf8 { at })?.to_owned();
        let provider_info = parse_field(reader, PROVIDER_INFO, MAX_PROVIDER_INFO)?.to_vec();
        let ciphertext = parse_field(reader, CIPHERTEXT, MAX_WRAPPED_KEY)?.to_vec();
        places.push(reader.taken().saturating_sub(ciphertext.len())..reader.taken());
        keys.push(EncryptedDataKey { provider_id, provider_info, ciphertext });
    }
    Ok((keys, places))
}

fn parse_field<'a>(reader: &mut Reader<'a>, field: &'static str, limit: usize) -> Result<&'a [u8], EnvelopeError> {
    let length = usize::from(reader.u16()?);
    check_field(field, length, limit)?;
    reader.take(length)
}

fn parse_content(reader: &mut Reader<'_>) -> Result<FrameLength, EnvelopeError> {
    match reader.u8()? {
        FRAMED => FrameLength::new(reader.u32()?),
        other => Err(EnvelopeError::UnsupportedContentType(other)),
    }
}

/// Returns the bytes of a header, without its tag.
pub(super) fn header_body(
    message_id: &[u8; MESSAGE_ID_LENGTH],
    context: &EncryptionContext,
    data_keys: &[EncryptedDataKey],
    frame_length: FrameLength,
    commitment: &[u8; COMMITMENT_LENGTH],
) -> Result<Vec<u8>, EnvelopeError> {
    let mut out = vec![VERSION];
    out.extend(ALGORITHM.to_be_bytes());
    out.extend(message_id);
    let context = context.serialise();
    let context_length = u16::try_from(context.len());
    out.extend(context_length.map_err(|_| EnvelopeError::ContextTooLong { length: context.len() })?.to_be_bytes());
    out.extend(context);
    out.extend(check_count(data_keys.len())?.to_be_bytes());
    for key in data_keys {
        put_field(&mut out, PROVIDER_ID, key.provider_id.as_bytes(), MAX_PROVIDER_ID)?;
        put_field(&mut out, PROVIDER_INFO, &key.provider_info, MAX_PROVIDER_INFO)?;
        put_field(&mut out, CIPHERTEXT, &key.ciphertext, MAX_WRAPPED_KEY)?;
    }
    out.push(FRAMED);
    out.extend(frame_length.get().to_be_bytes());
    out.extend(commitment);
    Ok(out)
}

fn put_field(out: &mut Vec<u8>, field: &'static str, bytes: &[u8], limit: usize) -> Result<(), EnvelopeError> {
    out.extend(check_field(field, bytes.len(), limit)?.to_be_bytes());
    out.extend(bytes);
    Ok(())
}
