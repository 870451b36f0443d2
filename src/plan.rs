//! Plans: what would change, why, at what risk, and what access that gives or takes away; as data.

mod action;
mod model;

pub use action::{Action, KeyRef};
pub use model::{
    AccountPlan, Applyable, Blocker, BlockerKind, Digest, Drift, Finding, Orphan, Outcome, Owner, Plan, PropertyChange,
    Step, StepId, TargetPlan, Why,
};
