//! A plan of drift (`--refresh-only`): what would be changed is shown as a difference, and nothing is planned.

use super::{Action, Drift, DriftKind, Outcome, Owner, Plan, PropertyChange, Step, Why};
use crate::review::AccessChange;
use std::collections::BTreeSet;

/// Turns every step into a difference. What blocks a target still does: what cannot be told is no drift.
pub(in crate::plan) fn only_drift(plan: &mut Plan) {
    for account in &mut plan.accounts {
        account.drift = take(&mut account.outcome);
    }
    for target in &mut plan.targets {
        target.drift.extend(take(&mut target.outcome));
        target.drift.sort();
        target.access = AccessChange::default();
        super::cost::NOTHING.clone_into(&mut target.cost_per_month_delta);
    }
}

/// Takes the steps out of an outcome.
fn take(outcome: &mut Outcome) -> Vec<Drift> {
    let absent: BTreeSet<Owner> =
        outcome.steps().iter().filter(|step| creates(step)).map(|step| step.owner.clone()).collect();
    let mut found: Vec<Drift> = absent.iter().map(|owner| is_absent(owner.clone())).collect();
    let differing = outcome.steps().iter().filter(|step| !absent.contains(&step.owner) && !is_in_time(step));
    found.extend(differing.map(differs));
    found.sort();
    found.dedup();
    match outcome {
        Outcome::InSync => {}
        Outcome::Ready(_) => *outcome = Outcome::InSync,
        Outcome::Blocked { would_do, .. } => would_do.clear(),
    }
    found
}

/// Material that is imported again in good time, or because somebody asks, is as the manifest wants it.
fn is_in_time(step: &Step) -> bool {
    matches!(step.action, Action::ImportKeyMaterial { .. }) && matches!(step.why, Why::Expires | Why::Asked)
}

/// A replica is a step of its primary, which does not make the primary absent.
fn creates(step: &Step) -> bool {
    matches!(step.action, Action::CreateKey { .. } | Action::CreateRole { .. })
}

fn is_absent(owner: Owner) -> Drift {
    Drift { owner, kind: DriftKind::Absent, what: "it does not exist".to_owned(), change: None }
}

fn differs(step: &Step) -> Drift {
    let change = step.change.clone();
    let (kind, what) = match &change {
        Some(PropertyChange { property, before: None, .. }) => (DriftKind::Absent, format!("{property} is missing")),
        Some(PropertyChange { property, .. }) => (DriftKind::Differs, format!("{property} differs")),
        None => (DriftKind::Differs, format!("{} would be called", step.action.call())),
    };
    Drift { owner: step.owner.clone(), kind, what, change }
}
