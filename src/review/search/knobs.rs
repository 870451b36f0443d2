//! Which knobs a request has for some conditions and grants, and how each can be set.

use super::bench::{Bench, Truth};
use super::callers::test_of;
use super::formula::Builder;
use super::pattern::{Resolved, resolve, variables};
use super::space::{EQUALS, SUBSET, Setting, Slot};
use super::values::{Representatives, ValueTest, representatives};
use super::workshop::CallerKind;
use crate::access::{ContextValue, GrantFacts, Knowledge, PrincipalFacts, PrincipalType, Unknown};
use crate::kms::{GRANT_OPERATIONS, KmsAction};
use crate::policy::{Condition, ConditionOperator, Effect, PatternToken, PolicyVersion, TextTest};
use crate::review::imply::Operator;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A condition where it is asked.
#[derive(Debug, Clone)]
pub(super) struct Use<'p> {
    pub(super) condition: Cow<'p, Condition>,
    pub(super) version: &'p PolicyVersion,
    pub(super) effect: Effect,
    /// Which state it is asked in: 0 the old, 1 the new one.
    pub(super) side: usize,
}

/// What a grant asks for is literal.
const LITERAL: &PolicyVersion = &PolicyVersion::V2008;

impl Use<'_> {
    /// Returns what a grant asks for besides the encryption context.
    pub(super) fn of_grant(grant: &GrantFacts, side: usize) -> Vec<Self> {
        let source = grant.constraints.source_arn.as_deref();
        let asked = |key: &str, arn: &str| Use {
            condition: Cow::Owned(equals(key, arn)),
            version: LITERAL,
            effect: Effect::Allow,
            side,
        };
        source
            .map(|arn| vec![asked("aws:SourceArn", arn), asked("kms:GrantConstraintSourceArn", arn)])
            .unwrap_or_default()
    }
}

pub(super) fn equals(key: &str, value: &str) -> Condition {
    let operator = ConditionOperator("StringEquals".to_owned());
    Condition { operator, key: key.to_owned(), values: vec![value.into()] }
}

pub(super) const PAIR: &str = "kms:encryptioncontext:";
const PAIR_KEYS: &str = "kms:encryptioncontextkeys";

/// Keys whose value is a list.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
const LISTS: [&str; 6] = [
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
];

/// What a condition key is to a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has the same value in every request of the caller, or none.
    Fixed,
    /// One knob sets it.
    One(usize),
    /// It is a list; each of these knobs adds an element.
    List(Vec<usize>),
    /// The list of the keys of the encryption context, by the knobs of its pairs.
    PairKeys(Vec<usize>),
}

/// The kinds of keys, by name in lower case.
pub(super) struct Kinds {
    pub(super) by_key: BTreeMap<String, Kind>,
    pub(super) pairs: Vec<usize>,
    /// Why values are missing, by key.
    pub(super) missing: BTreeMap<String, &'static str>,
    /// For conditions with a variable: the keys that the variables name and that are not known.
    pub(super) open: BTreeSet<String>,
}

/// Adds knobs for all that conditions and grants look at.
pub(super) fn make_knobs(builder: &mut Builder<'_>, uses: &[Use<'_>], grants: &[&GrantFacts]) -> Kinds {
    let mut by_key: BTreeMap<String, Vec<&Use<'_>>> = BTreeMap::new();
    for asked in uses {
        by_key.entry(asked.condition.key.to_ascii_lowercase()).or_default().push(asked);
    }
    let mut maker = Maker { builder, by_key, grants, known: Default::default(), found: Kinds::new() };
    maker.open_variables();
    maker.known = [maker.known(0), maker.known(1)];
    maker.pairs();
    maker.new_grant();
    for key in maker.by_key.keys().cloned().collect::<Vec<_>>() {
        if !maker.found.by_key.contains_key(&key) {
            let kind = maker.kind(&key);
            maker.found.by_key.insert(key, kind);
        }
    }
    maker.found
}

impl Kinds {
    fn new() -> Self {
        Self { by_key: BTreeMap::new(), pairs: Vec::new(), missing: BTreeMap::new(), open: BTreeSet::new() }
    }
}

struct Maker<'m, 'a, 'p> {
    builder: &'m mut Builder<'a>,
    by_key: BTreeMap<String, Vec<&'m Use<'p>>>,
    grants: &'m [&'m GrantFacts],
    /// The keys that have one fixed value, in either state.
    known: [BTreeMap<String, String>; 2],
    found: Kinds,
}

impl Maker<'_, '_, '_> {
    /// Returns whether requests of the caller can differ in a key.
    fn varies(&mut self, key: &str) -> bool {
        let action = self.builder.request.action.clone();
        let asked = (key.to_owned(), action, CallerKind::of(&self.builder.able));
        if let Some(known) = self.builder.shop.varies.get(&asked) {
            return *known;
        }
        let varies = self.ask_whether_varies(key);
        self.builder.shop.varies.insert(asked, varies);
        varies
    }

    fn ask_whether_varies(&mut self, key: &str) -> bool {
        let caller = &self.builder.able;
        let own = caller.kind != PrincipalType::Service;
        match key {
            "aws:userid" => return own && caller.unique_id.is_none() && caller.kind != PrincipalType::Root,
            _ if key.starts_with("aws:resourceorg") => {
                return self.builder.shop.benches.iter().all(Bench::org_is_unknown);
            }
            _ => {}
        }
        let caller = PrincipalFacts { knowledge: Knowledge::NameOnly, ..caller.clone() };
        let mut request = self.builder.space.bare();
        request.unknown = Unknown::Everything;
        let operator = ConditionOperator("Null".to_owned());
        let null = Condition { operator, key: key.to_owned(), values: vec!["false".into()] };
        let asked = (&null, &PolicyVersion::V2012, Effect::Allow);
        let present = self.builder.shop.benches[1].holds(asked, &request, &caller);
        matches!(present, Truth::Open(_))
    }

    /// Notes the keys that variables name and that have no fixed value.
    fn open_variables(&mut self) {
        let named: BTreeSet<String> = self
            .by_key
            .values()
            .flatten()
            .flat_map(|asked| asked.condition.values.iter().flat_map(|value| variables(value.as_text(), asked.version)))
            .collect();
        self.found.open = named.into_iter().filter(|key| self.varies(key)).collect();
    }

    fn known(&self, side: usize) -> BTreeMap<String, String> {
        let context =
            self.builder.shop.benches.get(side).map(|bench| bench.context(&self.builder.request, &self.builder.able));
        let single = |(key, value)| match value {
            ContextValue::One(text) => Some((key, text)),
            ContextValue::Many(_) => None,
        };
        let known = context.into_iter().flat_map(|context| context.0).filter_map(single);
        known.filter(|(key, _)| !self.found.open.contains(key)).collect()
    }

    /// Returns what the conditions on a key ask of its values.
    fn tests(&self, key: &str) -> Vec<ValueTest> {
        let Some(uses) = self.by_key.get(key) else { return Vec::new() };
        uses.iter()
            .flat_map(|asked| {
                let known = self.known.get(asked.side);
                asked.condition.values.iter().filter_map(move |value| test(asked, value.as_text(), known?))
            })
            .collect()
    }

    fn representatives(
        &mut self,
        key: &str,
        more: impl IntoIterator<Item = ValueTest>,
        domain: Option<&str>,
    ) -> Vec<String> {
        let mut tests = self.tests(key);
        tests.extend(more);
        let asked = format!("{key} {domain:?} {tests:?}");
        let found = self.builder.shop.representatives.entry(asked).or_insert_with(|| {
            let domain = domain.map(|pattern| TextTest::glob(&PatternToken::of_glob(pattern)));
            representatives(&tests, domain.as_ref())
        });
        let Representatives { texts, missing } = found.clone();
        if let Some(reason) = missing {
            self.found.missing.insert(key.to_owned(), reason);
        }
        texts
    }

    /// Returns the settings of a key with one value.
    fn settings(&mut self, key: &str, domain: Option<&str>) -> Vec<Setting> {
        let texts = self.representatives(key, [], domain);
        let unseen = self.found.missing.contains_key(key).then_some(Setting::Unseen);
        std::iter::once(Setting::Absent).chain(texts.into_iter().map(Setting::Text)).chain(unseen).collect()
    }

    fn one(&mut self, slot: Slot, settings: Vec<Setting>) -> Kind {
        Kind::One(self.builder.space.add(slot, settings))
    }

    fn kind(&mut self, key: &str) -> Kind {
        if !self.varies(key) {
            return Kind::Fixed;
        }
        let slot = match key {
            "kms:viaservice" => {
                let settings = self.settings(key, Some("?*.?*.amazonaws.com"));
                return self.one(Slot::Via, settings);
            }
            "kms:requestalias" => {
                let settings = self.settings(key, Some("alias/?*"));
                return self.one(Slot::Alias, settings);
            }
            "kms:grantisforawsresource" => {
                let settings = [Setting::Absent, Setting::Text("true".to_owned()), Setting::Text("false".to_owned())];
                return self.one(Slot::ForResource, settings.to_vec());
            }
            "kms:granteeprincipal" => Slot::Grantee,
            "kms:granteeserviceprincipal" => Slot::GranteeService,
            "kms:retiringprincipal" => Slot::Retiring,
            "kms:grantconstraintsourcearn" => Slot::GrantSource,
            _ if self.is_list(key) => return self.list(key),
            _ => Slot::Key(key.to_owned()),
        };
        let settings = self.settings(key, None);
        self.one(slot, settings)
    }

    /// Returns whether a key has a list of values: it is known for that, or nothing is known of it and conditions
    /// use set operators.
    fn is_list(&self, key: &str) -> bool {
        let single =
            ["aws:principaltag/", "aws:requesttag/", "aws:source", "kms:"].iter().any(|head| key.starts_with(head));
        let set = |asked: &Use<'_>| !Operator::of(&asked.condition).set.is_empty();
        let by_use = !single && self.by_key.get(key).is_some_and(|uses| uses.iter().any(|asked| set(asked)));
        LISTS.contains(&key) || (by_use && !key.starts_with("aws:"))
    }

    fn list(&mut self, key: &str) -> Kind {
        let texts = self.representatives(key, [], None);
        let unseen = self.found.missing.contains_key(key).then_some(Setting::Unseen);
        let elements = texts.into_iter().map(Setting::Text).chain(unseen);
        let knobs = elements.map(|element| {
            let name = format!("{element:?}");
            self.builder.space.add(Slot::Element(key.to_owned(), name), vec![Setting::Absent, element])
        });
        Kind::List(knobs.collect())
    }

    /// Adds what a new grant has.
    fn new_grant(&mut self) {
        if !self.builder.space.is_new_grant() {
            return;
        }
        let operations = "kms:grantoperations";
        if self.by_key.contains_key(operations) || !self.grants.is_empty() {
            let knobs = GRANT_OPERATIONS.iter().map(|name| {
                let settings = vec![Setting::Absent, Setting::Text((*name).to_owned())];
                self.builder.space.add(Slot::Operation((*name).to_owned()), settings)
            });
            let kind = Kind::List(knobs.collect());
            self.found.by_key.insert(operations.to_owned(), kind);
        }
        if !self.found.pairs.is_empty() {
            let settings = [EQUALS, SUBSET].map(|kind| Setting::Text(kind.to_owned()));
            let settings = std::iter::once(Setting::Absent).chain(settings).collect();
            let kind = self.one(Slot::Constraint, settings);
            self.found.by_key.insert("kms:grantconstrainttype".to_owned(), kind);
        }
    }

    /// Adds the pairs of the encryption context: those that are mentioned, and one more.
    fn pairs(&mut self) {
        let takes = KmsAction::find(&self.builder.request.action).is_some_and(|action| action.takes_encryption_context);
        let constrained = self.by_key.contains_key("kms:grantconstrainttype");
        let mut names = Names::default();
        if takes || self.builder.space.is_new_grant() {
            names.of_grants(self.grants);
            names.of_conditions(self.by_key.values().flatten().map(|asked| asked.condition.key.as_str()));
            if self.by_key.contains_key(PAIR_KEYS) {
                names.of_list(self.representatives(PAIR_KEYS, [], None));
            }
        }
        if names.0.is_empty() && !(constrained && self.builder.space.is_new_grant()) {
            return;
        }
        names.add_another();
        for (name, spellings) in names.0 {
            let key = format!("{PAIR}{name}");
            let settings = self.pair_settings(&key, &name, &spellings);
            let knob = self.builder.space.add(Slot::Pair(name), settings);
            self.found.by_key.insert(key, Kind::One(knob));
            self.found.pairs.push(knob);
        }
        self.found.by_key.insert(PAIR_KEYS.to_owned(), Kind::PairKeys(self.found.pairs.clone()));
    }

    fn pair_settings(&mut self, key: &str, name: &str, spellings: &BTreeSet<String>) -> Vec<Setting> {
        let constraints = self.grants.iter().map(|grant| &grant.constraints);
        let maps = constraints.flat_map(|c| c.encryption_context_equals.iter().chain(&c.encryption_context_subset));
        let own = maps.flatten().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let values: Vec<ValueTest> = own.map(|(_, value)| ValueTest::Text(TextTest::literal(value))).collect();
        let texts = self.representatives(key, values, None);
        let unseen = self.found.missing.contains_key(key).then_some(Setting::Unseen);
        let pairs = spellings
            .iter()
            .flat_map(|spelling| texts.iter().map(move |text| Setting::Pair(spelling.clone(), text.clone())));
        std::iter::once(Setting::Absent).chain(pairs).chain(unseen).collect()
    }
}

/// The keys of pairs, in lower case, each with the spellings that are told apart.
#[derive(Default)]
struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    fn add(&mut self, spelling: &str) {
        self.0.entry(spelling.to_ascii_lowercase()).or_default().insert(spelling.to_owned());
    }

    /// Grants might tell apart how a key is spelled.
    fn of_grants(&mut self, grants: &[&GrantFacts]) {
        let maps = grants.iter().flat_map(|grant| {
            grant.constraints.encryption_context_equals.iter().chain(&grant.constraints.encryption_context_subset)
        });
        for key in maps.flat_map(|map| map.keys()) {
            self.add(key);
            let (lower, upper) = (key.to_ascii_lowercase(), key.to_ascii_uppercase());
            self.add(if lower == *key { &upper } else { &lower });
        }
    }

    /// Conditions do not tell it apart.
    fn of_conditions<'k>(&mut self, keys: impl Iterator<Item = &'k str>) {
        for key in keys {
            let begins = key.get(..PAIR.len()).is_some_and(|head| head.eq_ignore_ascii_case(PAIR));
            let Some(name) = key.get(PAIR.len()..).filter(|_| begins) else { continue };
            if !self.0.contains_key(&name.to_ascii_lowercase()) {
                self.add(name);
            }
        }
    }

    /// The list of keys does.
    fn of_list(&mut self, keys: Vec<String>) {
        for key in keys {
            self.add(&key);
        }
        let both: Vec<String> = self.0.values().flatten().map(|key| key.to_ascii_uppercase()).collect();
        for key in both {
            self.add(&key);
        }
    }

    /// Adds a pair that nobody mentions.
    fn add_another(&mut self) {
        let name = (0..).map(|n| if n == 0 { "other".to_owned() } else { format!("other{n}") });
        let free = name.into_iter().find(|name| !self.0.contains_key(name));
        if let Some(name) = free {
            self.add(&name);
        }
    }
}

/// Returns what a condition asks by one of its values.
fn test(asked: &Use<'_>, text: &str, known: &BTreeMap<String, String>) -> Option<ValueTest> {
    let operator = Operator::of(&asked.condition);
    let base = operator.base;
    if base.starts_with("String") || base.starts_with("Arn") {
        let lookup = |name: &str| known.get(&name.to_ascii_lowercase()).cloned();
        let Resolved::Known(tokens) = resolve(text, asked.version, &lookup) else { return None };
        return test_of(base, &tokens).map(ValueTest::Text);
    }
    match base {
        "Bool" => Some(ValueTest::Boolean),
        "IpAddress" | "NotIpAddress" => ValueTest::addresses(text),
        _ if base.starts_with("Numeric") => ValueTest::number(text),
        _ if base.starts_with("Date") => ValueTest::date(text),
        _ => None,
    }
}
