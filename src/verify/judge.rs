//! Judges calls that are not made: by the evaluator, over the live key policy and grants.

use super::check::CHANGES;
use super::uses::Use;
use crate::access::{CreateGrantRequest, Decision, Guardrails, KeyFacts, PrincipalFacts, Request, evaluate};
use crate::desired::{DesiredTarget, Principal};
use crate::live::Caller;
use crate::ports::EncryptionContext;
use crate::report::{Expectation, ProbeResult};
use crate::services::Service;

/// What the evaluator says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is allowed.
    Allowed,
    /// It is not, for this reason.
    Denied(String),
    /// It cannot be told.
    Open(String),
}

impl Verdict {
    pub(super) fn is_allowed(&self) -> bool {
        *self == Self::Allowed
    }

    /// Returns the result of a probe that was judged and not called.
    pub(super) fn result(self, expected: Expectation, why_not_called: &str) -> ProbeResult {
        match (self, expected) {
            (Self::Allowed, Expectation::Allowed) | (Self::Denied(_), Expectation::Denied | Expectation::Refused) => {
                ProbeResult::Evaluated { reason: why_not_called.to_owned() }
            }
            (Self::Allowed, Expectation::Denied | Expectation::Refused) => {
                ProbeResult::Failed { observed: "evaluated: the live key policy or a grant allows it".to_owned() }
            }
            (Self::Denied(reason), Expectation::Allowed) => {
                ProbeResult::Failed { observed: format!("evaluated: denied, {reason}") }
            }
            (Self::Open(reason), _) => ProbeResult::NotChecked { reason: format!("cannot be judged: {reason}") },
        }
    }
}

/// Returns what the evaluator says of one request.
pub(super) fn request(request: &Request, who: &PrincipalFacts, key: &KeyFacts) -> Verdict {
    let evaluation = evaluate(request, who, Some(key), &Guardrails::default());
    let reason = evaluation.trace.first().map(|entry| entry.text.clone()).unwrap_or_default();
    match evaluation.decision {
        Decision::Allow => Verdict::Allowed,
        Decision::ExplicitDeny | Decision::ImplicitDeny => Verdict::Denied(reason),
        Decision::Undetermined(open) => Verdict::Open(open),
    }
}

/// Returns what the evaluator says of a use, which may take two actions, made directly or through a service.
pub(super) fn of_use(
    what: Use,
    context: &EncryptionContext,
    through: Option<Service>,
    who: &PrincipalFacts,
    key: &KeyFacts,
) -> Verdict {
    let judged = what.actions().iter().map(|action| {
        let mut asked = on_key(action, key);
        asked.encryption_context.clone_from(context);
        asked.via_service = through.map(|service| service.via_service(&key.region));
        request(&asked, who, key)
    });
    gravest(judged)
}

/// Returns the verdict that decides where all must be allowed.
fn gravest(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.fold(Verdict::Allowed, |so_far, next| match (&so_far, &next) {
        (Verdict::Denied(_), _) | (_, Verdict::Allowed) => so_far,
        (Verdict::Allowed | Verdict::Open(_), Verdict::Denied(_) | Verdict::Open(_)) => next,
    })
}

/// Returns a request for an action on a key, without context.
pub(super) fn on_key(action: &str, key: &KeyFacts) -> Request {
    Request::new(action, key.arn.clone(), key.region.clone())
}

/// Returns the requests that would change a key, or pass it on; they are never sent.
pub(super) fn changes(key: &KeyFacts, who: &str) -> Vec<(&'static str, Request)> {
    let change = |action: &&'static str| {
        let mut asked = on_key(action, key);
        if *action == "kms:CreateGrant" {
            asked.grant_is_for_aws_resource = Some(false);
            asked.grant = Some(CreateGrantRequest {
                operations: vec!["Decrypt".to_owned()],
                grantee_principal: Some(who.to_owned()),
                ..CreateGrantRequest::default()
            });
        }
        (*action, asked)
    };
    CHANGES.iter().map(change).collect()
}

/// Returns the caller as decisions see it; what its own identity policies add is not known.
pub(super) fn caller(caller: &Caller) -> PrincipalFacts {
    let mut facts = PrincipalFacts::from_arn(&caller.arn);
    if caller.principal != caller.arn {
        facts.role_arn = Some(caller.principal.to_string());
    }
    facts
}

/// Returns somebody who stands for a principal; `None` for principals that are many.
pub(super) fn stand_in(principal: &Principal, target: &DesiredTarget) -> Option<PrincipalFacts> {
    principal.stand_in(target.region.partition()).map(|arn| PrincipalFacts::from_arn(&arn))
}
