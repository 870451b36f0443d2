//! Who can do what on which key under which conditions: a row for each.

use super::line::{action_list, capabilities_of, shape_of};
use super::symbolic::is_decided_by_keys;
use super::who_can::{Answer, Verdict, WhoCan, denies_of};
use crate::access::{Layer, Request, ResidualTerm, ResidualWay, TraceEntry, Unknown};
use crate::ids::TargetName;
use crate::kms::{ACTIONS, KmsAction};
use crate::world::{World, WorldKey};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody can do on a key under some conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixRow {
    /// The key's name.
    pub key: String,
    /// The target that it is in.
    pub target: TargetName,
    /// Who, as people read it.
    pub principal: String,
    /// The ARN, or the service; of an account's IAM the root's ARN, of everybody `*`.
    pub arn: String,
    /// What: a capability's name where the actions are one's, else the actions.
    pub capability: String,
    /// The exact actions.
    pub actions: BTreeSet<String>,
    /// Conditions in words, all of which must hold; empty: none.
    pub conditions: Vec<String>,
    /// Whether it can.
    pub verdict: Verdict,
    /// The statements and grants by which it can.
    pub sources: Vec<TraceEntry>,
}

/// Somebody under some conditions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Heading {
    principal: String,
    arn: String,
    conditions: Vec<String>,
    verdict: Verdict,
}

/// Where a statement or grant stands.
type SourcePlace = (Layer, Option<(usize, usize)>, Option<String>);

/// What is gathered under a heading.
#[derive(Debug, Default)]
struct Gathered {
    actions: BTreeSet<String>,
    sources: BTreeMap<SourcePlace, TraceEntry>,
}

/// Returns what everybody can do on some keys: for each principal, capability and set of conditions a row, by key, then
/// principal.
pub fn matrix<'k>(world: &World, keys: impl IntoIterator<Item = &'k WorldKey>) -> Vec<MatrixRow> {
    let asking = WhoCan::new(world);
    keys.into_iter().flat_map(|key| asking.rows(key)).collect()
}

impl WhoCan<'_> {
    /// Returns the rows of a key.
    pub fn rows(&self, key: &WorldKey) -> Vec<MatrixRow> {
        let mut found: BTreeMap<Heading, Gathered> = BTreeMap::new();
        for action in ACTIONS.iter().filter(|action| is_decided_by_keys(action.scope)) {
            for answer in self.ask(action.full, key, &open_request(key)) {
                self.gather(&answer, action, key, &mut found);
            }
        }
        found.iter().flat_map(|(heading, gathered)| rows(key, heading, gathered)).collect()
    }

    fn gather(&self, answer: &Answer, action: &KmsAction, key: &WorldKey, found: &mut BTreeMap<Heading, Gathered>) {
        for way in &answer.residual.ways {
            let denies = denies_of(answer, way);
            let heading = Heading {
                principal: answer.principal.clone(),
                arn: answer.arn.clone(),
                verdict: verdict(way, &denies),
                conditions: self.conditions_of(answer, way, &denies, key),
            };
            let gathered = found.entry(heading).or_default();
            gathered.actions.insert(action.full.to_owned());
            for term in way.terms.iter().filter(|term| term.source.statement.is_some() || term.source.id.is_some()) {
                let source = term.source.clone();
                gathered.sources.entry((source.layer, source.statement, source.id.clone())).or_insert(source);
            }
        }
    }
}

/// Returns whether calls go one way: with conditions sometimes, without always.
fn verdict(way: &ResidualWay, denies: &[&ResidualTerm]) -> Verdict {
    let open = denies.iter().filter(|deny| deny.conditions.is_empty()).find_map(|deny| deny.open.as_deref());
    match way.open().or(open) {
        Some(reason) => Verdict::Undetermined(reason.to_owned()),
        None if way.conditions().is_empty() && denies.is_empty() => Verdict::Always,
        None => Verdict::Sometimes,
    }
}

/// Returns a call of which nothing is known.
fn open_request(key: &WorldKey) -> Request {
    let region = key.facts.region.clone();
    Request { unknown: Unknown::Everything, ..Request::new("", key.facts.arn.clone(), region) }
}

/// Names actions by capabilities whose actions are all under the same heading, the others one by one.
fn rows(key: &WorldKey, heading: &Heading, gathered: &Gathered) -> Vec<MatrixRow> {
    let row = |capability: String, actions: BTreeSet<String>| MatrixRow {
        key: key.name.clone(),
        target: key.target.clone(),
        principal: heading.principal.clone(),
        arn: heading.arn.clone(),
        capability,
        actions,
        conditions: heading.conditions.clone(),
        verdict: heading.verdict.clone(),
        sources: gathered.sources.values().cloned().collect(),
    };
    let mut left = gathered.actions.clone();
    let mut rows = Vec::new();
    for (capability, mut actions) in capabilities_of(shape_of(&key.facts)) {
        actions.retain(|action| KmsAction::find(action).is_some());
        let own: BTreeSet<String> = left.intersection(&actions).cloned().collect();
        if actions.is_subset(&gathered.actions) && !own.is_empty() {
            left.retain(|action| !own.contains(action));
            rows.push(row(capability, own));
        }
    }
    if !left.is_empty() {
        rows.push(row(action_list(&left), left));
    }
    rows
}
