//! Lints of a key's settings: rotation where it is possible, deletion, aliases, the length of the policy.

use super::model::{LintFinding, LintPlace, LintSeverity};
use super::rule;
use super::subject::Subject;
use crate::kms::{ALIASES_PER_KEY, KeyShape, KeySpec, KeyState, KeyUsage, Origin};
use crate::live::LiveRotation;
use crate::policy::{PolicyLimit, key_policy_text_limits};

/// Finds what is noteworthy about a key's settings and about its policy as a whole.
pub(super) fn find(subject: &Subject<'_>) -> Vec<LintFinding> {
    let found = [rotation(subject), deletion(subject), aliases(subject), length(subject), shared(subject)];
    found.into_iter().flatten().collect()
}

/// Rotation is missed only where KMS could rotate: a generated symmetric key of the customer's, outside custom stores,
/// that is not a replica.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>
fn rotation(subject: &Subject<'_>) -> Option<LintFinding> {
    let facts = subject.key.facts;
    let off = subject.key.rotation == Some(LiveRotation::Off);
    let replica = facts.multi_region_key_type.as_deref() == Some("REPLICA");
    if !off || facts.aws_managed || replica || !shape(subject)?.rotates_automatically() {
        return None;
    }
    let found = |message: &str| LintFinding::of(&rule::ROTATION_OFF, LintPlace::Key, message.to_owned());
    match subject.key.state.unwrap_or(KeyState::Enabled) {
        KeyState::Enabled | KeyState::Updating => Some(found("it is not rotated automatically")),
        KeyState::Disabled => {
            let resting =
                "it is not rotated automatically; it is disabled, and KMS takes the setting once it is enabled";
            Some(found(resting).severity(LintSeverity::Info).controls(&[]))
        }
        KeyState::Creating
        | KeyState::PendingDeletion
        | KeyState::PendingImport
        | KeyState::PendingReplicaDeletion
        | KeyState::Unavailable => None,
    }
}

fn shape(subject: &Subject<'_>) -> Option<KeyShape> {
    let facts = subject.key.facts;
    let (spec, usage) = (facts.key_spec.parse::<KeySpec>().ok()?, facts.key_usage.parse::<KeyUsage>().ok()?);
    Some(KeyShape::new(spec, usage).with_origin(facts.key_origin.parse::<Origin>().ok()?))
}

fn deletion(subject: &Subject<'_>) -> Option<LintFinding> {
    let waits = subject.key.state.is_some_and(KeyState::is_pending_deletion);
    let message = "it is waiting to be deleted".to_owned();
    waits.then(|| LintFinding::of(&rule::DELETION_SCHEDULED, LintPlace::Key, message))
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html>
fn aliases(subject: &Subject<'_>) -> Option<LintFinding> {
    let count = subject.key.facts.aliases.len();
    let mut conditions = subject.allows().flat_map(|view| &view.conditions);
    let depends = conditions.any(|condition| condition.is_about("kms:ResourceAliases"));
    let message = format!("it has {count} aliases; above {ALIASES_PER_KEY} no allow by `kms:ResourceAliases` counts");
    (depends && count > ALIASES_PER_KEY).then(|| LintFinding::of(&rule::TOO_MANY_ALIASES, LintPlace::Key, message))
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html#key-policy-limit>
fn length(subject: &Subject<'_>) -> Option<LintFinding> {
    let bytes = subject.key.policy_bytes.unwrap_or_else(|| subject.key.facts.policy.to_text().len());
    let limits = key_policy_text_limits(&" ".repeat(bytes));
    limits.into_iter().find_map(|limit| match limit {
        PolicyLimit::TooLong { bytes, limit } => {
            let message = format!("it has {bytes} bytes, KMS takes {limit}");
            Some(LintFinding::of(&rule::POLICY_TOO_LARGE, LintPlace::Policy, message))
        }
        PolicyLimit::NearlyTooLong { bytes, limit } => {
            let message = format!("it has {bytes} of {limit} bytes");
            Some(LintFinding::of(&rule::POLICY_NEAR_LIMIT, LintPlace::Policy, message))
        }
        PolicyLimit::IllegalCharacter { .. }
        | PolicyLimit::NoPrincipal { .. }
        | PolicyLimit::RepeatedCondition { .. } => None,
    })
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html>
fn shared(subject: &Subject<'_>) -> Option<LintFinding> {
    let share = subject.key.facts.ram_policy.as_ref()?;
    let statements = crate::text::plural(share.statements.len(), "statement");
    let message = format!("a resource share adds a policy named AWS_RAM with {statements}");
    Some(LintFinding::of(&rule::SHARED_BY_RAM, LintPlace::Key, message))
}
