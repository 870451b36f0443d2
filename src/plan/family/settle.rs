//! What of a family's steps is not carried out, since another target is blocked: taken out, or said.

use super::super::{Action, Finding, Outcome, Owner, Plan, Step, StepId, TargetPlan};
use crate::diag::{Code, Severity};
use crate::ids::TargetName;
use std::collections::{BTreeMap, BTreeSet};

/// Takes out of each target's steps what would write into a blocked target, and says what waits for one.
pub(in crate::plan) fn settle(plan: &mut Plan) {
    let blocked: BTreeSet<TargetName> = plan
        .targets
        .iter()
        .filter(|target| matches!(target.outcome, Outcome::Blocked { .. }))
        .map(|target| target.name.clone())
        .collect();
    let of_blocked: BTreeSet<StepId> = plan
        .targets
        .iter()
        .filter(|target| blocked.contains(&target.name))
        .flat_map(|target| target.outcome.steps().iter().map(|step| step.id.clone()))
        .collect();
    for target in &mut plan.targets {
        if let Some(found) = without(&mut target.outcome, &blocked) {
            target.findings.extend(found);
        }
        waits(target, &of_blocked);
    }
}

/// Removes the steps that write into blocked targets.
fn without(outcome: &mut Outcome, blocked: &BTreeSet<TargetName>) -> Option<Vec<Finding>> {
    let Outcome::Ready(applyable) = outcome else { return None };
    let into = |step: &Step| step.action.other_target().filter(|target| blocked.contains(*target)).cloned();
    let mut findings = Vec::new();
    let mut kept: Vec<Step> = Vec::new();
    let mut gone: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    for mut step in std::mem::take(&mut applyable.steps) {
        step.depends_on =
            step.depends_on.iter().flat_map(|id| gone.get(id).cloned().unwrap_or(vec![id.clone()])).collect();
        let Some(target) = into(&step) else {
            kept.push(step);
            continue;
        };
        findings.push(finding(
            &step.owner,
            format!("{} waits: target `{target}` is blocked", step.action.call()),
            format!("mend target `{target}`, then plan again"),
            &step,
        ));
        gone.insert(step.id.clone(), step.depends_on);
    }
    applyable.steps = kept;
    if applyable.steps.is_empty() {
        *outcome = Outcome::InSync;
    }
    Some(findings)
}

/// Says which keys have steps that wait for a blocked target.
fn waits(target: &mut TargetPlan, of_blocked: &BTreeSet<StepId>) {
    let Outcome::Ready(applyable) = &target.outcome else { return };
    let waiting = applyable.steps().iter().filter_map(|step| {
        let needed = step.depends_on.iter().find(|needed| of_blocked.contains(*needed))?;
        let message = format!("{} and what follows it are not carried out: {needed} is of a blocked target", step.id);
        Some(finding(&step.owner, message, "mend that target, then plan again".to_owned(), step))
    });
    let found: Vec<Finding> = waiting.collect();
    let fresh: Vec<Finding> = found.into_iter().filter(|finding| !target.findings.contains(finding)).collect();
    target.findings.extend(fresh);
}

/// Takes out the imports and rotations whose material no target of this plan brings: there is no step to wait for.
pub(in crate::plan) fn unanswered(plan: &mut Plan, waiting: &[(StepId, TargetName)]) {
    for target in &mut plan.targets {
        let steps = match &mut target.outcome {
            Outcome::InSync => continue,
            Outcome::Ready(applyable) => &mut applyable.steps,
            Outcome::Blocked { would_do, .. } => would_do,
        };
        let (kept, findings) = without_material(std::mem::take(steps), waiting);
        *steps = kept;
        target.findings.extend(findings);
        if matches!(&target.outcome, Outcome::Ready(applyable) if applyable.steps.is_empty()) {
            target.outcome = Outcome::InSync;
        }
    }
}

/// Returns the steps without those that wait in vain, and without what goes on from them, with a finding for each of the
/// former.
fn without_material(steps: Vec<Step>, waiting: &[(StepId, TargetName)]) -> (Vec<Step>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut kept: Vec<Step> = Vec::new();
    let mut gone: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    let mut ended: BTreeMap<Owner, Action> = BTreeMap::new();
    for mut step in steps {
        step.depends_on =
            step.depends_on.iter().flat_map(|id| gone.get(id).cloned().unwrap_or(vec![id.clone()])).collect();
        let missing = waiting.iter().find(|(id, _)| *id == step.id);
        if missing.is_none() && !ended.get(&step.owner).is_some_and(|first| goes_on(first, &step.action)) {
            kept.push(step);
            continue;
        }
        if let Some((_, at)) = missing {
            let message = if let Action::ImportKeyMaterial { material, .. } = &step.action {
                format!("the material `{material}` waits: its primary in target `{at}` does not get it in this run")
            } else {
                format!("the rotation waits: the replica in target `{at}` does not get the material in this run")
            };
            let help = format!("see what is said of target `{at}`; then plan again with all targets of the key");
            findings.push(finding(&step.owner, message, help, &step));
        }
        ended.entry(step.owner.clone()).or_insert_with(|| step.action.clone());
        gone.insert(step.id.clone(), step.depends_on);
    }
    (kept, findings)
}

/// Returns whether a step cannot be taken once another one is taken out: new material comes in turn, and a key without
/// material cannot be disabled.
fn goes_on(out: &Action, action: &Action) -> bool {
    let imports = matches!(action, Action::ImportKeyMaterial { .. });
    if matches!(out, Action::ImportKeyMaterial { .. }) {
        imports || matches!(action, Action::DisableKey { .. })
    } else {
        imports || matches!(action, Action::RotateKeyOnDemand { .. })
    }
}

fn finding(owner: &Owner, message: String, remedy: String, step: &Step) -> Finding {
    Finding {
        code: Code::ReplicaWaits,
        severity: Severity::Warning,
        owner: Some(owner.clone()),
        message,
        remedy,
        position: Some(step.position.clone()),
    }
}
