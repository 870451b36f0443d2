//! Data key pairs: the halves belong together, and the wrapped one decrypts to the private one; where users make them.

use super::{Notes, Question, Stage};
use crate::kms::Capability;
use crate::ports::{Cipher, Clock, Crypto, Forwarding, PortErrorKind, PortResult};
use crate::report::{Expectation, ProbeResult};
use crate::secret::SecretBytes;
use crate::verify::local;
use crate::verify::notes::{negative, positive};
use crate::verify::round_trip::candidates::{self, Aim, Candidate, Certainty};
use crate::verify::specimen::flipped;

const ROUND_TRIP: &str = "key pair: round trip";
const WRAPPED: &str = "key pair: made without plaintext, decrypted";
const FLIPPED: &str = "key pair: flipped bit in the wrapped half";

/// Runs where the manifest lets somebody make data key pairs.
pub(super) async fn run<C: Crypto + Forwarding + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
) {
    let key = stage.subject.desired;
    if !key.users.iter().any(|user| user.capabilities.contains(&Capability::GenerateDataKeyPair)) {
        return;
    }
    one(notes, stage, (Aim::KeyPair, ROUND_TRIP)).await;
    one(notes, stage, (Aim::WrappedKeyPair, WRAPPED)).await;
}

/// What came of making and decrypting a pair.
struct Trip {
    wrapped: Vec<u8>,
    /// What is wrong with it.
    wrong: Option<&'static str>,
}

async fn one<C: Crypto + Forwarding + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    (aim, scenario): (Aim, &str),
) {
    let expected = Expectation::Allowed;
    for candidate in candidates::candidates(stage.job, stage.subject, stage.members, (aim, stage.enforced)) {
        let (trip, latency) = notes.timed(attempt(&candidate, stage, aim)).await;
        let refused = matches!(&trip, Err(error) if error.kind == PortErrorKind::Denied);
        if refused && candidate.certainty == Certainty::Perhaps {
            continue;
        }
        let result = match &trip {
            Ok(Trip { wrong: Some(wrong), .. }) => ProbeResult::Failed { observed: (*wrong).to_owned() },
            Ok(Trip { wrong: None, .. }) | Err(_) => positive(&trip),
        };
        let identity = candidate.identity.as_str();
        notes.note(Question { identity, scenario, expected }, result, latency);
        if let (Ok(trip), Aim::KeyPair) = (&trip, aim) {
            let altered = flipped(&trip.wrapped);
            let (answer, latency) = notes.timed(decrypt(&candidate, stage, &altered)).await;
            let result = negative(&answer, PortErrorKind::InvalidCiphertext, "it was decrypted all the same");
            notes.note(Question { identity, scenario: FLIPPED, expected: Expectation::Refused }, result, latency);
        }
        return;
    }
    let (identity, result) = candidates::judged(stage.job, stage.subject, aim);
    notes.note(Question { identity: &identity, scenario, expected }, result, None);
}

async fn attempt<C: Crypto + Sync, M>(
    candidate: &Candidate<'_, C>,
    stage: &Stage<'_, '_, C, M>,
    aim: Aim,
) -> PortResult<Trip> {
    let (connection, id, context) = (candidate.connection(), &stage.subject.id, &candidate.context);
    let (given, wrapped) = if aim == Aim::KeyPair {
        let pair = connection.generate_data_key_pair(id, context).await?;
        (Some(pair.private), pair.wrapped)
    } else {
        (None, connection.generate_data_key_pair_without_plaintext(id, context).await?)
    };
    let private = decrypt(candidate, stage, &wrapped.ciphertext).await?;
    let other = given.is_some_and(|given| given.expose_secret() != private.expose_secret());
    let wrong = if other {
        Some("another private key was decrypted than was made")
    } else if local::is_pair(&private, &wrapped.public) {
        None
    } else {
        Some("the private key and the public key do not belong together")
    };
    Ok(Trip { wrapped: wrapped.ciphertext, wrong })
}

async fn decrypt<C: Crypto + Sync, M>(
    candidate: &Candidate<'_, C>,
    stage: &Stage<'_, '_, C, M>,
    ciphertext: &[u8],
) -> PortResult<SecretBytes> {
    let cipher = Cipher::Symmetric(&candidate.context);
    candidate.connection().decrypt(&stage.subject.id, ciphertext, cipher).await
}
