//! Proofs: each kind of key does what it is for, and this side comes to the same; what is altered does not pass.

use super::cast::Assumer;
use super::notes::{Notes, Question};
use super::round_trip;
use super::specimen::Specimens;
use super::stage::{Right, Stage, allowed};
use super::uses::Read;
use crate::kms::KeyUsage;
use crate::ports::{Clock, Crypto, EncryptionContext, Forwarding, Randomness, RoleAssumer};
use crate::report::{Expectation, ProbeResult};

mod agreement;
mod encapsulation;
mod encryption;
mod key_pair;
mod mac;
mod material;
mod signing;

/// Uses that take no context take this one.
const NO_CONTEXT: &EncryptionContext = &EncryptionContext::new();

/// Runs the proofs of a key, and returns what was made on the way.
pub(super) async fn run<'a, C, M>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, 'a, C, M>,
    assumer: &Assumer<'a, C>,
) -> Specimens
where
    C: Crypto + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let key = stage.subject.desired;
    let mut specimens = Specimens::new(key.material.kind());
    match key.usage() {
        KeyUsage::EncryptDecrypt if key.spec().is_asymmetric() => encryption::run(notes, stage).await,
        KeyUsage::EncryptDecrypt => {
            let around = (assumer, stage.enforced);
            round_trip::run(notes, stage.job, stage.subject, stage.members, around).await;
            key_pair::run(notes, stage).await;
        }
        KeyUsage::SignVerify => signing::run(notes, stage, &mut specimens).await,
        KeyUsage::GenerateVerifyMac => mac::run(notes, stage, &mut specimens).await,
        KeyUsage::KeyAgreement => agreement::run(notes, stage).await,
        KeyUsage::EncapsulateDecapsulate => encapsulation::run(notes, stage, &mut specimens).await,
    }
    material::run(notes, stage).await;
    specimens
}

/// Reads the public key in the name of the first who may.
async fn public_key<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    topic: &str,
) -> Result<Vec<u8>, String> {
    let id = &stage.subject.id;
    let asked = stage.ask(notes, Right::Read(Read::GetPublicKey), async |c| c.public_key(id).await).await;
    let found = allowed(notes, &format!("{topic}: public key read"), &asked).cloned();
    found.ok_or_else(|| "nobody could be called for to read the public key".to_owned())
}

/// Writes down what was found out on this side alone.
fn here<M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    identity: &str,
    (scenario, expected): (&str, Expectation),
    result: ProbeResult,
) {
    notes.note(Question { identity, scenario, expected }, result, None);
}

fn not_checked(reason: &str) -> ProbeResult {
    ProbeResult::NotChecked { reason: reason.to_owned() }
}
