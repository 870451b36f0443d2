//! STS: who am I, roles assumed, session tokens.

use super::call::{Call, Handler, with};
use super::error::ApiError;
use super::iam;
use super::identity::{self, session_arn};
use super::random;
use super::state::{Entity, Session, SessionOf, State, entity};
use super::wire_query::iso;
use crate::access::{PrincipalType, evaluate_trust};
use crate::ids::{PrincipalArn, PrincipalKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Every operation, by name.
pub(super) const OPERATIONS: &[(&str, Handler)] =
    &[("GetCallerIdentity", caller_identity), ("AssumeRole", assume_role), ("GetSessionToken", session_token)];

/// `GetCallerIdentity`, which needs no permission.
#[expect(clippy::unnecessary_wraps, reason = "the form of every handler")]
fn caller_identity(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let caller = call.caller;
    Ok(json!({ "Arn": caller.arn(), "UserId": caller.user_id, "Account": caller.account }))
}

/// `AssumeRole`.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn assume_role(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    for later in ["Tags", "PolicyArns", "ProvidedContexts", "SourceIdentity", "SerialNumber", "TokenCode"] {
        if params.has(later) {
            return Err(params.invalid(format!("{later} is not in this sandbox yet")));
        }
    }
    let session = session_name(call)?;
    let policy = params.bounded("Policy", 2048)?;
    let text = params.required("RoleArn")?;
    let arn: PrincipalArn = text.parse().map_err(|_| params.invalid(format!("{text} is invalid")))?;
    let name = arn.role_name().filter(|_| arn.kind() == PrincipalKind::Role).unwrap_or_default().to_owned();
    let mut request = call.request("sts:AssumeRole", text);
    with(&mut request, "sts:RoleSessionName", session);
    if let Some(id) = params.text("ExternalId")? {
        with(&mut request, "sts:ExternalId", id);
    }
    let role = call.state.roles.get(&entity(&arn.account(), &name)).filter(|role| role.arn == text).cloned();
    let trusted =
        |role: &Entity| evaluate_trust(&request, &call.caller.facts, &identity::parse(&role.trust)).is_allowed();
    let role = role.filter(trusted).ok_or_else(|| {
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {text}", call.caller.arn());
        ApiError::new("AccessDenied", message).status(403)
    })?;
    let seconds = duration(call, role.max_session)?;
    if let Some(policy) = policy {
        iam::check_session_policy(policy)?;
    }
    let of = SessionOf::Role {
        name: role.name.clone(),
        id: role.id.clone(),
        session: session.to_owned(),
        policy: policy.map(str::to_owned),
    };
    let credentials = issue(call, &role.account.clone(), seconds, of);
    Ok(json!({
        "Credentials": credentials,
        "AssumedRoleUser": { "AssumedRoleId": format!("{}:{session}", role.id), "Arn": session_arn(&role, session) },
        "PackedPolicySize": policy.map(|policy| policy.len() * 100 / 2048),
    }))
}

/// Forgets temporary credentials; what has expired is told apart from what never was for a week.
pub(super) fn forget_sessions(state: &mut State, wall: Timestamp) {
    let forgotten = |expires: Timestamp| wall.duration_since(expires) > SignedDuration::from_hours(7 * 24);
    for id in state.sessions.names_where(|session| forgotten(session.expires)) {
        state.sessions.remove(&id);
    }
}

fn session_name<'a>(call: &Call<'a>) -> Result<&'a str, ApiError> {
    let name = call.params.required("RoleSessionName")?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if (2..=64).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(name);
    }
    let rule = "Member must satisfy regular expression pattern: [\\w+=,.@-]*, and have 2 to 64 characters";
    Err(call.params.constraint("RoleSessionName", name, rule))
}

/// Returns how long a session lasts: within the role's limit, and at most an hour when roles are chained.
fn duration(call: &Call<'_>, most: i64) -> Result<i64, ApiError> {
    let seconds = call.params.within("DurationSeconds", 900..=43200)?;
    if seconds.is_some_and(|seconds| seconds > most) {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(call.params.invalid(message));
    }
    if call.caller.facts.kind == PrincipalType::RoleSession && seconds.is_some_and(|seconds| seconds > 3600) {
        let message =
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
        return Err(call.params.invalid(message));
    }
    Ok(seconds.unwrap_or(3600))
}

/// Makes temporary credentials.
fn issue(call: &mut Call<'_>, account: &crate::ids::AccountId, seconds: i64, of: SessionOf) -> Value {
    let id = random::unique_id("ASIA").get(..20).unwrap_or_default().to_owned();
    let expires = call.wall.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(call.wall);
    let session = Session { account: account.clone(), secret: random::hex(20), token: random::hex(64), expires, of };
    let credentials = json!({
        "AccessKeyId": id,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": iso(expires),
    });
    call.state.sessions.insert(id, session);
    credentials
}

/// `GetSessionToken`, for users alone.
fn session_token(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    for later in ["SerialNumber", "TokenCode"] {
        if params.has(later) {
            return Err(params.invalid(format!("{later} is not in this sandbox yet")));
        }
    }
    let caller = call.caller;
    if caller.temporary || caller.facts.kind != PrincipalType::User {
        let message = "Cannot call GetSessionToken with session credentials";
        return Err(ApiError::new("AccessDenied", message).status(403));
    }
    let seconds = params.within("DurationSeconds", 900..=129_600)?.unwrap_or(43_200);
    let name = caller.arn().rsplit('/').next().unwrap_or_default().to_owned();
    let credentials = issue(call, &caller.account, seconds, SessionOf::User { name });
    Ok(json!({ "Credentials": credentials }))
}
