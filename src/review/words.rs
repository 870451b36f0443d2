//! Principals and conditions as people read them.

use super::rule::{EXACTLY, Rule, Who};
use crate::access::{ResidualTerm, ResidualWay};
use crate::policy::{Condition, ConditionOperator, glob_matches};
use crate::services::Service;
use std::collections::{BTreeMap, BTreeSet};

/// What names need: how the manifest calls ARNs, and whose key it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vocabulary<'a> {
    pub(super) names: &'a BTreeMap<String, String>,
    pub(super) account: &'a str,
}

/// Returns a condition as people read it: `only through s3`. The names are those by which people know ARNs.
pub fn condition_words(condition: &Condition, names: &BTreeMap<String, String>) -> String {
    Vocabulary { names, account: "" }.phrase(condition).text()
}

/// Returns the name by which people know an ARN, or the pattern of one: the manifest's, a permission set's, or itself.
pub fn principal_words(arn: &str, names: &BTreeMap<String, String>) -> String {
    Vocabulary { names, account: "" }.arn(arn)
}

/// Somebody by name, and the conditions that the name already says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) reach: Distance,
    said: Vec<&'static str>,
}

/// How far from the key's account somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Distance {
    Own,
    Foreign,
    Everyone,
}

impl Named {
    /// Returns somebody whose name says nothing of conditions.
    pub(super) fn plain(name: String) -> Self {
        Self { name, reach: Distance::Own, said: Vec::new() }
    }
}

impl Vocabulary<'_> {
    /// Returns whom a rule is about.
    pub(super) fn who(&self, rule: &Rule) -> Named {
        match &rule.who {
            Who::Arn(arn) => Named {
                name: self.arn(arn),
                reach: self.distance(rule.account()),
                said: vec!["aws:principalarn", "aws:principalaccount", "kms:calleraccount"],
            },
            Who::Account(account) => self.account(account, rule),
            Who::Service(service) => {
                Named { name: service.clone(), reach: Distance::Own, said: vec!["aws:principalisawsservice"] }
            }
            Who::Everyone => self.among_everyone(rule),
            Who::Except(entries) => {
                let names: Vec<String> = entries.iter().map(|entry| self.arn(entry.kind_and_value().1)).collect();
                Named {
                    name: format!("everyone except {}", names.join(", ")),
                    reach: Distance::Everyone,
                    said: Vec::new(),
                }
            }
        }
    }

    fn distance(&self, account: Option<&str>) -> Distance {
        if account.is_none_or(|account| account == self.account) { Distance::Own } else { Distance::Foreign }
    }

    fn account(&self, account: &str, rule: &Rule) -> Named {
        let root_alone = value_of(rule, "aws:PrincipalType") == Some("Account");
        let name =
            if root_alone { format!("root user of {account}") } else { format!("account:{account} through IAM") };
        let mut said = vec!["aws:principalaccount", "kms:calleraccount"];
        said.extend(root_alone.then_some("aws:principaltype"));
        Named { name, reach: self.distance(Some(account)), said }
    }

    fn among_everyone(&self, rule: &Rule) -> Named {
        self.everyone_who(&rule.conditions)
    }

    /// Names callers that are admitted by a condition on who they are.
    pub(super) fn everyone_who(&self, conditions: &[Condition]) -> Named {
        let value_of = |key| value_among(conditions, key);
        let account = value_of("aws:PrincipalAccount");
        if let Some(pattern) = value_of("aws:PrincipalArn") {
            let of_arn = pattern.split(':').nth(4).filter(|part| !part.contains(['*', '?']));
            let known = of_arn.or(account);
            let reach = if known.is_some() { self.distance(known) } else { Distance::Everyone };
            let mut said = vec!["aws:principalarn"];
            if of_arn.is_some() {
                said.extend(["aws:principalaccount", "kms:calleraccount"]);
            }
            return Named { name: self.arn(pattern), reach, said };
        }
        if let Some(organization) = value_of("aws:PrincipalOrgID") {
            let said = vec!["aws:principalorgid"];
            return Named { name: format!("org:{organization}"), reach: Distance::Foreign, said };
        }
        match account.or(value_of("kms:CallerAccount")) {
            Some(account) => Named {
                name: format!("everyone in account {account}"),
                reach: self.distance(Some(account)),
                said: vec!["aws:principalaccount", "kms:calleraccount"],
            },
            None => Named { name: "everyone".to_owned(), reach: Distance::Everyone, said: Vec::new() },
        }
    }

    /// Returns the name of an ARN or pattern: the manifest's, Identity Center's, or the text itself.
    fn arn(&self, text: &str) -> String {
        let known = self.names.get(text).cloned();
        known.or_else(|| permission_set(text)).unwrap_or_else(|| text.to_owned())
    }

    /// Returns the conditions of a rule in words, without those that its principal's name says.
    pub(super) fn conditions(&self, rule: &Rule, named: &Named) -> Vec<Phrase> {
        self.phrases(&rule.conditions, named)
    }

    /// Returns conditions in words, without those that a principal's name says.
    pub(super) fn phrases<'c>(
        &self,
        conditions: impl IntoIterator<Item = &'c Condition>,
        named: &Named,
    ) -> Vec<Phrase> {
        let said = |condition: &&Condition| !named.said.contains(&condition.key.to_ascii_lowercase().as_str());
        let mut phrases: Vec<Phrase> = conditions.into_iter().filter(said).map(|c| self.phrase(c)).collect();
        phrases.sort();
        phrases.dedup();
        phrases
    }

    /// Returns what a way demands in words, with what the denies that may apply to it demand.
    pub(super) fn of_way(&self, way: &ResidualWay, denies: &[&ResidualTerm], named: &Named) -> Vec<String> {
        let phrases = self.phrases(way.conditions(), named);
        let mut texts: Vec<String> = phrases.iter().map(Phrase::text).collect();
        texts.extend(denies.iter().filter(|deny| !deny.conditions.is_empty()).map(|deny| self.of_deny(deny)));
        let mut seen = BTreeSet::new();
        texts.retain(|text| seen.insert(text.clone()));
        texts
    }

    /// Returns when a deny does not apply.
    fn of_deny(&self, deny: &ResidualTerm) -> String {
        if let [condition] = deny.conditions.as_slice()
            && let Some(opposite) = opposite(condition)
        {
            return self.phrase(&opposite).text();
        }
        let phrases: Vec<String> = deny.conditions.iter().map(|condition| self.phrase(condition).text()).collect();
        let bare: Vec<&str> = phrases.iter().map(|text| text.strip_prefix("only ").unwrap_or(text)).collect();
        format!("except {}", bare.join(" and "))
    }

    fn phrase(&self, condition: &Condition) -> Phrase {
        let values = condition.values.iter().map(|value| value.as_text().to_owned()).collect();
        if condition.operator.0 == EXACTLY {
            return Phrase { lead: "only with no other encryption context".to_owned(), values: Vec::new() };
        }
        let lead = match (condition.operator.0.strip_suffix("IfExists"), context_key(&condition.key)) {
            (Some(operator), _) => when(&format!("{}, if any,", condition.key), operator),
            (None, Some(key)) => context_lead(key, &condition.operator.0),
            (None, None) => lead(&condition.key, &condition.operator.0),
        };
        match lead {
            Lead::Whole(text) => Phrase { lead: text, values: Vec::new() },
            Lead::Services(text) => Phrase { lead: text, values: map(values, |value| service(&value)) },
            Lead::Callers(text) => Phrase { lead: text, values: map(values, |value| self.arn(&value)) },
            Lead::Values(text) => Phrase { lead: text, values },
        }
        .refined(condition)
    }
}

/// A condition in words: what it begins with, and the values of which one must match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Phrase {
    pub(super) lead: String,
    pub(super) values: Vec<String>,
}

impl Phrase {
    /// Returns the phrase as text.
    pub(super) fn text(&self) -> String {
        if self.values.is_empty() { self.lead.clone() } else { format!("{} {}", self.lead, self.values.join(" or ")) }
    }

    /// Chooses between the two phrases that `Null` and `Bool` have.
    fn refined(mut self, condition: &Condition) -> Self {
        let is = |text: &str| condition.values.iter().all(|value| value.as_text().eq_ignore_ascii_case(text));
        let name = context_key(&condition.key).unwrap_or(&condition.key);
        let through = condition.key.eq_ignore_ascii_case("kms:ViaService");
        if condition.operator.0 == "Null" && through {
            let lead = if is("true") { "only when called directly" } else { "only through a service" };
            self = Self { lead: lead.to_owned(), values: Vec::new() };
        } else if condition.operator.0 == "Null" && is("true") {
            self = Self { lead: format!("only without {name}"), values: Vec::new() };
        } else if condition.operator.0 == "Null" && is("false") {
            self = Self { lead: format!("only with {name}"), values: Vec::new() };
        } else if condition.key.eq_ignore_ascii_case("kms:GrantIsForAWSResource") && is("true") {
            self = Self { lead: "only for AWS resources".to_owned(), values: Vec::new() };
        }
        self
    }
}

enum Lead {
    Whole(String),
    Services(String),
    Callers(String),
    Values(String),
}

fn map(values: Vec<String>, f: impl Fn(String) -> String) -> Vec<String> {
    values.into_iter().map(f).collect()
}

fn context_key(key: &str) -> Option<&str> {
    let prefix = "kms:EncryptionContext:";
    let head = key.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| key.get(prefix.len()..)).flatten()
}

fn context_lead(key: &str, operator: &str) -> Lead {
    match operator {
        "StringEquals" | "StringLike" | "ArnLike" | "ArnEquals" => Lead::Values(format!("only with {key} =")),
        "StringNotEquals" | "StringNotLike" => Lead::Values(format!("never with {key} =")),
        other => Lead::Values(format!("only with {key} ({other})")),
    }
}

fn lead(key: &str, operator: &str) -> Lead {
    let negated = operator.contains("Not");
    match key.to_ascii_lowercase().as_str() {
        "kms:viaservice" if !negated => Lead::Services("only through".to_owned()),
        "kms:viaservice" => Lead::Services("never through".to_owned()),
        "aws:principalarn" if !negated => Lead::Callers("only when the caller is".to_owned()),
        "aws:principalarn" => Lead::Callers("only when the caller is not".to_owned()),
        "aws:principalaccount" | "kms:calleraccount" if !negated => Lead::Values("only from account".to_owned()),
        "aws:principalaccount" | "kms:calleraccount" => Lead::Values("only from other accounts than".to_owned()),
        "aws:sourceaccount" if !negated => Lead::Values("only on behalf of account".to_owned()),
        "aws:sourcearn" if !negated => Lead::Values("only on behalf of".to_owned()),
        "aws:principalorgid" if !negated => Lead::Values("only from organization".to_owned()),
        "kms:grantoperations" if operator == "ForAllValues:StringEquals" => {
            Lead::Values("only for grants of nothing but".to_owned())
        }
        "kms:encryptioncontextkeys" if operator == "ForAllValues:StringEquals" => {
            Lead::Values("only with no other context keys than".to_owned())
        }
        "kms:requestalias" if !negated => Lead::Values("only by alias".to_owned()),
        "aws:multifactorauthpresent" => Lead::Values("only with MFA =".to_owned()),
        "resource" => Lead::Whole("only where the resource matches".to_owned()),
        _ => when(key, operator),
    }
}

fn when(key: &str, operator: &str) -> Lead {
    let (set, base) = match operator.split_once(':') {
        Some(("ForAnyValue", base)) => ("one of ", base),
        Some(("ForAllValues", base)) => ("each of ", base),
        Some(_) | None => ("", operator),
    };
    Lead::Values(format!("only when {set}{key} {}", relation(base)))
}

fn relation(operator: &str) -> String {
    match operator {
        "StringEquals" | "NumericEquals" | "DateEquals" | "Bool" | "ArnEquals" => "is".to_owned(),
        "StringLike" | "ArnLike" => "is like".to_owned(),
        "StringNotEquals" | "NumericNotEquals" | "DateNotEquals" | "ArnNotEquals" => "is not".to_owned(),
        "StringNotLike" | "ArnNotLike" => "is not like".to_owned(),
        "IpAddress" => "is in".to_owned(),
        "NotIpAddress" => "is not in".to_owned(),
        other => format!("({other})"),
    }
}

/// Returns the condition that holds exactly where another one does not, where the language has one.
fn opposite(condition: &Condition) -> Option<Condition> {
    let operator = condition.operator.0.as_str();
    let switched = |from: &str, to: &str| operator.replace(from, to);
    let (operator, values) = match operator {
        "Null" => {
            let [value] = condition.values.as_slice() else { return None };
            let other = if value.as_text().eq_ignore_ascii_case("true") { "false" } else { "true" };
            (operator.to_owned(), vec![other.into()])
        }
        "StringNotEquals" | "StringNotLike" | "ArnNotEquals" | "ArnNotLike" | "NumericNotEquals" | "DateNotEquals" => {
            (switched("Not", ""), condition.values.clone())
        }
        "StringEquals" | "StringLike" => (switched("String", "StringNot"), condition.values.clone()),
        "ArnEquals" | "ArnLike" => (switched("Arn", "ArnNot"), condition.values.clone()),
        "NotIpAddress" => ("IpAddress".to_owned(), condition.values.clone()),
        "IpAddress" => ("NotIpAddress".to_owned(), condition.values.clone()),
        _ => return None,
    };
    Some(Condition { operator: ConditionOperator(operator), key: condition.key.clone(), values })
}

/// Returns the service's name in the manifest, else the value as written.
fn service(value: &str) -> String {
    let prefix = value.split('.').next().unwrap_or_default();
    let named = |service: &&Service| {
        let region = "us-east-1".parse();
        region.is_ok_and(|region| service.via_service(&region).split('.').next() == Some(prefix))
    };
    let domain = glob_matches("*.amazonaws.com", value);
    Service::ALL.iter().filter(|_| domain).find(named).map_or_else(|| value.to_owned(), ToString::to_string)
}

/// Returns the permission set whose roles a pattern matches.
fn permission_set(pattern: &str) -> Option<String> {
    let name = pattern.rsplit('/').next()?.strip_prefix("AWSReservedSSO_")?;
    let (set, suffix) = name.rsplit_once('_')?;
    let generic = suffix.bytes().all(|b| b == b'?') || suffix == "*";
    generic.then(|| format!("sso:{set}"))
}

/// Returns the only value that a rule's positive condition on a key admits.
pub(super) fn value_of<'r>(rule: &'r Rule, key: &str) -> Option<&'r str> {
    value_among(&rule.conditions, key)
}

/// Returns the only value that a positive condition among some admits for a key.
pub(super) fn value_among<'c>(conditions: &'c [Condition], key: &str) -> Option<&'c str> {
    let fits = |condition: &&Condition| {
        condition.key.eq_ignore_ascii_case(key)
            && matches!(condition.operator.0.as_str(), "StringEquals" | "StringLike" | "ArnEquals" | "ArnLike")
    };
    match conditions.iter().find(fits)?.values.as_slice() {
        [value] => Some(value.as_text()),
        _ => None,
    }
}
