//! Executes an account's role steps, and waits until a new role is seen before a key policy names it.

use super::confirm::{unconfirmed, watch};
use super::{Connection, Job, Machine, PARALLEL, first_undone, not_done, until};
use crate::ids::{AccountId, RoleName};
use crate::live::LiveRole;
use crate::plan::{AccountPlan, Action, Step, StepId};
use crate::policy::PolicyDocument;
use crate::ports::{IdentityReader, NewRole, PortError, PortErrorKind};
use crate::report::{Event, Recovery, Scope, ScopeReport, StepOutcome, StepResult};
use futures::stream::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long IAM may take to know a new role everywhere.
const PROPAGATION: Duration = Duration::from_secs(30);

/// Runs every role step of an account.
pub(super) async fn run<C: Connection, M: Machine>(
    job: &Job<'_, C, M>,
    account: &AccountPlan,
    connection: &C,
    undone: &mut BTreeSet<StepId>,
) -> ScopeReport {
    let scope = Scope::Account(account.account.clone());
    let mut work = Work { job, account: &account.account, connection, made: Vec::new(), recoveries: Vec::new() };
    let mut steps = Vec::new();
    for step in account.outcome.steps() {
        let result = if let Some(because) = first_undone(step, undone) {
            StepResult::Skipped { because }
        } else {
            (job.progress)(&scope, Event::Started(step));
            result(work.execute(step).await)
        };
        if result != StepResult::Done {
            undone.insert(step.id.clone());
        }
        let outcome = StepOutcome { step: step.clone(), result, created: None };
        (job.progress)(&scope, Event::Finished(&outcome));
        steps.push(outcome);
    }
    confirm(job, (connection, &scope), &mut steps).await;
    ScopeReport { scope, steps, recoveries: work.recoveries }
}

/// How a role step ended.
enum Ending {
    Done,
    Unconfirmed,
    Failed(PortError),
}

fn result(ending: Ending) -> StepResult {
    match ending {
        Ending::Done => StepResult::Done,
        Ending::Unconfirmed => StepResult::Unconfirmed,
        Ending::Failed(error) => not_done(&error),
    }
}

/// Where one account's steps stand while they run.
struct Work<'a, C, M> {
    job: &'a Job<'a, C, M>,
    account: &'a AccountId,
    connection: &'a C,
    /// Roles that this run made, with how their ARNs end in a policy's text: IAM may not know them everywhere yet.
    made: Vec<(RoleName, String)>,
    recoveries: Vec<Recovery>,
}

impl<C: Connection, M: Machine> Work<'_, C, M> {
    async fn execute(&mut self, step: &Step) -> Ending {
        let Some(new) = new_role(&step.action) else {
            return self.send(&step.action).await.map_or_else(Ending::Failed, |()| Ending::Done);
        };
        match self.create(&new).await {
            Ok(None) => {}
            Ok(Some(message)) => self.recoveries.push(Recovery { step: step.id.clone(), message }),
            Err(error) => return Ending::Failed(error),
        }
        self.made.push((new.name.clone(), format!("::{}:role{}{}\"", self.account, new.path, new.name)));
        self.await_role(&new.name).await
    }

    /// IAM is eventually consistent: a role that `GetRole` does not show would be refused as a principal.
    async fn await_role(&self, name: &RoleName) -> Ending {
        let look = || async {
            match self.connection.role(name).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(PortError::new(PortErrorKind::NotFound, "iam:GetRole", "the role is not visible yet")),
                Err(error) => Err(error),
            }
        };
        let passes = |error: &PortError| error.kind == PortErrorKind::NotFound;
        match until(self.job.machine, self.job.options.wait, passes, look).await {
            Ok(()) => Ending::Done,
            // It was made; only the look at it did not succeed.
            Err(_) => Ending::Unconfirmed,
        }
    }

    /// Creates a role. One that exists with exactly our tags is the lost reply of our own call.
    async fn create(&self, new: &NewRole) -> Result<Option<String>, PortError> {
        match self.repeat(None, Some(&new.trust), || self.connection.create_role(new)).await {
            Ok(()) => Ok(None),
            Err(error) if error.kind == PortErrorKind::AlreadyExists => match self.connection.role(&new.name).await? {
                Some(found) if found.tags == new.tags && found.trust.same_permissions(&new.trust) => Ok(Some(format!(
                    "the role `{}` exists with our tags: the answer of an earlier call was lost",
                    new.name
                ))),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn send(&self, action: &Action) -> Result<(), PortError> {
        let trust = if let Action::UpdateAssumeRolePolicy { trust, .. } = action { Some(trust) } else { None };
        self.repeat(role(action), trust, || call(self.connection, action)).await
    }

    /// Repeats a call while IAM does not know a role yet that this run made; any other unknown role is an error at once.
    async fn repeat<F: Future<Output = Result<(), PortError>>>(
        &self,
        role: Option<&RoleName>,
        trust: Option<&PolicyDocument>,
        call: impl FnMut() -> F,
    ) -> Result<(), PortError> {
        let is_new = role.is_some_and(|role| self.made.iter().any(|(made, _)| made == role));
        let trust = trust.map(PolicyDocument::to_compact).unwrap_or_default();
        let names_new = self.made.iter().any(|(_, ending)| trust.contains(ending));
        let passes = |error: &PortError| {
            (is_new && error.kind == PortErrorKind::NotFound)
                || (names_new && error.kind == PortErrorKind::InvalidPrincipal)
        };
        until(self.job.machine, self.job.options.wait.min(PROPAGATION), passes, call).await
    }
}

/// Marks the steps that are done and that `GetRole` and its kin do not show within the wait as unconfirmed.
async fn confirm<C: Connection, M: Machine>(
    job: &Job<'_, C, M>,
    (connection, scope): (&C, &Scope),
    steps: &mut [StepOutcome],
) {
    let done = steps.iter().enumerate().filter(|(_, outcome)| outcome.result == StepResult::Done);
    let effects: Vec<(usize, Action)> = done.map(|(index, outcome)| (index, outcome.step.action.clone())).collect();
    let waiting = || (job.progress)(scope, Event::Waiting("waiting until the roles are seen as written"));
    let unseen = watch(job.machine, job.options.wait, effects, waiting, |actions| look(connection, actions)).await;
    unconfirmed(steps, unseen);
}

/// One round: each role is read once. What cannot be read is not seen.
async fn look(port: &(impl IdentityReader + Sync), actions: Vec<Action>) -> Vec<bool> {
    let names: BTreeSet<RoleName> = actions.iter().filter_map(role).cloned().collect();
    let reads = names.into_iter().map(|name| async move {
        let found = port.role(&name).await.ok().flatten();
        (name, found)
    });
    let roles: BTreeMap<RoleName, Option<LiveRole>> =
        futures::stream::iter(reads).buffer_unordered(PARALLEL).collect().await;
    actions
        .iter()
        .map(|action| role(action).and_then(|name| roles.get(name)?.as_ref()).is_some_and(|live| is_seen(action, live)))
        .collect()
}

fn is_seen(action: &Action, live: &LiveRole) -> bool {
    match action {
        Action::CreateRole { .. } => true,
        Action::UpdateRole { description, max_session_seconds, .. } => {
            live.description == *description && live.max_session_seconds == *max_session_seconds
        }
        Action::UpdateAssumeRolePolicy { trust, .. } => live.trust.same_permissions(trust),
        Action::PutRolePermissionsBoundary { boundary, .. } => live.permissions_boundary.as_ref() == Some(boundary),
        Action::DeleteRolePermissionsBoundary { .. } => live.permissions_boundary.is_none(),
        Action::TagRole { tags, .. } => tags.iter().all(|(tag, value)| live.tags.get(tag) == Some(value)),
        Action::UntagRole { tag_keys, .. } => tag_keys.iter().all(|tag| !live.tags.contains_key(tag)),
        Action::PutRolePolicy { name, policy, .. } => {
            live.inline_policies.get(name).is_some_and(|found| found.same_permissions(policy))
        }
        Action::DeleteRolePolicy { name, .. } => !live.inline_policies.contains_key(name),
        Action::CreateKey { .. }
        | Action::ReplicateKey { .. }
        | Action::UpdatePrimaryRegion { .. }
        | Action::ScheduleKeyDeletion { .. }
        | Action::CancelKeyDeletion { .. }
        | Action::RotateKeyOnDemand { .. }
        | Action::ImportKeyMaterial { .. }
        | Action::DeleteImportedKeyMaterial { .. }
        | Action::DeleteAlias { .. }
        | Action::PutKeyPolicy { .. }
        | Action::UpdateKeyDescription { .. }
        | Action::EnableKey { .. }
        | Action::DisableKey { .. }
        | Action::TagKey { .. }
        | Action::UntagKey { .. }
        | Action::CreateAlias { .. }
        | Action::UpdateAlias { .. }
        | Action::EnableKeyRotation { .. }
        | Action::DisableKeyRotation { .. } => false,
    }
}

/// The role that an action works on.
fn role(action: &Action) -> Option<&RoleName> {
    match action {
        Action::CreateRole { role, .. }
        | Action::UpdateRole { role, .. }
        | Action::UpdateAssumeRolePolicy { role, .. }
        | Action::PutRolePermissionsBoundary { role, .. }
        | Action::DeleteRolePermissionsBoundary { role }
        | Action::TagRole { role, .. }
        | Action::UntagRole { role, .. }
        | Action::PutRolePolicy { role, .. }
        | Action::DeleteRolePolicy { role, .. } => Some(role),
        Action::CreateKey { .. }
        | Action::ReplicateKey { .. }
        | Action::UpdatePrimaryRegion { .. }
        | Action::ScheduleKeyDeletion { .. }
        | Action::CancelKeyDeletion { .. }
        | Action::RotateKeyOnDemand { .. }
        | Action::ImportKeyMaterial { .. }
        | Action::DeleteImportedKeyMaterial { .. }
        | Action::DeleteAlias { .. }
        | Action::PutKeyPolicy { .. }
        | Action::UpdateKeyDescription { .. }
        | Action::EnableKey { .. }
        | Action::DisableKey { .. }
        | Action::TagKey { .. }
        | Action::UntagKey { .. }
        | Action::CreateAlias { .. }
        | Action::UpdateAlias { .. }
        | Action::EnableKeyRotation { .. }
        | Action::DisableKeyRotation { .. } => None,
    }
}

fn new_role(action: &Action) -> Option<NewRole> {
    let Action::CreateRole { role, path, description, max_session_seconds, trust, permissions_boundary, tags } = action
    else {
        return None;
    };
    Some(NewRole {
        name: role.clone(),
        path: path.clone(),
        description: description.clone(),
        max_session_seconds: *max_session_seconds,
        trust: trust.clone(),
        permissions_boundary: permissions_boundary.clone(),
        tags: tags.clone(),
    })
}

async fn call<C: Connection>(port: &C, action: &Action) -> Result<(), PortError> {
    match action {
        Action::UpdateRole { role, description, max_session_seconds } => {
            port.update_role(role, description, *max_session_seconds).await
        }
        Action::UpdateAssumeRolePolicy { role, trust } => port.update_trust(role, trust).await,
        Action::PutRolePermissionsBoundary { role, boundary } => port.put_boundary(role, boundary).await,
        Action::DeleteRolePermissionsBoundary { role } => port.delete_boundary(role).await,
        Action::TagRole { role, tags } => port.tag_role(role, tags).await,
        Action::UntagRole { role, tag_keys } => port.untag_role(role, tag_keys).await,
        Action::PutRolePolicy { role, name, policy } => port.put_role_policy(role, name, policy).await,
        Action::DeleteRolePolicy { role, name } => port.delete_role_policy(role, name).await,
        Action::CreateRole { .. }
        | Action::CreateKey { .. }
        | Action::ReplicateKey { .. }
        | Action::UpdatePrimaryRegion { .. }
        | Action::ScheduleKeyDeletion { .. }
        | Action::CancelKeyDeletion { .. }
        | Action::RotateKeyOnDemand { .. }
        | Action::ImportKeyMaterial { .. }
        | Action::DeleteImportedKeyMaterial { .. }
        | Action::DeleteAlias { .. }
        | Action::PutKeyPolicy { .. }
        | Action::UpdateKeyDescription { .. }
        | Action::EnableKey { .. }
        | Action::DisableKey { .. }
        | Action::TagKey { .. }
        | Action::UntagKey { .. }
        | Action::CreateAlias { .. }
        | Action::UpdateAlias { .. }
        | Action::EnableKeyRotation { .. }
        | Action::DisableKeyRotation { .. } => {
            Err(PortError::new(PortErrorKind::Protocol, action.call(), "this step does not belong to an account"))
        }
    }
}
