//! In whose name the envelope can run: the caller, then the declared users by name.

use super::{Delegation, Enforced, Member, PrincipalFacts, Subject, Use, VerifyJob, context, judge};
use crate::desired::{DataKeyUse, DesiredUser};
use crate::ports::EncryptionContext;
use crate::report::ProbeResult;
use crate::services::Service;
use crate::verify::cast::Actor;
use crate::verify::duty::{Duty, duties};

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
    let all = duties(job.target, subject.desired);
    let users = all.iter().filter(|duty| duty.is_user());
    let users: Vec<(&Duty<'_>, PrincipalFacts)> =
        users.filter_map(|duty| Some((duty, judge::stand_in(duty.principal, job.target)?))).collect();
    let directly = users.iter().find(|(duty, who)| {
        duty.direct_contexts(subject.desired).iter().any(|(_, context)| certainty(who, context, subject).is_some())
    });
    if let Some((duty, _)) = directly {
        let reason = "judged on the live key policy; not called in its name".to_owned();
        return (duty.identity.clone(), ProbeResult::Evaluated { reason });
    }
    let through = users.iter().find_map(|(duty, who)| Some((duty, way_through(job, subject, duty, who)?)));
    if let Some((duty, service)) = through {
        let reason = format!("nobody may directly; it may through {service}, judged on the live key policy");
        return (duty.identity.clone(), ProbeResult::Evaluated { reason });
    }
    let reason = "no declared user may both generate a data key and decrypt it, by the live key policy".to_owned();
    ("caller".to_owned(), ProbeResult::NotChecked { reason })
}

/// Returns a service through which somebody may read and write.
fn way_through<C, M>(
    job: &VerifyJob<'_, C, M>,
    subject: &Subject<'_>,
    duty: &Duty<'_>,
    who: &PrincipalFacts,
) -> Option<Service> {
    let admits = |user: &DesiredUser, service: Service| {
        let Some(context) = context::of_service(service, user) else { return false };
        [service.read_actions(), service.write_actions()].concat().into_iter().all(|action| {
            let mut request = judge::on_key(action, &subject.facts);
            request.encryption_context.clone_from(&context);
            request.via_service = Some(service.via_service(&job.target.region));
            judge::request(&request, who, &subject.facts).is_allowed()
        })
    };
    duty.tables.iter().find_map(|user| match &user.access {
        DataKeyUse::Via { services, .. } => services.iter().copied().find(|service| admits(user, *service)),
        DataKeyUse::Direct { .. } => None,
    })
}
