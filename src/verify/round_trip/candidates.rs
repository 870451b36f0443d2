//! In whose name the envelope can run: the caller, then the declared users by name, directly or through a service.

use super::{Delegation, Enforced, Member, PrincipalFacts, Subject, TargetJob, Use, context, judge};
use crate::access::KeyFacts;
use crate::desired::DataKeyUse;
use crate::ports::{EncryptionContext, Forwarding};
use crate::report::ProbeResult;
use crate::services::Service;
use crate::verify::cast::Actor;
use crate::verify::duty::{Duty, duties};
use crate::verify::stage::Stage;

/// Somebody in whose name the envelope may run.
pub(in crate::verify) struct Candidate<'a, C> {
    pub(in crate::verify) identity: String,
    line: Line<'a, C>,
    pub(in crate::verify) facts: PrincipalFacts,
    pub(in crate::verify) context: EncryptionContext,
    pub(in crate::verify) certainty: Certainty,
    /// How it makes a data key.
    pub(in crate::verify) making: Use,
}

/// How somebody reaches the key.
enum Line<'a, C> {
    Direct(&'a C),
    Through(Service, C),
}

/// Whether the key policy admits somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Certainty {
    /// It does.
    Certain,
    /// It leaves it to IAM, or the server does not ask it: only trying tells.
    Perhaps,
}

/// What somebody must be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Aim {
    /// To make a data key and to decrypt it.
    RoundTrip,
    /// To make a ciphertext.
    Ciphertext,
    /// To make a data key pair and to decrypt its private half.
    KeyPair,
    /// The same without ever having been given the private half.
    WrappedKeyPair,
}

impl Aim {
    /// Returns the ways to make what is wanted, the best first.
    fn ways(self) -> &'static [Use] {
        match self {
            Self::RoundTrip | Self::Ciphertext => &WAYS,
            Self::KeyPair => &[Use::GenerateDataKeyPair],
            Self::WrappedKeyPair => &[Use::GenerateDataKeyPairWithoutPlaintext],
        }
    }
}

/// The ways to make a data key. The last one wraps a key from this machine; the second one is followed by `Decrypt`.
const WAYS: [Use; 3] = [Use::GenerateDataKey, Use::GenerateDataKeyWithoutPlaintext, Use::Encrypt];

impl<C> Candidate<'_, C> {
    /// Returns the connection in its name.
    pub(in crate::verify) fn connection(&self) -> &C {
        match &self.line {
            Line::Direct(connection) => connection,
            Line::Through(_, connection) => connection,
        }
    }

    /// Returns what the scenarios of its envelope begin with.
    pub(in crate::verify) fn title(&self) -> String {
        self.through().map_or_else(|| "envelope".to_owned(), |service| format!("envelope through {service}"))
    }

    /// Returns whether it may use a key under a context, or whether only trying tells.
    pub(in crate::verify) fn may(&self, what: Use, context: &EncryptionContext, key: &KeyFacts) -> bool {
        self.certainty == Certainty::Perhaps
            || judge::of_use(what, context, self.through(), &self.facts, key).is_allowed()
    }

    fn through(&self) -> Option<Service> {
        match self.line {
            Line::Direct(_) => None,
            Line::Through(service, _) => Some(service),
        }
    }
}

/// Returns the identities that may reach an aim, in order: those who need no service come first.
pub(in crate::verify) fn candidates<'a, C: Forwarding, M>(
    job: &TargetJob<'a, C, M>,
    subject: &Subject<'_>,
    members: &'a [Member<'_, C>],
    (aim, enforced): (Aim, Enforced),
) -> Vec<Candidate<'a, C>> {
    let mut found = callers(job, subject, members, (aim, enforced));
    for member in members {
        let Ok(Actor::Session(connection)) = &member.actor else { continue };
        let Some(facts) = judge::stand_in(member.duty.principal, job.target) else { continue };
        for context in picked(&member.duty, subject) {
            let Some(making) = way(aim, &context, None, &facts, subject) else { continue };
            let (identity, facts, line) = (member.duty.identity.clone(), facts.clone(), Line::Direct(connection));
            found.push(Candidate { identity, line, facts, context, certainty: Certainty::Certain, making });
        }
    }
    for member in members {
        let (Ok(actor), Some(facts)) = (&member.actor, judge::stand_in(member.duty.principal, job.target)) else {
            continue;
        };
        for (service, context) in sent(&member.duty) {
            let Some(making) = way(aim, &context, Some(service), &facts, subject) else { continue };
            let Some(connection) = actor.connection().forwarded_by(service) else { continue };
            let (identity, facts) = (member.duty.identity.clone(), facts.clone());
            let line = Line::Through(service, connection);
            found.push(Candidate { identity, line, facts, context, certainty: Certainty::Certain, making });
        }
    }
    found
}

/// Returns the caller, if it may, under each context in which it may.
fn callers<'a, C, M>(
    job: &TargetJob<'a, C, M>,
    subject: &Subject<'_>,
    members: &[Member<'_, C>],
    (aim, enforced): (Aim, Enforced),
) -> Vec<Candidate<'a, C>> {
    let facts = judge::caller(&job.live.caller);
    let own = members.iter().find(|member| matches!(member.actor, Ok(Actor::Caller(_))));
    let open = subject.desired.delegation == Delegation::Account || !enforced.key_policy;
    let contexts = own.map(|member| picked(&member.duty, subject)).filter(|contexts| !contexts.is_empty());
    let candidate = |context: EncryptionContext| {
        let certain = way(aim, &context, None, &facts, subject).map(|making| (Certainty::Certain, making));
        let (certainty, making) =
            certain.or_else(|| aim.ways().first().filter(|_| open).map(|way| (Certainty::Perhaps, *way)))?;
        let identity = own.map_or_else(|| "caller".to_owned(), |member| member.duty.identity.clone());
        let line = Line::Direct(job.connection);
        Some(Candidate { identity, line, facts: facts.clone(), context, certainty, making })
    };
    contexts.unwrap_or_else(|| vec![context::plain(subject.desired)]).into_iter().filter_map(candidate).collect()
}

/// Returns the identities that may decrypt under a context, in order: those who need no service come first.
pub(in crate::verify) fn openers<'a, C: Forwarding, M>(
    stage: &'a Stage<'_, '_, C, M>,
    context: &EncryptionContext,
) -> Vec<Candidate<'a, C>> {
    let (making, subject) = (Use::Decrypt, stage.subject);
    let may = |who: &PrincipalFacts, through: Option<Service>| {
        judge::of_use(making, context, through, who, &subject.facts).is_allowed()
    };
    let facts = judge::caller(&stage.job.live.caller);
    let own = stage.members.iter().find(|member| matches!(member.actor, Ok(Actor::Caller(_))));
    let open = subject.desired.delegation == Delegation::Account || !stage.enforced.key_policy;
    let certainty = if may(&facts, None) { Certainty::Certain } else { Certainty::Perhaps };
    let mut found = Vec::new();
    if certainty == Certainty::Certain || open {
        let identity = own.map_or_else(|| "caller".to_owned(), |member| member.duty.identity.clone());
        let line = Line::Direct(stage.job.connection);
        found.push(Candidate { identity, line, facts, context: context.clone(), certainty, making });
    }
    let mut through = Vec::new();
    for member in stage.members {
        let (Ok(actor), Some(facts)) = (&member.actor, judge::stand_in(member.duty.principal, stage.job.target)) else {
            continue;
        };
        let candidate = |line| {
            let (identity, facts, context) = (member.duty.identity.clone(), facts.clone(), context.clone());
            Candidate { identity, line, facts, context, certainty: Certainty::Certain, making }
        };
        if matches!(actor, Actor::Session(_)) && may(&facts, None) {
            found.push(candidate(Line::Direct(actor.connection())));
        }
        let services = sent(&member.duty).into_iter().map(|(service, _)| service);
        let admitted = services.filter(|service| may(&facts, Some(*service)));
        through.extend(admitted.filter_map(|service| {
            let connection = actor.connection().forwarded_by(service)?;
            Some(candidate(Line::Through(service, connection)))
        }));
    }
    found.extend(through);
    found
}

fn picked(duty: &Duty<'_>, subject: &Subject<'_>) -> Vec<EncryptionContext> {
    duty.direct_contexts(subject.desired).into_iter().map(|(_, context)| context).collect()
}

/// Returns the services that somebody comes through, each with the context that it sends, and our own pair.
fn sent(duty: &Duty<'_>) -> Vec<(Service, EncryptionContext)> {
    let mut found = Vec::new();
    for user in &duty.tables {
        let DataKeyUse::Via { services, .. } = &user.access else { continue };
        let of = |service: &Service| Some((*service, context::with_probe(context::of_service(*service, user)?)));
        found.extend(services.iter().filter_map(of));
    }
    found
}

/// Returns how somebody makes a data key on the way to an aim; `None` for somebody who may not.
fn way(
    aim: Aim,
    context: &EncryptionContext,
    through: Option<Service>,
    who: &PrincipalFacts,
    subject: &Subject<'_>,
) -> Option<Use> {
    let may = |what: Use| judge::of_use(what, context, through, who, &subject.facts).is_allowed();
    let makes = aim.ways().iter().copied().find(|way| may(*way))?;
    (aim == Aim::Ciphertext || may(Use::Decrypt)).then_some(makes)
}

/// Returns what is to be said of a round trip that nobody could run, and in whose name.
pub(in crate::verify) fn judged<C, M>(
    job: &TargetJob<'_, C, M>,
    subject: &Subject<'_>,
    aim: Aim,
) -> (String, ProbeResult) {
    let all = duties(job.target, subject.desired);
    let users = all.iter().filter(|duty| duty.is_user());
    let users: Vec<(&Duty<'_>, PrincipalFacts)> =
        users.filter_map(|duty| Some((duty, judge::stand_in(duty.principal, job.target)?))).collect();
    let may = |context: &EncryptionContext, through, who| way(aim, context, through, who, subject).is_some();
    let directly = users.iter().find(|(duty, who)| picked(duty, subject).iter().any(|context| may(context, None, who)));
    if let Some((duty, _)) = directly {
        let reason = "judged on the live key policy; not called in its name".to_owned();
        return (duty.identity.clone(), ProbeResult::Evaluated { reason });
    }
    let through = users.iter().find_map(|(duty, who)| {
        let admitted = sent(duty).into_iter().find(|(service, context)| may(context, Some(*service), who));
        admitted.map(|(service, _)| (duty, service))
    });
    if let Some((duty, service)) = through {
        let reason = format!("nobody may directly; it may through {service}, judged on the live key policy");
        return (duty.identity.clone(), ProbeResult::Evaluated { reason });
    }
    let made = aim.ways().first().map_or("", |way| way.verb());
    let reason = if aim == Aim::Ciphertext {
        format!("no declared user may {made}, by the live key policy")
    } else {
        format!("no declared user may both {made} and decrypt, by the live key policy")
    };
    ("caller".to_owned(), ProbeResult::NotChecked { reason })
}
