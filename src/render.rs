//! Output for people and machines, made from data: what is printed by `cli`, and never printed here.

pub mod json;
mod plan;
pub mod style;

pub use plan::{PolicyText, render_plan};
