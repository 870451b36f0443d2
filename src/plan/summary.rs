//! A plan in numbers.

use super::{Action, KeyRef, Outcome, Plan, Step};
use crate::desired::tags::TAG_RETIRED;
use std::collections::BTreeSet;

/// Counts over all accounts and targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Keys and roles that are created.
    pub create: usize,
    /// Keys and roles that exist and change.
    pub change: usize,
    /// Keys that are retired, or whose deletion is scheduled.
    pub retire: usize,
    /// Keys, roles, and targets as a whole, that are blocked.
    pub blocked: usize,
    /// Gains of access.
    pub gains: usize,
    /// Losses of access.
    pub losses: usize,
    /// Findings.
    pub findings: usize,
    /// Steps, those of blocked targets included.
    pub steps: usize,
    /// Differences that nothing changes.
    pub drift: usize,
    /// The change of the monthly cost, in US dollars.
    pub dollars: i64,
}

impl Summary {
    /// Counts a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut summary = Self::default();
        for account in &plan.accounts {
            summary.count(&account.outcome);
            summary.findings += account.findings.len();
            summary.drift += account.drift.len();
        }
        for target in &plan.targets {
            summary.count(&target.outcome);
            summary.findings += target.findings.len();
            summary.drift += target.drift.len();
            let whole = target.cost_per_month_delta.split('.').next();
            summary.dollars += whole.and_then(|whole| whole.parse::<i64>().ok()).unwrap_or_default();
            summary.gains += target.access.gains.len();
            summary.losses += target.access.losses.len();
        }
        summary
    }

    fn count(&mut self, outcome: &Outcome) {
        let steps = outcome.steps();
        // A replica is made by its primary's target, and counts where it will be.
        let creates = |step: &&Step| {
            matches!(step.action, Action::CreateKey { .. } | Action::CreateRole { .. })
                || matches!(step.action.key_ref(), Some(KeyRef::Planned(_)))
        };
        let made: BTreeSet<_> = steps.iter().filter(creates).map(|step| &step.owner).collect();
        let touched: BTreeSet<_> = steps.iter().map(|step| &step.owner).collect();
        let gone: BTreeSet<_> = steps.iter().filter(|step| retires(&step.action)).map(|step| &step.owner).collect();
        self.create += made.len();
        self.retire += gone.len();
        self.change += touched.iter().filter(|owner| !made.contains(*owner) && !gone.contains(*owner)).count();
        self.steps += steps.len();
        let to_blame: BTreeSet<_> = outcome.blockers().iter().map(|blocker| &blocker.owner).collect();
        self.blocked += to_blame.len();
    }
}

/// Returns whether an action leads towards the end of a key.
pub(crate) fn retires(action: &Action) -> bool {
    let marks = matches!(action, Action::TagKey { tags, .. } if tags.contains_key(TAG_RETIRED));
    marks || matches!(action, Action::ScheduleKeyDeletion { .. })
}
