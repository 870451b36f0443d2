//! The policy simulator: what identity policies say of actions, resources and context that somebody makes up.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>

use super::{documents, page_of};
use crate::access::{
    ContextValue, Decision, Evaluation, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, Layer,
    PrincipalFacts, PrincipalType, Request, decide, evaluate,
};
use crate::kms::{ActionScope, KmsAction};
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::identity;
use crate::sandbox::state::{Entity, EntityKind, entity};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The grant that a simulated `RetireGrant` retires.
const GRANT: &str = "simulated";

/// A policy to simulate: what the answer calls it, its type, its text.
type Named = (String, &'static str, PolicyDocument);

/// What is simulated, but for actions and resources.
struct Simulation {
    policies: Vec<Named>,
    facts: PrincipalFacts,
    context: BTreeMap<String, ContextValue>,
    /// Condition keys that the policies look at and that nobody gave.
    missing: BTreeSet<String>,
}

/// `SimulateCustomPolicy`: of policies that exist nowhere.
pub(super) fn custom(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.authorize(&call.request("iam:SimulateCustomPolicy", "*"))?;
    if !call.params.has("PolicyInputList") {
        return Err(call.params.invalid("PolicyInputList must not be null"));
    }
    let arn = call.iam_arn("user/simulated");
    let facts = PrincipalFacts::new(PrincipalType::User, arn, Some(call.caller.account.clone()));
    simulate(call, facts, Vec::new())
}

/// `SimulatePrincipalPolicy`: of a role's, user's or group's policies, and more that are given.
pub(super) fn principal(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let arn = call.params.required("PolicySourceArn")?;
    call.authorize(&call.request("iam:SimulatePrincipalPolicy", arn))?;
    let missing = || ApiError::no_such_entity(format!("{arn} cannot be found."));
    let resource = arn.strip_prefix(&call.iam_arn("")).ok_or_else(missing)?;
    let kind = [EntityKind::Role, EntityKind::User, EntityKind::Group].into_iter();
    let kind = kind.into_iter().find(|kind| resource.starts_with(&format!("{}/", kind.word()))).ok_or_else(missing)?;
    let name = resource.rsplit('/').next().unwrap_or_default();
    let found = call.entities(kind).get(&entity(&call.caller.account, name)).filter(|row| row.arn == arn);
    let found = found.ok_or_else(missing)?;
    let groups = found.groups.iter().filter_map(|group| call.state.groups.get(&entity(&found.account, group)));
    let mut policies = named(call, found, kind);
    policies.extend(groups.flat_map(|group| named(call, group, EntityKind::Group)));
    simulate(call, identity::facts(call.state, found, kind), policies)
}

/// Returns the policies of an entity itself, by the names that the simulator gives them.
fn named(call: &Call<'_>, entity: &Entity, kind: EntityKind) -> Vec<Named> {
    let word = kind.word();
    let inline =
        entity.inline.iter().map(|(name, text)| (format!("{word}_{}_{name}", entity.name), word, text.as_str()));
    let attached = entity.attached.iter().filter_map(|arn| {
        let of_aws = *arn == identity::ADMINISTRATOR_ACCESS;
        let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
        Some((name, if of_aws { "aws-managed" } else { "user-managed" }, identity::document(call.state, arn)?))
    });
    inline.chain(attached).map(|(name, kind, text)| (name, kind, identity::parse(text))).collect()
}

fn simulate(call: &Call<'_>, mut facts: PrincipalFacts, mut policies: Vec<Named>) -> Result<Value, ApiError> {
    let params = call.params;
    for later in ["CallerArn", "ResourcePolicy", "ResourceOwner", "ResourceHandlingOption"] {
        if params.has(later) {
            return Err(params.invalid(format!("{later} is not in this sandbox yet")));
        }
    }
    let given = |list: &str| -> Result<Vec<PolicyDocument>, ApiError> {
        let texts = params.texts(list)?;
        texts.iter().try_for_each(|text| documents::check_identity(text))?;
        Ok(texts.iter().map(|text| identity::parse(text)).collect())
    };
    for (at, document) in given("PolicyInputList")?.into_iter().enumerate() {
        policies.push((format!("PolicyInputList.{}", at + 1), "IAM Policy", document));
    }
    let boundaries = given("PermissionsBoundaryPolicyInputList")?;
    if boundaries.len() > 1 {
        return Err(params.invalid("PermissionsBoundaryPolicyInputList takes one policy"));
    }
    if let Some(boundary) = boundaries.into_iter().next() {
        facts.permissions_boundary = Some(boundary);
    }
    facts.identity_policies = policies.iter().map(|(_, _, document)| document.clone()).collect();
    let context = context(call)?;
    let missing = missing(&facts, &context);
    let simulation = Simulation { policies, facts, context, missing };
    let actions = params.texts("ActionNames")?;
    if actions.is_empty() {
        return Err(params.invalid("ActionNames must not be null"));
    }
    let resources = params.texts("ResourceArns")?;
    let resources = if resources.is_empty() { vec!["*".to_owned()] } else { resources };
    let pairs = actions.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    let results = pairs
        .enumerate()
        .map(|(at, (action, resource))| (format!("{at:010}"), simulation.result(call, action, resource)));
    let (page, next) = page_of(call, results)?;
    Ok(json!({ "EvaluationResults": page, "IsTruncated": next.is_some(), "Marker": next }))
}

/// Returns the context that a request makes up.
fn context(call: &Call<'_>) -> Result<BTreeMap<String, ContextValue>, ApiError> {
    let mut context = BTreeMap::new();
    for entry in call.params.structures("ContextEntries")? {
        let values = entry.texts("ContextKeyValues")?;
        let kind = entry.text("ContextKeyType")?.unwrap_or("string");
        let value = match <[String; 1]>::try_from(values) {
            Ok([value]) if !kind.ends_with("List") => ContextValue::One(value),
            Ok(one) => ContextValue::Many(one.into()),
            Err(many) => ContextValue::Many(many),
        };
        context.insert(entry.required("ContextKeyName")?.to_owned(), value);
    }
    Ok(context)
}

fn missing(facts: &PrincipalFacts, context: &BTreeMap<String, ContextValue>) -> BTreeSet<String> {
    let documents = facts.identity_policies.iter().chain(&facts.permissions_boundary);
    let conditions = documents.flat_map(|document| &document.statements).flat_map(|statement| &statement.conditions);
    let given = |key: &str| context.keys().any(|given| given.eq_ignore_ascii_case(key));
    conditions.map(|condition| condition.key.clone()).filter(|key| !given(key)).collect()
}

impl Simulation {
    fn result(&self, call: &Call<'_>, action: &str, resource: &str) -> Value {
        let mut request = Request::new(action, resource, call.caller.region.clone());
        let given = self.context.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        // What the evaluator would know of itself is not there if nobody made it up.
        request.context = self.missing.iter().map(|key| (key.clone(), None)).chain(given).collect();
        request.retire_grant_id = Some(GRANT.to_owned());
        let key = delegating_key(call, action, resource);
        let evaluation = evaluate(&request, &self.facts, key.as_ref(), &Guardrails::default());
        let decision = match &evaluation.decision {
            Decision::Allow => "allowed",
            Decision::ExplicitDeny => "explicitDeny",
            Decision::ImplicitDeny | Decision::Undetermined(_) => "implicitDeny",
        };
        let boundary = self.facts.permissions_boundary.as_ref().map(|boundary| {
            let mut facts = self.facts.clone();
            facts.identity_policies = vec![boundary.clone()];
            let allowed = decide(&request, &facts, key.as_ref(), &Guardrails::default()) == Decision::Allow;
            json!({ "AllowedByPermissionsBoundary": allowed })
        });
        json!({
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": decision,
            "MatchedStatements": self.matched(&evaluation),
            "MissingContextValues": self.missing,
            "PermissionsBoundaryDecisionDetail": boundary,
        })
    }

    /// Returns the statements that decided, by policy; where they stand in its text is not told.
    fn matched(&self, evaluation: &Evaluation) -> Value {
        let policies = evaluation.trace.iter().filter_map(|entry| match (entry.layer, entry.statement) {
            (Layer::Identity, Some((policy, _))) => self.policies.get(policy),
            _ => None,
        });
        policies.map(|(id, kind, _)| json!({ "SourcePolicyId": id, "SourcePolicyType": kind })).collect()
    }
}

/// Returns a key that leaves everything to IAM, for actions on keys: the simulator knows no key policies.
fn delegating_key(call: &Call<'_>, action: &str, resource: &str) -> Option<KeyFacts> {
    let action = KmsAction::find(action.strip_prefix("kms:")?)?;
    if !matches!(action.scope, ActionScope::Key | ActionScope::Grant) {
        return None;
    }
    let root = PrincipalEntry::Aws(call.iam_arn("root"));
    let policy = PolicyDocument::new(vec![Statement::allow("Delegation", ["kms:*"]).principals(vec![root])]);
    let mut key = KeyFacts::new(resource, call.caller.account.clone(), call.caller.region.clone(), policy);
    // A grant of the account, which its IAM may let anybody retire.
    key.grants.push(GrantFacts {
        grant_id: GRANT.to_owned(),
        issuing_account: call.caller.account.to_string(),
        operations: Vec::new(),
        grantee: Grantee::Principal(String::new()),
        retiring: None,
        constraints: GrantConstraints::default(),
    });
    Some(key)
}
