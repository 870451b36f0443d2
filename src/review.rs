//! Access reviewed: what changes between two states, who keeps a way back in, whose duties are separate.

mod model;

pub use model::{AccessChange, AccessLine, Risk, Witness};

mod interim;
pub use interim::*;
