//! Who may do what: decides requests exactly as KMS does, and says why.
//!
//! The inputs are neutral: a [`Request`], the caller ([`PrincipalFacts`]), the key ([`KeyFacts`]) and the
//! account's guard rails ([`Guardrails`]). The manifest and live state are turned into them elsewhere, so that
//! the planner, the sandbox and `access simulate` share one evaluator.

mod caller;
mod case;
mod combine;
mod compare;
mod context;
mod facts;
mod grant;
mod layer;
mod operator;
mod statement;
mod trace;
mod trust;
mod truth;
mod variable;
mod verdict;

pub use case::{Case, CaseError, CaseFile, Expected};
pub use context::derive_context;
pub use facts::{
    ContextValue, CreateGrantRequest, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, PrincipalFacts,
    PrincipalType, Request, RequestContext,
};
pub use verdict::{Decision, Evaluation, Layer, TraceEntry};

use crate::policy::PolicyDocument;
use context::Call;
use trace::Sources;

/// Decides a request of a caller on a key; `key` is `None` for actions that have none (`kms:ListKeys`, `iam:*`).
pub fn evaluate(
    request: &Request,
    principal: &PrincipalFacts,
    key: Option<&KeyFacts>,
    guardrails: &Guardrails,
) -> Evaluation {
    let call = Call::new(request, principal, key);
    let findings = combine::find(&call, guardrails);
    Sources { call: &call, guardrails: Some(guardrails), trust: None }.evaluation(&findings)
}

/// Decides as [`evaluate`] does, without the reasons: for questions over many callers and keys.
pub fn decide(
    request: &Request,
    principal: &PrincipalFacts,
    key: Option<&KeyFacts>,
    guardrails: &Guardrails,
) -> Decision {
    combine::find(&Call::new(request, principal, key), guardrails).decision()
}

/// Decides whether a caller may assume a role: its trust policy, and for the caller's own side its identity policies.
///
/// The request's resource is the role's ARN; `sts:ExternalId` and other keys of STS stand in its context. Guard
/// rails are left aside.
pub fn evaluate_trust(request: &Request, principal: &PrincipalFacts, trust: &PolicyDocument) -> Evaluation {
    let call = Call::new(request, principal, None);
    let findings = trust::find(&call, trust);
    Sources { call: &call, guardrails: None, trust: Some(trust) }.evaluation(&findings)
}

/// Decides whether a caller may change a key's policy under the policy that it has: KMS's lock-out check, with
/// the new policy as the key's.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
pub fn can_put_key_policy(key: &KeyFacts, principal: &PrincipalFacts, guardrails: &Guardrails) -> Evaluation {
    let request = Request::new("kms:PutKeyPolicy", key.arn.clone(), key.region.clone());
    evaluate(&request, principal, Some(key), guardrails)
}
