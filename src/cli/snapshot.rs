//! `keywright snapshot`: writes down what is live now, for `diff` to compare later.

use super::args::{ConnectionOptions, Format, ManifestOptions, PaceOptions, ScopeOptions, SnapshotOptions};
use super::load;
use super::observe::{Observed, observe};
use super::printer::Printer;
use super::session::{Purpose, Session};
use crate::exit::Exit;
use crate::read::{ReadOptions, read_ram_policies};
use crate::render::json;
use crate::snapshot::{Snapshot, of_live, snapshot_to_json};
use crate::text::{escape, plural};
use std::collections::BTreeSet;

/// Runs the command.
pub async fn run(options: &SnapshotOptions, printer: &mut Printer) -> Exit {
    match snapshot(options, printer).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn snapshot(options: &SnapshotOptions, printer: &mut Printer) -> Result<Exit, Exit> {
    let found = read_live(&options.manifest, &options.scope, (&options.connection, &options.pace), printer).await?;
    let text = json::to_text(&snapshot_to_json(&found));
    tell(&found, printer);
    let Some(path) = &options.out else {
        printer.answer(&text);
        return Ok(Exit::Done);
    };
    let name = escape(&path.to_string_lossy()).into_owned();
    std::fs::write(path, text).map_err(|error| {
        printer.error(&format!("cannot write the snapshot to {name}: {error}"));
        Exit::Failed
    })?;
    printer.status(&format!("Saved to {name}; `keywright diff {name} live` shows what changes from now on"));
    Ok(Exit::Done)
}

fn tell(found: &Snapshot, printer: &mut Printer) {
    let keys = found.targets.iter().map(|target| target.keys.len()).sum();
    let roles = found.accounts.iter().map(|account| account.roles.len()).sum();
    let parts = found.targets.iter().map(|target| target.unreadable.len()).sum::<usize>()
        + found.targets.iter().flat_map(|target| &target.keys).map(|key| key.unreadable.len()).sum::<usize>()
        + found.accounts.iter().map(|account| account.unreadable.len()).sum::<usize>();
    printer.status(&format!("Read {} and {}", plural(keys, "key"), plural(roles, "role")));
    if parts > 0 {
        printer.warning(&format!("{} could not be read; the snapshot says which", plural(parts, "part")));
    }
}

/// Reads what the targets of a manifest hold now, and the roles of their accounts. Half of it would be a wrong answer:
/// a target that cannot be read fails the whole.
pub async fn read_live(
    manifest: &ManifestOptions,
    scope: &ScopeOptions,
    (connection, pace): (&ConnectionOptions, &PaceOptions),
    printer: &mut Printer,
) -> Result<Snapshot, Exit> {
    let mut manifest = load::load(manifest, Format::Text, printer)?;
    if !scope.targets.is_empty() {
        let desired = &mut manifest.desired;
        desired.targets.retain(|target| scope.targets.contains(&target.name));
        let accounts: BTreeSet<_> = desired.targets.iter().map(|target| target.account.clone()).collect();
        desired.accounts.retain(|account| accounts.contains(&account.account));
    }
    let session = Session::open(&manifest.desired, connection, (pace, Purpose::Deploy), printer).await?;
    let mut observed = observe(&manifest, &session, scope, pace, printer).await;
    read_shares(&mut observed, &session, pace, printer).await;
    session.tell_calls(printer);
    session.close().await;
    if let Some(exit) = observed.failure {
        return Err(exit);
    }
    Ok(of_live(&manifest.desired, &observed.targets, &observed.accounts))
}

/// Reads which keys AWS RAM shares, and how.
async fn read_shares(observed: &mut Observed, session: &Session, pace: &PaceOptions, printer: &mut Printer) {
    for (name, live) in &mut observed.targets {
        let Some(connection) = session.target(name) else { continue };
        let mut options = ReadOptions::new(session.backend(name));
        options.parallel = usize::from(pace.parallel);
        if let Err(error) = read_ram_policies(connection, live, &options).await {
            printer.error(&error.to_string());
            observed.failure = Some(Exit::Failed);
        }
    }
}
