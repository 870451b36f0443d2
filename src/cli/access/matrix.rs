//! `keywright access matrix`: what everybody may do with each key.

use super::look::{Which, look};
use crate::cli::args::{Format, MatrixOptions};
use crate::cli::printer::Printer;
use crate::exit::Exit;
use crate::render::{json, render_matrix, rows_to_json};
use crate::review::matrix;

/// Runs the command.
pub(super) async fn run(options: &MatrixOptions, printer: &mut Printer) -> Result<Exit, Exit> {
    let looked = Box::pin(look(&options.world, &options.scope, Which::Declared, printer)).await?;
    let keys = &looked.world.keys;
    let rows = matrix(&looked.world, keys);
    match options.world.format.format {
        Format::Text => printer.answer(&render_matrix(&rows, keys, looked.setting(), printer.answer_painter())),
        Format::Json => printer.answer(&json::to_text(&rows_to_json(&rows, keys, looked.about, looked.setting()))),
    }
    Ok(looked.exit)
}
