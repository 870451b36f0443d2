//! Statements as lints look at them: which actions of KMS they cover, and what their conditions demand.

use super::model::LintPlace;
use crate::kms::{ACTIONS, KmsAction};
use crate::policy::{
    Actions, Condition, Effect, Operator, Polarity, PolicyDocument, Resources, Statement, glob_matches_ignore_case,
};
use std::collections::BTreeSet;

/// Which kind of policy a statement stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyKind {
    /// A key policy.
    Key,
    /// A policy of an identity.
    Identity,
}

/// A statement with what lints ask of it.
#[derive(Debug, Clone)]
pub(super) struct StatementView<'a> {
    pub(super) place: LintPlace,
    pub(super) kind: PolicyKind,
    pub(super) statement: &'a Statement,
    /// The actions of KMS that it covers; none if AWS ignores it.
    pub(super) actions: Vec<&'static KmsAction>,
    pub(super) conditions: Vec<ConditionView<'a>>,
}

/// A condition with the meaning of its operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConditionView<'a> {
    pub(super) condition: &'a Condition,
    /// `None` if AWS knows no such operator.
    pub(super) operator: Option<Operator<'a>>,
}

/// Returns the statements of a key policy.
pub(super) fn key_statements(document: &PolicyDocument) -> Vec<StatementView<'_>> {
    views(document, PolicyKind::Key, |index, sid| LintPlace::Statement { index, sid })
}

/// Returns the statements of an identity's policy.
pub(super) fn identity_statements<'a>(name: &str, document: &'a PolicyDocument) -> Vec<StatementView<'a>> {
    views(document, PolicyKind::Identity, |index, sid| LintPlace::Identity { policy: name.to_owned(), index, sid })
}

fn views(
    document: &PolicyDocument,
    kind: PolicyKind,
    place: impl Fn(usize, Option<String>) -> LintPlace,
) -> Vec<StatementView<'_>> {
    let view = |(index, statement): (usize, &'_ Statement)| (place(index, statement.sid.clone()), index);
    let places: Vec<(LintPlace, usize)> = document.statements.iter().enumerate().map(view).collect();
    let build = |((place, _), statement)| StatementView::new(place, kind, statement);
    places.into_iter().zip(&document.statements).map(build).collect()
}

impl<'a> StatementView<'a> {
    fn new(place: LintPlace, kind: PolicyKind, statement: &'a Statement) -> Self {
        let conditions = statement.conditions.iter();
        let conditions = conditions.map(|condition| ConditionView { condition, operator: condition.operator.known() });
        Self { place, kind, statement, actions: covered(statement), conditions: conditions.collect() }
    }

    /// Returns whether it allows anything.
    pub(super) fn allows(&self) -> bool {
        self.statement.effect == Effect::Allow && !self.actions.is_empty()
    }

    /// Returns whether it denies anything.
    pub(super) fn denies(&self) -> bool {
        self.statement.effect == Effect::Deny && !self.actions.is_empty()
    }

    /// Returns whether it covers an action, named with prefix.
    pub(super) fn covers(&self, action: &str) -> bool {
        self.actions.iter().any(|covered| covered.full == action)
    }

    /// Returns whether it covers any action that uses key material.
    pub(super) fn uses_the_key(&self) -> bool {
        self.actions.iter().any(|action| action.is_cryptographic())
    }

    /// Returns whether it covers every action of KMS.
    pub(super) fn covers_everything(&self) -> bool {
        self.actions.len() == ACTIONS.len()
    }

    /// Returns the action patterns as written; none for `NotAction`.
    pub(super) fn patterns(&self) -> &'a [String] {
        match &self.statement.actions {
            Some(Actions::Is(patterns)) => patterns,
            Some(Actions::IsNot(_)) | None => &[],
        }
    }

    /// Returns whether every action pattern is one of KMS.
    pub(super) fn is_of_kms_alone(&self) -> bool {
        let patterns = self.patterns();
        !patterns.is_empty() && patterns.iter().all(|pattern| of_kms(pattern))
    }

    /// Returns the resource patterns as written; none for `NotResource`.
    pub(super) fn resources(&self) -> &'a [String] {
        match &self.statement.resources {
            Some(Resources::Is(patterns)) => patterns,
            Some(Resources::IsNot(_)) | None => &[],
        }
    }

    /// Returns whether a condition demands that a key has one of some fixed values.
    pub(super) fn demands(&self, key: &str) -> bool {
        self.conditions.iter().any(|condition| condition.is_about(key) && condition.demands_fixed_values())
    }
}

/// Returns whether an action pattern begins with the prefix of KMS.
pub(super) fn of_kms(pattern: &str) -> bool {
    pattern.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("kms:"))
}

fn covered(statement: &Statement) -> Vec<&'static KmsAction> {
    if statement.inert.is_some() || statement.resources.is_none() {
        return Vec::new();
    }
    match &statement.actions {
        None => Vec::new(),
        Some(Actions::Is(patterns)) => {
            let mut found: Vec<&'static KmsAction> = patterns.iter().flat_map(|pattern| matched(pattern)).collect();
            found.sort_by_key(|action| action.name);
            found.dedup_by_key(|action| action.name);
            found
        }
        Some(Actions::IsNot(patterns)) => {
            let excepted: BTreeSet<&str> =
                patterns.iter().flat_map(|pattern| matched(pattern)).map(|one| one.name).collect();
            ACTIONS.iter().filter(|action| !excepted.contains(action.name)).collect()
        }
    }
}

/// Returns the actions of KMS that a pattern matches; most patterns are names, and need no search.
pub(super) fn matched(pattern: &str) -> Vec<&'static KmsAction> {
    if pattern.contains(['*', '?']) {
        return ACTIONS.iter().filter(|action| glob_matches_ignore_case(pattern, action.full)).collect();
    }
    KmsAction::find(pattern).filter(|_| of_kms(pattern)).into_iter().collect()
}

impl ConditionView<'_> {
    /// Returns whether it is about a condition key, or about one that begins so if the key ends in `:` or `/`.
    pub(super) fn is_about(&self, key: &str) -> bool {
        let own = self.condition.key.as_str();
        if key.ends_with([':', '/']) {
            own.get(..key.len()).is_some_and(|head| head.eq_ignore_ascii_case(key))
        } else {
            own.eq_ignore_ascii_case(key)
        }
    }

    /// Returns the set operator, `ForAllValues:` or `ForAnyValue:`, or nothing.
    pub(super) fn set(&self) -> &str {
        self.operator.map_or("", |operator| operator.set)
    }

    /// Returns the operator by itself, `ArnLike` for both ARN operators; nothing if AWS knows none.
    pub(super) fn base(&self) -> &'static str {
        self.operator.map_or("", |operator| operator.base)
    }

    /// Returns whether no value may match.
    pub(super) fn is_negated(&self) -> bool {
        self.operator.is_some_and(|operator| operator.polarity == Polarity::Negated)
    }

    /// Returns whether it holds for a call that does not have the key.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
    pub(super) fn holds_on_absence(&self) -> bool {
        let Some(operator) = self.operator else { return false };
        if operator.base == "Null" {
            return self.values().any(|value| value.eq_ignore_ascii_case("true"));
        }
        match operator.set {
            "ForAllValues:" => true,
            "ForAnyValue:" => !operator.if_exists.is_empty(),
            _ => !operator.if_exists.is_empty() || operator.polarity == Polarity::Negated,
        }
    }

    /// Returns whether it demands that the key is there and has one of some values without wildcards and variables.
    pub(super) fn demands_fixed_values(&self) -> bool {
        self.demands_values() && self.values().all(|value| is_fixed(value, self.has_wildcards()))
    }

    /// Returns whether it demands that the key is there and has one of some values.
    pub(super) fn demands_values(&self) -> bool {
        let compares = self.operator.is_some_and(|operator| operator.base != "Null") && !self.is_negated();
        compares && !self.holds_on_absence() && self.values().next().is_some()
    }

    /// Returns whether `*` and `?` in its values stand for other text.
    pub(super) fn has_wildcards(&self) -> bool {
        matches!(self.base(), "StringLike" | "StringNotLike" | "ArnLike" | "ArnNotLike")
    }

    /// Returns the values as text.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.condition.values.iter().map(crate::policy::ConditionValue::as_text)
    }
}

/// Returns whether a value has no policy variable and, where they count, no wildcard. An ARN is fixed if its account
/// is.
fn is_fixed(value: &str, wildcards: bool) -> bool {
    let account = value.starts_with("arn:").then(|| value.split(':').nth(4)).flatten();
    let part = account.filter(|account| !account.is_empty()).unwrap_or(value);
    let open = part.contains("${") || (wildcards && part.contains(['*', '?']));
    !open
}
