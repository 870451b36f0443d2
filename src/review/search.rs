//! Searches for a request that one state of a key refuses and another allows; finding none is a proof.
//!
//! Nothing is guessed. Every part of a request is a knob, whose settings stand for all values that conditions can
//! tell apart; callers are represented likewise. For each caller, both states become clauses over the knobs, of
//! which the evaluator says by which settings they are satisfied, and a search decides whether the knobs can be set
//! so that the new state allows and the old one refuses. What is found, the evaluator confirms. What AWS leaves
//! open, and what exceeds a budget, makes the answer open.

mod bench;
mod callers;
mod clauses;
mod formula;
mod knobs;
mod pattern;
mod solve;
mod space;
mod values;
mod workshop;

use super::rule::Rule;
use super::witness::Attempt;
use crate::access::{KeyFacts, PrincipalFacts};
pub(super) use bench::Bench;
pub(super) use callers::{Callers, caller_of, everything};
use formula::{Formula, formula, is_concerned, within};
use solve::{Answer, Clause, Question, Values};
use space::{Setting, Slot};
use std::collections::HashMap;
use workshop::Workshop;

/// The old and the new state of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) old: &'a KeyFacts,
    pub(super) new: &'a KeyFacts,
}

/// The requests among which to search: those that a rule allows, and, if it is about a deny that was lifted, that
/// the deny kept out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region<'r> {
    pub(super) allow: &'r Rule,
    pub(super) lifted: Option<&'r Rule>,
}

/// What a search comes to.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// A request that the old state refuses and the new one allows, confirmed by the evaluator.
    Attempt(Box<Attempt>),
    /// There is none: the whole space was covered.
    Nothing,
    /// It is not decided, for this reason.
    Open(String),
}

/// How many steps all searches in two states may take together, and how many one of them.
const ALL_STEPS: u64 = 3_000_000;
const STEPS: u64 = 300_000;

/// How many questions the evaluator may be asked in all searches in two states.
const QUESTIONS: u64 = 200_000;

const BUDGET: &str = "the search for a request took too many steps";

/// Searches in two states.
pub(super) struct Search<'a> {
    sides: Sides<'a>,
    callers: &'a Callers,
    shop: Workshop,
    /// What the states say, by caller and action; `None` if that took too long to find out.
    formulas: HashMap<(usize, String), Option<Formula>>,
    steps: u64,
}

impl<'a> Search<'a> {
    pub(super) fn new(sides: Sides<'a>, callers: &'a Callers) -> Self {
        let shop = Workshop::new(sides.old, sides.new, QUESTIONS);
        Self { sides, callers, shop, formulas: HashMap::new(), steps: ALL_STEPS }
    }

    /// Searches a region for a request of an action that is newly allowed.
    pub(super) fn run(&mut self, region: &Region<'_>, action: &str) -> Found {
        let mut open = self.callers.missing.map(str::to_owned);
        let callers = self.callers;
        let allotted = STEPS.min(self.steps);
        let mut steps = allotted;
        for number in 0..callers.all.len() {
            if self.shop.is_exhausted() || steps == 0 {
                open = Some(BUDGET.to_owned());
                break;
            }
            match self.by(number, region, action, &mut steps) {
                Found::Nothing => {}
                Found::Open(reason) => drop(open.get_or_insert(reason)),
                found @ Found::Attempt(_) => {
                    self.steps -= allotted - steps;
                    return found;
                }
            }
        }
        self.steps -= allotted - steps;
        open.map_or(Found::Nothing, Found::Open)
    }

    fn by(&mut self, number: usize, region: &Region<'_>, action: &str, steps: &mut u64) -> Found {
        let Some(caller) = self.callers.all.get(number) else { return Found::Nothing };
        if !is_concerned(&self.sides, &mut self.shop, (caller, action), region) {
            return Found::Nothing;
        }
        let key = (number, action.to_owned());
        let known = self.formulas.remove(&key);
        let formula = known.unwrap_or_else(|| formula(&self.sides, &mut self.shop, caller, action));
        let located = formula.and_then(|formula| within(formula, &mut self.shop, caller, region));
        let Some((formula, ways)) = located else {
            self.formulas.insert(key, None);
            return Found::Open(BUDGET.to_owned());
        };
        let found = self.decide(caller, &formula, &ways, steps);
        self.formulas.insert(key, Some(formula));
        found
    }

    fn decide(&self, caller: &PrincipalFacts, formula: &Formula, ways: &[Clause], steps: &mut u64) -> Found {
        match formula.solve(ways, Mode::Certain, steps) {
            Answer::Chosen(chosen) => {
                let attempt = Attempt { principal: caller.clone(), request: formula.request(&chosen) };
                return self.confirmed(attempt);
            }
            Answer::TooHard => return Found::Open(BUDGET.to_owned()),
            Answer::Impossible => {}
        }
        match formula.solve(ways, Mode::Possible, steps) {
            Answer::Chosen(chosen) => Found::Open(formula.reason(&chosen)),
            Answer::TooHard => Found::Open(BUDGET.to_owned()),
            Answer::Impossible => Found::Nothing,
        }
    }

    /// Returns a request as found if the evaluator says that it is one.
    fn confirmed(&self, attempt: Attempt) -> Found {
        if attempt.is_gained(self.sides.old, self.sides.new) {
            Found::Attempt(Box::new(attempt))
        } else {
            Found::Open("the evaluator does not confirm the request that was found".to_owned())
        }
    }
}

/// What counts as solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Whatever AWS leaves open.
    Certain,
    /// In some reading of what AWS leaves open.
    Possible,
}

impl Formula {
    /// Looks for settings in the region that the new state allows and the old one refuses: as no allow of it holds,
    /// or as a deny does.
    fn solve(&self, ways: &[Clause], mode: Mode, steps: &mut u64) -> Answer {
        let Some(denies) = self.refutable(&self.new.denies, mode) else { return Answer::Impossible };
        let allows = self.refutable(&self.old.allows, mode);
        let mut hard = false;
        for region in ways.iter().filter(|clause| self.may_hold(clause, mode)) {
            let without_allow = allows.iter().map(|allows| (None, allows.as_slice()));
            let by_deny = self.old.denies.iter().filter(|clause| self.may_hold(clause, mode));
            for (deny, refused) in without_allow.chain(by_deny.map(|deny| (Some(deny), &[][..]))) {
                let hold = std::iter::once(region).chain(deny).collect();
                let fail = self.never.iter().chain(&denies).chain(refused).collect();
                match (Question { domains: self.space.all(), hold, fail }).answer(steps) {
                    found @ Answer::Chosen(_) => return found,
                    Answer::TooHard => hard = true,
                    Answer::Impossible => {}
                }
            }
        }
        if hard { Answer::TooHard } else { Answer::Impossible }
    }

    fn is_reading(&self, knob: usize) -> bool {
        self.space.knobs.get(knob).is_some_and(|knob| matches!(knob.slot, Slot::Reading(_)))
    }

    fn may_hold(&self, clause: &Clause, mode: Mode) -> bool {
        mode == Mode::Possible || !clause.0.iter().any(|literal| self.is_reading(literal.knob))
    }

    /// Returns clauses without what cannot make them fail; `None` if one of them always holds.
    fn refutable(&self, clauses: &[Clause], mode: Mode) -> Option<Vec<Clause>> {
        let certain = |clause: &Clause| {
            let literals = clause.0.iter().filter(|literal| mode == Mode::Possible || !self.is_reading(literal.knob));
            Clause(literals.cloned().collect())
        };
        let clauses: Vec<Clause> = clauses.iter().map(certain).collect();
        (!clauses.iter().any(|clause| clause.0.is_empty())).then_some(clauses)
    }

    fn picks<'s>(&'s self, chosen: &'s [Values]) -> impl Iterator<Item = (usize, &'s Setting)> {
        let picked = |(knob, values): (usize, &Values)| Some((knob, self.space.settings(knob).get(values.first()?)?));
        chosen.iter().enumerate().filter_map(picked)
    }

    fn request(&self, chosen: &[Values]) -> crate::access::Request {
        self.space.request(self.picks(chosen))
    }

    /// Returns what is open about settings that were found: what had to be read in one way.
    fn reason(&self, chosen: &[Values]) -> String {
        let read = chosen
            .iter()
            .enumerate()
            .find(|(knob, values)| self.is_reading(*knob) && [values.has(0), values.has(1)].contains(&false));
        let texts = read.map(|(knob, _)| self.space.settings(knob)).unwrap_or_default().iter();
        let mut reasons = texts.filter_map(|setting| match setting {
            Setting::Text(reason) => Some(reason.clone()),
            Setting::Absent | Setting::Pair(..) | Setting::Unseen => None,
        });
        reasons.next().unwrap_or_else(|| BUDGET.to_owned())
    }
}

#[cfg(test)]
mod tests;
