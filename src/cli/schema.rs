//! `keywright schema`: prints the JSON Schema of the manifest, or of what a command prints.

use super::args::{SchemaOf, SchemaOptions};
use super::printer::Printer;
use crate::exit::Exit;
use crate::manifest;
use crate::render::json;

/// Runs the command.
pub fn run(options: &SchemaOptions, printer: &mut Printer) -> Exit {
    let text = match options.what {
        SchemaOf::Manifest => json::to_text(&manifest::json_schema()),
        SchemaOf::Plan => include_str!("../../schemas/plan.schema.json").to_owned(),
        SchemaOf::Apply => include_str!("../../schemas/apply.schema.json").to_owned(),
        SchemaOf::Verify => include_str!("../../schemas/verify.schema.json").to_owned(),
        SchemaOf::Access => include_str!("../../schemas/access.schema.json").to_owned(),
    };
    printer.answer(&text);
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::printer::Talk;
    use clap::ValueEnum as _;

    #[test]
    fn every_schema_is_one_json_document_with_a_title() {
        for what in SchemaOf::value_variants() {
            let (mut printer, seen) = Printer::in_memory(Talk::Normal);
            assert_eq!(run(&SchemaOptions { what: *what }, &mut printer), Exit::Done);
            let schema: serde_json::Value = serde_json::from_str(&seen.answers()).unwrap();
            assert!(*what == SchemaOf::Manifest || schema["title"].is_string(), "{what:?}");
        }
    }
}
