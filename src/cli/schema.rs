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
        SchemaName::Canary => include_str!("../../schemas/canary.schema.json"),
        SchemaName::Diff => include_str!("../../schemas/diff.schema.json"),
        SchemaName::Snapshot => include_str!("../../schemas/snapshot.schema.json"),
        SchemaName::Inventory => include_str!("../../schemas/inventory.schema.json"),
        SchemaName::Access => include_str!("../../schemas/access.schema.json"),
    };
    printer.answer(text);
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::printer::Talk;
    use clap::ValueEnum as _;

    #[test]
    fn every_schema_is_one_json_document_with_a_title() {
        for what in SchemaName::value_variants() {
            let (mut printer, seen) = Printer::in_memory(Talk::Normal);
            assert_eq!(run(&SchemaOptions { name: *what }, &mut printer), Exit::Done);
            let schema: serde_json::Value = serde_json::from_str(&seen.answers()).unwrap();
            assert!(*what == SchemaName::Manifest || schema["title"].is_string(), "{what:?}");
        }
    }
}
