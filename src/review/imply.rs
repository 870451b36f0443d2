//! Which rule covers which, and which rules can never meet. Sound, not complete: what is not proved counts as a
//! difference.

use super::rule::{EXACTLY, RESOURCE, Rule, Who};
use crate::access::GrantFacts;
use crate::kms::KmsAction;
use crate::policy::{Condition, Effect, Inclusion, StepBudget, glob_included, glob_matches};

/// How many steps one question of inclusion may take.
const STEPS: u64 = 20_000;

/// An operator taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator<'a> {
    /// `ForAllValues`, `ForAnyValue`, or nothing.
    pub(super) set: &'a str,
    /// The operator by itself; of two names for the same one, always the same one.
    pub(super) base: &'a str,
    if_exists: bool,
}

impl<'a> Operator<'a> {
    pub(super) fn of(condition: &'a Condition) -> Self {
        let text = condition.operator.0.as_str();
        let (set, rest) = text.split_once(':').unwrap_or(("", text));
        let base = rest.strip_suffix("IfExists").unwrap_or(rest);
        let base = match base {
            "ArnEquals" => "ArnLike",
            "ArnNotEquals" => "ArnNotLike",
            other => other,
        };
        Self { set, base, if_exists: rest.ends_with("IfExists") }
    }

    fn is_negated(self) -> bool {
        self.base.contains("Not")
    }

    /// Returns whether the condition holds only for requests that have the key.
    fn needs_key(self) -> bool {
        !self.is_negated() && !self.if_exists && self.set != "ForAllValues" && !matches!(self.base, "Null" | "Resource")
    }

    /// Returns whether a request's value satisfies a policy's value, whatever the polarity; `None`: not known.
    fn value_matches(self, policy: &str, value: &str) -> Option<bool> {
        if policy.contains("${") {
            return None;
        }
        match self.base {
            "StringEquals" | "StringNotEquals" => Some(policy == value),
            "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" | "Bool" => Some(policy.eq_ignore_ascii_case(value)),
            "StringLike" | "StringNotLike" => Some(glob_matches(policy, value)),
            "ArnLike" | "ArnNotLike" => Some(arn_parts_match(policy, value)),
            _ => None,
        }
    }
}

fn arn_parts_match(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<&str>, Vec<&str>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == 6
        && parts.len() == 6
        && patterns.iter().zip(parts).all(|(pattern, part)| glob_matches(pattern, part))
}

fn arn_parts_included(narrow: &str, wide: &str) -> bool {
    let (narrow, wide): (Vec<&str>, Vec<&str>) = (narrow.splitn(6, ':').collect(), wide.splitn(6, ':').collect());
    narrow.len() == 6 && wide.len() == 6 && narrow.iter().zip(wide).all(|(narrow, wide)| included(narrow, wide))
}

fn included(narrow: &str, wide: &str) -> bool {
    glob_included(narrow, &[wide], &mut StepBudget::new(STEPS)) == Inclusion::Included
}

/// Returns whether a rule allows, or denies, all that the other one speaks of, for an action of both.
pub(super) fn covers(wide: &Rule, narrow: &Rule, effect: Effect, key_account: &str) -> bool {
    wide_as_grants_go(wide, narrow, effect, key_account)
        && who_covers(&wide.who, narrow, effect)
        && wide.conditions.iter().all(|condition| holds(condition, narrow))
}

/// Returns whether nothing that is peculiar to grants stands against it: for an account, or a caller of another one,
/// a grant is not what a statement is, and one with `CreateGrant` gives narrower grants only.
fn wide_as_grants_go(wide: &Rule, narrow: &Rule, effect: Effect, key_account: &str) -> bool {
    match (&wide.grant, &narrow.grant) {
        (None, None) => true,
        (Some(wide), Some(narrow)) => {
            let same = |one: &GrantFacts, other: &GrantFacts| {
                (&one.issuing_account, &one.operations, &one.constraints)
                    == (&other.issuing_account, &other.operations, &other.constraints)
            };
            let grants = wide.operations.iter().any(|operation| operation == "CreateGrant");
            wide.issuing_account == narrow.issuing_account && (!grants || same(wide, narrow))
        }
        (Some(wide), None) => {
            let grants = wide.operations.iter().any(|operation| operation == "CreateGrant");
            !grants && !matches!(narrow.who, Who::Account(_))
        }
        // A grant may do for a caller of another account what a statement does only with that account's IAM.
        (None, Some(_)) => match &narrow.who {
            Who::Service(_) | Who::Everyone | Who::Except(_) => true,
            Who::Account(_) => effect == Effect::Deny,
            Who::Arn(_) => effect == Effect::Deny || narrow.account() == Some(key_account),
        },
    }
}

fn who_covers(wide: &Who, narrow: &Rule, effect: Effect) -> bool {
    if *wide == narrow.who {
        return true;
    }
    match (wide, effect) {
        (Who::Everyone, Effect::Allow | Effect::Deny) => true,
        (Who::Account(account), Effect::Deny) => narrow.account() == Some(account),
        (Who::Arn(arn), Effect::Deny) => matches!(&narrow.who, Who::Arn(session) if is_session_of(session, arn)),
        (Who::Account(_) | Who::Arn(_), Effect::Allow) | (Who::Service(_) | Who::Except(_), _) => false,
    }
}

/// Returns whether an ARN is that of a session of a role; a session's ARN does not tell the role's path.
fn is_session_of(session: &str, role: &str) -> bool {
    let name = session.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
    let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
    role.contains(":role/")
        && name.is_some_and(|name| role.rsplit('/').next() == Some(name))
        && account(session) == account(role)
}

/// Returns whether a condition holds for everything that a rule speaks of.
fn holds(condition: &Condition, rule: &Rule) -> bool {
    is_understood(condition) && !is_about_the_key(condition) && condition_holds(condition, rule)
}

/// Returns whether a condition looks at the key: its tags, say, may not be the same in two states, so that the same
/// words do not say the same.
fn is_about_the_key(condition: &Condition) -> bool {
    let about = |name: &str| {
        let begins = |head: &&str| name.get(..head.len()).is_some_and(|own| own.eq_ignore_ascii_case(head));
        ["aws:Resource", "kms:Key", "kms:MultiRegion", "kms:Resource"].iter().any(begins)
    };
    let named = |text: &str| text.split("${").skip(1).any(about);
    about(&condition.key) || condition.values.iter().any(|value| named(value.as_text()))
}

/// A condition with an operator that AWS does not know never holds.
fn is_understood(condition: &Condition) -> bool {
    matches!(condition.operator.0.as_str(), RESOURCE | EXACTLY) || condition.operator.is_known()
}

fn condition_holds(condition: &Condition, rule: &Rule) -> bool {
    rule.conditions.iter().any(|known| implies(known, condition)) || fact_decides(condition, rule) == Some(true)
}

/// Returns whether `wide` holds wherever `narrow` does.
pub(super) fn implies(narrow: &Condition, wide: &Condition) -> bool {
    if !narrow.key.eq_ignore_ascii_case(&wide.key) {
        return false;
    }
    let (from, to) = (Operator::of(narrow), Operator::of(wide));
    let null = |condition: &Condition, text: &str| condition.values.iter().all(|value| value.as_text() == text);
    if to.base == "Null" && from.needs_key() {
        return !wide.values.is_empty() && null(wide, "false");
    }
    if from.base == "Null" && to.base != "Null" {
        let absent = !narrow.values.is_empty() && null(narrow, "true");
        return absent && (to.is_negated() || to.if_exists) && to.set != "ForAnyValue";
    }
    let same_scope = from.set == to.set && (from.if_exists == to.if_exists || to.if_exists);
    same_scope && values_imply(narrow, wide)
}

fn values_imply(narrow: &Condition, wide: &Condition) -> bool {
    let (from, to) = (Operator::of(narrow), Operator::of(wide));
    let (inner, outer) = if to.is_negated() { (wide, narrow) } else { (narrow, wide) };
    let comparable = from.base == to.base
        || matches!((from.base, to.base), ("StringEquals", "StringLike") | ("StringNotLike", "StringNotEquals"));
    if comparable {
        // Of a negated condition the narrow one excludes more.
        let base = if to.is_negated() { from.base } else { to.base };
        return inner
            .values
            .iter()
            .all(|value| outer.values.iter().any(|other| value_included(base, value.as_text(), other.as_text())));
    }
    let excludes = matches!((from.base, to.base), ("StringEquals", "StringNotEquals" | "StringNotLike"));
    excludes
        && !narrow.values.is_empty()
        && narrow.values.iter().all(|value| {
            let literal = !value.as_text().contains("${");
            literal && wide.values.iter().all(|not| to.value_matches(not.as_text(), value.as_text()) == Some(false))
        })
}

fn value_included(base: &str, narrow: &str, wide: &str) -> bool {
    if narrow == wide {
        return true;
    }
    if narrow.contains("${") || wide.contains("${") {
        return false;
    }
    match base {
        "StringLike" | "StringNotLike" => included(narrow, wide),
        "ArnLike" | "ArnNotLike" => arn_parts_included(narrow, wide),
        "Bool" | "Null" => narrow.eq_ignore_ascii_case(wide),
        _ => false,
    }
}

/// Returns the value that a key of the request has because of whom the rule is about.
fn fact(key: &str, rule: &Rule) -> Option<String> {
    let is = |name: &str| key.eq_ignore_ascii_case(name);
    if is("aws:PrincipalAccount") || is("kms:CallerAccount") {
        return rule.account().map(str::to_owned);
    }
    match &rule.who {
        Who::Arn(arn) if is("aws:PrincipalArn") && arn.contains(":iam::") => Some(arn.clone()),
        Who::Arn(_) | Who::Account(_) if is("aws:PrincipalIsAWSService") => Some("false".to_owned()),
        Who::Service(_) if is("aws:PrincipalIsAWSService") => Some("true".to_owned()),
        Who::Arn(_) | Who::Account(_) | Who::Service(_) | Who::Everyone | Who::Except(_) => None,
    }
}

/// Returns whether a condition holds for whom the rule is about, where that decides it.
pub(super) fn fact_decides(condition: &Condition, rule: &Rule) -> Option<bool> {
    if !is_understood(condition) {
        return Some(false);
    }
    let operator = Operator::of(condition);
    let value = fact(&condition.key, rule)?;
    if operator.base == "Null" {
        return Some(condition.values.iter().any(|value| value.as_text() == "false"));
    }
    if !operator.set.is_empty() {
        return None;
    }
    let matches: Option<Vec<bool>> =
        condition.values.iter().map(|policy| operator.value_matches(policy.as_text(), &value)).collect();
    let any = matches?.contains(&true);
    Some(any != operator.is_negated())
}

/// Returns whether no request can match both rules, each in a state of its own.
pub(super) fn never_meet(deny: &Rule, allow: &Rule) -> bool {
    who_differ(&deny.who, allow)
        || deny.conditions.iter().any(|condition| {
            fact_decides(condition, allow) == Some(false)
                || (!is_about_the_key(condition)
                    && allow.conditions.iter().any(|other| exclude_each_other(condition, other)))
        })
}

fn who_differ(deny: &Who, allow: &Rule) -> bool {
    match (deny, &allow.who) {
        (Who::Everyone | Who::Except(_), _) | (_, Who::Everyone | Who::Except(_)) => false,
        (Who::Service(one), Who::Service(other)) => one != other,
        (Who::Service(_), Who::Arn(_) | Who::Account(_)) | (Who::Arn(_) | Who::Account(_), Who::Service(_)) => true,
        (Who::Account(account), Who::Arn(_) | Who::Account(_)) => allow.account().is_some_and(|other| other != account),
        (Who::Arn(arn), Who::Account(account)) => arn.split(':').nth(4) != Some(account),
        (Who::Arn(one), Who::Arn(other)) => one != other && !is_session_of(one, other) && !is_session_of(other, one),
    }
}

/// Returns whether two conditions on the same key can never both hold.
pub(super) fn exclude_each_other(one: &Condition, other: &Condition) -> bool {
    one.key.eq_ignore_ascii_case(&other.key) && (excludes(one, other) || excludes(other, one))
}

fn excludes(one: &Condition, other: &Condition) -> bool {
    let (first, second) = (Operator::of(one), Operator::of(other));
    let all = |condition: &Condition, text: &str| {
        !condition.values.is_empty() && condition.values.iter().all(|value| value.as_text() == text)
    };
    if first.base == "Null" && all(one, "true") {
        return second.needs_key() || (second.base == "Null" && all(other, "false"));
    }
    if !first.set.is_empty() || !second.set.is_empty() || second.base == "Null" || !second.needs_key() {
        return false;
    }
    if first.is_negated() {
        // Every value that the second admits is one that the first refuses.
        let base = first.base.replace("Not", "");
        let same_kind = base == second.base || (base == "StringLike" && second.base == "StringEquals");
        return same_kind
            && other
                .values
                .iter()
                .all(|value| one.values.iter().any(|not| value_included(first.base, value.as_text(), not.as_text())));
    }
    let literal = matches!(first.base, "StringEquals" | "Bool")
        && !first.if_exists
        && one.values.iter().all(|value| !value.as_text().contains("${"));
    literal
        && one.values.iter().all(|value| {
            other.values.iter().all(|wanted| second.value_matches(wanted.as_text(), value.as_text()) == Some(false))
        })
}

/// Returns whether an allow rule can never match an action: it asks for an encryption context that calls of the
/// action do not carry, or admits callers whom the action does not reach.
pub(super) fn is_void(rule: &Rule, action: &str, key_account: &str) -> bool {
    let Some(known) = KmsAction::find(action) else {
        return false;
    };
    let abroad = rule.account().is_some_and(|account| account != key_account);
    let asks_in_vain = |condition: &Condition| {
        let context = condition.key.get(..22).is_some_and(|head| head.eq_ignore_ascii_case("kms:EncryptionContext:"));
        context && Operator::of(condition).needs_key() && !known.knows_condition_key(&condition.key)
    };
    let wrong_caller = rule.conditions.iter().any(|condition| fact_decides(condition, rule) == Some(false));
    let never = rule.conditions.iter().any(|condition| !is_understood(condition));
    never
        || wrong_caller
        || (abroad && known.reach == crate::kms::Reach::OwnAccount)
        || rule.conditions.iter().any(asks_in_vain)
}
