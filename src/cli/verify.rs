//! `keywright verify`: proves that every key works for those who may use it, and for nobody else.

mod canary_file;

use super::args::{Format, VerifyOptions as Options};
use super::custody::{self, Custody};
use super::load::{self, Manifest};
use super::observe::{Observed, observe_targets};
use super::printer::{Printer, Talk};
use super::session::{Purpose, Session};
use crate::aws::Connection;
use crate::desired::{DesiredKey, DesiredTarget, KeyLifecycle, MaterialPresence, MaterialSource};
use crate::exit::Exit;
use crate::ids::KeyName;
use crate::kms::KeySpec;
use crate::render::{Detail, json, render_verify, verify_to_json};
use crate::report::{Completeness, Probe, ProbeResult, VerifyReport};
use crate::text::{escape, plural};
use crate::verify::{AsRoles, Held, HeldMaterials, VerifyJob, VerifyTarget, verify};
use canary_file::CanaryFile;
use std::collections::BTreeSet;
use std::path::Path;

/// Runs the command.
pub async fn run(options: &Options, printer: &mut Printer) -> Exit {
    match Box::pin(verify_all(options, printer)).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn verify_all(options: &Options, printer: &mut Printer) -> Result<Exit, Exit> {
    let manifest = load::load(&options.manifest, options.format.format, printer)?.narrow(&options.scope, printer)?;
    let canaries = options.canary.as_deref().map(|path| open_canaries(path, printer)).transpose()?;
    let custody = options.with_material.then(|| open_material(options, &manifest, printer)).transpose()?;
    let session =
        Session::open(&manifest.desired, &options.connection, (&options.pace, Purpose::Verify), printer).await?;
    let observed = observe_targets(&manifest, &session, &options.scope, &options.pace, printer).await;
    let own = Own { custody: custody.as_ref(), canaries: canaries.as_ref() };
    let report = Box::pin(probe(options, &manifest, (&session, &observed), own)).await;
    drop(custody);
    session.tell_calls(printer);
    session.close().await;
    observed.demand_something()?;
    let kept = canaries.map_or(Ok(()), |file| keep(&file, &report, printer));
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
    let exit = report.exit(completeness).gravest(observed.failure.unwrap_or(Exit::Done));
    Ok(exit.gravest(kept.err().unwrap_or(Exit::Done)))
}

/// Reads the canaries of earlier runs, before any call.
fn open_canaries(path: &Path, printer: &mut Printer) -> Result<CanaryFile, Exit> {
    CanaryFile::open(path).map_err(|reason| {
        let (name, reason) = (escape(&path.to_string_lossy()).into_owned(), escape(&reason).into_owned());
        printer.error(&format!("the file of canaries {name} cannot be used: {reason}"));
        printer.status("Restore it from a copy, or name another file, which is begun anew.");
        Exit::Failed
    })
}

/// Writes the canaries of this run to those of the earlier ones.
fn keep(file: &CanaryFile, report: &VerifyReport, printer: &mut Printer) -> Result<(), Exit> {
    if report.canaries.is_empty() {
        printer.warning("no canary was made, so that the file of canaries is as it was");
        return Ok(());
    }
    let name = escape(&file.path.to_string_lossy()).into_owned();
    file.add(report.canaries.clone()).map_err(|reason| {
        printer.error(&format!("the canaries of this run could not be kept in {name}: {}", escape(&reason)));
        Exit::Failed
    })?;
    printer.status(&format!("Kept {} in {name}", plural(report.canaries.len(), "canary")));
    Ok(())
}

/// Opens the imported material that something can be proved with on this side: not that of symmetric encryption keys.
fn open_material(options: &Options, manifest: &Manifest, printer: &mut Printer) -> Result<Custody, Exit> {
    let access = custody::Access {
        manifest,
        consent: options.custody,
        prewrapped: &[],
        now: options.connection.run_clock().now(),
    };
    let mut wanted = Vec::new();
    for (target, key) in provable(options, manifest) {
        let materials = key.import().into_iter().flat_map(|import| &import.materials);
        let opened = materials.filter(|material| material.source != MaterialSource::Prewrapped);
        wanted.extend(opened.map(|material| custody::Wanted { target, key, material, live: None }));
    }
    let prepared = access.prepare(&wanted, printer)?;
    access.open(&wanted, prepared, printer)
}

fn provable<'m>(options: &Options, manifest: &'m Manifest) -> Vec<(&'m DesiredTarget, &'m DesiredKey)> {
    let asked = |key: &DesiredKey| options.scope.keys.is_empty() || options.scope.keys.contains(&key.name);
    let there = |key: &DesiredKey| {
        key.lifecycle == KeyLifecycle::Enabled
            && key.spec() != KeySpec::SymmetricDefault
            && key.import().is_some_and(|import| import.presence == MaterialPresence::Imported)
    };
    let targets = manifest.desired.targets.iter();
    let keys = targets.flat_map(|target| target.keys.iter().map(move |key| (target, key)));
    keys.filter(|(_, key)| asked(key) && there(key)).collect()
}

/// Returns the material of each key that something can be proved with, or why it is not held.
fn held<'m>(options: &Options, manifest: &Manifest, custody: &'m Custody) -> HeldMaterials<'m> {
    let of = |(target, key): (&DesiredTarget, &DesiredKey)| {
        let material = key.import()?.materials.first()?;
        let opened = custody.material(&target.name, &key.name, &material.name);
        let elsewhere = || format!("its material `{}` is encrypted elsewhere, and never seen here", material.name);
        Some(((target.name.clone(), key.name.clone()), opened.ok_or_else(elsewhere)))
    };
    provable(options, manifest).into_iter().filter_map(of).collect()
}

/// What this side has of the keys.
#[derive(Clone, Copy)]
struct Own<'a> {
    custody: Option<&'a Custody>,
    canaries: Option<&'a CanaryFile>,
}

async fn probe(
    options: &Options,
    manifest: &Manifest,
    (session, observed): (&Session, &Observed),
    own: Own<'_>,
) -> VerifyReport {
    let materials = own.custody.map(|custody| held(options, manifest, custody));
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
        held: materials.as_ref().map_or(Held::Nothing, Held::Materials),
        canaries: own.canaries.map(|file| file.kept.as_slice()),
        parallel: usize::from(options.pace.parallel),
        progress: &|_: &Probe| {},
    }))
    .await
}
