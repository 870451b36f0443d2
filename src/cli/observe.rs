//! Reads what the targets hold and plans: what `plan`, `apply` and `verify` have in common.

use super::args::{PaceOptions, ScopeOptions};
use super::clock::RunClock;
use super::load::Manifest;
use super::machine::LocalMachine;
use super::printer::Printer;
use super::session::Session;
use crate::exit::Exit;
use crate::ids::{AccountId, KeyName, TargetName};
use crate::live::{Backend, LiveAccount, LiveTarget};
use crate::plan::{Claims, Plan, PlanInput, PlanOptions, plan};
use crate::ports::{ClaimStore as _, claim_slot};
use crate::read::{self, ReadError, ReadOptions};
use futures::stream::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};

/// What was read.
#[derive(Debug, Default)]
pub struct Observed {
    /// The accounts.
    pub accounts: BTreeMap<AccountId, LiveAccount>,
    /// The targets.
    pub targets: BTreeMap<TargetName, LiveTarget>,
    /// The claim records of this machine.
    pub claims: BTreeMap<TargetName, Claims>,
    /// What time it was.
    pub clock: RunClock,
    /// `Failed` if a target could not be read; the others are there.
    pub failure: Option<Exit>,
}

impl Observed {
    /// Returns how the run ends where nothing at all could be read: there is nothing to plan, and no answer.
    ///
    /// # Errors
    /// With the exit code, when the reasons have been printed.
    pub fn demand_something(&self) -> Result<(), Exit> {
        self.failure.filter(|_| self.targets.is_empty()).map_or(Ok(()), Err)
    }
}

/// Reads every target, side by side; one that cannot be read, or not connected, is reported and left out.
pub async fn observe_targets(
    manifest: &Manifest,
    session: &Session,
    scope: &ScopeOptions,
    pace: &PaceOptions,
    printer: &mut Printer,
) -> Observed {
    let mut observed = Observed { failure: session.failure, clock: session.clock, ..Observed::default() };
    let machine = session.machine();
    let parallel = usize::from(pace.parallel).max(1);
    let options = |backend| ReadOptions {
        parallel,
        only_keys: (!scope.keys.is_empty()).then(|| scope.keys.iter().cloned().collect()),
        ..ReadOptions::new(backend)
    };
    let reads = manifest.desired.targets.iter().filter_map(|target| {
        let (connection, options) = (session.target(&target.name)?, options(session.backend(&target.name)));
        Some(async move { (target, read::read_target(connection, target, &manifest.desired, &options).await) })
    });
    let read: Vec<_> = futures::stream::iter(reads).buffered(parallel).collect().await;
    for (target, outcome) in read {
        match outcome {
            Ok(live) => {
                observed.claims.insert(target.name.clone(), claims(manifest, target, &machine, printer));
                observed.targets.insert(target.name.clone(), live);
            }
            Err(error) => fail(&mut observed, &error, printer),
        }
    }
    let (connection, targets) = (|name: &TargetName| session.target(name), &mut observed.targets);
    let errors = read::read_replicas(connection, &manifest.desired, targets, &options(Backend::Aws)).await;
    for error in &errors {
        fail(&mut observed, error, printer);
    }
    observed
}

/// Reads every target, and the roles of their accounts.
pub async fn observe(
    manifest: &Manifest,
    session: &Session,
    scope: &ScopeOptions,
    pace: &PaceOptions,
    printer: &mut Printer,
) -> Observed {
    let mut observed = observe_targets(manifest, session, scope, pace, printer).await;
    read_accounts(manifest, session, &mut observed, printer).await;
    observed
}

/// Roles are read only in accounts of which a target was read: the others' credentials are wrong or missing.
async fn read_accounts(manifest: &Manifest, session: &Session, observed: &mut Observed, printer: &mut Printer) {
    for account in &manifest.desired.accounts {
        let targets = manifest.desired.targets.iter().filter(|target| target.account == account.account);
        let names: Vec<TargetName> = targets.map(|target| target.name.clone()).collect();
        let Some(connection) =
            names.iter().find(|name| observed.targets.contains_key(*name)).and_then(|name| session.target(name))
        else {
            continue;
        };
        match read::read_account(connection, account).await {
            Ok(live) => {
                observed.accounts.insert(account.account.clone(), live);
            }
            Err(error) => {
                printer.error(&error.to_string());
                observed.targets.retain(|name, _| !names.contains(name));
                observed.failure = Some(Exit::Failed);
            }
        }
    }
}

fn fail(observed: &mut Observed, error: &ReadError, printer: &mut Printer) {
    printer.error(&error.to_string());
    observed.failure = Some(Exit::Failed);
}

/// Returns the claim records of this machine for a target.
pub(super) fn claims(
    manifest: &Manifest,
    target: &crate::desired::DesiredTarget,
    machine: &LocalMachine,
    printer: &mut Printer,
) -> Claims {
    let mut claims = Claims::new();
    // A family may have been begun in a Region in which the manifest does not want it any more.
    let of_account = manifest.desired.targets.iter().filter(|other| other.account == target.account);
    let names: BTreeSet<&KeyName> = of_account.flat_map(|other| &other.keys).map(|key| &key.name).collect();
    for name in names {
        let slot = claim_slot(&target.account, &target.region, &manifest.desired.stack, name);
        match machine.load(&slot) {
            Ok(Some(record)) => {
                claims.insert(name.clone(), record.claim);
            }
            Ok(None) => {}
            Err(error) => printer.warning(&error.to_string()),
        }
    }
    claims
}

/// Plans what was read.
pub fn plan_observed(manifest: &Manifest, observed: &Observed, options: &PlanOptions) -> Plan {
    plan(PlanInput {
        desired: &manifest.desired,
        sources: &manifest.sources,
        accounts: &observed.accounts,
        targets: &observed.targets,
        claims: &observed.claims,
        options,
        today: observed.clock.today(),
    })
}
