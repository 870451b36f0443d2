//! How near a plan comes to what KMS allows: keys of the Region, and what single keys hold.

use super::abac::{apply_tags, final_aliases};
use super::draft::Sheet;
use super::{Action, KeyRef, NearQuota, Owner, Quotas, TargetPlan};
use crate::ids::{AliasName, KeyName};
use crate::kms::{ALIASES_PER_KEY, GRANTS_PER_KEY, ON_DEMAND_ROTATIONS, POLICY_BYTES, TAGS_PER_KEY};
use crate::live::{LiveKey, LiveRotations, LiveTarget, Observed};
use std::collections::BTreeMap;

/// Returns the head-room of a target once its plan is applied. What a key holds is told from four fifths of its quota
/// on.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub(in crate::plan) fn head_room(sheets: &[Sheet<'_>], live: &LiveTarget, plan: &TargetPlan) -> Quotas {
    let actions = || sheets.iter().flat_map(|sheet| &sheet.drafts).map(|draft| &draft.action);
    let created = actions().filter(|action| matches!(action, Action::CreateKey { .. })).count();
    let aliases = final_aliases(live, sheets);
    let near = sheets.iter().flat_map(|sheet| of_key(sheet, live, plan, &aliases)).filter(is_near);
    Quotas { keys: live.key_count.map(|count| count + created), near: near.collect() }
}

fn is_near(quota: &NearQuota) -> bool {
    quota.used.saturating_mul(5) >= quota.limit.saturating_mul(4)
}

fn of_key(
    sheet: &Sheet<'_>,
    live: &LiveTarget,
    plan: &TargetPlan,
    finally: &BTreeMap<AliasName, KeyRef>,
) -> Vec<NearQuota> {
    let Owner::Key(name) = &sheet.owner else { return Vec::new() };
    let key = plan.keys.get(name).and_then(|arn| live.key(&arn.key_id()));
    let quota = |what, used, limit| NearQuota { key: name.clone(), what, used, limit };
    let policy = plan.policies.get(name).map_or(0, |policy| policy.to_text().len());
    vec![
        quota("aliases", aliases(name, key, finally), ALIASES_PER_KEY),
        quota("grants", key.and_then(|key| key.grants.known()).map_or(0, Vec::len), GRANTS_PER_KEY),
        quota("on-demand rotations", rotations(sheet, key), ON_DEMAND_ROTATIONS),
        quota("policy bytes", policy, POLICY_BYTES),
        quota("tags", tags(sheet, key), TAGS_PER_KEY),
    ]
}

fn aliases(name: &KeyName, key: Option<&LiveKey>, finally: &BTreeMap<AliasName, KeyRef>) -> usize {
    let own = key.map_or_else(|| KeyRef::Planned(name.clone()), |key| KeyRef::Live(key.arn.key_id()));
    finally.values().filter(|named| **named == own).count()
}

fn tags(sheet: &Sheet<'_>, key: Option<&LiveKey>) -> usize {
    let mut tags = key.and_then(|key| key.tags.known()).cloned().unwrap_or_default();
    for draft in &sheet.drafts {
        apply_tags(&draft.action, &mut tags);
    }
    tags.keys().filter(|tag| !tag.starts_with("aws:")).count()
}

fn rotations(sheet: &Sheet<'_>, key: Option<&LiveKey>) -> usize {
    let history = key.and_then(|key| key.rotations.as_ref()).and_then(Observed::known);
    let planned = sheet.drafts.iter().filter(|draft| matches!(draft.action, Action::RotateKeyOnDemand { .. })).count();
    history.map_or(0, LiveRotations::on_demand) + planned
}
