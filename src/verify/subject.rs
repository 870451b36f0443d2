//! Which live key a declared key is, and whether it can be probed.

use crate::access::KeyFacts;
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredKey, DesiredState, KeyLifecycle};
use crate::ids::{AliasName, KeyArn, KeyId};
use crate::kms::KeyState;
use crate::live::{LiveKey, LiveTarget, Observed};
use crate::report::ProbeResult;

/// A key that can be probed.
#[derive(Debug, Clone)]
pub(super) struct Subject<'a> {
    pub(super) desired: &'a DesiredKey,
    pub(super) id: KeyId,
    pub(super) arn: KeyArn,
    pub(super) facts: KeyFacts,
    /// The action that was denied when grants were read: what grants allow is then left out of judgements.
    pub(super) grants_denied: Option<String>,
}

/// Returns the key as it can be probed, or what is to be said instead.
pub(super) fn find<'a>(
    state: &DesiredState,
    desired: &'a DesiredKey,
    live: &LiveTarget,
) -> Result<Subject<'a>, ProbeResult> {
    let key = ours(state, desired, live)?;
    let metadata = known(&key.metadata)?;
    check_state(desired, metadata.state)?;
    let policy = known(&key.policy)?.document.clone();
    let id = key.arn.key_id();
    let mut facts = KeyFacts::new(key.arn.to_string(), key.arn.account(), key.arn.region(), policy);
    facts.aliases = live.aliases_of(&id).map(ToString::to_string).collect();
    facts.tags = known(&key.tags)?.clone();
    facts.multi_region = metadata.multi_region;
    metadata.spec.name().clone_into(&mut facts.key_spec);
    metadata.usage.name().clone_into(&mut facts.key_usage);
    metadata.origin.name().clone_into(&mut facts.key_origin);
    if let Some(grants) = key.grants.known() {
        facts.grants = grants.iter().map(|grant| grant.facts.clone()).collect();
    }
    Ok(Subject { desired, id, arn: key.arn.clone(), facts, grants_denied: key.grants.denied().map(str::to_owned) })
}

/// Finds the key behind the claim alias, and checks that its tags say the same.
fn ours<'l>(state: &DesiredState, desired: &DesiredKey, live: &'l LiveTarget) -> Result<&'l LiveKey, ProbeResult> {
    let claim = AliasName::claim(&state.stack, &desired.name);
    let Some(behind) = live.aliases.get(&claim) else {
        // Not allowed to look is not the same as nothing there.
        if let Some(item) = live.unreadable.iter().find(|item| item.action == "kms:ListAliases") {
            return Err(ProbeResult::NotChecked {
                reason: format!("{} was denied, so the key cannot be found", item.action),
            });
        }
        return Err(failed("there is no such key here: its claim alias does not exist; `keywright apply` makes it"));
    };
    let Some(key) = behind.as_ref().and_then(|id| live.key(id)) else {
        return Err(failed(&format!("`{claim}` leads to no key that could be read")));
    };
    let tags = known(&key.tags)?;
    let wanted =
        [(TAG_STACK, state.stack.as_str()), (TAG_OWNER, state.owner.as_str()), (TAG_KEY, desired.name.as_str())];
    for (tag, value) in wanted {
        match tags.get(tag) {
            Some(found) if found == value => {}
            Some(found) => {
                return Err(failed(&format!("the key behind `{claim}` is not ours: its tag {tag} is `{found}`")));
            }
            None => return Err(failed(&format!("the key behind `{claim}` is not ours: it has no tag {tag}"))),
        }
    }
    Ok(key)
}

fn known<T>(observed: &Observed<T>) -> Result<&T, ProbeResult> {
    match observed {
        Observed::Known(value) => Ok(value),
        Observed::Denied { action, .. } => Err(ProbeResult::NotChecked {
            reason: format!("{action} was denied; run as somebody who may read the key, such as an auditor"),
        }),
    }
}

fn check_state(desired: &DesiredKey, state: KeyState) -> Result<(), ProbeResult> {
    match (state, desired.lifecycle) {
        (KeyState::Enabled, KeyLifecycle::Enabled) => Ok(()),
        (KeyState::Disabled, KeyLifecycle::Disabled | KeyLifecycle::Retired) => {
            Err(ProbeResult::NotChecked { reason: "the key is disabled, as declared".to_owned() })
        }
        (KeyState::Enabled, KeyLifecycle::Disabled | KeyLifecycle::Retired) => {
            Err(failed("the key is enabled, and declared disabled"))
        }
        (
            KeyState::Disabled
            | KeyState::Creating
            | KeyState::PendingDeletion
            | KeyState::PendingImport
            | KeyState::PendingReplicaDeletion
            | KeyState::Unavailable
            | KeyState::Updating,
            _,
        ) => Err(failed(&format!("the state of the key is {state}"))),
    }
}

fn failed(observed: &str) -> ProbeResult {
    ProbeResult::Failed { observed: observed.to_owned() }
}
