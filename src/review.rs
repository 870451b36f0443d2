//! Access reviewed: what changes between two states, who keeps a way back in, whose duties are separate.

mod alike;
mod ask;
mod change;
mod decide;
mod difference;
mod duties;
mod imply;
mod limits;
mod line;
mod lints;
mod lockout;
mod matrix;
mod model;
mod rule;
mod search;
mod sharpen;
mod symbolic;
mod who_can;
mod witness;
mod words;

pub use ask::{Coming, ExplainedAction, Explanation, Extent, HeldAction, Holder, Supposed, Wanted, explain, holders};
pub use change::{ReviewInput, access_change};
pub use duties::{Duty, DutyCertainty, DutyConflict, duties, duty_diagnostics};
pub use limits::policy_sizes;
pub use line::shape_of;
pub use lints::{KeyLints, beyond_declaration, declared_key, key_lints};
pub use lockout::{Candidate, LockedOut, MissingWay, NoWay, Standing, WhyNot, keeps_a_way_in, no_way};
pub use matrix::{MatrixRow, matrix};
pub use model::{AccessChange, AccessLine, Certainty, Risk, Witness};
pub use who_can::{Answer, Verdict, WhoCan, can, who_can};
pub use words::{condition_words, principal_words};

#[cfg(test)]
mod tests;
