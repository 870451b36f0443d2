//! `keywright diff`: who gains and loses access between any two states.

use super::args::{DiffFormat, DiffOptions, Operand, ScopeOptions};
use super::printer::Printer;
use super::{operand, snapshot};
use crate::diff::{Difference, KeyDifference, KeyPair, Summary, align, difference};
use crate::exit::Exit;
use crate::render::{diff_to_json, diff_to_markdown, json, render_diff};
use crate::snapshot::{Snapshot, of_manifest, snapshot_from_json};
use crate::text::{did_you_mean, escape};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::num::NonZero;
use std::path::Path;

/// The largest snapshot file: some ten thousand keys.
const SNAPSHOT_BYTES: u64 = 128 << 20;

/// Runs the command.
pub async fn run(options: &DiffOptions, printer: &mut Printer) -> Exit {
    match diff(options, printer).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn diff(options: &DiffOptions, printer: &mut Printer) -> Result<Exit, Exit> {
    if options.old == Operand::Live && options.new == Operand::Live {
        printer.error("`live` and `live` are the same; write the first down with `keywright snapshot --out FILE`");
        return Err(Exit::Usage);
    }
    // What needs no AWS is read first, and what is wrong with both is said at once.
    let offline = [("OLD", &options.old), ("NEW", &options.new)]
        .map(|(side, operand)| (*operand != Operand::Live).then(|| read(side, operand, options, printer)));
    let [old, new] = offline;
    let (old, new) = (old.transpose(), new.transpose());
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(exit), Ok(_)) | (Ok(_), Err(exit)) => return Err(exit),
        (Err(one), Err(other)) => return Err(one.gravest(other)),
    };
    let live = if old.is_some() && new.is_some() {
        None
    } else {
        Some(
            snapshot::read_live(&options.manifest, &options.scope, (&options.connection, &options.pace), printer)
                .await?,
        )
    };
    let (Some(mut old), Some(mut new)) = (old.or_else(|| live.clone()), new.or(live)) else {
        return Err(Exit::Failed);
    };
    narrow([&mut old, &mut new], &options.scope, printer)?;
    align(&mut old, &new);
    let found =
        difference((&old, &options.old.to_string()), (&new, &options.new.to_string()), &|pairs| in_parallel(pairs));
    show(&found, options.format, printer);
    Ok(exit(&found, options))
}

/// Reads a state that needs no AWS; prints why it cannot.
fn read(side: &str, operand: &Operand, options: &DiffOptions, printer: &mut Printer) -> Result<Snapshot, Exit> {
    if let Operand::Snapshot(path) = operand {
        return read_snapshot(side, path, printer);
    }
    let manifest = operand::manifest(side, operand, &options.manifest.files, printer)?;
    Ok(of_manifest(&manifest.desired, &manifest.sources))
}

fn read_snapshot(side: &str, path: &Path, printer: &mut Printer) -> Result<Snapshot, Exit> {
    let name = escape(&path.to_string_lossy()).into_owned();
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(SNAPSHOT_BYTES + 1).read_to_string(&mut text));
    let too_large = u64::try_from(text.len()).is_ok_and(|length| length > SNAPSHOT_BYTES);
    let found = match read {
        Err(error) => Err(format!("cannot read `{name}`: {error}")),
        Ok(_) if too_large => Err(format!("`{name}` is larger than any snapshot")),
        Ok(_) => snapshot_from_json(&text).map_err(|error| format!("`{name}` is no snapshot: {error}")),
    };
    found.map_err(|message| {
        printer.error(&format!("{side}: {message}; write one with `keywright snapshot --out FILE`"));
        Exit::Failed
    })
}

/// Narrows both states to the targets and keys of the command line.
fn narrow(sides: [&mut Snapshot; 2], scope: &ScopeOptions, printer: &mut Printer) -> Result<(), Exit> {
    let targets = || sides.iter().flat_map(|side| &side.targets);
    let known_targets: BTreeSet<&str> = targets().map(|target| target.name.as_str()).collect();
    let known_keys: BTreeSet<&str> = targets().flat_map(|target| &target.keys).map(|key| key.name.as_str()).collect();
    let missing = |what: &'static str, names: Vec<String>, known: &BTreeSet<&str>| {
        let name = names.into_iter().find(|name| !known.contains(name.as_str()))?;
        let hint = did_you_mean(&name, known.iter().copied()).map(|known| format!("; did you mean `{known}`?"));
        Some(format!("neither state has a {what} `{name}`{}", hint.unwrap_or_default()))
    };
    let wanted_targets = scope.targets.iter().map(ToString::to_string).collect();
    let wanted_keys = scope.keys.iter().map(ToString::to_string).collect();
    let wrong = missing("target", wanted_targets, &known_targets).or_else(|| missing("key", wanted_keys, &known_keys));
    if let Some(message) = wrong {
        printer.error(&message);
        return Err(Exit::Usage);
    }
    for side in sides {
        if !scope.targets.is_empty() {
            side.targets.retain(|target| scope.targets.contains(&target.name));
            let accounts: BTreeSet<_> = side.targets.iter().map(|target| target.account.clone()).collect();
            side.accounts.retain(|account| accounts.contains(&account.account));
        }
        if !scope.keys.is_empty() {
            side.targets.iter_mut().for_each(|target| target.keys.retain(|key| scope.keys.contains(&key.name)));
        }
    }
    Ok(())
}

/// Compares pairs on every processor.
fn in_parallel(pairs: &[KeyPair<'_>]) -> Vec<KeyDifference> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = pairs.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = pairs.chunks(share).map(|chunk| scope.spawn(|| crate::diff::in_order(chunk))).collect();
        let answers =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        answers.flatten().collect()
    })
}

fn show(found: &Difference, format: DiffFormat, printer: &mut Printer) {
    match format {
        DiffFormat::Text => printer.answer(&render_diff(found, printer.answer_painter())),
        DiffFormat::Json => printer.answer(&json::to_text(&diff_to_json(found))),
        DiffFormat::Markdown => printer.answer(&diff_to_markdown(found)),
    }
}

/// A pipeline must not pass on what could not be compared.
fn exit(found: &Difference, options: &DiffOptions) -> Exit {
    let summary = Summary::of(found);
    let gates = options.check || options.fail_on.is_some();
    let forbidden = options.fail_on.is_some_and(|risk| summary.gravest.is_some_and(|gravest| gravest >= risk));
    if forbidden || (gates && summary.undecided > 0) {
        Exit::Blocked
    } else if options.check && !found.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    }
}
