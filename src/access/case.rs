//! Reads worked cases: a call, everything it depends on, and what the answer should be.

mod raw;

use super::facts::{
    ContextValue, CreateGrantRequest, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, Knowledge,
    PrincipalFacts, PrincipalType, Request, RequestContext, Unknown,
};
use super::verdict::{Decision, Evaluation};
use crate::ids::{AccountId, Region};
use crate::policy::PolicyDocument;
use raw::{RawCase, RawConstraints, RawFile, RawGrant, RawKey, RawNewGrant, RawPrincipal, RawRequest};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A file of cases, version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFile {
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// A call with everything that it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// A stable id.
    pub id: String,
    /// What the case is about.
    pub title: String,
    /// The call.
    pub request: Request,
    /// The caller.
    pub principal: PrincipalFacts,
    /// The key, if the action has one.
    pub key: Option<KeyFacts>,
    /// The guard rails.
    pub guardrails: Guardrails,
    /// What the answer should be, if the case says so.
    pub expected: Option<Expected>,
    /// Whether AWS's documentation leaves the answer open; such a case has no right answer.
    pub contested: bool,
    /// The complete context, if the case gives it.
    pub resolved_context: Option<RequestContext>,
}

/// What the answer of a case should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Allowed.
    Allow,
    /// Denied by a statement.
    ExplicitDeny,
    /// Denied because nothing allows it.
    ImplicitDeny,
}

impl Expected {
    /// Returns whether a decision is the expected one.
    pub fn agrees(self, decision: &Decision) -> bool {
        match self {
            Self::Allow => *decision == Decision::Allow,
            Self::ExplicitDeny => *decision == Decision::ExplicitDeny,
            Self::ImplicitDeny => *decision == Decision::ImplicitDeny,
        }
    }
}

/// Why a text is no file of cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseError {
    /// The case, if it is one case that is wrong.
    pub case: Option<String>,
    /// What is wrong, and where in the case. Escape it before it reaches a terminal.
    pub reason: String,
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.case {
            Some(case) => write!(f, "case `{}`: {}", case.escape_debug(), self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for CaseError {}

impl CaseFile {
    /// Reads a file of cases (`{"schema_version": 1, "cases": […]}`), or one case alone.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let fail = |reason: String| CaseError { case: None, reason };
        let value: Value = serde_json::from_str(text).map_err(|error| fail(format!("not JSON: {error}")))?;
        let alone = value.get("cases").is_none() && value.get("request").is_some();
        let raw = if alone {
            let case = serde_json::from_value(value).map_err(|error| fail(error.to_string()))?;
            RawFile { schema_version: 1, cases: vec![case] }
        } else {
            serde_json::from_str::<RawFile>(text).map_err(|error| fail(error.to_string()))?
        };
        if raw.schema_version != 1 {
            return Err(fail(format!("schema_version is {}, only 1 is known", raw.schema_version)));
        }
        let cases = raw.cases.into_iter().map(|raw| {
            let id = raw.id.clone();
            case(raw).map_err(|reason| CaseError { case: Some(id), reason })
        });
        Ok(Self { cases: cases.collect::<Result<_, _>>()? })
    }
}

impl Case {
    /// Decides the call.
    pub fn evaluate(&self) -> Evaluation {
        super::evaluate(&self.request, &self.principal, self.key.as_ref(), &self.guardrails)
    }
}

fn case(raw: RawCase) -> Result<Case, String> {
    let region = region(&raw)?;
    let levels = |place: &str, levels: Vec<Vec<Value>>| -> Result<Vec<Vec<PolicyDocument>>, String> {
        levels.iter().map(|level| policies(place, level)).collect()
    };
    let rails = raw.guardrails.unwrap_or_default();
    Ok(Case {
        request: request(raw.request, region),
        principal: principal(raw.principal)?,
        key: raw.key.and_then(|key| key_facts(key).transpose()).transpose()?,
        guardrails: Guardrails {
            scps: levels("guardrails.scps", rails.scps)?,
            rcps: levels("guardrails.rcps", rails.rcps)?,
        },
        id: raw.id,
        title: raw.title,
        expected: raw.expected.map(|expected| expected.decision),
        contested: raw.contested,
        resolved_context: raw.resolved_context.map(resolved),
    })
}

/// Returns the Region that is called: the key's, or that of the resource's ARN.
fn region(raw: &RawCase) -> Result<Region, String> {
    let of_resource = || raw.request.resource.split(':').nth(3).filter(|region| !region.is_empty());
    let text = raw.request.region.as_deref().or(raw.key.as_ref().map(|key| key.region.as_str())).or_else(of_resource);
    let text = text.ok_or("request.region is needed where there is no key")?;
    text.parse().map_err(|error| format!("{error}"))
}

fn request(raw: RawRequest, region: Region) -> Request {
    Request {
        action: raw.action,
        resource: raw.resource,
        region,
        encryption_context: raw.encryption_context,
        via_service: raw.via_service,
        request_alias: raw.request_alias,
        grant: raw.grant.map(new_grant),
        grant_is_for_aws_resource: raw.grant_is_for_aws_resource,
        retire_grant_id: raw.retire_grant_id,
        context: raw.context.into_iter().map(|(name, value)| (name, value.map(ContextValue::from))).collect(),
        unknown: Unknown::Nothing,
    }
}

fn new_grant(raw: RawNewGrant) -> CreateGrantRequest {
    CreateGrantRequest {
        operations: raw.operations,
        grantee_principal: raw.grantee_principal,
        grantee_service_principal: raw.grantee_service_principal,
        retiring_principal: raw.retiring_principal,
        constraints: raw.constraints.map(constraints),
    }
}

fn constraints(raw: RawConstraints) -> GrantConstraints {
    GrantConstraints {
        encryption_context_equals: raw.encryption_context_equals,
        encryption_context_subset: raw.encryption_context_subset,
        source_arn: raw.source_arn,
    }
}

fn principal(raw: RawPrincipal) -> Result<PrincipalFacts, String> {
    let kind = match raw.kind.as_str() {
        "user" => PrincipalType::User,
        "role" => PrincipalType::Role,
        "role_session" => PrincipalType::RoleSession,
        "root" => PrincipalType::Root,
        "federated_user" => PrincipalType::FederatedUser,
        "service" => PrincipalType::Service,
        other => return Err(format!("principal.type `{other}` is unknown")),
    };
    let optional = |place: &str, document: Option<Value>| document.map(|value| policy(place, &value)).transpose();
    Ok(PrincipalFacts {
        kind,
        arn: raw.arn,
        role_arn: raw.role_arn,
        user_arn: raw.user_arn,
        account: raw.account.map(|text| account("principal.account", &text)).transpose()?,
        unique_id: raw.unique_id,
        tags: raw.tags,
        org_id: raw.org_id,
        identity_policies: policies("principal.identity_policies", &raw.identity_policies)?,
        permissions_boundary: optional("principal.permissions_boundary", raw.permissions_boundary)?,
        session_policy: optional("principal.session_policy", raw.session_policy)?,
        service_linked_role: raw.service_linked_role,
        management_account: raw.management_account,
        knowledge: Knowledge::Whole,
    })
}

/// Returns the key; `None` if the case gives it no policy, as it does for actions that have no key.
fn key_facts(raw: RawKey) -> Result<Option<KeyFacts>, String> {
    let Some(document) = &raw.policy else { return Ok(None) };
    let owner = account("key.account", &raw.account)?;
    let region: Region = raw.region.parse().map_err(|error| format!("key.region: {error}"))?;
    let mut facts = KeyFacts::new(raw.arn, owner, region, policy("key.policy", document)?);
    let ram_policy = raw.ram_policy.as_ref().map(|value| policy("key.ram_policy", value));
    facts.ram_policy = ram_policy.transpose()?;
    let own = raw.grants.into_iter().filter(|grant| grant.key_arn.as_ref().is_none_or(|arn| *arn == facts.arn));
    facts.grants = own.map(grant).collect::<Result<_, _>>()?;
    facts.aliases = raw.aliases;
    facts.tags = raw.tags;
    facts.multi_region = raw.multi_region;
    facts.multi_region_key_type = raw.multi_region_key_type;
    facts.key_spec = raw.key_spec.unwrap_or(facts.key_spec);
    facts.key_usage = raw.key_usage.unwrap_or(facts.key_usage);
    facts.key_origin = raw.key_origin.unwrap_or(facts.key_origin);
    facts.aws_managed = match raw.key_manager.as_deref() {
        None | Some("CUSTOMER") => false,
        Some("AWS") => true,
        Some(other) => return Err(format!("key.key_manager `{other}` is unknown")),
    };
    facts.org_id = raw.org_id;
    Ok(Some(facts))
}

fn grant(raw: RawGrant) -> Result<GrantFacts, String> {
    let grantee = grantee(raw.grantee_principal, raw.grantee_service_principal);
    Ok(GrantFacts {
        grantee: grantee.ok_or_else(|| format!("grant `{}` has no grantee", raw.grant_id))?,
        retiring: self::grantee(raw.retiring_principal, raw.retiring_service_principal),
        constraints: raw.constraints.map(constraints).unwrap_or_default(),
        grant_id: raw.grant_id,
        issuing_account: raw.issuing_account,
        operations: raw.operations,
    })
}

fn grantee(principal: Option<String>, service: Option<String>) -> Option<Grantee> {
    principal.map(Grantee::Principal).or(service.map(Grantee::Service))
}

fn account(place: &str, text: &str) -> Result<AccountId, String> {
    text.parse().map_err(|error| format!("{place}: {error}"))
}

fn policy(place: &str, value: &Value) -> Result<PolicyDocument, String> {
    PolicyDocument::from_value(value).map_err(|error| format!("{place}: {}", error.reason))
}

fn policies(place: &str, values: &[Value]) -> Result<Vec<PolicyDocument>, String> {
    values.iter().map(|value| policy(place, value)).collect()
}

fn resolved(raw: BTreeMap<String, raw::RawValue>) -> RequestContext {
    RequestContext(raw.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::derive_context;

    fn cases() -> Vec<Case> {
        CaseFile::parse(include_str!("../../tests/data/access/cases.json")).unwrap().cases
    }

    #[test]
    fn every_scored_case_is_decided_as_documented() {
        let scored: Vec<Case> = cases().into_iter().filter(|case| !case.contested).collect();
        assert_eq!(scored.len(), 137);
        let wrong: Vec<String> = scored
            .iter()
            .filter_map(|case| {
                let found = case.evaluate();
                let agrees = case.expected.is_some_and(|expected| expected.agrees(&found.decision));
                (!agrees).then(|| format!("{} ({}): {:?}, not {:?}", case.id, case.title, found, case.expected))
            })
            .collect();
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn every_contested_case_is_left_open_with_a_reason() {
        let contested: Vec<Case> = cases().into_iter().filter(|case| case.contested).collect();
        assert_eq!(contested.len(), 13);
        for case in contested {
            let found = case.evaluate();
            assert!(matches!(found.decision, Decision::Undetermined(_)), "{} ({}): {found:?}", case.id, case.title);
        }
    }

    #[test]
    fn the_derived_context_is_the_documented_one() {
        for case in cases() {
            let derived = derive_context(&case.request, &case.principal, case.key.as_ref());
            assert_eq!(Some(derived), case.resolved_context, "{}", case.id);
        }
    }

    #[test]
    fn every_answer_has_a_reason_and_the_short_way_agrees() {
        for case in cases() {
            let found = case.evaluate();
            assert!(!found.trace.is_empty() && found.trace.iter().all(|entry| !entry.text.is_empty()), "{}", case.id);
            let decided = crate::access::decide(&case.request, &case.principal, case.key.as_ref(), &case.guardrails);
            assert_eq!(decided, found.decision, "{}", case.id);
        }
    }

    #[test]
    fn what_is_no_case_is_refused_with_its_place() {
        let reason = |text: &str| CaseFile::parse(text).unwrap_err().to_string();
        assert!(reason("[").starts_with("not JSON"));
        assert_eq!(reason(r#"{"schema_version":2,"cases":[]}"#), "schema_version is 2, only 1 is known");
        let case = r#"{"id":"a","principal":{"type":"robot","arn":"x"},"request":{"action":"kms:ListKeys","resource":"*","region":"eu-west-1"}}"#;
        assert_eq!(reason(case), "case `a`: principal.type `robot` is unknown");
        assert!(reason(&case.replace("\"id\"", "\"idd\"")).contains("unknown field `idd`"));
        let policy = case.replace("robot", "user").replace("\"arn\":\"x\"", "\"arn\":\"x\",\"session_policy\":{}");
        assert!(reason(&policy).starts_with("case `a`: principal.session_policy: "));
    }
}
