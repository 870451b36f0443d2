//! Encapsulation: what this side and KMS encapsulate, KMS decapsulates to the same secret; what is altered gives
//! another one, as ML-KEM does without an error.

use super::{NO_CONTEXT, here, not_checked, public_key};
use crate::ports::{Clock, Crypto, Encapsulated, PortErrorKind};
use crate::report::{Expectation, ProbeResult};
use crate::secret::SecretBytes;
use crate::verify::local;
use crate::verify::notes::{Notes, negative};
use crate::verify::specimen::{Specimens, flipped};
use crate::verify::stage::{Asked, Right, Stage, allowed, say};
use crate::verify::uses::Use;

const ENCAPSULATE: Right<'static> = Right::Use(Use::Encapsulate, NO_CONTEXT);
const DECAPSULATE: Right<'static> = Right::Use(Use::Decapsulate, NO_CONTEXT);

pub(super) async fn run<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    specimens: &mut Specimens,
) {
    let (id, spec) = (&stage.subject.id, stage.subject.desired.spec());
    let public = public_key(notes, stage, "encapsulation").await;
    let ours = public.and_then(|public| local::encapsulate(spec, &public).map_err(str::to_owned));
    let from_here = ("encapsulation: encapsulated here, decapsulated", Expectation::Allowed);
    match &ours {
        Ok(ours) => equal(notes, stage, from_here, ours).await,
        Err(reason) => here(notes, "caller", from_here, not_checked(reason)),
    }
    let made = stage.ask(notes, ENCAPSULATE, async |c| c.encapsulate(id).await).await;
    if let Some(theirs) = allowed(notes, "encapsulation: encapsulated", &made) {
        equal(notes, stage, ("encapsulation: decapsulated", Expectation::Allowed), theirs).await;
    }
    let Some(known) = ours.as_ref().ok().or(made.value()) else { return };
    specimens.capsule = Some(known.ciphertext.clone());
    unequal(notes, stage, "encapsulation: flipped bit", (&flipped(&known.ciphertext), &known.secret)).await;
    match local::encapsulate_for_stranger(spec) {
        Some(strange) => {
            let altered = (strange.ciphertext.as_slice(), &strange.secret);
            unequal(notes, stage, "encapsulation: for another key", altered).await;
        }
        None => here(
            notes,
            "caller",
            ("encapsulation: for another key", Expectation::Refused),
            not_checked("nothing could be encapsulated for another key on this side"),
        ),
    }
}

async fn decapsulated<C: Crypto + Sync, M: Clock + Sync>(
    notes: &Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    ciphertext: &[u8],
) -> Asked<SecretBytes> {
    let id = &stage.subject.id;
    stage.ask(notes, DECAPSULATE, async |c| c.decapsulate(id, ciphertext).await).await
}

async fn equal<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    question: (&str, Expectation),
    wanted: &Encapsulated,
) {
    let asked = decapsulated(notes, stage, &wanted.ciphertext).await;
    say(notes, question, &asked, |found| {
        let same = found.expose_secret() == wanted.secret.expose_secret();
        (!same).then(|| "another secret was decapsulated than was encapsulated".to_owned())
    });
}

/// Passes if the secret does not come out: another one does, or an error about the ciphertext.
async fn unequal<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    scenario: &str,
    (ciphertext, secret): (&[u8], &SecretBytes),
) {
    const SAME: &str = "the secret was decapsulated all the same";
    let asked = decapsulated(notes, stage, ciphertext).await;
    let result = match &asked.answer {
        Ok(Ok(found)) if found.expose_secret() != secret.expose_secret() => ProbeResult::Passed,
        Ok(answer) => negative(answer, PortErrorKind::InvalidCiphertext, SAME),
        Err(result) => result.clone(),
    };
    let question =
        crate::verify::notes::Question { identity: &asked.identity, scenario, expected: Expectation::Refused };
    notes.note(question, result, asked.latency);
}
