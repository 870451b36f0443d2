//! How to reach an account and Region, and the SDK configuration that follows from it.

use super::credentials::{KeptCredentials, no_credentials};
use super::pace::SharedPace;
use crate::ids::{Region, RoleArn};
use crate::ports::PortResult;
use crate::secret::SecretText;
use aws_config::identity::IdentityCache;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, FrameworkMetadata, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use std::time::Duration;

/// Where the services answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// At AWS, or where the SDK's own settings (`AWS_ENDPOINT_URL`, the profile) say.
    Aws,
    /// All four services at one URL.
    Url(String),
    /// The sandbox, at a URL: it lets its callers play the services that forward calls.
    Sandbox(String),
}

/// Where the first credentials come from.
#[derive(Debug)]
pub enum Credentials {
    /// The SDK's default chain: environment, profile, container, instance.
    Chain,
    /// A profile of the AWS configuration files, whatever the environment says.
    Profile(String),
    /// An access key. Neither the environment nor any file is read then.
    Static {
        /// The access key id.
        access_key: String,
        /// The secret access key.
        secret: SecretText,
    },
}

/// Whether calls are held back to AWS's request quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pacing {
    /// They are.
    Quotas,
    /// They are not: the sandbox and emulators have none.
    None,
}

/// How often, and for how long, a call that may be repeated is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// The most times that a call is sent.
    pub attempts: u32,
    /// The time after which it is not sent again.
    pub total: Duration,
    /// The longest first wait; it doubles from one to the next.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            attempts: 5,
            total: Duration::from_secs(30),
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(5),
        }
    }
}

/// How to reach an account and Region.
#[derive(Debug)]
pub struct ConnectSettings {
    /// The Region.
    pub region: Region,
    /// Where the services answer.
    pub endpoint: Endpoint,
    /// Where the first credentials come from.
    pub credentials: Credentials,
    /// The role to assume with them, and its external id.
    pub assume_role: Option<(RoleArn, Option<String>)>,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long one attempt of a call may take.
    pub attempt_timeout: Duration,
    /// How many calls may be under way at once.
    pub parallel: usize,
    /// Whether calls are held back to AWS's request quotas.
    pub pacing: Pacing,
    /// The pace of the account and Region, where other connections go there too; `None`: one of its own.
    pub pace: Option<SharedPace>,
    /// How often a call that may be repeated is repeated.
    pub retry: RetryBudget,
}

impl ConnectSettings {
    /// Returns the usual settings for AWS itself.
    pub fn new(region: Region) -> Self {
        Self {
            region,
            endpoint: Endpoint::Aws,
            credentials: Credentials::Chain,
            assume_role: None,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(20),
            parallel: 8,
            pacing: Pacing::Quotas,
            pace: None,
            retry: RetryBudget::default(),
        }
    }
}

/// Returns the SDK's configuration, with credentials that were resolved once.
pub(super) async fn base_config(settings: &ConnectSettings) -> PortResult<SdkConfig> {
    let config = match &settings.credentials {
        Credentials::Static { access_key, secret } => static_config(settings, access_key, secret),
        Credentials::Chain => loader(settings).load().await,
        Credentials::Profile(name) => {
            let provider_config = ProviderConfig::without_region().with_region(Some(sdk_region(settings)));
            let profile =
                ProfileFileCredentialsProvider::builder().configure(&provider_config).profile_name(name).build();
            loader(settings).profile_name(name).credentials_provider(profile).load().await
        }
    };
    let Some(provider) = config.credentials_provider() else {
        return Err(no_credentials(&settings.credentials, "the SDK found no provider"));
    };
    let kept = KeptCredentials::from_provider(provider);
    kept.obtain().await.map_err(|error| no_credentials(&settings.credentials, &error.message))?;
    Ok(with_credentials(&config, kept))
}

/// Returns the same configuration with other credentials.
pub(super) fn with_credentials(config: &SdkConfig, kept: KeptCredentials) -> SdkConfig {
    // A cache of its own: one that is shared would go on handing out the former identity.
    let cache = IdentityCache::lazy().build();
    config.to_builder().credentials_provider(SharedCredentialsProvider::new(kept)).identity_cache(cache).build()
}

fn sdk_region(settings: &ConnectSettings) -> aws_config::Region {
    aws_config::Region::new(settings.region.as_str().to_owned())
}

fn timeouts(settings: &ConnectSettings) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(settings.connect_timeout)
        .operation_attempt_timeout(settings.attempt_timeout)
        .build()
}

/// The part of the user agent that the SDK lets programs choose.
fn user_agent() -> (Option<AppName>, Option<FrameworkMetadata>) {
    let framework = FrameworkMetadata::new("keywright", Some(env!("CARGO_PKG_VERSION"))).ok();
    (AppName::new("keywright").ok(), framework)
}

/// Reads the environment and the AWS configuration files, as every AWS tool does.
fn loader(settings: &ConnectSettings) -> aws_config::ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(sdk_region(settings))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(settings))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    let (app, framework) = user_agent();
    if let Some(app) = app {
        loader = loader.app_name(app);
    }
    if let Some(framework) = framework {
        loader = loader.framework_metadata(framework);
    }
    match &settings.endpoint {
        Endpoint::Aws => loader,
        Endpoint::Url(url) | Endpoint::Sandbox(url) => loader.endpoint_url(url),
    }
}

/// Reads nothing: what is not in the settings has the SDK's default.
fn static_config(settings: &ConnectSettings, access_key: &str, secret: &SecretText) -> SdkConfig {
    let credentials =
        aws_credential_types::Credentials::new(access_key, secret.expose_secret(), None, None, "keywright");
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(sdk_region(settings))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(settings))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    let (app, framework) = user_agent();
    builder.set_app_name(app);
    if let Some(framework) = framework {
        builder = builder.framework_metadata(framework);
    }
    match &settings.endpoint {
        Endpoint::Aws => builder.build(),
        Endpoint::Url(url) | Endpoint::Sandbox(url) => builder.endpoint_url(url).build(),
    }
}
