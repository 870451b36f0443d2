//! One run's connections: to the sandbox, to an endpoint, or to AWS, a connection for each target and account.

use super::args::{ConnectionOptions, PaceOptions, ScopeOptions};
use super::clock::RunClock;
use super::machine::LocalMachine;
use super::printer::Printer;
use crate::aws::{self, ConnectSettings, Connection, Credentials, Endpoint, Pacing, SharedPace};
use crate::desired::{DesiredState, DesiredTarget, Enforcement, Principal};
use crate::exit::Exit;
use crate::ids::{AccountId, PrincipalKind, Region, RoleArn, TargetName};
use crate::live::Backend;
use crate::ports::PortResult;
use crate::report::Scope;
use crate::text::escape;
use futures::stream::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Everything that a run reaches, and where it keeps its claims.
pub struct Session {
    /// A connection for each target, and for each account its first target's.
    pub connections: BTreeMap<Scope, Connection>,
    /// What answers.
    pub backend: BTreeMap<TargetName, Backend>,
    /// The folder of claim records.
    pub claims: PathBuf,
    /// How the run was asked for, to name the next command: `--sandbox`, or nothing.
    pub sandbox: Option<PathBuf>,
    /// The endpoint of the command line, to name the next command.
    pub endpoint: Option<String>,
    /// What time it is.
    pub clock: RunClock,
    /// `Failed` where a target could not be connected; the others are there.
    pub failure: Option<Exit>,
    #[cfg(feature = "sandbox")]
    running: Option<crate::sandbox::RunningSandbox>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("backend", &self.backend).finish_non_exhaustive()
    }
}

/// What a run is for: it decides which role of the manifest it runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To plan and apply: as the target's `assume_role`.
    Deploy,
    /// To verify: as the `[verify]` role in place of `assume_role`, since a deployer may assume nobody.
    Verify,
}

/// Where calls of this run go.
enum Destination {
    /// The sandbox's endpoint.
    Sandbox(String),
    /// An endpoint of the command line.
    Endpoint(String),
    /// What each target says.
    Target,
}

impl Session {
    /// Opens the connections of a run, side by side. A target that cannot be connected is reported and left out.
    ///
    /// # Errors
    /// With the exit code, when the reason has been printed: 5 if the operator's limits forbid it, 1 if nothing can be
    /// connected.
    pub async fn open(
        desired: &DesiredState,
        options: &ConnectionOptions,
        (pace, purpose): (&PaceOptions, Purpose),
        printer: &mut Printer,
    ) -> Result<Self, Exit> {
        allowed(desired, options, printer)?;
        let mut session = Self {
            connections: BTreeMap::new(),
            backend: BTreeMap::new(),
            claims: PathBuf::from(".keywright/claims"),
            sandbox: None,
            endpoint: options.endpoint_url.clone(),
            clock: options.run_clock(),
            failure: None,
            #[cfg(feature = "sandbox")]
            running: None,
        };
        let destination = session.destination(desired, options, printer).await?;
        // Quotas count all calls of an account in a Region, through whichever target.
        let mut paces: BTreeMap<(&AccountId, &Region), SharedPace> = BTreeMap::new();
        let connects = desired.targets.iter().map(|target| {
            let (mut settings, backend) = settings(target, &destination, pace, purpose);
            let shared = paces.entry((&target.account, &target.region));
            settings.pace = Some(shared.or_insert_with(|| SharedPace::new(target.region.clone())).clone());
            async move { (target, backend, aws::connect(&settings).await) }
        });
        let parallel = usize::from(pace.parallel).max(1);
        let connected: Vec<_> = futures::stream::iter(connects).buffered(parallel).collect().await;
        for (target, backend, outcome) in connected {
            session.keep(target, backend, outcome, printer);
        }
        if session.failure.is_some() && session.connections.is_empty() {
            session.close().await;
            return Err(Exit::Failed);
        }
        Ok(session)
    }

    fn keep(
        &mut self,
        target: &DesiredTarget,
        backend: Backend,
        outcome: PortResult<Connection>,
        printer: &mut Printer,
    ) {
        match outcome {
            Ok(connection) => {
                self.backend.insert(target.name.clone(), backend);
                self.connections.entry(Scope::Account(target.account.clone())).or_insert_with(|| connection.clone());
                self.connections.insert(Scope::Target(target.name.clone()), connection);
            }
            Err(error) => {
                printer.error(&format!("target {}: {error}", target.name));
                self.failure = Some(Exit::Failed);
            }
        }
    }

    #[cfg(feature = "sandbox")]
    async fn destination(
        &mut self,
        desired: &DesiredState,
        options: &ConnectionOptions,
        printer: &mut Printer,
    ) -> Result<Destination, Exit> {
        let Some(folder) = options.sandbox_dir() else { return Ok(plain_destination(options)) };
        let running = super::sandbox::start_for_run(folder, self.clock, desired, printer).await?;
        let endpoint = running.endpoint();
        self.claims = folder.join("claims");
        self.sandbox = Some(folder.to_owned());
        self.running = Some(running);
        Ok(Destination::Sandbox(endpoint))
    }

    #[cfg(not(feature = "sandbox"))]
    async fn destination(
        &mut self,
        _: &DesiredState,
        options: &ConnectionOptions,
        _: &mut Printer,
    ) -> Result<Destination, Exit> {
        Ok(plain_destination(options))
    }

    /// Returns this machine, at the time of the run.
    pub fn machine(&self) -> LocalMachine {
        LocalMachine::new(self.claims.clone()).at(self.clock)
    }

    /// Returns the connection of a target.
    pub fn target(&self, name: &TargetName) -> Option<&Connection> {
        self.connections.get(&Scope::Target(name.clone()))
    }

    /// Returns the connection of an account.
    pub fn account(&self, account: &AccountId) -> Option<&Connection> {
        self.connections.get(&Scope::Account(account.clone()))
    }

    /// Returns what answers for a target.
    pub fn backend(&self, name: &TargetName) -> Backend {
        self.backend.get(name).copied().unwrap_or(Backend::Aws)
    }

    /// Returns what the server of a target enforces.
    pub fn enforcement(&self, target: &DesiredTarget) -> BTreeSet<Enforcement> {
        let all =
            || [Enforcement::KeyPolicy, Enforcement::IdentityPolicy, Enforcement::Context, Enforcement::Grants].into();
        match (&target.enforces, self.backend(&target.name)) {
            (Some(enforces), Backend::Endpoint) => enforces.clone(),
            (_, Backend::Sandbox | Backend::Aws) | (None, Backend::Endpoint) => all(),
        }
    }

    /// Tells how many calls each target took, with `--verbose`.
    pub fn tell_calls(&self, printer: &mut Printer) {
        for (scope, connection) in &self.connections {
            if let Scope::Target(name) = scope {
                let counts = connection.call_counts();
                let calls: Vec<String> = counts.iter().map(|(call, count)| format!("{call} {count}")).collect();
                printer.detail(&format!("calls of target {name}: {}", calls.join(", ")));
            }
        }
    }

    /// Ends the session; the sandbox writes its state.
    #[cfg_attr(not(feature = "sandbox"), expect(clippy::unused_async, reason = "there is nothing to wait for"))]
    pub async fn close(self) {
        #[cfg(feature = "sandbox")]
        if let Some(running) = self.running {
            running.shutdown().await;
        }
    }
}

fn plain_destination(options: &ConnectionOptions) -> Destination {
    options.endpoint_url.clone().map_or(Destination::Target, Destination::Endpoint)
}

/// The operator's limits: a manifest of a pull request must not lead anywhere else.
fn allowed(desired: &DesiredState, options: &ConnectionOptions, printer: &mut Printer) -> Result<(), Exit> {
    let mut refused = false;
    for target in &desired.targets {
        if !options.allow_accounts.is_empty() && !options.allow_accounts.contains(&target.account) {
            printer.error(&format!("target {}: account {} is not among --allow-account", target.name, target.account));
            refused = true;
        }
        let role = target.connection.assume_role.as_ref();
        if let Some(role) = role.filter(|role| !options.allow_roles.is_empty() && !options.allow_roles.contains(role)) {
            printer.error(&format!("target {}: the role {role} is not among --allow-role", target.name));
            refused = true;
        }
    }
    if refused { Err(Exit::Blocked) } else { Ok(()) }
}

fn settings(
    target: &DesiredTarget,
    destination: &Destination,
    pace: &PaceOptions,
    purpose: Purpose,
) -> (ConnectSettings, Backend) {
    let mut settings = ConnectSettings::new(target.region.clone());
    settings.parallel = usize::from(pace.parallel);
    let external_id = target.connection.external_id.clone();
    settings.assume_role = target.connection.assume_role.clone().map(|role| (role, external_id));
    let verifier = verifier_role(target).filter(|_| purpose == Purpose::Verify);
    if settings.assume_role.is_some()
        && let Some(role) = verifier.clone()
    {
        settings.assume_role = Some((role, None));
    }
    if let Some(profile) = &target.connection.profile {
        settings.credentials = Credentials::Profile(profile.clone());
    }
    let (endpoint, backend) = match (destination, &target.connection.endpoint_url) {
        (Destination::Sandbox(url), _) => {
            in_sandbox(&mut settings, target, verifier);
            (Endpoint::Sandbox(url.clone()), Backend::Sandbox)
        }
        (Destination::Endpoint(url), _) | (Destination::Target, Some(url)) => {
            (Endpoint::Url(url.clone()), Backend::Endpoint)
        }
        (Destination::Target, None) if names_endpoint() => (Endpoint::Aws, Backend::Endpoint),
        (Destination::Target, None) => (Endpoint::Aws, Backend::Aws),
    };
    if backend != Backend::Aws {
        settings.pacing = Pacing::None;
    }
    settings.endpoint = endpoint;
    (settings, backend)
}

/// Whether the environment sends the SDK somewhere else than to AWS.
fn names_endpoint() -> bool {
    std::env::vars_os().any(|(name, value)| name.to_string_lossy().starts_with("AWS_ENDPOINT_URL") && !value.is_empty())
}

/// In the sandbox, credentials are the sandbox's own. The caller must be a deployer there too, so where the manifest
/// assumes no role, the first deployer that is a role is assumed.
fn in_sandbox(settings: &mut ConnectSettings, target: &DesiredTarget, verifier: Option<RoleArn>) {
    #[cfg(feature = "sandbox")]
    {
        let (access_key, secret) = crate::sandbox::credentials(&target.account);
        settings.credentials = Credentials::Static { access_key, secret };
    }
    if settings.assume_role.is_none() {
        settings.assume_role = verifier.or_else(|| deployer_role(target)).map(|role| (role, None));
    }
}

/// Returns the first deployer of a target that is a role of its account.
pub fn deployer_role(target: &DesiredTarget) -> Option<RoleArn> {
    let roles = target.deployers.iter().filter_map(Principal::arn).filter(|arn| arn.kind() == PrincipalKind::Role);
    roles.filter(|arn| arn.account() == target.account).find_map(|arn| arn.as_str().parse().ok())
}

/// Returns the role that runs the self-test of a target, if it is a role of its account.
pub fn verifier_role(target: &DesiredTarget) -> Option<RoleArn> {
    let role = target.verifier.as_ref().and_then(Principal::arn).filter(|arn| arn.kind() == PrincipalKind::Role);
    role.filter(|arn| arn.account() == target.account).and_then(|arn| arn.as_str().parse().ok())
}

/// Returns the words of a command that continues this run: the program as it was called, the same manifest, and the same
/// part of it.
pub fn next_command(session: &Session, files: &[PathBuf], scope: &ScopeOptions, rest: &str) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "keywright".to_owned());
    let mut words = vec![shell_word(&program), rest.to_owned()];
    match &session.sandbox {
        Some(folder) if *folder == *std::path::Path::new(super::args::SANDBOX_DIR) => {
            words.push("--sandbox".to_owned());
        }
        Some(folder) => words.push(shell_word(&format!("--sandbox={}", folder.display()))),
        None => words.extend(session.endpoint.iter().map(|url| format!("--endpoint-url {}", shell_word(url)))),
    }
    if session.clock.is_moved() {
        words.push(format!("--clock {}", session.clock));
    }
    let default = [PathBuf::from("keywright.toml")];
    if files != default {
        words.extend(files.iter().map(|file| format!("-f {}", shell_word(&file.to_string_lossy()))));
    }
    words.extend(scope.targets.iter().map(|target| format!("--target {target}")));
    words.extend(scope.keys.iter().map(|key| format!("--key {key}")));
    escape(&words.join(" ")).into_owned()
}

/// Quotes a word of a command line where a POSIX shell would split it or read something into it.
pub(super) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
