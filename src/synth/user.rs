//! What users of a key are allowed, grouped by identical actions and conditions.

use super::clause::{Named, Place, Written, caller_account, camel, written};
use super::key_policy::shape;
use crate::desired::{DataKeyUse, DesiredKey, DesiredTarget, DesiredUser, Principal};
use crate::ids::{KeyArn, Region};
use crate::kms::{Capability, KeyShape, KmsAction};
use crate::policy::{PolicyDocument, Statement};
use crate::services::Service;
use crate::source::Loc;
use std::collections::{BTreeMap, BTreeSet};

/// Exact actions, with prefix.
type ActionSet = BTreeSet<&'static str>;

/// Context keys to the patterns, one of which a value must match.
type ContextPatterns = BTreeMap<String, Vec<String>>;

/// Conditions: operator and key to the values.
type Terms = BTreeMap<(&'static str, String), BTreeSet<String>>;

/// What a statement is for. Describing and granting stand apart: neither takes the conditions of a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Describe,
    Use,
    Grant,
}

/// Where and how actions are allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Terrain {
    purpose: Purpose,
    services: BTreeSet<Service>,
    terms: Terms,
}

/// Returns the statements for a key's users.
pub(super) fn statements(target: &DesiredTarget, key: &DesiredKey) -> Vec<Written> {
    let mut groups: BTreeMap<(Terrain, ActionSet), Named<'_>> = BTreeMap::new();
    for ((principal, terrain), permit) in permits(target, key, &key.users) {
        groups.entry((terrain, permit.actions)).or_default().insert(principal, permit.places);
    }
    let statement = |((terrain, actions), principals): ((Terrain, ActionSet), Named<'_>)| {
        written(&terrain.statement(&actions, shape(key)), &principals, Place::of(target))
    };
    groups.into_iter().flat_map(statement).collect()
}

/// Returns the policy that the account of a principal must attach to it, so that it can use a key of another
/// account; `None` for principals of the key's own account, which the key policy suffices for.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>
pub fn far_side_policy(
    target: &DesiredTarget,
    key: &DesiredKey,
    principal: &Principal,
    key_arn: &KeyArn,
) -> Option<PolicyDocument> {
    let abroad = match principal {
        Principal::Service(_) => false,
        Principal::Organization(_) => true,
        Principal::Role { .. } | Principal::Arn(_) | Principal::IdentityCenter { .. } | Principal::Account(_) => {
            caller_account(principal).is_some_and(|account| account != target.account)
        }
    };
    let users = key.users.iter().filter(|user| abroad && user.principal == *principal);
    let statements: Vec<Statement> = permits(target, key, users)
        .into_iter()
        .map(|((_, terrain), permit)| terrain.statement(&permit.actions, shape(key)).resources([key_arn.as_str()]))
        .collect();
    (!statements.is_empty()).then(|| PolicyDocument::new(statements))
}

/// What somebody is allowed, and the places that say so.
#[derive(Debug, Default)]
struct Permit {
    actions: ActionSet,
    places: BTreeSet<Loc>,
}

/// Returns what each principal is allowed, and under which terms; several tables about one principal add up.
fn permits<'u>(
    target: &DesiredTarget,
    key: &DesiredKey,
    users: impl IntoIterator<Item = &'u DesiredUser>,
) -> BTreeMap<(&'u Principal, Terrain), Permit> {
    let mut permits: BTreeMap<(&Principal, Terrain), Permit> = BTreeMap::new();
    for user in users {
        let found = match &user.access {
            DataKeyUse::Direct { context } => direct(key, &user.capabilities, context),
            DataKeyUse::Via { services, context } => via(user, services, context, &target.region),
        };
        for (terrain, actions) in found {
            let permit = permits.entry((&user.principal, terrain)).or_default();
            permit.actions.extend(actions);
            permit.places.insert(user.loc);
        }
    }
    permits
}

/// Returns what someone who calls KMS is allowed: under the context's conditions where calls carry one.
fn direct(
    key: &DesiredKey,
    capabilities: &BTreeSet<Capability>,
    context: &ContextPatterns,
) -> Vec<(Terrain, ActionSet)> {
    let mut terms = context_terms(context);
    for required in key.required_context.iter().filter(|required| !context.contains_key(*required)) {
        terms.insert(("Null", context_key(required)), BTreeSet::from(["false".to_owned()]));
    }
    let mut found: BTreeMap<Terrain, ActionSet> = BTreeMap::new();
    for action in actions_of(capabilities, shape(key)) {
        let purpose = if action.full == "kms:DescribeKey" { Purpose::Describe } else { Purpose::Use };
        let carries = action.takes_encryption_context && shape(key).encrypts_symmetrically();
        let terms = if carries { terms.clone() } else { Terms::new() };
        let terrain = Terrain { purpose, services: BTreeSet::new(), terms };
        found.entry(terrain).or_default().insert(action.full);
    }
    found.into_iter().collect()
}

fn actions_of(capabilities: &BTreeSet<Capability>, key: KeyShape) -> impl Iterator<Item = &'static KmsAction> {
    let actions: Vec<&'static KmsAction> = capabilities.iter().flat_map(|capability| capability.actions(key)).collect();
    actions.into_iter()
}

/// Returns what someone who comes through services is allowed: what those services need, and nothing directly.
fn via(
    user: &DesiredUser,
    services: &BTreeSet<Service>,
    context: &ContextPatterns,
    region: &Region,
) -> Vec<(Terrain, ActionSet)> {
    let terrain = |purpose, services: BTreeSet<Service>, context: &ContextPatterns| {
        let mut terms = context_terms(context);
        terms.extend(via_terms(&services, &user.principal, region));
        Terrain { purpose, services, terms }
    };
    let mut found =
        vec![(terrain(Purpose::Describe, services.clone(), &BTreeMap::new()), ActionSet::from(["kms:DescribeKey"]))];
    for (actions, sharing) in by_actions(services, &user.capabilities) {
        found.push((terrain(Purpose::Use, sharing, context), actions));
    }
    let granting: BTreeSet<Service> =
        services.iter().copied().filter(|service| service.works_through_grants()).collect();
    if !granting.is_empty() {
        let mut terrain = terrain(Purpose::Grant, granting, context);
        let for_resources = ("Bool", "kms:GrantIsForAWSResource".to_owned());
        terrain.terms.insert(for_resources, BTreeSet::from(["true".to_owned()]));
        found.push((terrain, ActionSet::from(["kms:CreateGrant"])));
    }
    found
}

/// Returns the uses that services need for some capabilities, and which services share each set of them.
fn by_actions(
    services: &BTreeSet<Service>,
    capabilities: &BTreeSet<Capability>,
) -> BTreeMap<ActionSet, BTreeSet<Service>> {
    let mut shared: BTreeMap<ActionSet, BTreeSet<Service>> = BTreeMap::new();
    for service in services {
        let all = capabilities.iter().flat_map(|capability| service.actions_for(*capability));
        let uses: ActionSet = all.filter(|action| *action != "kms:DescribeKey").collect();
        if !uses.is_empty() {
            shared.entry(uses).or_default().insert(*service);
        }
    }
    shared
}

/// Returns the conditions that hold a call to services and to the caller's own account.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>
fn via_terms(services: &BTreeSet<Service>, principal: &Principal, region: &Region) -> Terms {
    let names: BTreeSet<String> = services.iter().map(|service| service.via_pattern(region)).collect();
    let mut terms = Terms::from([((equals_or_like(&names), "kms:ViaService".to_owned()), names)]);
    if let Some(account) = caller_account(principal) {
        terms.insert(("StringEquals", "kms:CallerAccount".to_owned()), BTreeSet::from([account.to_string()]));
    }
    terms
}

fn context_terms(context: &ContextPatterns) -> Terms {
    let term = |(key, patterns): (&String, &Vec<String>)| {
        let values: BTreeSet<String> = patterns.iter().cloned().collect();
        ((equals_or_like(&values), context_key(key)), values)
    };
    context.iter().map(term).collect()
}

fn context_key(key: &str) -> String {
    format!("kms:EncryptionContext:{key}")
}

/// Returns the operator for some values: only `StringLike` knows wildcards.
pub(super) fn equals_or_like<'v>(values: impl IntoIterator<Item = &'v String>) -> &'static str {
    let wild = values.into_iter().any(|value| value.contains(['*', '?']));
    if wild { "StringLike" } else { "StringEquals" }
}

impl Terrain {
    fn statement(&self, actions: &ActionSet, key: KeyShape) -> Statement {
        let statement = Statement::allow(&self.sid(actions, key), actions.iter().copied());
        self.terms.iter().fold(statement, |statement, ((operator, key), values)| {
            statement.when(operator, key, values.iter().cloned())
        })
    }

    /// Returns a Sid that says what the statement allows, through what, and where.
    fn sid(&self, actions: &ActionSet, key: KeyShape) -> String {
        let what = match self.purpose {
            Purpose::Describe => "Describe".to_owned(),
            Purpose::Use => action_words(actions, key),
            Purpose::Grant => "Grant".to_owned(),
        };
        let through: String = self.services.iter().map(|service| capital_name(*service)).collect();
        let context = self.terms.keys().filter(|(operator, _)| *operator != "Null");
        let keys: String =
            context.filter_map(|(_, key)| key.strip_prefix("kms:EncryptionContext:")).map(camel).collect();
        let part = |word: &str, names: String| if names.is_empty() { names } else { format!("{word}{names}") };
        format!("Users{what}{}{}", part("Through", through), part("Where", keys))
    }
}

fn capital_name(service: Service) -> String {
    camel(service.name())
}

/// Returns actions in few words: capabilities where they are whole, else the actions' names.
fn action_words(actions: &ActionSet, key: KeyShape) -> String {
    let mut left = actions.clone();
    let mut words = String::new();
    for capability in Capability::ALL.iter().filter(|capability| capability.is_for_users()) {
        let own: ActionSet = capability.actions(key).into_iter().map(|action| action.full).collect();
        if !own.is_empty() && own.is_subset(&left) {
            words.push_str(&camel(capability.name()));
            left.retain(|action| !own.contains(action));
        }
    }
    words.extend(left.iter().filter_map(|action| action.strip_prefix("kms:")));
    words
}
