//! Output for people and machines, made from data: what is printed by `cli`, and never printed here.

mod access;
mod apply;
mod diff;
pub mod json;
mod lint;
mod plan;
pub mod style;
mod verify;

pub use apply::{apply_to_json, render_apply, render_event};
pub use diff::{DIFF_FORMAT_VERSION, diff_to_json, diff_to_markdown, render_diff};
pub use lint::{LintDetail, LintGroup, lint_to_json, lints_to_json, render_lints};
pub use plan::{PolicyText, render_plan};
pub use verify::{Detail, render_verify, verify_to_json};
