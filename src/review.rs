//! Access reviewed: what changes between two states, who keeps a way back in, whose duties are separate.

mod change;
mod difference;
mod duties;
mod imply;
mod limits;
mod line;
mod lockout;
mod model;
mod rule;
mod witness;
mod words;

pub use change::{ReviewInput, access_change};
pub use duties::{Certainty, Duty, DutyConflict, duties, duty_diagnostics};
pub use limits::policy_sizes;
pub use lockout::{Candidate, LockedOut, MissingWay, NoWay, Standing, WhyNot, keeps_a_way_in, no_way};
pub use model::{AccessChange, AccessLine, Risk, Witness};

#[cfg(test)]
mod tests;
