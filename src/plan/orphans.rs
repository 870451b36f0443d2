//! Keys with our tags that no declared key is: strays of a lost race, and orphans of a declaration that is gone.

use super::{Finding, Orphan, PlanInput, TargetPlan};
use crate::desired::DesiredTarget;
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK, TAG_STRAY};
use crate::diag::{Code, Severity};
use crate::ids::{AliasName, KeyArn};
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
        let Some(tags) = key.tags.known() else { continue };
        if tags.get(TAG_STACK).map(String::as_str) != Some(input.desired.stack.as_str()) {
            continue;
        }
        let name = tags.get(TAG_KEY);
        let declared = name.and_then(|name| target.keys.iter().find(|key| key.name.as_str() == name.as_str()));
        if tags.contains_key(TAG_STRAY) {
            plan.findings.push(stray(key));
        } else if let Some(declared) = declared {
            if plan.keys.contains_key(&declared.name) {
                plan.findings.push(stray(key));
            }
        } else {
            let own = tags.get(TAG_OWNER).is_some_and(|owner| owner == input.desired.owner.as_str());
            let whose = if own { whose(input, name) } else { Whose::AnotherManifest };
            plan.orphans.push(orphan(key, name, live, whose));
        }
    }
}

/// Whose an orphan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
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

fn stray(key: &LiveKey) -> Finding {
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
    let leaves = metadata.filter(|metadata| metadata.state.is_pending_deletion());
    let next = match (leaves, whose) {
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
    };
    Orphan { arn: key.arn.clone(), key: name.cloned(), note, next }
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
