//! Aliases of a key: create, move between keys of ours, and keep off everybody else's.

use super::super::draft::{Draft, Sheet};
use super::KeyGoal;
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::diag::Code;
use crate::ids::{AliasName, KeyId, KeyName};
use crate::live::LiveTarget;
use crate::plan::{Action, KeyRef, Why};
use crate::review::Risk;

/// Creates the declared aliases, moves them between keys of ours, and refuses to touch anybody else's.
pub(super) fn aliases(goal: &KeyGoal<'_>, id: Option<&KeyId>, live: &LiveTarget, sheet: &mut Sheet<'_>) {
    let reference = id.map_or_else(|| KeyRef::Planned(goal.key.name.clone()), |id| KeyRef::Live(id.clone()));
    for alias in goal.key.aliases.iter().map(|alias| &alias.value) {
        match live.aliases.get(alias) {
            None => {
                let action = Action::CreateAlias { alias: alias.clone(), key: reference.clone() };
                sheet.step(Draft::new(action, Why::Absent).change("alias", None, Some(alias.to_string())));
            }
            Some(Some(current)) if Some(current) == id => {}
            Some(Some(current)) if is_ours(goal, current, live) => {
                let action =
                    Action::UpdateAlias { alias: alias.clone(), from: current.clone(), key: reference.clone() };
                let change = (format!("alias {alias}"), Some(current.to_string()), Some(goal.key.name.to_string()));
                sheet.step(Draft::new(action, Why::Differs).risk(Risk::Decrypt).change(change.0, change.1, change.2));
            }
            Some(current) => sheet.block(
                Code::AliasForeign,
                format!(
                    "the alias `{alias}` names {}",
                    current.as_ref().map_or("no key".to_owned(), |key| format!("`{key}`, which is not ours"))
                ),
                "choose another alias, or remove this one by hand when nothing uses it",
            ),
        }
    }
}

/// A key is ours if it carries the tags of our stack and manifest, and stands behind the claim alias of its name.
fn is_ours(goal: &KeyGoal<'_>, id: &KeyId, live: &LiveTarget) -> bool {
    let Some(tags) = live.key(id).and_then(|key| key.tags.known()) else { return false };
    let same = |tag: &str| tags.get(tag).is_some_and(|value| goal.tags.get(tag) == Some(value));
    let name = tags.get(TAG_KEY).and_then(|name| name.parse().ok());
    let claims = |name: KeyName| live.aliases.get(&AliasName::claim(goal.stack, &name)) == Some(&Some(id.clone()));
    same(TAG_STACK) && same(TAG_OWNER) && name.is_some_and(claims)
}
