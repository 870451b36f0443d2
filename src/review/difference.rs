//! What one state of a key allows and another does not.

use super::imply::{covers, fact_decides, is_void, never_meet};
use super::rule::{Rule, Rules, Who};
use super::search::Region;
use crate::policy::{Condition, ConditionOperator, Effect};

/// Something that may be newly allowed: whom a rule is about, under its conditions, for the action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Actions that nothing tells apart; never empty.
    pub(super) actions: Vec<String>,
    /// What it is, for people.
    pub(super) rule: Rule,
    /// The rule that allows it.
    pub(super) allow: Rule,
    /// The deny that kept it out, if the old state has an allow too.
    pub(super) lifted: Option<Rule>,
}

impl Candidate {
    /// Returns the requests that it is about.
    pub(super) fn region(&self) -> Region<'_> {
        Region { allow: &self.allow, lifted: self.lifted.as_ref() }
    }
}

/// Returns what `new` may allow and `old` not, by groups of actions that nothing tells apart: everything that is not
/// there already at first sight.
pub(super) fn candidates(old: &Rules, new: &Rules, groups: &[Vec<String>], account: &str) -> Vec<Candidate> {
    groups.iter().flat_map(|actions| Comparison::new(old, new, actions, account).candidates()).collect()
}

/// Two states of a key, as far as they speak of actions that nothing tells apart.
struct Comparison<'a> {
    old: About<'a>,
    new: About<'a>,
    actions: &'a [String],
    account: &'a str,
}

/// The rules of a state that speak of an action.
struct About<'a> {
    allows: Vec<&'a Rule>,
    denies: Vec<&'a Rule>,
}

impl<'a> About<'a> {
    /// Returns the rules about an action; those that can never allow it are not.
    fn of(rules: &'a Rules, action: &str, account: &str) -> Self {
        let can = |rule: &&Rule| rule.has(action) && !is_void(rule, action, account);
        Self {
            allows: rules.allows.iter().filter(can).collect(),
            denies: rules.denies.iter().filter(|rule| rule.has(action)).collect(),
        }
    }
}

impl<'a> Comparison<'a> {
    fn new(old: &'a Rules, new: &'a Rules, actions: &'a [String], account: &'a str) -> Self {
        let action = actions.first().map_or("", String::as_str);
        Self { old: About::of(old, action, account), new: About::of(new, action, account), actions, account }
    }

    fn candidates(&self) -> Vec<Candidate> {
        // Whom a deny for all but some exempts is contested where an allow for all but the same is.
        let effective = |rule: &&&Rule| matches!(rule.who, Who::Except(_)) || !self.denied(rule);
        self.new.allows.iter().filter(effective).flat_map(|rule| self.candidates_of(rule)).collect()
    }

    /// Returns whether the new state denies all that a rule speaks of.
    fn denied(&self, rule: &Rule) -> bool {
        self.new.denies.iter().any(|deny| covers(deny, rule, Effect::Deny, self.account))
    }

    /// Returns the rule itself if nothing old covers it, else those parts of it that an old deny kept out and no
    /// new one does.
    fn candidates_of(&self, rule: &Rule) -> Vec<Candidate> {
        let candidate = |shown: Rule, lifted: Option<&Rule>| Candidate {
            actions: self.actions.to_vec(),
            rule: shown,
            allow: rule.clone(),
            lifted: lifted.cloned(),
        };
        if !self.old.allows.iter().any(|old| covers(old, rule, Effect::Allow, self.account)) {
            return vec![candidate(rule.clone(), None)];
        }
        let kept_out = self.old.denies.iter().filter(|deny| !self.denied(deny) && !never_meet(deny, rule));
        let regions = kept_out.map(|deny| (meet(rule, deny), *deny));
        let left = regions.filter(|(region, _)| matches!(region.who, Who::Except(_)) || !self.denied(region));
        left.map(|(region, deny)| candidate(region, Some(deny))).collect()
    }
}

/// Returns what both an allow and a deny speak of.
fn meet(allow: &Rule, deny: &Rule) -> Rule {
    let mut region = allow.clone();
    let conditions = deny.conditions.iter().filter(|condition| fact_decides(condition, allow) != Some(true));
    for condition in conditions {
        if !region.conditions.contains(condition) {
            region.conditions.push(condition.clone());
        }
    }
    match (&allow.who, &deny.who) {
        // An account as such would read as access through its IAM; here it is everybody in it, directly.
        (Who::Everyone | Who::Except(_), Who::Account(account)) => region.conditions.push(caller_is_of(account)),
        (Who::Everyone | Who::Except(_), narrower) => region.who = narrower.clone(),
        (Who::Account(_), Who::Arn(arn)) => region.conditions.push(caller_is(arn)),
        (Who::Arn(_) | Who::Account(_) | Who::Service(_), _) => {}
    }
    region
}

fn caller_is(arn: &str) -> Condition {
    Condition {
        operator: ConditionOperator("ArnLike".to_owned()),
        key: "aws:PrincipalArn".to_owned(),
        values: vec![arn.into()],
    }
}

fn caller_is_of(account: &str) -> Condition {
    Condition {
        operator: ConditionOperator("StringEquals".to_owned()),
        key: "aws:PrincipalAccount".to_owned(),
        values: vec![account.into()],
    }
}
