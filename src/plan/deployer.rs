//! Who would write a target: a deployer by name, or a caller to whom the keys and the account's IAM leave it.

use super::deleter::{self, Deletions};
use super::guard::{TargetDraft, blocker, key_of};
use super::{Finding, PlanInput, PlanPurpose};
use crate::access::{KeyFacts, Knowledge};
use crate::desired::{Delegation, DesiredKey, DesiredTarget, Principal};
use crate::diag::{Code, Severity};
use crate::ids::KeyName;
use crate::live::{CallerPolicies, LiveTarget, Observed};
use crate::review::{Candidate, NoWay, Standing, WhyNot, no_way};
use crate::{synth, text, world};

/// What the caller can do about the keys that change.
enum Reach {
    /// The account's IAM lets it change the policy of each.
    ThroughIam,
    /// It cannot change these.
    Not(Vec<(KeyName, NoWay)>),
    /// Its IAM policies could not be read; the action that is missing.
    Unread(String),
    /// Its IAM policies do not matter: the keys do not leave it to them.
    NotDelegated,
}

/// Returns who would write the target; `None` where nobody would. Whoever may not, and is about to, blocks the target.
pub(in crate::plan) fn writer(
    input: PlanInput<'_>,
    target: &DesiredTarget,
    live: &LiveTarget,
    draft: &mut TargetDraft<'_>,
) -> Option<Candidate> {
    let by_iam = live.caller_policies.as_ref().and_then(Observed::known);
    let deletions = deleter::decide(target, live, &caller(live, by_iam), draft);
    deleter::report(input, target, live, &deletions, draft);
    if is_deployer(target, live) {
        return Some(caller(live, None));
    }
    if deleter::only_deletions(draft) {
        return None;
    }
    let reach = reach(input, target, live, draft);
    let through_iam = matches!(reach, Reach::ThroughIam);
    if deletions == Deletions::Allowed && !through_iam {
        deleter::leave_the_rest(input, target, draft);
        return None;
    }
    report(input, target, live, &reach, draft);
    match input.options.purpose {
        _ if through_iam => Some(caller(live, by_iam)),
        PlanPurpose::Review => target.deployers.iter().find_map(|deployer| stand_in(deployer, target)),
        PlanPurpose::Apply | PlanPurpose::Rotate => None,
    }
}

/// Returns the caller as the lock-out check sees it.
fn caller(live: &LiveTarget, policies: Option<&CallerPolicies>) -> Candidate {
    let mut facts = world::caller(&live.caller);
    if let Some(policies) = policies {
        facts.unique_id.clone_from(&policies.unique_id);
        facts.tags.clone_from(&policies.tags);
        facts.identity_policies = policies.identity.values().cloned().collect();
        facts.permissions_boundary.clone_from(&policies.boundary);
    }
    Candidate { name: live.caller.principal.to_string(), standing: Standing::Here(Box::new(facts)) }
}

/// Returns somebody who stands for a declared principal, and who is taken to exist.
pub(in crate::plan) fn stand_in(principal: &Principal, target: &DesiredTarget) -> Option<Candidate> {
    let mut facts = world::stand_in(principal, target)?;
    facts.knowledge = Knowledge::NameOnly;
    Some(Candidate { name: principal.name(), standing: Standing::Here(Box::new(facts)) })
}

/// Whether the caller is one of the target's deployers, by ARN or by an Identity Center pattern.
fn is_deployer(target: &DesiredTarget, live: &LiveTarget) -> bool {
    let partition = target.region.partition();
    let is = |deployer: &Principal| {
        deployer.is_arn(&live.caller.principal, partition) || deployer.is_arn(&live.caller.arn, partition)
    };
    target.deployers.iter().any(is)
}

/// Finds out what a caller who is not named can do about the keys that change, but for those that need no way in.
fn reach(input: PlanInput<'_>, target: &DesiredTarget, live: &LiveTarget, draft: &TargetDraft<'_>) -> Reach {
    let changing = draft.sheets.iter().filter(|sheet| !sheet.drafts.is_empty());
    let mut keys = changing.filter_map(|sheet| key_of(target, sheet));
    let policies = match &live.caller_policies {
        Some(Observed::Known(policies)) => policies,
        Some(Observed::Denied { action, .. }) if keys.all(|key| key.delegation == Delegation::Account) => {
            return Reach::Unread(action.clone());
        }
        Some(Observed::Denied { .. }) | None => return Reach::NotDelegated,
    };
    let caller = caller(live, Some(policies));
    let kept = keys.filter(|key| !input.options.bypass_lockout.contains(&key.name));
    let lacking: Vec<_> =
        kept.filter_map(|key| Some((key.name.clone(), no_way(&facts(input, target, key, draft)?, &caller)?))).collect();
    if lacking.is_empty() { Reach::ThroughIam } else { Reach::Not(lacking) }
}

/// Returns a key under the policy that it will have.
fn facts(input: PlanInput<'_>, target: &DesiredTarget, key: &DesiredKey, draft: &TargetDraft<'_>) -> Option<KeyFacts> {
    let policy = draft.plan.policies.get(&key.name)?;
    let mut facts = world::key_facts(target, key, &synth::key_tags(input.desired, key), None, policy.clone());
    if let Some(arn) = draft.plan.keys.get(&key.name) {
        facts.arn = arn.to_string();
    }
    Some(facts)
}

/// Says what the caller is to the target, and blocks where it is about to apply what it may not.
fn report(input: PlanInput<'_>, target: &DesiredTarget, live: &LiveTarget, reach: &Reach, draft: &mut TargetDraft<'_>) {
    let caller = &live.caller.principal;
    let wanted = text::or_list(&target.deployers.iter().map(Principal::name).collect::<Vec<_>>());
    let nobody = format!("the caller `{caller}` is not a deployer of this target");
    let mut help = format!("run as {wanted}, or name `{caller}` in `deployers` of target `{}`", target.name);
    let (code, message) = match reach {
        Reach::ThroughIam => {
            let message =
                format!("{nobody}; the keys leave it to the account's IAM, which lets it change their policies");
            return note(input, target, (Code::DelegatedDeployer, message, help), draft);
        }
        Reach::Unread(action) => {
            help = format!("{help}, or allow it {action}");
            let message = format!("{nobody} by name, and what IAM allows it could not be read: `{action}` was denied");
            (Code::DelegatedDeployer, message)
        }
        Reach::Not(lacking) => {
            help = if lacking.iter().all(|(_, way)| matches!(way.why, WhyNot::Denied(_))) {
                // To be named does not help against a denial.
                format!("run as {wanted}, or exempt `{caller}` from that denial")
            } else {
                format!("{help}{}", statement_that_lacks(target, lacking))
            };
            (Code::NotADeployer, format!("{nobody}, and {}", in_words(lacking)))
        }
        Reach::NotDelegated => (Code::NotADeployer, nobody),
    };
    match input.options.purpose {
        PlanPurpose::Review => {
            let remedy = match reach {
                Reach::NotDelegated => format!("nothing to do here: {wanted} applies the plan"),
                Reach::ThroughIam | Reach::Not(_) | Reach::Unread(_) => {
                    format!("{wanted} applies the plan; to apply it yourself, {help}")
                }
            };
            note(input, target, (code, message, remedy), draft);
        }
        PlanPurpose::Apply | PlanPurpose::Rotate => {
            let code = if matches!(reach, Reach::Unread(_)) { Code::Unreadable } else { code };
            draft.blockers.push(blocker(input, target, code, message, help));
        }
    }
}

fn in_words(lacking: &[(KeyName, NoWay)]) -> String {
    let keys: Vec<String> = lacking.iter().map(|(key, _)| format!("`{key}`")).collect();
    let why = lacking.first().map(|(_, way)| way.why.to_string()).unwrap_or_default();
    format!("it cannot change the policy of {}: {why}", text::and_list(&keys))
}

/// Returns which statement IAM lacks, where one more would do.
fn statement_that_lacks(target: &DesiredTarget, lacking: &[(KeyName, NoWay)]) -> String {
    if !lacking.iter().all(|(_, way)| matches!(way.why, WhyNot::NotAllowed(_))) {
        return String::new();
    }
    let keys = format!("arn:{}:kms:{}:{}:key/*", target.region.partition(), target.region, target.account);
    format!(r#", or add to its IAM policies {{"Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": "{keys}"}}"#)
}

fn note(
    input: PlanInput<'_>,
    target: &DesiredTarget,
    (code, message, remedy): (Code, String, String),
    draft: &mut TargetDraft<'_>,
) {
    let position = input.sources.position(target.loc);
    draft.plan.findings.push(Finding { code, severity: Severity::Warning, owner: None, message, remedy, position });
}
