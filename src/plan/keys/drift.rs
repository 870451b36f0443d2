//! What is on a key, not declared, and left alone.

use super::KeyGoal;
use crate::desired::tags::RESERVED_PREFIX;
use crate::ids::{AliasName, KeyId};
use crate::live::LiveTarget;
use crate::plan::Drift;
use std::collections::BTreeMap;

/// What is on the key, not declared, and left alone.
pub(super) fn drift(goal: &KeyGoal<'_>, id: &KeyId, tags: &BTreeMap<String, String>, live: &LiveTarget) -> Vec<Drift> {
    let claim = AliasName::claim(goal.stack, &goal.key.name);
    let declared = |alias: &AliasName| *alias == claim || goal.key.aliases.iter().any(|wanted| wanted.value == *alias);
    let aliases =
        live.aliases_of(id).filter(|alias| !declared(alias)).map(|alias| format!("alias {alias} is not declared"));
    let undeclared = tags
        .keys()
        .filter(|tag| !goal.tags.contains_key(*tag) && !tag.starts_with(RESERVED_PREFIX) && !tag.starts_with("aws:"))
        .map(|tag| format!("tag {tag} is not declared"));
    aliases.chain(undeclared).map(|what| Drift { key: goal.key.name.clone(), what }).collect()
}
