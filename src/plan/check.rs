//! An independent look at the finished plan: rules that no plan may break, written apart from the planner.

mod alias;
mod course;
mod import;

use super::{Action, Blocker, BlockerKind, KeyRef, Outcome, Owner, Plan, PlanInput, Step, StepId, TargetPlan};
use crate::access::{Guardrails, can_put_key_policy};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::diag::Code;
use crate::ids::{AliasName, KeyName, TargetName};
use crate::kms::POLICY_BYTES;
use crate::policy::PolicyDocument;
use crate::world;
use alias::alias_fault;
use std::collections::{BTreeMap, BTreeSet};

/// Checks the plan, and blocks each account and target whose steps break a rule.
pub(in crate::plan) fn enforce(plan: &mut Plan, input: PlanInput<'_>) {
    let mut seen = BTreeSet::new();
    for account in &mut plan.accounts {
        let mut faults = order_faults(account.outcome.steps(), &mut seen, &Crossing::default());
        faults.extend(
            account
                .outcome
                .steps()
                .iter()
                .filter(|step| matches!(step.owner, Owner::Key(_)))
                .map(|step| format!("{} is a key's step in an account's plan", step.id)),
        );
        block(&mut account.outcome, faults);
    }
    let family = Crossing::of(plan);
    for target in &mut plan.targets {
        let mut faults = order_faults(target.outcome.steps(), &mut seen, &family);
        faults.extend(target_faults(target, input, &family));
        block(&mut target.outcome, faults);
    }
}

/// What targets do in each other.
#[derive(Default)]
struct Crossing {
    /// Every step of every target.
    steps: BTreeSet<StepId>,
    /// The steps that wait for themselves by way of others.
    turning: BTreeSet<StepId>,
    /// Which step makes the replica of a target's key.
    replicas: BTreeMap<(TargetName, KeyName), StepId>,
    /// The policies that targets show.
    policies: BTreeMap<(TargetName, KeyName), PolicyDocument>,
}

impl Crossing {
    fn of(plan: &Plan) -> Self {
        let mut family = Self { turning: turning(plan), ..Self::default() };
        for target in &plan.targets {
            let shown =
                target.policies.iter().map(|(key, policy)| ((target.name.clone(), key.clone()), policy.clone()));
            family.policies.extend(shown);
            for step in target.outcome.steps() {
                family.steps.insert(step.id.clone());
                if let (Action::ReplicateKey { target, .. }, Owner::Key(key)) = (&step.action, &step.owner) {
                    family.replicas.insert((target.clone(), key.clone()), step.id.clone());
                }
            }
        }
        family
    }
}

/// Returns the steps of targets that would never begin: each waits for the one before it in its target, and for what it
/// depends on, wherever that is.
fn turning(plan: &Plan) -> BTreeSet<StepId> {
    let mut open: BTreeMap<&StepId, BTreeSet<&StepId>> = BTreeMap::new();
    for target in &plan.targets {
        let mut before: Option<&StepId> = None;
        for step in target.outcome.steps() {
            open.entry(&step.id).or_default().extend(step.depends_on.iter().chain(before));
            before = Some(&step.id);
        }
    }
    loop {
        let waiting: BTreeSet<&StepId> = open.keys().copied().collect();
        let count = open.len();
        open.retain(|_, needed| needed.iter().any(|needed| waiting.contains(needed)));
        if open.len() == count {
            return open.into_keys().cloned().collect();
        }
    }
}

fn block(outcome: &mut Outcome, faults: Vec<String>) {
    if !matches!(outcome, Outcome::Ready(_)) {
        return;
    }
    let blockers = faults.into_iter().map(|message| Blocker {
        kind: BlockerKind(Code::PlanCheck),
        owner: None,
        message,
        help: "report this with the plan as JSON; nothing is executed".to_owned(),
        loc: None,
        position: None,
    });
    outcome.block(blockers.collect());
}

/// Numbers are unique, and a step waits only for steps before it, or for steps of other targets that do not wait for it.
fn order_faults(steps: &[Step], seen: &mut BTreeSet<StepId>, family: &Crossing) -> Vec<String> {
    let mut faults = Vec::new();
    let own: BTreeSet<&StepId> = steps.iter().map(|step| &step.id).collect();
    for step in steps {
        let elsewhere = |needed: &StepId| family.steps.contains(needed) && !own.contains(needed);
        for needed in step.depends_on.iter().filter(|needed| !seen.contains(*needed) && !elsewhere(needed)) {
            faults.push(format!("{} waits for {needed}, which does not come before it", step.id));
        }
        if family.turning.contains(&step.id) {
            faults.push(format!("{} waits for a step that waits for it", step.id));
        }
        if !seen.insert(step.id.clone()) {
            faults.push(format!("{} stands twice", step.id));
        }
    }
    faults
}

fn target_faults(target: &TargetPlan, input: PlanInput<'_>, family: &Crossing) -> Vec<String> {
    let mut faults = Vec::new();
    let mut created: BTreeSet<&KeyName> = BTreeSet::new();
    let mut aliases: BTreeSet<&AliasName> = BTreeSet::new();
    for (index, step) in target.outcome.steps().iter().enumerate() {
        if let Action::CreateKey { key, tags, .. } = &step.action {
            faults.extend(create_faults(target, step, tags, input));
            let next = target.outcome.steps().get(index + 1).map(|step| &step.action);
            let claim = AliasName::claim(&input.desired.stack, key);
            if !matches!(next, Some(Action::CreateAlias { alias, .. }) if *alias == claim) {
                faults.push(format!("{} creates `{key}` and its claim alias does not follow", step.id));
            }
            if !created.insert(key) {
                faults.push(format!("{} creates `{key}` a second time", step.id));
            }
        }
        faults.extend(owner_fault(target, step));
        faults.extend(alias_fault(target, step, &mut aliases, input));
        if let Owner::Key(key) = &step.owner
            && let Some(made) = family.replicas.get(&(target.name.clone(), key.clone()))
            && step.depends_on.contains(made)
        {
            created.insert(key);
        }
        faults.extend(reference_fault(target, step, &created));
        faults.extend(policy_fault(target, step, family));
        faults.extend(way_in_fault(target, step, input));
        faults.extend(family_fault(target, step, input));
    }
    faults.extend(course::faults(target, input));
    faults.extend(import::faults(target, input));
    faults
}

/// A target's step belongs to a key that the plan shows, and calls KMS.
fn owner_fault(target: &TargetPlan, step: &Step) -> Option<String> {
    match &step.owner {
        Owner::Role(role) => Some(format!("{} belongs to the role `{role}` in a target's plan", step.id)),
        Owner::Key(key) if !target.policies.contains_key(key) => {
            Some(format!("{} belongs to `{key}`, which the plan does not show", step.id))
        }
        Owner::Key(_) if !step.action.call().starts_with("kms:") => {
            Some(format!("{} calls {} for a key", step.id, step.action.call()))
        }
        Owner::Key(_) => None,
    }
}

/// A key is created only where there is none, and with all the tags that make it ours.
fn create_faults(
    target: &TargetPlan,
    step: &Step,
    tags: &BTreeMap<String, String>,
    input: PlanInput<'_>,
) -> Vec<String> {
    let Owner::Key(name) = &step.owner else { return vec![format!("{} creates a key for a role", step.id)] };
    let mut faults = Vec::new();
    if target.keys.contains_key(name) {
        faults.push(format!("{} creates `{name}`, which exists", step.id));
    }
    let wanted = [
        (TAG_STACK, input.desired.stack.as_str()),
        (TAG_KEY, name.as_str()),
        (TAG_OWNER, input.desired.owner.as_str()),
    ];
    for (tag, value) in wanted {
        if tags.get(tag).map(String::as_str) != Some(value) {
            faults.push(format!("{} creates `{name}` without the tag {tag}={value}", step.id));
        }
    }
    faults
}

/// A step works on the key that it belongs to, and on a planned key only once that is made.
fn reference_fault(target: &TargetPlan, step: &Step, created: &BTreeSet<&KeyName>) -> Option<String> {
    let Owner::Key(owner) = &step.owner else { return None };
    match step.action.key_ref()? {
        KeyRef::Planned(name) if name != owner => {
            Some(format!("{} belongs to `{owner}` and works on `{name}`", step.id))
        }
        KeyRef::Planned(name) if !created.contains(name) => {
            Some(format!("{} uses `{name}` before it is created", step.id))
        }
        KeyRef::Live(id) if target.keys.get(owner).map(crate::ids::KeyArn::key_id).as_ref() != Some(id) => {
            Some(format!("{} works on `{id}`, which is not the key of `{owner}`", step.id))
        }
        KeyRef::Planned(_) | KeyRef::Live(_) => None,
    }
}

/// A policy that is written is the one that was shown, and fits.
fn policy_fault(target: &TargetPlan, step: &Step, family: &Crossing) -> Option<String> {
    let Owner::Key(owner) = &step.owner else { return None };
    let policy = step.action.written_policy()?;
    let at = step.action.other_target().unwrap_or(&target.name);
    if family.policies.get(&(at.clone(), owner.clone())) != Some(policy) {
        return Some(format!("{} writes another policy than the plan shows", step.id));
    }
    let size = policy.to_text().len();
    if size > POLICY_BYTES {
        return Some(format!("{} writes a policy of {size} bytes", step.id));
    }
    None
}

/// A policy that is written certainly lets somebody change it whom the manifest names to deploy or administer, unless
/// the operator gave that up.
fn way_in_fault(target: &TargetPlan, step: &Step, input: PlanInput<'_>) -> Option<String> {
    let Owner::Key(owner) = &step.owner else { return None };
    let policy = step.action.written_policy()?;
    let at = step.action.other_target().unwrap_or(&target.name);
    let wanted = input.desired.targets.iter().find(|wanted| wanted.name == *at)?;
    let key = wanted.keys.iter().find(|key| key.name == *owner)?;
    let facts = world::key_facts(wanted, key, &BTreeMap::new(), None, policy.clone());
    let mut named = wanted.deployers.iter().chain(key.admins.iter().map(|admin| &admin.0));
    let kept = named.any(|principal| {
        let somebody = world::stand_in(principal, wanted);
        somebody.is_some_and(|who| can_put_key_policy(&facts, &who, &Guardrails::default()).is_allowed())
    });
    (!kept && !input.options.bypass_lockout.contains(owner))
        .then(|| format!("{} writes a policy that nobody may change", step.id))
}

/// A replica goes into a target of the same account, in the Region that is written, with all the tags that make it
/// ours, and never where the key is already.
fn family_fault(target: &TargetPlan, step: &Step, input: PlanInput<'_>) -> Option<String> {
    let Owner::Key(owner) = &step.owner else { return None };
    let (Action::ReplicateKey { target: to, region, .. } | Action::UpdatePrimaryRegion { target: to, region, .. }) =
        &step.action
    else {
        return None;
    };
    let there = input.desired.targets.iter().find(|there| there.name == *to);
    if there.is_none_or(|there| there.account != target.account || there.region != *region) || *to == target.name {
        return Some(format!("{} goes to {region}, which is not where target `{to}` is", step.id));
    }
    let Action::ReplicateKey { tags, .. } = &step.action else { return None };
    let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
    let ours = is(TAG_STACK, input.desired.stack.as_str()) && is(TAG_OWNER, input.desired.owner.as_str());
    (!ours || !is(TAG_KEY, owner.as_str()))
        .then(|| format!("{} makes a replica without the tags that make it ours", step.id))
}
