//! Sets of actions as patterns, without patterns that others include.

use super::super::inclusion::{Inclusion, StepBudget, glob_included, is_wildcard, normal_glob};
use super::super::model::Actions;
use std::collections::BTreeSet;

/// Patterns none of which includes another.
pub(super) type Patterns = BTreeSet<String>;

/// The actions that statements of the same scope speak of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ActionCover {
    /// Actions that match any of these patterns, and
    pub(super) listed: Patterns,
    /// for each of these sets, actions that match none of its patterns.
    pub(super) all_but: BTreeSet<Patterns>,
}

impl ActionCover {
    pub(super) fn new(actions: &Actions, budget: &mut StepBudget) -> Self {
        match actions {
            Actions::Is(patterns) => Self { listed: action_patterns(patterns, budget), all_but: BTreeSet::new() },
            Actions::IsNot(patterns) => {
                Self { listed: Patterns::new(), all_but: BTreeSet::from([action_patterns(patterns, budget)]) }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.all_but.is_empty()
    }

    /// Adds the actions of another cover.
    pub(super) fn join(&mut self, other: &Self, budget: &mut StepBudget) {
        if self == other {
            return;
        }
        self.listed.extend(other.listed.iter().cloned());
        self.all_but.extend(other.all_but.iter().cloned());
        *self = self.reduced(budget);
    }

    /// Returns the same actions without patterns and sets that others include.
    fn reduced(&self, budget: &mut StepBudget) -> Self {
        let listed = antichain(&self.listed, budget);
        let everything = listed.contains("*");
        let dominated = |set: &Patterns, budget: &mut StepBudget| {
            everything || self.all_but.iter().any(|other| other != set && excludes_less(other, set, budget))
        };
        let all_but = self.all_but.iter().filter(|set| !dominated(set, budget)).cloned().collect();
        Self { listed, all_but }
    }

    /// Removes what a wider cover has as well.
    pub(super) fn remove(&mut self, wider: &Self, budget: &mut StepBudget) {
        let wild = wild(&wider.listed);
        self.listed.retain(|pattern| !wider.listed.contains(pattern) && !is_included(pattern, &wild, budget));
        let everything = wider.listed.contains("*");
        self.all_but.retain(|set| !everything && !wider.all_but.iter().any(|other| excludes_less(other, set, budget)));
    }
}

fn action_patterns(patterns: &[String], budget: &mut StepBudget) -> Patterns {
    antichain(&patterns.iter().map(|pattern| normal_glob(&pattern.to_ascii_lowercase())).collect(), budget)
}

fn antichain(patterns: &Patterns, budget: &mut StepBudget) -> Patterns {
    let wild = wild(patterns);
    patterns.iter().filter(|pattern| !is_included(pattern, &wild, budget)).cloned().collect()
}

/// Only a pattern with wildcards includes another one.
fn wild(patterns: &Patterns) -> Vec<&str> {
    patterns.iter().map(String::as_str).filter(|pattern| pattern.contains(is_wildcard)).collect()
}

/// Returns whether one of the patterns, other than itself, includes a pattern.
fn is_included(pattern: &str, wide: &[&str], budget: &mut StepBudget) -> bool {
    for other in wide.iter().filter(|other| **other != pattern) {
        if budget.is_spent() {
            return false;
        }
        if glob_included(pattern, &[other], budget) == Inclusion::Included {
            return true;
        }
    }
    false
}

/// Returns whether whatever the first set excludes is excluded by the second one.
fn excludes_less(less: &Patterns, more: &Patterns, budget: &mut StepBudget) -> bool {
    let wild = wild(more);
    less.iter().all(|pattern| more.contains(pattern) || is_included(pattern, &wild, budget))
}
