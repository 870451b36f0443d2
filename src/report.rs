//! Outcome data of `apply` and `verify`: what was done, what was found, in order.

mod apply;
mod verify;

pub use apply::{ApplyReport, Event, Recovery, Scope, ScopeReport, StepOutcome, StepResult};
pub use verify::{Completeness, Expectation, Probe, ProbeResult, REAL_CALLS, VerifyReport};
