//! Concrete requests: one that a rule allows, confirmed by the evaluator.

use super::difference::Candidate;
use super::model::Witness;
use super::rule::{EXACTLY, RESOURCE, Rule, Who};
use super::search::{Bench, Sides, caller_of, everything};
use super::words::value_of;
use crate::access::{
    ContextValue, CreateGrantRequest, GrantConstraints, Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request,
    is_allowed,
};
use crate::policy::{Condition, glob_matches};
use std::collections::BTreeMap;

/// A caller and what it asks.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) principal: PrincipalFacts,
    pub(super) request: Request,
}

impl Attempt {
    /// Returns whether the evaluator says that a state of a key refuses the attempt for sure, and another allows it.
    pub(super) fn is_gained(&self, old: &KeyFacts, new: &KeyFacts) -> bool {
        let is_somebody = self.principal.account.is_some() || self.principal.kind == PrincipalType::Service;
        is_somebody && self.is_allowed(old) == Some(false) && self.is_allowed(new) == Some(true)
    }

    fn is_allowed(&self, key: &KeyFacts) -> Option<bool> {
        let request = Request { resource: key.arn.clone(), ..self.request.clone() };
        is_allowed(&request, &self.principal, Some(key), &Guardrails::default())
    }

    /// Returns the attempt with another action.
    pub(super) fn of_action(&self, action: &str) -> Self {
        let request = Request { action: action.to_owned(), ..self.request.clone() };
        Self { principal: self.principal.clone(), request }
    }

    /// Returns the attempt as people see it.
    pub(super) fn witness(self) -> Witness {
        let context = self.request.encryption_context.into_iter();
        let mut keys: BTreeMap<String, String> =
            context.map(|(key, value)| (format!("kms:EncryptionContext:{key}"), value)).collect();
        keys.extend(self.request.grant.iter().flat_map(grant_keys));
        keys.extend(self.request.via_service.map(|service| ("kms:ViaService".to_owned(), service)));
        keys.extend(self.request.request_alias.map(|alias| ("kms:RequestAlias".to_owned(), alias)));
        let resource = self.request.grant_is_for_aws_resource;
        keys.extend(resource.map(|yes| ("kms:GrantIsForAWSResource".to_owned(), yes.to_string())));
        let single = |value| match value {
            ContextValue::One(text) => text,
            ContextValue::Many(texts) => texts.join(", "),
        };
        keys.extend(self.request.context.into_iter().filter_map(|(key, value)| Some((key, single(value?)))));
        Witness { principal: self.principal.arn, action: self.request.action, context: keys }
    }
}

/// Returns the condition keys that a `CreateGrant` carries.
fn grant_keys(grant: &CreateGrantRequest) -> Vec<(String, String)> {
    let none = GrantConstraints::default();
    let constraints = grant.constraints.as_ref().unwrap_or(&none);
    let exactly = constraints.encryption_context_equals.as_ref();
    let pairs = exactly.or(constraints.encryption_context_subset.as_ref());
    let context = pairs.into_iter().flatten();
    let context = context.map(|(key, value)| (format!("kms:EncryptionContext:{key}"), value.clone()));
    let given = [
        ("kms:GrantConstraintType", exactly.map(|_| "EncryptionContextEquals".to_owned())),
        ("kms:GrantConstraintSourceArn", constraints.source_arn.clone()),
        ("kms:GranteePrincipal", grant.grantee_principal.clone()),
        ("kms:GranteeServicePrincipal", grant.grantee_service_principal.clone()),
        ("kms:RetiringPrincipal", grant.retiring_principal.clone()),
        ("kms:GrantOperations", Some(grant.operations.join(", "))),
    ];
    context.chain(given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)))).collect()
}

/// Returns a request that the old state refuses and the new one allows, if the evaluator confirms one of those that
/// the conditions themselves suggest, and that it is one of the candidate's: most gains show at first sight.
pub(super) fn obvious(candidate: &Candidate, action: &str, sides: Sides<'_>, bench: &mut Bench) -> Option<Attempt> {
    let region = candidate.region();
    let suggested = attempts(action, &candidate.rule, sides.new).into_iter();
    let mut gained = suggested.filter(|attempt| attempt.is_gained(sides.old, sides.new));
    gained.find(|attempt| bench.has(&region, &attempt.request, &attempt.principal))
}

/// Returns requests that a rule is meant to match, by the callers whom it admits.
pub(super) fn attempts(action: &str, rule: &Rule, key: &KeyFacts) -> Vec<Attempt> {
    let request = request(action, rule, key);
    let attempt = |principal| Attempt { principal, request: request.clone() };
    callers(rule, key).into_iter().map(attempt).collect()
}

fn callers(rule: &Rule, key: &KeyFacts) -> Vec<PrincipalFacts> {
    match &rule.who {
        Who::Arn(arn) => vec![caller(arn, key, rule)],
        Who::Account(account) => account_callers(account, key, rule),
        Who::Service(name) => vec![PrincipalFacts::new(PrincipalType::Service, name.clone(), None)],
        Who::Everyone | Who::Except(_) => match value_of(rule, "aws:PrincipalArn") {
            Some(pattern) => vec![caller(&example(pattern), key, rule)],
            None => anybody(key, rule),
        },
    }
}

/// Returns somebody of the key's account and somebody of another one.
fn anybody(key: &KeyFacts, rule: &Rule) -> Vec<PrincipalFacts> {
    let account = value_of(rule, "aws:PrincipalAccount").or(value_of(rule, "kms:CallerAccount"));
    let accounts = account.map_or_else(|| vec![key.account.as_str(), "999999999999"], |account| vec![account]);
    accounts.into_iter().map(|account| caller(&role_arn(key, account, "anybody"), key, rule)).collect()
}

fn account_callers(account: &str, key: &KeyFacts, rule: &Rule) -> Vec<PrincipalFacts> {
    let partition = key.arn.split(':').nth(1).unwrap_or("aws");
    let root = format!("arn:{partition}:iam::{account}:root");
    let by_iam = value_of(rule, "aws:PrincipalArn").map_or_else(|| role_arn(key, account, "allowed-by-iam"), example);
    let mut allowed = caller(&by_iam, key, rule);
    allowed.identity_policies = vec![everything()];
    vec![allowed, PrincipalFacts::new(PrincipalType::Root, root, account.parse().ok())]
}

fn role_arn(key: &KeyFacts, account: &str, name: &str) -> String {
    format!("arn:{}:iam::{account}:role/{name}", key.arn.split(':').nth(1).unwrap_or("aws"))
}

/// Returns a caller by ARN. One of another account is taken to be allowed by its own account.
fn caller(arn: &str, key: &KeyFacts, rule: &Rule) -> PrincipalFacts {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let facts = match parts.as_slice() {
        [arn, partition, service, region, "x", resource] => {
            caller_of(&[*arn, partition, service, region, key.account.as_str(), resource].join(":"))
        }
        _ => caller_of(arn),
    };
    let mut facts = facts;
    facts.org_id = value_of(rule, "aws:PrincipalOrgID").map(str::to_owned);
    if facts.account.as_ref() != Some(&key.account) {
        facts.identity_policies = vec![everything()];
    }
    facts
}

fn request(action: &str, rule: &Rule, key: &KeyFacts) -> Request {
    let mut request = Request::new(action, key.arn.clone(), key.region.clone());
    if action.eq_ignore_ascii_case("kms:CreateGrant") {
        request.grant = Some(CreateGrantRequest {
            operations: vec!["Decrypt".to_owned()],
            grantee_principal: Some(role_arn(key, key.account.as_str(), "grantee")),
            ..CreateGrantRequest::default()
        });
    }
    for condition in &rule.conditions {
        satisfy(&mut request, condition);
    }
    request
}

/// Makes a request carry what a condition asks for. What depends on the caller is left to the caller.
fn satisfy(request: &mut Request, condition: &Condition) {
    let operator = condition.operator.0.as_str();
    let Some(value) = condition.values.first().map(|value| example(value.as_text())) else { return };
    let absent = operator == "Null" && value.eq_ignore_ascii_case("true");
    if operator.contains("Not") || [RESOURCE, EXACTLY].contains(&operator) || absent {
        return;
    }
    let value = if operator == "Null" { "x".to_owned() } else { value };
    let prefix = "kms:EncryptionContext:";
    if let Some(key) = condition.key.get(prefix.len()..).filter(|_| starts(&condition.key, prefix)) {
        add_context(request, key, value);
        return;
    }
    match condition.key.to_ascii_lowercase().as_str() {
        "kms:viaservice" if glob_matches("?*.?*.amazonaws.com", &value) => request.via_service = Some(value),
        "kms:requestalias" => request.request_alias = Some(value),
        "kms:grantisforawsresource" => request.grant_is_for_aws_resource = Some(value.eq_ignore_ascii_case("true")),
        "kms:viaservice"
        | "aws:principalarn"
        | "aws:principalaccount"
        | "kms:calleraccount"
        | "aws:principaltype"
        | "aws:principalorgid"
        | "aws:principalisawsservice" => {}
        _ => {
            let many = operator.starts_with("ForA");
            let value = if many { ContextValue::Many(vec![value]) } else { ContextValue::One(value) };
            request.context.insert(condition.key.clone(), Some(value));
        }
    }
}

fn starts(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// A grant carries its context as constraints.
fn add_context(request: &mut Request, key: &str, value: String) {
    if let Some(grant) = &mut request.grant {
        let constraints = grant.constraints.get_or_insert_with(GrantConstraints::default);
        constraints.encryption_context_subset.get_or_insert_default().insert(key.to_owned(), value);
    } else {
        request.encryption_context.insert(key.to_owned(), value);
    }
}

/// Returns a text that a pattern matches.
fn example(pattern: &str) -> String {
    pattern.replace('*', "x").replace('?', "0")
}
