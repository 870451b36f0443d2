//! For a refusal: what came nearest to allowing the call, and what it lacks.

use super::alternatives::Alternatives;
use super::caller::Match;
use super::combine::{Sides, Way, find, unknown_key, way_holds};
use super::context::{Call, Value};
use super::facts::{ContextValue, Guardrails, KeyFacts, PrincipalFacts, Request};
use super::grant;
use super::layer::{Held, Need, Place};
use super::statement::{Kind, elements, names};
use super::trace::Sources;
use super::truth::Truth;
use super::verdict::{Layer, TraceEntry};
use crate::policy::{Condition, Effect, PolicyDocument, Statement};

/// How many near misses are worth telling.
const MOST: usize = 16;

/// A statement, grant or layer that would allow the call, if something else were so; of a deny: what it hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// Where it stands.
    pub source: TraceEntry,
    /// What keeps it from allowing the call; never empty. Of a deny that holds: the conditions by which it does, of
    /// which one would have to fail, and the deny itself.
    pub failing: Vec<Failing>,
}

/// What does not fit a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failing {
    /// It is about others.
    Principal,
    /// It is about other actions.
    Action,
    /// It is about other resources.
    Resource,
    /// A condition does not hold, or is not known to.
    Condition {
        /// The condition.
        condition: Condition,
        /// What the call has for the condition's key; `None`: nothing, or not known.
        given: Option<ContextValue>,
    },
    /// Something else is needed, in words: `no identity policy of role/App allows kms:Decrypt on …`.
    Layer(String),
}

impl Failing {
    /// Returns how far it is from being mended.
    fn weight(&self) -> usize {
        match self {
            Self::Condition { .. } => 2,
            Self::Layer(_) => 3,
            Self::Resource => 4,
            Self::Principal => 5,
            Self::Action => 6,
        }
    }
}

/// Returns what came nearest to allowing a call, nearest first; nothing where it is allowed.
pub fn near_misses(
    request: &Request,
    principal: &PrincipalFacts,
    key: Option<&KeyFacts>,
    guardrails: &Guardrails,
) -> Vec<NearMiss> {
    let call = Call::new(request, principal, key);
    let findings = find::<Held>(&call, guardrails);
    if findings.allowed() == Some(true) {
        return Vec::new();
    }
    let sources = Sources { call: &call, guardrails: Some(guardrails), trust: None };
    let sides = Sides::<Held>::judge(&call, guardrails);
    let ways = if unknown_key(&call).is_some() { Vec::new() } else { sides.ways(&call) };
    let allowed = ways.iter().any(|way| way_holds(way) == Truth::True);
    let mut found = sources.denying(guardrails, allowed);
    let mut allows = if allowed { Vec::new() } else { sources.nearly(&ways) };
    allows.sort_by_cached_key(|miss| (weight(miss), miss.source.layer, miss.source.statement));
    found.extend(allows);
    if found.is_empty() {
        let entries = sources.evaluation(&findings).trace.into_iter();
        found.extend(entries.map(|source| NearMiss { failing: vec![Failing::Layer(source.text.clone())], source }));
    }
    found.truncate(MOST);
    found
}

impl Sources<'_> {
    /// Returns the denies that hold, each with its conditions; where something allows the call also those that may.
    fn denying(&self, guardrails: &Guardrails, allowed: bool) -> Vec<NearMiss> {
        let deny = Sides::<Alternatives>::judge(self.call, guardrails).deny();
        let counts = |held: &&Held| held.truth == Truth::True || allowed;
        let held = deny.clauses().iter().flatten().filter(counts);
        let miss = |held: &Held| {
            let source = self.source(held);
            let mut failing = self.conditions_at(held.at);
            failing.push(Failing::Layer(source.text.clone()));
            NearMiss { source, failing }
        };
        held.map(miss).collect()
    }

    fn conditions_at(&self, at: Option<Place>) -> Vec<Failing> {
        let Some(Place::Statement(layer, policy, statement)) = at else { return Vec::new() };
        let document = self.document(layer, policy);
        let statement = document.and_then(|document| document.statements.get(statement));
        statement.into_iter().flat_map(|statement| &statement.conditions).map(|c| self.condition(c.clone())).collect()
    }

    fn condition(&self, condition: Condition) -> Failing {
        let given = self.call.value(&condition.key).and_then(|value| match value {
            Value::One(text) => Some(ContextValue::One(text.into_owned())),
            Value::Many(texts) => Some(ContextValue::Many(texts.into_iter().map(str::to_owned).collect())),
            Value::Open(_) => None,
        });
        Failing::Condition { condition, given }
    }

    /// Returns what would make each way hold: for each part that it lacks the statements that nearly give it, with the
    /// other parts that it lacks.
    fn nearly(&self, ways: &[Way]) -> Vec<NearMiss> {
        let mut found: Vec<NearMiss> = Vec::new();
        for way in ways {
            let lacking: Vec<&Held> = way.iter().filter(|held| held.truth != Truth::True).collect();
            for held in &lacking {
                let others = lacking.iter().filter(|other| other.need != held.need);
                let others: Vec<Failing> = others.map(|other| Failing::Layer(self.lack(other))).collect();
                for mut miss in self.candidates(held) {
                    miss.failing.extend(others.clone());
                    add(&mut found, miss);
                }
            }
        }
        found
    }

    /// Returns what nearly gives a part of a decision; the part itself where nothing does.
    fn candidates(&self, held: &Held) -> Vec<NearMiss> {
        let key = self.call.key;
        let found: Vec<NearMiss> = match held.need {
            Need::Direct | Need::ViaRole | Need::Account | Need::Admitted => {
                let documents = key.into_iter().flat_map(|key| {
                    let ram = key.ram_policy.iter().map(|policy| (Layer::RamPolicy, policy));
                    std::iter::once((Layer::KeyPolicy, &key.policy)).chain(ram)
                });
                documents.flat_map(|(layer, document)| self.statements(layer, [document], held.need)).collect()
            }
            Need::Identity => self.statements(Layer::Identity, &self.call.caller.facts.identity_policies, held.need),
            Need::Boundary => self.statements(Layer::Boundary, &self.call.caller.facts.permissions_boundary, held.need),
            Need::Session => self.statements(Layer::Session, &self.call.caller.facts.session_policy, held.need),
            Need::Scp => {
                let levels = self.guardrails.into_iter().flat_map(|rails| &rails.scps);
                self.statements(Layer::Scp, levels.flatten(), held.need)
            }
            Need::Grant => (0..key.map_or(0, |key| key.grants.len())).filter_map(|at| self.grant(at)).collect(),
            Need::Nothing
            | Need::Deny
            | Need::Retirer
            | Need::RetiringAccount
            | Need::OwnGrant
            | Need::Reach
            | Need::OwnAlias
            | Need::NotRoot => Vec::new(),
        };
        let itself = || {
            let text = self.lack(held);
            NearMiss { source: self.entry_saying(held, text.clone()), failing: vec![Failing::Layer(text)] }
        };
        if found.is_empty() { vec![itself()] } else { found }
    }

    fn lack(&self, held: &Held) -> String {
        match held.truth {
            Truth::Unknown(open) => open.reason().to_owned(),
            Truth::True | Truth::False => self.fails(held.need),
        }
    }

    fn statements<'d>(
        &self,
        layer: Layer,
        documents: impl IntoIterator<Item = &'d PolicyDocument>,
        need: Need,
    ) -> Vec<NearMiss> {
        let numbered = documents.into_iter().enumerate();
        let each = numbered.flat_map(|(policy, document)| {
            document.statements.iter().enumerate().map(move |(at, statement)| (policy, document, at, statement))
        });
        let fits = |statement: &Statement| {
            statement.effect == Effect::Allow
                && statement.inert.is_none()
                && fits(names(statement, &self.call.caller).sure, need)
        };
        let each = each.filter(|(.., statement)| fits(statement));
        let misses = each.filter_map(|(policy, document, at, statement)| {
            let failing = self.failing(document, statement, need);
            let both = failing.contains(&Failing::Principal) && failing.contains(&Failing::Action);
            let held = Held::new(need, Truth::False, Some(Place::Statement(layer, policy, at)));
            let source = self.entry_saying(&held, self.would_allow(&failing));
            (!failing.is_empty() && !both).then_some(NearMiss { source, failing })
        });
        misses.collect()
    }

    fn failing(&self, document: &PolicyDocument, statement: &Statement, need: Need) -> Vec<Failing> {
        let found = elements(statement, &document.version, Kind::WithResources, self.call);
        let named = matches!(need, Need::Direct | Need::ViaRole | Need::Account | Need::Admitted);
        let named = named.then(|| names(statement, &self.call.caller));
        let principal = named.is_some_and(|named| named.sure.is_none()).then_some(Failing::Principal);
        let action = (!found.action).then_some(Failing::Action);
        let resource = (found.resource != Truth::True).then_some(Failing::Resource);
        let conditions = found.conditions.into_iter().filter(|(_, truth)| *truth != Truth::True);
        let conditions = conditions.map(|(condition, _)| self.condition(condition.clone()));
        principal.into_iter().chain(action).chain(resource).chain(conditions).collect()
    }

    fn grant(&self, at: usize) -> Option<NearMiss> {
        let grant = self.call.key?.grants.get(at)?;
        let principal = (grant::is_grantee(&grant.grantee, self.call) != Truth::True).then_some(Failing::Principal);
        let action = (!grant::has_operation(grant, self.call)).then_some(Failing::Action);
        let narrower = grant::narrower(grant, self.call) != Truth::True;
        let narrower = narrower.then(|| Failing::Layer("the grant allows narrower grants only".to_owned()));
        let conditions = grant::conditions(grant, self.call).into_iter();
        let conditions = conditions.filter(|(_, truth)| *truth != Truth::True).map(|(c, _)| self.condition(c));
        let failing: Vec<Failing> = principal.into_iter().chain(action).chain(conditions).chain(narrower).collect();
        let both = failing.contains(&Failing::Principal) && failing.contains(&Failing::Action);
        let held = Held::new(Need::Grant, Truth::False, Some(Place::Grant(at)));
        let source = self.entry_saying(&held, self.would_allow(&failing));
        (!failing.is_empty() && !both).then_some(NearMiss { source, failing })
    }

    fn would_allow(&self, failing: &[Failing]) -> String {
        let part = |failing: &Failing| match failing {
            Failing::Principal => "principal",
            Failing::Action => "actions",
            Failing::Resource => "resource",
            Failing::Condition { .. } => "conditions",
            Failing::Layer(_) => "limits",
        };
        let mut parts: Vec<&str> = failing.iter().map(part).collect();
        parts.dedup();
        format!(
            "would allow {} to {} if it were not for its {}",
            self.call.request.action,
            self.who(),
            crate::text::and_list(&parts)
        )
    }
}

/// Returns whether a statement that names the caller in some form can give a part of a decision; one that does not name
/// the caller could, if it did.
fn fits(named: Option<Match>, need: Need) -> bool {
    match (named, need) {
        (Some(Match::Direct), Need::ViaRole | Need::Account)
        | (Some(Match::ViaRole), Need::Direct | Need::Account)
        | (Some(Match::Account), Need::Direct | Need::ViaRole) => false,
        (Some(Match::Direct | Match::ViaRole | Match::Account) | None, _) => true,
    }
}

/// Keeps of two misses of the same source the nearer.
fn add(found: &mut Vec<NearMiss>, miss: NearMiss) {
    let same = |other: &&mut NearMiss| {
        let (left, right) = (&other.source, &miss.source);
        (left.layer, left.statement, &left.id) == (right.layer, right.statement, &right.id)
            && (left.statement.is_some() || left.layer == Layer::Grant || left.text == right.text)
    };
    match found.iter_mut().find(same) {
        Some(other) if weight(&miss) < weight(other) => *other = miss,
        Some(_) => {}
        None => found.push(miss),
    }
}

fn weight(miss: &NearMiss) -> usize {
    miss.failing.iter().map(Failing::weight).sum()
}
