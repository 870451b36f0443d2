//! Executes an account's role steps, and waits until a new role is seen before a key policy names it.

use super::{Connection, Job, Machine, failed, first_undone, until};
use crate::plan::{AccountPlan, Action, Step, StepId};
use crate::ports::{NewRole, PortError, PortErrorKind};
use crate::report::{Event, Recovery, Scope, ScopeReport, StepOutcome, StepResult};
use std::collections::BTreeSet;

/// Runs every role step of an account.
pub(super) async fn run<C: Connection, M: Machine>(
    job: &Job<'_, C, M>,
    account: &AccountPlan,
    connection: &C,
    undone: &mut BTreeSet<StepId>,
) -> ScopeReport {
    let mut steps = Vec::new();
    let mut recoveries = Vec::new();
    for step in account.outcome.steps() {
        let result = match first_undone(step, undone) {
            Some(because) => StepResult::Skipped { because },
            None => {
                (job.progress)(Event::Started(step));
                result(execute(job, connection, step, &mut recoveries).await)
            }
        };
        if result != StepResult::Done {
            undone.insert(step.id.clone());
        }
        let outcome = StepOutcome { step: step.clone(), result, created: None };
        (job.progress)(Event::Finished(&outcome));
        steps.push(outcome);
    }
    ScopeReport { scope: Scope::Account(account.account.clone()), steps, recoveries }
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
        Ending::Failed(error) => failed(&error),
    }
}

async fn execute<C: Connection, M: Machine>(
    job: &Job<'_, C, M>,
    connection: &C,
    step: &Step,
    recoveries: &mut Vec<Recovery>,
) -> Ending {
    let Some(new) = new_role(&step.action) else {
        return send(job, connection, &step.action).await.map_or_else(Ending::Failed, |()| Ending::Done);
    };
    match create(job, connection, &new).await {
        Ok(None) => {}
        Ok(Some(message)) => recoveries.push(Recovery { step: step.id.clone(), message }),
        Err(error) => return Ending::Failed(error),
    }
    // IAM is eventually consistent: a role that GetRole does not show would be refused as a principal.
    let look = || async {
        match connection.role(&new.name).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(PortError::new(PortErrorKind::NotFound, "iam:GetRole", "the role is not visible yet")),
            Err(error) => Err(error),
        }
    };
    let passes = |error: &PortError| error.kind == PortErrorKind::NotFound;
    match until(job.machine, job.options.wait, passes, look).await {
        Ok(()) => Ending::Done,
        Err(error) if error.kind == PortErrorKind::NotFound => Ending::Unconfirmed,
        Err(error) => Ending::Failed(error),
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

/// Creates a role. One that exists with exactly our tags is the lost reply of our own call.
async fn create<C: Connection, M: Machine>(
    job: &Job<'_, C, M>,
    connection: &C,
    new: &NewRole,
) -> Result<Option<String>, PortError> {
    // A trust policy may name a role that was made a moment ago.
    let passes = |error: &PortError| error.kind == PortErrorKind::InvalidPrincipal;
    match until(job.machine, job.options.wait.min(std::time::Duration::from_secs(30)), passes, || {
        connection.create_role(new)
    })
    .await
    {
        Ok(()) => Ok(None),
        Err(error) if error.kind == PortErrorKind::AlreadyExists => match connection.role(&new.name).await? {
            Some(found) if found.tags == new.tags => Ok(Some(format!(
                "the role `{}` exists with our tags: the answer of an earlier call was lost",
                new.name
            ))),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

async fn send<C: Connection, M: Machine>(
    job: &Job<'_, C, M>,
    connection: &C,
    action: &Action,
) -> Result<(), PortError> {
    let may_lag = |error: &PortError| matches!(error.kind, PortErrorKind::NotFound | PortErrorKind::InvalidPrincipal);
    until(job.machine, job.options.wait.min(std::time::Duration::from_secs(30)), may_lag, || call(connection, action))
        .await
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
        Action::PutRolePolicy { role, name, policy } => port.put_role_policy(role, name, policy).await,
        Action::DeleteRolePolicy { role, name } => port.delete_role_policy(role, name).await,
        Action::CreateRole { .. }
        | Action::CreateKey { .. }
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
