//! What is on a key, not declared, and left alone.

use super::super::tagging::is_undeclared;
use super::KeyGoal;
use super::aliases::{declared_in_target, is_removed};
use crate::desired::TagReach;
use crate::ids::{AliasName, KeyId};
use crate::live::LiveTarget;
use crate::plan::{Drift, DriftKind, Owner, PropertyChange};
use std::collections::BTreeMap;

/// What is on the key, not declared, and left alone.
pub(super) fn drift(goal: &KeyGoal<'_>, id: &KeyId, tags: &BTreeMap<String, String>, live: &LiveTarget) -> Vec<Drift> {
    let old = goal.key.moved_from.as_ref().map(|old| AliasName::claim(goal.stack, &old.value));
    let claim = AliasName::claim(goal.stack, &goal.key.name);
    let left_alone = |alias: &&AliasName| {
        let handled = is_removed(goal, alias) || declared_in_target(goal.target, alias);
        **alias != claim && Some(*alias) != old.as_ref() && !handled
    };
    let aliases = live.aliases_of(id).filter(left_alone).map(|alias| (format!("alias {alias}"), id.to_string()));
    let kept =
        tags.iter().filter(|(tag, _)| goal.key.tag_reach == TagReach::Declared && is_undeclared(tag, &goal.tags));
    let tags = kept.map(|(tag, value)| (format!("tag {tag}"), value.clone()));
    let undeclared = |(property, value): (String, String)| Drift {
        owner: Owner::Key(goal.key.name.clone()),
        kind: DriftKind::Undeclared,
        what: format!("{property} is not declared"),
        change: Some(PropertyChange { property, before: Some(value), after: None }),
    };
    aliases.chain(tags).map(undeclared).collect()
}
