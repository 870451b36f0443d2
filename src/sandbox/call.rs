//! One call while it is handled: the state, the caller, the parameters, and whether the caller may.

use super::auth::Caller;
use super::error::ApiError;
use super::faults::Lag;
use super::identity;
use super::state::{Grant, Key, MultiRegion, State};
use super::wire_json::Params;
use crate::access::{
    ContextValue, Decision, Evaluation, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, Layer, Request,
    evaluate,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// What a handler works on.
pub(super) struct Call<'a> {
    /// What is remembered; undone if the handler fails.
    pub(super) state: &'a mut State,
    /// What is not yet visible in lists.
    pub(super) lag: &'a mut Lag,
    /// Who calls.
    pub(super) caller: &'a Caller,
    /// The parameters.
    pub(super) params: &'a Params,
    /// The sandbox's time.
    pub(super) now: Timestamp,
    /// The time of its clients, for temporary credentials.
    pub(super) wall: Timestamp,
    /// How long the transitions take that AWS does not end within the call.
    pub(super) settle: SignedDuration,
    /// The id of the request.
    pub(super) request_id: &'a str,
}

/// Handles one operation.
pub(super) type Handler = fn(&mut Call<'_>) -> Result<Value, ApiError>;

impl Call<'_> {
    /// Returns a request of the caller, to be completed and judged.
    pub(super) fn request(&self, action: &str, resource: &str) -> Request {
        let mut request = Request::new(action, resource, self.caller.region.clone());
        request.via_service.clone_from(&self.caller.via);
        request
    }

    /// Judges a request without a key: by the caller's own policies.
    pub(super) fn authorize(&self, request: &Request) -> Result<(), ApiError> {
        let evaluation = evaluate(request, &self.caller.facts, None, &Guardrails::default());
        verdict(self.caller, request, &evaluation)
    }

    /// Judges a request on a key.
    pub(super) fn authorize_on_key(&self, request: &Request, key: &Key) -> Result<(), ApiError> {
        let facts = key_facts(self.state, key);
        let evaluation = evaluate(request, &self.caller.facts, Some(&facts), &Guardrails::default());
        verdict(self.caller, request, &evaluation)
    }
}

/// Adds the context of tags in a request: `aws:TagKeys` and `aws:RequestTag/…`.
pub(super) fn with_tags<'a>(request: &mut Request, tags: impl Iterator<Item = (&'a String, Option<&'a String>)>) {
    let mut keys = Vec::new();
    for (key, value) in tags {
        keys.push(key.clone());
        if let Some(value) = value {
            with(request, &format!("aws:RequestTag/{key}"), value);
        }
    }
    request.context.insert("aws:TagKeys".to_owned(), Some(ContextValue::Many(keys)));
}

/// Adds a single-valued condition key to a request.
pub(super) fn with(request: &mut Request, key: &str, value: &str) {
    request.context.insert(key.to_owned(), Some(ContextValue::One(value.to_owned())));
}

/// Returns what the evaluator needs of a key.
pub(super) fn key_facts(state: &State, key: &Key) -> KeyFacts {
    let aliases = state.aliases.iter().filter(|(_, alias)| alias.target == key.arn);
    KeyFacts {
        arn: key.arn.as_str().to_owned(),
        account: key.arn.account(),
        region: key.arn.region(),
        policy: identity::parse(&key.policy),
        ram_policy: None,
        grants: key.grants.iter().map(grant_facts).collect(),
        aliases: aliases.map(|(_, alias)| alias.name.clone()).collect(),
        tags: key.tags.clone(),
        multi_region: key.multi_region.is_some(),
        multi_region_key_type: key.multi_region.as_ref().map(|of| {
            match of {
                MultiRegion::Primary { .. } => "PRIMARY",
                MultiRegion::Replica { .. } => "REPLICA",
            }
            .to_owned()
        }),
        key_spec: key.spec.name().to_owned(),
        key_usage: key.usage.name().to_owned(),
        key_origin: key.origin.name().to_owned(),
        aws_managed: key.aws_managed,
        org_id: None,
    }
}

fn grant_facts(grant: &Grant) -> GrantFacts {
    let who = |principal: &Option<String>, service: &Option<String>| {
        let principal = principal.clone().map(Grantee::Principal);
        principal.or_else(|| service.clone().map(Grantee::Service))
    };
    GrantFacts {
        grant_id: grant.id.clone(),
        issuing_account: grant.issuing_account.clone(),
        operations: grant.operations.clone(),
        // A grant always has a grantee; one without would match nobody.
        grantee: who(&grant.grantee, &grant.grantee_service).unwrap_or_else(|| Grantee::Principal(String::new())),
        retiring: who(&grant.retiring, &grant.retiring_service),
        constraints: GrantConstraints {
            encryption_context_equals: grant.equals.clone(),
            encryption_context_subset: grant.subset.clone(),
            source_arn: grant.source_arn.clone(),
        },
    }
}

fn verdict(caller: &Caller, request: &Request, evaluation: &Evaluation) -> Result<(), ApiError> {
    if evaluation.is_allowed() { Ok(()) } else { Err(denied(caller.arn(), request, evaluation)) }
}

/// Returns the refusal of a request in AWS's words.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
pub(super) fn denied(caller: &str, request: &Request, evaluation: &Evaluation) -> ApiError {
    let action = &request.action;
    let layer = evaluation.trace.last().map(|entry| entry.layer);
    let because = match &evaluation.decision {
        Decision::ExplicitDeny => format!("with an explicit deny in {}", policy_kind(layer)),
        Decision::Undetermined(reason) => format!("because AWS's documentation leaves it open: {reason}"),
        Decision::Allow | Decision::ImplicitDeny => {
            let kind = policy_kind(layer);
            let kind = kind.strip_prefix("an ").or_else(|| kind.strip_prefix("a ")).unwrap_or(kind);
            format!("because no {kind} allows the {action} action")
        }
    };
    let code =
        if action.starts_with("kms:") || action.starts_with("tag:") { "AccessDeniedException" } else { "AccessDenied" };
    let status = if code == "AccessDenied" { 403 } else { 400 };
    let on = if request.resource == "*" { String::new() } else { format!(" on resource: {}", request.resource) };
    ApiError::new(code, format!("User: {caller} is not authorized to perform: {action}{on} {because}")).status(status)
}

fn policy_kind(layer: Option<Layer>) -> &'static str {
    match layer {
        Some(Layer::KeyPolicy | Layer::RamPolicy | Layer::Grant) => "a resource-based policy",
        Some(Layer::Identity) | None => "an identity-based policy",
        Some(Layer::Boundary) => "a permissions boundary",
        Some(Layer::Session) => "a session policy",
        Some(Layer::Scp) => "a service control policy",
        Some(Layer::Rcp) => "a resource control policy",
        Some(Layer::Trust) => "a role trust policy",
    }
}
