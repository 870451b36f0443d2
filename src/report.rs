//! Outcome data of `apply` and `verify`: what was done, what was found, in order.

mod apply;
mod canary;
mod verify;

pub use apply::{ApplyReport, Event, Recovery, Scope, ScopeReport, StepOutcome, StepResult};
pub use canary::{CANARIES_PER_KEY, Canary, CanaryFileError, canaries_to_text, merge_canaries, read_canaries};
pub use verify::{Completeness, Expectation, ExpiryWarning, Probe, ProbeResult, REAL_CALLS, VerifyReport};
