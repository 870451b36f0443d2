//! One operation in one Region and its counterpart in another, for each kind of key.

use crate::ports::{Cipher, Clock, Crypto, EncryptionContext, Forwarding, PortErrorKind, PortResult};
use crate::report::{Expectation, ProbeResult};
use crate::secret::SecretBytes;
use crate::verify::local::{self, Peer};
use crate::verify::notes::{Notes, Question, positive};
use crate::verify::round_trip::candidates::{self, Aim, Candidate, Certainty};
use crate::verify::specimen::TEXT;
use crate::verify::stage::{Asked, Right, Stage, say};
use crate::verify::uses::{Read, Use};

const NO_CONTEXT: &EncryptionContext = &EncryptionContext::new();
const ALLOWED: Expectation = Expectation::Allowed;

const fn right(what: Use) -> Right<'static> {
    Right::Use(what, NO_CONTEXT)
}

/// Returns a scenario that names both Regions.
fn scenario<C, M>(here: &Stage<'_, '_, C, M>, there: &Stage<'_, '_, C, M>, made: &str, taken: &str) -> String {
    format!("regions: {made} in {}, {taken} in {}", here.job.target.region, there.job.target.region)
}

/// Writes down how it ended in the first Region, where it got no further.
fn ended<T, C, M, N: Clock + Sync>(
    notes: &mut Notes<'_, N>,
    here: &Stage<'_, '_, C, M>,
    scenario: &str,
    made: &Asked<T>,
) {
    let result = in_region(here, made.result(|_| None));
    notes.note(Question { identity: &made.identity, scenario, expected: ALLOWED }, result, made.latency);
}

/// Says in which Region a failure was seen.
fn in_region<C, M>(stage: &Stage<'_, '_, C, M>, result: ProbeResult) -> ProbeResult {
    match result {
        ProbeResult::Failed { observed } => {
            ProbeResult::Failed { observed: format!("in {}: {observed}", stage.job.target.region) }
        }
        ProbeResult::Passed | ProbeResult::Evaluated { .. } | ProbeResult::NotChecked { .. } => result,
    }
}

fn differs(found: &SecretBytes, wanted: &[u8]) -> Option<String> {
    (found.expose_secret() != wanted).then(|| "the two Regions come to different results".to_owned())
}

/// What a symmetric key encrypted, decrypted by its relative.
pub(super) async fn ciphertext<C, M>(notes: &mut Notes<'_, M>, here: &Stage<'_, '_, C, M>, there: &Stage<'_, '_, C, M>)
where
    C: Crypto + Forwarding + Sync,
    M: Clock + Sync,
{
    let scenario = scenario(here, there, "sealed", "opened");
    let mut makers = candidates::candidates(here.job, here.subject, here.members, (Aim::Ciphertext, here.enforced));
    // Those come first whose ciphertext somebody can be called for to open; the sort keeps the order otherwise.
    makers.sort_by_key(|maker| !there.has_voice(Right::Use(Use::Decrypt, &maker.context)));
    for maker in &makers {
        let (made, latency) = notes.timed(sealed(maker, here)).await;
        match made {
            Ok((ciphertext, text)) => {
                let (id, context) = (&there.subject.id, &maker.context);
                let call = async |c: &C| c.decrypt(id, &ciphertext, Cipher::Symmetric(context)).await;
                let opened = there.ask(notes, Right::Use(Use::Decrypt, context), call).await;
                return say(notes, (&scenario, ALLOWED), &opened, |found| {
                    text.as_ref().and_then(|text| differs(found, text.expose_secret()))
                });
            }
            Err(error) if error.kind == PortErrorKind::Denied && maker.certainty == Certainty::Perhaps => {}
            Err(error) => {
                let result = in_region(here, positive::<()>(&Err(error)));
                let question = Question { identity: &maker.identity, scenario: &scenario, expected: ALLOWED };
                return notes.note(question, result, latency);
            }
        }
    }
    let (identity, result) = candidates::judged(here.job, here.subject, Aim::Ciphertext);
    notes.note(Question { identity: &identity, scenario: &scenario, expected: ALLOWED }, result, None);
}

/// Returns a ciphertext, and the text where it was told.
async fn sealed<C: Crypto, M>(
    maker: &Candidate<'_, C>,
    here: &Stage<'_, '_, C, M>,
) -> PortResult<(Vec<u8>, Option<SecretBytes>)> {
    let (connection, id, context) = (maker.connection(), &here.subject.id, &maker.context);
    if maker.making == Use::GenerateDataKeyWithoutPlaintext {
        return Ok((connection.generate_data_key_without_plaintext(id, context).await?, None));
    }
    if maker.making == Use::Encrypt {
        let text = SecretBytes::new(TEXT.to_vec());
        let ciphertext = connection.encrypt(id, &text, Cipher::Symmetric(context)).await?;
        return Ok((ciphertext, Some(text)));
    }
    let key = connection.generate_data_key(id, context).await?;
    Ok((key.ciphertext, Some(key.plaintext)))
}

/// What is encrypted on this side with the public key of one Region, decrypted in the other.
pub(super) async fn encryption<C, M>(notes: &mut Notes<'_, M>, here: &Stage<'_, '_, C, M>, there: &Stage<'_, '_, C, M>)
where
    C: Crypto + Sync,
    M: Clock + Sync,
{
    let scenario = scenario(here, there, "public key", "decrypted");
    let (id, spec) = (&here.subject.id, here.subject.desired.spec());
    let public = here.ask(notes, Right::Read(Read::GetPublicKey), async |c| c.public_key(id).await).await;
    let (Some(key), Some(algorithm)) = (public.value(), spec.encryption_algorithms().last().copied()) else {
        return ended(notes, here, &scenario, &public);
    };
    match local::encrypt(key, algorithm, TEXT) {
        Ok(ciphertext) => {
            let call = async |c: &C| c.decrypt(id, &ciphertext, Cipher::Public(algorithm)).await;
            let opened = there.ask(notes, right(Use::Decrypt), call).await;
            say(notes, (&scenario, ALLOWED), &opened, |found| differs(found, TEXT));
        }
        Err(reason) => {
            let result = ProbeResult::NotChecked { reason: reason.to_owned() };
            notes.note(Question { identity: &public.identity, scenario: &scenario, expected: ALLOWED }, result, None);
        }
    }
}

/// What one Region signs, verified by the other.
pub(super) async fn signature<C, M>(notes: &mut Notes<'_, M>, here: &Stage<'_, '_, C, M>, there: &Stage<'_, '_, C, M>)
where
    C: Crypto + Sync,
    M: Clock + Sync,
{
    let scenario = scenario(here, there, "signed", "verified");
    let (id, spec) = (&here.subject.id, here.subject.desired.spec());
    let Some(algorithm) = spec.signing_algorithms().first().copied() else { return };
    let signed = here.ask(notes, right(Use::Sign), async |c| c.sign(id, algorithm, TEXT).await).await;
    let Some(signature) = signed.value() else { return ended(notes, here, &scenario, &signed) };
    let call = async |c: &C| c.verify(id, algorithm, TEXT, signature).await;
    let verified = there.ask(notes, right(Use::Verify), call).await;
    say(notes, (&scenario, ALLOWED), &verified, |()| None);
}

/// The code of one Region, verified by the other.
pub(super) async fn mac<C, M>(notes: &mut Notes<'_, M>, here: &Stage<'_, '_, C, M>, there: &Stage<'_, '_, C, M>)
where
    C: Crypto + Sync,
    M: Clock + Sync,
{
    let scenario = scenario(here, there, "made", "verified");
    let (id, spec) = (&here.subject.id, here.subject.desired.spec());
    let Some(algorithm) = spec.mac_algorithms().first().copied() else { return };
    let made = here.ask(notes, right(Use::GenerateMac), async |c| c.generate_mac(id, algorithm, TEXT).await).await;
    let Some(code) = made.value() else { return ended(notes, here, &scenario, &made) };
    let call = async |c: &C| c.verify_mac(id, algorithm, TEXT, code).await;
    let verified = there.ask(notes, right(Use::VerifyMac), call).await;
    say(notes, (&scenario, ALLOWED), &verified, |()| None);
}

/// The secret that both Regions derive with one peer.
pub(super) async fn agreement<C, M>(notes: &mut Notes<'_, M>, here: &Stage<'_, '_, C, M>, there: &Stage<'_, '_, C, M>)
where
    C: Crypto + Sync,
    M: Clock + Sync,
{
    let scenario = scenario(here, there, "derived", "derived");
    let id = &here.subject.id;
    let peer = match Peer::new(here.subject.desired.spec()) {
        Ok(peer) => peer,
        Err(reason) => {
            let result = ProbeResult::NotChecked { reason: reason.to_owned() };
            return notes.note(Question { identity: "caller", scenario: &scenario, expected: ALLOWED }, result, None);
        }
    };
    let call = async |c: &C| c.derive_shared_secret(id, peer.public()).await;
    let first = here.ask(notes, right(Use::DeriveSharedSecret), call).await;
    let Some(secret) = first.value() else { return ended(notes, here, &scenario, &first) };
    let second = there.ask(notes, right(Use::DeriveSharedSecret), call).await;
    say(notes, (&scenario, ALLOWED), &second, |found| differs(found, secret.expose_secret()));
}

/// What one Region encapsulates, decapsulated by the other.
pub(super) async fn encapsulation<C, M>(
    notes: &mut Notes<'_, M>,
    here: &Stage<'_, '_, C, M>,
    there: &Stage<'_, '_, C, M>,
) where
    C: Crypto + Sync,
    M: Clock + Sync,
{
    let scenario = scenario(here, there, "encapsulated", "decapsulated");
    let id = &here.subject.id;
    let made = here.ask(notes, right(Use::Encapsulate), async |c| c.encapsulate(id).await).await;
    let Some(capsule) = made.value() else { return ended(notes, here, &scenario, &made) };
    let call = async |c: &C| c.decapsulate(id, &capsule.ciphertext).await;
    let opened = there.ask(notes, right(Use::Decapsulate), call).await;
    say(notes, (&scenario, ALLOWED), &opened, |found| differs(found, capsule.secret.expose_secret()));
}
