//! `keywright access can`: whether somebody may do something with a key, and why.

use super::asked;
use super::look::{Looked, Which, look};
use crate::cli::args::{CanOptions, Format, ScopeOptions};
use crate::cli::printer::Printer;
use crate::exit::Exit;
use crate::render::{QuestionKind, Setting, answers_to_json, json, render_answer};
use crate::review::{Supposed, Wanted, ask};
use crate::world::{WorldKey, WorldPrincipal};

/// Runs the command.
pub(super) async fn run(options: &CanOptions, printer: &mut Printer) -> Result<Exit, Exit> {
    let scope = ScopeOptions { targets: options.target.targets.clone(), keys: Vec::new() };
    let wanted = asked::wanted(&options.action).map_err(|error| wrong(&error, printer))?;
    let looked = Box::pin(look(&options.world, &scope, Which::Named(&options.key), printer)).await?;
    let (key, principal, supposed) = understand(options, &looked).map_err(|error| wrong(&error, printer))?;
    if wanted.actions(&key.facts).is_empty() {
        return Err(wrong(&impossible(wanted, key), printer));
    }
    let answer = ask(&principal, wanted, key, &supposed);
    let setting = Setting { sources: &looked.manifest.sources, names: &looked.names, gaps: &looked.world.gaps };
    match options.world.format.format {
        Format::Text => printer.answer(&render_answer(&answer, setting, printer.answer_painter())),
        Format::Json => {
            let live = options.world.live;
            let document = answers_to_json(QuestionKind::Can, live, &[answer], &supposed, setting);
            printer.answer(&json::to_text(&document));
        }
    }
    Ok(Exit::Done)
}

fn understand<'l>(
    options: &CanOptions,
    looked: &'l Looked,
) -> Result<(&'l WorldKey, WorldPrincipal, Supposed), String> {
    let world = &looked.world;
    let key = match world.keys.as_slice() {
        // What was read was found by the name already.
        [key] if options.world.live => key,
        _ => world.key_named(&options.key).map_err(|error| error.to_string())?,
    };
    let principal = world.principal_named(&options.principal, key).map_err(|error| error.to_string())?;
    let supposed = asked::supposed(&options.call, &key.facts.region)?;
    Ok((key, principal, supposed))
}

/// Says that a key cannot be used so at all.
pub(super) fn impossible(wanted: Wanted, key: &WorldKey) -> String {
    format!("nobody can {} with a key of spec {} and usage {}", wanted.name(), key.facts.key_spec, key.facts.key_usage)
}

/// Prints what is wrong with a question.
pub(super) fn wrong(error: &str, printer: &mut Printer) -> Exit {
    printer.error(error);
    Exit::Usage
}
