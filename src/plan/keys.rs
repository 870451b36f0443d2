//! Compares one declared key with the live one: what to create, describe, tag, enable, rotate.

mod aliases;
mod course;
mod drift;
mod grants;
mod immutable;
pub(in crate::plan) mod import;
mod life;
mod refuse;
mod replica;
mod retire;
mod rotation;
mod stores;
mod tags;
mod title;

use aliases::aliases;
use grants::grants;
use immutable::changeable;
use refuse::refuse;
pub(in crate::plan) use replica::replica;
use rotation::days;
use stores::{Need, store};
use tags::tag_step;
use title::title;

use super::draft::{Draft, Sheet};
use super::family::Relatives;
use super::scope::{ClaimAlias, Ownership, Refusal};
use super::{Action, Drift, KeyRef, Normalize, PlanInput, PlanPurpose, Why};
use crate::desired::{DesiredKey, DesiredTarget, KeyLifecycle, Rotation};
use crate::diag::Code;
use crate::ids::{AliasName, StackName};
use crate::kms::{KeyState, Origin};
use crate::live::{LiveKey, LiveTarget, Observed};
use crate::policy::PolicyDocument;
use crate::review::Risk;
use std::collections::BTreeMap;

/// What one key should be, with what synthesis made of it.
pub(in crate::plan) struct KeyGoal<'a> {
    /// What is planned from: the day, the options, and what other targets hold.
    pub(in crate::plan) input: PlanInput<'a>,
    /// The stack.
    pub(in crate::plan) stack: &'a StackName,
    /// The target, with the other keys that it wants.
    pub(in crate::plan) target: &'a DesiredTarget,
    /// The key as wanted.
    pub(in crate::plan) key: &'a DesiredKey,
    /// Its final policy.
    pub(in crate::plan) policy: &'a PolicyDocument,
    /// Its tags, the reserved ones included, without the run's claim.
    pub(in crate::plan) tags: BTreeMap<String, String>,
    /// What imported material has to know of the other Regions of its family.
    pub(in crate::plan) relatives: Relatives<'a>,
    /// What to do about mere wording.
    pub(in crate::plan) normalize: Normalize,
}

/// Returns whether a key is let go as declared: it is gone, or waits to be deleted. Nothing else of it is looked at.
pub(in crate::plan) fn is_let_go(key: &DesiredKey, ownership: &Ownership<'_>) -> bool {
    key.lifecycle == KeyLifecycle::Retired
        && match ownership {
            Ownership::Absent | Ownership::Refused(Refusal::PendingDeletion { .. }) => true,
            Ownership::Refused(_) => false,
            Ownership::Ours { key, .. } => {
                key.metadata.known().is_some_and(|metadata| metadata.state.is_pending_deletion())
            }
        }
}

/// Adds the steps, blockers and findings of one key, and what differs on it without being changed.
pub(in crate::plan) fn compare(
    goal: &KeyGoal<'_>,
    ownership: &Ownership<'_>,
    live: &LiveTarget,
    sheet: &mut Sheet<'_>,
) -> Vec<Drift> {
    if goal.input.options.purpose == PlanPurpose::Rotate {
        rotate(goal, ownership, sheet);
        return Vec::new();
    }
    rotation::not_in_the_future(goal, sheet);
    import::unfit(goal, sheet);
    match ownership {
        Ownership::Absent if goal.key.lifecycle == KeyLifecycle::Retired => Vec::new(),
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
            change(goal, (key, *claim), live, sheet)
        }
    }
}

/// Plans the rotation that somebody asks for.
fn rotate(goal: &KeyGoal<'_>, ownership: &Ownership<'_>, sheet: &mut Sheet<'_>) {
    if !goal.input.options.rotate.contains(&goal.key.name) {
        return;
    }
    match ownership {
        Ownership::Absent => sheet.block(Code::RotationUnfit, "the key does not exist", "make it first: apply"),
        Ownership::Refused(refusal) => refuse(goal, refusal, sheet),
        Ownership::Ours { key, .. } => rotation::asked(goal, key, sheet),
    }
}

fn create(goal: &KeyGoal<'_>, live: &LiveTarget, sheet: &mut Sheet<'_>) {
    let name = &goal.key.name;
    let planned = || KeyRef::Planned(name.clone());
    store(goal, live, Need::ToCreate, sheet);
    let action = Action::CreateKey {
        key: name.clone(),
        shape: goal.key.shape(),
        store: goal.key.key_store().cloned(),
        description: goal.key.description.clone().unwrap_or_default(),
        policy: goal.policy.clone(),
        tags: import::birth_tags(goal.key, goal.tags.clone()),
    };
    sheet.step(Draft::new(action, Why::Absent));
    let claim = AliasName::claim(goal.stack, name);
    let action = Action::CreateAlias { alias: claim.clone(), key: planned() };
    sheet.step(Draft::new(action, Why::Absent).change("claim alias", None, Some(claim.to_string())));
    let external = goal.key.origin() == Origin::External;
    let state = if external { import::at_birth(goal, sheet) } else { KeyState::Enabled };
    aliases(goal, None, live, sheet);
    if let Rotation::Every(period) = goal.key.rotation() {
        let action = Action::EnableKeyRotation { key: planned(), days: period.days() };
        sheet.step(Draft::new(action, Why::Absent).change("rotation", None, Some(days(period.days()))));
    }
    // A key without material cannot be disabled.
    if goal.key.lifecycle == KeyLifecycle::Disabled && state == KeyState::Enabled {
        let change = ("state", Some("enabled".to_owned()), Some("disabled".to_owned()));
        sheet
            .step(Draft::new(Action::DisableKey { key: planned() }, Why::Differs).change(change.0, change.1, change.2));
    }
}

/// Compares everything of a key that is ours, in an order that is legal in every state on the way: back from deletion
/// first, then what any state allows, then in use only under its final policy.
fn change(
    goal: &KeyGoal<'_>,
    (key, claim): (&LiveKey, ClaimAlias),
    live: &LiveTarget,
    sheet: &mut Sheet<'_>,
) -> Vec<Drift> {
    let Some(metadata) = readable(&key.metadata, key, sheet) else { return Vec::new() };
    let Some(tags) = readable(&key.tags, key, sheet) else { return Vec::new() };
    if goal.key.lifecycle == KeyLifecycle::Retired && metadata.state.is_pending_deletion() {
        retire::goes(metadata, sheet);
        return Vec::new();
    }
    let policy = readable(&key.policy, key, sheet);
    if !changeable(goal, metadata, sheet) {
        return Vec::new();
    }
    let tags = &title(goal, (key, claim), tags, live, sheet);
    let id = key.arn.key_id();
    let reference = || KeyRef::Live(id.clone());
    let Some(mut course) = life::begin(goal, metadata, tags, &reference(), sheet) else { return Vec::new() };
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
    let amiss = import::bring_in(goal, (key, &reference()), (metadata, tags), &mut course, sheet);
    aliases(goal, Some(&id), live, sheet);
    life::finish(goal, (key, &reference()), metadata, course, sheet).tell(metadata, sheet);
    store(goal, live, Need::ToUse, sheet);
    grants(key, sheet);
    drift::drift(goal, &id, tags, live).into_iter().chain(amiss).collect()
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
