//! Access reviewed: what changes between two states, who keeps a way back in, whose duties are separate.

mod alike;
mod change;
mod decide;
mod difference;
mod imply;
mod limits;
mod line;
mod lockout;
mod model;
mod rule;
mod search;
mod separation;
mod witness;
mod words;

pub use change::{ReviewInput, access_change};
pub use limits::policy_sizes;
pub use lockout::{LockedOut, MissingWay, keeps_a_way_in};
pub use model::{AccessChange, AccessLine, Certainty, Risk, Witness};
pub use separation::{BothDuties, separation};

#[cfg(test)]
mod tests;
