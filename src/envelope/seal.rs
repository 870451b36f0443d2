//! Writes messages, frame by frame or whole.

use super::body::{FRAME_OVERHEAD, put_frame_start};
use super::header::{MESSAGE_ID_LENGTH, header_body};
use super::suite::{FrameId, MessageCipher, derive};
use super::{EncryptedDataKey, EncryptionContext, EnvelopeError, FrameKind, FrameLength};
use crate::secret::SecretBytes;

/// Seals one message: [`Sealer::frame`] for every full chunk, [`Sealer::finish`] for the last one.
#[derive(Debug)]
pub struct Sealer {
    cipher: MessageCipher,
    frame_length: FrameLength,
    next: u32,
}

impl Sealer {
    /// Begins a message, and returns its header.
    ///
    /// The message id must be random and never used twice with the same data key: the message's key, and with it
    /// the uniqueness of every nonce, hangs on it. The data keys are wrappings of `data_key` under the same context.
    pub fn new(
        data_key: &SecretBytes,
        message_id: [u8; MESSAGE_ID_LENGTH],
        context: &EncryptionContext,
        data_keys: &[EncryptedDataKey],
        frame_length: FrameLength,
    ) -> Result<(Self, Vec<u8>), EnvelopeError> {
        let (cipher, commitment) = derive(data_key, &message_id)?;
        let mut header = header_body(&message_id, context, data_keys, frame_length, &commitment)?;
        header.extend(cipher.header_tag(&header)?);
        Ok((Self { cipher, frame_length, next: 1 }, header))
    }

    /// Returns the frame of a chunk that has exactly the message's frame length.
    pub fn frame(&mut self, chunk: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        if chunk.len() != self.frame_length.as_usize() {
            return Err(self.wrong_length(chunk));
        }
        // The final frame needs a number too, and the highest is the mark of the final frame.
        let following = self.next.checked_add(1).ok_or(EnvelopeError::TooManyFrames)?;
        let frame = self.encode(FrameKind::Regular, chunk)?;
        self.next = following;
        Ok(frame)
    }

    /// Ends the message with a chunk of at most its frame length, which may be empty.
    pub fn finish(self, last_chunk: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        if last_chunk.len() > self.frame_length.as_usize() {
            return Err(self.wrong_length(last_chunk));
        }
        self.encode(FrameKind::Final, last_chunk)
    }

    fn wrong_length(&self, chunk: &[u8]) -> EnvelopeError {
        EnvelopeError::ChunkLength { expected: self.frame_length.get(), found: chunk.len() }
    }

    fn encode(&self, kind: FrameKind, chunk: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let id = FrameId { kind, sequence: self.next };
        let length = u32::try_from(chunk.len()).map_err(|_| self.wrong_length(chunk))?;
        // Never reallocated, so that no copy of the plaintext stays behind.
        let mut out = Vec::with_capacity(FRAME_OVERHEAD + chunk.len());
        put_frame_start(&mut out, id, length);
        let start = out.len();
        out.extend(chunk);
        let tag = self.cipher.seal_frame(id, out.get_mut(start..).unwrap_or_default())?;
        out.extend(tag);
        Ok(out)
    }
}

/// Seals a plaintext that is in memory.
///
/// See [`Sealer::new`] for what is demanded of the message id.
pub fn seal(
    plaintext: &[u8],
    data_key: &SecretBytes,
    message_id: [u8; MESSAGE_ID_LENGTH],
    context: &EncryptionContext,
    data_keys: &[EncryptedDataKey],
    frame_length: FrameLength,
) -> Result<Vec<u8>, EnvelopeError> {
    let (mut sealer, mut message) = Sealer::new(data_key, message_id, context, data_keys, frame_length)?;
    let mut rest = plaintext;
    while rest.len() > frame_length.as_usize() {
        let (chunk, after) = rest.split_at(frame_length.as_usize());
        message.extend(sealer.frame(chunk)?);
        rest = after;
    }
    message.extend(sealer.finish(rest)?);
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::super::tests::sealer;
    use super::*;
    use crate::envelope::body::read_frame;

    #[test]
    fn the_last_number_is_kept_for_the_final_frame() {
        let (mut sealer, _) = sealer(4);
        sealer.next = u32::MAX - 1;
        assert!(sealer.frame(b"abcd").is_ok());
        assert_eq!(sealer.frame(b"abcd"), Err(EnvelopeError::TooManyFrames));
        let bytes = sealer.finish(b"abcd").unwrap();
        let frame = read_frame(&bytes, 0, u32::MAX, FrameLength::new(4).unwrap()).unwrap();
        assert_eq!(frame.id, FrameId { kind: FrameKind::Final, sequence: u32::MAX });
    }

    #[test]
    fn frames_are_written_without_reallocating() {
        let (mut sealer, _) = sealer(1000);
        assert_eq!(sealer.frame(&[1; 1000]).unwrap().capacity(), FRAME_OVERHEAD + 1000);
        assert_eq!(sealer.finish(&[1; 1000]).unwrap().len(), FRAME_OVERHEAD + 1000);
    }
}
