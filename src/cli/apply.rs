//! `keywright apply`: makes the keys, roles and policies what the manifest says, and nothing else.

use super::args::{ApplyOptions as Options, Format};
use super::custody::{self, Custody};
use super::life;
use super::load::{self, Manifest};
use super::observe::{observe, plan_observed};
use super::printer::Printer;
use super::session::{Purpose, Session, next_command};
use super::{plan as plan_command, printer::Device};
use crate::apply::{self, ApplyOptions, Job};
use crate::aws::Connection;
use crate::diag::Code;
use crate::exit::Exit;
use crate::plan::{Normalize, Plan, PlanFile, PlanOptions, PlanPurpose, StalePlan, plan_to_json};
use crate::render::{PolicyText, apply_to_json, json, render_apply, render_event};
use crate::report::{ApplyReport, Event, Scope};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Mutex;

/// Runs the command.
pub async fn run(options: &Options, printer: &mut Printer) -> Exit {
    match apply(options, printer).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn apply(options: &Options, printer: &mut Printer) -> Result<Exit, Exit> {
    let approved = options.plan.as_deref().map(|path| read_plan(path, printer)).transpose()?;
    let manifest = load::load(&options.manifest, options.format.format, printer)?.narrow(&options.scope, printer)?;
    life::check(&options.life, &manifest, printer)?;
    life::check_material(&options.material, &manifest, printer)?;
    let session =
        Session::open(&manifest.desired, &options.connection, (&options.pace, Purpose::Deploy), printer).await?;
    let exit = apply_in(options, &manifest, &session, approved.as_ref(), printer).await;
    session.tell_calls(printer);
    session.close().await;
    exit
}

async fn apply_in(
    options: &Options,
    manifest: &Manifest,
    session: &Session,
    approved: Option<&PlanFile>,
    printer: &mut Printer,
) -> Result<Exit, Exit> {
    let observed = observe(manifest, session, &options.scope, &options.pace, printer).await;
    observed.demand_something()?;
    let plan = plan_observed(manifest, &observed, &engine_options(options));
    if options.format.format == Format::Text {
        plan_command::show(&plan, Format::Text, PolicyText::Hidden, printer);
    }
    fresh(options, approved, &plan, printer)?;
    let before = plan_command::exit(&plan, Exit::Done).gravest(observed.failure.unwrap_or(Exit::Done));
    if !plan.writes_anything() {
        finish(options.format.format, &plan, &ApplyReport::default(), printer);
        if before == Exit::Blocked {
            printer.status("Blocked: nothing was written.");
        }
        return Ok(before);
    }
    let access = custody::Access {
        manifest,
        consent: options.custody,
        prewrapped: &options.material.prewrapped,
        now: session.clock.now(),
    };
    let wanted = custody::wanted_by(&plan, manifest);
    let prepared = access.prepare(&wanted, printer)?;
    let approved = options.yes || approved.is_some() || options.expect_digest.is_some();
    let agreed = approved || (answerable(&wanted, printer)? && consent("Apply these changes?", printer)?);
    if !agreed {
        printer.status("Nothing was done.");
        return Ok(Exit::Done);
    }
    let custody = access.open(&wanted, prepared, printer)?;
    let report = execute(&apply_options(options), session, &plan, custody, printer).await;
    finish(options.format.format, &plan, &report, printer);
    let exit = report.exit();
    if exit == Exit::Done && before == Exit::Done {
        suggest(options, session, printer);
    }
    // Where one target could not be read and another was written, "nothing was written" would be wrong.
    let partial = before == Exit::Failed && exit == Exit::Done;
    Ok(if partial { Exit::Partial } else { exit.gravest(before) })
}

fn engine_options(options: &Options) -> PlanOptions {
    PlanOptions {
        only_keys: (!options.scope.keys.is_empty()).then(|| options.scope.keys.iter().cloned().collect()),
        expect_creates: options.expect_creates.as_ref().map(|names| names.iter().cloned().collect()),
        normalize: if options.normalize { Normalize::Wording } else { Normalize::Meaning },
        purpose: PlanPurpose::Apply,
        bypass_lockout: options.bypass_lockout_check.iter().cloned().collect(),
        allow_retire: options.life.allow_retire.iter().cloned().collect(),
        cancel_deletion: options.life.cancel_deletion.iter().cloned().collect(),
        delete_material: options.material.delete_material.iter().cloned().collect(),
        reimport: options.material.reimport.iter().cloned().collect(),
        prewrapped: life::prewrapped(&options.material),
        ..PlanOptions::default()
    }
}

fn read_plan(path: &std::path::Path, printer: &mut Printer) -> Result<PlanFile, Exit> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let file = text.and_then(|text| PlanFile::parse(&text).map_err(|error| error.to_string()));
    file.map_err(|error| {
        printer.error(&format!("{}: {}", path.display(), crate::text::escape(&error)));
        Exit::Failed
    })
}

/// A saved plan, or a digest, is an approval: the new plan must be the very same.
fn fresh(options: &Options, approved: Option<&PlanFile>, plan: &Plan, printer: &mut Printer) -> Result<(), Exit> {
    let stale = approved.and_then(|file| file.compare(plan, options.connection.run_clock().now()).err());
    let stale = stale.or_else(|| {
        let expected = options.expect_digest.as_ref().filter(|expected| **expected != plan.digest.0)?;
        let difference = format!("the digest is {}, not {}", plan.digest, crate::text::escape(expected));
        Some(StalePlan::Changed { differences: vec![difference] })
    });
    let Some(stale) = stale else { return Ok(()) };
    let forgotten = approved.map(|file| life::forgotten(&file.plan, &options.material)).unwrap_or_default();
    let reason = match stale {
        StalePlan::Expired { created } => format!("it was saved at {created}, and a plan holds for 24 hours"),
        StalePlan::Changed { differences } => {
            let shown: Vec<String> =
                differences.iter().take(20).map(|line| format!("\n  {}", crate::text::escape(line))).collect();
            format!("what would be done is not what was approved:{}", shown.concat())
        }
    };
    printer.error(&format!("the plan is stale ({}): {reason}", Code::StalePlan.name()));
    for option in forgotten {
        printer.status(&format!("The plan was made with {option}: give that again."));
    }
    printer.status("Nothing was written; plan again and review.");
    Err(Exit::Blocked)
}

/// Whether anybody can be asked: not where key material comes in on standard input.
fn answerable(wanted: &[custody::Wanted<'_>], printer: &mut Printer) -> Result<bool, Exit> {
    if custody::takes_stdin(wanted) {
        printer.error(
            "key material is read from standard input, where nobody can then answer: give --yes, or a plan that was \
             saved with `plan --out`",
        );
        return Err(Exit::Usage);
    }
    Ok(true)
}

/// Asks. No environment variable ever answers.
///
/// # Errors
/// With exit code 2 where there is nobody to ask.
pub(super) fn consent(question: &str, printer: &mut Printer) -> Result<bool, Exit> {
    if !std::io::stdin().is_terminal() || printer.talk_device() != Device::Terminal {
        printer.error("there is no terminal to ask on: give --yes, or a plan that was saved with `plan --out`");
        return Err(Exit::Usage);
    }
    printer.prompt(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn apply_options(options: &Options) -> ApplyOptions {
    ApplyOptions {
        wait: options.pace.wait,
        bypass_lockout_check: options.bypass_lockout_check.iter().cloned().collect(),
    }
}

/// Executes a plan with the material that it imports, and tells of each step as it goes.
pub(super) async fn execute(
    options: &ApplyOptions,
    session: &Session,
    plan: &Plan,
    custody: Custody,
    printer: &mut Printer,
) -> ApplyReport {
    let machine = session.machine().holding(custody);
    let form = printer.talk_painter();
    let shared = Mutex::new(printer);
    let several = plan.targets.len() > 1;
    let progress = |scope: &Scope, event: Event<'_>| {
        let place = Some(scope).filter(|_| several);
        if let (Some(text), Ok(mut printer)) = (render_event(place, event, form), shared.lock()) {
            printer.status(&text);
        }
    };
    let connections = connections(session, plan);
    let job = Job { plan, connections: &connections, machine: &machine, options, progress: &progress };
    apply::apply(job).await
}

/// Returns the connections of what was planned. An account's roles are written as they were read: through a target whose
/// credentials are of that account.
fn connections(session: &Session, plan: &Plan) -> BTreeMap<Scope, Connection> {
    let mut connections = BTreeMap::new();
    for target in &plan.targets {
        if let Some(connection) = session.target(&target.name) {
            connections.entry(Scope::Account(target.account.clone())).or_insert_with(|| connection.clone());
            connections.insert(Scope::Target(target.name.clone()), connection.clone());
        }
    }
    connections
}

/// Prints what was done.
pub(super) fn finish(format: Format, plan: &Plan, report: &ApplyReport, printer: &mut Printer) {
    match format {
        Format::Text => printer.answer(&render_apply(report, printer.answer_painter())),
        Format::Json => {
            let value = serde_json::json!({"format_version": json::FORMAT_VERSION, "plan": plan_to_json(plan), "apply": apply_to_json(report)});
            printer.answer(&json::to_text(&value));
        }
    }
}

/// The last lines: what to try next, in a form that works here.
fn suggest(options: &Options, session: &Session, printer: &mut Printer) {
    let next = |rest| next_command(session, &options.manifest.files, &options.scope, rest);
    printer.status("Next:");
    printer.status(&format!("  {}   # nothing is left to change", next("plan --check")));
    printer.status(&format!("  {}   # each key works, and for nobody else", next("verify --as-roles")));
}
