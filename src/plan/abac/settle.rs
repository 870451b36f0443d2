//! Decides conditions on a key's tags and aliases by the tags and aliases that it has: what is left is comparable with
//! another state of the key.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/abac.html>

use crate::access::{Decision, Guardrails, KeyFacts, PrincipalFacts, Request, decide};
use crate::policy::{
    Condition, ConditionValue, Effect, PolicyDocument, PolicyVersion, PrincipalEntry, Principals, Statement,
    glob_matches,
};
use std::collections::{BTreeMap, BTreeSet};

const RESOURCE_TAG: &str = "aws:ResourceTag/";
const RESOURCE_ALIASES: &str = "kms:ResourceAliases";
const REQUEST_ALIAS: &str = "kms:RequestAlias";
const PRINCIPAL_TAG: &str = "aws:PrincipalTag/";

/// What of a key changes, as far as conditions can depend on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attribute {
    /// A tag.
    Tag {
        /// Its key.
        tag: String,
        /// Its value before.
        before: Option<String>,
        /// Its value after.
        after: Option<String>,
    },
    /// An alias that the key gets.
    AliasGained(String),
    /// An alias that the key loses.
    AliasLost(String),
}

/// The tags and aliases of a key that change.
#[derive(Debug, Clone, Default)]
pub(super) struct Changed {
    tags: BTreeMap<String, (Option<String>, Option<String>)>,
    gained: BTreeSet<String>,
    lost: BTreeSet<String>,
}

impl Changed {
    /// Returns what differs between two states.
    pub(super) fn between(before: &KeyFacts, after: &KeyFacts) -> Self {
        let keys: BTreeSet<&String> = before.tags.keys().chain(after.tags.keys()).collect();
        let values = |tag: &String| (before.tags.get(tag).cloned(), after.tags.get(tag).cloned());
        let tags = keys.into_iter().map(|tag| (tag.clone(), values(tag))).filter(|(_, (old, new))| old != new);
        let (old, new): (BTreeSet<_>, BTreeSet<_>) =
            (before.aliases.iter().cloned().collect(), after.aliases.iter().cloned().collect());
        Self { tags: tags.collect(), gained: &new - &old, lost: &old - &new }
    }

    fn tag_of(&self, condition: &Condition) -> Option<&String> {
        let tag = after_prefix(&condition.key, RESOURCE_TAG)?;
        self.tags.keys().find(|changed| changed.eq_ignore_ascii_case(tag))
    }

    fn aliases(&self) -> impl Iterator<Item = &String> {
        self.gained.iter().chain(&self.lost)
    }

    /// Returns whether what changes can decide a condition of a statement.
    pub(super) fn decides(&self, statement: &Statement) -> bool {
        statement.conditions.iter().any(|condition| self.decides_condition(condition))
    }

    fn decides_condition(&self, condition: &Condition) -> bool {
        let by_alias = condition.key.eq_ignore_ascii_case(RESOURCE_ALIASES) && self.aliases().next().is_some();
        by_alias || self.tag_of(condition).is_some()
    }

    /// Returns what of it a statement depends on.
    pub(super) fn of_statement(&self, statement: &Statement) -> BTreeSet<Attribute> {
        let mut found = BTreeSet::new();
        for condition in &statement.conditions {
            if let Some(tag) = self.tag_of(condition) {
                let (before, after) = self.tags.get(tag).cloned().unwrap_or_default();
                found.insert(Attribute::Tag { tag: tag.clone(), before, after });
            }
            let key = &condition.key;
            if key.eq_ignore_ascii_case(RESOURCE_ALIASES) || key.eq_ignore_ascii_case(REQUEST_ALIAS) {
                let meant = |alias: &&String| speaks_of(condition, alias);
                found.extend(self.gained.iter().filter(meant).cloned().map(Attribute::AliasGained));
                found.extend(self.lost.iter().filter(meant).cloned().map(Attribute::AliasLost));
            }
        }
        found
    }
}

/// Returns whether a value of a condition can mean an alias.
fn speaks_of(condition: &Condition, alias: &str) -> bool {
    let mut values = condition.values.iter().map(ConditionValue::as_text);
    values.any(|value| value.contains("${") || glob_matches(value, alias))
}

fn after_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

/// Returns a key with a policy that says the same of it without conditions on what changes. One that depends on the
/// caller as well, other than by equality with a tag of the caller, stays.
pub(super) fn settled(facts: &KeyFacts, changed: &Changed) -> KeyFacts {
    let statements =
        facts.policy.statements.iter().filter_map(|statement| settled_statement(statement, facts, changed)).collect();
    KeyFacts { policy: PolicyDocument { statements, ..facts.policy.clone() }, ..facts.clone() }
}

/// Returns a statement without the conditions that hold; `None` if one does not.
fn settled_statement(statement: &Statement, facts: &KeyFacts, changed: &Changed) -> Option<Statement> {
    let mut left = Vec::new();
    for condition in &statement.conditions {
        if !changed.decides_condition(condition) {
            left.push(condition.clone());
            continue;
        }
        if let Some(turned) = by_principal_tag(condition, facts) {
            left.push(turned?);
            continue;
        }
        match holds(condition, statement.effect, facts) {
            Some(true) => {}
            Some(false) => return None,
            None => left.push(condition.clone()),
        }
    }
    Some(Statement { conditions: left, ..statement.clone() })
}

/// Turns `aws:ResourceTag/a = ${aws:PrincipalTag/b}` into `aws:PrincipalTag/b = VALUE`, with the value of the key's tag:
/// `Some(None)` where the key has no such tag, so that nobody meets it.
#[expect(clippy::option_option, reason = "not such a condition, one that is never met, one that is another")]
fn by_principal_tag(condition: &Condition, facts: &KeyFacts) -> Option<Option<Condition>> {
    let equality = matches!(condition.operator.0.as_str(), "StringEquals" | "StringEqualsIgnoreCase");
    let [value] = condition.values.as_slice() else { return None };
    let variable = value.as_text().strip_prefix("${")?.strip_suffix('}')?;
    let theirs = after_prefix(variable, PRINCIPAL_TAG).filter(|tag| !tag.contains([',', '}', '$']))?;
    if !equality || facts.policy.version != PolicyVersion::V2012 {
        return None;
    }
    let tag = after_prefix(&condition.key, RESOURCE_TAG)?;
    let own = facts.tags.iter().find(|(known, _)| known.eq_ignore_ascii_case(tag)).map(|(_, value)| value);
    Some(own.map(|own| Condition {
        operator: condition.operator.clone(),
        key: format!("{PRINCIPAL_TAG}{theirs}"),
        values: vec![ConditionValue::Text(own.replace("${", "${$}{"))],
    }))
}

/// Returns whether a condition holds whoever calls; `None` where that depends on the caller.
fn holds(condition: &Condition, effect: Effect, facts: &KeyFacts) -> Option<bool> {
    let variable = |value: &ConditionValue| value.as_text().contains("${");
    if facts.policy.version == PolicyVersion::V2012 && condition.values.iter().any(variable) {
        return None;
    }
    let caller = format!("arn:{}:iam::{}:role/somebody", facts.region.partition(), facts.account).parse().ok()?;
    let everybody = || Some(Principals::Is(vec![PrincipalEntry::Everyone]));
    let tested = |effect: Effect| {
        let statement = Statement { effect, principals: everybody(), ..Statement::allow("Tested", ["kms:Decrypt"]) };
        Statement { conditions: vec![condition.clone()], ..statement }
    };
    let all = Statement { principals: everybody(), ..Statement::allow("All", ["kms:Decrypt"]) };
    let statements = match effect {
        Effect::Allow => vec![tested(Effect::Allow)],
        Effect::Deny => vec![all, tested(Effect::Deny)],
    };
    let policy = PolicyDocument { version: facts.policy.version.clone(), id: None, statements };
    let key = KeyFacts { policy, grants: Vec::new(), ram_policy: None, ..facts.clone() };
    let request = Request::new("kms:Decrypt", facts.arn.clone(), facts.region.clone());
    match (decide(&request, &PrincipalFacts::from_arn(&caller), Some(&key), &Guardrails::default()), effect) {
        (Decision::Allow, Effect::Allow) | (Decision::ExplicitDeny, Effect::Deny) => Some(true),
        (Decision::ImplicitDeny, Effect::Allow) | (Decision::Allow, Effect::Deny) => Some(false),
        (Decision::Undetermined(_) | Decision::ExplicitDeny | Decision::ImplicitDeny, _) => None,
    }
}
