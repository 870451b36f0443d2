//! Keys that rest, as declared: dry runs alone, which must answer that the key rests.

use super::TargetJob;
use super::cast::{self, Assumer, Wanted};
use super::notes::{Notes, Question, words};
use super::perform::Performer;
use super::specimen::Specimens;
use super::subject::Subject;
use super::uses::Use;
use crate::ports::{Clock, Crypto, EncryptionContext, Forwarding, KeyReader, PortErrorKind, PortResult, RoleAssumer};
use crate::report::{Expectation, ProbeResult};

/// Asks about every use of those who would have it, were the key enabled.
pub(super) async fn run<'a, C, M>(
    notes: &mut Notes<'_, M>,
    job: &TargetJob<'a, C, M>,
    subject: &Subject<'a>,
    assumer: &Assumer<'a, C>,
) where
    C: Crypto + KeyReader + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Sync,
{
    let specimens = Specimens::new(subject.desired.material.kind());
    for member in cast::members(job, subject, assumer, Wanted::Users).await {
        let Ok(actor) = &member.actor else { continue };
        let performer = Performer::new(actor.connection(), subject, &specimens);
        for (_, context) in member.duty.direct_contexts(subject.desired) {
            for what in Use::of(subject.desired.shape()) {
                let allows = |action: &&str| member.duty.allows(subject.desired, action, &context);
                if what.actions().iter().all(allows) {
                    ask(notes, (&member.duty.identity, &performer), (what, &context)).await;
                }
            }
        }
    }
}

async fn ask<C: Crypto + KeyReader + Forwarding + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    (identity, performer): (&str, &Performer<'_, C>),
    (what, context): (Use, &EncryptionContext),
) {
    let (answer, latency) = notes.timed(performer.dry_run(what, context)).await;
    let scenario = format!("at rest: {}", what.call());
    let question = Question { identity, scenario: &scenario, expected: Expectation::Refused };
    notes.note(question, result(&answer), latency);
}

fn result(answer: &PortResult<()>) -> ProbeResult {
    match answer {
        Ok(()) => ProbeResult::Failed { observed: "a dry run says that the key can be used".to_owned() },
        Err(error) if matches!(error.kind, PortErrorKind::Disabled | PortErrorKind::InvalidState) => {
            ProbeResult::Passed
        }
        Err(error) => ProbeResult::NotChecked { reason: words(error) },
    }
}
