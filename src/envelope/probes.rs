//! Alters a good message in the ways that opening must notice, for the self-test.
//!
//! Each function takes a whole message, needs no key, changes exactly one thing, and says which error is due when
//! the altered message is opened with the right data key.

use super::body::read_frame;
use super::{EnvelopeError, FrameKind, FrameLength, Header, parse_header};
use std::ops::Range;

/// Why a probe cannot be made from a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The message is not a good one to begin with.
    #[error("the message to alter is not valid: {0}")]
    Message(#[from] EnvelopeError),
    /// The message has nothing of what the probe alters.
    #[error("the probe needs {0}")]
    NotApplicable(&'static str),
}

/// Flips one bit of the header: of its frame length where that leaves a legal one, else of its tag.
///
/// Due: [`EnvelopeError::HeaderTampered`].
pub fn flip_bit_in_header(message: &[u8]) -> Result<Vec<u8>, ProbeError> {
    let layout = Layout::of(message)?;
    let length = layout.header.frame_length().get();
    let legal = [1_u8, 2].into_iter().find(|mask| FrameLength::new(length ^ u32::from(*mask)).is_ok());
    match legal {
        Some(mask) => flip(message, layout.header.places.frame_length_end, mask),
        None => flip(message, layout.header.encoded_len() - 1, 1),
    }
}

/// Flips one bit of the first frame: of its content, or of its tag where it is empty.
///
/// Due: [`EnvelopeError::FrameTampered`] with sequence 1.
pub fn flip_bit_in_body(message: &[u8]) -> Result<Vec<u8>, ProbeError> {
    let layout = Layout::of(message)?;
    // The tag follows the content, so in an empty frame this is the tag's first byte.
    flip(message, layout.frame(0)?.content.start, 1)
}

/// Flips one bit at the end of a wrapped data key; the first one is number 0.
///
/// Due: KMS refuses to decrypt the key with `InvalidCiphertextException`; [`EnvelopeError::HeaderTampered`] where
/// the data key is known otherwise.
pub fn flip_bit_in_wrapped_key(message: &[u8], number: usize) -> Result<Vec<u8>, ProbeError> {
    let layout = Layout::of(message)?;
    let place = layout.header.places.wrapped_keys.get(number).filter(|place| !place.is_empty());
    let place = place.ok_or(ProbeError::NotApplicable("a wrapped data key of that number"))?;
    flip(message, place.end - 1, 1)
}

/// Cuts off the last byte.
///
/// Due: [`EnvelopeError::Truncated`].
pub fn truncate(message: &[u8]) -> Result<Vec<u8>, ProbeError> {
    Layout::of(message)?;
    Ok(message.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default())
}

/// Cuts off the whole final frame, so that what remains is made of whole and genuine frames.
///
/// Due: [`EnvelopeError::MissingFinalFrame`].
pub fn drop_final_frame(message: &[u8]) -> Result<Vec<u8>, ProbeError> {
    let layout = Layout::of(message)?;
    let end = layout.frames.last().map_or(layout.header.encoded_len(), |frame| frame.place.start);
    Ok(message.get(..end).unwrap_or_default().to_vec())
}

/// Exchanges the first two frames, numbers and all.
///
/// Due: [`EnvelopeError::FrameOrder`].
pub fn swap_frames(message: &[u8]) -> Result<Vec<u8>, ProbeError> {
    let layout = Layout::of(message)?;
    let (first, second) = layout.two_regular_frames()?;
    Ok(exchange(message, &first.place, &second.place))
}

/// Exchanges all of the first two frames but their numbers, so that the order looks right.
///
/// Due: [`EnvelopeError::FrameTampered`] with sequence 1.
pub fn swap_frame_contents(message: &[u8]) -> Result<Vec<u8>, ProbeError> {
    const NUMBER: usize = 4;
    let layout = Layout::of(message)?;
    let (first, second) = layout.two_regular_frames()?;
    let unnumbered = |place: &Range<usize>| place.start + NUMBER..place.end;
    Ok(exchange(message, &unnumbered(&first.place), &unnumbered(&second.place)))
}

/// Where everything is in a message; nothing is verified.
struct Layout {
    header: Header,
    frames: Vec<Frame>,
}

struct Frame {
    kind: FrameKind,
    place: Range<usize>,
    content: Range<usize>,
}

impl Layout {
    fn of(message: &[u8]) -> Result<Self, EnvelopeError> {
        let (header, mut start) = parse_header(message)?;
        let mut frames: Vec<Frame> = Vec::new();
        let mut expected = 1;
        while frames.last().is_none_or(|frame| frame.kind == FrameKind::Regular) {
            let rest = message.get(start..).unwrap_or_default();
            let frame = read_frame(rest, super::reader::offset(0, start), expected, header.frame_length())?;
            let content = start + frame.content_place.start..start + frame.content_place.end;
            frames.push(Frame { kind: frame.id.kind, place: start..start + frame.length, content });
            start += frame.length;
            expected = expected.saturating_add(1);
        }
        Ok(Self { header, frames })
    }

    fn frame(&self, index: usize) -> Result<&Frame, ProbeError> {
        self.frames.get(index).ok_or(ProbeError::NotApplicable("more frames"))
    }

    fn two_regular_frames(&self) -> Result<(&Frame, &Frame), ProbeError> {
        match self.frames.as_slice() {
            [first, second, ..] if second.kind == FrameKind::Regular => Ok((first, second)),
            _ => Err(ProbeError::NotApplicable("a plaintext of more than two frames")),
        }
    }
}

fn flip(message: &[u8], at: usize, mask: u8) -> Result<Vec<u8>, ProbeError> {
    let mut altered = message.to_vec();
    let byte = altered.get_mut(at).ok_or(ProbeError::NotApplicable("a longer message"))?;
    *byte ^= mask;
    Ok(altered)
}

/// Returns the message with two parts, of which the first ends before the second, in each other's place.
fn exchange(message: &[u8], first: &Range<usize>, second: &Range<usize>) -> Vec<u8> {
    let order = [0..first.start, second.clone(), first.end..second.start, first.clone(), second.end..message.len()];
    order.into_iter().flat_map(|part| message.get(part).unwrap_or_default()).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{data_key, message};
    use super::*;
    use crate::envelope::open;

    fn due(altered: Result<Vec<u8>, ProbeError>) -> EnvelopeError {
        open(&altered.unwrap(), &data_key()).unwrap_err()
    }

    #[test]
    fn each_probe_meets_its_error() {
        let good = message(&[7; 50], 16);
        assert_eq!(due(flip_bit_in_header(&good)), EnvelopeError::HeaderTampered);
        assert_eq!(due(flip_bit_in_body(&good)), EnvelopeError::FrameTampered { sequence: 1 });
        assert_eq!(due(flip_bit_in_wrapped_key(&good, 0)), EnvelopeError::HeaderTampered);
        let at = good.len() as u64 - 1;
        assert_eq!(due(truncate(&good)), EnvelopeError::Truncated { at });
        assert_eq!(due(drop_final_frame(&good)), EnvelopeError::MissingFinalFrame { after: 3 });
        assert_eq!(due(swap_frames(&good)), EnvelopeError::FrameOrder { expected: 1, found: 2 });
        assert_eq!(due(swap_frame_contents(&good)), EnvelopeError::FrameTampered { sequence: 1 });
    }

    #[test]
    fn probes_change_one_bit_of_the_right_part() {
        let good = message(&[7; 50], 16);
        let changed = |altered: Result<Vec<u8>, ProbeError>| {
            let altered = altered.unwrap();
            let places: Vec<usize> = (0..good.len()).filter(|at| good[*at] != altered[*at]).collect();
            let [at] = places[..] else { panic!("{places:?}") };
            assert_eq!((good[at] ^ altered[at]).count_ones(), 1);
            at
        };
        let (header, end) = parse_header(&good).unwrap();
        assert_eq!(changed(flip_bit_in_header(&good)), header.body.len() - 32 - 1);
        assert_eq!(changed(flip_bit_in_body(&good)), end + 4 + 12);
        let wrapped = &header.data_keys()[0].ciphertext;
        let found = good.windows(wrapped.len()).position(|part| part == wrapped).unwrap();
        assert_eq!(changed(flip_bit_in_wrapped_key(&good, 0)), found + wrapped.len() - 1);
    }

    #[test]
    fn the_smallest_messages_and_the_frame_lengths_at_the_ends_of_the_range() {
        for frame_length in [1, 2, 3, FrameLength::MAX.get() - 1, FrameLength::MAX.get()] {
            let good = message(b"", frame_length);
            assert_eq!(due(flip_bit_in_header(&good)), EnvelopeError::HeaderTampered, "{frame_length}");
            assert_eq!(due(flip_bit_in_body(&good)), EnvelopeError::FrameTampered { sequence: 1 });
            assert_eq!(due(drop_final_frame(&good)), EnvelopeError::MissingFinalFrame { after: 0 });
        }
    }

    #[test]
    fn what_cannot_be_altered_is_said() {
        let two = message(&[7; 32], 16);
        assert!(matches!(swap_frames(&two), Err(ProbeError::NotApplicable(_))));
        assert!(matches!(swap_frame_contents(&two), Err(ProbeError::NotApplicable(_))));
        assert!(matches!(flip_bit_in_wrapped_key(&two, 1), Err(ProbeError::NotApplicable(_))));
        let cut = &two[..two.len() - 1];
        let at = cut.len() as u64;
        assert_eq!(truncate(cut), Err(ProbeError::Message(EnvelopeError::Truncated { at })));
    }
}
