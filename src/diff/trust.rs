//! Who may become a role under one trust policy and may not under another.

use super::model::TrustLine;
use crate::access::{ContextValue, PrincipalFacts, PrincipalType, Request, evaluate_trust};
use crate::ids::{AccountId, PrincipalArn, RoleArn};
use crate::policy::{
    Actions, Condition, ConditionOperator, Effect, PolicyDocument, PrincipalEntry, Principals, Statement,
};
use crate::review::Witness;
use crate::text;
use std::collections::{BTreeMap, BTreeSet};

/// The role that is trusted to somebody, and how people call ARNs.
pub(super) struct Trust<'a> {
    pub(super) role: &'a RoleArn,
    pub(super) names: &'a BTreeMap<String, String>,
}

/// Returns who may become the role under the new policy and not under the old one. It may name too much, where it
/// is not proved that the old policy allows the same, and never too little.
pub(super) fn gained(old: &PolicyDocument, new: &PolicyDocument, trust: &Trust<'_>) -> Vec<TrustLine> {
    if old.same_permissions(new) {
        return Vec::new();
    }
    let allowed = units(new, Effect::Allow).into_iter().filter(|unit| adds_to(old, unit));
    let freed = units(old, Effect::Deny).into_iter().filter(|unit| adds_to(new, unit));
    let mut lines: BTreeMap<(String, Vec<String>), TrustLine> = BTreeMap::new();
    for unit in allowed.chain(freed) {
        let (principal, said) = trust.principal(&unit);
        let mut conditions = trust.conditions(&unit, said);
        if unit.effect == Effect::Deny {
            conditions.push("no longer denied".to_owned());
        }
        let line = lines.entry((principal.clone(), conditions.clone())).or_insert_with(|| TrustLine {
            principal,
            conditions,
            actions: BTreeSet::new(),
            witness: None,
        });
        line.actions.extend(actions(&unit));
        if line.witness.is_none() {
            line.witness = trust.witness(&unit, old, new);
        }
    }
    lines.into_values().collect()
}

/// Takes the statements of one effect apart: one principal, one action, so that each can be new by itself.
fn units(document: &PolicyDocument, effect: Effect) -> Vec<Statement> {
    let statements = document.statements.iter().filter(|statement| statement.effect == effect);
    statements.filter(|statement| statement.inert.is_none()).flat_map(parts).collect()
}

fn parts(statement: &Statement) -> Vec<Statement> {
    let (Some(Principals::Is(entries)), Some(Actions::Is(actions))) = (&statement.principals, &statement.actions)
    else {
        return vec![statement.clone()];
    };
    let part = |entry: &PrincipalEntry, action: &String| {
        let mut part = statement.clone();
        part.principals = Some(Principals::Is(vec![entry.clone()]));
        part.actions = Some(Actions::Is(vec![action.clone()]));
        part
    };
    entries.iter().flat_map(|entry| actions.iter().map(move |action| part(entry, action))).collect()
}

/// Returns whether a document would mean something else with one more statement.
fn adds_to(document: &PolicyDocument, statement: &Statement) -> bool {
    let mut both = document.clone();
    both.statements.push(statement.clone());
    !both.same_permissions(document)
}

fn actions(unit: &Statement) -> Vec<String> {
    match &unit.actions {
        Some(Actions::Is(patterns)) => patterns.clone(),
        Some(Actions::IsNot(patterns)) => patterns.iter().map(|pattern| format!("all but {pattern}")).collect(),
        None => Vec::new(),
    }
}

/// Condition keys that the name of a principal says already.
type Said = &'static [&'static str];

impl Trust<'_> {
    /// Returns whom a statement is about, and which condition that already says.
    fn principal(&self, unit: &Statement) -> (String, Said) {
        match &unit.principals {
            Some(Principals::Is(entries)) => match entries.as_slice() {
                [entry] => self.entry(entry, unit),
                several => (self.listed(several), &[]),
            },
            Some(Principals::IsNot(entries)) => (format!("everyone except {}", self.listed(entries)), &[]),
            None => ("nobody".to_owned(), &[]),
        }
    }

    fn listed(&self, entries: &[PrincipalEntry]) -> String {
        let names: Vec<String> = entries.iter().map(|entry| self.name(entry.kind_and_value().1)).collect();
        text::and_list(&names)
    }

    fn entry(&self, entry: &PrincipalEntry, unit: &Statement) -> (String, Said) {
        let caller = value_of(unit, "aws:PrincipalArn");
        match entry {
            PrincipalEntry::Everyone => match caller {
                Some(pattern) => self.matching(pattern, unit),
                None => ("everyone".to_owned(), &[]),
            },
            PrincipalEntry::Aws(text) => match (account_of(text), caller) {
                (Some(_), Some(pattern)) => self.matching(pattern, unit),
                (Some(account), None) => (format!("account:{account} through IAM"), &[]),
                (None, _) => (self.name(text), &[]),
            },
            PrincipalEntry::Service(name) => (name.clone(), &[]),
            PrincipalEntry::Federated(arn) => {
                let provider = arn.split_once("-provider/").map_or(arn.as_str(), |(_, provider)| provider);
                (format!("tokens of {provider}"), &[])
            }
            PrincipalEntry::Other { value, .. } => (value.clone(), &[]),
        }
    }

    /// Returns callers that a pattern matches; it says the account too, unless a condition says another one.
    fn matching(&self, pattern: &str, unit: &Statement) -> (String, Said) {
        let account = pattern.split(':').nth(4);
        let said: Said = if value_of(unit, "aws:PrincipalAccount") == account {
            &["aws:principalarn", "aws:principalaccount"]
        } else {
            &["aws:principalarn"]
        };
        (self.name(pattern), said)
    }

    /// Returns the name of an ARN or pattern: the manifest's, Identity Center's, or the text itself.
    fn name(&self, text: &str) -> String {
        self.names.get(text).cloned().or_else(|| permission_set(text)).unwrap_or_else(|| text.to_owned())
    }

    fn conditions(&self, unit: &Statement, said: Said) -> Vec<String> {
        let conditions = unit.conditions.iter();
        let other = conditions.filter(|condition| !said.contains(&condition.key.to_ascii_lowercase().as_str()));
        let mut words: Vec<String> = other.map(|condition| self.condition(condition)).collect();
        words.sort();
        words
    }

    fn condition(&self, condition: &Condition) -> String {
        let values: Vec<String> = condition.values.iter().map(|value| self.name(value.as_text())).collect();
        let key = &condition.key;
        let relation = match condition.operator.0.as_str() {
            "StringEquals" | "ArnEquals" | "NumericEquals" | "DateEquals" | "Bool" => "is",
            "StringLike" | "ArnLike" => "is like",
            "StringNotEquals" | "ArnNotEquals" | "NumericNotEquals" | "DateNotEquals" => "is not",
            "StringNotLike" | "ArnNotLike" => "is not like",
            "IpAddress" => "is in",
            "NotIpAddress" => "is not in",
            other => return format!("only when {key} ({other}) {}", text::or_list(&values)),
        };
        format!("only when {key} {relation} {}", text::or_list(&values))
    }

    /// Returns a request that the old policy refuses and the new one allows, if one can be built and the evaluator
    /// confirms it. The caller's own policies are taken to allow it.
    fn witness(&self, unit: &Statement, old: &PolicyDocument, new: &PolicyDocument) -> Option<Witness> {
        let request = self.request(unit)?;
        let caller = self.caller(unit)?;
        let allows = |trust: &PolicyDocument| evaluate_trust(&request, &caller, trust).is_allowed();
        (allows(new) && !allows(old)).then(|| Witness {
            principal: caller.arn.clone(),
            action: request.action.clone(),
            context: request
                .context
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), one(value.as_ref()?))))
                .collect(),
        })
    }

    fn request(&self, unit: &Statement) -> Option<Request> {
        let action = actions(unit).into_iter().next().map(|action| match action.as_str() {
            "*" | "sts:*" => "sts:AssumeRole".to_owned(),
            _ => action,
        })?;
        // Roles are of no Region; a request has one.
        let mut request = Request::new(action, self.role.as_str(), "us-east-1".parse().ok()?);
        for condition in unit.conditions.iter().filter(|condition| is_positive(&condition.operator)) {
            let of_caller = ["aws:principalarn", "aws:principalaccount"];
            let value = condition.values.first().map(|value| example(value.as_text()));
            if let Some(value) = value.filter(|_| !of_caller.contains(&condition.key.to_ascii_lowercase().as_str())) {
                request.context.insert(condition.key.clone(), Some(ContextValue::One(value)));
            }
        }
        Some(request)
    }

    fn caller(&self, unit: &Statement) -> Option<PrincipalFacts> {
        let Some(Principals::Is(entries)) = &unit.principals else { return None };
        let pattern = value_of(unit, "aws:PrincipalArn").map(example);
        let named = |account: &str, name: &str| {
            let partition = self.role.as_str().split(':').nth(1).unwrap_or("aws");
            format!("arn:{partition}:iam::{account}:role/{name}")
        };
        let arn = match entries.first()? {
            PrincipalEntry::Everyone => pattern.unwrap_or_else(|| named(self.role.account().as_str(), "anybody")),
            PrincipalEntry::Aws(text) => match account_of(text) {
                Some(account) => pattern.unwrap_or_else(|| named(account.as_str(), "allowed-by-iam")),
                None => text.clone(),
            },
            PrincipalEntry::Service(name) => {
                return Some(PrincipalFacts::new(PrincipalType::Service, name.clone(), None));
            }
            PrincipalEntry::Federated(arn) => {
                return Some(PrincipalFacts::new(PrincipalType::FederatedUser, arn.clone(), None));
            }
            PrincipalEntry::Other { .. } => return None,
        };
        let mut facts = PrincipalFacts::from_arn(&arn.parse::<PrincipalArn>().ok()?);
        facts.identity_policies = vec![PolicyDocument::new(vec![Statement::allow("Everything", ["*"])])];
        Some(facts)
    }
}

fn one(value: &ContextValue) -> String {
    match value {
        ContextValue::One(value) => value.clone(),
        ContextValue::Many(values) => values.join(", "),
    }
}

fn is_positive(operator: &ConditionOperator) -> bool {
    let text = operator.0.trim_end_matches("IfExists");
    matches!(text, "StringEquals" | "StringLike" | "StringEqualsIgnoreCase" | "ArnEquals" | "ArnLike" | "Bool")
}

/// Returns the only value that a positive condition on a key admits.
fn value_of<'s>(unit: &'s Statement, key: &str) -> Option<&'s str> {
    let fits = |condition: &&Condition| condition.key.eq_ignore_ascii_case(key) && is_positive(&condition.operator);
    let values = &unit.conditions.iter().find(fits)?.values;
    let first = values.first()?.as_text();
    // The patterns of one permission set differ in a Region's folder alone; the first stands for all.
    (values.len() == 1 || permission_set(first).is_some()).then_some(first)
}

/// Returns the account that an entry means as a whole: a bare id, or a root ARN.
fn account_of(text: &str) -> Option<AccountId> {
    let account = text.strip_suffix(":root").and_then(|head| head.rsplit(':').next()).unwrap_or(text);
    account.parse().ok()
}

/// Returns the permission set whose roles a pattern matches.
fn permission_set(pattern: &str) -> Option<String> {
    let name = pattern.rsplit('/').next()?.strip_prefix("AWSReservedSSO_")?;
    let (set, suffix) = name.rsplit_once('_')?;
    suffix.bytes().all(|byte| byte == b'?').then(|| format!("sso:{set}"))
}

/// Returns a text that a pattern matches.
fn example(pattern: &str) -> String {
    pattern.replace('*', "x").replace('?', "0")
}
