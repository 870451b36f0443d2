//! `keywright access can`: whether somebody may do something with a key, and why.

use super::asked::{self, impossible, wrong};
use super::look::{Which, look};
use crate::cli::args::{CanOptions, Format, ScopeOptions};
use crate::cli::printer::Printer;
use crate::exit::Exit;
use crate::render::{explanation_to_json, json, render_explanation};
use crate::review::explain;

/// Runs the command.
pub(super) async fn run(options: &CanOptions, printer: &mut Printer) -> Result<Exit, Exit> {
    let scope = ScopeOptions { targets: options.target.targets.clone(), keys: Vec::new() };
    let wanted = asked::wanted(&options.action).map_err(|error| wrong(&error, printer))?;
    let looked = Box::pin(look(&options.world, &scope, Which::Named(&options.key), printer)).await?;
    let key = looked.key(&options.key).map_err(|error| wrong(&error, printer))?;
    let principal = looked.world.principal_named(&options.principal, key);
    let principal = principal.map_err(|error| wrong(&error.to_string(), printer))?;
    let supposed = asked::supposed(&options.call, &key.facts.region).map_err(|error| wrong(&error, printer))?;
    if wanted.actions(&key.facts).is_empty() {
        return Err(wrong(&impossible(wanted, key), printer));
    }
    let answer = explain(&looked.world, &principal, wanted, key, &supposed);
    match options.world.format.format {
        Format::Text => printer.answer(&render_explanation(&answer, looked.setting(), printer.answer_painter())),
        Format::Json => {
            printer.answer(&json::to_text(&explanation_to_json(&answer, looked.about, &supposed, looked.setting())));
        }
    }
    Ok(looked.exit)
}
