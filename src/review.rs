//! Access reviewed: what changes between two states, who keeps a way back in, whose duties are separate.

mod ask;
mod change;
mod difference;
mod imply;
mod limits;
mod line;
mod lockout;
mod matrix;
mod model;
mod rule;
mod separation;
mod sharpen;
mod symbolic;
mod who_can;
mod witness;
mod words;

pub use ask::{Coming, ExplainedAction, Explanation, Extent, HeldAction, Holder, Supposed, Wanted, explain, holders};
pub use change::{ReviewInput, access_change};
pub use limits::policy_sizes;
pub use line::shape_of;
pub use lockout::{LockedOut, MissingWay, keeps_a_way_in};
pub use matrix::{MatrixRow, matrix};
pub use model::{AccessChange, AccessLine, Risk, Witness};
pub use separation::{BothDuties, separation};
pub use who_can::{Answer, Verdict, WhoCan, can, who_can};
pub use words::{condition_words, principal_words};

#[cfg(test)]
mod tests;
