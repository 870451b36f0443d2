//! The envelope: generate, seal, decrypt, open, compare; and everything that must fail on the way.

use super::cast::{Assumer, Member};
use super::notes::{Notes, Question, negative, positive, words};
use super::subject::Subject;
use super::uses::Use;
use super::{Enforced, TargetJob, context, judge};
use crate::access::PrincipalFacts;
use crate::desired::Delegation;
use crate::envelope::{self, EncryptedDataKey, FrameLength, MESSAGE_ID_LENGTH};
use crate::ports::{
    Cipher, Clock, Crypto, DataKey, EncryptionContext, Forwarding, PortError, PortErrorKind, PortResult, Randomness,
    RoleAssumer,
};
use crate::report::{Expectation, ProbeResult};
use crate::secret::SecretBytes;

pub(super) mod candidates;
pub(super) mod foreign;
mod local;
mod remote;

use candidates::{Aim, Candidate, Certainty, candidates};

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

/// Runs the envelope as the first identity that may do its steps, directly or, on the sandbox, through a service.
pub(super) async fn run<C, M>(
    notes: &mut Notes<'_, M>,
    job: &TargetJob<'_, C, M>,
    subject: &Subject<'_>,
    members: &[Member<'_, C>],
    (assumer, enforced): (&Assumer<'_, C>, Enforced),
) where
    C: Crypto + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let mut refusal = None;
    for candidate in candidates(job, subject, members, (Aim::RoundTrip, enforced)) {
        let (trial, latency) = notes.timed(attempt(&candidate, subject, job.machine)).await;
        let (identity, title) = (candidate.identity.clone(), candidate.title());
        let scenario = format!("{title}: round trip");
        let question = Question { identity: &identity, scenario: &scenario, expected: Expectation::Allowed };
        match trial {
            Trial::Refused(error) => {
                if candidate.certainty == Certainty::Certain && refusal.is_none() {
                    refusal = Some((identity, title, error));
                }
            }
            Trial::Failed(result) => return notes.note(question, result, latency),
            Trial::Done(sealed) => {
                notes.note(question, ProbeResult::Passed, latency);
                local::probe(notes, &identity, &title, &sealed);
                let foreign = foreign::make(job, subject, &sealed.context, (assumer, enforced)).await;
                let scene = remote::Scene { candidate: &candidate, title, subject, sealed: &sealed, foreign };
                return remote::probe(notes, &scene).await;
            }
        }
    }
    let (identity, title, result) = if let Some((identity, title, error)) = refusal {
        (identity, title, ProbeResult::Failed { observed: words(&error) })
    } else {
        let (identity, result) = candidates::judged(job, subject, Aim::RoundTrip);
        (identity, "envelope".to_owned(), result)
    };
    let scenario = format!("{title}: round trip");
    notes.note(Question { identity: &identity, scenario: &scenario, expected: Expectation::Allowed }, result, None);
}

/// Makes a data key, as the identity may: from KMS, in clear or to be decrypted, or from this machine.
pub(super) async fn data_key<C: Crypto, M: Randomness>(
    candidate: &Candidate<'_, C>,
    subject: &Subject<'_>,
    machine: &M,
) -> PortResult<DataKey> {
    let (connection, id, context) = (candidate.connection(), &subject.id, &candidate.context);
    let cipher = Cipher::Symmetric(context);
    let (plaintext, ciphertext) = if candidate.making == Use::GenerateDataKeyWithoutPlaintext {
        let ciphertext = connection.generate_data_key_without_plaintext(id, context).await?;
        (connection.decrypt(id, &ciphertext, cipher).await?, ciphertext)
    } else if candidate.making == Use::Encrypt {
        let mut bytes = vec![0; envelope::DATA_KEY_LENGTH];
        machine.fill(&mut bytes)?;
        let plaintext = SecretBytes::new(bytes);
        let ciphertext = connection.encrypt(id, &plaintext, cipher).await?;
        (plaintext, ciphertext)
    } else {
        return connection.generate_data_key(id, context).await;
    };
    Ok(DataKey { plaintext, ciphertext, key: subject.arn.clone(), material: None })
}

/// Makes a data key, seals a message, decrypts the data key that the message carries, opens, compares.
async fn attempt<C: Crypto, M: Randomness>(candidate: &Candidate<'_, C>, subject: &Subject<'_>, machine: &M) -> Trial {
    let context = candidate.context.clone();
    let data_key = match data_key(candidate, subject, machine).await {
        Ok(data_key) => data_key,
        Err(error) => return ended(error),
    };
    if data_key.key != subject.arn {
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
    let unwrapped = match candidate.connection().decrypt(&subject.id, &wrapped, Cipher::Symmetric(&context)).await {
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
