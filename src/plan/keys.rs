//! Compares one declared key with the live one: what to create, describe, tag, enable, rotate.

use super::draft::{Draft, Sheet};
use super::scope::{ClaimAlias, Ownership, Refusal};
use super::{Action, Drift, KeyRef, Normalize, Why};
use crate::access::Grantee;
use crate::desired::tags::{RESERVED_PREFIX, TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredKey, KeyLifecycle, Rotation};
use crate::diag::Code;
use crate::ids::{AliasName, KeyId, KeyName, StackName};
use crate::kms::{KeyState, Origin};
use crate::live::{KeyManager, KeyMetadata, LiveGrant, LiveKey, LiveRotation, LiveTarget, Observed};
use crate::policy::PolicyDocument;
use crate::review::Risk;
use std::collections::BTreeMap;

/// What one key should be, with what synthesis made of it.
pub(in crate::plan) struct KeyGoal<'a> {
    /// The stack.
    pub(in crate::plan) stack: &'a StackName,
    /// The key as wanted.
    pub(in crate::plan) key: &'a DesiredKey,
    /// Its final policy.
    pub(in crate::plan) policy: &'a PolicyDocument,
    /// Its tags, the reserved ones included, without the run's claim.
    pub(in crate::plan) tags: BTreeMap<String, String>,
    /// What to do about mere wording.
    pub(in crate::plan) normalize: Normalize,
}

/// Adds the steps, blockers and findings of one key, and what differs on it without being changed.
pub(in crate::plan) fn compare(
    goal: &KeyGoal<'_>,
    ownership: &Ownership<'_>,
    live: &LiveTarget,
    sheet: &mut Sheet<'_>,
) -> Vec<Drift> {
    match ownership {
        Ownership::Absent => {
            create(goal, live, sheet);
            Vec::new()
        }
        Ownership::Refused(refusal) => {
            refuse(goal, refusal, sheet);
            Vec::new()
        }
        Ownership::Ours { key, claim } => {
            if *claim == ClaimAlias::Missing {
                let alias = AliasName::claim(goal.stack, &goal.key.name);
                let action = Action::CreateAlias { alias: alias.clone(), key: KeyRef::Live(key.arn.key_id()) };
                sheet.step(Draft::new(action, Why::Interrupted).change("claim alias", None, Some(alias.to_string())));
            }
            change(goal, key, live, sheet)
        }
    }
}

fn create(goal: &KeyGoal<'_>, live: &LiveTarget, sheet: &mut Sheet<'_>) {
    let name = &goal.key.name;
    let planned = || KeyRef::Planned(name.clone());
    let action = Action::CreateKey {
        key: name.clone(),
        shape: goal.key.shape(),
        store: goal.key.key_store().cloned(),
        description: goal.key.description.clone().unwrap_or_default(),
        policy: goal.policy.clone(),
        tags: goal.tags.clone(),
    };
    sheet.step(Draft::new(action, Why::Absent));
    let claim = AliasName::claim(goal.stack, name);
    let action = Action::CreateAlias { alias: claim.clone(), key: planned() };
    sheet.step(Draft::new(action, Why::Absent).change("claim alias", None, Some(claim.to_string())));
    aliases(goal, None, live, sheet);
    if let Rotation::Every(period) = goal.key.rotation() {
        let action = Action::EnableKeyRotation { key: planned(), days: period.days() };
        sheet.step(Draft::new(action, Why::Absent).change("rotation", None, Some(days(period.days()))));
    }
    if goal.key.lifecycle == KeyLifecycle::Disabled {
        let change = ("state", Some("enabled".to_owned()), Some("disabled".to_owned()));
        sheet
            .step(Draft::new(Action::DisableKey { key: planned() }, Why::Differs).change(change.0, change.1, change.2));
    }
}

fn days(days: u16) -> String {
    format!("every {days} days")
}

fn refuse(goal: &KeyGoal<'_>, refusal: &Refusal, sheet: &mut Sheet<'_>) {
    let claim = AliasName::claim(goal.stack, &goal.key.name);
    match refusal {
        Refusal::AliasWithoutTags { key: None } => sheet.block(
            Code::OwnershipUnclear,
            format!("the claim alias `{claim}` stands, but names no key"),
            format!("if nothing uses it, remove it: aws kms delete-alias --alias-name {claim}"),
        ),
        Refusal::AliasWithoutTags { key: Some(key) } => sheet.block(
            Code::OwnershipUnclear,
            format!("the claim alias `{claim}` names `{key}`, which does not carry the tags of this key"),
            "restore the tags keywright:stack, keywright:key and keywright:owner, or remove the alias",
        ),
        Refusal::TagsWithoutAlias { keys } => {
            let ids: Vec<String> = keys.iter().map(|key| format!("`{}`", key.key_id())).collect();
            sheet.block(
                Code::OwnershipUnclear,
                format!("{} the tags of this key, but the claim alias `{claim}` is missing",
                    if ids.len() == 1 { format!("{} carries", ids.concat()) } else { format!("{} carry", crate::text::and_list(&ids)) }),
                format!("if the key is this one: aws kms create-alias --alias-name {claim} --target-key-id ID; if not, remove its tag keywright:key"),
            );
        }
        Refusal::ForeignOwner { key, owner } => sheet.block(
            Code::ForeignOwner,
            format!("`{}` belongs to another manifest, whose id is `{}`", key.key_id(), crate::text::escape(owner)),
            "choose another `stack`, or use the manifest that owns the key",
        ),
        Refusal::Unreadable { key, action } => sheet.block(
            Code::Unreadable,
            format!("`{action}` was denied on `{key}`"),
            format!("allow the caller {action} on the key"),
        ),
        Refusal::PendingDeletion { key, when } => sheet.block(
            Code::PendingDeletion,
            format!("`{}` waits to be deleted{}", key.key_id(), when.map(|at| format!(" at {at}")).unwrap_or_default()),
            format!("to keep it: aws kms cancel-key-deletion --key-id {0}, then aws kms enable-key --key-id {0}; to let it go, remove it from the manifest", key.key_id()),
        ),
    }
}

/// Compares everything of a key that is ours.
fn change(goal: &KeyGoal<'_>, key: &LiveKey, live: &LiveTarget, sheet: &mut Sheet<'_>) -> Vec<Drift> {
    let Some(metadata) = readable(&key.metadata, key, sheet) else { return Vec::new() };
    let Some(tags) = readable(&key.tags, key, sheet) else { return Vec::new() };
    let policy = readable(&key.policy, key, sheet);
    let rotation = readable(&key.rotation, key, sheet);
    if !changeable(goal, metadata, sheet) {
        return Vec::new();
    }
    let id = key.arn.key_id();
    let reference = || KeyRef::Live(id.clone());
    if let Some(policy) = policy {
        policy_step(goal, &policy.document, &reference(), sheet);
    }
    tag_step(goal, tags, &reference(), sheet);
    if let Some(wanted) = goal.key.description.as_ref().filter(|wanted| **wanted != metadata.description) {
        let action = Action::UpdateKeyDescription { key: reference(), description: wanted.clone() };
        sheet.step(Draft::new(action, Why::Differs).change(
            "description",
            Some(metadata.description.clone()),
            Some(wanted.clone()),
        ));
    }
    aliases(goal, Some(&id), live, sheet);
    if let Some(rotation) = rotation {
        lifecycle_and_rotation(goal, metadata.state, *rotation, &reference(), sheet);
    }
    grants(key, sheet);
    drift(goal, &id, tags, live)
}

/// Returns a part of a key that was read; a part that was denied blocks.
fn readable<'a, T>(part: &'a Observed<T>, key: &LiveKey, sheet: &mut Sheet<'_>) -> Option<&'a T> {
    if let Some(action) = part.denied() {
        sheet.block(
            Code::Unreadable,
            format!("`{action}` was denied on `{}`", key.arn),
            format!("allow the caller {action} on the key"),
        );
    }
    part.known()
}

fn changeable(goal: &KeyGoal<'_>, live: &KeyMetadata, sheet: &mut Sheet<'_>) -> bool {
    let before = sheet.blockers.len();
    let recipe = "declare a new key under another name, move the alias to it, re-encrypt, then retire this one";
    let mut immutable = |property: &str, is: &str, wanted: &str| {
        if is != wanted {
            sheet.block(
                Code::ImmutableProperty,
                format!("the key's {property} is {is}, the manifest wants {wanted}"),
                recipe,
            );
        }
    };
    immutable("spec", live.spec.name(), goal.key.spec().name());
    immutable("usage", live.usage.name(), goal.key.usage().name());
    immutable("origin", live.origin.name(), Origin::AwsKms.name());
    immutable("multi-Region setting", &live.multi_region.to_string(), "false");
    immutable("manager", if live.manager == KeyManager::Aws { "AWS" } else { "customer" }, "customer");
    if !matches!(live.state, KeyState::Enabled | KeyState::Disabled) {
        sheet.block(
            Code::KeyState,
            format!("the key is in state {}", live.state),
            "wait until KMS has finished, then plan again",
        );
    }
    sheet.blockers.len() == before
}

fn policy_step(goal: &KeyGoal<'_>, live: &PolicyDocument, key: &KeyRef, sheet: &mut Sheet<'_>) {
    let same = live.same_permissions(goal.policy);
    let why = match goal.normalize {
        _ if !same => Why::Differs,
        Normalize::Wording if live != goal.policy => Why::Wording,
        Normalize::Wording | Normalize::Meaning => return,
    };
    let action = Action::PutKeyPolicy { key: key.clone(), policy: goal.policy.clone() };
    let risk = if why == Why::Differs { Risk::Administer } else { Risk::Routine };
    sheet.step(Draft::new(action, why).risk(risk).change("policy", Some(live.to_text()), Some(goal.policy.to_text())));
}

/// Adds and overwrites declared tags; tags of others are left alone.
fn tag_step(goal: &KeyGoal<'_>, live: &BTreeMap<String, String>, key: &KeyRef, sheet: &mut Sheet<'_>) {
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

/// Creates the declared aliases, moves them between keys of ours, and refuses to touch anybody else's.
fn aliases(goal: &KeyGoal<'_>, id: Option<&KeyId>, live: &LiveTarget, sheet: &mut Sheet<'_>) {
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

/// Rotation calls fail on a disabled key, so it is enabled before and disabled after.
fn lifecycle_and_rotation(
    goal: &KeyGoal<'_>,
    state: KeyState,
    live: LiveRotation,
    key: &KeyRef,
    sheet: &mut Sheet<'_>,
) {
    let state_change = |before: &str, after: &str| ("state", Some(before.to_owned()), Some(after.to_owned()));
    if goal.key.lifecycle == KeyLifecycle::Enabled && state == KeyState::Disabled {
        let (property, before, after) = state_change("disabled", "enabled");
        sheet.step(Draft::new(Action::EnableKey { key: key.clone() }, Why::Differs).change(property, before, after));
    }
    let rests = goal.key.lifecycle == KeyLifecycle::Disabled && state == KeyState::Disabled;
    match rotation_step(goal.key.rotation(), live, key) {
        Some(_) if rests => sheet.note(
            Code::RotationWaits,
            "the rotation differs, but KMS cannot change it while the key is disabled",
            "nothing to do: it is planned once the key is enabled",
        ),
        Some(draft) => sheet.step(draft),
        None => {}
    }
    if goal.key.lifecycle == KeyLifecycle::Disabled && state == KeyState::Enabled {
        let (property, before, after) = state_change("enabled", "disabled");
        let draft = Draft::new(Action::DisableKey { key: key.clone() }, Why::Differs).risk(Risk::Destroy);
        sheet.step(draft.change(property, before, after));
    }
}

fn rotation_step(wanted: Rotation, live: LiveRotation, key: &KeyRef) -> Option<Draft> {
    let before = match live {
        LiveRotation::Off => "off".to_owned(),
        LiveRotation::On { days: Some(period) } => days(period),
        LiveRotation::On { days: None } => "on".to_owned(),
    };
    match (wanted, live) {
        (Rotation::Off, LiveRotation::Off) | (Rotation::Every(_), LiveRotation::On { days: None }) => None,
        (Rotation::Every(period), LiveRotation::On { days: Some(current) }) if period.days() == current => None,
        (Rotation::Off, LiveRotation::On { .. }) => {
            let draft = Draft::new(Action::DisableKeyRotation { key: key.clone() }, Why::Differs);
            Some(draft.change("rotation", Some(before), Some("off".to_owned())))
        }
        (Rotation::Every(period), _) => {
            let draft = Draft::new(Action::EnableKeyRotation { key: key.clone(), days: period.days() }, Why::Differs);
            Some(draft.change("rotation", Some(before), Some(days(period.days()))))
        }
    }
}

/// Grants outlive every policy, so those that the manifest does not declare are shown; services issue theirs by the
/// thousand, and they are theirs.
fn grants(key: &LiveKey, sheet: &mut Sheet<'_>) {
    match &key.grants {
        Observed::Denied { action, .. } => sheet.block(
            Code::Unreadable,
            format!("`{action}` was denied on `{}`", key.arn),
            format!("allow the caller {action} on the key"),
        ),
        Observed::Known(grants) => {
            for grant in grants {
                if let Some(principal) = foreign_grantee(grant) {
                    sheet.note(
                        Code::UndeclaredGrant,
                        format!(
                            "grant `{}` lets `{}` {}",
                            crate::text::escape(&grant.facts.grant_id),
                            crate::text::escape(principal),
                            crate::text::and_list(&grant.facts.operations)
                        ),
                        format!(
                            "if nobody needs it: aws kms revoke-grant --key-id {} --grant-id {}",
                            key.arn.key_id(),
                            crate::text::escape(&grant.facts.grant_id)
                        ),
                    );
                }
            }
        }
    }
}

/// The grantee, unless it is a service, a service-linked role or the role by which EBS decrypts: those grants are the
/// services' own.
fn foreign_grantee(grant: &LiveGrant) -> Option<&str> {
    match &grant.facts.grantee {
        Grantee::Service(_) => None,
        Grantee::Principal(principal)
            if principal.contains(":role/aws-service-role/") || principal.contains(":role/aws:") =>
        {
            None
        }
        Grantee::Principal(principal) => Some(principal),
    }
}

/// What is on the key, not declared, and left alone.
fn drift(goal: &KeyGoal<'_>, id: &KeyId, tags: &BTreeMap<String, String>, live: &LiveTarget) -> Vec<Drift> {
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
