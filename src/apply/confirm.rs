//! Confirms that what was written is seen: reads back until several rounds agree, or says that it is not confirmed.

use super::{Connection, Machine, Run, elapsed};
use crate::ids::{AliasName, KeyId};
use crate::kms::KeyState;
use crate::live::{KeyMetadata, LiveRotation};
use crate::plan::Action;
use crate::policy::PolicyDocument;
use crate::ports::PortError;
use crate::report::{Event, StepOutcome, StepResult};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many rounds of reads in a row must show everything.
const GOOD_ROUNDS: usize = 2;

/// Marks the steps that are done and not seen within the wait as unconfirmed.
pub(super) async fn confirm<C: Connection, M: Machine>(run: &Run<'_, C, M>, steps: &mut [StepOutcome]) {
    let clock = run.job.machine;
    let started = clock.now();
    let mut good = 0;
    let mut delay = Duration::from_millis(100);
    loop {
        let unseen = unseen(run, steps).await;
        good = if unseen.is_empty() { good + 1 } else { 0 };
        if good == GOOD_ROUNDS || steps.iter().all(|step| step.result != StepResult::Done) {
            return;
        }
        if elapsed(clock, started) + delay > run.job.options.wait && !unseen.is_empty() {
            for index in unseen {
                if let Some(step) = steps.get_mut(index) {
                    step.result = StepResult::Unconfirmed;
                }
            }
            return;
        }
        if !unseen.is_empty() {
            (run.job.progress)(Event::Waiting("waiting until what was written is seen"));
        }
        clock.sleep(delay).await;
        delay = (delay * 2).min(Duration::from_secs(5));
    }
}

/// What one round of reads showed of a target. Each thing is read once, and only if a step asks for it.
#[derive(Default)]
struct Seen {
    aliases: Option<BTreeMap<AliasName, Option<KeyId>>>,
    metadata: BTreeMap<KeyId, KeyMetadata>,
}

async fn unseen<C: Connection, M: Machine>(run: &Run<'_, C, M>, steps: &[StepOutcome]) -> Vec<usize> {
    let mut seen = Seen::default();
    let mut unseen = Vec::new();
    for (index, outcome) in steps.iter().enumerate() {
        if outcome.result == StepResult::Done
            && !is_overtaken(steps, index)
            && !is_seen(run, outcome, &mut seen).await.unwrap_or(false)
        {
            unseen.push(index);
        }
    }
    unseen
}

/// A later step of the same plan may undo what an earlier one showed (`EnableKey`, rotation, `DisableKey`).
fn is_overtaken(steps: &[StepOutcome], index: usize) -> bool {
    let Some(outcome) = steps.get(index) else { return false };
    matches!(outcome.step.action, Action::EnableKey { .. })
        && steps.iter().skip(index + 1).any(|later| {
            later.step.owner == outcome.step.owner && matches!(later.step.action, Action::DisableKey { .. })
        })
}

async fn is_seen<C: Connection, M: Machine>(
    run: &Run<'_, C, M>,
    outcome: &StepOutcome,
    seen: &mut Seen,
) -> Result<bool, PortError> {
    if let Some(created) = &outcome.created {
        return Ok(metadata(run, &created.key_id(), seen).await.is_ok());
    }
    let Some(reference) = outcome.step.action.key_ref() else { return Ok(true) };
    let id = run.key(reference)?;
    let port = run.connection;
    match &outcome.step.action {
        Action::PutKeyPolicy { policy, .. } => {
            let text = port.key_policy(&id).await?;
            Ok(PolicyDocument::parse(&text).is_ok_and(|found| found.same_permissions(policy)))
        }
        Action::UpdateKeyDescription { description, .. } => {
            Ok(metadata(run, &id, seen).await?.description == *description)
        }
        Action::EnableKey { .. } => Ok(metadata(run, &id, seen).await?.state == KeyState::Enabled),
        Action::DisableKey { .. } => Ok(metadata(run, &id, seen).await?.state == KeyState::Disabled),
        Action::TagKey { tags, .. } => {
            let found = port.key_tags(&id).await?;
            Ok(tags.iter().all(|(tag, value)| found.get(tag) == Some(value)))
        }
        Action::UntagKey { tag_keys, .. } => {
            let found = port.key_tags(&id).await?;
            Ok(tag_keys.iter().all(|tag| !found.contains_key(tag)))
        }
        Action::CreateAlias { alias, .. } | Action::UpdateAlias { alias, .. } => {
            if seen.aliases.is_none() {
                seen.aliases = Some(port.list_aliases().await?);
            }
            Ok(seen
                .aliases
                .as_ref()
                .and_then(|aliases| aliases.get(alias))
                .is_some_and(|key| key.as_ref() == Some(&id)))
        }
        Action::EnableKeyRotation { days, .. } => Ok(match port.rotation(&id).await? {
            LiveRotation::On { days: Some(found) } => found == *days,
            LiveRotation::On { days: None } => true,
            LiveRotation::Off => false,
        }),
        Action::DisableKeyRotation { .. } => Ok(port.rotation(&id).await? == LiveRotation::Off),
        Action::CreateKey { .. }
        | Action::CreateRole { .. }
        | Action::UpdateRole { .. }
        | Action::UpdateAssumeRolePolicy { .. }
        | Action::PutRolePermissionsBoundary { .. }
        | Action::DeleteRolePermissionsBoundary { .. }
        | Action::TagRole { .. }
        | Action::PutRolePolicy { .. }
        | Action::DeleteRolePolicy { .. } => Ok(true),
    }
}

async fn metadata<C: Connection, M: Machine>(
    run: &Run<'_, C, M>,
    id: &KeyId,
    seen: &mut Seen,
) -> Result<KeyMetadata, PortError> {
    if let Some(found) = seen.metadata.get(id) {
        return Ok(found.clone());
    }
    let (_, found) = run.connection.describe_key(id).await?;
    seen.metadata.insert(id.clone(), found.clone());
    Ok(found)
}
