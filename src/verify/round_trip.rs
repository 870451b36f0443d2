//! The envelope: generate, seal, decrypt, open, compare; and everything that must fail on the way.

use super::cast::{Member, OtherKey};
use super::check::Use;
use super::notes::{Notes, Question, negative, positive, words};
use super::subject::Subject;
use super::{Enforced, VerifyJob, context, judge};
use crate::access::PrincipalFacts;
use crate::desired::Delegation;
use crate::envelope::{self, EncryptedDataKey, FrameLength, MESSAGE_ID_LENGTH};
use crate::ports::{CallerReader, Clock, Crypto, DataKey, EncryptionContext, PortError, PortErrorKind, Randomness};
use crate::report::{Expectation, ProbeResult};
use crate::secret::SecretBytes;

mod candidates;
mod local;
mod remote;

use candidates::{Candidate, Certainty, candidates};

const ROUND_TRIP: &str = "envelope: round trip";
/// Five frames, the last one short: enough to exchange two regular ones.
const FRAME: u32 = 16;
const PLAINTEXT: usize = 70;

/// A message that was sealed under a data key from KMS, decrypted and opened.
struct Sealed {
    data_key: DataKey,
    message: Vec<u8>,
    context: EncryptionContext,
}

/// Where a trial ended.
enum Trial {
    Done(Box<Sealed>),
    /// The identity may not: another may.
    Refused(PortError),
    Failed(ProbeResult),
}

/// Runs the envelope as the first identity that may do its steps directly.
pub(super) async fn run<C, M>(
    notes: &mut Notes<'_, M>,
    job: &VerifyJob<'_, C, M>,
    subject: &Subject<'_>,
    members: &[Member<'_, C>],
    scene: (Option<&OtherKey<'_>>, Enforced),
) where
    C: Crypto + CallerReader + Sync,
    M: Clock + Randomness + Sync,
{
    let (other, enforced) = scene;
    let mut refusal = None;
    for candidate in candidates(job, subject, members, enforced) {
        let (trial, latency) = notes.timed(attempt(&candidate, subject, job.machine)).await;
        let identity = candidate.identity.clone();
        let question = Question { identity: &identity, scenario: ROUND_TRIP, expected: Expectation::Allowed };
        match trial {
            Trial::Refused(error) => {
                if candidate.certainty == Certainty::Certain && refusal.is_none() {
                    refusal = Some((candidate.identity, error));
                }
            }
            Trial::Failed(result) => return notes.note(question, result, latency),
            Trial::Done(sealed) => {
                notes.note(question, ProbeResult::Passed, latency);
                local::probe(notes, &identity, &sealed);
                let target = job.target;
                let scene = remote::Scene { candidate: &candidate, subject, sealed: &sealed, target, other };
                return remote::probe(notes, &scene).await;
            }
        }
    }
    let (identity, result) = match refusal {
        Some((identity, error)) => (identity, ProbeResult::Failed { observed: words(&error) }),
        None => candidates::judged(job, subject),
    };
    notes.note(Question { identity: &identity, scenario: ROUND_TRIP, expected: Expectation::Allowed }, result, None);
}

/// Generates a data key, seals a message, decrypts the data key that the message carries, opens, compares.
async fn attempt<C: Crypto, M: Randomness>(candidate: &Candidate<'_, C>, subject: &Subject<'_>, machine: &M) -> Trial {
    let context = candidate.context.clone();
    let data_key = match candidate.connection.generate_data_key(&subject.id, &context).await {
        Ok(data_key) => data_key,
        Err(error) => return ended(error),
    };
    if data_key.key.as_str() != subject.facts.arn {
        return failed(format!("the data key was wrapped by {}", data_key.key));
    }
    let (message, plaintext) = match seal(&data_key, &context, machine) {
        Ok(sealed) => sealed,
        Err(observed) => return failed(observed),
    };
    let wrapped = match envelope::parse_header(&message) {
        Ok((header, _)) => header.data_keys().first().map(|key| key.ciphertext.clone()).unwrap_or_default(),
        Err(error) => return failed(error.to_string()),
    };
    let unwrapped = match candidate.connection.decrypt(&subject.id, &wrapped, &context).await {
        Ok(unwrapped) => unwrapped,
        Err(error) => return ended(error),
    };
    match envelope::open(&message, &unwrapped) {
        Ok(opened) if opened.expose_secret() == plaintext.expose_secret() => {
            Trial::Done(Box::new(Sealed { data_key, message, context }))
        }
        Ok(_) => failed("the opened text is not the one that was sealed".to_owned()),
        Err(error) => failed(error.to_string()),
    }
}

fn ended(error: PortError) -> Trial {
    if error.kind == PortErrorKind::Denied {
        return Trial::Refused(error);
    }
    Trial::Failed(positive::<()>(&Err(error)))
}

fn failed(observed: String) -> Trial {
    Trial::Failed(ProbeResult::Failed { observed })
}

/// Seals random bytes; returns the message and the bytes.
fn seal<M: Randomness>(
    data_key: &DataKey,
    context: &EncryptionContext,
    machine: &M,
) -> Result<(Vec<u8>, SecretBytes), String> {
    let mut text = vec![0; PLAINTEXT];
    let mut message_id = [0; MESSAGE_ID_LENGTH];
    machine.fill(&mut text).and_then(|()| machine.fill(&mut message_id)).map_err(|error| words(&error))?;
    let text = SecretBytes::new(text);
    let keys = [EncryptedDataKey::kms(&data_key.key, data_key.ciphertext.clone())];
    let sealed = FrameLength::new(FRAME).and_then(|length| {
        let context = envelope::EncryptionContext::new(context.clone())?;
        envelope::seal(text.expose_secret(), &data_key.plaintext, message_id, &context, &keys, length)
    });
    sealed.map(|message| (message, text)).map_err(|error| error.to_string())
}
