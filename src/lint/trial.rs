//! Tries calls on a key by what a policy's conditions ask for, and has the evaluator decide each: whether some call is
//! allowed at all, whatever of the request its caller may choose.

use super::view::{ConditionView, StatementView};
use crate::access::{ContextValue, Decision, Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request, decide};
use crate::ids::Region;
use crate::kms::{KmsAction, is_multi_valued_condition_key};
use crate::services::Service;
use std::collections::BTreeMap;

/// How many calls are tried at most; a policy with more combinations is not decided.
const MOST_TRIES: usize = 4_096;
/// How many values of one condition key are tried at most.
const MOST_VALUES: usize = 8;

/// Condition keys whose value follows from caller and key, so that no caller can choose it.
const DERIVED: &[&str] = &[
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalType",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:ResourceTag/",
    "aws:SecureTransport",
    "aws:userid",
    "kms:CallerAccount",
    "kms:KeyOrigin",
    "kms:KeySpec",
    "kms:KeyUsage",
    "kms:MultiRegion",
    "kms:MultiRegionKeyType",
    "kms:ResourceAliases",
];

/// Condition keys that only a service's calls in its own name carry; they tell for whom it calls.
pub(super) const OF_SERVICES: &[&str] =
    &["aws:SourceAccount", "aws:SourceArn", "aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceOwner"];

/// What came of trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A call is allowed.
    Allowed {
        /// Its action, with prefix.
        action: &'static str,
        /// Who calls.
        caller: String,
    },
    /// A deny refuses each call.
    Denied,
    /// No call is allowed, and not all are denied.
    Refused,
}

/// Values of a condition key to be tried, `None` for its absence.
#[derive(Debug, Clone)]
struct Choice {
    key: String,
    values: Vec<Option<ContextValue>>,
}

/// Calls to be tried on a key.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    key: &'a KeyFacts,
    callers: Vec<PrincipalFacts>,
    actions: &'a [&'static KmsAction],
    choices: Vec<Choice>,
}

/// Returns whether a condition key is one of a list; entries that end in `:` or `/` stand for all that begin so.
pub(super) fn is_one_of(condition: &ConditionView<'_>, keys: &[&str]) -> bool {
    keys.iter().any(|key| condition.is_about(key))
}

impl<'a> Trial<'a> {
    /// Returns a trial of some actions by some callers, without any context.
    pub(super) fn new(key: &'a KeyFacts, callers: Vec<PrincipalFacts>, actions: &'a [&'static KmsAction]) -> Self {
        Self { key, callers, actions, choices: Vec::new() }
    }

    /// Adds the values that the conditions of some statements ask for, but for keys that nobody may choose.
    #[must_use]
    pub(super) fn choosing(mut self, statements: &[&StatementView<'_>], except: &[&str]) -> Self {
        let mut asked: BTreeMap<String, Vec<&ConditionView<'_>>> = BTreeMap::new();
        for condition in statements.iter().flat_map(|view| &view.conditions) {
            if !is_one_of(condition, DERIVED) && !is_one_of(condition, except) {
                asked.entry(condition.condition.key.to_ascii_lowercase()).or_default().push(condition);
            }
        }
        let region = &self.key.region;
        self.choices.extend(asked.into_values().filter_map(|conditions| choice(&conditions, region)));
        self
    }

    /// Adds values of a condition key, of which the first is tried first.
    #[must_use]
    pub(super) fn with(mut self, key: &str, values: Vec<Option<ContextValue>>) -> Self {
        self.choices.push(Choice { key: key.to_owned(), values });
        self
    }

    /// Tries the calls until one is allowed.
    pub(super) fn run(&self) -> Outcome {
        let mut refused = false;
        for number in 0..self.combinations().min(MOST_TRIES) {
            for action in self.actions {
                for caller in &self.callers {
                    let request = self.request(number, action, caller);
                    match decide(&request, caller, Some(self.key), &Guardrails::default()) {
                        Decision::Allow => return Outcome::Allowed { action: action.full, caller: caller.arn.clone() },
                        Decision::ExplicitDeny => {}
                        Decision::ImplicitDeny | Decision::Undetermined(_) => refused = true,
                    }
                }
            }
        }
        if refused { Outcome::Refused } else { Outcome::Denied }
    }

    fn combinations(&self) -> usize {
        self.choices.iter().fold(1, |product, choice| product.saturating_mul(choice.values.len().max(1)))
    }

    /// Returns the call of a number, whose digits choose a value of each key.
    fn request(&self, number: usize, action: &KmsAction, caller: &PrincipalFacts) -> Request {
        let mut request = Request::new(action.full, self.key.arn.clone(), self.key.region.clone());
        let mut rest = number;
        for choice in &self.choices {
            let base = choice.values.len().max(1);
            let value = choice.values.get(rest % base).cloned().flatten();
            rest /= base;
            let of_services = OF_SERVICES.iter().any(|key| key.eq_ignore_ascii_case(&choice.key));
            let fits = !of_services || caller.kind == PrincipalType::Service;
            if fits && action.knows_condition_key(&choice.key) {
                request.context.insert(choice.key.clone(), value);
            }
        }
        request
    }
}

fn choice(conditions: &[&ConditionView<'_>], region: &Region) -> Option<Choice> {
    let key = conditions.first()?.condition.key.clone();
    let mut texts: Vec<String> = conditions.iter().flat_map(|condition| asked_for(condition)).collect();
    texts.truncate(MOST_VALUES);
    if key.eq_ignore_ascii_case("kms:ViaService") {
        texts.retain(|text| is_possible_via_service(text));
        texts.extend(Service::ALL.iter().map(|service| service.via_service(region)));
    } else {
        texts.push("unnamed".to_owned());
    }
    let values = if is_multi_valued_condition_key(&key) {
        let all = texts.iter().filter(|text| *text != "unnamed").cloned().collect();
        let each = texts.iter().map(|text| ContextValue::Many(vec![text.clone()]));
        each.chain([ContextValue::Many(all)]).map(Some).chain([None]).collect()
    } else {
        texts.into_iter().map(|text| Some(ContextValue::One(text))).chain([None]).collect()
    };
    Some(Choice { key, values })
}

/// Returns whether services forward calls under a name: it has a service, a Region and AWS's domain.
fn is_possible_via_service(text: &str) -> bool {
    let place = text.strip_suffix(".amazonaws.com").and_then(|rest| rest.rsplit_once('.'));
    place.is_some_and(|(_, region)| region.parse::<Region>().is_ok())
}

/// Returns values that satisfy a condition, or just do not.
fn asked_for(condition: &ConditionView<'_>) -> Vec<String> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let base = condition.base();
    let each = |turn: &dyn Fn(&str) -> Vec<String>| condition.values().flat_map(turn).collect::<Vec<_>>();
    match base {
        "Null" => Vec::new(),
        "Bool" => owned(&["true", "false"]),
        "IpAddress" | "NotIpAddress" => {
            let hosts = each(&|value| vec![value.split('/').next().unwrap_or_default().to_owned()]);
            hosts.into_iter().chain(owned(&HOSTS)).collect()
        }
        _ if base.starts_with("Numeric") => each(&around),
        _ if base.starts_with("Date") => {
            let dates = each(&|value| vec![value.to_owned()]);
            owned(&["1970-01-02T00:00:00Z", "2999-01-01T00:00:00Z"]).into_iter().chain(dates).collect()
        }
        _ if condition.has_wildcards() => each(&|value| vec![instance(value)]),
        _ => each(&|value| vec![value.to_owned()]),
    }
}

/// Addresses in different quarters of the Internet: a network of which one is part is no fence.
pub(super) const HOSTS: [&str; 4] = ["20.20.20.20", "100.20.20.20", "150.20.20.20", "210.20.20.20"];

fn around(value: &str) -> Vec<String> {
    let Ok(number) = value.parse::<i64>() else { return vec![value.to_owned()] };
    [number, number.saturating_add(1), number.saturating_sub(1)].iter().map(i64::to_string).collect()
}

/// Returns a text that a pattern with wildcards matches.
pub(super) fn instance(pattern: &str) -> String {
    pattern.replace(['*', '?'], "x")
}
