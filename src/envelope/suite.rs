//! Algorithm suite 0x0478: key derivation, key commitment, and the two uses of AES-256-GCM.
//!
//! See <https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/algorithms-reference.html> and
//! <https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/body-aad-reference.html>.

use super::EnvelopeError;
use super::body::FrameKind;
use super::header::MESSAGE_ID_LENGTH;
use crate::secret::SecretBytes;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk, Salt};
use std::fmt;
use zeroize::Zeroizing;

/// The id of the suite.
pub(super) const ALGORITHM: u16 = 0x0478;
/// The length of the plaintext data key that the suite takes.
pub const DATA_KEY_LENGTH: usize = 32;
/// The length of the key commitment.
pub(super) const COMMITMENT_LENGTH: usize = 32;
/// The length of a tag.
pub(super) const TAG_LENGTH: usize = 16;
/// The length of a nonce, which the format calls IV.
pub(super) const NONCE_LENGTH: usize = 12;

/// A frame's kind and number, which its tag authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameId {
    pub(super) kind: FrameKind,
    pub(super) sequence: u32,
}

/// The derived key of one message.
pub(super) struct MessageCipher {
    key: LessSafeKey,
    message_id: [u8; MESSAGE_ID_LENGTH],
}

impl fmt::Debug for MessageCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageCipher(redacted)")
    }
}

/// Derives the message's key and its commitment from the data key and the message id.
pub(super) fn derive(
    data_key: &SecretBytes,
    message_id: &[u8; MESSAGE_ID_LENGTH],
) -> Result<(MessageCipher, [u8; COMMITMENT_LENGTH]), EnvelopeError> {
    if data_key.len() != DATA_KEY_LENGTH {
        return Err(EnvelopeError::DataKeyLength(data_key.len()));
    }
    let prk = Salt::new(HKDF_SHA512, message_id).extract(data_key.expose_secret());
    let mut key = Zeroizing::new([0; DATA_KEY_LENGTH]);
    expand(&prk, &[&ALGORITHM.to_be_bytes(), b"DERIVEKEY"], &mut *key)?;
    let mut commitment = [0; COMMITMENT_LENGTH];
    expand(&prk, &[b"COMMITKEY"], &mut commitment)?;
    let key = UnboundKey::new(&AES_256_GCM, &*key).map_err(|_| EnvelopeError::Library("make a key"))?;
    Ok((MessageCipher { key: LessSafeKey::new(key), message_id: *message_id }, commitment))
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), EnvelopeError> {
    let derived = prk.expand(info, Length(out.len())).and_then(|okm| okm.fill(out));
    derived.map_err(|_| EnvelopeError::Library("derive a key"))
}

/// Checks, in constant time, that a message commits to the key that was derived for it.
pub(super) fn check_commitment(derived: &[u8], stored: &[u8]) -> Result<(), EnvelopeError> {
    verify_slices_are_equal(derived, stored).map_err(|_| EnvelopeError::CommitmentMismatch)
}

impl MessageCipher {
    /// Returns the tag over a header body: AES-GCM of nothing, under the all-zero nonce.
    pub(super) fn header_tag(&self, header: &[u8]) -> Result<[u8; TAG_LENGTH], EnvelopeError> {
        self.encrypt(nonce(0), header, &mut [])
    }

    /// Checks the tag over a header body.
    pub(super) fn check_header(&self, header: &[u8], tag: &[u8; TAG_LENGTH]) -> Result<(), EnvelopeError> {
        let nonce = Nonce::assume_unique_for_key(nonce(0));
        let checked = self.key.open_separate_gather(nonce, Aad::from(header), &[], tag, &mut []);
        checked.map_err(|_| EnvelopeError::HeaderTampered)
    }

    /// Encrypts a frame's content in place, under its sequence number as nonce, and returns its tag.
    pub(super) fn seal_frame(&self, id: FrameId, content: &mut [u8]) -> Result<[u8; TAG_LENGTH], EnvelopeError> {
        let aad = self.body_aad(id, content.len());
        self.encrypt(nonce(id.sequence), &aad, content)
    }

    /// Decrypts a frame's content, and returns it only if its tag verifies.
    pub(super) fn open_frame(
        &self,
        id: FrameId,
        stored_nonce: [u8; NONCE_LENGTH],
        content: &[u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let aad = self.body_aad(id, content.len());
        let nonce = Nonce::assume_unique_for_key(stored_nonce);
        let mut plaintext = Zeroizing::new(vec![0; content.len()]);
        let opened = self.key.open_separate_gather(nonce, Aad::from(&aad), content, tag, &mut plaintext);
        opened.map_err(|_| EnvelopeError::FrameTampered { sequence: id.sequence })?;
        Ok(plaintext)
    }

    fn encrypt(
        &self,
        nonce: [u8; NONCE_LENGTH],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], EnvelopeError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(aad), in_out).ok();
        let tag = tag.and_then(|tag| tag.as_ref().try_into().ok());
        tag.ok_or(EnvelopeError::Library("encrypt"))
    }

    fn body_aad(&self, id: FrameId, length: usize) -> Vec<u8> {
        let label: &[u8] = match id.kind {
            FrameKind::Regular => b"AWSKMSEncryptionClient Frame",
            FrameKind::Final => b"AWSKMSEncryptionClient Final Frame",
        };
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        [&self.message_id, label, &id.sequence.to_be_bytes(), &length.to_be_bytes()].concat()
    }
}

/// Returns the nonce that the format fixes: the frame's number, or 0 for the header.
///
/// It never repeats under a key, since each message has its own id, and with it its own key.
/// See <https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/IV-reference.html>.
pub(super) fn nonce(sequence: u32) -> [u8; NONCE_LENGTH] {
    let [a, b, c, d] = sequence.to_be_bytes();
    [0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
}
