//! In whose name the envelope can run: the caller, then the declared users by name.

use super::{Delegation, Enforced, Member, PrincipalFacts, Subject, Use, VerifyJob, context, judge};
use crate::desired::DataKeyUse;
use crate::ports::EncryptionContext;
use crate::report::ProbeResult;
use crate::verify::cast::{Actor, is_caller};
use crate::verify::duty::duties;

/// Somebody in whose name the envelope may run.
pub(super) struct Candidate<'a, C> {
    pub(super) identity: String,
    pub(super) connection: &'a C,
    pub(super) facts: PrincipalFacts,
    pub(super) context: EncryptionContext,
    pub(super) certainty: Certainty,
}

/// Whether the key policy admits somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// It does.
    Certain,
    /// It leaves it to IAM, or the server does not ask it: only trying tells.
    Perhaps,
}

/// The steps without which there is no round trip.
const STEPS: [Use; 2] = [Use::GenerateDataKey, Use::Decrypt];

/// Returns the identities that may run the envelope, in order.
pub(super) fn candidates<'a, C, M>(
    job: &VerifyJob<'a, C, M>,
    subject: &Subject<'_>,
    members: &'a [Member<'_, C>],
    enforced: Enforced,
) -> Vec<Candidate<'a, C>> {
    let mut found = Vec::new();
    let caller = judge::caller(&job.live.caller);
    let own = members.iter().find(|member| matches!(member.actor, Ok(Actor::Caller(_))));
    let open = subject.desired.delegation == Delegation::Account || !enforced.key_policy;
    let contexts = own.map(|member| picked(member, subject)).filter(|contexts| !contexts.is_empty());
    for context in contexts.unwrap_or_else(|| vec![context::plain(subject.desired)]) {
        let identity = own.map_or_else(|| "caller".to_owned(), |member| member.duty.identity.clone());
        let certainty = certainty(&caller, &context, subject).or_else(|| open.then_some(Certainty::Perhaps));
        let (connection, facts) = (job.connection, caller.clone());
        found.extend(certainty.map(|certainty| Candidate { identity, connection, facts, context, certainty }));
    }
    for member in members {
        let Ok(Actor::Session(connection)) = &member.actor else { continue };
        let Some(facts) = judge::stand_in(member.duty.principal, job.target) else { continue };
        for context in picked(member, subject) {
            let Some(certainty) = certainty(&facts, &context, subject) else { continue };
            let (identity, facts) = (member.duty.identity.clone(), facts.clone());
            found.push(Candidate { identity, connection, facts, context, certainty });
        }
    }
    found
}

fn picked<C>(member: &Member<'_, C>, subject: &Subject<'_>) -> Vec<EncryptionContext> {
    member.duty.direct_contexts(subject.desired).into_iter().map(|(_, context)| context).collect()
}

fn certainty(who: &PrincipalFacts, context: &EncryptionContext, subject: &Subject<'_>) -> Option<Certainty> {
    let all = STEPS.iter().all(|step| judge::of_use(*step, context, who, &subject.facts).is_allowed());
    all.then_some(Certainty::Certain)
}

/// Returns what is to be said of a round trip that nobody could run, and in whose name.
pub(super) fn judged<C, M>(job: &VerifyJob<'_, C, M>, subject: &Subject<'_>) -> (String, ProbeResult) {
    let nobody = || "caller".to_owned();
    for duty in duties(job.target, subject.desired).iter().filter(|duty| duty.is_user()) {
        let Some(who) = judge::stand_in(duty.principal, job.target) else { continue };
        let may = |context: &EncryptionContext| certainty(&who, context, subject).is_some();
        if duty.direct_contexts(subject.desired).iter().any(|(_, context)| may(context)) {
            let is_caller = is_caller(duty.principal, &job.live.caller, job.target);
            let how = if is_caller {
                "may, by the live key policy"
            } else {
                "may, by the live key policy; it was not assumed"
            };
            return (duty.identity.clone(), ProbeResult::Evaluated { reason: format!("{} {how}", duty.identity) });
        }
        for user in &duty.tables {
            let DataKeyUse::Via { services, .. } = &user.access else { continue };
            let through = services.iter().find(|service| {
                let via = service.via_service(&job.target.region);
                context::of_service(**service, user).is_some_and(|context| {
                    ["kms:Decrypt"].iter().chain(service.write_actions()).all(|action| {
                        let mut request = judge::on_key(action, &subject.facts);
                        request.encryption_context.clone_from(&context);
                        request.via_service = Some(via.clone());
                        judge::request(&request, &who, &subject.facts).is_allowed()
                    })
                })
            });
            if let Some(service) = through {
                let reason =
                    format!("nobody may directly; {} may through {service}, by the live key policy", duty.identity);
                return (duty.identity.clone(), ProbeResult::Evaluated { reason });
            }
        }
    }
    let reason = "no declared user may both generate a data key and decrypt it, by the live key policy".to_owned();
    (nobody(), ProbeResult::NotChecked { reason })
}
