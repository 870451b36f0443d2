//! What KMS must refuse of an envelope, and the other ways to make and move a data key.

use super::{
    Candidate, Certainty, Notes, OtherKey, Question, Sealed, Subject, Use, context, judge, negative, positive,
};
use crate::desired::DesiredTarget;
use crate::envelope::{self, probes};
use crate::ports::{Clock, Crypto, EncryptionContext, PortErrorKind, PortResult};
use crate::report::{Expectation, ProbeResult};
use crate::secret::SecretBytes;

/// An envelope, and in whose name it was made.
pub(super) struct Scene<'a, C> {
    pub(super) candidate: &'a Candidate<'a, C>,
    pub(super) subject: &'a Subject<'a>,
    pub(super) sealed: &'a Sealed,
    pub(super) target: &'a DesiredTarget,
    pub(super) other: Option<&'a OtherKey<'a>>,
}

/// Runs every probe.
pub(super) async fn probe<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    refusals(notes, scene).await;
    other_key(notes, scene).await;
    without_plaintext(notes, scene).await;
    re_encrypted(notes, scene).await;
    small_text(notes, scene).await;
}

impl<C: Crypto + Sync> Scene<'_, C> {
    async fn decrypt(&self, ciphertext: &[u8], context: &EncryptionContext) -> PortResult<SecretBytes> {
        self.candidate.connection.decrypt(&self.subject.id, ciphertext, context).await
    }

    fn question<'q>(&'q self, scenario: &'q str, expected: Expectation) -> Question<'q> {
        Question { identity: &self.candidate.identity, scenario, expected }
    }

    /// Returns another key that the identity may decrypt with, and a context that satisfies both.
    fn foreign(&self) -> Result<(&OtherKey<'_>, EncryptionContext), String> {
        let other = self.other.ok_or("the target has no other enabled key")?;
        let Candidate { identity, facts, certainty, .. } = self.candidate;
        let may = |context: &EncryptionContext| {
            let decrypts = judge::of_use(Use::Decrypt, context, facts, &other.0.facts).is_allowed();
            let makes = judge::of_use(Use::GenerateDataKey, context, facts, &self.subject.facts).is_allowed();
            (decrypts && makes) || *certainty == Certainty::Perhaps
        };
        let context = other.contexts(self.target, identity, &self.sealed.context).into_iter().find(may);
        let reason =
            || format!("{identity} may not decrypt with `{}`, the other key of this probe", other.0.desired.name);
        context.map(|context| (other, context)).ok_or_else(reason)
    }

    /// Returns the reason not to take a step that the identity may not take.
    fn barred(&self, what: Use) -> Option<ProbeResult> {
        if self.candidate.certainty == Certainty::Perhaps {
            return None;
        }
        let verdict = judge::of_use(what, &self.sealed.context, &self.candidate.facts, &self.subject.facts);
        let reason = format!("{} may not {} by the key policy", self.candidate.identity, what.call());
        (!verdict.is_allowed()).then_some(ProbeResult::NotChecked { reason })
    }
}

/// What KMS must answer with `InvalidCiphertext`.
async fn refusals<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    let Sealed { data_key, message, context } = scene.sealed;
    let tampered = probes::flip_bit_in_wrapped_key(message, 0).ok().and_then(|altered| {
        let (header, _) = envelope::parse_header(&altered).ok()?;
        header.data_keys().first().map(|key| key.ciphertext.clone())
    });
    let whole = Some(data_key.ciphertext.clone());
    let cases = [
        ("envelope: wrong encryption context", whole.clone(), context::with_other_probe(context, "wrong")),
        ("envelope: missing encryption context", whole, context::without_probe(context)),
        ("envelope: flipped bit in the wrapped key", tampered, context.clone()),
    ];
    for (scenario, ciphertext, context) in cases {
        let question = scene.question(scenario, Expectation::Refused);
        let Some(ciphertext) = ciphertext else {
            let reason = "the message has no wrapped key to alter".to_owned();
            notes.note(question, ProbeResult::NotChecked { reason }, None);
            continue;
        };
        let (answer, latency) = notes.timed(scene.decrypt(&ciphertext, &context)).await;
        let result = negative(&answer, PortErrorKind::InvalidCiphertext, "it was decrypted all the same");
        notes.note(question, result, latency);
    }
}

/// The context satisfies both keys, so that nothing but the wrong key is wrong.
async fn other_key<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    let question = scene.question("envelope: another key named", Expectation::Refused);
    let (other, context) = match scene.foreign() {
        Ok(found) => found,
        Err(reason) => return notes.note(question, ProbeResult::NotChecked { reason }, None),
    };
    let connection = scene.candidate.connection;
    let ciphertext = match connection.generate_data_key_without_plaintext(&scene.subject.id, &context).await {
        Ok(ciphertext) => Ok(ciphertext),
        Err(_) => connection.generate_data_key(&scene.subject.id, &context).await.map(|key| key.ciphertext),
    };
    let (answer, latency) = match ciphertext {
        Ok(ciphertext) => notes.timed(connection.decrypt(&other.0.id, &ciphertext, &context)).await,
        Err(error) => (Err(error), None),
    };
    let result = negative(&answer, PortErrorKind::IncorrectKey, "another key decrypted it");
    notes.note(question, result, latency);
}

/// A data key that nobody has seen yet decrypts to one of the right length.
async fn without_plaintext<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    let question = scene.question("envelope: data key without plaintext", Expectation::Allowed);
    if let Some(result) = scene.barred(Use::GenerateDataKeyWithoutPlaintext) {
        return notes.note(question, result, None);
    }
    let context = &scene.sealed.context;
    let (answer, latency) = notes
        .timed(async {
            let made =
                scene.candidate.connection.generate_data_key_without_plaintext(&scene.subject.id, context).await?;
            scene.decrypt(&made, context).await
        })
        .await;
    let result = match &answer {
        Ok(key) if key.len() != envelope::DATA_KEY_LENGTH => failed("the data key has another length"),
        Ok(_) | Err(_) => positive(&answer),
    };
    notes.note(question, result, latency);
}

/// Moved to another context inside KMS, the data key opens there and no longer in the old one.
async fn re_encrypted<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    let moved = "envelope: re-encrypted to another context";
    let old = "envelope: re-encrypted, in the old context";
    if let Some(result) = scene.barred(Use::ReEncrypt) {
        notes.note(scene.question(moved, Expectation::Allowed), result.clone(), None);
        return notes.note(scene.question(old, Expectation::Refused), result, None);
    }
    let Sealed { data_key, context, .. } = scene.sealed;
    let destination = context::with_other_probe(context, "moved");
    let call = scene.candidate.connection.re_encrypt(&scene.subject.id, &data_key.ciphertext, context, &destination);
    let (answer, latency) = notes.timed(call).await;
    let Ok(ciphertext) = &answer else {
        notes.note(scene.question(moved, Expectation::Allowed), positive(&answer), latency);
        let reason = "nothing was re-encrypted".to_owned();
        return notes.note(scene.question(old, Expectation::Refused), ProbeResult::NotChecked { reason }, None);
    };
    let opened = scene.decrypt(ciphertext, &destination).await;
    let result = same(&opened, data_key.plaintext.expose_secret());
    notes.note(scene.question(moved, Expectation::Allowed), result, latency);
    let (answer, latency) = notes.timed(scene.decrypt(ciphertext, context)).await;
    let result = negative(&answer, PortErrorKind::InvalidCiphertext, "it was decrypted all the same");
    notes.note(scene.question(old, Expectation::Refused), result, latency);
}

async fn small_text<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    const TEXT: &[u8] = b"keywright self-test";
    let question = scene.question("envelope: encrypt and decrypt a small text", Expectation::Allowed);
    if let Some(result) = scene.barred(Use::Encrypt) {
        return notes.note(question, result, None);
    }
    let (context, text) = (&scene.sealed.context, SecretBytes::new(TEXT.to_vec()));
    let (answer, latency) = notes
        .timed(async {
            let ciphertext = scene.candidate.connection.encrypt(&scene.subject.id, &text, context).await?;
            scene.decrypt(&ciphertext, context).await
        })
        .await;
    notes.note(question, same(&answer, TEXT), latency);
}

fn same(answer: &PortResult<SecretBytes>, wanted: &[u8]) -> ProbeResult {
    match answer {
        Ok(found) if found.expose_secret() != wanted => failed("another text was decrypted than was encrypted"),
        Ok(_) | Err(_) => positive(answer),
    }
}

fn failed(observed: &str) -> ProbeResult {
    ProbeResult::Failed { observed: observed.to_owned() }
}
