//! Who may do what: decides requests exactly as KMS does, and says why.
//!
//! The inputs are neutral: a [`Request`], the caller ([`PrincipalFacts`]), the key ([`KeyFacts`]) and the
//! account's guard rails ([`Guardrails`]). The manifest and live state are turned into them elsewhere, so that
//! the planner, the sandbox and `access simulate` share one evaluator.

mod facts;
mod verdict;

pub use facts::{
    ContextValue, CreateGrantRequest, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, PrincipalFacts,
    PrincipalType, Request, RequestContext,
};
pub use verdict::{Decision, Evaluation, Layer, TraceEntry};

/// Decides a request of a caller on a key; `key` is `None` for actions that have none (`kms:ListKeys`, `iam:*`).
pub fn evaluate(
    request: &Request,
    principal: &PrincipalFacts,
    key: Option<&KeyFacts>,
    guardrails: &Guardrails,
) -> Evaluation {
    let _ = (request, principal, key, guardrails);
    Evaluation { decision: Decision::ImplicitDeny, trace: Vec::new() }
}

/// Decides whether a caller may assume a role: its trust policy, and for the caller's own side its identity policies.
pub fn evaluate_trust(
    request: &Request,
    principal: &PrincipalFacts,
    trust: &crate::policy::PolicyDocument,
) -> Evaluation {
    let _ = (request, principal, trust);
    Evaluation { decision: Decision::ImplicitDeny, trace: Vec::new() }
}
