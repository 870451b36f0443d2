//! `keywright inventory`: every key of the targets, whoever made it, and what is to be known of each.

use super::access::demand_account;
use super::args::{Format, InventoryOptions as Options};
use super::load;
use super::observe;
use super::printer::{Printer, Talk};
use super::session::{Purpose, Session};
use crate::desired::DesiredTarget;
use crate::exit::Exit;
use crate::inventory::{Inventory, InventoryInput, LiveStock, inventory};
use crate::live::Observed;
use crate::ports::CallerReader as _;
use crate::read::{self, LastUse, ReadOptions};
use crate::render::{FindingDetail, UsageDetail, inventory_to_json, json, render_inventory};
use crate::text::escape;
use futures::stream::StreamExt as _;
use std::collections::BTreeMap;

/// Runs the command.
pub async fn run(options: &Options, printer: &mut Printer) -> Exit {
    match Box::pin(take(options, printer)).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn take(options: &Options, printer: &mut Printer) -> Result<Exit, Exit> {
    let manifest =
        load::validate(&options.manifest, options.format.format, printer)?.narrow(&options.scope, printer)?;
    let session =
        Session::open(&manifest.desired, &options.connection, (&options.pace, Purpose::Deploy), printer).await?;
    let mut exit = session.failure.unwrap_or(Exit::Done);
    let (mut targets, mut claims) = (BTreeMap::new(), BTreeMap::new());
    let parallel = usize::from(options.pace.parallel).max(1);
    let reads = manifest.desired.targets.iter().filter(|target| session.target(&target.name).is_some());
    let all = &session;
    let reads = reads.map(|target| async move { (target, Box::pin(read_target(all, target, options)).await) });
    let read: Vec<(&DesiredTarget, Result<LiveStock, String>)> =
        futures::stream::iter(reads).buffered(parallel).collect().await;
    let machine = session.machine();
    for (target, outcome) in read {
        match outcome {
            Ok(stock) => {
                targets.insert(target.name.clone(), stock);
                claims.insert(target.name.clone(), observe::claims(&manifest, target, &machine, printer));
            }
            Err(error) => {
                printer.error(&error);
                exit = exit.gravest(Exit::Failed);
            }
        }
    }
    session.tell_calls(printer);
    session.close().await;
    if targets.is_empty() && exit != Exit::Done {
        return Err(exit);
    }
    let (desired, sources) = (&manifest.desired, &manifest.sources);
    let today = options.connection.run_clock().today();
    let mut found = inventory(InventoryInput { desired, sources, claims: &claims, targets: &targets, today });
    Ok(exit.gravest(answer(options, &mut found, printer)))
}

/// Reads every key of a target. Not allowed to list them is not the same as none there.
async fn read_target(session: &Session, target: &DesiredTarget, options: &Options) -> Result<LiveStock, String> {
    let at = |error: &dyn std::fmt::Display| format!("target {}: {error}", target.name);
    let connection = session.target(&target.name).ok_or_else(|| at(&"it is not connected"))?;
    demand_account(session, target).await?;
    let mut read_options = ReadOptions::new(session.backend(&target.name));
    read_options.parallel = usize::from(options.pace.parallel);
    let caller = connection.caller().await.map_err(|error| at(&error))?;
    let keys = read::every_key(connection, &target.region, &read_options).await.map_err(|error| at(&error))?;
    let mut keys = match keys {
        Observed::Known(keys) => keys,
        Observed::Denied { action, message } => {
            let message = escape(&message).into_owned();
            return Err(at(&format!("its keys were not listed: {action} was denied: {message}; allow the caller it")));
        }
    };
    let last_use = if options.last_use { LastUse::Asked } else { LastUse::Left };
    read::read_stock(connection, &mut keys, last_use, &read_options).await;
    Ok(LiveStock { backend: session.backend(&target.name), caller, keys })
}

/// Prints what is asked for of an inventory, and returns how the command ends.
fn answer(options: &Options, found: &mut Inventory, printer: &mut Printer) -> Exit {
    if !options.scope.keys.is_empty() {
        found.only_named(&options.scope.keys);
    }
    if let Some(days) = options.expiring {
        found.only_expiring(days);
    }
    let usage = if options.last_use { UsageDetail::Asked } else { UsageDetail::Unasked };
    match options.format.format {
        Format::Text => {
            let findings = match (options.findings, printer.talk()) {
                (false, _) => FindingDetail::Codes,
                (true, Talk::Verbose) => FindingDetail::Everything,
                (true, Talk::Quiet | Talk::Normal) => FindingDetail::Full,
            };
            printer.answer(&render_inventory(found, printer.answer_painter(), (findings, usage)));
        }
        Format::Json => printer.answer(&json::to_text(&inventory_to_json(found, usage))),
    }
    options.expiring.filter(|_| options.check).map_or(Exit::Done, |days| checked(found, days))
}

/// An alarm that cannot see is none that is silent.
fn checked(found: &Inventory, days: u16) -> Exit {
    match found.expiring_counts(days) {
        (0, 0) => Exit::Done,
        (_, 0) => Exit::Changes,
        _ => Exit::Blocked,
    }
}
