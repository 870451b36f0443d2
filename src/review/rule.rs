//! What allows and denies on a key, taken apart: one principal, one value per condition, so that rules that say
//! the same in other words become equal.

use crate::access::{GrantFacts, Grantee, KeyFacts};
use crate::kms::{ACTIONS, ActionScope, KmsAction};
use crate::policy::{
    Actions, Condition, ConditionOperator, ConditionValue, Effect, PolicyDocument, PolicyVersion, PrincipalEntry,
    Principals, Resources, Statement, glob_matches, glob_matches_ignore_case,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many combinations of values a statement is taken apart into; beyond it stays whole, and counts as changed
/// when anything in it changes.
const MOST_COMBINATIONS: usize = 64;

/// The operator of what stands for a resource that depends on the request.
pub(super) const RESOURCE: &str = "Resource";

/// The operator of what stands for an encryption context without other pairs.
pub(super) const EXACTLY: &str = "ContextExactly";

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Every caller, services included.
    Everyone,
    /// A principal by ARN, or the unique id of a deleted one.
    Arn(String),
    /// An account: its root user, and through IAM its other principals.
    Account(String),
    /// A service in its own name.
    Service(String),
    /// Everybody but some.
    Except(Vec<PrincipalEntry>),
}

/// One way in which something is allowed or denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) who: Who,
    pub(super) actions: Actions,
    pub(super) conditions: Vec<Condition>,
    /// The grant, if it was taken from one.
    pub(super) grant: Option<Arc<GrantFacts>>,
    /// Which statement or grant it was taken from, and how many combinations of values that has for the principal.
    pub(super) source: (usize, usize),
}

/// Everything that allows and denies on a key.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) allows: Vec<Rule>,
    pub(super) denies: Vec<Rule>,
}

impl Rules {
    /// Returns the rules of a key's policies and grants.
    pub(super) fn of(key: &KeyFacts) -> Self {
        let mut rules = Self::default();
        let policies = std::iter::once(&key.policy).chain(&key.ram_policy);
        let mut number = 0;
        let statements = policies
            .flat_map(|policy: &PolicyDocument| policy.statements.iter().map(|statement| (statement, &policy.version)));
        for (statement, version) in statements {
            number += 1;
            let found = rules_of(&in_present_words(statement, version), &key.arn, number);
            match statement.effect {
                Effect::Allow => rules.allows.extend(found),
                Effect::Deny => rules.denies.extend(found),
            }
        }
        for grant in &key.grants {
            number += 1;
            rules.allows.extend(grant_rule(grant, number));
        }
        rules
    }
}

/// Returns a statement as the present version of the policy language says it: older ones know no variables.
fn in_present_words(statement: &Statement, version: &PolicyVersion) -> Statement {
    let mut statement = statement.clone();
    if *version != PolicyVersion::V2012 {
        let literal = |text: &str| text.replace("${", "${$}{");
        for value in statement.conditions.iter_mut().flat_map(|condition| &mut condition.values) {
            if let ConditionValue::Text(text) = value {
                *text = literal(text);
            }
        }
        if let Some(Resources::Is(patterns) | Resources::IsNot(patterns)) = &mut statement.resources {
            for pattern in patterns {
                *pattern = literal(pattern);
            }
        }
    }
    statement
}

impl Rule {
    /// Returns the rule as a statement of the present version of the policy language.
    pub(super) fn statement(&self, effect: Effect) -> Statement {
        let entries = |entry| Principals::Is(vec![entry]);
        let principals = match &self.who {
            Who::Everyone => entries(PrincipalEntry::Everyone),
            Who::Arn(text) | Who::Account(text) => entries(PrincipalEntry::Aws(text.clone())),
            Who::Service(name) => entries(PrincipalEntry::Service(name.clone())),
            Who::Except(all) => Principals::IsNot(all.clone()),
        };
        let (resources, conditions): (Vec<Condition>, Vec<Condition>) =
            self.conditions.iter().cloned().partition(|condition| condition.operator.0 == RESOURCE);
        let patterns = resources.iter().flat_map(|condition| &condition.values).map(|value| value.as_text().to_owned());
        let patterns: Vec<String> = patterns.collect();
        Statement {
            sid: None,
            effect,
            principals: Some(principals),
            actions: Some(self.actions.clone()),
            resources: Some(Resources::Is(if patterns.is_empty() { vec!["*".to_owned()] } else { patterns })),
            conditions,
            inert: None,
        }
    }

    /// Returns whether the rule speaks of an action.
    pub(super) fn has(&self, action: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| glob_matches_ignore_case(pattern, action));
        match &self.actions {
            Actions::Is(patterns) => any(patterns),
            Actions::IsNot(patterns) => !any(patterns),
        }
    }

    /// Returns the account of whom the rule is about, where that is one.
    pub(super) fn account(&self) -> Option<&str> {
        match &self.who {
            Who::Arn(arn) => arn.split(':').nth(4).filter(|account| !account.is_empty()),
            Who::Account(account) => Some(account),
            Who::Everyone | Who::Service(_) | Who::Except(_) => None,
        }
    }
}

fn rules_of(statement: &Statement, key_arn: &str, number: usize) -> Vec<Rule> {
    let (Some(principals), Some(actions), Some(resources)) =
        (&statement.principals, &statement.actions, &statement.resources)
    else {
        return Vec::new();
    };
    if statement.inert.is_some() || !speaks_of(resources, key_arn) {
        return Vec::new();
    }
    let mut conditions = statement.conditions.clone();
    conditions.extend(with_variable(resources));
    let combinations = combinations(&conditions);
    let rule = |who: &Who, conditions: &Vec<Condition>| Rule {
        who: who.clone(),
        actions: actions.clone(),
        conditions: conditions.clone(),
        grant: None,
        source: (number, combinations.len()),
    };
    let who = named(principals);
    who.iter().flat_map(|who| combinations.iter().map(move |conditions| rule(who, conditions))).collect()
}

fn named(principals: &Principals) -> BTreeSet<Who> {
    match principals {
        Principals::Is(entries) => entries.iter().filter_map(who).collect(),
        Principals::IsNot(entries) => BTreeSet::from([Who::Except(entries.clone())]),
    }
}

fn who(entry: &PrincipalEntry) -> Option<Who> {
    match entry {
        PrincipalEntry::Everyone => Some(Who::Everyone),
        PrincipalEntry::Aws(text) => Some(who_is(text)),
        PrincipalEntry::Service(name) => Some(Who::Service(name.clone())),
        // KMS knows neither.
        PrincipalEntry::Federated(_) | PrincipalEntry::Other { .. } => None,
    }
}

fn who_is(text: &str) -> Who {
    let bare = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let root = text.strip_suffix(":root").and_then(|head| head.rsplit(':').next());
    match root {
        Some(account) => Who::Account(account.to_owned()),
        None if bare => Who::Account(text.to_owned()),
        None => Who::Arn(text.to_owned()),
    }
}

fn speaks_of(resources: &Resources, key_arn: &str) -> bool {
    let matches = |pattern: &String| pattern.contains("${") || pattern == "*" || glob_matches(pattern, key_arn);
    match resources {
        Resources::Is(patterns) => patterns.iter().any(matches),
        Resources::IsNot(patterns) => !patterns.iter().any(|pattern| !pattern.contains("${") && matches(pattern)),
    }
}

/// Returns a resource that depends on the request as a condition that nothing but itself implies.
fn with_variable(resources: &Resources) -> Option<Condition> {
    let (Resources::Is(patterns) | Resources::IsNot(patterns)) = resources;
    let values = patterns.iter().filter(|pattern| pattern.contains("${")).map(|pattern| pattern.as_str().into());
    let condition = Condition {
        operator: ConditionOperator(RESOURCE.to_owned()),
        key: "resource".to_owned(),
        values: values.collect(),
    };
    (!condition.values.is_empty()).then_some(condition)
}

/// Returns the conditions once for each combination of values of which one must match.
fn combinations(conditions: &[Condition]) -> Vec<Vec<Condition>> {
    let count = conditions.iter().filter(|c| splits(c)).try_fold(1usize, |n, c| n.checked_mul(c.values.len()));
    if count.is_none_or(|count| count > MOST_COMBINATIONS) {
        return vec![conditions.to_vec()];
    }
    conditions.iter().fold(vec![Vec::new()], |all, condition| {
        let parts = if splits(condition) { parts(condition) } else { vec![condition.clone()] };
        let with = |head: &Vec<Condition>, part: &Condition| head.iter().chain([part]).cloned().collect();
        all.iter().flat_map(|head| parts.iter().map(move |part| with(head, part))).collect()
    })
}

fn parts(condition: &Condition) -> Vec<Condition> {
    let distinct: BTreeSet<_> = condition.values.iter().collect();
    let part = |value: ConditionValue| {
        let operator = ConditionOperator(plain_operator(&condition.operator.0, value.as_text()));
        Condition { operator, key: condition.key.clone(), values: vec![value] }
    };
    distinct.into_iter().cloned().map(part).collect()
}

/// Returns the operator without wildcards where the value has none: both then say the same.
fn plain_operator(operator: &str, value: &str) -> String {
    let wild = value.contains(['*', '?']) || value.contains("${");
    if wild { operator.to_owned() } else { operator.replace("StringLike", "StringEquals") }
}

fn splits(condition: &Condition) -> bool {
    let operator = condition.operator.0.as_str();
    !operator.contains("Not")
        && !operator.starts_with("ForAllValues:")
        && operator != RESOURCE
        && !condition.values.is_empty()
}

fn grant_rule(grant: &GrantFacts, number: usize) -> Vec<Rule> {
    let who = match &grant.grantee {
        Grantee::Principal(arn) => who_is(arn),
        Grantee::Service(name) => Who::Service(name.clone()),
    };
    let equals = |key: String, value: &str| Condition {
        operator: ConditionOperator("StringEquals".to_owned()),
        key,
        values: vec![value.into()],
    };
    let whole = grant.constraints.encryption_context_equals.as_ref().map(|pairs| Condition {
        operator: ConditionOperator(EXACTLY.to_owned()),
        key: "kms:EncryptionContext".to_owned(),
        values: vec![pairs.keys().map(String::as_str).collect::<Vec<_>>().join("\n").as_str().into()],
    });
    let exact = grant.constraints.encryption_context_equals.iter();
    let subset = grant.constraints.encryption_context_subset.iter();
    let pairs: BTreeMap<&String, &String> = exact.clone().chain(subset).flatten().collect();
    let context: Vec<Condition> = pairs
        .into_iter()
        .map(|(key, value)| equals(format!("kms:EncryptionContext:{key}"), value))
        .chain(whole)
        .collect();
    let mut bound: Vec<Condition> =
        grant.constraints.source_arn.iter().map(|arn| equals("aws:SourceArn".to_owned(), arn)).collect();
    let (symmetric, plain): (Vec<String>, Vec<String>) = grant
        .operations
        .iter()
        .filter(|name| KmsAction::find(name).is_some_and(|action| action.grantable && action.name == name.as_str()))
        .map(|name| format!("kms:{name}"))
        .partition(|name| KmsAction::find(name).is_some_and(|action| action.takes_encryption_context));
    let (source, grant) = ((number, 1), Some(Arc::new(grant.clone())));
    let actions = Actions::Is(plain);
    let plain = Rule { who: who.clone(), actions, conditions: bound.clone(), grant: grant.clone(), source };
    bound.extend(context);
    vec![plain, Rule { who, actions: Actions::Is(symmetric), conditions: bound, grant, source }]
}

/// Returns the actions that are worth comparing: those of KMS that a key policy can decide, those that the rules
/// name though KMS does not know them, and for each wildcard one that KMS might add.
pub(super) fn actions_of<'r>(all: impl IntoIterator<Item = &'r Rules>) -> BTreeSet<String> {
    let decided = |action: &&KmsAction| matches!(action.scope, ActionScope::Key | ActionScope::KeyAndAlias);
    let mut actions: BTreeSet<String> = ACTIONS.iter().filter(decided).map(|action| action.full.to_owned()).collect();
    actions.insert(future("kms:*"));
    for rule in all.into_iter().flat_map(|rules| rules.allows.iter().chain(&rules.denies)) {
        let (Actions::Is(patterns) | Actions::IsNot(patterns)) = &rule.actions;
        let unknown = patterns.iter().filter(|pattern| KmsAction::find(pattern).is_none());
        actions.extend(
            unknown.filter(|pattern| glob_matches_ignore_case("kms:*", pattern)).map(|pattern| future(pattern)),
        );
    }
    actions
}

/// Returns an action that a pattern matches and KMS does not have yet.
fn future(pattern: &str) -> String {
    pattern.replace('*', FUTURE).replace('?', "x")
}

/// What stands for the part of an action's name that is not known yet.
pub(super) const FUTURE: &str = "FutureAction";
