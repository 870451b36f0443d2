//! What `apply` did.

use crate::exit::Exit;
use crate::ids::{AccountId, KeyArn, TargetName};
use crate::plan::{Step, StepId};

/// Where steps ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// An account's IAM.
    Account(AccountId),
    /// A target's keys.
    Target(TargetName),
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// Done, and seen to be done.
    Done,
    /// Done, and not yet seen within `--wait`: running again confirms.
    Unconfirmed,
    /// The outcome of the call is unknown and what it made was not found within `--wait`: running again looks again.
    Unknown {
        /// What happened, in words.
        message: String,
    },
    /// The call failed.
    Failed {
        /// The failure, in words.
        message: String,
        /// The next thing to do.
        help: String,
    },
    /// Not tried, because a step that it needs was not done.
    Skipped {
        /// That step.
        because: StepId,
    },
}

/// A step and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutcome {
    /// The step.
    pub step: Step,
    /// What became of it.
    pub result: StepResult,
    /// The key that it made, for `CreateKey`.
    pub created: Option<KeyArn>,
}

/// Something that `apply` decided by its recovery rules, besides the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The step.
    pub step: StepId,
    /// What happened, in words.
    pub message: String,
}

/// All steps of one account or target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeReport {
    /// Where.
    pub scope: Scope,
    /// Every step, in order.
    pub steps: Vec<StepOutcome>,
    /// What was decided besides the plan.
    pub recoveries: Vec<Recovery>,
}

/// Something that happens while steps run, for progress.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A step begins.
    Started(&'a Step),
    /// A step ended.
    Finished(&'a StepOutcome),
    /// Waiting for something to be seen.
    Waiting(&'a str),
}

/// Everything that `apply` did.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApplyReport {
    /// Accounts first, then targets, in plan order.
    pub scopes: Vec<ScopeReport>,
}

impl ApplyReport {
    /// Returns the exit code: 6 if something was written and something failed, 1 if nothing was written and something
    /// failed, 7 if all that is open is confirmation, else 0.
    pub fn exit(&self) -> Exit {
        let results = || self.scopes.iter().flat_map(|scope| &scope.steps).map(|outcome| &outcome.result);
        let wrote = results().any(|result| matches!(result, StepResult::Done | StepResult::Unconfirmed));
        let failed = results().any(|result| matches!(result, StepResult::Failed { .. }));
        let open = results().any(|result| matches!(result, StepResult::Unconfirmed | StepResult::Unknown { .. }));
        match (failed, wrote, open) {
            (true, true, _) | (true, false, true) => Exit::Partial,
            (true, false, false) => Exit::Failed,
            (false, _, true) => Exit::Unconfirmed,
            (false, _, false) => Exit::Done,
        }
    }
}
