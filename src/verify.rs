//! The self-test: proves that each key works, that its users can use it and no more, and that others cannot.
//!
//! Nothing is changed and nothing is left behind. What changes or destroys is judged by the evaluator and never
//! sent; what cannot be found out is `not checked`, with its reason.

mod canary;
mod cast;
mod check;
mod context;
mod duty;
#[cfg(test)]
mod fake;
mod judge;
mod nobody_else;
mod notes;
mod perform;
mod round_trip;
mod service;
mod subject;
#[cfg(test)]
mod tests;

use crate::desired::{DesiredKey, DesiredState, DesiredTarget, Enforcement};
use crate::ids::KeyName;
use crate::live::LiveTarget;
use crate::ports::{CallerReader, Clock, Crypto, Forwarding, KeyReader, Randomness, RoleAssumer};
use crate::report::{Expectation, Probe, ProbeResult, VerifyReport};
use cast::{Assumer, Wanted};
use futures::StreamExt as _;
use notes::{Notes, Question};
use std::collections::BTreeSet;

/// Whether roles are assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsRoles {
    /// Every verifiable role is: `--as-roles`.
    Yes,
    /// None is; calls are made in the caller's name alone.
    No,
}

/// The self-test of one target.
pub struct VerifyJob<'a, C, M> {
    /// The manifest.
    pub desired: &'a DesiredState,
    /// The target in it.
    pub target: &'a DesiredTarget,
    /// The target as read just now.
    pub live: &'a LiveTarget,
    /// The caller's connection.
    pub connection: &'a C,
    /// This machine.
    pub machine: &'a M,
    /// Whether roles are assumed.
    pub as_roles: AsRoles,
    /// What the server enforces: everything, but for emulators what their target says.
    pub enforcement: &'a BTreeSet<Enforcement>,
    /// The keys to probe; `None` for all.
    pub only_keys: Option<&'a BTreeSet<KeyName>>,
    /// How many keys are probed at a time.
    pub parallel: usize,
    /// Is told of every probe as soon as its result stands.
    pub progress: &'a (dyn Fn(&Probe) + Sync),
}

impl<C, M> std::fmt::Debug for VerifyJob<'_, C, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyJob").field("target", &self.target.name).finish_non_exhaustive()
    }
}

/// What the server enforces, as declared and as the canary found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Enforced {
    key_policy: bool,
    context: bool,
}

/// Probes every key of a target. The probes stand in the order of the target's keys, then by identity.
pub async fn verify<C, M>(job: VerifyJob<'_, C, M>) -> VerifyReport
where
    C: Crypto + KeyReader + CallerReader + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let wanted = |key: &&DesiredKey| job.only_keys.is_none_or(|only| only.contains(&key.name));
    let keys: Vec<&DesiredKey> = job.target.keys.iter().filter(wanted).collect();
    let assumer = cast::assumer(&job).await;
    let (enforced, canary) = canary::sing(&job, &keys, &assumer).await;
    let probing = keys.iter().map(|key| probe_key(&job, key, &assumer, enforced));
    let found: Vec<Vec<Probe>> =
        futures::stream::iter(probing.collect::<Vec<_>>()).buffered(job.parallel.max(1)).collect().await;
    VerifyReport { probes: canary.into_iter().chain(found.into_iter().flatten()).collect() }
}

async fn probe_key<C, M>(
    job: &VerifyJob<'_, C, M>,
    key: &DesiredKey,
    assumer: &Assumer<'_, C>,
    enforced: Enforced,
) -> Vec<Probe>
where
    C: Crypto + KeyReader + CallerReader + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let (clock, progress) = (job.machine, job.progress);
    let mut notes = Notes { target: &job.target.name, key: &key.name, clock, progress, probes: Vec::new() };
    let subject = match subject::find(job.desired, key, job.live) {
        Ok(subject) => subject,
        Err(result) => {
            let question = Question { identity: "caller", scenario: "the key", expected: Expectation::Allowed };
            notes.note(question, result, None);
            return notes.probes;
        }
    };
    let members = cast::members(job, &subject, assumer, Wanted::Everybody).await;
    round_trip::run(&mut notes, job, &subject, &members, (assumer, enforced)).await;
    for member in &members {
        perform::perform(&mut notes, member, &subject, job.target, enforced).await;
    }
    closing(&mut notes, job, &subject);
    notes.grouped()
}

/// What is said of everybody else, and of what the judgements leave out.
fn closing<C, M: Clock + Sync>(notes: &mut Notes<'_, M>, job: &VerifyJob<'_, C, M>, subject: &subject::Subject<'_>) {
    let duties = duty::duties(job.target, subject.desired);
    let result = nobody_else::judge(job, subject, &duties);
    let (identity, scenario) = (nobody_else::IDENTITY, nobody_else::SCENARIO);
    notes.note(Question { identity, scenario, expected: Expectation::Denied }, result, None);
    if let Some(action) = &subject.grants_denied {
        let reason = format!("{action} was denied, so that judgements leave grants out");
        let question = Question { identity, scenario: "grants", expected: Expectation::Denied };
        notes.note(question, ProbeResult::NotChecked { reason }, None);
    }
}
