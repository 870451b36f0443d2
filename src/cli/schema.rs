//! `keywright schema`: prints the JSON Schema of the manifest.

use super::args::SchemaOptions;
use super::printer::Printer;
use crate::exit::Exit;
use crate::manifest;
use crate::render::json;

/// Runs the command.
pub fn run(_options: &SchemaOptions, printer: &mut Printer) -> Exit {
    printer.answer(&json::to_text(&manifest::json_schema()));
    Exit::Done
}
