//! Access reviewed: what changes between two states, who keeps a way back in, whose duties are separate.

mod limits;
mod model;

pub use limits::policy_sizes;
pub use model::{AccessChange, AccessLine, Risk, Witness};

