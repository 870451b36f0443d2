//! What KMS must refuse of an envelope, and the other ways to make and move a data key.

use super::foreign::Foreign;
use super::{Candidate, Notes, Question, Sealed, Subject, Use, context, negative, positive};
use crate::envelope::{self, probes};
use crate::ports::{Cipher, Clock, Crypto, EncryptionContext, PortErrorKind, PortResult};
use crate::report::{Expectation, ProbeResult};
use crate::secret::SecretBytes;

/// An envelope, and in whose name it was made.
pub(super) struct Scene<'a, C> {
    pub(super) candidate: &'a Candidate<'a, C>,
    /// What the scenarios begin with.
    pub(super) title: String,
    pub(super) subject: &'a Subject<'a>,
    pub(super) sealed: &'a Sealed,
    pub(super) foreign: Result<Foreign, String>,
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
        self.candidate.connection().decrypt(&self.subject.id, ciphertext, Cipher::Symmetric(context)).await
    }

    /// Returns whether the identity may take a step; its lack is probed among its denials, not here.
    fn may(&self, what: Use) -> bool {
        self.candidate.may(what, &self.sealed.context, &self.subject.facts)
    }

    fn note<M: Clock + Sync>(
        &self,
        notes: &mut Notes<'_, M>,
        (what, expected): (&str, Expectation),
        (result, latency): (ProbeResult, Option<u64>),
    ) {
        let scenario = format!("{}: {what}", self.title);
        notes.note(Question { identity: &self.candidate.identity, scenario: &scenario, expected }, result, latency);
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
        ("wrong encryption context", whole.clone(), context::with_other_probe(context, "wrong")),
        ("missing encryption context", whole, context::without_probe(context)),
        ("flipped bit in the wrapped key", tampered, context.clone()),
    ];
    for (how, ciphertext, context) in cases {
        let question = (how, Expectation::Refused);
        let Some(ciphertext) = ciphertext else {
            let reason = "the message has no wrapped key to alter".to_owned();
            scene.note(notes, question, (ProbeResult::NotChecked { reason }, None));
            continue;
        };
        let (answer, latency) = notes.timed(scene.decrypt(&ciphertext, &context)).await;
        let result = negative(&answer, PortErrorKind::InvalidCiphertext, "it was decrypted all the same");
        scene.note(notes, question, (result, latency));
    }
}

/// The ciphertext of another key is not this key's, although everything else is right, if that can be.
async fn other_key<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    let found = match &scene.foreign {
        Err(reason) => (ProbeResult::NotChecked { reason: reason.clone() }, None),
        Ok(Foreign { ciphertext, context }) => {
            // Where the maker could not work under a context that this key takes, the key's own is sent.
            let fits = scene.candidate.may(Use::Decrypt, context, &scene.subject.facts);
            let context = if fits { context } else { &scene.sealed.context };
            let (answer, latency) = notes.timed(scene.decrypt(ciphertext, context)).await;
            (negative(&answer, PortErrorKind::IncorrectKey, "it decrypted another key's ciphertext"), latency)
        }
    };
    scene.note(notes, ("another key named", Expectation::Refused), found);
}

/// A data key that nobody has seen yet decrypts to one of the right length.
async fn without_plaintext<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    if !scene.may(Use::GenerateDataKeyWithoutPlaintext) {
        return;
    }
    let context = &scene.sealed.context;
    let (answer, latency) = notes
        .timed(async {
            let made =
                scene.candidate.connection().generate_data_key_without_plaintext(&scene.subject.id, context).await?;
            scene.decrypt(&made, context).await
        })
        .await;
    let result = match &answer {
        Ok(key) if key.len() != envelope::DATA_KEY_LENGTH => failed("the data key has another length"),
        Ok(_) | Err(_) => positive(&answer),
    };
    scene.note(notes, ("data key without plaintext", Expectation::Allowed), (result, latency));
}

/// Moved to another context inside KMS, the data key opens there and no longer in the old one.
async fn re_encrypted<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    let moved = ("re-encrypted to another context", Expectation::Allowed);
    let old = ("re-encrypted, in the old context", Expectation::Refused);
    if !scene.may(Use::ReEncrypt) {
        return;
    }
    let Sealed { data_key, context, .. } = scene.sealed;
    let destination = context::with_other_probe(context, "moved");
    let call = scene.candidate.connection().re_encrypt(
        &scene.subject.id,
        &data_key.ciphertext,
        Cipher::Symmetric(context),
        Cipher::Symmetric(&destination),
    );
    let (answer, latency) = notes.timed(call).await;
    let Ok(ciphertext) = &answer else {
        scene.note(notes, moved, (positive(&answer), latency));
        let reason = "nothing was re-encrypted".to_owned();
        return scene.note(notes, old, (ProbeResult::NotChecked { reason }, None));
    };
    let opened = scene.decrypt(ciphertext, &destination).await;
    let result = same(&opened, data_key.plaintext.expose_secret());
    scene.note(notes, moved, (result, latency));
    let (answer, latency) = notes.timed(scene.decrypt(ciphertext, context)).await;
    let result = negative(&answer, PortErrorKind::InvalidCiphertext, "it was decrypted all the same");
    scene.note(notes, old, (result, latency));
}

async fn small_text<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, scene: &Scene<'_, C>) {
    const TEXT: &[u8] = b"keywright self-test";
    if !scene.may(Use::Encrypt) {
        return;
    }
    let (context, text) = (&scene.sealed.context, SecretBytes::new(TEXT.to_vec()));
    let (answer, latency) = notes
        .timed(async {
            let ciphertext =
                scene.candidate.connection().encrypt(&scene.subject.id, &text, Cipher::Symmetric(context)).await?;
            scene.decrypt(&ciphertext, context).await
        })
        .await;
    let question = ("encrypt and decrypt a small text", Expectation::Allowed);
    scene.note(notes, question, (same(&answer, TEXT), latency));
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
