//! Walks a plan step by step and blocks it where, after a step, nobody who should could change a key's policy again.

mod stage;

use super::{Action, Blocker, BlockerKind, Finding, Outcome, Owner, Plan, PlanInput, Step};
use crate::desired::{DesiredKey, DesiredTarget};
use crate::diag::{Code, Severity};
use crate::ids::{KeyName, TargetName};
use crate::review::{Candidate, MissingWay, NoWay, WhyNot, no_way};
use crate::world;
use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};

/// Who would write each target.
pub(in crate::plan) type Writers = BTreeMap<TargetName, Candidate>;

/// Whose step it is that locks out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stratum {
    /// Of the account's roles, which come first.
    Account,
    /// Of the target's keys.
    Target,
}

/// A way in that is missing after a step.
struct Shut<'p> {
    step: &'p Step,
    stratum: Stratum,
    key: KeyName,
    way: MissingWay,
}

/// Blocks every part of a plan that would lock out, after whichever step. The keys that the operator named with
/// `--bypass-lockout-check` are reported instead.
///
/// `PutKeyPolicy` replaces a policy as a whole, and the roles that a policy names are made before it, so an
/// administrator is exchanged without a moment in between. What can shut somebody out on the way are the steps of the
/// roles: a boundary, or an identity policy that is taken away, before the keys name somebody else. Those are not put
/// into another order, since roles are shared by targets; they are blocked, to be applied in two runs.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
pub(in crate::plan) fn enforce(plan: &mut Plan, input: PlanInput<'_>, writers: &Writers) {
    for target in &input.desired.targets {
        let mut found = found(plan, input, target, writers.get(&target.name));
        found.extend(by_replicators(plan, input, target, writers));
        let (consented, shut): (Vec<Told>, Vec<Told>) =
            found.into_iter().partition(|told| input.options.bypass_lockout.contains(&told.key));
        let Some(at) = plan.targets.iter_mut().find(|plan| plan.name == target.name) else { continue };
        at.findings.extend(consented.into_iter().map(Told::finding));
        block_account(plan, target, shut.iter().filter(|told| told.stratum == Stratum::Account));
        let Some(at) = plan.targets.iter_mut().find(|plan| plan.name == target.name) else { continue };
        at.outcome.block(shut.iter().filter(|told| told.stratum == Stratum::Target).map(Told::blocker).collect());
    }
}

/// What is said of a way in that is missing.
struct Told {
    key: KeyName,
    stratum: Stratum,
    message: String,
    help: String,
    loc: crate::source::Loc,
    position: Option<crate::source::Position>,
}

impl Told {
    fn blocker(&self) -> Blocker {
        Blocker {
            kind: BlockerKind(Code::Lockout),
            owner: Some(Owner::Key(self.key.clone())),
            message: self.message.clone(),
            help: self.help.clone(),
            loc: Some(self.loc),
            position: self.position.clone(),
        }
    }

    fn finding(self) -> Finding {
        Finding {
            code: Code::Lockout,
            severity: Severity::Warning,
            owner: Some(Owner::Key(self.key)),
            message: self.message,
            remedy: format!("as --bypass-lockout-check consents to; otherwise {}", self.help),
            position: self.position,
        }
    }
}

fn found(plan: &Plan, input: PlanInput<'_>, target: &DesiredTarget, writer: Option<&Candidate>) -> Vec<Told> {
    let of_target = plan.targets.iter().find(|plan| plan.name == target.name);
    let Some(stage) = of_target.and_then(|plan| Stage::before(input, target, &plan.keys, writer)) else {
        return Vec::new();
    };
    let account = plan.accounts.iter().find(|plan| plan.account == target.account);
    let unknown = |blocker: &Blocker| blocker.kind.0 != Code::Lockout;
    if account.is_some_and(|plan| plan.outcome.blockers().iter().any(unknown)) {
        // Which roles there are, and will be, is not known; the target is blocked for that already.
        return Vec::new();
    }
    let of_account = account.map(|plan| plan.outcome.steps()).unwrap_or_default();
    let of_target = of_target.map(|plan| plan.outcome.steps()).unwrap_or_default();
    let steps = of_account.iter().map(|step| (Stratum::Account, step));
    // What other targets replicate into this one is there before its own steps.
    let steps = steps.chain(replications(plan, target).map(|(_, step)| (Stratum::Target, step)));
    let shut = walk(stage, steps.chain(of_target.iter().map(|step| (Stratum::Target, step))));
    shut.into_iter().filter_map(|shut| told(shut, input, target)).collect()
}

/// Returns the steps of other targets that make replicas in this one, each with its target.
fn replications<'p>(plan: &'p Plan, target: &DesiredTarget) -> impl Iterator<Item = (&'p TargetName, &'p Step)> {
    let into = |step: &&Step| matches!(&step.action, Action::ReplicateKey { target: to, .. } if *to == target.name);
    plan.targets
        .iter()
        .flat_map(|from| from.outcome.steps().iter().map(move |step| (&from.name, step)))
        .filter(move |(_, step)| into(step))
}

/// KMS asks of whoever replicates a key that it could change the replica's policy too.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ReplicateKey.html>
fn by_replicators(plan: &Plan, input: PlanInput<'_>, target: &DesiredTarget, writers: &Writers) -> Vec<Told> {
    let shut = |(from, step): (&TargetName, &Step)| {
        let (Action::ReplicateKey { policy, tags, .. }, Owner::Key(name)) = (&step.action, &step.owner) else {
            return None;
        };
        let key = target.keys.iter().find(|key| key.name == *name)?;
        let facts = world::key_facts(target, key, tags, None, policy.clone());
        let way = no_way(&facts, writers.get(from)?)?;
        let same = writers.get(&target.name).is_some_and(|writer| writer.name == way.name);
        if same {
            return None;
        }
        let message = format!(
            "after {} ({}) {way} could not change the policy of the replica, and KMS demands that of whoever replicates",
            step.id,
            step.action.call()
        );
        let help = help_caller(&way, target);
        let position = input.sources.position(key.loc);
        Some(Told { key: name.clone(), stratum: Stratum::Target, message, help, loc: key.loc, position })
    };
    replications(plan, target).filter_map(shut).collect()
}

/// Takes the steps in order, and returns for each key the first step after which a way in is missing. A key that its
/// own step rewrites must have both ways; one that was shut before, and that a step of another kind touches, must
/// only not become worse.
fn walk<'p>(mut stage: Stage<'_>, steps: impl Iterator<Item = (Stratum, &'p Step)>) -> Vec<Shut<'p>> {
    let mut shut = Vec::new();
    let mut told: BTreeSet<(KeyName, bool)> = BTreeSet::new();
    for (stratum, step) in steps {
        for key in stage.take(&step.owner, &step.action) {
            let known: BTreeSet<bool> = stage.standing(&key).iter().map(is_callers).collect();
            let missing = stage.look(&key).map(|locked| locked.missing).unwrap_or_default();
            let rewritten = step.action.written_policy().is_some();
            for way in missing.into_iter().filter(|way| rewritten || !known.contains(&is_callers(way))) {
                if told.insert((key.clone(), is_callers(&way))) {
                    shut.push(Shut { step, stratum, key: key.clone(), way });
                }
            }
        }
    }
    shut
}

fn is_callers(way: &MissingWay) -> bool {
    matches!(way, MissingWay::Caller(_))
}

fn told(shut: Shut<'_>, input: PlanInput<'_>, target: &DesiredTarget) -> Option<Told> {
    let key = target.keys.iter().find(|key| key.name == shut.key)?;
    let after = format!("after {} ({})", shut.step.id, shut.step.action.call());
    let (message, help) = match &shut.way {
        MissingWay::Caller(way) => {
            (format!("{after} {way} could not change the policy of `{}` again", key.name), help_caller(way, target))
        }
        MissingWay::Administrators(ways) if ways.is_empty() => {
            (format!("no administrator of `{}` is known by name", key.name), name_another(key, target))
        }
        MissingWay::Administrators(ways) => {
            let who: Vec<String> = ways.iter().map(NoWay::to_string).collect();
            let message = format!(
                "{after} no administrator of `{}` could change its policy: {}",
                key.name,
                crate::text::and_list(&who)
            );
            (message, help_admins(ways, shut.step, key, target))
        }
    };
    let position = input.sources.position(key.loc);
    Some(Told { key: shut.key, stratum: shut.stratum, message, help, loc: key.loc, position })
}

/// Returns what is to be added, or taken away, for the caller.
fn help_caller(way: &NoWay, target: &DesiredTarget) -> String {
    let name = &way.name;
    match &way.why {
        WhyNot::Denied(place) => format!("exempt `{name}` from {place}, or run as another deployer"),
        WhyNot::Open(_) => format!("name `{name}` in `deployers` of target `{}`, without a condition", target.name),
        WhyNot::Absent | WhyNot::NotNamed | WhyNot::NotAllowed(_) | WhyNot::BoundaryUnread(_) => {
            format!("name `{name}` in `deployers` of target `{}`", target.name)
        }
    }
}

fn name_another(key: &DesiredKey, target: &DesiredTarget) -> String {
    format!("name somebody who exists in account {} in `admins` of key `{}`", target.account, key.name)
}

/// Returns what is to be added, or taken away, for one of the administrators.
fn help_admins(ways: &[NoWay], step: &Step, key: &DesiredKey, target: &DesiredTarget) -> String {
    let another = name_another(key, target);
    if step.action.written_policy().is_none() {
        return format!("{another} and apply that first; then apply this change");
    }
    let unread = ways.iter().find_map(|way| match &way.why {
        WhyNot::BoundaryUnread(boundary) => Some(boundary),
        WhyNot::Absent | WhyNot::Denied(_) | WhyNot::NotNamed | WhyNot::NotAllowed(_) | WhyNot::Open(_) => None,
    });
    match unread {
        Some(boundary) => format!("let `{boundary}` be read (iam:GetPolicy, iam:GetPolicyVersion), or {another}"),
        None => another,
    }
}

/// Blocks the roles of the target's account, and with them every target of it that was ready.
fn block_account<'t>(plan: &mut Plan, target: &DesiredTarget, shut: impl Iterator<Item = &'t Told>) {
    let blockers: Vec<Blocker> = shut.map(Told::blocker).collect();
    let Some(account) = plan.accounts.iter_mut().find(|plan| plan.account == target.account) else { return };
    if blockers.is_empty() {
        return;
    }
    account.outcome.block(blockers);
    for ready in plan.targets.iter_mut().filter(|plan| plan.account == target.account) {
        if matches!(ready.outcome, Outcome::Ready(_)) {
            let blocker = Blocker {
                kind: BlockerKind(Code::AccountBlocked),
                owner: None,
                message: format!("the roles of account {} are blocked", target.account),
                help: "mend the roles first".to_owned(),
                loc: Some(target.loc),
                position: None,
            };
            ready.outcome.block(vec![blocker]);
        }
    }
}
