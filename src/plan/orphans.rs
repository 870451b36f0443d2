//! Keys with our tags that no declared key is: strays of a lost race, and orphans of a declaration that is gone.

use super::{Finding, Orphan, PlanInput, TargetPlan};
use crate::desired::DesiredTarget;
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK, TAG_STRAY};
use crate::diag::{Code, Severity};
use crate::ids::{AliasName, KeyArn, KeyName};
use crate::live::{LiveKey, LiveTarget};
use crate::text::escape;
use std::collections::BTreeSet;

/// Adds the strays and orphans of a target; `known` are the keys that are declared ones.
pub(in crate::plan) fn strays_and_orphans(
    input: PlanInput<'_>,
    target: &DesiredTarget,
    live: &LiveTarget,
    known: &BTreeSet<KeyArn>,
    plan: &mut TargetPlan,
) {
    for key in live.keys.iter().filter(|key| !known.contains(&key.arn)) {
        match unclaimed(input, target, key) {
            Some(Unclaimed::Stray) => plan.findings.push(stray(key)),
            Some(Unclaimed::Named(name)) if plan.keys.contains_key(name) => plan.findings.push(stray(key)),
            Some(Unclaimed::Orphan(name, whose)) => plan.orphans.push(orphan(key, name, live, whose)),
            Some(Unclaimed::Named(_)) | None => {}
        }
    }
}

/// What a key with the tags of our stack is that is no declared key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Unclaimed<'a> {
    /// It lost the race for its claim alias, and is marked so.
    Stray,
    /// It carries the name of a declared key: a stray if there is that key.
    Named(&'a KeyName),
    /// Its name is declared no more, or never was.
    Orphan(Option<&'a String>, Whose),
}

/// Returns what a key with the tags of our stack is; `None` for other keys.
pub(in crate::plan) fn unclaimed<'a>(
    input: PlanInput<'_>,
    target: &'a DesiredTarget,
    key: &'a LiveKey,
) -> Option<Unclaimed<'a>> {
    let tags = key.tags.known()?;
    if tags.get(TAG_STACK).map(String::as_str) != Some(input.desired.stack.as_str()) {
        return None;
    }
    if tags.contains_key(TAG_STRAY) {
        return Some(Unclaimed::Stray);
    }
    let name = tags.get(TAG_KEY);
    let declared = name.and_then(|name| target.keys.iter().find(|key| key.name.as_str() == name.as_str()));
    if let Some(declared) = declared {
        return Some(Unclaimed::Named(&declared.name));
    }
    let own = tags.get(TAG_OWNER).is_some_and(|owner| owner == input.desired.owner.as_str());
    Some(Unclaimed::Orphan(name, if own { whose(input, name) } else { Whose::AnotherManifest }))
}

/// Whose an orphan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Whose {
    /// Ours, and no target declares it any more.
    Nobody,
    /// Ours, and declared in other targets alone.
    OtherTargets,
    /// The tags name another manifest of the same stack name.
    AnotherManifest,
}

fn whose(input: PlanInput<'_>, name: Option<&String>) -> Whose {
    let mut declared = input.desired.targets.iter().flat_map(|target| &target.keys);
    let elsewhere = name.is_some_and(|name| declared.any(|key| key.name.as_str() == name.as_str()));
    if elsewhere { Whose::OtherTargets } else { Whose::Nobody }
}

/// What a stray is said to be.
pub(in crate::plan) fn stray(key: &LiveKey) -> Finding {
    Finding {
        code: Code::StrayKey,
        severity: Severity::Warning,
        owner: None,
        message: format!("`{}` carries the claim tags of a key of this stack, but is not that key", key.arn),
        remedy: "look whether anything was encrypted under it; it is never used, and deleted only by you".to_owned(),
        position: None,
    }
}

fn orphan(key: &LiveKey, name: Option<&String>, live: &LiveTarget, whose: Whose) -> Orphan {
    let metadata = key.metadata.known();
    let state = metadata.map_or("state unknown".to_owned(), |metadata| metadata.state.to_string());
    let id = key.arn.key_id();
    let words = match whose {
        Whose::Nobody => state,
        Whose::OtherTargets => format!("{state}, declared in other targets"),
        Whose::AnotherManifest => format!("{state}, of another manifest"),
    };
    let aliases = live.aliases_of(&id).map(AliasName::to_string);
    let note = std::iter::once(words).chain(aliases).collect::<Vec<_>>().join(", ");
    let next = next_step(key, name, whose);
    Orphan { arn: key.arn.clone(), key: name.cloned(), note, next }
}

/// What to do about an orphan.
pub(in crate::plan) fn next_step(key: &LiveKey, name: Option<&String>, whose: Whose) -> String {
    let id = key.arn.key_id();
    let leaves = key.metadata.known().filter(|metadata| metadata.state.is_pending_deletion());
    match (leaves, whose) {
        (Some(metadata), _) => {
            let when = metadata.deletion.map(|at| format!(" at {at}")).unwrap_or_default();
            format!("nothing to do: it is deleted{when}; to keep it: aws kms cancel-key-deletion --key-id {id}")
        }
        (None, Whose::AnotherManifest) => {
            "leave it to the manifest that owns it, and give one of the two another `stack`".to_owned()
        }
        (None, Whose::OtherTargets) => {
            "to keep it, add this target to its `targets`; to let it go, do so with state = \"retired\"".to_owned()
        }
        (None, Whose::Nobody) => next_for(name),
    }
}

/// What to do about a key of ours that nothing declares.
fn next_for(name: Option<&String>) -> String {
    match name {
        Some(name) => {
            let name = escape(name);
            format!(
                "if it has a new name, write moved_from = \"{name}\" there; to keep it, declare [key.{name}] again; to let it go, declare it with state = \"retired\""
            )
        }
        None => "it has no name: write the tag keywright:key and its claim alias, or take its tags keywright:* off"
            .to_owned(),
    }
}
