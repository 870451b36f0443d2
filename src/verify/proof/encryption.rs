//! Encryption with a public key: on this side and by KMS, decrypted by KMS; what is altered is refused.

use super::{NO_CONTEXT, here, not_checked, public_key};
use crate::kms::EncryptionAlgorithm;
use crate::ports::{Cipher, Clock, Crypto, PortErrorKind};
use crate::report::Expectation;
use crate::secret::SecretBytes;
use crate::verify::local;
use crate::verify::notes::Notes;
use crate::verify::specimen::{TEXT, flipped};
use crate::verify::stage::{Asked, Right, Stage, allowed, refused, say};
use crate::verify::uses::Use;

const ENCRYPT: Right<'static> = Right::Use(Use::Encrypt, NO_CONTEXT);
const DECRYPT: Right<'static> = Right::Use(Use::Decrypt, NO_CONTEXT);

pub(super) async fn run<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, stage: &Stage<'_, '_, C, M>) {
    let public = public_key(notes, stage, "encryption").await;
    for algorithm in stage.subject.desired.spec().encryption_algorithms() {
        let ours = from_here(notes, stage, (*algorithm, &public)).await;
        let theirs = by_kms(notes, stage, *algorithm).await;
        if let Some(ciphertext) = ours.or(theirs) {
            altered(notes, stage, *algorithm, &ciphertext).await;
        }
    }
}

/// Returns the ciphertext, if KMS decrypted it.
async fn from_here<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    (algorithm, public): (EncryptionAlgorithm, &Result<Vec<u8>, String>),
) -> Option<Vec<u8>> {
    let scenario = format!("encryption: encrypted here, decrypted ({algorithm})");
    let made = match public {
        Ok(public) => local::encrypt(public, algorithm, TEXT).map_err(not_checked),
        Err(reason) => Err(not_checked(reason)),
    };
    let ciphertext = match made {
        Ok(ciphertext) => ciphertext,
        Err(result) => {
            here(notes, "caller", (&scenario, Expectation::Allowed), result);
            return None;
        }
    };
    let asked = decrypted(notes, stage, algorithm, &ciphertext).await;
    say(notes, (&scenario, Expectation::Allowed), &asked, another_text);
    asked.value().map(|_| ciphertext)
}

async fn by_kms<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    algorithm: EncryptionAlgorithm,
) -> Option<Vec<u8>> {
    let (id, text) = (&stage.subject.id, SecretBytes::new(TEXT.to_vec()));
    let made = stage.ask(notes, ENCRYPT, async |c| c.encrypt(id, &text, Cipher::Public(algorithm)).await).await;
    let ciphertext = allowed(notes, &format!("encryption: encrypted ({algorithm})"), &made)?;
    let asked = decrypted(notes, stage, algorithm, ciphertext).await;
    say(notes, (&format!("encryption: decrypted ({algorithm})"), Expectation::Allowed), &asked, another_text);
    asked.value().map(|_| ciphertext.clone())
}

async fn decrypted<C: Crypto + Sync, M: Clock + Sync>(
    notes: &Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    algorithm: EncryptionAlgorithm,
    ciphertext: &[u8],
) -> Asked<SecretBytes> {
    let id = &stage.subject.id;
    stage.ask(notes, DECRYPT, async |c| c.decrypt(id, ciphertext, Cipher::Public(algorithm)).await).await
}

fn another_text(found: &SecretBytes) -> Option<String> {
    (found.expose_secret() != TEXT).then(|| "another text was decrypted than was encrypted".to_owned())
}

/// A changed ciphertext is refused, and one that another algorithm made.
async fn altered<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    algorithm: EncryptionAlgorithm,
    ciphertext: &[u8],
) {
    const DUE: (PortErrorKind, &str) = (PortErrorKind::InvalidCiphertext, "it was decrypted all the same");
    let asked = decrypted(notes, stage, algorithm, &flipped(ciphertext)).await;
    refused(notes, &format!("encryption: flipped bit ({algorithm})"), &asked, DUE);
    let others = stage.subject.desired.spec().encryption_algorithms().iter().filter(|other| **other != algorithm);
    for other in others {
        let asked = decrypted(notes, stage, *other, ciphertext).await;
        refused(notes, &format!("encryption: as if by {other} ({algorithm})"), &asked, DUE);
    }
}
