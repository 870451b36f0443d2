//! What makes a key ours that is adopted or renamed: the claim alias, the tags, and the old claim alias goes.

use super::super::draft::{Draft, Sheet};
use super::super::scope::ClaimAlias;
use super::KeyGoal;
use super::tags::spell;
use crate::desired::tags::RESERVED_PREFIX;
use crate::ids::AliasName;
use crate::live::{LiveKey, LiveTarget};
use crate::plan::{Action, KeyRef, Why};
use std::collections::BTreeMap;

/// Adds the steps, in an order that can be interrupted anywhere, and returns the tags that the key has then.
pub(super) fn title(
    goal: &KeyGoal<'_>,
    (key, claim): (&LiveKey, ClaimAlias),
    tags: &BTreeMap<String, String>,
    live: &LiveTarget,
    sheet: &mut Sheet<'_>,
) -> BTreeMap<String, String> {
    let why = match claim {
        ClaimAlias::Stands | ClaimAlias::Missing => return tags.clone(),
        ClaimAlias::Adopted => Why::Adopted,
        ClaimAlias::Renamed => Why::Renamed,
    };
    let reference = KeyRef::Live(key.arn.key_id());
    let own = AliasName::claim(goal.stack, &goal.key.name);
    let old = goal.key.moved_from.as_ref().map(|old| AliasName::claim(goal.stack, &old.value));
    let old = old.filter(|old| live.aliases.get(old) == Some(&Some(key.arn.key_id())));
    if !live.aliases.contains_key(&own) {
        let action = Action::CreateAlias { alias: own.clone(), key: reference.clone() };
        let before = old.as_ref().map(ToString::to_string);
        sheet.step(Draft::new(action, why).change("claim alias", before, Some(own.to_string())));
    }
    let reserved =
        goal.tags.iter().filter(|(tag, value)| tag.starts_with(RESERVED_PREFIX) && tags.get(*tag) != Some(value));
    let reserved: BTreeMap<String, String> = reserved.map(|(tag, value)| (tag.clone(), value.clone())).collect();
    if !reserved.is_empty() {
        let before = spell(reserved.keys().filter_map(|tag| tags.get_key_value(tag)));
        let after = spell(&reserved);
        let action = Action::TagKey { key: reference.clone(), tags: reserved.clone() };
        sheet.step(Draft::new(action, why).change("owner tags", before, after));
    }
    if let Some(old) = old {
        let action = Action::DeleteAlias { alias: old.clone(), key: reference };
        sheet.step(Draft::new(action, why).change("old claim alias", Some(old.to_string()), None));
    }
    tags.clone().into_iter().chain(reserved).collect()
}
