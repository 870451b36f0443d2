//! Who appears in the self-test of a key: the caller, and the roles that it may become.

use super::duty::{Duty, duties};
use super::subject::Subject;
use super::uses::{Read, Use};
use super::{AsRoles, TargetJob, context, notes};
use crate::desired::{DesiredKey, DesiredTarget, KnownRole, Principal, Verifiable};
use crate::ids::RoleArn;
use crate::live::{Backend, Caller};
use crate::policy::{PolicyDocument, Statement, glob_matches};
use crate::ports::{PortErrorKind, RoleAssumer};
use crate::synth::VERIFY_SESSION_NAME;
use std::collections::BTreeSet;

/// The longest session policy that STS takes.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const SESSION_POLICY_CHARACTERS: usize = 2_048;

/// A connection in somebody's name.
pub(super) enum Actor<'a, C> {
    /// The caller's own.
    Caller(&'a C),
    /// That of a session.
    Session(C),
}

impl<C> Actor<'_, C> {
    pub(super) fn connection(&self) -> &C {
        match self {
            Self::Caller(connection) => connection,
            Self::Session(connection) => connection,
        }
    }
}

/// Somebody with a part in a key, and a connection in its name or the reason why there is none.
pub(super) struct Member<'a, C> {
    pub(super) duty: Duty<'a>,
    pub(super) actor: Result<Actor<'a, C>, String>,
}

/// Who assumes the roles.
pub(super) enum Assumer<'a, C> {
    /// The caller is the `[verify]` principal, or the sandbox's user.
    Caller(&'a C),
    /// A session of the `[verify]` role.
    Verifier(C),
    /// Nobody, for this reason.
    Nobody(String),
}

/// Finds out, once for a target, who assumes roles.
pub(super) async fn assumer<'a, C, M>(job: &TargetJob<'a, C, M>) -> Assumer<'a, C>
where
    C: RoleAssumer<Assumed = C> + Sync,
{
    if job.as_roles == AsRoles::No {
        return Assumer::Nobody("roles are assumed with --as-roles only".to_owned());
    }
    let sandbox = job.live.backend == Backend::Sandbox;
    let nobody = |reason: String| if sandbox { Assumer::Caller(job.connection) } else { Assumer::Nobody(reason) };
    let Some(verifier) = &job.target.verifier else {
        return nobody("the manifest names no [verify] principal".to_owned());
    };
    if is_caller(verifier, &job.live.caller, job.target) {
        return Assumer::Caller(job.connection);
    }
    let name = verifier.name();
    let Some(role) = verifier.arn().and_then(|arn| arn.as_str().parse::<RoleArn>().ok()) else {
        return nobody(format!("roles are assumed as the [verify] principal: run as {name}"));
    };
    let policy = assuming(&verifiable(job));
    match job.connection.assume(&role, VERIFY_SESSION_NAME, Some(&policy)).await {
        Ok(session) => Assumer::Verifier(session),
        Err(error) => nobody(format!("the [verify] principal {name} could not be assumed: {}", notes::words(&error))),
    }
}

/// Returns whether a principal is the caller.
pub(super) fn is_caller(principal: &Principal, caller: &Caller, target: &DesiredTarget) -> bool {
    principal.arn().is_some_and(|arn| *arn == caller.principal || *arn == caller.arn)
        || principal
            .arn_patterns(target.region.partition())
            .iter()
            .any(|pattern| glob_matches(pattern, caller.principal.as_str()))
}

fn verifiable<C, M>(job: &TargetJob<'_, C, M>) -> Vec<String> {
    let account = job.desired.account(&job.target.account);
    let roles = account.into_iter().flat_map(|account| account.known_roles.values());
    roles.filter(|role| role.verifiable == Verifiable::Yes).map(|role| role.arn.to_string()).collect()
}

/// Returns the session policy of the verifier: it assumes the verifiable roles, and nothing else.
fn assuming(roles: &[String]) -> PolicyDocument {
    let statement = || Statement::allow("AssumeVerifiableRoles", ["sts:AssumeRole"]);
    let exact = PolicyDocument::new(vec![statement().resources(roles.iter().cloned())]);
    let fits = !roles.is_empty() && exact.to_compact().len() <= SESSION_POLICY_CHARACTERS;
    if fits { exact } else { PolicyDocument::new(vec![statement()]) }
}

/// Returns the session policy of a role under test: the probed actions on the key alone, in contexts of ours or none.
/// What is probed for a denial is allowed here: else the denial would be this policy's.
fn probing(subject: &Subject<'_>) -> PolicyDocument {
    let ours = |statement: Statement| {
        let key = format!("kms:EncryptionContext:{}", context::PROBE_KEY);
        statement.when("StringLikeIfExists", &key, [format!("{}*", context::PROBE_VALUE)])
    };
    let key = [subject.facts.arn.clone()];
    let uses: BTreeSet<&str> =
        Use::of(subject.desired.shape()).into_iter().flat_map(|what| what.actions().iter().copied()).collect();
    let reads = Read::of(subject.desired).iter().map(|read| read.action());
    PolicyDocument::new(vec![
        ours(Statement::allow("Uses", uses).resources(key.clone())),
        Statement::allow("Reads", reads).resources(key),
    ])
}

/// Whom to bring together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everybody who has a part in the key.
    Everybody,
    /// Those who use it.
    Users,
}

/// Brings people together who have a part in a key and can be probed; without `--as-roles` that is the caller.
pub(super) async fn members<'a, C, M>(
    job: &TargetJob<'a, C, M>,
    subject: &Subject<'a>,
    assumer: &Assumer<'a, C>,
    wanted: Wanted,
) -> Vec<Member<'a, C>>
where
    C: RoleAssumer<Assumed = C> + Sync,
{
    let policy = probing(subject);
    let mut members = Vec::new();
    let all = duties(job.target, subject.desired).into_iter();
    for duty in all.filter(|duty| wanted == Wanted::Everybody || duty.is_user()) {
        let actor = if is_caller(duty.principal, &job.live.caller, job.target) {
            Ok(Actor::Caller(job.connection))
        } else if job.as_roles == AsRoles::No {
            continue;
        } else {
            become_role(job, duty.principal, assumer, &policy).await
        };
        members.push(Member { duty, actor });
    }
    members
}

/// Returns whether a call in the name of some user of a key can at least be tried.
pub(super) fn has_callable_user<C, M>(job: &TargetJob<'_, C, M>, key: &DesiredKey) -> bool {
    key.users.iter().any(|user| {
        is_caller(&user.principal, &job.live.caller, job.target)
            || (job.as_roles == AsRoles::Yes && known(job, &user.principal).is_ok())
    })
}

async fn become_role<'a, C, M>(
    job: &TargetJob<'a, C, M>,
    principal: &Principal,
    assumer: &Assumer<'a, C>,
    policy: &PolicyDocument,
) -> Result<Actor<'a, C>, String>
where
    C: RoleAssumer<Assumed = C> + Sync,
{
    let role = known(job, principal)?;
    let from = match assumer {
        Assumer::Caller(connection) => *connection,
        Assumer::Verifier(session) => session,
        Assumer::Nobody(reason) => return Err(reason.clone()),
    };
    let mut answer = from.assume(&role.arn, VERIFY_SESSION_NAME, Some(policy)).await;
    let refused = answer.as_ref().err().is_some_and(|error| error.kind == PortErrorKind::Denied);
    // The roles that the sandbox seeds trust its user, and know of no verifier.
    if refused && job.live.backend == Backend::Sandbox && matches!(assumer, Assumer::Verifier(_)) {
        answer = job.connection.assume(&role.arn, VERIFY_SESSION_NAME, Some(policy)).await;
    }
    answer.map(Actor::Session).map_err(|error| format!("it could not be assumed: {}", notes::words(&error)))
}

/// Returns the declared role that a principal is, if the self-test may assume it.
fn known<'j, C, M>(job: &TargetJob<'j, C, M>, principal: &Principal) -> Result<&'j KnownRole, String> {
    let Principal::Role { name, .. } = principal else {
        return Err("it is no role of the manifest".to_owned());
    };
    let role = job.desired.account(&job.target.account).and_then(|account| account.known_roles.get(name));
    match role {
        Some(role) if role.verifiable == Verifiable::Yes => Ok(role),
        Some(_) | None => Err("the role is not `verifiable`".to_owned()),
    }
}
