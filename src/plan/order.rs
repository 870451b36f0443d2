//! Numbers steps and puts them in order: an account's roles first, then a target's keys, each key's steps in turn.

use super::draft::{Awaited, Draft, Sheet};
use super::guard::TargetDraft;
use super::roles::RoleSheets;
use super::{AccountPlan, Action, Applyable, Blocker, Outcome, Owner, Step, StepId, TargetPlan};
use crate::diag::Code;
use crate::ids::{AccountId, TargetName};
use crate::policy::{PolicyDocument, PrincipalEntry, Principals};
use crate::source::{Position, SourceMap};

/// Hands out step numbers, unique in a plan.
#[derive(Debug, Default)]
pub(in crate::plan) struct Numbers {
    last: usize,
    /// The steps that wait for another target, which may be numbered later.
    waiting: Vec<(StepId, Awaited)>,
}

impl Numbers {
    fn next(&mut self) -> StepId {
        self.last += 1;
        StepId(format!("s{}", self.last))
    }
}

/// Finishes an account's plan.
pub(in crate::plan) fn account(compared: RoleSheets<'_>, numbers: &mut Numbers, sources: &SourceMap) -> AccountPlan {
    let mut plan = compared.plan;
    let mut blockers = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    for mut sheet in by_trust(compared.sheets, &plan.account) {
        blockers.append(&mut sheet.blockers);
        let awaited = creations(&steps, &plan.account, &sheet.drafts.iter().filter_map(|draft| trust(&draft.action)));
        steps.extend(chain(&sheet, &awaited, numbers, sources));
    }
    plan.outcome = outcome(blockers, steps);
    plan
}

/// Sorts roles so that a new one comes before those whose trust names it: IAM refuses unknown principals. Roles that
/// wait for each other cannot be made in one call each, so they are blocked.
fn by_trust<'a>(sheets: Vec<Sheet<'a>>, account: &AccountId) -> Vec<Sheet<'a>> {
    let mut open = sheets;
    let mut sorted = Vec::new();
    while !open.is_empty() {
        let waits = |sheet: &Sheet<'_>| open.iter().any(|other| waits_for(sheet, other, account));
        let (waiting, ready): (Vec<_>, Vec<_>) = open.iter().cloned().partition(waits);
        if ready.is_empty() {
            sorted.extend(waiting.into_iter().map(|mut sheet| {
                sheet.block(
                    Code::TrustCycle,
                    "the trust of this new role names a new role that waits for this one",
                    "take one of the names out of `trust`, apply, put it back, and apply again",
                );
                sheet
            }));
            return sorted;
        }
        sorted.extend(ready);
        open = waiting;
    }
    sorted
}

fn waits_for(sheet: &Sheet<'_>, other: &Sheet<'_>, account: &AccountId) -> bool {
    let policies = || sheet.drafts.iter().filter_map(|draft| trust(&draft.action));
    other.drafts.iter().any(|draft| policies().any(|policy| names_new_role(policy, account, &draft.action)))
}

fn trust(action: &Action) -> Option<&PolicyDocument> {
    if let Action::CreateRole { trust, .. } | Action::UpdateAssumeRolePolicy { trust, .. } = action {
        Some(trust)
    } else {
        None
    }
}

/// Returns whether an action creates a role of an account that a policy names as a principal.
pub(in crate::plan) fn names_new_role(policy: &PolicyDocument, account: &AccountId, action: &Action) -> bool {
    let Action::CreateRole { role, path, .. } = action else { return false };
    let ending = format!("::{account}:role{path}{role}");
    let named = |entry: &PrincipalEntry| matches!(entry, PrincipalEntry::Aws(arn) if arn.ends_with(&ending));
    policy.statements.iter().any(|statement| match &statement.principals {
        Some(Principals::Is(entries) | Principals::IsNot(entries)) => entries.iter().any(named),
        None => false,
    })
}

/// Returns the steps that create roles which the policies name.
fn creations<'p>(
    steps: &[Step],
    account: &AccountId,
    policies: &(impl Iterator<Item = &'p PolicyDocument> + Clone),
) -> Vec<StepId> {
    let named = |step: &&Step| policies.clone().any(|policy| names_new_role(policy, account, &step.action));
    steps.iter().filter(named).map(|step| step.id.clone()).collect()
}

/// Finishes a target's plan. A key's first step waits for the creation of the roles that its policy names, in
/// whichever account. Keys that wait for another target come last: so no two targets wait for each other.
pub(in crate::plan) fn target(
    draft: TargetDraft<'_>,
    accounts: &[AccountPlan],
    numbers: &mut Numbers,
    sources: &SourceMap,
) -> TargetPlan {
    let mut plan = draft.plan;
    let mut blockers = draft.blockers;
    let mut steps: Vec<Step> = Vec::new();
    let waits = |sheet: &&Sheet<'_>| sheet.drafts.iter().any(|draft| !draft.awaits.is_empty());
    let (waiting, ready): (Vec<&Sheet<'_>>, Vec<_>) = draft.sheets.iter().partition(waits);
    blockers.extend(draft.sheets.iter().flat_map(|sheet| &sheet.blockers).cloned());
    for sheet in ready.into_iter().chain(waiting) {
        let policies = sheet.drafts.iter().filter_map(|draft| draft.action.written_policy());
        let roles: Vec<StepId> =
            accounts.iter().flat_map(|plan| creations(plan.outcome.steps(), &plan.account, &policies)).collect();
        steps.extend(chain(sheet, &roles, numbers, sources));
    }
    plan.outcome = outcome(blockers, steps);
    plan
}

/// Makes the steps that wait for another target depend on the steps that they wait for; returns those for whose material
/// no target has a step.
pub(in crate::plan) fn link(targets: &mut [TargetPlan], numbers: &Numbers) -> Vec<(StepId, TargetName)> {
    let mut needed: Vec<(StepId, StepId)> = Vec::new();
    let mut unanswered = Vec::new();
    for target in targets.iter() {
        for step in target.outcome.steps() {
            for (_, awaited) in numbers.waiting.iter().filter(|(id, _)| *id == step.id) {
                match (bringing(targets, (&target.name, &step.owner), awaited), awaited) {
                    (Some(found), _) => needed.push((step.id.clone(), found)),
                    (None, Awaited::Material { target, .. }) => unanswered.push((step.id.clone(), target.clone())),
                    (None, Awaited::Replica | Awaited::Primary) => {}
                }
            }
        }
    }
    for step in targets.iter_mut().flat_map(|target| target.outcome.steps_mut()) {
        step.depends_on.extend(needed.iter().filter(|(id, _)| *id == step.id).map(|(_, needed)| needed.clone()));
    }
    unanswered
}

/// Returns the step that brings about what a target's key waits for.
fn bringing(targets: &[TargetPlan], (at, owner): (&TargetName, &Owner), awaited: &Awaited) -> Option<StepId> {
    let brings = |place: &TargetName, action: &Action| match awaited {
        Awaited::Replica => matches!(action, Action::ReplicateKey { target, .. } if target == at),
        Awaited::Primary => matches!(action, Action::UpdatePrimaryRegion { target, .. } if target == at),
        Awaited::Material { target, material: wanted } => {
            place == target && matches!(action, Action::ImportKeyMaterial { material, .. } if material == wanted)
        }
    };
    let mut steps =
        targets.iter().flat_map(|target| target.outcome.steps().iter().map(move |step| (&target.name, step)));
    let found = steps.find(|(place, step)| step.owner == *owner && brings(place, &step.action));
    found.map(|(_, step)| step.id.clone())
}

fn outcome(blockers: Vec<Blocker>, steps: Vec<Step>) -> Outcome {
    match (blockers.is_empty(), steps.is_empty()) {
        (false, _) => Outcome::Blocked { blockers, would_do: steps },
        (true, true) => Outcome::InSync,
        (true, false) => Outcome::Ready(Applyable { steps }),
    }
}

/// The steps of one key or role, each waiting for the one before it.
fn chain(sheet: &Sheet<'_>, first_waits_for: &[StepId], numbers: &mut Numbers, sources: &SourceMap) -> Vec<Step> {
    let mut waits_for = first_waits_for.to_vec();
    let position = sources.position(sheet.loc).unwrap_or(Position { file: String::new(), line: 1, column: 1 });
    let mut steps = Vec::new();
    for draft in &sheet.drafts {
        let id = numbers.next();
        numbers.waiting.extend(draft.awaits.iter().map(|awaited| (id.clone(), awaited.clone())));
        steps.push(step(sheet, draft, id.clone(), std::mem::take(&mut waits_for), position.clone()));
        waits_for = vec![id];
    }
    steps
}

fn step(sheet: &Sheet<'_>, draft: &Draft, id: StepId, depends_on: Vec<StepId>, position: Position) -> Step {
    Step {
        id,
        owner: sheet.owner.clone(),
        action: draft.action.clone(),
        why: draft.why,
        cause: None,
        risk: draft.risk,
        change: draft.change.clone(),
        loc: sheet.loc,
        position,
        depends_on,
    }
}
