//! In which cases a call is allowed, where parts of it are not known.
//!
//! What the evaluator leaves open is written down as the conditions that decide it, with the statement or grant that
//! they stand in. There is no second evaluator: the parts of a decision are put together as always, only that every
//! alternative is kept instead of the surest.

use super::alternatives::Alternatives;
use super::combine::{Findings, Way, find};
use super::context::Call;
use super::facts::{Guardrails, KeyFacts, PrincipalFacts, Request};
use super::grant;
use super::layer::{Held, Need, Place};
use super::statement::{Kind, elements};
use super::trace::Sources;
use super::truth::{Open, Truth};
use super::variable::literal;
use super::verdict::{Decision, Layer, TraceEntry};
use crate::policy::{Condition, ConditionValue, PolicyVersion};
use std::collections::BTreeSet;

/// How many ways a residual lists; beyond them it says how many more there are.
const MOST_WAYS: usize = 64;

/// In which cases a call is allowed, where parts of it are not known
/// ([`Request::unknown`], [`Knowledge::NameOnly`](super::Knowledge::NameOnly)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residual {
    /// `Allow`: always. `ExplicitDeny`: never, as a statement denies it. `ImplicitDeny`: never. `Undetermined`: it depends
    /// on `ways` and `denies`, or AWS's documentation leaves it open.
    pub decision: Decision,
    /// The ways in which it can be allowed, the least demanding first; one that demands more than another is left out.
    pub ways: Vec<ResidualWay>,
    /// Denies that may apply: each forbids the call where all its conditions hold.
    pub denies: Vec<ResidualTerm>,
}

/// One way in which a call can be allowed: all its terms must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidualWay {
    /// The key policy's statement; or the delegation, the identity policy's statement, the boundary's, the session
    /// policy's and that of each level of service control policies; or the grant.
    pub terms: Vec<ResidualTerm>,
}

/// A statement or grant, and what it demands that is not decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidualTerm {
    /// Where it stands, and what it does.
    pub source: TraceEntry,
    /// Its conditions that are not decided; all must hold. Constraints of a grant are written as conditions on
    /// `kms:EncryptionContext:…` and `aws:SourceArn`; that there are exactly some pairs, also as
    /// `ForAllValues:StringEquals` on `kms:EncryptionContextKeys`.
    pub conditions: Vec<Condition>,
    /// Why it is open for other reasons than conditions.
    pub open: Option<String>,
}

impl ResidualWay {
    /// Returns the conditions of all terms, each once, in the order of the terms.
    pub fn conditions(&self) -> Vec<&Condition> {
        let mut seen = BTreeSet::new();
        self.terms.iter().flat_map(|term| &term.conditions).filter(|condition| seen.insert(folded(condition))).collect()
    }

    /// Returns the first reason for which it is open besides conditions.
    pub fn open(&self) -> Option<&str> {
        self.terms.iter().find_map(|term| term.open.as_deref())
    }

    fn demands(&self) -> Demands {
        Demands::of(&self.terms)
    }
}

/// Returns in which cases a call is allowed.
pub fn residual(
    request: &Request,
    principal: &PrincipalFacts,
    key: Option<&KeyFacts>,
    guardrails: &Guardrails,
) -> Residual {
    let call = Call::new(request, principal, key);
    let findings: Findings<Alternatives> = find(&call, guardrails);
    let sources = Sources { call: &call, guardrails: Some(guardrails), trust: None };
    let denies = sources.open_denies(&findings);
    let (mut ways, unseen) = sources.open_ways(&findings);
    let possible = ways.len();
    ways.retain(|way| !denies.iter().any(|deny| deny.open.is_none() && way.demands().include(deny)));
    let decision = findings.decision();
    // Where what each way demands makes a deny apply, nothing is left open.
    let never = ways.is_empty() && possible > 0 && unseen == 0 && matches!(decision, Decision::Undetermined(_));
    let decision = if never { Decision::ImplicitDeny } else { decision };
    Residual { decision, ways: listed(ways, unseen), denies }
}

/// Leaves out the last ways where there are too many, and says how many are missing.
fn listed(mut ways: Vec<ResidualWay>, unseen: usize) -> Vec<ResidualWay> {
    let always = ways.iter().any(|way| way.demands() == Demands::default());
    let more = ways.len().saturating_sub(MOST_WAYS).saturating_add(if always { 0 } else { unseen });
    ways.truncate(MOST_WAYS);
    ways.extend((more > 0).then(|| unlisted(more)));
    ways
}

/// Returns what stands for ways that are not listed.
fn unlisted(more: usize) -> ResidualWay {
    let text = format!("{}, not listed", crate::text::plural(more, "more way"));
    let source = TraceEntry { layer: Layer::KeyPolicy, statement: None, id: None, text: text.clone() };
    ResidualWay { terms: vec![ResidualTerm { source, conditions: Vec::new(), open: Some(text) }] }
}

impl Sources<'_> {
    fn open_denies(&self, findings: &Findings<Alternatives>) -> Vec<ResidualTerm> {
        let held = findings.deny.clauses().iter().flatten();
        least_demanding(held.map(|held| self.term(held)).collect())
    }

    /// Returns the ways, the least demanding first, and how many more combinations there are.
    fn open_ways(&self, findings: &Findings<Alternatives>) -> (Vec<ResidualWay>, usize) {
        let (mut ways, mut unseen) = (Vec::new(), 0_usize);
        for (some, more) in findings.ways.iter().map(|way| self.combinations(way)) {
            ways.extend(some);
            unseen = unseen.saturating_add(more);
        }
        ways.sort_by_cached_key(|way| (way.demands().cost(), way.terms.iter().map(place).collect::<Vec<_>>()));
        let mut kept: Vec<(Demands, ResidualWay)> = Vec::new();
        for way in ways {
            let demands = way.demands();
            if !kept.iter().any(|(fewer, _)| fewer.are_among(&demands)) {
                kept.push((demands, way));
            }
        }
        (kept.into_iter().map(|(_, way)| way).collect(), unseen)
    }

    /// Returns the first choices of one alternative for each clause of a way, none where a clause has no alternative;
    /// and how many more there are.
    fn combinations(&self, way: &Way<Alternatives>) -> (Vec<ResidualWay>, usize) {
        let clauses = way.iter().flat_map(Alternatives::clauses);
        let clauses: Vec<Vec<ResidualTerm>> = clauses.map(|clause| self.alternatives(clause)).collect();
        let count = clauses.iter().fold(1_usize, |count, clause| count.saturating_mul(clause.len()));
        let choose = |number: usize| {
            let mut rest = number;
            let terms = clauses.iter().filter_map(|clause| {
                let term = clause.get(rest % clause.len().max(1));
                rest /= clause.len().max(1);
                term.cloned()
            });
            ResidualWay { terms: terms.collect() }
        };
        ((0..count.min(MOST_WAYS)).map(choose).collect(), count.saturating_sub(MOST_WAYS))
    }

    /// Returns the alternatives of a clause: the first that certainly holds, else all that may.
    fn alternatives(&self, clause: &[Held]) -> Vec<ResidualTerm> {
        match clause.iter().find(|held| held.truth == Truth::True) {
            Some(sure) => vec![self.term(sure)],
            None => least_demanding(clause.iter().map(|held| self.term(held)).collect()),
        }
    }

    fn term(&self, held: &Held) -> ResidualTerm {
        let (conditions, open) = match (held.truth, held.at) {
            (Truth::True | Truth::False, _) => (Vec::new(), None),
            (Truth::Unknown(_), Some(Place::Statement(layer, policy, statement))) => {
                self.undecided_of_statement((layer, policy, statement), held.named)
            }
            (Truth::Unknown(_), Some(Place::Grant(at))) if held.need == Need::Grant => self.undecided_of_grant(at),
            (Truth::Unknown(open), Some(Place::Grant(_)) | None) => (Vec::new(), Some(open)),
        };
        ResidualTerm { source: self.source(held), conditions, open: open.map(|open| open.reason().to_owned()) }
    }

    fn undecided_of_statement(
        &self,
        (layer, policy, at): (Layer, usize, usize),
        named: Option<Open>,
    ) -> (Vec<Condition>, Option<Open>) {
        let document = self.document(layer, policy);
        let Some((document, statement)) = document.and_then(|document| Some((document, document.statements.get(at)?)))
        else {
            return (Vec::new(), named);
        };
        let kind = if layer == Layer::Trust { Kind::Trust } else { Kind::WithResources };
        let found = elements(statement, &document.version, kind, self.call);
        let (conditions, open) =
            undecided(found.conditions.into_iter().map(|(c, truth)| (independent(c, &document.version), truth)));
        let of_resource = Some(found.resource).and_then(reason);
        (conditions, named.or(of_resource).or(open))
    }

    fn undecided_of_grant(&self, at: usize) -> (Vec<Condition>, Option<Open>) {
        let Some(grant) = self.call.key.and_then(|key| key.grants.get(at)) else { return (Vec::new(), None) };
        let (conditions, open) = undecided(grant::conditions(grant, self.call));
        let others = [grant::is_grantee(&grant.grantee, self.call), grant::narrower(grant, self.call)];
        (conditions, others.into_iter().find_map(reason).or(open))
    }
}

fn reason(truth: Truth) -> Option<Open> {
    match truth {
        Truth::Unknown(open) => Some(open),
        Truth::True | Truth::False => None,
    }
}

/// Parts conditions into those that depend on what was not given, and why others are open.
fn undecided(judged: impl IntoIterator<Item = (Condition, Truth)>) -> (Vec<Condition>, Option<Open>) {
    let (mut conditions, mut other): (Vec<Condition>, Option<Open>) = (Vec::new(), None);
    for (condition, truth) in judged {
        match truth {
            Truth::Unknown(Open::NotGiven) => conditions.push(condition),
            Truth::Unknown(open) => other = other.or(Some(open)),
            Truth::True | Truth::False => {}
        }
    }
    (conditions, other)
}

/// Returns a condition as a document of the current version would write it: without that, variables are literal text.
fn independent(condition: &Condition, version: &PolicyVersion) -> Condition {
    let mut condition = condition.clone();
    if *version != PolicyVersion::V2012 {
        for value in &mut condition.values {
            if let ConditionValue::Text(text) = value {
                *text = literal(text);
            }
        }
    }
    condition
}

/// What has to hold: conditions in a form that compares equal, and reasons for which it is open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Demands {
    conditions: BTreeSet<(String, String, Vec<String>)>,
    open: BTreeSet<String>,
}

impl Demands {
    fn of<'t>(terms: impl IntoIterator<Item = &'t ResidualTerm>) -> Self {
        let mut demands = Self::default();
        for term in terms {
            demands.conditions.extend(term.conditions.iter().map(folded));
            demands.open.extend(term.open.clone());
        }
        demands
    }

    /// Returns whether others demand all this, and perhaps more.
    fn are_among(&self, others: &Self) -> bool {
        self.conditions.is_subset(&others.conditions) && self.open.is_subset(&others.open)
    }

    /// Returns whether everything that a deny asks for is demanded: it then always applies.
    fn include(&self, deny: &ResidualTerm) -> bool {
        Self::of([deny]).conditions.is_subset(&self.conditions)
    }

    /// Returns how much is demanded; what is open weighs most.
    fn cost(&self) -> (usize, usize) {
        (self.open.len(), self.conditions.len())
    }
}

/// Returns a condition in a form in which those that say the same are equal: key in lower case, values in order.
fn folded(condition: &Condition) -> (String, String, Vec<String>) {
    let mut values: Vec<String> = condition.values.iter().map(|value| value.as_text().to_owned()).collect();
    values.sort();
    values.dedup();
    (condition.key.to_ascii_lowercase(), condition.operator.0.clone(), values)
}

fn place(term: &ResidualTerm) -> (Layer, Option<(usize, usize)>, Option<String>) {
    (term.source.layer, term.source.statement, term.source.id.clone())
}

/// Leaves out terms that demand more than others, and sorts by what is demanded.
fn least_demanding(mut terms: Vec<ResidualTerm>) -> Vec<ResidualTerm> {
    terms.sort_by_cached_key(|term| (Demands::of([term]).cost(), place(term)));
    let mut kept: Vec<ResidualTerm> = Vec::new();
    for term in terms {
        let demands = Demands::of([&term]);
        if !kept.iter().any(|fewer| Demands::of([fewer]).are_among(&demands)) {
            kept.push(term);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
