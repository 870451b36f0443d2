//! Alters a sealed message in every way that opening it must notice.

use super::{Notes, Question, Sealed};
use crate::envelope::probes::{self, ProbeError};
use crate::envelope::{EnvelopeError, open};
use crate::ports::Clock;
use crate::report::{Expectation, ProbeResult};

/// A way to alter a message, and whether an error is the one that is due.
type Alteration = (&'static str, fn(&[u8]) -> Result<Vec<u8>, ProbeError>, fn(&EnvelopeError) -> bool);

const ALTERATIONS: [Alteration; 6] = [
    ("flipped bit in the header", probes::flip_bit_in_header, |error| matches!(error, EnvelopeError::HeaderTampered)),
    ("flipped bit in the body", probes::flip_bit_in_body, |error| {
        matches!(error, EnvelopeError::FrameTampered { sequence: 1 })
    }),
    ("truncated", probes::truncate, |error| matches!(error, EnvelopeError::Truncated { .. })),
    ("final frame dropped", probes::drop_final_frame, |error| matches!(error, EnvelopeError::MissingFinalFrame { .. })),
    ("frames exchanged", probes::swap_frames, |error| matches!(error, EnvelopeError::FrameOrder { .. })),
    ("contents of frames exchanged", probes::swap_frame_contents, |error| {
        matches!(error, EnvelopeError::FrameTampered { sequence: 1 })
    }),
];

/// Opens altered copies with the right data key; nothing is called.
pub(super) fn probe<M: Clock + Sync>(notes: &mut Notes<'_, M>, identity: &str, title: &str, sealed: &Sealed) {
    for (how, alter, is_due) in ALTERATIONS {
        let scenario = format!("{title}: {how}");
        let result = match alter(&sealed.message).map(|altered| open(&altered, &sealed.data_key.plaintext)) {
            Ok(Err(error)) if is_due(&error) => ProbeResult::Passed,
            Ok(Err(error)) => ProbeResult::NotChecked { reason: error.to_string() },
            Ok(Ok(_)) => ProbeResult::Failed { observed: "the altered message was opened".to_owned() },
            Err(error) => ProbeResult::NotChecked { reason: error.to_string() },
        };
        notes.note(Question { identity, scenario: &scenario, expected: Expectation::Refused }, result, None);
    }
}
