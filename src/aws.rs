//! The adapter over the AWS SDK: the only module that names it. It paces, repeats, counts and classifies every call.

mod call;
mod credentials;
mod crypto;
mod error;
mod forwarded;
mod identities;
mod identity;
mod identity_policy;
mod key_reader;
mod key_writer;
mod metadata;
mod pace;
mod paging;
mod settings;
mod whoami;

#[cfg(test)]
mod tests;

pub use pace::SharedPace;
pub use settings::{ConnectSettings, Credentials, Endpoint, Pacing, RetryBudget};

use crate::ids::{AccountId, KeyArn, KeyId, Region};
use crate::live::Caller;
use crate::policy::PolicyDocument;
use crate::ports::{CallerReader as _, PortError, PortErrorKind, PortResult, RoleAssumer};
use aws_config::SdkConfig;
use call::Gate;
use credentials::KeptCredentials;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A connection to one account and Region, as one identity.
///
/// Clones share the clients, the counts, the pace and what is known of the caller.
#[derive(Clone)]
pub struct Connection {
    kms: aws_sdk_kms::Client,
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    tagging: aws_sdk_resourcegroupstagging::Client,
    gate: Arc<Gate>,
    config: SdkConfig,
    region: Region,
    caller: Arc<OnceCell<Caller>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("region", &self.region).field("gate", &self.gate).finish_non_exhaustive()
    }
}

/// Connects to an account and Region.
///
/// Credentials are resolved at once, the role is assumed at once: a connection that is returned can sign. The endpoint
/// is first spoken to by the first call.
pub async fn connect(settings: &ConnectSettings) -> PortResult<Connection> {
    let gate = Arc::new(Gate::new(settings));
    let mut config = settings::base_config(settings).await?;
    if let Some((role, external_id)) = &settings.assume_role {
        let sts = aws_sdk_sts::Client::new(&config);
        let kept = KeptCredentials::assumed(sts, Arc::clone(&gate), role.clone(), external_id.clone());
        kept.obtain().await?;
        config = settings::with_credentials(&config, kept);
    }
    Ok(Connection::new(config, gate, settings.region.clone()))
}

impl Connection {
    fn new(config: SdkConfig, gate: Arc<Gate>, region: Region) -> Self {
        Self {
            kms: aws_sdk_kms::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            tagging: aws_sdk_resourcegroupstagging::Client::new(&config),
            gate,
            config,
            region,
            caller: Arc::new(OnceCell::new()),
        }
    }

    /// Returns how often each call was sent, repetitions included, by this connection and those that it made by
    /// assuming roles.
    pub fn call_counts(&self) -> BTreeMap<String, u64> {
        self.gate.counts()
    }

    /// Returns the Region that is called.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Returns a key's ARN from what the server gave: an ARN, or, as some servers do, a bare id.
    async fn key_arn(&self, call: &str, given: Option<&str>) -> PortResult<KeyArn> {
        let Some(text) = given else {
            return Err(PortError::new(PortErrorKind::Protocol, call, "the answer names no key"));
        };
        if let Ok(arn) = text.parse::<KeyArn>() {
            return Ok(arn);
        }
        let id: KeyId =
            text.parse().map_err(|error| PortError::new(PortErrorKind::Protocol, call, format!("{error}")))?;
        let account: AccountId = self.caller().await?.account;
        Ok(KeyArn::new(self.region.partition(), &self.region, &account, &id))
    }
}

impl RoleAssumer for Connection {
    type Assumed = Self;

    async fn assume(
        &self,
        role: &crate::ids::RoleArn,
        session_name: &str,
        session_policy: Option<&PolicyDocument>,
    ) -> PortResult<Self> {
        let policy = session_policy.map(PolicyDocument::to_compact);
        let session = credentials::Session { role, name: session_name, external_id: None, policy: policy.as_deref() };
        let credentials = credentials::assume_role(&self.sts, &self.gate, &session).await?;
        let config = settings::with_credentials(&self.config, KeptCredentials::fixed(credentials));
        Ok(Self::new(config, Arc::clone(&self.gate), self.region.clone()))
    }
}
