//! `keywright sandbox serve`, and the sandbox behind `--sandbox`.

use super::args::{SandboxCommand, SandboxOptions, ServeOptions};
use super::clock::RunClock;
use super::printer::Printer;
use super::session::{deployer_role, verifier_role};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget, Principal, RoleOrigin};
use crate::exit::Exit;
use crate::ids::{AccountId, PrincipalArn, PrincipalKind};
use crate::sandbox::{
    Faults, RunningSandbox, Sandbox, SandboxConfig, SandboxError, SeedKind, StateLocation, credentials,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Runs the command.
pub async fn run(options: &SandboxOptions, printer: &mut Printer) -> Exit {
    match &options.command {
        SandboxCommand::Serve(options) => serve(options, printer).await,
    }
}

async fn serve(options: &ServeOptions, printer: &mut Printer) -> Exit {
    let latency = options.latency.map(|latency| format!("latency:{}", latency.as_millis()));
    let wanted: Vec<&str> = options.faults.as_deref().into_iter().chain(latency.as_deref()).collect();
    let faults = match Faults::parse(&wanted.join(",")) {
        Ok(faults) => faults,
        Err(error) => {
            printer.error(&format!("--faults: {error}"));
            return Exit::Usage;
        }
    };
    let config = SandboxConfig {
        state: StateLocation::Folder(options.state.clone()),
        port: options.port,
        clock: Arc::new(options.clock.unwrap_or_default()),
        faults,
    };
    let running = match Sandbox::start(config).await {
        Ok(running) => running,
        Err(error) => return refuse(&error, printer),
    };
    announce(&running, printer);
    let ended = tokio::signal::ctrl_c().await;
    running.shutdown().await;
    printer.status("The sandbox has stopped; its state is kept.");
    if ended.is_ok() { Exit::Done } else { Exit::Failed }
}

fn refuse(error: &SandboxError, printer: &mut Printer) -> Exit {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    printer.error(&crate::text::escape(&text));
    Exit::Failed
}

/// Prints the exports with which any SDK or CLI reaches the sandbox.
fn announce(running: &RunningSandbox, printer: &mut Printer) {
    #[expect(clippy::expect_used, reason = "a constant of the right form")]
    let account: AccountId = "111122223333".parse().expect("twelve digits");
    let (access_key, secret) = credentials(&account);
    printer.status(&format!("Sandbox at {}, on loopback only. A development tool:", running.endpoint()));
    printer.status("whoever reaches its port or its folder reaches its keys. The access key names the account.");
    printer.answer(&format!("export AWS_ENDPOINT_URL={}", running.endpoint()));
    printer.answer(&format!("export AWS_ACCESS_KEY_ID={access_key}"));
    // The sandbox's secret is the same everywhere and protects nothing.
    printer.answer(&format!("export AWS_SECRET_ACCESS_KEY={}", secret.expose_secret()));
    printer.answer("export AWS_DEFAULT_REGION=eu-west-1");
    printer.status("Stop it with Ctrl-C.");
}

/// Starts the sandbox for one run, with every principal that the manifest names by ARN, and its custom key stores.
///
/// # Errors
/// With the exit code, when the reason has been printed.
pub async fn start_for_run(
    folder: &Path,
    clock: RunClock,
    desired: &DesiredState,
    printer: &mut Printer,
) -> Result<RunningSandbox, Exit> {
    let config = SandboxConfig {
        state: StateLocation::Folder(folder.to_owned()),
        port: 0,
        clock: Arc::new(clock),
        faults: Faults::none(),
    };
    let running = Sandbox::start(config).await.map_err(|error| refuse(&error, printer))?;
    let when = if clock.is_moved() { format!(", at {:.0}", clock.now()) } else { String::new() };
    printer.status(&format!(
        "Sandbox in {}: a rehearsal{when}, nothing reaches AWS",
        crate::text::escape(&folder.to_string_lossy())
    ));
    if let Err(error) = seed(&running, desired) {
        let exit = refuse(&error, printer);
        running.shutdown().await;
        return Err(exit);
    }
    Ok(running)
}

fn seed(running: &RunningSandbox, desired: &DesiredState) -> Result<(), SandboxError> {
    for (arn, kind) in seeds(desired) {
        running.seed_principal(&arn, kind)?;
    }
    for target in &desired.targets {
        for key in &target.keys {
            if let Some(store) = key.key_store() {
                running.seed_key_store((&target.account, &target.region), store.id(), key.origin())?;
            }
        }
    }
    Ok(())
}

/// Every principal that a manifest names by ARN, and whether it deploys.
fn seeds(desired: &DesiredState) -> BTreeMap<PrincipalArn, SeedKind> {
    let mut seeds: BTreeMap<PrincipalArn, SeedKind> = BTreeMap::new();
    let mut add = |arn: &PrincipalArn| {
        if matches!(arn.kind(), PrincipalKind::Role | PrincipalKind::User) {
            seeds.entry(arn.clone()).or_insert(SeedKind::Trusted);
        }
    };
    for account in &desired.accounts {
        let referred = account.known_roles.values().filter(|role| role.origin == RoleOrigin::Referred);
        referred.for_each(|role| add(&role.arn.principal()));
        let trusted = account.roles.iter().flat_map(|role| role.trust.aws.iter().chain(&role.trust.verifier));
        trusted.filter_map(by_arn).for_each(&mut add);
    }
    for target in &desired.targets {
        let named = target
            .deployers
            .iter()
            .chain(&target.planners)
            .chain(&target.verifier)
            .chain(target.keys.iter().flat_map(principals));
        named.filter_map(by_arn).for_each(&mut add);
    }
    for target in &desired.targets {
        seeds.extend(verifier_role(target).map(|role| (role.principal(), SeedKind::Reader)));
        seeds.extend(deployers(target));
    }
    seeds
}

fn by_arn(principal: &Principal) -> Option<&PrincipalArn> {
    if let Principal::Arn(arn) = principal { Some(arn) } else { None }
}

fn principals(key: &DesiredKey) -> impl Iterator<Item = &Principal> {
    let admins = key.admins.iter().map(|admin| &admin.0);
    admins.chain(&key.deleters).chain(&key.auditors).chain(key.users.iter().map(|user| &user.principal))
}

fn deployers(target: &DesiredTarget) -> Vec<(PrincipalArn, SeedKind)> {
    let roles = target.connection.assume_role.iter().cloned().chain(deployer_role(target));
    roles.map(|role| (role.principal(), SeedKind::Deployer)).collect()
}
