//! Access gained and lost, grouped for people: one line for each principal and condition.

use crate::review::{AccessChange, AccessLine, Certainty, Risk};
use crate::text::{and_list, escape};
use std::collections::{BTreeMap, BTreeSet};

/// Several capabilities that one principal gains or loses under the same conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group<'a> {
    /// Who.
    pub(super) principal: &'a str,
    /// Under which conditions.
    pub(super) conditions: &'a [String],
    /// Whether it is decided.
    pub(super) certainty: &'a Certainty,
    /// What.
    pub(super) capabilities: Vec<&'a str>,
    /// The gravest risk of them.
    pub(super) risk: Risk,
}

impl Group<'_> {
    /// Returns what is gained or lost and under which conditions, as words that are safe to print.
    pub(super) fn what(&self) -> String {
        let capabilities = escape(&and_list(&self.capabilities)).into_owned();
        std::iter::once(capabilities).chain(self.when()).collect::<Vec<_>>().join(", ")
    }

    /// Returns the conditions as words that are safe to print.
    pub(super) fn when(&self) -> Vec<String> {
        // A pattern that any value matches asks for a value, and for no particular one.
        let given = |condition: &String| {
            condition.strip_suffix(" = *").map_or_else(|| condition.clone(), |key| format!("{key} given"))
        };
        self.conditions.iter().map(|condition| escape(&given(condition)).into_owned()).collect()
    }
}

/// How many keys must gain the same before it is said once for all.
const SHARED_BY: usize = 3;

/// Returns the groups of one key, gravest first.
pub(super) fn groups_of<'a>(lines: &'a [AccessLine], key: &str) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(&str, &[String], &Certainty), Group<'a>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.key.as_str() == key) {
        let group = groups.entry((&line.principal, &line.conditions, &line.certainty)).or_insert_with(|| Group {
            principal: &line.principal,
            conditions: &line.conditions,
            certainty: &line.certainty,
            capabilities: Vec::new(),
            risk: Risk::Routine,
        });
        group.capabilities.push(&line.capability);
        group.risk = group.risk.max(line.risk);
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.risk));
    groups
}

/// Returns the groups that every key of a change gains alike, if there are several keys.
pub(super) fn shared_gains(change: &AccessChange) -> Vec<Group<'_>> {
    let keys: BTreeSet<&str> = change.gains.iter().map(|line| line.key.as_str()).collect();
    let mut of_keys = keys.iter().map(|key| groups_of(&change.gains, key));
    let Some(first) = of_keys.next().filter(|_| keys.len() >= SHARED_BY) else { return Vec::new() };
    let others: Vec<Vec<Group<'_>>> = of_keys.collect();
    first.into_iter().filter(|group| others.iter().all(|groups| groups.contains(group))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, principal: &str, capability: &str, risk: Risk) -> AccessLine {
        AccessLine {
            key: key.parse().unwrap(),
            principal: principal.to_owned(),
            capability: capability.to_owned(),
            actions: BTreeSet::new(),
            conditions: Vec::new(),
            risk,
            certainty: Certainty::Certain,
            witness: None,
        }
    }

    #[test]
    fn a_principal_has_one_line_for_a_condition_and_the_gravest_comes_first() {
        let lines = [
            line("a", "api", "encrypt", Risk::Routine),
            line("a", "api", "decrypt", Risk::Decrypt),
            line("a", "admin", "administer", Risk::Escalation),
            line("b", "api", "encrypt", Risk::Routine),
        ];
        let groups = groups_of(&lines, "a");
        let seen: Vec<(&str, Vec<&str>)> =
            groups.iter().map(|group| (group.principal, group.capabilities.clone())).collect();
        assert_eq!(seen, [("admin", vec!["administer"]), ("api", vec!["encrypt", "decrypt"])]);
    }

    #[test]
    fn only_what_every_key_gains_is_shared() {
        let mut gains: Vec<AccessLine> =
            ["a", "b", "c"].iter().map(|key| line(key, "admin", "administer", Risk::Escalation)).collect();
        gains.push(line("a", "api", "decrypt", Risk::Decrypt));
        let change = AccessChange { gains: gains.clone(), losses: Vec::new() };
        let shared: Vec<&str> = shared_gains(&change).iter().map(|group| group.principal).collect();
        assert_eq!(shared, ["admin"]);
        let two = AccessChange {
            gains: gains.into_iter().filter(|line| line.key.as_str() != "c").collect(),
            losses: Vec::new(),
        };
        assert_eq!(shared_gains(&two), []);
    }
}
