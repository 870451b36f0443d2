//! Drafts a target's plan and guards it: who may deploy, who keeps a way in, what may be created.

use super::draft::Sheet;
use super::family::Families;
use super::keys::{self, KeyGoal};
use super::scope::Ownership;
use super::{
    AccountPlan, Action, Blocker, BlockerKind, KeyRef, Outcome, Owner, PlanInput, PlanPurpose, Quotas, TargetPlan,
    abac, cost, deployer, lints, order, orphans, quota,
};
use crate::desired::{DesiredKey, DesiredTarget};
use crate::diag::Code;
use crate::ids::KeyName;
use crate::live::{LiveKey, LiveTarget};
use crate::policy::PolicyDocument;
use crate::review::Candidate;
use crate::{review, synth};
use std::collections::{BTreeMap, BTreeSet};

/// A target's plan before its steps are numbered.
pub(in crate::plan) struct TargetDraft<'a> {
    /// A sheet per key, in order of name.
    pub(in crate::plan) sheets: Vec<Sheet<'a>>,
    /// Blockers of the target as a whole.
    pub(in crate::plan) blockers: Vec<Blocker>,
    /// All but the outcome.
    pub(in crate::plan) plan: TargetPlan,
    /// Who would write it.
    pub(in crate::plan) writer: Option<Candidate>,
}

/// Compares every key of a target and reviews what that does to access.
pub(in crate::plan) fn draft_target<'a>(
    input: PlanInput<'a>,
    target: &DesiredTarget,
    live: &'a LiveTarget,
    families: &Families<'a>,
) -> TargetDraft<'a> {
    let mut draft =
        TargetDraft { sheets: Vec::new(), blockers: Vec::new(), plan: empty_plan(target, live), writer: None };
    let mut known = BTreeSet::new();
    let mut reviews = Vec::new();
    let in_scope: Vec<&DesiredKey> = target.keys.iter().filter(|key| is_in_scope(input, &key.name)).collect();
    if aliases_unreadable(live) {
        // Without the aliases every key would look absent: nothing is compared, and the guard says so.
        draft.plan.policies = in_scope.iter().map(|key| (key.name.clone(), synth::key_policy(target, key))).collect();
        return draft;
    }
    for key in in_scope {
        let ownership = families.ownership(input, target, key, live);
        let mut sheet = Sheet::new(Owner::Key(key.name.clone()), key.loc, input.sources);
        let goal = KeyGoal {
            input,
            stack: &input.desired.stack,
            target,
            key,
            policy: &synth::key_policy(target, key),
            tags: synth::key_tags(input.desired, key),
            relatives: families.relatives(input, target, key),
            normalize: input.options.normalize,
        };
        let found = if let Ownership::Ours { key, .. } = &ownership { Some(*key) } else { None };
        let stranger = found.is_some_and(|found| families.is_stranger((target, key), found, &mut sheet));
        if !stranger && !families.draft_birth(target, (&goal, live), &mut sheet) {
            draft.plan.drift.extend(keys::compare(&goal, &ownership, live, &mut sheet));
        }
        families.complete(input, (target, key), &mut sheet);
        known.extend(found.map(|key| key.arn.clone()));
        let rests = input.options.purpose == PlanPurpose::Rotate || keys::is_let_go(key, &ownership);
        let found = found.filter(|_| !stranger);
        record(&mut draft.plan, &goal, found);
        if let Some(key) = found.filter(|_| !rests) {
            lints::note(target, &goal, key, live, &mut sheet);
        }
        if !rests && !stranger && !matches!(ownership, Ownership::Refused(_)) && !families.is_barred(target, key) {
            reviews.push(abac::Subject { key, policy: goal.policy.clone(), tags: goal.tags, live: found });
        }
        draft.plan.findings.append(&mut sheet.findings);
        draft.sheets.push(sheet);
    }
    abac::review(input, target, live, &reviews, &mut draft);
    orphans::strays_and_orphans(input, target, live, &known, &mut draft.plan);
    draft.plan.cost_per_month_delta = cost::monthly(&draft.sheets, live);
    draft.plan.quotas = quota::head_room(&draft.sheets, live, &draft.plan);
    draft
}

fn is_in_scope(input: PlanInput<'_>, key: &KeyName) -> bool {
    input.options.only_keys.as_ref().is_none_or(|only| only.contains(key))
}

fn empty_plan(target: &DesiredTarget, live: &LiveTarget) -> TargetPlan {
    TargetPlan {
        name: target.name.clone(),
        account: target.account.clone(),
        region: target.region.clone(),
        backend: live.backend,
        caller: live.caller.principal.to_string(),
        outcome: Outcome::InSync,
        policies: BTreeMap::new(),
        policies_before: BTreeMap::new(),
        keys: BTreeMap::new(),
        access: review::AccessChange::default(),
        drift: Vec::new(),
        orphans: Vec::new(),
        unreadable: live.unreadable.clone(),
        findings: Vec::new(),
        cost_per_month_delta: cost::NOTHING.to_owned(),
        quotas: Quotas::default(),
    }
}

/// Records the policies of a key, and which key it is.
fn record(plan: &mut TargetPlan, goal: &KeyGoal<'_>, live: Option<&LiveKey>) {
    let name = &goal.key.name;
    plan.policies.insert(name.clone(), goal.policy.clone());
    if let Some(policy) = live.and_then(|key| key.policy.known()) {
        plan.policies_before.insert(name.clone(), policy.document.clone());
    }
    if let Some(key) = live {
        plan.keys.insert(name.clone(), key.arn.clone());
    }
}

/// Adds what forbids a target's plan.
pub(in crate::plan) fn guard_target<'a>(
    input: PlanInput<'a>,
    target: &DesiredTarget,
    live: &LiveTarget,
    accounts: &[AccountPlan],
    mut draft: TargetDraft<'a>,
) -> TargetDraft<'a> {
    unreadable(input, target, live, &mut draft);
    if draft.sheets.iter().all(|sheet| sheet.drafts.is_empty() && sheet.blockers.is_empty()) {
        return draft;
    }
    for account in blocked_accounts(target, accounts, &draft) {
        let message = format!("the roles of account {account} are blocked");
        draft.blockers.push(blocker(input, target, Code::AccountBlocked, message, "mend the roles first".to_owned()));
    }
    draft.writer = deployer::writer(input, target, live, &mut draft);
    for sheet in &mut draft.sheets {
        if let Some(key) = key_of(target, sheet) {
            expected(input, sheet, key);
        }
    }
    draft
}

fn aliases_unreadable(live: &LiveTarget) -> bool {
    live.unreadable.iter().any(|item| item.action == "kms:ListAliases")
}

/// What could not be read is never taken for absent: without the aliases nothing can be told, and without the tagged
/// keys no key may be created.
fn unreadable(input: PlanInput<'_>, target: &DesiredTarget, live: &LiveTarget, draft: &mut TargetDraft<'_>) {
    let creates = draft.sheets.iter().any(is_born);
    for item in live.unreadable.iter().filter(|item| creates || item.action == "kms:ListAliases") {
        let message = format!("{} could not be read: `{}` was denied", item.what, item.action);
        let help = format!("allow the caller {}", item.action);
        draft.blockers.push(blocker(input, target, Code::Unreadable, message, help));
    }
}

/// The blocked accounts whose roles this target waits for: its own, and those where a new role of its policies is.
fn blocked_accounts<'p>(
    target: &DesiredTarget,
    accounts: &'p [AccountPlan],
    draft: &TargetDraft<'_>,
) -> Vec<&'p crate::ids::AccountId> {
    let policies: Vec<&PolicyDocument> =
        draft.sheets.iter().flat_map(|sheet| &sheet.drafts).filter_map(|draft| draft.action.written_policy()).collect();
    let awaited = |plan: &AccountPlan| {
        let mut steps = plan.outcome.steps().iter();
        steps.any(|step| policies.iter().any(|policy| order::names_new_role(policy, &plan.account, &step.action)))
    };
    let blocked = accounts.iter().filter(|plan| matches!(plan.outcome, Outcome::Blocked { .. }));
    blocked.filter(|plan| plan.account == target.account || awaited(plan)).map(|plan| &plan.account).collect()
}

pub(in crate::plan) fn key_of<'t>(target: &'t DesiredTarget, sheet: &Sheet<'_>) -> Option<&'t DesiredKey> {
    target.keys.iter().find(|key| sheet.owner == Owner::Key(key.name.clone()))
}

pub(in crate::plan) fn blocker(
    input: PlanInput<'_>,
    target: &DesiredTarget,
    code: Code,
    message: String,
    help: String,
) -> Blocker {
    let position = input.sources.position(target.loc);
    Blocker { kind: BlockerKind(code), owner: None, message, help, loc: Some(target.loc), position }
}

/// Whether the target's key is made, here or by the target of its primary.
fn is_born(sheet: &Sheet<'_>) -> bool {
    let born = |action: &Action| {
        matches!(action, Action::CreateKey { .. }) || matches!(action.key_ref(), Some(KeyRef::Planned(_)))
    };
    sheet.drafts.iter().any(|draft| born(&draft.action))
}

fn expected(input: PlanInput<'_>, sheet: &mut Sheet<'_>, key: &DesiredKey) {
    let Some(expected) = &input.options.expect_creates else { return };
    if is_born(sheet) && !expected.contains(&key.name) {
        sheet.block(
            Code::UnexpectedCreate,
            format!("the key `{}` would be created, and --expect-creates does not name it", key.name),
            format!("if it really is new: --expect-creates {}; if not, find out where the old one went", key.name),
        );
    }
}
