//! `keywright plan`: shows what would change, and who would gain or lose which access.

use super::args::{Format, PlanOptions as Options};
use super::clock::RunClock;
use super::observe::{observe, plan_observed};
use super::operand;
use super::printer::Printer;
use super::session::{Purpose, Session};
use super::{life, load};
use crate::exit::Exit;
use crate::plan::{Normalize, Outcome, Plan, PlanFile, PlanKind, PlanOptions, PlanPurpose, plan_to_json, tell_causes};
use crate::render::{PolicyText, json, render_plan};
use std::path::Path;

/// Runs the command.
pub async fn run(options: &Options, printer: &mut Printer) -> Exit {
    match plan(options, printer).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn plan(options: &Options, printer: &mut Printer) -> Result<Exit, Exit> {
    let manifest = load::load(&options.manifest, options.format.format, printer)?.narrow(&options.scope, printer)?;
    life::check(&options.life, &manifest, printer)?;
    life::check_material(&options.material, &manifest, printer)?;
    let older = options
        .drift
        .since
        .as_ref()
        .map(|since| operand::manifest("--since", since, &options.manifest.files, printer))
        .transpose()?;
    let session =
        Session::open(&manifest.desired, &options.connection, (&options.pace, Purpose::Deploy), printer).await?;
    let observed = observe(&manifest, &session, &options.scope, &options.pace, printer).await;
    session.tell_calls(printer);
    session.close().await;
    observed.demand_something()?;
    let mut plan = plan_observed(&manifest, &observed, &engine_options(options));
    if let Some(older) = older {
        tell_causes(&mut plan, &plan_observed(&older, &observed, &engine_options(options)));
    }
    let policy_text = if options.policy_text { PolicyText::Shown } else { PolicyText::Hidden };
    show(&plan, options.format.format, policy_text, printer);
    if let Some(path) = &options.out {
        save(&plan, path, observed.clock, printer)?;
    }
    let exit = exit(&plan, if options.check { Exit::Changes } else { Exit::Done });
    Ok(exit.gravest(observed.failure.unwrap_or(Exit::Done)))
}

fn engine_options(options: &Options) -> PlanOptions {
    PlanOptions {
        only_keys: (!options.scope.keys.is_empty()).then(|| options.scope.keys.iter().cloned().collect()),
        normalize: if options.normalize { Normalize::Wording } else { Normalize::Meaning },
        kind: if options.drift.refresh_only { PlanKind::Drift } else { PlanKind::Changes },
        purpose: PlanPurpose::Review,
        allow_retire: options.life.allow_retire.iter().cloned().collect(),
        cancel_deletion: options.life.cancel_deletion.iter().cloned().collect(),
        delete_material: options.material.delete_material.iter().cloned().collect(),
        reimport: options.material.reimport.iter().cloned().collect(),
        prewrapped: life::prewrapped(&options.material),
        ..PlanOptions::default()
    }
}

/// Prints a plan.
pub fn show(plan: &Plan, format: Format, policy_text: PolicyText, printer: &mut Printer) {
    match format {
        Format::Text => printer.answer(&render_plan(plan, printer.answer_painter(), policy_text)),
        Format::Json => printer.answer(&json::to_text(&plan_to_json(plan))),
    }
}

fn save(plan: &Plan, path: &Path, clock: RunClock, printer: &mut Printer) -> Result<(), Exit> {
    let text = PlanFile::write(plan, clock.now());
    if let Err(error) = std::fs::write(path, text) {
        printer.error(&format!("cannot write the plan to {}: {error}", path.display()));
        return Err(Exit::Failed);
    }
    printer.status(&format!(
        "Saved to {}; `keywright apply {}` applies exactly this plan",
        path.display(),
        path.display()
    ));
    Ok(())
}

/// Returns the exit code of a plan; `changes` where anything would change.
pub fn exit(plan: &Plan, changes: Exit) -> Exit {
    let outcomes =
        plan.accounts.iter().map(|account| &account.outcome).chain(plan.targets.iter().map(|target| &target.outcome));
    let differs = plan.kind == PlanKind::Drift && plan.has_drift();
    let start = if differs { changes } else { Exit::Done };
    outcomes.fold(start, |exit, outcome| {
        exit.gravest(match outcome {
            Outcome::InSync => Exit::Done,
            Outcome::Ready(_) => changes,
            Outcome::Blocked { .. } => Exit::Blocked,
        })
    })
}
