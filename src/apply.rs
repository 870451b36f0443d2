//! Executes a plan: walks its steps in order, recovers what an interruption leaves, and reports what was done.
//!
//! Nothing is decided here but by the recovery rules: who holds a claim alias, and whether a key whose creation got
//! no answer exists. Each such decision is a [`Recovery`] in the report.

mod board;
mod claim;
mod confirm;
mod create;
mod deletion;
mod execute;
mod import;
mod replicate;
mod roles;
mod rotate;

#[cfg(test)]
pub(crate) mod tests;

use crate::ids::{AccountId, KeyArn, KeyId, KeyName, Region, StackName, TargetName};
use crate::plan::{AccountPlan, Action, KeyRef, Outcome, Owner, Plan, Step, StepId, TargetPlan};
use crate::ports::{
    ClaimStore, Clock, IdentityReader, IdentityWriter, KeyReader, KeyWriter, LockoutCheck, MaterialHolder, PortError,
    PortErrorKind, Randomness,
};
use crate::report::{ApplyReport, Event, Recovery, Scope, ScopeReport, StepOutcome, StepResult};
use board::{Board, Ended};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

/// How many reads are under way at once, and how many targets write.
const PARALLEL: usize = 8;

/// What `apply` needs of one account's or target's connection.
pub trait Connection: KeyReader + KeyWriter + IdentityReader + IdentityWriter + Sync {}
impl<T: KeyReader + KeyWriter + IdentityReader + IdentityWriter + Sync> Connection for T {}

/// What `apply` needs of this machine.
pub trait Machine: Clock + Randomness + ClaimStore + MaterialHolder + Sync {}
impl<T: Clock + Randomness + ClaimStore + MaterialHolder + Sync> Machine for T {}

/// How far to go.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// How long to wait for what was written to be seen.
    pub wait: Duration,
    /// Keys for which AWS's lock-out check is skipped, with consent.
    pub bypass_lockout_check: BTreeSet<KeyName>,
}

/// A plan to execute, with all it takes.
pub struct Job<'a, C, M> {
    /// The plan; its blocked parts are skipped.
    pub plan: &'a Plan,
    /// A connection for each scope of the plan that is ready.
    pub connections: &'a BTreeMap<Scope, C>,
    /// This machine.
    pub machine: &'a M,
    /// How far to go.
    pub options: &'a ApplyOptions,
    /// Is told of every event, and where it happens: targets run side by side.
    pub progress: &'a (dyn Fn(&Scope, Event<'_>) + Sync),
}

impl<C, M> std::fmt::Debug for Job<'_, C, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("stack", &self.plan.stack).finish_non_exhaustive()
    }
}

/// Executes every ready account and target of a plan; blocked ones are left alone, and so are roles that only blocked
/// targets want.
///
/// The accounts' roles come first. Then the targets run side by side, and a step waits for those that it depends on, in
/// whatever target. What befalls one target stops no other, but for the steps that need it.
pub async fn apply<C: Connection, M: Machine>(job: Job<'_, C, M>) -> ApplyReport {
    let mut report = ApplyReport::default();
    let mut undone = BTreeSet::new();
    let mut new_roles = BTreeSet::new();
    for account in &job.plan.accounts {
        let scope = Scope::Account(account.account.clone());
        if !job.plan.writes_roles(account) {
            undone.extend(account.outcome.steps().iter().map(|step| step.id.clone()));
            continue;
        }
        let done = match job.connections.get(&scope) {
            Some(connection) => roles::run(&job, account, connection, &mut undone).await,
            None => unconnected(scope, account.outcome.steps(), &mut undone),
        };
        new_roles.extend(created_roles(account, &done));
        report.scopes.push(done);
    }
    let board = board(job.plan, &undone);
    let is_ready = |target: &&TargetPlan| matches!(target.outcome, Outcome::Ready(_));
    let runs = job.plan.targets.iter().filter(is_ready).map(|target| ready_target(&job, target, &board, &new_roles));
    report.scopes.extend(futures::future::join_all(runs).await);
    report
}

/// Returns the board with what is known before any target runs: how the roles ended, and that blocked targets do nothing.
fn board(plan: &Plan, undone: &BTreeSet<StepId>) -> Board {
    let of = |outcome: &Outcome| outcome.steps().iter().map(|step| step.id.clone()).collect::<Vec<_>>();
    let accounts: Vec<StepId> = plan.accounts.iter().flat_map(|account| of(&account.outcome)).collect();
    let (ready, blocked): (Vec<&TargetPlan>, Vec<_>) =
        plan.targets.iter().partition(|target| matches!(target.outcome, Outcome::Ready(_)));
    let targets = ready.iter().chain(&blocked).flat_map(|target| of(&target.outcome));
    let board = Board::new(accounts.iter().cloned().chain(targets).collect(), PARALLEL);
    for step in &accounts {
        board.end(step, if undone.contains(step) { Ended::Undone } else { Ended::Done });
    }
    for step in blocked.iter().flat_map(|target| of(&target.outcome)) {
        board.end(&step, Ended::Undone);
    }
    board
}

async fn ready_target<C: Connection, M: Machine>(
    job: &Job<'_, C, M>,
    target: &TargetPlan,
    board: &Board,
    new_roles: &BTreeSet<String>,
) -> ScopeReport {
    let scope = Scope::Target(target.name.clone());
    if let Some(connection) = job.connections.get(&scope) {
        return run_target(job, target, (connection, &scope), board, new_roles).await;
    }
    for step in target.outcome.steps() {
        board.end(&step.id, Ended::Undone);
    }
    unconnected(scope, target.outcome.steps(), &mut BTreeSet::new())
}

/// Nothing can be done without a connection; nothing is passed over in silence either.
fn unconnected(scope: Scope, steps: &[Step], undone: &mut BTreeSet<StepId>) -> ScopeReport {
    undone.extend(steps.iter().map(|step| step.id.clone()));
    let error = PortError::new(PortErrorKind::Unreachable, "apply", "there is no connection");
    let steps =
        steps.iter().map(|step| StepOutcome { step: step.clone(), result: failed(&error), created: None }).collect();
    ScopeReport { scope, steps, recoveries: Vec::new() }
}

/// How the ARNs of the roles that this run made end in a policy's text, its closing quote included.
fn created_roles(account: &AccountPlan, report: &ScopeReport) -> Vec<String> {
    let done =
        report.steps.iter().filter(|outcome| matches!(outcome.result, StepResult::Done | StepResult::Unconfirmed));
    done.filter_map(|outcome| {
        let Action::CreateRole { role, path, .. } = &outcome.step.action else { return None };
        Some(format!("::{}:role{path}{role}\"", account.account))
    })
    .collect()
}

/// Where one target's steps stand while they run.
struct Run<'a, C, M> {
    job: &'a Job<'a, C, M>,
    connection: &'a C,
    board: &'a Board,
    scope: &'a Scope,
    target: &'a TargetName,
    stack: &'a StackName,
    account: &'a AccountId,
    region: &'a Region,
    /// Keys that this run made or found, by manifest name.
    bindings: BTreeMap<KeyName, KeyArn>,
    /// Keys that this very process made: only these may ever be called the losers of a race.
    made_here: BTreeSet<KeyId>,
    /// Keys that an interrupted run made a moment ago: reads may not show them yet either.
    found_here: BTreeSet<KeyId>,
    /// Roles that this run made: their principals may be unknown to KMS for a while.
    new_roles: &'a BTreeSet<String>,
    recoveries: Vec<Recovery>,
    /// What the imports of this run left to be seen.
    imports: BTreeMap<StepId, import::Imported>,
}

/// How a step ended, before it is written down.
enum Ending {
    Done,
    Created(KeyArn),
    Unknown(String),
    Unconfirmed,
    Failed(PortError),
    /// It failed before anything was sent that changes something.
    Unsent(PortError),
}

async fn run_target<C: Connection, M: Machine>(
    job: &Job<'_, C, M>,
    target: &TargetPlan,
    (connection, scope): (&C, &Scope),
    board: &Board,
    new_roles: &BTreeSet<String>,
) -> ScopeReport {
    let mut run = Run {
        job,
        connection,
        board,
        scope,
        target: &target.name,
        stack: &job.plan.stack,
        account: &target.account,
        region: &target.region,
        bindings: target.keys.clone(),
        made_here: BTreeSet::new(),
        found_here: BTreeSet::new(),
        new_roles,
        recoveries: Vec::new(),
        imports: BTreeMap::new(),
    };
    run.forget_settled(target);
    let mut steps = Vec::new();
    for step in target.outcome.steps() {
        let outcome = if let Some(because) = board.undone(step).await {
            StepOutcome { step: step.clone(), result: StepResult::Skipped { because }, created: None }
        } else {
            let _permit = board.permit().await;
            run.tell(Event::Started(step));
            outcome(step, run.execute(step).await)
        };
        let ended = if outcome.result == StepResult::Done { Ended::Done } else { Ended::Undone };
        run.tell(Event::Finished(&outcome));
        board.end(&step.id, ended);
        steps.push(outcome);
    }
    confirm::confirm(&run, &mut steps).await;
    ScopeReport { scope: scope.clone(), steps, recoveries: run.recoveries }
}

fn first_undone(step: &Step, undone: &BTreeSet<StepId>) -> Option<StepId> {
    step.depends_on.iter().find(|needed| undone.contains(*needed)).cloned()
}

fn outcome(step: &Step, ending: Ending) -> StepOutcome {
    let (result, created) = match ending {
        Ending::Done => (StepResult::Done, None),
        Ending::Created(arn) => (StepResult::Done, Some(arn)),
        Ending::Unknown(message) => (StepResult::Unknown { message }, None),
        Ending::Unconfirmed => (StepResult::Unconfirmed, None),
        Ending::Failed(error) => (not_done(&error), None),
        Ending::Unsent(error) => (failed(&error), None),
    };
    StepOutcome { step: step.clone(), result, created }
}

/// A write without an answer may have taken effect: that is no failure, and running again tells.
fn not_done(error: &PortError) -> StepResult {
    match error.kind {
        PortErrorKind::Unknown | PortErrorKind::Transient => StepResult::Unknown { message: error.to_string() },
        PortErrorKind::NotFound
        | PortErrorKind::Denied
        | PortErrorKind::AlreadyExists
        | PortErrorKind::Throttled
        | PortErrorKind::Unreachable
        | PortErrorKind::Credentials
        | PortErrorKind::LimitExceeded
        | PortErrorKind::InvalidState
        | PortErrorKind::Disabled
        | PortErrorKind::InvalidPrincipal
        | PortErrorKind::Lockout
        | PortErrorKind::Invalid
        | PortErrorKind::InvalidCiphertext
        | PortErrorKind::IncorrectKey
        | PortErrorKind::InvalidSignature
        | PortErrorKind::InvalidMac
        | PortErrorKind::IncorrectMaterial
        | PortErrorKind::ImportToken
        | PortErrorKind::NotSupported
        | PortErrorKind::Protocol => failed(error),
    }
}

fn failed(error: &PortError) -> StepResult {
    StepResult::Failed { message: error.to_string(), help: help(error).to_owned() }
}

/// The next thing to do about a failure.
fn help(error: &PortError) -> &'static str {
    match error.kind {
        PortErrorKind::Denied => "allow the caller this action, then run apply again",
        PortErrorKind::Throttled => "too many requests in this account and Region: run apply again in a minute",
        PortErrorKind::LimitExceeded => "a quota is used up: ask AWS for more, then run apply again",
        PortErrorKind::InvalidPrincipal => {
            "a principal of the policy does not exist: create it or correct the manifest, then run apply again"
        }
        PortErrorKind::Lockout => "the caller could not change the policy later: run as one of the target's deployers",
        PortErrorKind::Credentials => "renew the credentials, then run apply again",
        PortErrorKind::AlreadyExists => "another run or person made it meanwhile: plan again and look",
        PortErrorKind::InvalidState | PortErrorKind::Disabled => {
            "the key's state changed meanwhile: plan again and look"
        }
        PortErrorKind::IncorrectMaterial => {
            "bring the material that the key has: for good it takes no other in its place, then run apply again"
        }
        PortErrorKind::ImportToken => "get new parameters (import-parameters), then run apply again within 24 hours",
        PortErrorKind::NotFound
        | PortErrorKind::Transient
        | PortErrorKind::Unknown
        | PortErrorKind::Unreachable
        | PortErrorKind::Invalid
        | PortErrorKind::InvalidCiphertext
        | PortErrorKind::IncorrectKey
        | PortErrorKind::InvalidSignature
        | PortErrorKind::InvalidMac
        | PortErrorKind::NotSupported
        | PortErrorKind::Protocol => "run apply again: it continues where this run stopped",
    }
}

impl<C: Connection, M: Machine> Run<'_, C, M> {
    /// Forgets the claims of keys whose claim alias stands already: the run that made them died after it was done.
    fn forget_settled(&self, target: &TargetPlan) {
        let claims = |name: &KeyName| {
            let owner = Owner::Key(name.clone());
            let claim = |step: &&Step| matches!(&step.action, Action::CreateAlias { alias, .. } if alias.is_claim());
            target.outcome.steps().iter().filter(claim).any(|step| step.owner == owner)
        };
        for name in target.keys.keys().filter(|name| !claims(name)) {
            if let Err(error) = self.job.machine.remove(&self.slot(name)) {
                tracing::warn!(key = %name, %error, "an old claim record was not removed");
            }
        }
    }

    /// Returns the key that a reference means.
    fn key(&self, reference: &KeyRef) -> Result<KeyId, PortError> {
        match reference {
            KeyRef::Live(id) => Ok(id.clone()),
            KeyRef::Planned(name) => {
                let replica = || self.board.replica(self.target, name);
                let bound = self.bindings.get(name).cloned().or_else(replica);
                bound.map(|arn| arn.key_id()).ok_or_else(|| {
                    PortError::new(PortErrorKind::Protocol, "apply", format!("the key `{name}` was not created"))
                })
            }
        }
    }

    fn tell(&self, event: Event<'_>) {
        (self.job.progress)(self.scope, event);
    }

    fn lockout_check(&self, key: &KeyName) -> LockoutCheck {
        if self.job.options.bypass_lockout_check.contains(key) { LockoutCheck::Bypass } else { LockoutCheck::Keep }
    }

    fn recovered(&mut self, step: &Step, message: impl Into<String>) {
        self.recoveries.push(Recovery { step: step.id.clone(), message: message.into() });
    }

    /// Returns whether a key was made in this run or just before, so that KMS may not show it everywhere yet.
    fn is_new(&self, id: &KeyId) -> bool {
        self.made_here.contains(id) || self.found_here.contains(id) || self.board.is_replica(self.target, id)
    }

    /// Repeats a call on a key while KMS does not show that new key yet.
    async fn settled<T, F: Future<Output = Result<T, PortError>>>(
        &self,
        id: &KeyId,
        call: impl FnMut() -> F,
    ) -> Result<T, PortError> {
        let may_lag = self.is_new(id);
        let passes = |error: &PortError| may_lag && error.kind == PortErrorKind::NotFound;
        until(self.job.machine, self.job.options.wait, passes, call).await
    }
}

/// Repeats a call while it fails for a reason that passes by itself, for at most `limit`.
async fn until<T, F: Future<Output = Result<T, PortError>>>(
    clock: &impl Clock,
    limit: Duration,
    passes: impl Fn(&PortError) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T, PortError> {
    let started = clock.now();
    let mut delay = Duration::from_millis(200);
    loop {
        match call().await {
            Err(error) if passes(&error) && elapsed(clock, started) + delay <= limit => {
                clock.sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(5));
            }
            result => return result,
        }
    }
}

/// Whether the answer of a call tells nothing: it may have taken effect.
fn tells_nothing(error: &PortError) -> bool {
    matches!(error.kind, PortErrorKind::Unknown | PortErrorKind::Transient | PortErrorKind::Protocol)
}

fn elapsed(clock: &impl Clock, since: jiff::Timestamp) -> Duration {
    Duration::try_from(clock.now().duration_since(since)).unwrap_or_default()
}
