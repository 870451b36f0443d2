//! Single gains gathered into lines: a principal, a capability, the conditions, the risk.

use super::decide::Gained;
use super::model::{AccessLine, Certainty, Risk};
use super::rule::{FUTURE, Rule};
use super::words::{Distance, Phrase, Vocabulary};
use crate::access::KeyFacts;
use crate::ids::KeyName;
use crate::kms::{ACTIONS, ActionScope, Capability, KeyShape, Origin};
use std::collections::{BTreeMap, BTreeSet};

/// What lines are made from.
pub(super) struct Gathering<'a> {
    pub(super) key: &'a KeyName,
    pub(super) shape: KeyShape,
    pub(super) words: Vocabulary<'a>,
    /// What the same side of the change kept from: the old rules for gains, the new ones for losses.
    pub(super) kept: &'a [Rule],
}

/// Whether lines say what was gained or what was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Gain,
    Loss,
}

/// A principal under some conditions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Heading {
    name: String,
    reach: Distance,
    certainty: Certainty,
    phrases: Vec<Phrase>,
}

/// Returns the shape of a key; what this version does not know of it is taken for the usual.
pub fn shape_of(key: &KeyFacts) -> KeyShape {
    let (spec, usage) = (key.key_spec.parse(), key.key_usage.parse());
    let usual = KeyShape::default();
    let shape = KeyShape::new(spec.unwrap_or(usual.spec), usage.unwrap_or(usual.usage));
    let shape = shape.with_origin(key.key_origin.parse().unwrap_or(Origin::AwsKms));
    if key.multi_region { shape.in_many_regions() } else { shape }
}

impl Gathering<'_> {
    /// Returns the lines of some gains or losses, gravest first.
    pub(super) fn lines(&self, found: &[Gained], direction: Direction) -> Vec<AccessLine> {
        let mut lines: Vec<AccessLine> = Vec::new();
        for (heading, members) in self.headings(found) {
            for (capability, actions) in self.named(&heading, &members) {
                let line = self.line(&heading, capability, actions, direction);
                let mut proving = members.iter().filter(|gained| line.actions.contains(&gained.action));
                let witness = proving.find_map(|gained| gained.witness.clone());
                lines.push(AccessLine { witness, ..line });
            }
        }
        lines.sort_by(|a, b| b.risk.cmp(&a.risk).then_with(|| reading_order(a).cmp(&reading_order(b))));
        lines
    }

    /// Names the actions under a heading: by capabilities that are whole together with what was there already,
    /// else one by one.
    fn named(&self, heading: &Heading, members: &[&Gained]) -> Vec<(String, BTreeSet<String>)> {
        let mut left: BTreeSet<String> = members.iter().map(|gained| gained.action.clone()).collect();
        let have: BTreeSet<String> = self.held(heading).union(&left).cloned().collect();
        let mut named = Vec::new();
        for (capability, actions) in capabilities_of(self.shape) {
            let own: BTreeSet<String> = left.intersection(&actions).cloned().collect();
            if actions.is_subset(&have) && !own.is_empty() {
                left.retain(|action| !own.contains(action));
                named.push((capability, own));
            }
        }
        if !left.is_empty() {
            named.push((action_list(&left), left));
        }
        named
    }

    /// Gathers what has the same principal and conditions; values of which one must match come together again.
    fn headings<'g>(&self, found: &'g [Gained]) -> BTreeMap<Heading, Vec<&'g Gained>> {
        let mut apart: BTreeMap<Heading, Vec<&Gained>> = BTreeMap::new();
        for gained in found {
            let named = self.words.who(&gained.rule);
            let phrases = self.words.conditions(&gained.rule, &named);
            let certainty = gained.certainty.clone();
            apart.entry(Heading { name: named.name, reach: named.reach, certainty, phrases }).or_default().push(gained);
        }
        let mut headings: BTreeMap<Heading, Vec<&Gained>> = BTreeMap::new();
        for (heading, members) in merged(apart) {
            headings.entry(heading).or_default().extend(members);
        }
        headings
    }

    /// Returns the actions that somebody has on the other side, under the same conditions or none.
    fn held(&self, heading: &Heading) -> BTreeSet<String> {
        let same = |rule: &&Rule| {
            let named = self.words.who(rule);
            let phrases = self.words.conditions(rule, &named);
            named.name == heading.name && (phrases.is_empty() || phrases == heading.phrases)
        };
        let rules: Vec<&Rule> = self.kept.iter().filter(same).collect();
        let has = |action: &&str| rules.iter().any(|rule| rule.has(action));
        known_actions().filter(has).map(str::to_owned).collect()
    }

    fn line(
        &self,
        heading: &Heading,
        capability: String,
        actions: BTreeSet<String>,
        direction: Direction,
    ) -> AccessLine {
        let mut conditions: Vec<String> = heading.phrases.iter().map(Phrase::text).collect();
        if conditions.is_empty() {
            conditions.extend(self.narrower(heading, &actions, direction));
        }
        let risk = risk(heading, &actions);
        let principal = heading.name.clone();
        let certainty = heading.certainty.clone();
        AccessLine { key: self.key.clone(), principal, capability, actions, conditions, risk, certainty, witness: None }
    }

    /// Returns what somebody without conditions now, or before, has or had on the other side.
    fn narrower(&self, heading: &Heading, actions: &BTreeSet<String>, direction: Direction) -> Vec<String> {
        let lead = match direction {
            Direction::Gain => "no longer",
            Direction::Loss => "now",
        };
        let of = |rule: &Rule| {
            let named = self.words.who(rule);
            let concerned = named.name == heading.name && actions.iter().any(|action| rule.has(action));
            concerned.then(|| self.words.conditions(rule, &named))
        };
        let phrases: BTreeSet<Vec<Phrase>> = self.kept.iter().filter_map(of).collect();
        let text = |phrases: Vec<Phrase>| phrases.iter().map(Phrase::text).collect::<Vec<_>>().join(" and ");
        let texts = phrases.into_iter().filter(|phrases| !phrases.is_empty()).map(text);
        texts.map(|text| format!("{lead} {text}")).collect()
    }
}

/// Returns capabilities with their actions, the wide ones first.
pub(super) fn capabilities_of(shape: KeyShape) -> Vec<(String, BTreeSet<String>)> {
    let wide = [Capability::Administer, Capability::Delete, Capability::Audit, Capability::Import];
    let users = Capability::ALL.iter().copied().filter(|capability| capability.is_for_users());
    let named = wide.into_iter().chain(users).map(|capability| {
        let actions = capability.actions(shape).into_iter().map(|action| action.full.to_owned()).collect();
        (capability.name().to_owned(), actions)
    });
    let everything =
        ("everything".to_owned(), known_actions().map(str::to_owned).chain([format!("kms:{FUTURE}")]).collect());
    std::iter::once(everything)
        .chain(named)
        .filter(|(_, actions): &(_, BTreeSet<String>)| !actions.is_empty())
        .collect()
}

fn reading_order(line: &AccessLine) -> (&str, &str, &[String]) {
    (&line.principal, &line.capability, &line.conditions)
}

/// Joins headings that differ in the values of one phrase alone and are about the same actions.
fn merged(apart: BTreeMap<Heading, Vec<&Gained>>) -> Vec<(Heading, Vec<&Gained>)> {
    let mut joined: Vec<(Heading, Vec<&Gained>)> = Vec::new();
    for (heading, members) in apart {
        let actions = actions_of(&members);
        let fitting = joined.iter_mut().find_map(|(other, theirs)| {
            let at = differing_phrase(other, &heading).filter(|_| actions_of(theirs) == actions)?;
            Some((other.phrases.get_mut(at)?, heading.phrases.get(at)?, theirs))
        });
        match fitting {
            Some((phrase, values, theirs)) => {
                phrase.values.extend(values.values.iter().cloned());
                theirs.extend(members);
            }
            None => joined.push((heading, members)),
        }
    }
    joined
}

fn actions_of<'g>(members: &[&'g Gained]) -> BTreeSet<&'g str> {
    members.iter().map(|gained| gained.action.as_str()).collect()
}

/// Returns which phrase differs, if exactly one does and only in its values.
fn differing_phrase(one: &Heading, other: &Heading) -> Option<usize> {
    let same = |a: &Heading, b: &Heading| (&a.name, a.reach, &a.certainty) == (&b.name, b.reach, &b.certainty);
    if !same(one, other) || one.phrases.len() != other.phrases.len() {
        return None;
    }
    let mut different = one.phrases.iter().zip(&other.phrases).enumerate().filter(|(_, (a, b))| a != b);
    let (at, (a, b)) = different.next()?;
    let alone = different.next().is_none();
    (alone && a.lead == b.lead && !a.values.is_empty() && !b.values.is_empty()).then_some(at)
}

fn known_actions() -> impl Iterator<Item = &'static str> {
    ACTIONS
        .iter()
        .filter(|action| matches!(action.scope, ActionScope::Key | ActionScope::KeyAndAlias))
        .map(|action| action.full)
}

/// Returns actions as a list; those that KMS may add by the pattern that names them.
pub(super) fn action_list(actions: &BTreeSet<String>) -> String {
    let name = |action: &String| action.trim_start_matches("kms:").replace(FUTURE, "*");
    actions.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Returns the gravest of what actions risk in somebody's hands.
fn risk(heading: &Heading, actions: &BTreeSet<String>) -> Risk {
    let reach = match heading.reach {
        Distance::Own => Risk::Routine,
        Distance::Foreign => Risk::CrossAccount,
        Distance::Everyone => Risk::Public,
    };
    let grants = heading.phrases.iter().any(|phrase| phrase.lead == "only for AWS resources");
    let of = |action: &String| if grants && action == "kms:CreateGrant" { Risk::Routine } else { action_risk(action) };
    actions.iter().map(of).chain([reach]).max().unwrap_or(Risk::Routine)
}

/// Returns what an action risks.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-administrators>
fn action_risk(action: &str) -> Risk {
    match action.trim_start_matches("kms:") {
        "PutKeyPolicy" | "CreateGrant" | "ReplicateKey" | "RevokeGrant" => Risk::Escalation,
        "Decrypt" | "ReEncryptFrom" | "DeriveSharedSecret" | "Decapsulate" => Risk::Decrypt,
        "ScheduleKeyDeletion" | "DisableKey" | "DeleteImportedKeyMaterial" | "ImportKeyMaterial" => Risk::Destroy,
        "CancelKeyDeletion"
        | "CreateAlias"
        | "DeleteAlias"
        | "DisableKeyRotation"
        | "EnableKey"
        | "EnableKeyRotation"
        | "GetParametersForImport"
        | "RotateKeyOnDemand"
        | "SynchronizeMultiRegionKey"
        | "TagResource"
        | "UntagResource"
        | "UpdateAlias"
        | "UpdateKeyDescription"
        | "UpdatePrimaryRegion" => Risk::Administer,
        name if name.contains(FUTURE) => Risk::Administer,
        _ => Risk::Routine,
    }
}
