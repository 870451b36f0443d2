//! One call that must be denied, made first: it tells whether denials mean anything on this server.

use super::cast::{self, Assumer, Wanted};
use super::check::{Ask, Check, Hinge, checks};
use super::notes::{Notes, Question, negative};
use super::perform::Performer;
use super::specimen::Specimens;
use super::subject::{self, Subject};
use super::{Enforced, TargetJob};
use crate::desired::{DesiredKey, Enforcement};
use crate::ports::{Clock, Crypto, Forwarding, KeyReader, PortErrorKind, RoleAssumer};
use crate::report::{Expectation, Probe, ProbeResult};

/// Makes the call, and returns what the server enforces, with the probe about it.
pub(super) async fn sing<C, M>(
    job: &TargetJob<'_, C, M>,
    keys: &[&DesiredKey],
    assumer: &Assumer<'_, C>,
) -> (Enforced, Vec<Probe>)
where
    C: Crypto + KeyReader + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Sync,
{
    let declared = Enforced {
        key_policy: job.enforcement.contains(&Enforcement::KeyPolicy),
        context: job.enforcement.contains(&Enforcement::Context),
    };
    for key in keys {
        let Ok(subject) = subject::find(job.desired, key, job.live) else { continue };
        for member in cast::members(job, &subject, assumer, Wanted::Everybody).await {
            let Ok(actor) = &member.actor else { continue };
            let list = checks(&member.duty, &subject, job.target);
            let Some(check) = likeliest(&list) else { continue };
            let specimens = Specimens::new(subject.desired.material.kind());
            let performer = Performer::new(actor.connection(), &subject, &specimens);
            return judge(job, &member.duty.identity, &subject, (check, performer), declared).await;
        }
    }
    (declared, Vec::new())
}

/// Returns the check that most servers can answer: a read, else a dry run.
fn likeliest(list: &[Check]) -> Option<&Check> {
    let denied = |check: &&Check| check.expected == Expectation::Denied && check.hinge == Hinge::KeyPolicy;
    let read = list.iter().filter(denied).find(|check| matches!(check.ask, Ask::Read(_)));
    read.or_else(|| list.iter().filter(denied).find(|check| matches!(check.ask, Ask::Use(..))))
}

async fn judge<C, M>(
    job: &TargetJob<'_, C, M>,
    identity: &str,
    subject: &Subject<'_>,
    (check, mut performer): (&Check, Performer<'_, C>),
    declared: Enforced,
) -> (Enforced, Vec<Probe>)
where
    C: Crypto + KeyReader + Forwarding + Sync,
    M: Clock + Sync,
{
    let mut notes = Notes {
        target: &job.target.name,
        key: &subject.desired.name,
        clock: job.machine,
        progress: job.progress,
        probes: Vec::new(),
    };
    let (answer, latency) = notes.timed(performer.call(check)).await;
    let Some(answer) = answer else { return (declared, Vec::new()) };
    let denied = matches!(&answer, Err(error) if error.kind == PortErrorKind::Denied);
    let result = match (&answer, declared.key_policy) {
        (Ok(()), false) => {
            ProbeResult::NotChecked { reason: "the server does not enforce key policies, as declared".to_owned() }
        }
        (Ok(()) | Err(_), _) => {
            negative(&answer, PortErrorKind::Denied, "the server let a call pass that the key policy denies")
        }
    };
    let scenario = format!("canary: {}", check.scenario);
    notes.note(Question { identity, scenario: &scenario, expected: Expectation::Denied }, result, latency);
    let enforced = Enforced { key_policy: declared.key_policy || denied, ..declared };
    (enforced, notes.probes)
}
