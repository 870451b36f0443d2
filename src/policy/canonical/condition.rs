//! The canonical form of conditions, and which condition implies which.

use super::super::inclusion::{Inclusion, StepBudget, glob_included, normal_glob};
use super::super::model::{Condition, ConditionOperator, ConditionValue};
use super::super::operator::{Comparison, Operator, Polarity};
use std::collections::BTreeSet;

/// Conditions, all of which must hold.
pub(super) type Conditions = BTreeSet<CanonicalCondition>;

/// A condition without what makes no difference: the case of the key, the order and repetition of values.
///
/// Only `IgnoreCase` operators lose the case of their values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CanonicalCondition {
    operator: ConditionOperator,
    key: String,
    values: BTreeSet<String>,
}

/// Returns the conditions of a statement in canonical form, without those that another of them implies.
pub(super) fn canonical_conditions(conditions: &[Condition], budget: &mut StepBudget) -> Conditions {
    let all: Conditions = conditions.iter().map(|condition| CanonicalCondition::new(condition, budget)).collect();
    let implied = |condition: &&CanonicalCondition, budget: &mut StepBudget| {
        all.iter().any(|other| other != *condition && other.implies(condition, budget))
    };
    all.iter().filter(|condition| !implied(condition, budget)).cloned().collect()
}

/// Returns whether the narrow conditions can hold only where the wide ones do.
pub(super) fn all_imply(narrow: &Conditions, wide: &Conditions, budget: &mut StepBudget) -> bool {
    wide.iter().all(|condition| narrow.iter().any(|other| other.implies(condition, budget)))
}

impl CanonicalCondition {
    fn new(condition: &Condition, budget: &mut StepBudget) -> Self {
        let known = condition.operator.known();
        let comparison = known.map_or(Comparison::Plain, |known| known.comparison);
        let values = condition.values.iter().map(|value| canonical_value(value.as_text(), comparison)).collect();
        Self {
            operator: known.map_or_else(|| condition.operator.clone(), Operator::name),
            key: condition.key.to_ascii_lowercase(),
            values: without_covered(values, comparison, budget),
        }
    }

    /// Returns whether a value has a policy variable, or what is one under the current version.
    pub(super) fn has_variable(&self) -> bool {
        self.values.iter().any(|value| value.contains("${"))
    }

    /// Returns the condition as the model has it.
    pub(super) fn to_model(&self) -> Condition {
        Condition {
            operator: self.operator.clone(),
            key: self.key.clone(),
            values: self.values.iter().map(|value| ConditionValue::Text(value.clone())).collect(),
        }
    }

    /// Returns whether `other` holds wherever this condition does. Sound, not complete: both speak of one key
    /// by one operator, and the values of one cover those of the other.
    fn implies(&self, other: &Self, budget: &mut StepBudget) -> bool {
        if self.operator != other.operator || self.key != other.key {
            return false;
        }
        let Some(known) = self.operator.known() else {
            return self.values == other.values;
        };
        match known.polarity {
            Polarity::Positive => all_covered(&self.values, &other.values, known.comparison, budget),
            Polarity::Negated => all_covered(&other.values, &self.values, known.comparison, budget),
        }
    }
}

impl Operator<'_> {
    fn name(self) -> ConditionOperator {
        ConditionOperator(format!("{}{}{}", self.set, self.base, self.if_exists))
    }
}

fn canonical_value(text: &str, comparison: Comparison) -> String {
    match comparison {
        Comparison::IgnoreCase => text.to_ascii_lowercase(),
        // Within a variable the characters are not wildcards.
        Comparison::Wildcard | Comparison::Arn if !text.contains("${") => normal_glob(text),
        Comparison::Plain | Comparison::Wildcard | Comparison::Arn => text.to_owned(),
    }
}

/// Removes the values whose matches another value has as well.
fn without_covered(values: BTreeSet<String>, comparison: Comparison, budget: &mut StepBudget) -> BTreeSet<String> {
    match comparison {
        Comparison::Plain | Comparison::IgnoreCase => values,
        Comparison::Wildcard | Comparison::Arn => values
            .iter()
            .filter(|value| !is_covered_by_any(value, values.iter().filter(|other| other != value), comparison, budget))
            .cloned()
            .collect(),
    }
}

fn all_covered(
    narrow: &BTreeSet<String>,
    wide: &BTreeSet<String>,
    comparison: Comparison,
    budget: &mut StepBudget,
) -> bool {
    narrow.iter().all(|value| wide.contains(value) || is_covered_by_any(value, wide.iter(), comparison, budget))
}

fn is_covered_by_any<'v>(
    narrow: &str,
    wide: impl Iterator<Item = &'v String>,
    comparison: Comparison,
    budget: &mut StepBudget,
) -> bool {
    for other in wide {
        if budget.is_spent() {
            return false;
        }
        if is_covered(narrow, other, comparison, budget) {
            return true;
        }
    }
    false
}

fn is_covered(narrow: &str, wide: &str, comparison: Comparison, budget: &mut StepBudget) -> bool {
    if narrow == wide {
        return true;
    }
    let has_variable = narrow.contains("${") || wide.contains("${");
    match comparison {
        Comparison::Plain | Comparison::IgnoreCase => false,
        Comparison::Wildcard | Comparison::Arn if has_variable => false,
        Comparison::Wildcard => glob_included(narrow, &[wide], budget) == Inclusion::Included,
        Comparison::Arn => arn_is_covered(narrow, wide, budget),
    }
}

/// Compares part by part, as the ARN operators do; what has no six parts is covered by itself only.
fn arn_is_covered(narrow: &str, wide: &str, budget: &mut StepBudget) -> bool {
    let narrow: Vec<&str> = narrow.splitn(6, ':').collect();
    let wide: Vec<&str> = wide.splitn(6, ':').collect();
    narrow.len() == 6
        && wide.len() == 6
        && narrow.iter().zip(wide).all(|(narrow, wide)| glob_included(narrow, &[wide], budget) == Inclusion::Included)
}
