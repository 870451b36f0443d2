//! Numbers steps and puts them in order: an account's roles first, then a target's keys, each key's steps in turn.

use super::draft::{Draft, Sheet};
use super::guard::TargetDraft;
use super::roles::RoleSheets;
use super::{AccountPlan, Action, Applyable, Blocker, Outcome, Step, StepId, TargetPlan};
use crate::policy::PolicyDocument;
use crate::source::{Position, SourceMap};

/// Hands out step numbers, unique in a plan.
#[derive(Debug, Default)]
pub(in crate::plan) struct Numbers(usize);

impl Numbers {
    fn next(&mut self) -> StepId {
        self.0 += 1;
        StepId(format!("s{}", self.0))
    }
}

/// Finishes an account's plan.
pub(in crate::plan) fn account(compared: RoleSheets<'_>, numbers: &mut Numbers, sources: &SourceMap) -> AccountPlan {
    let mut plan = compared.plan;
    let mut blockers = Vec::new();
    let mut steps = Vec::new();
    for sheet in compared.sheets {
        blockers.extend(sheet.blockers.iter().cloned());
        steps.extend(chain(&sheet, &[], numbers, sources));
    }
    plan.outcome = outcome(blockers, steps);
    plan
}

/// Finishes a target's plan. A key's first step waits for the creation of the roles that its policy names, and for
/// the key from which it takes an alias over.
pub(in crate::plan) fn target(
    draft: TargetDraft<'_>,
    account: Option<&AccountPlan>,
    numbers: &mut Numbers,
    sources: &SourceMap,
) -> TargetPlan {
    let mut plan = draft.plan;
    let mut blockers = draft.blockers;
    let mut steps: Vec<Step> = Vec::new();
    for sheet in &draft.sheets {
        blockers.extend(sheet.blockers.iter().cloned());
        let roles = roles_needed(sheet, account);
        steps.extend(chain(sheet, &roles, numbers, sources));
    }
    plan.outcome = outcome(blockers, steps);
    plan
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
        risk: draft.risk,
        change: draft.change.clone(),
        loc: sheet.loc,
        position,
        depends_on,
    }
}

/// The creations of roles that a key's new policy names: KMS refuses a policy with a principal that does not exist.
fn roles_needed(sheet: &Sheet<'_>, account: Option<&AccountPlan>) -> Vec<StepId> {
    let policy = sheet.drafts.iter().find_map(|draft| draft.action.key_policy()).map(PolicyDocument::to_compact);
    let (Some(policy), Some(account)) = (policy, account) else { return Vec::new() };
    let names = |step: &&Step| matches!(&step.action, Action::CreateRole { role, path, .. } if policy.contains(&format!("role{path}{role}\"")));
    account.outcome.steps().iter().filter(names).map(|step| step.id.clone()).collect()
}
