//! Output for people and machines, made from data: what is printed by `cli`, and never printed here.

mod access;
mod apply;
pub mod json;
mod lint;
mod plan;
pub mod style;
mod verify;

pub use apply::{apply_to_json, render_apply, render_event};
pub use lint::{LintDetail, LintGroup, lint_to_json, lints_to_json, render_lints};
pub use plan::{PolicyText, render_plan};
pub use verify::{Detail, render_verify, verify_to_json};
