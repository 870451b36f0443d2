//! Decides of what may be a gain whether it is one: by a request that proves it, or by proof that there is none.

use super::difference::Candidate;
use super::rule::Rule;
use super::search::{Bench, Callers, Found, Search, Sides};
use super::witness::{Attempt, obvious};
use super::{Certainty, Witness};
use crate::access::KeyFacts;

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
    pub(super) fn decide(&mut self, candidates: &[Candidate]) -> Vec<Gained> {
        let sides = Sides { old: self.old, new: self.new };
        let first = |candidate: &Candidate| candidate.actions.first().cloned().unwrap_or_default();
        let mut bench = Bench::new(self.new);
        let seen: Vec<Option<Attempt>> =
            candidates.iter().map(|candidate| obvious(candidate, &first(candidate), sides, &mut bench)).collect();
        let callers = if seen.iter().all(Option::is_some) {
            &Callers::default()
        } else {
            &*self.callers.get_or_insert_with(|| Callers::of(&[self.old, self.new]))
        };
        let mut search = Search::new(sides, callers);
        let mut gained = Vec::new();
        for (candidate, seen) in candidates.iter().zip(seen) {
            let found = match seen {
                Some(attempt) => Found::Attempt(Box::new(attempt)),
                None => search.run(&candidate.region(), &first(candidate)),
            };
            for action in &candidate.actions {
                gained.extend(gain(candidate, action, &found, sides));
            }
        }
        gained
    }
}

/// Returns what was found as a gain of one of the actions that nothing tells apart, unless it is none.
fn gain(candidate: &Candidate, action: &str, found: &Found, sides: Sides<'_>) -> Option<Gained> {
    let (certainty, witness) = match found {
        Found::Nothing => return None,
        Found::Open(reason) => (Certainty::Undetermined { reason: reason.clone() }, None),
        Found::Attempt(attempt) => {
            let attempt = attempt.of_action(action);
            if attempt.is_gained(sides.old, sides.new) {
                (Certainty::Certain, Some(attempt.witness()))
            } else {
                let reason = "the request that proves it for a like action does not prove it for this one".to_owned();
                (Certainty::Undetermined { reason }, None)
            }
        }
    };
    Some(Gained { action: action.to_owned(), rule: candidate.rule.clone(), certainty, witness })
}
