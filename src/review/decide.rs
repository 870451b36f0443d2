//! Decides of what may be a gain whether it is one: by a request that proves it, or by proof that there is none.

use super::difference::Candidate;
use super::rule::Rule;
use super::search::{Callers, Found, Region, Search, Sides};
use super::witness::{Attempt, obvious};
use super::{Certainty, Witness};
use crate::access::KeyFacts;
use crate::kms::KmsAction;

/// Something that is newly allowed, or that may be.
#[derive(Debug, Clone)]
pub(super) struct Gained {
    pub(super) action: String,
    pub(super) rule: Rule,
    pub(super) certainty: Certainty,
    pub(super) witness: Option<Witness>,
}

/// Decides between two states of a key.
pub(super) struct Decider<'a> {
    old: &'a KeyFacts,
    new: &'a KeyFacts,
    callers: Option<Callers>,
}

impl<'a> Decider<'a> {
    pub(super) fn new(old: &'a KeyFacts, new: &'a KeyFacts) -> Self {
        Self { old, new, callers: None }
    }

    /// Returns the decider of what is lost.
    pub(super) fn reversed(self) -> Self {
        Self { old: self.new, new: self.old, callers: self.callers }
    }

    /// Returns those candidates that are gains, or that may be.
    pub(super) fn decide(&mut self, candidates: Vec<Candidate>) -> Vec<Gained> {
        let mut open = Vec::new();
        let mut gained = Vec::new();
        for candidate in candidates {
            match obvious(&candidate, self.old, self.new) {
                Some(attempt) => gained.push(certain(candidate, attempt)),
                None => open.push(candidate),
            }
        }
        if open.is_empty() {
            return gained;
        }
        let callers = self.callers.get_or_insert_with(|| Callers::of(&[self.old, self.new]));
        let sides = Sides { old: self.old, new: self.new };
        let mut search = Search::new(sides, callers);
        let mut answers: Vec<(Candidate, Found)> = Vec::new();
        for candidate in open {
            let known = answers.iter().find(|(other, _)| is_alike(other, &candidate, sides)).map(|(_, found)| found);
            let found = match known {
                Some(Found::Attempt(attempt)) => of_action(attempt, &candidate.action, sides),
                Some(found @ (Found::Nothing | Found::Open(_))) => Some(found.clone()),
                None => None,
            };
            let region = Region { allow: &candidate.allow, lifted: candidate.lifted.as_ref() };
            let found = found.unwrap_or_else(|| search.run(&region, &candidate.action));
            answers.push((candidate, found));
        }
        gained.extend(answers.into_iter().filter_map(|(candidate, found)| match found {
            Found::Attempt(attempt) => Some(certain(candidate, *attempt)),
            Found::Open(reason) => Some(undetermined(candidate, reason)),
            Found::Nothing => None,
        }));
        gained
    }
}

fn certain(candidate: Candidate, attempt: Attempt) -> Gained {
    let Candidate { action, rule, .. } = candidate;
    Gained { action, rule, certainty: Certainty::Certain, witness: Some(attempt.witness()) }
}

fn undetermined(candidate: Candidate, reason: String) -> Gained {
    let Candidate { action, rule, .. } = candidate;
    Gained { action, rule, certainty: Certainty::Undetermined { reason }, witness: None }
}

/// Returns the same request for another action, if the evaluator confirms that too.
fn of_action(attempt: &Attempt, action: &str, sides: Sides<'_>) -> Option<Found> {
    let attempt = attempt.of_action(action);
    attempt.is_gained(sides.old, sides.new).then(|| Found::Attempt(Box::new(attempt)))
}

/// Returns whether two candidates are about the same, and nothing in either state tells their actions apart.
fn is_alike(one: &Candidate, other: &Candidate, sides: Sides<'_>) -> bool {
    (&one.allow, &one.lifted) == (&other.allow, &other.lifted)
        && are_alike_to_kms(&one.action, &other.action)
        && [sides.old, sides.new].iter().all(|key| are_alike_to(key, &one.action, &other.action))
}

/// Returns whether KMS treats two actions alike as far as requests can differ.
fn are_alike_to_kms(one: &str, other: &str) -> bool {
    match (KmsAction::find(one), KmsAction::find(other)) {
        (Some(one), Some(other)) => {
            (one.scope, one.reach, one.takes_encryption_context, one.condition_keys)
                == (other.scope, other.reach, other.takes_encryption_context, other.condition_keys)
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn are_alike_to(key: &KeyFacts, one: &str, other: &str) -> bool {
    let policies = std::iter::once(&key.policy).chain(&key.ram_policy);
    let mut statements = policies.flat_map(|policy| &policy.statements);
    let bare = |action: &str| action.split_once(':').map_or(action, |(_, name)| name).to_owned();
    let (one_bare, other_bare) = (bare(one), bare(other));
    statements.all(|statement| statement.has_action(one) == statement.has_action(other))
        && key.grants.iter().all(|grant| grant.operations.contains(&one_bare) == grant.operations.contains(&other_bare))
}
