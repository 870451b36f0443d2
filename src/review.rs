//! Access reviewed: what changes between two states, who keeps a way back in, whose duties are separate.

mod change;
mod difference;
mod imply;
mod limits;
mod line;
mod lints;
mod lockout;
mod model;
mod rule;
mod separation;
mod witness;
mod words;

pub use change::{ReviewInput, access_change};
pub use limits::policy_sizes;
pub use lints::{KeyLints, beyond_declaration, declared_key, key_lints};
pub use lockout::{LockedOut, MissingWay, keeps_a_way_in};
pub use model::{AccessChange, AccessLine, Risk, Witness};
pub use separation::{BothDuties, separation};

#[cfg(test)]
mod tests;
