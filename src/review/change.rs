//! The access that a change gives and takes.

use super::alike::alike;
use super::decide::Decider;
use super::difference::candidates;
use super::line::{Direction, Gathering, shape_of};
use super::model::AccessChange;
use super::rule::{Rules, actions_of};
use super::words::Vocabulary;
use crate::access::KeyFacts;
use crate::ids::KeyName;
use crate::policy::PolicyDocument;
use std::collections::BTreeMap;

/// Two states of a key to compare.
#[derive(Debug, Clone, Copy)]
pub struct ReviewInput<'a> {
    /// The key.
    pub key: &'a KeyName,
    /// The old state; `None`: there was no key.
    pub before: Option<&'a KeyFacts>,
    /// The new state.
    pub after: &'a KeyFacts,
    /// How people call ARNs (and `aws:PrincipalArn` patterns): the manifest's names.
    pub names: &'a BTreeMap<String, String>,
}

/// Returns the access that is gained and lost between two states of a key.
///
/// It is decided, not guessed: a line with a witness is a gain, or a loss, that the evaluator confirms; one without
/// is not decided, says why, and counts as one; and where there is no line, nothing is gained, or lost. Access
/// through the account's IAM is one line about the account. Left aside are requests whose encryption context has two
/// keys that differ only in case, and `RetireGrant`, which no key policy allows.
pub fn access_change(input: ReviewInput<'_>) -> AccessChange {
    if input.before == Some(input.after) {
        return AccessChange::default();
    }
    let none = without_access(input.after);
    let before = input.before.unwrap_or(&none);
    let (old, new) = (Rules::of(before), Rules::of(input.after));
    let actions = actions_of([&old, &new]);
    let account = input.after.account.as_str();
    let words = Vocabulary { names: input.names, account };
    let gathering = |kept| Gathering { key: input.key, shape: shape_of(input.after), words, kept };
    let groups = alike([before, input.after], &actions);
    let gains = candidates(&old, &new, &groups, account);
    let losses = candidates(&new, &old, &groups, account);
    if gains.is_empty() && losses.is_empty() {
        return AccessChange::default();
    }
    let mut decider = Decider::new(before, input.after);
    let gains = decider.decide(&gains);
    let losses = decider.reversed().decide(&losses);
    AccessChange {
        gains: gathering(&old.allows).lines(&gains, Direction::Gain),
        losses: gathering(&new.allows).lines(&losses, Direction::Loss),
    }
}

/// Returns a key that allows nothing to anybody.
fn without_access(key: &KeyFacts) -> KeyFacts {
    KeyFacts { policy: PolicyDocument::new(Vec::new()), ram_policy: None, grants: Vec::new(), ..key.clone() }
}
