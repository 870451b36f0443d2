//! Aliases of a key: create, move between keys of ours, take over and remove where asked, and keep off all others.

use super::super::draft::{Draft, Sheet};
use super::KeyGoal;
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredTarget, Takeover};
use crate::diag::Code;
use crate::ids::{AliasName, KeyId, KeyName};
use crate::kms::{ALIASES_PER_KEY, KeySpec, KeyUsage};
use crate::live::LiveTarget;
use crate::plan::{Action, KeyRef, Why};
use crate::review::Risk;
use crate::text::and_list;

/// Creates the declared aliases, moves them to the key where they name another, removes those that it shall not have,
/// and refuses to touch anybody else's.
pub(super) fn aliases(goal: &KeyGoal<'_>, id: Option<&KeyId>, live: &LiveTarget, sheet: &mut Sheet<'_>) {
    let reference = id.map_or_else(|| KeyRef::Planned(goal.key.name.clone()), |id| KeyRef::Live(id.clone()));
    let mut coming = Vec::new();
    for alias in goal.key.aliases.iter().map(|alias| &alias.value) {
        coming.extend(declared(goal, alias, &reference, live, sheet));
    }
    let going = removals(goal, id, live, sheet);
    let fresh_claim = !live.aliases.contains_key(&AliasName::claim(goal.stack, &goal.key.name));
    let held = id.map_or(0, |id| live.aliases_of(id).count());
    let most = held + coming.len() + usize::from(fresh_claim);
    let steps = if most <= ALIASES_PER_KEY {
        [coming, going]
    } else if most - going.len() <= ALIASES_PER_KEY {
        [going, coming]
    } else {
        return too_many(goal, id, most - going.len(), live, sheet);
    };
    steps.into_iter().flatten().for_each(|draft| sheet.step(draft));
}

/// KMS counts the aliases that the manifest does not declare too.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html#aliases-per-key>
fn too_many(goal: &KeyGoal<'_>, id: Option<&KeyId>, count: usize, live: &LiveTarget, sheet: &mut Sheet<'_>) {
    let present = id.into_iter().flat_map(|id| live.aliases_of(id));
    let undeclared: Vec<String> = present
        .filter(|alias| !alias.is_claim() && !declared_in_target(goal.target, alias) && !is_removed(goal, alias))
        .take(5)
        .map(|alias| format!("`{alias}`"))
        .collect();
    let help = if undeclared.is_empty() {
        "declare fewer `aliases`, or apply in two runs what takes aliases off the key and what adds some".to_owned()
    } else {
        format!("undeclared ones are {}: name in `remove_aliases` what nobody uses", and_list(&undeclared))
    };
    sheet.block(
        Code::AliasLimit,
        format!("the key would have {count} aliases, its claim alias included, and KMS allows {ALIASES_PER_KEY}"),
        help,
    );
}

/// What a declared alias needs.
fn declared(
    goal: &KeyGoal<'_>,
    alias: &AliasName,
    reference: &KeyRef,
    live: &LiveTarget,
    sheet: &mut Sheet<'_>,
) -> Option<Draft> {
    let current = match live.aliases.get(alias) {
        None => {
            let action = Action::CreateAlias { alias: alias.clone(), key: reference.clone() };
            return Some(Draft::new(action, Why::Absent).change("alias", None, Some(alias.to_string())));
        }
        Some(None) => return foreign(alias, "no key", sheet),
        Some(Some(current)) if *reference == KeyRef::Live(current.clone()) => return None,
        Some(Some(current)) => current,
    };
    let ours = is_ours(goal, current, live);
    if !ours && goal.key.takeover == Takeover::Never {
        return foreign(alias, &format!("`{current}`, which is not ours"), sheet);
    }
    if !fits(goal, alias, current, live, sheet) {
        return None;
    }
    let action = Action::UpdateAlias { alias: alias.clone(), from: current.clone(), key: reference.clone() };
    let before = if ours { current.to_string() } else { format!("{current}, which is not ours") };
    let after = match reference {
        KeyRef::Live(id) => format!("{} ({id})", goal.key.name),
        KeyRef::Planned(name) => format!("{name} (new)"),
    };
    let draft = Draft::new(action, Why::Differs).risk(Risk::Decrypt);
    Some(draft.change(format!("alias {alias}"), Some(before), Some(after)))
}

fn foreign(alias: &AliasName, names: &str, sheet: &mut Sheet<'_>) -> Option<Draft> {
    sheet.block(
        Code::AliasForeign,
        format!("the alias `{alias}` names {names}"),
        "choose another alias; to move this one to the key, whatever uses it then uses the key: `takeover = true`",
    );
    None
}

/// KMS moves an alias between keys of one type and usage only. Their states are not in the way, but for a key that
/// waits for its deletion, which gets no alias.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateAlias.html>
fn fits(goal: &KeyGoal<'_>, alias: &AliasName, from: &KeyId, live: &LiveTarget, sheet: &mut Sheet<'_>) -> bool {
    let found = live.key(from).map(|key| &key.metadata);
    let Some(metadata) = found.and_then(|metadata| metadata.known()) else {
        let action = found.and_then(|metadata| metadata.denied()).unwrap_or("kms:DescribeKey");
        sheet.block(
            Code::Unreadable,
            format!("the key `{from}`, which the alias `{alias}` names, could not be read: `{action}` was denied"),
            format!("allow the caller {action} on the key"),
        );
        return false;
    };
    let (is, wanted) = ((metadata.spec, metadata.usage), (goal.key.spec(), goal.key.usage()));
    if same_alias_type(is, wanted) {
        return true;
    }
    let words = |(spec, usage): (KeySpec, KeyUsage)| format!("{} for {}", key_type(spec), usage.name());
    sheet.block(
        Code::AliasMismatch,
        format!(
            "the alias `{alias}` names `{from}`, a key that is {}; KMS does not move it to one that is {}",
            words(is),
            words(wanted)
        ),
        "choose another alias, or remove this one (`remove_aliases` on the key that has it), apply, and declare it again",
    );
    false
}

/// Returns whether KMS moves an alias between keys of these kinds.
fn same_alias_type(one: (KeySpec, KeyUsage), other: (KeySpec, KeyUsage)) -> bool {
    key_type(one.0) == key_type(other.0) && one.1 == other.1
}

fn key_type(spec: KeySpec) -> &'static str {
    if spec.is_hmac() {
        "HMAC"
    } else if spec.is_asymmetric() {
        "asymmetric"
    } else {
        "symmetric"
    }
}

/// Aliases that the key shall not have. One that another key declares is moved there, and is not removed here.
fn removals(goal: &KeyGoal<'_>, id: Option<&KeyId>, live: &LiveTarget, sheet: &mut Sheet<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for alias in goal.key.remove_aliases.iter().filter(|alias| is_removed(goal, alias)) {
        let Some(named) = live.aliases.get(alias) else { continue };
        match (id, named) {
            (Some(id), Some(named)) if named == id => drafts.push(removal(alias, id, named.to_string())),
            (Some(id), None) => drafts.push(removal(alias, id, "no key".to_owned())),
            (_, Some(other)) => sheet.note(
                Code::AliasForeign,
                format!("`remove_aliases` has `{alias}`, which names `{other}`: it is left alone"),
                "take it out of `remove_aliases`",
            ),
            (None, None) => {}
        }
    }
    drafts
}

fn removal(alias: &AliasName, key: &KeyId, before: String) -> Draft {
    let action = Action::DeleteAlias { alias: alias.clone(), key: KeyRef::Live(key.clone()) };
    let draft = Draft::new(action, Why::Unwanted).risk(Risk::Destroy);
    draft.change(format!("alias {alias}"), Some(before), None)
}

/// Returns whether the key shall lose an alias: `remove_aliases` has it, it is no claim, and nobody declares it.
pub(super) fn is_removed(goal: &KeyGoal<'_>, alias: &AliasName) -> bool {
    goal.key.remove_aliases.contains(alias) && !alias.is_claim() && !declared_in_target(goal.target, alias)
}

/// Returns whether a key of the target declares an alias.
pub(super) fn declared_in_target(target: &DesiredTarget, alias: &AliasName) -> bool {
    target.keys.iter().flat_map(|key| &key.aliases).any(|declared| declared.value == *alias)
}

/// A key is ours if it carries the tags of our stack and manifest, and stands behind the claim alias of its name.
fn is_ours(goal: &KeyGoal<'_>, id: &KeyId, live: &LiveTarget) -> bool {
    let Some(tags) = live.key(id).and_then(|key| key.tags.known()) else { return false };
    let same = |tag: &str| tags.get(tag).is_some_and(|value| goal.tags.get(tag) == Some(value));
    let name = tags.get(TAG_KEY).and_then(|name| name.parse().ok());
    let claims = |name: KeyName| live.aliases.get(&AliasName::claim(goal.stack, &name)) == Some(&Some(id.clone()));
    same(TAG_STACK) && same(TAG_OWNER) && name.is_some_and(claims)
}
