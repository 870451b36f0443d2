//! `keywright rotate`: gives keys new key material now, with what that costs of their budget shown before.

use super::apply::{consent, execute, finish};
use super::args::{Format, RotateOptions as Options, ScopeOptions};
use super::custody::Custody;
use super::load::{self, Manifest};
use super::observe::{Observed, observe_targets, plan_observed};
use super::plan as plan_command;
use super::printer::Printer;
use super::session::{Purpose, Session};
use crate::apply::ApplyOptions;
use crate::exit::Exit;
use crate::ids::KeyName;
use crate::plan::{Plan, PlanOptions, PlanPurpose};
use crate::read;
use crate::render::{PolicyText, render_rotations};
use crate::report::ApplyReport;
use std::collections::BTreeSet;

/// Runs the command.
pub async fn run(options: &Options, printer: &mut Printer) -> Exit {
    match rotate(options, printer).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn rotate(options: &Options, printer: &mut Printer) -> Result<Exit, Exit> {
    let scope = ScopeOptions { targets: options.targets.clone(), keys: options.names.clone() };
    let manifest = load::load(&options.manifest, options.format.format, printer)?.narrow(&scope, printer)?;
    demand_keys(options, &manifest, printer)?;
    let session =
        Session::open(&manifest.desired, &options.connection, (&options.pace, Purpose::Deploy), printer).await?;
    let exit = Box::pin(rotate_in(options, &scope, &manifest, &session, printer)).await;
    session.tell_calls(printer);
    session.close().await;
    exit
}

/// Each key must be in one of the targets that are left.
fn demand_keys(options: &Options, manifest: &Manifest, printer: &mut Printer) -> Result<(), Exit> {
    let has = |name: &KeyName| {
        let mut keys = manifest.desired.targets.iter().flat_map(|target| &target.keys);
        keys.any(|key| key.name == *name)
    };
    match options.names.iter().find(|name| !has(name)) {
        Some(name) => {
            printer.error(&format!("none of these targets has the key `{name}`"));
            Err(Exit::Usage)
        }
        None => Ok(()),
    }
}

async fn rotate_in(
    options: &Options,
    scope: &ScopeOptions,
    manifest: &Manifest,
    session: &Session,
    printer: &mut Printer,
) -> Result<Exit, Exit> {
    let names: BTreeSet<KeyName> = options.names.iter().cloned().collect();
    let mut observed = observe_targets(manifest, session, scope, &options.pace, printer).await;
    observed.demand_something()?;
    histories(manifest, session, &names, &mut observed, printer).await?;
    let engine = PlanOptions {
        only_keys: Some(names.clone()),
        purpose: PlanPurpose::Rotate,
        rotate: names,
        ..PlanOptions::default()
    };
    let plan = plan_observed(manifest, &observed, &engine);
    show(options.format.format, &plan, &observed, printer);
    let before = plan_command::exit(&plan, Exit::Done).gravest(observed.failure.unwrap_or(Exit::Done));
    if !plan.writes_anything() {
        finish(options.format.format, &plan, &ApplyReport::default(), printer);
        if before == Exit::Blocked {
            printer.status("Blocked: nothing was rotated.");
        }
        return Ok(before);
    }
    if !options.yes && !consent("Rotate now? A rotation cannot be taken back", printer)? {
        printer.status("Nothing was done.");
        return Ok(Exit::Done);
    }
    let apply_options = ApplyOptions { wait: options.pace.wait, bypass_lockout_check: BTreeSet::new() };
    let report = execute(&apply_options, session, &plan, Custody::default(), printer).await;
    finish(options.format.format, &plan, &report, printer);
    Ok(report.exit().gravest(before))
}

/// Reads the history of each key: it holds how much of the budget is used.
async fn histories(
    manifest: &Manifest,
    session: &Session,
    names: &BTreeSet<KeyName>,
    observed: &mut Observed,
    printer: &mut Printer,
) -> Result<(), Exit> {
    for (target, live) in &mut observed.targets {
        let Some(connection) = session.target(target) else { continue };
        if let Err(error) = read::read_rotations(connection, &manifest.desired, names, live).await {
            printer.error(&error.to_string());
            return Err(Exit::Failed);
        }
    }
    Ok(())
}

fn show(format: Format, plan: &Plan, observed: &Observed, printer: &mut Printer) {
    if format != Format::Text {
        return;
    }
    plan_command::show(plan, Format::Text, PolicyText::Hidden, printer);
    for target in &plan.targets {
        let Some(live) = observed.targets.get(&target.name) else { continue };
        for (name, arn) in &target.keys {
            let history = live.key(&arn.key_id()).and_then(|key| key.rotations.as_ref()?.known());
            if let Some(history) = history {
                printer.answer(&render_rotations(&target.name, name, history, printer.answer_painter()));
            }
        }
    }
}
