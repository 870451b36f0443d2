//! Plans: what would change, why, at what risk, and what access that gives or takes away; as data.
//!
//! [`plan`] reads as the table of contents of the engine: whose is what, compare, guard, order, check, digest.

mod abac;
mod action;
mod check;
mod cost;
mod data;
mod deleter;
mod deployer;
mod digest;
mod draft;
mod duties;
mod family;
mod file;
mod guard;
mod keys;
mod lints;
mod lockout;
mod model;
mod order;
mod orphans;
mod quota;
mod refresh;
mod roles;
mod scope;
mod since;
mod summary;
mod tagging;

#[cfg(test)]
pub(crate) mod tests;

pub use action::{Action, KeyRef, Wrapping};
pub use cost::PRICING;
pub use data::{PLAN_FORMAT_VERSION, access_line_to_json, plan_to_json};
pub use file::{PlanFile, PlanFileError, StalePlan};
pub use model::{
    AccountPlan, Applyable, Blocker, BlockerKind, Cause, Digest, Drift, DriftKind, Finding, NearQuota, Orphan, Outcome,
    Owner, Plan, PlanKind, PropertyChange, Quotas, Step, StepId, TargetPlan, Why,
};
pub use scope::Claims;
pub use since::tell_causes;
pub use summary::Summary;
pub(crate) use summary::retires;

use crate::desired::DesiredState;
use crate::ids::{AccountId, KeyName, MaterialName, TargetName};
use crate::live::{LiveAccount, LiveTarget};
use crate::source::SourceMap;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// What is wanted.
    pub desired: &'a DesiredState,
    /// Where it was written.
    pub sources: &'a SourceMap,
    /// What the accounts hold.
    pub accounts: &'a BTreeMap<AccountId, LiveAccount>,
    /// What the targets hold; a target that is not here is not planned.
    pub targets: &'a BTreeMap<TargetName, LiveTarget>,
    /// The claim records of this machine.
    pub claims: &'a BTreeMap<TargetName, Claims>,
    /// What to plan, and how.
    pub options: &'a PlanOptions,
    /// The day, in UTC: soaks are counted in days, so that a plan does not depend on the hour.
    pub today: jiff::civil::Date,
}

/// What to plan, and how.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// The keys to plan; `None`: all.
    pub only_keys: Option<BTreeSet<KeyName>>,
    /// The keys that may be created; `None`: any.
    pub expect_creates: Option<BTreeSet<KeyName>>,
    /// What to do about mere wording.
    pub normalize: Normalize,
    /// Whether to plan what would be done, or to show only what differs.
    pub kind: PlanKind,
    /// Whether the caller is going to apply the plan.
    pub purpose: PlanPurpose,
    /// The keys whose loss the operator consents to: nobody need be able to change their policies afterwards.
    pub bypass_lockout: BTreeSet<KeyName>,
    /// The retired keys whose deletion may be scheduled (`--allow-retire`).
    pub allow_retire: BTreeSet<KeyName>,
    /// The keys whose deletion, which keywright did not schedule, may be cancelled (`--cancel-deletion`).
    pub cancel_deletion: BTreeSet<KeyName>,
    /// The keys that are rotated now, whatever the manifest says (`rotate KEY`).
    pub rotate: BTreeSet<KeyName>,
    /// Keys whose imported material may be deleted now, with consent.
    pub delete_material: BTreeSet<KeyName>,
    /// Keys whose imported material is imported again, whatever is left of its validity.
    pub reimport: BTreeSet<KeyName>,
    /// Materials that were encrypted elsewhere and are brought along.
    pub prewrapped: BTreeSet<(KeyName, MaterialName)>,
}

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlanPurpose {
    /// To be applied by the caller, who must be a deployer.
    #[default]
    Apply,
    /// To be read, on a pull request by whoever may read: it need not be a deployer.
    Review,
    /// To rotate the keys of [`PlanOptions::rotate`] and do nothing else.
    Rotate,
}

/// What to do about policies that mean the same and read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Normalize {
    /// Nothing: only a change of meaning is planned.
    #[default]
    Meaning,
    /// Plan the wording too (`--normalize`).
    Wording,
}

/// Plans: decides every step that makes live state what is wanted, or says why not.
pub fn plan(input: PlanInput<'_>) -> Plan {
    let found = family::find(input);
    match family::with_dropped(input, &found) {
        Some(desired) => plan_families(PlanInput { desired: &desired, ..input }, found),
        None => plan_families(input, found),
    }
}

/// Plans, where it is known which live keys belong together.
fn plan_families<'a>(input: PlanInput<'a>, found: family::Families<'a>) -> Plan {
    let families = family::decide(input, found);
    let mut numbers = order::Numbers::default();
    let mut accounts = Vec::new();
    // Who rotates keys changes no role.
    let accounts_in_scope = if input.options.purpose == PlanPurpose::Rotate { &[] } else { &*input.desired.accounts };
    for account in accounts_in_scope {
        if let Some(live) = input.accounts.get(&account.account) {
            let compared = roles::compare(input.desired, account, live, input.sources, input.options.normalize);
            accounts.push(order::account(compared, &mut numbers, input.sources));
        }
    }
    let mut targets = Vec::new();
    let mut writers = lockout::Writers::new();
    for target in &input.desired.targets {
        if let Some(live) = input.targets.get(&target.name) {
            let drafted = guard::draft_target(input, target, live, &families);
            let drafted = guard::guard_target(input, target, live, &accounts, drafted);
            writers.extend(drafted.writer.clone().map(|writer| (target.name.clone(), writer)));
            targets.push(order::target(drafted, &accounts, &mut numbers, input.sources));
        }
    }
    let unanswered = order::link(&mut targets, &numbers);
    let mut plan = Plan {
        kind: input.options.kind,
        stack: input.desired.stack.clone(),
        owner: input.desired.owner.clone(),
        digest: Digest::default(),
        live_digest: digest::live(input),
        accounts,
        targets,
    };
    family::unanswered(&mut plan, &unanswered);
    if input.options.kind == PlanKind::Drift {
        refresh::only_drift(&mut plan);
    }
    lockout::enforce(&mut plan, input, &writers);
    if input.options.purpose != PlanPurpose::Rotate {
        duties::judge(&mut plan, input);
    }
    family::settle(&mut plan);
    check::enforce(&mut plan, input);
    family::settle(&mut plan);
    plan.digest = digest::digest(&plan, input);
    plan
}
