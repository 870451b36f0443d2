//! The access that a change gives and takes.

use super::difference::{Gained, gained};
use super::line::{Direction, Gathering, shape_of};
use super::model::AccessChange;
use super::rule::{Rules, actions_of};
use super::witness::witness;
use super::words::Vocabulary;
use crate::access::KeyFacts;
use crate::ids::KeyName;
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
/// No gain is missed; where it cannot be proved that nothing changes, a line says more than really does. What
/// differs in wording alone gives no line. Access through the account's IAM is one line about the account.
pub fn access_change(input: ReviewInput<'_>) -> AccessChange {
    let old = input.before.map(Rules::of).unwrap_or_default();
    let new = Rules::of(input.after);
    let actions = actions_of([&old, &new]);
    let account = input.after.account.as_str();
    let words = Vocabulary { names: input.names, account };
    let gathering = |kept| Gathering { key: input.key, shape: shape_of(input.after), words, kept };
    let confirm = |found: &Gained| witness(found, input.before, input.after);
    let gains = gained(&old, &new, &actions, account);
    let losses = gained(&new, &old, &actions, account);
    AccessChange {
        gains: gathering(&old.allows).lines(&gains, Direction::Gain, &confirm),
        losses: gathering(&new.allows).lines(&losses, Direction::Loss, &|_| None),
    }
}
