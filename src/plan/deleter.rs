//! Who may delete: scheduling and cancelling a deletion is for a key's deleters, whoever else writes it.

use super::guard::{TargetDraft, key_of};
use super::{Action, Finding, Owner, PlanInput, PlanPurpose};
use crate::access::{ContextValue, Decision, Guardrails, KeyFacts, PrincipalFacts, Request, Unknown, evaluate};
use crate::desired::{DesiredKey, DesiredTarget, Principal};
use crate::diag::{Code, Severity};
use crate::ids::KeyName;
use crate::live::{LiveTarget, Observed};
use crate::review::{AccessChange, Candidate, Standing};
use crate::{text, world};

/// Whether the deletion steps of a target may be done by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Deletions {
    /// There are none.
    None,
    /// It may do each.
    Allowed,
    /// It may not do these: the key, the call and why not.
    Refused(Vec<(KeyName, &'static str, String)>),
}

/// Returns whether an action schedules or cancels a deletion, or deletes imported material.
pub(in crate::plan) fn is_deletion(action: &Action) -> bool {
    matches!(
        action,
        Action::ScheduleKeyDeletion { .. }
            | Action::CancelKeyDeletion { .. }
            | Action::DeleteImportedKeyMaterial { .. }
    )
}

/// Returns whether all steps of a target are deletions: such a plan needs no deployer.
pub(in crate::plan) fn only_deletions(draft: &TargetDraft<'_>) -> bool {
    let mut drafts = draft.sheets.iter().flat_map(|sheet| &sheet.drafts).peekable();
    drafts.peek().is_some() && drafts.all(|draft| is_deletion(&draft.action))
}

/// Decides each deletion step for the caller, as KMS will at that point of the plan.
pub(in crate::plan) fn decide(
    target: &DesiredTarget,
    live: &LiveTarget,
    caller: &Candidate,
    draft: &TargetDraft<'_>,
) -> Deletions {
    let mut refused = Vec::new();
    let mut any = false;
    for sheet in &draft.sheets {
        let Some(key) = key_of(target, sheet) else { continue };
        let mut facts = facts(target, key, live, draft);
        for planned in &sheet.drafts {
            if let (Some(facts), Some(policy)) = (&mut facts, planned.action.key_policy()) {
                facts.policy.clone_from(policy);
            }
            if is_deletion(&planned.action) {
                any = true;
                let why = facts.as_ref().map_or(Some("its policy is not known".to_owned()), |facts| {
                    why_not(&planned.action, facts, caller)
                });
                refused.extend(why.map(|why| (key.name.clone(), planned.action.call(), why)));
            }
        }
    }
    match (any, refused.is_empty()) {
        (false, _) => Deletions::None,
        (true, true) => Deletions::Allowed,
        (true, false) => Deletions::Refused(refused),
    }
}

/// Returns a key as it is live.
fn facts(target: &DesiredTarget, key: &DesiredKey, live: &LiveTarget, draft: &TargetDraft<'_>) -> Option<KeyFacts> {
    let arn = draft.plan.keys.get(&key.name)?;
    let found = live.key(&arn.key_id())?;
    let policy = found.policy.known()?.document.clone();
    let mut facts = world::key_facts(target, key, found.tags.known()?, Some(found), policy);
    facts.aliases = live.aliases_of(&arn.key_id()).map(ToString::to_string).collect();
    Some(facts)
}

/// Returns why the caller may not certainly do a deletion step.
fn why_not(action: &Action, key: &KeyFacts, caller: &Candidate) -> Option<String> {
    let Standing::Here(who) = &caller.standing else { return Some("it does not exist".to_owned()) };
    match decision(action, key, who) {
        Decision::Allow => None,
        Decision::ExplicitDeny => Some("a statement denies it".to_owned()),
        Decision::ImplicitDeny => Some("neither the key policy nor what is known of its IAM policies allows it".into()),
        Decision::Undetermined(reason) => Some(reason),
    }
}

fn decision(action: &Action, key: &KeyFacts, who: &PrincipalFacts) -> Decision {
    let mut request = Request::new(action.call(), key.arn.clone(), key.region.clone());
    if let Action::ScheduleKeyDeletion { days, .. } = action {
        let window = ContextValue::One(days.to_string());
        request.context.insert("kms:ScheduleKeyDeletionPendingWindowInDays".to_owned(), Some(window));
    }
    request.unknown = Unknown::Everything;
    evaluate(&request, who, Some(key), &Guardrails::default()).decision
}

/// Says which deletion steps the caller may not do, and blocks where it is about to.
pub(in crate::plan) fn report(
    input: PlanInput<'_>,
    target: &DesiredTarget,
    live: &LiveTarget,
    deletions: &Deletions,
    draft: &mut TargetDraft<'_>,
) {
    let Deletions::Refused(refused) = deletions else { return };
    for (name, call, why) in refused {
        let owner = Owner::Key(name.clone());
        let Some(sheet) = draft.sheets.iter_mut().find(|sheet| sheet.owner == owner) else { continue };
        let Some(key) = target.keys.iter().find(|key| key.name == *name) else { continue };
        let unread = match &live.caller_policies {
            Some(Observed::Denied { action, .. }) => format!(" (`{action}` was denied)"),
            Some(Observed::Known(_)) | None => String::new(),
        };
        let caller = &live.caller.principal;
        let message = format!("the caller `{caller}` may not certainly call {call} on the key: {why}{unread}");
        let help = help(key, caller.as_str());
        match input.options.purpose {
            PlanPurpose::Review => {
                sheet.note(Code::NotADeleter, message, help);
                draft.plan.findings.append(&mut sheet.findings);
            }
            PlanPurpose::Apply | PlanPurpose::Rotate => sheet.block(Code::NotADeleter, message, help),
        }
    }
}

fn help(key: &DesiredKey, caller: &str) -> String {
    let name = format!("name `{caller}` in `deleters` of key `{}`, and apply that first", key.name);
    match key.deleters.as_slice() {
        [] => format!("nobody is named: {name}"),
        deleters => {
            let who = text::or_list(&deleters.iter().map(Principal::name).collect::<Vec<_>>());
            format!("run as {who}: such a plan needs no deployer; or {name}")
        }
    }
}

/// Leaves all but the deletions to a deployer: the caller is a deleter and nothing else.
pub(in crate::plan) fn leave_the_rest(input: PlanInput<'_>, target: &DesiredTarget, draft: &mut TargetDraft<'_>) {
    let before = draft.sheets.iter().map(|sheet| sheet.drafts.len()).sum::<usize>();
    for sheet in &mut draft.sheets {
        sheet.drafts.retain(|planned| is_deletion(&planned.action));
    }
    let left = before.saturating_sub(draft.sheets.iter().map(|sheet| sheet.drafts.len()).sum());
    draft.plan.access = AccessChange::default();
    let wanted = text::or_list(&target.deployers.iter().map(Principal::name).collect::<Vec<_>>());
    draft.plan.findings.push(Finding {
        code: Code::NotADeployer,
        severity: Severity::Warning,
        owner: None,
        message: format!(
            "the caller may delete and is not a deployer of this target: {} left out",
            text::plural(left, "other step")
        ),
        remedy: format!("run `keywright apply` as {wanted} for the rest"),
        position: input.sources.position(target.loc),
    });
}
