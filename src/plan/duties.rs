//! Reports in whom the duties of a live key meet, where the manifest alone does not show it: by grants that nobody
//! declared, and by policies of managed roles that are not ours.

use super::{Blocker, BlockerKind, Finding, Owner, Plan, PlanInput, TargetPlan};
use crate::access::Knowledge;
use crate::desired::{DesiredKey, Separation};
use crate::diag::{Code, Severity};
use crate::ids::TargetName;
use crate::review::{DutyCertainty, DutyConflict, duties};
use crate::world::{self, World};

/// Adds the findings, and blocks where steps are planned for a key that enforces separate duties.
///
/// Conflicts that the manifest itself declares were told when it was read.
pub(in crate::plan) fn judge(plan: &mut Plan, input: PlanInput<'_>) {
    let declared = world::of_manifest(input.desired);
    let Some(live) = with_live(declared.clone(), plan, input) else { return };
    let known = duties(&declared);
    let is_known = |found: &DutyConflict| {
        known.iter().any(|known| {
            (&known.target, &known.key, &known.arn) == (&found.target, &found.key, &found.arn)
                && known.certainty <= found.certainty
        })
    };
    for conflict in duties(&live).iter().filter(|conflict| !is_known(conflict)) {
        let Some(target) = plan.targets.iter_mut().find(|target| target.name == conflict.target) else { continue };
        let wanted = input.desired.targets.iter().find(|wanted| wanted.name == conflict.target);
        if let Some(key) = wanted.and_then(|wanted| wanted.keys.iter().find(|key| key.name.as_str() == conflict.key)) {
            tell(target, key, conflict, input);
        }
    }
}

/// Returns the world of a manifest with what was read added; `None` where that adds nothing.
fn with_live(mut world: World, plan: &Plan, input: PlanInput<'_>) -> Option<World> {
    let mut more = false;
    for key in &mut world.keys {
        let Some(found) = live_key(plan, input, &key.target, &key.name) else { continue };
        key.facts.arn = found.arn.to_string();
        let grants = found.grants.known().map(Vec::as_slice).unwrap_or_default();
        key.facts.grants = grants.iter().map(|grant| grant.facts.clone()).collect();
        more |= !grants.is_empty();
    }
    let live = input.accounts.values().flat_map(|account| account.roles.values());
    for role in live.filter_map(|role| role.known()?.as_ref()) {
        let arn = role.arn.principal();
        let Some(known) = world.principals.iter_mut().find(|known| known.facts.arn == arn.as_str()) else { continue };
        let ours = crate::synth::identity_policy_name(&input.desired.stack);
        let foreign: Vec<_> = role.inline_policies.iter().filter(|(name, _)| **name != ours).collect();
        more |= !foreign.is_empty();
        known.facts.identity_policies.extend(foreign.into_iter().map(|(_, document)| document.clone()));
        if !role.attached_policies.is_empty() && known.facts.identity_policies.is_empty() {
            // What is attached was not read.
            known.facts.knowledge = Knowledge::NameOnly;
        }
    }
    more.then_some(world)
}

fn live_key<'p>(plan: &Plan, input: PlanInput<'p>, target: &TargetName, key: &str) -> Option<&'p crate::live::LiveKey> {
    let of_target = plan.targets.iter().find(|plan| plan.name == *target)?;
    let (_, arn) = of_target.keys.iter().find(|(name, _)| name.as_str() == key)?;
    input.targets.get(target)?.keys.iter().find(|live| live.arn == *arn)
}

fn tell(target: &mut TargetPlan, key: &DesiredKey, conflict: &DutyConflict, input: PlanInput<'_>) {
    let owner = Some(Owner::Key(key.name.clone()));
    let position = input.sources.position(key.loc);
    let (message, remedy) = (conflict.message(), conflict.remedy());
    let grave = key.separation == Separation::Enforced && conflict.certainty == DutyCertainty::Certain;
    if grave && target.outcome.steps().iter().any(|step| step.owner == Owner::Key(key.name.clone())) {
        let kind = BlockerKind(Code::SeparationOfDuties);
        let blocker = Blocker { kind, owner, message, help: remedy, loc: Some(key.loc), position };
        target.outcome.block(vec![blocker]);
    } else {
        let severity = if grave { Severity::Error } else { Severity::Warning };
        target.findings.push(Finding { code: Code::SeparationOfDuties, severity, owner, message, remedy, position });
    }
}
