//! Canaries of earlier runs: each must still open, whatever became of the key's material since; and one of this run.

use super::notes::{Notes, Question, positive, words};
use super::round_trip::candidates::{self, Aim, Certainty};
use super::round_trip::data_key;
use super::stage::{Right, Stage};
use super::uses::{Use, takes_context};
use super::{TargetJob, VerifyJob};
use crate::desired::DesiredKey;
use crate::ids::{KeyArn, KeyName, TargetName};
use crate::ports::{Cipher, Clock, Crypto, DataKey, Forwarding, PortError, PortErrorKind, PortResult, Randomness};
use crate::report::{Canary, Expectation, Probe, ProbeResult};
use crate::secret::SecretBytes;
use crate::text::plural;
use aws_lc_rs::digest::{self, SHA256};
use std::collections::BTreeMap;

const MADE: &str = "canaries: made";
const KEPT: &str = "canaries: opened";

/// Opens the canaries of a key, and makes a new one.
pub(super) async fn run<C, M>(notes: &mut Notes<'_, M>, stage: &Stage<'_, '_, C, M>) -> Option<Canary>
where
    C: Crypto + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let kept = stage.job.canaries.filter(|_| takes_context(stage.subject.desired))?;
    let mut foreign: BTreeMap<&KeyArn, Vec<&Canary>> = BTreeMap::new();
    for canary in own(kept, stage.job, stage.subject.desired) {
        if canary.key_arn == stage.subject.arn {
            open(notes, stage, canary).await;
        } else {
            foreign.entry(&canary.key_arn).or_default().push(canary);
        }
    }
    for (arn, canaries) in foreign {
        let reason = format!("{} of another key, {arn}, which is not behind the name any more", count(&canaries));
        notes.note(question("caller", KEPT), ProbeResult::NotChecked { reason }, None);
    }
    make(notes, stage).await
}

/// Says that the canaries of a key cannot be opened now, since the key cannot be used.
pub(super) fn postpone<C, M: Clock + Sync>(notes: &mut Notes<'_, M>, job: &TargetJob<'_, C, M>, key: &DesiredKey) {
    let Some(kept) = job.canaries.filter(|_| takes_context(key)) else { return };
    let canaries: Vec<&Canary> = own(kept, job, key).collect();
    if !canaries.is_empty() {
        let reason = format!("{}: the key cannot be used now", count(&canaries));
        notes.note(question("caller", KEPT), ProbeResult::NotChecked { reason }, None);
    }
}

/// Says of what canaries that no key of the run is behind: of keys and targets that the manifest does not have.
pub(super) fn homeless<C, M: Clock + Sync>(job: &VerifyJob<'_, C, M>) -> Vec<Probe> {
    let mut lost: BTreeMap<(&TargetName, &KeyName), Vec<&Canary>> = BTreeMap::new();
    for canary in job.canaries.unwrap_or_default() {
        if is_homeless(job, canary) {
            lost.entry((&canary.target, &canary.key)).or_default().push(canary);
        }
    }
    let mut probes = Vec::new();
    for ((target, key), canaries) in lost {
        let mut notes = Notes { target, key, clock: job.machine, progress: job.progress, probes: Vec::new() };
        let reason = format!("{}: the manifest has no such symmetric encryption key in that target", count(&canaries));
        notes.note(question("caller", KEPT), ProbeResult::NotChecked { reason }, None);
        probes.append(&mut notes.probes);
    }
    probes
}

/// What is left out of the run on purpose is not missed.
fn is_homeless<C, M>(job: &VerifyJob<'_, C, M>, canary: &Canary) -> bool {
    let left_out = job.desired.left_out.iter().any(|target| target.name == canary.target);
    let unasked = job.only_keys.is_some_and(|only| !only.contains(&canary.key));
    let target = job.desired.targets.iter().find(|target| target.name == canary.target);
    let key = target.and_then(|target| target.keys.iter().find(|key| key.name == canary.key));
    !left_out && !unasked && !key.is_some_and(takes_context)
}

fn own<'k, C, M>(kept: &'k [Canary], job: &TargetJob<'_, C, M>, key: &DesiredKey) -> impl Iterator<Item = &'k Canary> {
    kept.iter().filter(|canary| canary.target == job.target.name && canary.key == key.name)
}

fn question<'q>(identity: &'q str, scenario: &'q str) -> Question<'q> {
    Question { identity, scenario, expected: Expectation::Allowed }
}

/// How many there are, and of when.
fn count(canaries: &[&Canary]) -> String {
    let last = canaries.iter().map(|canary| canary.at).max();
    let last = last.map(|last| format!(", the last of {last}")).unwrap_or_default();
    format!("{}{last}", plural(canaries.len(), "canary"))
}

/// Decrypts a canary, in the name of the first who may.
async fn open<C, M>(notes: &mut Notes<'_, M>, stage: &Stage<'_, '_, C, M>, canary: &Canary)
where
    C: Crypto + Forwarding + Sync,
    M: Clock + Sync,
{
    let scenario = format!("{KEPT} ({})", canary.at);
    for opener in candidates::openers(stage, &canary.context) {
        let call =
            opener.connection().decrypt(&stage.subject.id, &canary.ciphertext, Cipher::Symmetric(&canary.context));
        let (answer, latency) = notes.timed(call).await;
        if is_refused(&answer) && opener.certainty == Certainty::Perhaps {
            continue;
        }
        return notes.note(question(&opener.identity, &scenario), opened(canary, &answer), latency);
    }
    let (identity, result) = stage.judged(Right::Use(Use::Decrypt, &canary.context));
    notes.note(question(&identity, &scenario), result, None);
}

fn is_refused<T>(answer: &PortResult<T>) -> bool {
    matches!(answer, Err(error) if error.kind == PortErrorKind::Denied)
}

/// Returns what became of a canary: what does not open is lost until its material is back.
fn opened(canary: &Canary, answer: &PortResult<SecretBytes>) -> ProbeResult {
    let material = canary.material.as_ref().map(|id| format!(", of material {id},")).unwrap_or_default();
    let named = format!("the canary of {}{material}", canary.at);
    match answer {
        Ok(text) if digest::digest(&SHA256, text.expose_secret()).as_ref() == canary.sha256 => ProbeResult::Passed,
        Ok(_) => ProbeResult::Failed { observed: format!("{named} opens to another text than was encrypted") },
        Err(error) => match positive::<()>(&Err(error.clone())) {
            ProbeResult::Failed { .. } => {
                let observed = format!("{named} does not open: {}; {}", words(error), advice(error));
                ProbeResult::Failed { observed }
            }
            result @ (ProbeResult::Passed | ProbeResult::Evaluated { .. } | ProbeResult::NotChecked { .. }) => result,
        },
    }
}

fn advice(error: &PortError) -> &'static str {
    let is = |kinds: &[PortErrorKind]| kinds.contains(&error.kind);
    if is(&[PortErrorKind::IncorrectKey, PortErrorKind::InvalidCiphertext]) {
        return "the key no longer has the material of then, or the file was changed: import that material again, and \
                until then take what was encrypted with it for lost";
    }
    if is(&[PortErrorKind::InvalidState, PortErrorKind::Disabled]) {
        return "the key cannot be used: `keywright plan` says what is due";
    }
    if is(&[PortErrorKind::Denied]) {
        return "who may decrypt by the key policy is denied: look at its own policies";
    }
    "see `keywright plan`"
}

/// Makes the canary of this run: a data key, of which only the digest is kept.
async fn make<C, M>(notes: &mut Notes<'_, M>, stage: &Stage<'_, '_, C, M>) -> Option<Canary>
where
    C: Crypto + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    for aim in [Aim::RoundTrip, Aim::Ciphertext] {
        for maker in candidates::candidates(stage.job, stage.subject, stage.members, (aim, stage.enforced)) {
            if aim == Aim::Ciphertext && maker.making == Use::GenerateDataKeyWithoutPlaintext {
                continue; // Nobody would know what is in it.
            }
            let (answer, latency) = notes.timed(data_key(&maker, stage.subject, stage.job.machine)).await;
            if is_refused(&answer) && maker.certainty == Certainty::Perhaps {
                continue;
            }
            notes.note(question(&maker.identity, MADE), positive(&answer), latency);
            return answer.ok().map(|made| canary(stage, &made, (maker.identity, maker.context)));
        }
    }
    let (identity, result) = candidates::judged(stage.job, stage.subject, Aim::Ciphertext);
    let reason = match result {
        ProbeResult::Evaluated { reason } | ProbeResult::NotChecked { reason } => reason,
        ProbeResult::Passed | ProbeResult::Failed { .. } => String::new(),
    };
    let reason = format!("no canary could be made: {reason}");
    notes.note(question(&identity, MADE), ProbeResult::NotChecked { reason }, None);
    None
}

fn canary<C, M: Clock>(
    stage: &Stage<'_, '_, C, M>,
    made: &DataKey,
    (identity, context): (String, BTreeMap<String, String>),
) -> Canary {
    let mut sha256 = [0; 32];
    let found = digest::digest(&SHA256, made.plaintext.expose_secret());
    sha256.iter_mut().zip(found.as_ref()).for_each(|(byte, found)| *byte = *found);
    let now = stage.job.machine.now();
    Canary {
        target: stage.job.target.name.clone(),
        key: stage.subject.desired.name.clone(),
        key_arn: stage.subject.arn.clone(),
        material: made.material.clone().or_else(|| stage.subject.current_material.clone()),
        at: jiff::Timestamp::from_second(now.as_second()).unwrap_or(now),
        identity,
        context,
        ciphertext: made.ciphertext.clone(),
        sha256,
    }
}
