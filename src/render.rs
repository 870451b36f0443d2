//! Output for people and machines, made from data: what is printed by `cli`, and never printed here.

mod access;
mod answer;
mod apply;
mod diff;
mod inventory;
pub mod json;
mod lint;
mod plan;
mod rotations;
mod simulate;
pub mod style;
mod verify;

pub use answer::{
    About, Setting, explanation_to_json, holders_to_json, render_explanation, render_holders, render_matrix,
    rows_to_json,
};
pub use apply::{apply_to_json, render_apply, render_event};
pub use diff::{DIFF_FORMAT_VERSION, diff_to_json, diff_to_markdown, render_diff};
pub use inventory::{FindingDetail, INVENTORY_FORMAT_VERSION, UsageDetail, inventory_to_json, render_inventory};
pub use lint::{LintDetail, LintGroup, lint_to_json, lints_to_json, render_lints};
pub use plan::{PolicyText, render_plan};
pub use rotations::render_rotations;
pub use simulate::{render_simulations, simulation_to_json};
pub use verify::{Detail, render_verify, verify_to_json};
