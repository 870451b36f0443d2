//! Tells what somebody changed outside from what the manifest changes, by a plan of an older manifest.

use super::{Cause, Outcome, Owner, Plan, Step};
use std::collections::BTreeSet;

/// What a step is about: where, whose, and which property.
type About = (String, Owner, String);

/// Tells of each step who made the difference. `older` is the plan of an older manifest on the same live state: what
/// it would change back too, somebody changed since; all else is the manifest's own.
///
/// The digest of the plan does not depend on it.
pub fn tell_causes(plan: &mut Plan, older: &Plan) {
    let known = everything(older);
    let tell = |place: &str, outcome: &mut Outcome| {
        for step in outcome.steps_mut() {
            let drifted = known.contains(&about(place, step));
            step.cause = Some(if drifted { Cause::Drift } else { Cause::Intended });
        }
    };
    for account in &mut plan.accounts {
        tell(account.account.as_str(), &mut account.outcome);
    }
    for target in &mut plan.targets {
        tell(target.name.as_str(), &mut target.outcome);
    }
}

fn everything(plan: &Plan) -> BTreeSet<About> {
    let of = |place: &str, outcome: &Outcome| outcome.steps().iter().map(|step| about(place, step)).collect::<Vec<_>>();
    let accounts = plan.accounts.iter().flat_map(|account| of(account.account.as_str(), &account.outcome));
    let targets = plan.targets.iter().flat_map(|target| of(target.name.as_str(), &target.outcome));
    accounts.chain(targets).collect()
}

fn about(place: &str, step: &Step) -> About {
    let property = step.change.as_ref().map_or_else(|| step.action.call().to_owned(), |change| change.property.clone());
    (place.to_owned(), step.owner.clone(), property)
}
