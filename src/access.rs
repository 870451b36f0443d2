//! Who may do what: decides requests exactly as KMS does, and says why.
//!
//! The inputs are neutral: a [`Request`], the caller ([`PrincipalFacts`]), the key ([`KeyFacts`]) and the
//! account's guard rails ([`Guardrails`]). The manifest and live state are turned into them elsewhere, so that
//! the planner, the sandbox and `access simulate` share one evaluator.

mod facts;

pub use facts::{
    ContextValue, CreateGrantRequest, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, PrincipalFacts,
    PrincipalType, Request, RequestContext,
};
