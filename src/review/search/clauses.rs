//! Conditions and grants as clauses over the knobs of a request; the evaluator says which settings satisfy them.

use super::bench::Truth;
use super::formula::Builder;
use super::knobs::{Kind, Kinds, PAIR, Use, equals};
use super::pattern::variables;
use super::solve::{Clause, Values};
use super::space::{EQUALS, Setting, Slot};
use super::workshop::Verdicts;
use crate::access::{GrantConstraints, GrantFacts};
use crate::kms::KmsAction;
use crate::policy::{Effect, PolicyVersion};
use crate::review::imply::Operator;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Clauses of which one must hold.
#[derive(Debug, Clone)]
pub(super) struct Dnf(pub(super) Vec<Clause>);

/// How many clauses one statement may become.
const MOST: usize = 4_096;

impl Dnf {
    pub(super) fn never() -> Self {
        Self(Vec::new())
    }

    fn always() -> Self {
        Self(vec![Clause::default()])
    }

    fn of(clause: Clause) -> Self {
        Self(vec![clause])
    }

    /// Returns that both hold; `None` if that takes too many clauses.
    pub(super) fn times(&self, other: &Self) -> Option<Self> {
        if self.0.len().checked_mul(other.0.len()).is_none_or(|count| count > MOST) {
            return None;
        }
        let both = self.0.iter().flat_map(|one| other.0.iter().map(|other| one.and(other)));
        Some(Self(both.filter(|clause| !clause.is_impossible()).collect()))
    }

    /// Adds a way to hold, unless it is none.
    fn or(&mut self, clause: Clause) {
        if !clause.is_impossible() {
            self.0.push(clause);
        }
    }
}

/// The settings of a knob by what a condition says to them.
struct Judged {
    knob: usize,
    said: Verdicts,
}

/// Makes clauses.
pub(super) struct Clauses<'a> {
    pub(super) builder: Builder<'a>,
    pub(super) kinds: Kinds,
}

/// Why a condition with a variable stays open.
const VARIABLE: &str = "a policy variable stands for a condition key that can have any value";

impl Clauses<'_> {
    /// Returns that AWS reads something in one way; of course, if nothing is open.
    pub(super) fn if_read(&mut self, reading: Option<&(String, String)>) -> Dnf {
        reading.map_or_else(Dnf::always, |(name, reason)| Dnf::of(self.read(name, reason)))
    }

    fn read(&mut self, name: &str, reason: &str) -> Clause {
        let knob = self.builder.reading(name, reason);
        Clause::of(knob, Values::none(2).with(1))
    }

    /// Returns when a condition holds.
    pub(super) fn condition(&mut self, asked: &Use<'_>) -> Dnf {
        if !asked.condition.operator.is_known() {
            return Dnf::never();
        }
        let key = asked.condition.key.to_ascii_lowercase();
        match self.kinds.by_key.get(&key).cloned() {
            None | Some(Kind::Fixed) => self.fixed(asked),
            Some(Kind::One(knob)) => {
                let judged = self.judge(asked, knob);
                let mut held = Dnf::never();
                held.or(Clause::of(knob, judged.said.yes.clone()));
                if let Some(reason) = &judged.said.why {
                    held.or(Clause::of(knob, judged.said.open.clone()).and(&self.read(&name(asked), reason)));
                }
                held
            }
            Some(Kind::List(knobs) | Kind::PairKeys(knobs)) => {
                match self.kinds.missing.get("kms:encryptioncontextkeys") {
                    Some(reason) if key == "kms:encryptioncontextkeys" => Dnf::of(self.read(&name(asked), reason)),
                    _ => self.list(asked, &knobs),
                }
            }
        }
    }

    fn fixed(&mut self, asked: &Use<'_>) -> Dnf {
        let request = self.builder.request.clone();
        match self.ask(asked, request) {
            Truth::Yes => Dnf::always(),
            Truth::No => Dnf::never(),
            Truth::Open(reason) => {
                let aliases = self.builder.shop.benches.get(asked.side).map(|bench| bench.aliases().to_vec());
                Dnf::of(self.read(&format!("{} {aliases:?}", name(asked)), &reason))
            }
        }
    }

    fn ask(&mut self, asked: &Use<'_>, request: crate::access::Request) -> Truth {
        let named = asked.condition.values.iter().flat_map(|value| variables(value.as_text(), asked.version));
        let open: BTreeSet<String> = named.filter(|key| self.kinds.open.contains(key)).collect();
        match self.builder.holds(asked, request, &open) {
            Truth::Open(_) if !open.is_empty() => Truth::Open(VARIABLE.to_owned()),
            truth @ (Truth::Yes | Truth::No | Truth::Open(_)) => truth,
        }
    }

    /// Judges the settings of a knob, all others left alone.
    fn judge(&mut self, asked: &Use<'_>, knob: usize) -> Judged {
        let settings = self.builder.space.settings(knob).to_vec();
        let mut called = format!("{} {}", self.builder.request.action, name(asked));
        if called.contains("${") {
            // What variables stand for depends on the caller and on the key.
            called = format!("{called} {} {}", self.builder.caller.arn, asked.side);
        }
        let question = (called, settings);
        if let Some(said) = self.builder.shop.verdicts.get(&question) {
            return Judged { knob, said: said.clone() };
        }
        let none = Values::none(question.1.len());
        let mut said = Verdicts { absent: none.clone(), yes: none.clone(), open: none, why: None };
        let missing = self.kinds.missing.get(&asked.condition.key.to_ascii_lowercase()).copied();
        for (at, setting) in question.1.iter().enumerate() {
            if *setting == Setting::Absent {
                said.absent = said.absent.with(at);
            }
            match self.truth(asked, knob, setting, missing) {
                Truth::Yes => said.yes = said.yes.with(at),
                Truth::No => {}
                Truth::Open(reason) => {
                    said.open = said.open.with(at);
                    said.why.get_or_insert(reason);
                }
            }
        }
        self.builder.shop.verdicts.insert(question, said.clone());
        Judged { knob, said }
    }

    fn truth(&mut self, asked: &Use<'_>, knob: usize, setting: &Setting, missing: Option<&'static str>) -> Truth {
        let unseen = *setting == Setting::Unseen;
        if unseen && Operator::of(&asked.condition).base != "Null" {
            return Truth::Open(missing.unwrap_or(VARIABLE).to_owned());
        }
        // That a key is there is all that `Null` asks.
        let there = match self.builder.space.knobs.get(knob).map(|knob| &knob.slot) {
            Some(Slot::Pair(key)) => Setting::Pair(key.clone(), "x".to_owned()),
            _ => Setting::Text("x".to_owned()),
        };
        let set = (knob, if unseen { &there } else { setting });
        let constraint = self.builder.space.find(&Slot::Constraint).filter(|constraint| *constraint == knob);
        // A kind of constraint shows with pairs alone.
        let pair = Setting::Pair("x".to_owned(), "x".to_owned());
        let with_pair = constraint.and(self.kinds.pairs.first()).filter(|_| *setting != Setting::Absent);
        let request = self.builder.space.request(std::iter::once(set).chain(with_pair.map(|knob| (*knob, &pair))));
        self.ask(asked, request)
    }

    /// Returns when a condition on a list holds, of which each knob may add an element.
    fn list(&mut self, asked: &Use<'_>, knobs: &[usize]) -> Dnf {
        let judged: Vec<Judged> = knobs.iter().map(|knob| self.judge(asked, *knob)).collect();
        let nothing =
            judged.iter().fold(Clause::default(), |all, one| all.and(&Clause::of(one.knob, one.said.absent.clone())));
        let operator = Operator::of(&asked.condition);
        let (base, set) = (operator.base.to_owned(), operator.set.to_owned());
        if base == "Null" {
            return self.null(asked, &judged, nothing);
        }
        let why = judged.iter().find_map(|one| one.said.why.clone());
        let read = why.map(|reason| self.read(&name(asked), &reason));
        let mut held = Dnf::never();
        if set == "ForAllValues" {
            let all = |more: bool| {
                judged.iter().fold(Clause::default(), |all, one| {
                    let mut fitting = one.said.absent.union(&one.said.yes);
                    if more {
                        fitting = fitting.union(&one.said.open);
                    }
                    all.and(&Clause::of(one.knob, fitting))
                })
            };
            held.or(all(false));
            if let Some(read) = read {
                held.or(all(true).and(&read));
            }
            return held;
        }
        for one in &judged {
            held.or(Clause::of(one.knob, one.said.yes.without(&one.said.absent)));
            if let Some(read) = &read {
                held.or(Clause::of(one.knob, one.said.open.without(&one.said.absent)).and(read));
            }
        }
        let request = self.builder.space.request([]);
        if !self.is_never_empty(knobs) && self.ask(asked, request) == Truth::Yes {
            held.or(nothing);
        }
        held
    }

    fn null(&mut self, asked: &Use<'_>, judged: &[Judged], nothing: Clause) -> Dnf {
        let says = |text: &str| asked.condition.values.iter().any(|value| value.as_text().eq_ignore_ascii_case(text));
        let mut held = Dnf::never();
        if says("true") {
            held.or(nothing);
        }
        if says("false") {
            let sizes: Vec<usize> = judged.iter().map(|one| self.builder.space.settings(one.knob).len()).collect();
            for (one, size) in judged.iter().zip(sizes) {
                held.or(Clause::of(one.knob, Values::all(size).without(&one.said.absent)));
            }
        }
        held
    }

    /// A new grant has operations.
    fn is_never_empty(&self, knobs: &[usize]) -> bool {
        let slot = |knob: &usize| self.builder.space.knobs.get(*knob).map(|knob| &knob.slot);
        knobs.iter().any(|knob| matches!(slot(knob), Some(Slot::Operation(_))))
    }

    /// Returns when a grant allows, given that it names the caller and has the operation; `None` if that takes too
    /// many clauses.
    pub(super) fn grant(&mut self, grant: &GrantFacts, side: usize) -> Option<Dnf> {
        let mut held = Dnf::always();
        if let Some(arn) = &grant.constraints.source_arn {
            held = held.times(&self.literal("aws:SourceArn", arn, side))?;
        }
        if self.builder.space.is_new_grant() {
            return held.times(&self.narrower(grant, side)?);
        }
        let takes = KmsAction::find(&self.builder.request.action).is_some_and(|action| action.takes_encryption_context);
        if !takes {
            return Some(held);
        }
        let GrantConstraints { encryption_context_equals: exactly, encryption_context_subset: subset, .. } =
            &grant.constraints;
        for (pairs, whole) in exactly.iter().map(|pairs| (pairs, true)).chain(subset.iter().map(|pairs| (pairs, false)))
        {
            held = held.times(&self.pairs(pairs, whole))?;
        }
        Some(held)
    }

    fn literal(&mut self, key: &str, value: &str, side: usize) -> Dnf {
        let condition = Cow::Owned(equals(key, value));
        self.condition(&Use { condition, version: &PolicyVersion::V2008, effect: Effect::Allow, side })
    }

    /// Returns when the encryption context has some pairs, and no others if these are the whole.
    fn pairs(&mut self, pairs: &BTreeMap<String, String>, whole: bool) -> Dnf {
        let (sure, perhaps) = (self.having(pairs, false), self.having(pairs, true));
        let others = if whole { self.no_others(pairs) } else { Clause::default() };
        let mut held = Dnf::never();
        held.or(sure.and(&others));
        let reason = "the encryption context differs from a grant's constraint only in the case of its keys; AWS's pages contradict each other";
        if perhaps != sure {
            let read = self.read("case of constraint keys", reason);
            held.or(perhaps.and(&others).and(&read));
        }
        held
    }

    fn having(&self, pairs: &BTreeMap<String, String>, in_any_case: bool) -> Clause {
        pairs.iter().fold(Clause::default(), |all, (key, value)| {
            let fits = |setting: &Setting| match setting {
                Setting::Pair(own, text) => text == value && (in_any_case || own == key),
                Setting::Absent | Setting::Text(_) | Setting::Unseen => false,
            };
            match self.pair_knob(key) {
                Some(knob) => all.and(&Clause::of(knob, self.builder.space.values(knob, fits))),
                None => all.and(&Clause::of(0, Values::none(1))),
            }
        })
    }

    fn pair_knob(&self, key: &str) -> Option<usize> {
        match self.kinds.by_key.get(&format!("{PAIR}{}", key.to_ascii_lowercase())) {
            Some(Kind::One(knob)) => Some(*knob),
            Some(Kind::Fixed | Kind::List(_) | Kind::PairKeys(_)) | None => None,
        }
    }

    fn no_others(&self, pairs: &BTreeMap<String, String>) -> Clause {
        let own: BTreeSet<usize> = pairs.keys().filter_map(|key| self.pair_knob(key)).collect();
        let others = self.kinds.pairs.iter().filter(|knob| !own.contains(knob));
        others.fold(Clause::default(), |all, knob| all.and(&self.absent(*knob)))
    }

    fn absent(&self, knob: usize) -> Clause {
        Clause::of(knob, self.builder.space.values(knob, |setting| *setting == Setting::Absent))
    }

    fn present(&self, knob: usize) -> Clause {
        Clause::of(knob, self.builder.space.values(knob, |setting| *setting != Setting::Absent))
    }

    /// Returns when a new grant gives nothing that its parent does not.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/create-grant-overview.html#grant-creategrant>
    fn narrower(&mut self, parent: &GrantFacts, side: usize) -> Option<Dnf> {
        let mut all = Clause::default();
        for knob in 0..self.builder.space.knobs.len() {
            let foreign = match self.builder.space.knobs.get(knob).map(|knob| &knob.slot) {
                Some(Slot::Operation(name)) => !parent.operations.contains(name),
                _ => false,
            };
            if foreign {
                all = all.and(&self.absent(knob));
            }
        }
        let constraints = &parent.constraints;
        let wanted = [(&constraints.encryption_context_equals, true), (&constraints.encryption_context_subset, false)];
        for (pairs, whole) in wanted.into_iter().filter_map(|(pairs, whole)| Some((pairs.as_ref()?, whole))) {
            let knob = self.builder.space.find(&Slot::Constraint)?;
            let fits = |setting: &Setting| {
                if whole { *setting == Setting::Text(EQUALS.to_owned()) } else { *setting != Setting::Absent }
            };
            all = all.and(&Clause::of(knob, self.builder.space.values(knob, fits))).and(&self.having(pairs, false));
            if whole {
                all = all.and(&self.no_others(pairs));
            }
        }
        let held = Dnf::of(all);
        match &constraints.source_arn {
            Some(arn) => held.times(&self.literal("kms:GrantConstraintSourceArn", arn, side)),
            None => Some(held),
        }
    }

    /// Returns what no request is: a new grant with a kind of constraint and no pairs, or pairs and no kind; one
    /// without operations; one for nobody or for two.
    pub(super) fn never(&self) -> Vec<Clause> {
        let mut never = Vec::new();
        if let Some(kind) = self.builder.space.find(&Slot::Constraint) {
            let nothing = self.kinds.pairs.iter().fold(self.present(kind), |all, knob| all.and(&self.absent(*knob)));
            never.push(nothing);
            never.extend(self.kinds.pairs.iter().map(|knob| self.present(*knob).and(&self.absent(kind))));
        }
        let knobs = 0..self.builder.space.knobs.len();
        let operations: Vec<usize> = knobs.filter(|knob| self.is_never_empty(&[*knob])).collect();
        if !operations.is_empty() {
            never.push(operations.iter().fold(Clause::default(), |all, knob| all.and(&self.absent(*knob))));
        }
        let (somebody, service) =
            (self.builder.space.find(&Slot::Grantee), self.builder.space.find(&Slot::GranteeService));
        if let Some((somebody, service)) = somebody.zip(service) {
            never.push(self.absent(somebody).and(&self.absent(service)));
            never.push(self.present(somebody).and(&self.present(service)));
        }
        never.retain(|clause| !clause.is_impossible());
        never
    }
}

/// Returns what names the reading of a condition.
fn name(asked: &Use<'_>) -> String {
    let condition = asked.condition.as_ref();
    let values: Vec<&str> = condition.values.iter().map(crate::policy::ConditionValue::as_text).collect();
    format!("{} {} {values:?} {:?}", condition.operator.0, condition.key.to_ascii_lowercase(), asked.version)
}
