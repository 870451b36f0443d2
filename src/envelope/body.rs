//! The frames of a message's body, as bytes.
//!
//! See <https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/message-format.html#body-framing>.

use super::reader::Reader;
use super::suite::{FrameId, NONCE_LENGTH, TAG_LENGTH, nonce};
use super::{EnvelopeError, FrameLength};
use std::ops::Range;

/// Whether frames follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A frame of exactly the message's frame length; another follows.
    Regular,
    /// The last frame: as long as the others, shorter, or empty.
    Final,
}

/// Stands where a regular frame has its number.
const FINAL_MARK: u32 = u32::MAX;

/// The most bytes that a frame has besides its content.
pub(super) const FRAME_OVERHEAD: usize = 4 + 4 + NONCE_LENGTH + 4 + TAG_LENGTH;

/// A frame as it stands in the message, not yet verified.
pub(super) struct RawFrame<'a> {
    pub(super) id: FrameId,
    pub(super) nonce: [u8; NONCE_LENGTH],
    pub(super) content: &'a [u8],
    pub(super) tag: [u8; TAG_LENGTH],
    /// Where the content stands, counted from the frame's first byte.
    pub(super) content_place: Range<usize>,
    /// How many bytes the frame has.
    pub(super) length: usize,
}

/// Reads the frame that begins at offset `at` of a message, which must have the expected number.
pub(super) fn read_frame(
    bytes: &[u8],
    at: u64,
    expected: u32,
    frame_length: FrameLength,
) -> Result<RawFrame<'_>, EnvelopeError> {
    let mut reader = Reader::new(bytes, at);
    let id = match reader.u32()? {
        FINAL_MARK => FrameId { kind: FrameKind::Final, sequence: reader.u32()? },
        sequence => FrameId { kind: FrameKind::Regular, sequence },
    };
    if id.sequence != expected {
        return Err(EnvelopeError::FrameOrder { expected, found: id.sequence });
    }
    let nonce = reader.array()?;
    let length = match id.kind {
        FrameKind::Regular => frame_length.as_usize(),
        FrameKind::Final => final_length(reader.u32()?, frame_length)?,
    };
    let start = reader.taken();
    let content = reader.take(length)?;
    let content_place = start..reader.taken();
    let tag = reader.array()?;
    Ok(RawFrame { id, nonce, content, tag, content_place, length: reader.taken() })
}

fn final_length(length: u32, frame_length: FrameLength) -> Result<usize, EnvelopeError> {
    let limit = frame_length.get();
    let too_long = EnvelopeError::FinalFrameTooLong { length, limit };
    if length > limit { Err(too_long) } else { usize::try_from(length).map_err(|_| too_long) }
}

/// Appends what stands before a frame's content.
pub(super) fn put_frame_start(out: &mut Vec<u8>, id: FrameId, content_length: u32) {
    if id.kind == FrameKind::Final {
        out.extend(FINAL_MARK.to_be_bytes());
    }
    out.extend(id.sequence.to_be_bytes());
    out.extend(nonce(id.sequence));
    if id.kind == FrameKind::Final {
        out.extend(content_length.to_be_bytes());
    }
}
