//! What became of a worked case: its decision beside the expected one, its derived context beside the given one.

use super::case::{Case, Expected};
use super::context::derive_context;
use super::facts::{ContextValue, RequestContext};
use super::verdict::Evaluation;
use std::collections::BTreeSet;

/// A decided case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation<'c> {
    /// The case.
    pub case: &'c Case,
    /// The decision, and why.
    pub evaluation: Evaluation,
    /// Whether it is the expected one.
    pub agreement: Agreement,
    /// Where the context that the case gives is not the derived one; empty where the case gives none.
    pub context: Vec<ContextDifference>,
}

/// Whether a decision is the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// It is.
    Agrees,
    /// It is not: this one was expected.
    Differs(Expected),
    /// AWS's documentation leaves the answer open: nothing is scored.
    Contested,
    /// The case says nothing of what is expected.
    NotStated,
}

/// A condition key that has another value than the case says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextDifference {
    /// The key, in lower case.
    pub key: String,
    /// What the case gives.
    pub given: Option<ContextValue>,
    /// What follows from the case's request, caller and key.
    pub derived: Option<ContextValue>,
}

impl Case {
    /// Decides the case, and compares.
    pub fn simulate(&self) -> Simulation<'_> {
        let evaluation = self.evaluate();
        let agreement = match self.expected {
            Some(_) | None if self.contested => Agreement::Contested,
            None => Agreement::NotStated,
            Some(expected) if expected.agrees(&evaluation.decision) => Agreement::Agrees,
            Some(expected) => Agreement::Differs(expected),
        };
        let derived = || derive_context(&self.request, &self.principal, self.key.as_ref());
        let context = self.resolved_context.as_ref().map(|given| differences(given, &derived())).unwrap_or_default();
        Simulation { case: self, evaluation, agreement, context }
    }
}

impl Simulation<'_> {
    /// Returns whether a case that is scored has another decision, or another context, than it says.
    pub fn differs(&self) -> bool {
        match self.agreement {
            Agreement::Differs(_) => true,
            Agreement::Agrees => !self.context.is_empty(),
            Agreement::Contested | Agreement::NotStated => false,
        }
    }
}

fn differences(given: &RequestContext, derived: &RequestContext) -> Vec<ContextDifference> {
    let keys: BTreeSet<&String> = given.0.keys().chain(derived.0.keys()).collect();
    let differing = keys.into_iter().filter(|key| !same(given.0.get(*key), derived.0.get(*key)));
    let difference = |key: &String| ContextDifference {
        key: key.clone(),
        given: given.0.get(key).cloned(),
        derived: derived.0.get(key).cloned(),
    };
    differing.map(difference).collect()
}

/// The values of a multi-valued key have no order.
fn same(given: Option<&ContextValue>, derived: Option<&ContextValue>) -> bool {
    match (given, derived) {
        (Some(ContextValue::Many(given)), Some(ContextValue::Many(derived))) => {
            given.iter().collect::<BTreeSet<_>>() == derived.iter().collect::<BTreeSet<_>>()
        }
        (given, derived) => given == derived,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::CaseFile;

    fn cases() -> Vec<Case> {
        CaseFile::parse(include_str!("../../tests/data/access/cases.json")).unwrap().cases
    }

    #[test]
    fn every_fixed_case_agrees_or_is_contested() {
        let cases = cases();
        let found: Vec<Agreement> = cases.iter().map(|case| case.simulate().agreement).collect();
        assert_eq!(found.iter().filter(|agreement| **agreement == Agreement::Agrees).count(), 137);
        assert_eq!(found.iter().filter(|agreement| **agreement == Agreement::Contested).count(), 13);
        assert!(cases.iter().all(|case| case.simulate().context.is_empty()));
    }

    #[test]
    fn another_decision_or_context_than_the_case_says_is_a_difference() {
        let mut case = cases().into_iter().find(|case| case.id == "abac-001").unwrap();
        assert!(!case.simulate().differs());
        let context = &mut case.resolved_context.as_mut().unwrap().0;
        context.remove("aws:requestedregion");
        context.insert("aws:extra".to_owned(), ContextValue::One("x".to_owned()));
        let simulation = case.simulate();
        let keys: Vec<(&str, bool, bool)> =
            simulation.context.iter().map(|d| (d.key.as_str(), d.given.is_some(), d.derived.is_some())).collect();
        assert_eq!(keys, [("aws:extra", true, false), ("aws:requestedregion", false, true)]);
        assert!(simulation.differs());
        case.resolved_context = None;
        assert!(!case.simulate().differs());
        case.expected = Some(Expected::ExplicitDeny);
        assert_eq!(case.simulate().agreement, Agreement::Differs(Expected::ExplicitDeny));
        assert!(case.simulate().differs());
        case.contested = true;
        assert!(!case.simulate().differs());
        (case.contested, case.expected) = (false, None);
        assert_eq!(case.simulate().agreement, Agreement::NotStated);
    }
}
