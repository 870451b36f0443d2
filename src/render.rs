//! Output for people and machines, made from data: what is printed by `cli`, and never printed here.

pub mod json;
pub mod style;
