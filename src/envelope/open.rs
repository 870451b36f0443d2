//! Reads messages, frame by frame or whole, and releases nothing that is not verified.

use super::body::{FRAME_OVERHEAD, read_frame};
use super::reader::offset;
use super::suite::{MessageCipher, check_commitment, derive};
use super::{EnvelopeError, FrameKind, FrameLength, Header, parse_header};
use crate::secret::SecretBytes;
use zeroize::Zeroizing;

/// Opens one message: [`Opener::frame`] until it returns the final frame, then [`Opener::finish`].
#[derive(Debug)]
pub struct Opener {
    cipher: MessageCipher,
    frame_length: FrameLength,
    at: u64,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Expecting(u32),
    Complete,
}

/// A frame whose tag verified.
#[derive(Debug)]
pub struct OpenedFrame {
    /// The frame's plaintext.
    pub plaintext: SecretBytes,
    /// How many bytes of the message the frame took.
    pub consumed: usize,
    /// Whether frames follow.
    pub kind: FrameKind,
}

impl Opener {
    /// Verifies that the message commits to the data key, then the header's tag.
    pub fn new(header: &Header, data_key: &SecretBytes) -> Result<Self, EnvelopeError> {
        let (cipher, commitment) = derive(data_key, &header.message_id)?;
        check_commitment(&commitment, &header.commitment)?;
        cipher.check_header(&header.body, &header.tag)?;
        let at = offset(0, header.encoded_len());
        Ok(Self { cipher, frame_length: header.frame_length(), at, state: State::Expecting(1) })
    }

    /// Returns the most bytes that a frame of this message can take: a reader needs no larger buffer.
    pub fn max_frame_bytes(&self) -> usize {
        FRAME_OVERHEAD.saturating_add(self.frame_length.as_usize())
    }

    /// Opens the frame at the beginning of the bytes, which follow the header or the previous frame.
    ///
    /// After [`EnvelopeError::Truncated`] it may be called again with more bytes. Frames that were returned are
    /// genuine and in order, but the message is whole only when [`Opener::finish`] says so.
    pub fn frame(&mut self, bytes: &[u8]) -> Result<OpenedFrame, EnvelopeError> {
        let State::Expecting(expected) = self.state else {
            return Err(EnvelopeError::TrailingData { at: self.at });
        };
        let frame = read_frame(bytes, self.at, expected, self.frame_length)?;
        let mut plaintext = self.cipher.open_frame(frame.id, frame.nonce, frame.content, &frame.tag)?;
        self.at = offset(self.at, frame.length);
        self.state = match frame.id.kind {
            // A regular frame cannot have the highest number, which marks the final frame.
            FrameKind::Regular => State::Expecting(expected.saturating_add(1)),
            FrameKind::Final => State::Complete,
        };
        let plaintext = SecretBytes::new(std::mem::take(&mut *plaintext));
        Ok(OpenedFrame { plaintext, consumed: frame.length, kind: frame.id.kind })
    }

    /// Ends the message: the final frame must have been opened, and nothing may be left.
    pub fn finish(self, rest: &[u8]) -> Result<(), EnvelopeError> {
        match self.state {
            State::Expecting(next) => Err(EnvelopeError::MissingFinalFrame { after: next.saturating_sub(1) }),
            State::Complete if !rest.is_empty() => Err(EnvelopeError::TrailingData { at: self.at }),
            State::Complete => Ok(()),
        }
    }
}

/// Opens a message that is in memory.
pub fn open(message: &[u8], data_key: &SecretBytes) -> Result<SecretBytes, EnvelopeError> {
    let (header, consumed) = parse_header(message)?;
    let mut opener = Opener::new(&header, data_key)?;
    let mut rest = message.get(consumed..).unwrap_or_default();
    // Never reallocated, so that no copy of the plaintext stays behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(rest.len()));
    while !rest.is_empty() {
        let frame = opener.frame(rest)?;
        plaintext.extend_from_slice(frame.plaintext.expose_secret());
        rest = rest.get(frame.consumed..).unwrap_or_default();
    }
    opener.finish(rest)?;
    Ok(SecretBytes::new(std::mem::take(&mut *plaintext)))
}
