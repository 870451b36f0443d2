//! Credentials: resolved once, kept, and renewed before they expire.

use super::call::{Call, Gate};
use super::error::chain_text;
use super::settings;
use crate::ids::RoleArn;
use crate::ports::{PortError, PortErrorKind, PortResult};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// How long before they expire credentials are renewed.
const RENEW_BEFORE: Duration = Duration::from_mins(5);
/// The name of keywright's own sessions.
const SESSION_NAME: &str = "keywright";

/// Where credentials come from.
enum Source {
    /// The SDK's providers.
    Provider(SharedCredentialsProvider),
    /// A role, assumed with other credentials.
    Role { sts: aws_sdk_sts::Client, gate: Arc<Gate>, role: RoleArn, external_id: Option<String> },
    /// Given, never renewed.
    Fixed,
}

/// Credentials that are kept until shortly before they expire.
pub(super) struct KeptCredentials {
    source: Source,
    kept: Mutex<Option<Credentials>>,
}

impl fmt::Debug for KeptCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptCredentials(redacted)")
    }
}

impl KeptCredentials {
    /// Returns those of an SDK provider.
    pub(super) fn from_provider(provider: SharedCredentialsProvider) -> Self {
        Self { source: Source::Provider(provider), kept: Mutex::new(None) }
    }

    /// Returns those of a role.
    pub(super) fn assumed(
        sts: aws_sdk_sts::Client,
        gate: Arc<Gate>,
        role: RoleArn,
        external_id: Option<String>,
    ) -> Self {
        Self { source: Source::Role { sts, gate, role, external_id }, kept: Mutex::new(None) }
    }

    /// Returns those given.
    pub(super) fn fixed(credentials: Credentials) -> Self {
        Self { source: Source::Fixed, kept: Mutex::new(Some(credentials)) }
    }

    /// Returns credentials that are good for a while.
    pub(super) async fn obtain(&self) -> PortResult<Credentials> {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|credentials| self.is_good(credentials)) {
            return Ok(credentials.clone());
        }
        let fresh = self.fetch().await?;
        *kept = Some(fresh.clone());
        Ok(fresh)
    }

    fn is_good(&self, credentials: &Credentials) -> bool {
        match self.source {
            Source::Fixed => true,
            Source::Provider(_) | Source::Role { .. } => {
                credentials.expiry().is_none_or(|expiry| expiry > SystemTime::now() + RENEW_BEFORE)
            }
        }
    }

    async fn fetch(&self) -> PortResult<Credentials> {
        let failure = |message: String| PortError::new(PortErrorKind::Credentials, "credentials", message);
        match &self.source {
            Source::Provider(provider) => {
                provider.provide_credentials().await.map_err(|error| failure(chain_text(&error)))
            }
            Source::Role { sts, gate, role, external_id } => {
                let external_id = external_id.as_deref();
                assume_role(sts, gate, &Session { role, name: SESSION_NAME, external_id, policy: None }).await
            }
            Source::Fixed => Err(failure("the session's credentials are gone".to_owned())),
        }
    }
}

impl ProvideCredentials for KeptCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.obtain().await.map_err(CredentialsError::provider_error) })
    }
}

/// A session of a role.
pub(super) struct Session<'a> {
    /// The role.
    pub(super) role: &'a RoleArn,
    /// The session's name.
    pub(super) name: &'a str,
    /// The external id that the role's trust policy asks for.
    pub(super) external_id: Option<&'a str>,
    /// A policy that limits the session, as JSON.
    pub(super) policy: Option<&'a str>,
}

/// Assumes a role. A second call makes a second session and changes nothing, so it may be repeated.
pub(super) async fn assume_role(
    sts: &aws_sdk_sts::Client,
    gate: &Gate,
    session: &Session<'_>,
) -> PortResult<Credentials> {
    const CALL: Call = Call::harmless("sts:AssumeRole");
    let output = gate
        .send(CALL, || {
            sts.assume_role()
                .role_arn(session.role.as_str())
                .role_session_name(session.name)
                .set_external_id(session.external_id.map(str::to_owned))
                .set_policy(session.policy.map(str::to_owned))
                .send()
        })
        .await
        .map_err(|error| not_assumed(session.role, error))?;
    let Some(given) = output.credentials else {
        return Err(PortError::new(PortErrorKind::Protocol, CALL.name, "the answer holds no credentials"));
    };
    let expiry = SystemTime::try_from(given.expiration).map_err(|_| {
        PortError::new(PortErrorKind::Protocol, CALL.name, "the answer's expiry is not a time of this calendar")
    })?;
    let token = Some(given.session_token);
    Ok(Credentials::new(given.access_key_id, given.secret_access_key, token, Some(expiry), "keywright"))
}

/// A role that may not be assumed is a matter of credentials: no read of a key was denied.
fn not_assumed(role: &RoleArn, mut error: PortError) -> PortError {
    if matches!(error.kind, PortErrorKind::Denied | PortErrorKind::NotFound) {
        error.kind = PortErrorKind::Credentials;
    }
    error.message = format!(
        "cannot assume {role}: {}; its trust policy must name the caller (and the external id, if it asks for one), \
         and the caller's own policies must allow sts:AssumeRole",
        error.message
    );
    error
}

/// Returns the error for credentials that could not be had, with the next step.
pub(super) fn no_credentials(wanted: &settings::Credentials, cause: &str) -> PortError {
    // The SDK lists its providers a line each.
    let cause = cause.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let message = match wanted {
        settings::Credentials::Chain => format!(
            "no AWS credentials: {cause}; set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, log in with \
             `aws sso login`, or try --sandbox, which needs none"
        ),
        settings::Credentials::Profile(name) => format!(
            "no AWS credentials from profile `{name}`: {cause}; check it in the AWS configuration files, or log in \
             with `aws sso login --profile {name}`"
        ),
        settings::Credentials::Static { .. } => format!("no AWS credentials: {cause}"),
    };
    PortError::new(PortErrorKind::Credentials, "credentials", message)
}
