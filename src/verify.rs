//! The self-test: proves that each key works, that its users can use it and no more, and that others cannot.
//!
//! Nothing is changed and nothing is left behind. What changes or destroys is judged by the evaluator and never
//! sent; what cannot be found out is `not checked`, with its reason.

mod canaries;
mod canary;
mod cast;
mod check;
mod context;
mod duty;
mod expiry;
#[cfg(test)]
mod fake;
mod held;
mod judge;
mod local;
mod nobody_else;
mod notes;
mod perform;
mod proof;
mod regions;
mod rest;
mod round_trip;
mod service;
mod specimen;
mod stage;
mod subject;
#[cfg(test)]
mod tests;
mod uses;

use crate::desired::{DesiredKey, DesiredState, DesiredTarget, Enforcement};
use crate::ids::KeyName;
use crate::live::LiveTarget;
use crate::ports::{CallerReader, Clock, Crypto, Forwarding, KeyReader, Randomness, RoleAssumer};
use crate::report::{Canary, Expectation, Probe, ProbeResult, VerifyReport};
use cast::{Assumer, Wanted};
use futures::StreamExt as _;
pub use held::{Held, HeldMaterials};
use notes::{Notes, Question};
use stage::Stage;
use std::collections::BTreeSet;

/// Whether roles are assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsRoles {
    /// Every verifiable role is: `--as-roles`.
    Yes,
    /// None is; calls are made in the caller's name alone.
    No,
}

/// A target of the self-test.
pub struct VerifyTarget<'a, C> {
    /// The target in the manifest.
    pub target: &'a DesiredTarget,
    /// The target as read just now.
    pub live: &'a LiveTarget,
    /// The caller's connection.
    pub connection: &'a C,
    /// What the server enforces: everything, but for emulators what their target says.
    pub enforcement: BTreeSet<Enforcement>,
}

impl<C> std::fmt::Debug for VerifyTarget<'_, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyTarget").field("target", &self.target.name).finish_non_exhaustive()
    }
}

/// The self-test of a set of targets: a multi-Region key is tested from each to all others.
pub struct VerifyJob<'a, C, M> {
    /// The manifest.
    pub desired: &'a DesiredState,
    /// The targets that could be read, in the order in which they are reported.
    pub targets: &'a [VerifyTarget<'a, C>],
    /// This machine.
    pub machine: &'a M,
    /// Whether roles are assumed.
    pub as_roles: AsRoles,
    /// The keys to probe; `None` for all.
    pub only_keys: Option<&'a BTreeSet<KeyName>>,
    /// The imported material that the run holds.
    pub held: Held<'a>,
    /// The canaries of earlier runs; `None` where none are kept.
    pub canaries: Option<&'a [Canary]>,
    /// How many keys are probed at a time.
    pub parallel: usize,
    /// Is told of every probe as soon as its result stands.
    pub progress: &'a (dyn Fn(&Probe) + Sync),
}

impl<C, M> std::fmt::Debug for VerifyJob<'_, C, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyJob").field("targets", &self.targets).finish_non_exhaustive()
    }
}

/// The part of one target in the self-test.
struct TargetJob<'a, C, M> {
    desired: &'a DesiredState,
    target: &'a DesiredTarget,
    live: &'a LiveTarget,
    connection: &'a C,
    machine: &'a M,
    as_roles: AsRoles,
    enforcement: &'a BTreeSet<Enforcement>,
    only_keys: Option<&'a BTreeSet<KeyName>>,
    held: Held<'a>,
    canaries: Option<&'a [Canary]>,
    progress: &'a (dyn Fn(&Probe) + Sync),
}

impl<'a, C, M> TargetJob<'a, C, M> {
    fn new(job: &VerifyJob<'a, C, M>, target: &'a VerifyTarget<'a, C>) -> Self {
        Self {
            desired: job.desired,
            target: target.target,
            live: target.live,
            connection: target.connection,
            machine: job.machine,
            as_roles: job.as_roles,
            enforcement: &target.enforcement,
            only_keys: job.only_keys,
            held: job.held,
            canaries: job.canaries,
            progress: job.progress,
        }
    }

    fn keys(&self) -> Vec<&'a DesiredKey> {
        let wanted = |key: &&DesiredKey| self.only_keys.is_none_or(|only| only.contains(&key.name));
        self.target.keys.iter().filter(wanted).collect()
    }
}

/// What the server enforces, as declared and as the canary found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Enforced {
    key_policy: bool,
    context: bool,
}

/// A target of which it is known who assumes roles there, and what is enforced.
struct Prepared<'a, C, M> {
    job: TargetJob<'a, C, M>,
    assumer: Assumer<'a, C>,
    enforced: Enforced,
    /// The first probe, which tells what is enforced.
    canary: Vec<Probe>,
}

/// Probes every key of every target. The probes stand in the order of the targets, of their keys, then by identity.
pub async fn verify<C, M>(job: VerifyJob<'_, C, M>) -> VerifyReport
where
    C: Crypto + KeyReader + CallerReader + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let mut targets = Vec::new();
    for target in job.targets {
        targets.push(prepare(TargetJob::new(&job, target)).await);
    }
    let mut report = VerifyReport::default();
    for target in &targets {
        let probing: Vec<_> = target.job.keys().into_iter().map(|key| probe_key(target, key, &targets)).collect();
        let found: Vec<Found> = futures::stream::iter(probing).buffered(job.parallel.max(1)).collect().await;
        report.probes.extend(target.canary.iter().cloned());
        for found in found {
            report.probes.extend(found.probes);
            report.canaries.extend(found.canary);
        }
        report.warnings.extend(expiry::warnings(&target.job));
    }
    report.probes.extend(canaries::homeless(&job));
    report
}

/// What came of one key.
struct Found {
    probes: Vec<Probe>,
    canary: Option<Canary>,
}

async fn prepare<C, M>(job: TargetJob<'_, C, M>) -> Prepared<'_, C, M>
where
    C: Crypto + KeyReader + CallerReader + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let assumer = cast::assumer(&job).await;
    let (enforced, canary) = canary::sing(&job, &job.keys(), &assumer).await;
    Prepared { job, assumer, enforced, canary }
}

async fn probe_key<C, M>(prepared: &Prepared<'_, C, M>, key: &DesiredKey, all: &[Prepared<'_, C, M>]) -> Found
where
    C: Crypto + KeyReader + CallerReader + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let Prepared { job, assumer, enforced, .. } = prepared;
    let (clock, progress) = (job.machine, job.progress);
    let mut notes = Notes { target: &job.target.name, key: &key.name, clock, progress, probes: Vec::new() };
    let subject = match subject::find(job.desired, key, job.live) {
        Ok(subject) => subject,
        Err(unusable) => {
            let question = Question { identity: "caller", scenario: "the key", expected: Expectation::Allowed };
            notes.note(question, unusable.result, None);
            if let Some(subject) = unusable.resting {
                rest::run(&mut notes, job, &subject, assumer).await;
            }
            canaries::postpone(&mut notes, job, key);
            return Found { probes: notes.grouped(), canary: None };
        }
    };
    let members = cast::members(job, &subject, assumer, Wanted::Everybody).await;
    let stage = Stage { job, subject: &subject, members: &members, enforced: *enforced };
    let specimens = proof::run(&mut notes, &stage, assumer).await;
    let canary = canaries::run(&mut notes, &stage).await;
    regions::run(&mut notes, &stage, all).await;
    for member in &members {
        perform::perform(&mut notes, member, &subject, (job.target, &specimens), *enforced).await;
    }
    closing(&mut notes, job, &subject);
    Found { probes: notes.grouped(), canary }
}

/// What is said of everybody else, and of what the judgements leave out.
fn closing<C, M: Clock + Sync>(notes: &mut Notes<'_, M>, job: &TargetJob<'_, C, M>, subject: &subject::Subject<'_>) {
    let duties = duty::duties(job.target, subject.desired);
    let result = nobody_else::judge(job, subject, &duties);
    let (identity, scenario) = (nobody_else::IDENTITY, nobody_else::scenario(subject));
    notes.note(Question { identity, scenario: &scenario, expected: Expectation::Denied }, result, None);
    if let Some(action) = &subject.grants_denied {
        let reason = format!("{action} was denied, so that judgements leave grants out");
        let question = Question { identity, scenario: "grants", expected: Expectation::Denied };
        notes.note(question, ProbeResult::NotChecked { reason }, None);
    }
}
