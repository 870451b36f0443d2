//! `keywright schema`: prints the JSON Schema of the manifest, or of what a command prints.

use super::args::{SchemaName, SchemaOptions};
use super::printer::Printer;
use crate::exit::Exit;
use crate::manifest;
use crate::render::json;

/// Runs the command.
pub fn run(options: &SchemaOptions, printer: &mut Printer) -> Exit {
    let text = match options.name {
        SchemaName::Manifest => &json::to_text(&manifest::json_schema()),
        SchemaName::Plan => include_str!("../../schemas/plan.schema.json"),
        SchemaName::Apply => include_str!("../../schemas/apply.schema.json"),
        SchemaName::Verify => include_str!("../../schemas/verify.schema.json"),
        SchemaName::Diff => include_str!("../../schemas/diff.schema.json"),
        SchemaName::Snapshot => include_str!("../../schemas/snapshot.schema.json"),
    };
    printer.answer(text);
    Exit::Done
}
