//! What lints say of our keys as they are, where the plan does not mend it.

use super::draft::Sheet;
use super::keys::KeyGoal;
use crate::desired::DesiredTarget;
use crate::diag::Code;
use crate::lint::{LintFinding, LintKey, LintSeverity, lint_key};
use crate::live::{KeyMetadata, LiveKey, LiveTarget};
use crate::text::escape;
use crate::{review, world};
use std::collections::BTreeSet;

/// Adds what holds before the plan and after it: what the plan mends is not said, nor what it brings, which the
/// manifest's own lints say.
pub(in crate::plan) fn note(
    target: &DesiredTarget,
    goal: &KeyGoal<'_>,
    key: &LiveKey,
    live: &LiveTarget,
    sheet: &mut Sheet<'_>,
) {
    let Some(policy) = key.policy.known() else { return };
    let after = world::key_facts(target, goal.key, &goal.tags, Some(key), goal.policy.clone());
    let mut before = world::key_facts(target, goal.key, &goal.tags, Some(key), policy.document.clone());
    before.aliases = live.aliases_of(&key.arn.key_id()).map(ToString::to_string).collect();
    if let Some(metadata) = key.metadata.known() {
        describe(&mut before, metadata);
    }
    let what = |finding: &LintFinding| (finding.code, finding.message.clone());
    let wanted = lint_key(review::declared_key(&after, goal.key));
    let stays: BTreeSet<(Code, String)> = wanted.iter().map(what).collect();
    let found = lint_key(LintKey::live(&before, key));
    let kept = review::beyond_declaration(found, |finding| stays.contains(&what(finding)) && !is_said(finding.code));
    for finding in kept.into_iter().filter(|finding| finding.severity > LintSeverity::Info) {
        let controls = finding.controls.first().map(|control| format!(" ({control})")).unwrap_or_default();
        let message = format!("{}: {}{controls}", escape(&finding.place.to_string()), escape(&finding.message));
        sheet.note(finding.code, message, finding.remedy);
    }
}

fn describe(facts: &mut crate::access::KeyFacts, metadata: &KeyMetadata) {
    metadata.spec.name().clone_into(&mut facts.key_spec);
    metadata.usage.name().clone_into(&mut facts.key_usage);
    metadata.origin.name().clone_into(&mut facts.key_origin);
    facts.multi_region = metadata.multi_region;
    facts.multi_region_key_type = metadata.multi_region_type.map(|kind| kind.name().to_owned());
}

/// Returns whether the plan says it already: every grant to somebody else than a service is a finding of its own.
fn is_said(code: Code) -> bool {
    matches!(code, Code::PersonGrant | Code::ForeignGrant)
}
