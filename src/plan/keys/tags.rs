//! Tags of a key.

use super::super::draft::{Draft, Sheet};
use super::KeyGoal;
use crate::plan::{Action, KeyRef, Why};
use std::collections::BTreeMap;

/// Adds and overwrites declared tags; tags of others are left alone.
pub(super) fn tag_step(goal: &KeyGoal<'_>, live: &BTreeMap<String, String>, key: &KeyRef, sheet: &mut Sheet<'_>) {
    let differing: BTreeMap<String, String> = goal
        .tags
        .iter()
        .filter(|(tag, value)| live.get(*tag) != Some(value))
        .map(|(tag, value)| (tag.clone(), value.clone()))
        .collect();
    if differing.is_empty() {
        return;
    }
    let spell = |tags: Vec<(&String, &String)>| {
        tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect::<Vec<_>>().join(", ")
    };
    let before = spell(differing.keys().filter_map(|tag| live.get_key_value(tag)).collect());
    let after = spell(differing.iter().collect());
    let before = (!before.is_empty()).then_some(before);
    sheet.step(Draft::new(Action::TagKey { key: key.clone(), tags: differing }, Why::Differs).change(
        "tags",
        before,
        Some(after),
    ));
}
