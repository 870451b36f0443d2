//! Lints of conditions: keys that no call carries, operators that mean something else, values that never occur.

use super::model::{KnownPlace, LintFinding, LintKey, LintSeverity};
use super::rule::{self, Rule};
use super::view::{ConditionView, PolicyKind, StatementView};
use crate::ids::Region;
use crate::kms::{
    KmsAction, UNPLACED_CONDITION_KEYS, condition_key_exists, condition_keys, is_multi_valued_condition_key,
    renamed_condition_key,
};
use crate::policy::Effect;
use crate::services::Service;
use crate::text::{and_list, did_you_mean};

/// Finds what is wrong with the conditions of a statement of any policy.
pub(super) fn find(view: &StatementView<'_>, key: Option<&LintKey<'_>>) -> Vec<LintFinding> {
    let region = key.filter(|key| key.place == KnownPlace::Arn).map(|key| &key.facts.region);
    let judge = |condition: &ConditionView<'_>| {
        let place = Place { view, condition };
        if condition.operator.is_none() {
            return vec![place.without_effect(
                &rule::UNKNOWN_OPERATOR,
                &format!("AWS knows no operator `{}`", condition.condition.operator.0),
            )];
        }
        if condition.condition.values.is_empty() {
            return vec![place.without_effect(
                &rule::EMPTY_CONDITION_VALUES,
                &format!("`{}` has no values", condition.condition.key),
            )];
        }
        let mut found: Vec<LintFinding> = place.key().into_iter().collect();
        found.extend(place.set_operator());
        found.extend(place.binary());
        found.extend(place.via_service(region));
        found
    };
    view.conditions.iter().flat_map(judge).collect()
}

/// A condition in its statement.
struct Place<'v, 'a> {
    view: &'v StatementView<'a>,
    condition: &'v ConditionView<'a>,
}

impl Place<'_, '_> {
    fn found(&self, rule: &'static Rule, message: String) -> LintFinding {
        LintFinding::of(rule, self.view.place.clone(), message)
    }

    /// Returns a finding of a condition that is never met, or always, with what follows for the statement.
    fn without_effect(&self, rule: &'static Rule, message: &str) -> LintFinding {
        let (follows, severity) = match (self.view.statement.effect, self.condition.holds_on_absence()) {
            (Effect::Allow, false) => ("the statement allows nothing", LintSeverity::Medium),
            (Effect::Allow, true) => ("the condition fences nothing", LintSeverity::High),
            (Effect::Deny, false) => ("the statement denies nothing", LintSeverity::High),
            (Effect::Deny, true) => ("the condition exempts nobody", LintSeverity::Medium),
        };
        // Asking for absence is how a statement says that it is about calls without the key.
        let severity = if self.condition.base() == "Null" && self.condition.holds_on_absence() {
            LintSeverity::Low
        } else {
            severity.min(rule.severity)
        };
        self.found(rule, format!("{message}: {follows}")).severity(severity)
    }

    /// Judges whether calls carry the key at all.
    fn key(&self) -> Option<LintFinding> {
        let key = self.condition.condition.key.as_str();
        if let Some(new) = renamed_condition_key(key) {
            let message = format!("`{key}` is the old name of `{new}`");
            return Some(self.found(&rule::UNKNOWN_CONDITION_KEY, message).severity(LintSeverity::Info));
        }
        if !condition_key_exists(key) {
            return self.unknown_key(key);
        }
        let ours = self.view.kind == PolicyKind::Key || self.view.is_of_kms_alone();
        let placed = !UNPLACED_CONDITION_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key));
        if !ours || !placed || self.view.actions.is_empty() {
            return None;
        }
        let carries = |action: &&'static KmsAction| action.knows_condition_key(key);
        if self.view.actions.iter().any(carries) { self.partial(key) } else { Some(self.dead(key)) }
    }

    /// Keys of other services and of identity providers may come with a session; those of AWS and KMS are all known.
    fn unknown_key(&self, key: &str) -> Option<LintFinding> {
        let prefix = key.split_once(':').map(|(prefix, _)| prefix.to_ascii_lowercase());
        let judged = prefix.is_none_or(|prefix| prefix == "aws" || prefix == "kms");
        let finding = self
            .without_effect(&rule::UNKNOWN_CONDITION_KEY, &format!("neither KMS nor AWS has a condition key `{key}`"));
        let known = did_you_mean(key, condition_keys());
        let finding = known.map_or(finding.clone(), |known| finding.remedy(format!("write `{known}`")));
        judged.then_some(finding)
    }

    fn dead(&self, key: &str) -> LintFinding {
        let names: Vec<&str> = self.view.actions.iter().map(|action| action.full).take(3).collect();
        let more = if self.view.actions.len() > names.len() { " and no other action of the statement" } else { "" };
        let message = format!("calls of {}{more} do not carry `{key}`", and_list(&names));
        self.without_effect(&rule::DEAD_CONDITION, &message)
    }

    /// Actions that are named, not only covered by a pattern, are meant.
    fn partial(&self, key: &str) -> Option<LintFinding> {
        let named =
            |action: &&&KmsAction| self.view.patterns().iter().any(|name| name.eq_ignore_ascii_case(action.full));
        let without = self.view.actions.iter().filter(named).filter(|action| !action.knows_condition_key(key));
        let affected: Vec<String> = without.map(|action| format!("`{}`", action.full)).collect();
        let absent = self.condition.holds_on_absence();
        if affected.is_empty() || (self.condition.base() == "Null" && absent) {
            return None;
        }
        let follows = match (self.view.statement.effect, absent) {
            (Effect::Allow, false) => "it is never allowed here",
            (Effect::Allow, true) => "the condition does not fence it",
            (Effect::Deny, false) => "it is never denied here",
            (Effect::Deny, true) => "it is always denied",
        };
        let message = format!("{} carries no `{key}`: {follows}", and_list(&affected));
        Some(self.found(&rule::PARTIAL_CONDITION, message))
    }

    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
    fn set_operator(&self) -> Option<LintFinding> {
        let key = self.condition.condition.key.as_str();
        let many = is_multi_valued_condition_key(key);
        match (self.condition.set(), many) {
            ("", true) if self.condition.base() != "Null" => {
                let message = format!(
                    "`{key}` has many values, and `{}` has no set operator",
                    self.condition.condition.operator.0
                );
                Some(self.found(&rule::MISSING_SET_OPERATOR, message))
            }
            ("ForAllValues:", true) => self.for_all_values(key),
            ("ForAllValues:", false) if condition_key_exists(key) => {
                let rejected =
                    self.condition.is_about("kms:EncryptionContext:") || self.condition.is_about("aws:RequestTag/");
                let follows = if rejected { "KMS rejects it" } else { "it holds also where the key is absent" };
                let message = format!("`{key}` has one value, and `ForAllValues` stands on it: {follows}");
                Some(self.found(&rule::SET_OPERATOR_ON_SINGLE_VALUE, message))
            }
            ("ForAnyValue:", false) if condition_key_exists(key) => {
                let message = format!("`{key}` has one value, so `ForAnyValue` means nothing more");
                Some(self.found(&rule::SET_OPERATOR_ON_SINGLE_VALUE, message).severity(LintSeverity::Low))
            }
            _ => None,
        }
    }

    fn for_all_values(&self, key: &str) -> Option<LintFinding> {
        let demanded = |other: &ConditionView<'_>| other.is_about(key) && !other.holds_on_absence();
        let fenced = self.view.conditions.iter().any(demanded) || self.condition.is_about("kms:GrantOperations");
        let allow = self.view.statement.effect == Effect::Allow;
        let message = format!("`ForAllValues` on `{key}` holds also for calls without it");
        (allow && !fenced).then(|| self.found(&rule::FOR_ALL_VALUES_ALLOW, message))
    }

    fn binary(&self) -> Option<LintFinding> {
        let message = format!("`{}` is not binary", self.condition.condition.key);
        (self.condition.base() == "BinaryEquals").then(|| self.found(&rule::BINARY_CONDITION, message))
    }

    /// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>
    fn via_service(&self, region: Option<&Region>) -> Option<LintFinding> {
        if !self.condition.is_about("kms:ViaService") || !self.condition.demands_values() {
            return None;
        }
        let wildcards = self.condition.has_wildcards();
        let impossible =
            |value: &str| why_impossible(value, wildcards, region).map(|why| format!("`{value}` never occurs: {why}"));
        let wrong: Vec<String> = self.condition.values().filter_map(impossible).collect();
        let all = wrong.len() == self.condition.condition.values.len();
        match (wrong.is_empty(), all) {
            (true, _) => None,
            (false, true) => Some(self.without_effect(&rule::IMPOSSIBLE_VIA_SERVICE, &wrong.join("; "))),
            (false, false) => {
                Some(self.found(&rule::IMPOSSIBLE_VIA_SERVICE, wrong.join("; ")).severity(LintSeverity::Low))
            }
        }
    }
}

const DOMAIN: &str = ".amazonaws.com";

fn why_impossible(value: &str, wildcards: bool, region: Option<&Region>) -> Option<String> {
    if value.contains("${") {
        return None;
    }
    if let Some(last) = value.rfind(['*', '?']) {
        let tail = value.get(last + 1..).unwrap_or_default();
        let fits = DOMAIN.ends_with(tail) || tail.ends_with(DOMAIN);
        return match (wildcards, fits) {
            (false, _) => Some("this operator takes wildcards literally".to_owned()),
            (true, false) => Some(format!("it does not end in `{DOMAIN}`")),
            (true, true) => None,
        };
    }
    let Some((service, place)) = value.strip_suffix(DOMAIN).and_then(|rest| rest.rsplit_once('.')) else {
        return Some(format!("it is not a service, a Region and `{DOMAIN}`"));
    };
    let Ok(place) = place.parse::<Region>() else { return Some(format!("`{place}` is not a Region")) };
    let region = region.filter(|region| **region != place && !calls_from_anywhere(service, region))?;
    Some(format!("the key is in {region}"))
}

/// Returns whether a service calls keys of other Regions than its own.
fn calls_from_anywhere(service: &str, region: &Region) -> bool {
    let patterns = Service::ALL.iter().map(|known| known.via_pattern(region));
    patterns.filter(|pattern| pattern.contains('*')).any(|pattern| pattern.split('.').next() == Some(service))
}
