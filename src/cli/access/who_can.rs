//! `keywright access who-can`: everybody who may do something with a key.

use super::asked::{self, impossible, wrong};
use super::look::{Which, look};
use crate::cli::args::{Format, ScopeOptions, WhoCanOptions};
use crate::cli::printer::Printer;
use crate::exit::Exit;
use crate::render::{holders_to_json, json, render_holders};
use crate::review::holders;

/// Runs the command.
pub(super) async fn run(options: &WhoCanOptions, printer: &mut Printer) -> Result<Exit, Exit> {
    let scope = ScopeOptions { targets: options.target.targets.clone(), keys: Vec::new() };
    let wanted = asked::wanted(&options.action).map_err(|error| wrong(&error, printer))?;
    let looked = Box::pin(look(&options.world, &scope, Which::Named(&options.key), printer)).await?;
    let key = looked.key(&options.key).map_err(|error| wrong(&error, printer))?;
    let supposed = asked::supposed(&options.call, &key.facts.region).map_err(|error| wrong(&error, printer))?;
    if wanted.actions(&key.facts).is_empty() {
        return Err(wrong(&impossible(wanted, key), printer));
    }
    let found = holders(&looked.world, wanted, key, &supposed);
    match options.world.format.format {
        Format::Text => {
            let known = looked.world.principals.len();
            let page =
                render_holders((&found, wanted), (key, &supposed), known, looked.setting(), printer.answer_painter());
            printer.answer(&page);
        }
        Format::Json => {
            let document = holders_to_json((&found, wanted), key, looked.about, &supposed, looked.setting());
            printer.answer(&json::to_text(&document));
        }
    }
    Ok(looked.exit)
}
