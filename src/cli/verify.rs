//! `keywright verify`: proves that every key works for those who may use it, and for nobody else.

use super::args::{Format, VerifyOptions as Options};
use super::load::{self, Manifest};
use super::observe::{Observed, observe_targets};
use super::printer::{Printer, Talk};
use super::session::{Purpose, Session};
use crate::aws::Connection;
use crate::exit::Exit;
use crate::ids::KeyName;
use crate::render::{Detail, json, render_verify, verify_to_json};
use crate::report::{Completeness, Probe, ProbeResult, VerifyReport};
use crate::verify::{AsRoles, VerifyJob, VerifyTarget, verify};
use std::collections::BTreeSet;

/// Runs the command.
pub async fn run(options: &Options, printer: &mut Printer) -> Exit {
    match Box::pin(verify_all(options, printer)).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn verify_all(options: &Options, printer: &mut Printer) -> Result<Exit, Exit> {
    let manifest = load::load(&options.manifest, options.format.format, printer)?.narrow(&options.scope, printer)?;
    let session =
        Session::open(&manifest.desired, &options.connection, (&options.pace, Purpose::Verify), printer).await?;
    let observed = observe_targets(&manifest, &session, &options.scope, &options.pace, printer).await;
    let report = Box::pin(probe(options, &manifest, &session, &observed)).await;
    session.tell_calls(printer);
    session.close().await;
    observed.demand_something()?;
    let completeness = if options.require_complete { Completeness::Required } else { Completeness::BestEffort };
    let detail = if printer.talk() == Talk::Verbose { Detail::Full } else { Detail::Compact };
    match options.format.format {
        Format::Text => printer.answer(&render_verify(&report, printer.answer_painter(), completeness, detail)),
        Format::Json => printer.answer(&json::to_text(&verify_to_json(&report))),
    }
    if !report.probes.is_empty()
        && report.probes.iter().all(|probe| matches!(probe.result, ProbeResult::NotChecked { .. }))
    {
        printer.error("nothing could be checked: run as the [verify] principal, or as somebody who may read the keys");
        return Ok(Exit::Failed);
    }
    Ok(report.exit(completeness).gravest(observed.failure.unwrap_or(Exit::Done)))
}

async fn probe(options: &Options, manifest: &Manifest, session: &Session, observed: &Observed) -> VerifyReport {
    let machine = session.machine();
    let only_keys: Option<BTreeSet<KeyName>> =
        (!options.scope.keys.is_empty()).then(|| options.scope.keys.iter().cloned().collect());
    let targets: Vec<VerifyTarget<'_, Connection>> = manifest
        .desired
        .targets
        .iter()
        .filter_map(|target| {
            let (live, connection) = (observed.targets.get(&target.name)?, session.target(&target.name)?);
            Some(VerifyTarget { target, live, connection, enforcement: session.enforcement(target) })
        })
        .collect();
    Box::pin(verify(VerifyJob {
        desired: &manifest.desired,
        targets: &targets,
        machine: &machine,
        as_roles: if options.as_roles { AsRoles::Yes } else { AsRoles::No },
        only_keys: only_keys.as_ref(),
        parallel: usize::from(options.pace.parallel),
        progress: &|_: &Probe| {},
    }))
    .await
}
