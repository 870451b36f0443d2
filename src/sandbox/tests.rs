//! The sandbox as the real SDK sees it, over loopback.

mod keys;

use super::*;
use crate::ids::AccountId;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use jiff::SignedDuration;

/// The account of most tests.
pub(super) const ACCOUNT: &str = "111122223333";

/// A clock that tests move.
#[derive(Debug)]
pub(super) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(super) fn pass(&self, time: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now = *now + time;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A sandbox under test.
pub(super) struct Bench {
    pub(super) sandbox: RunningSandbox,
    pub(super) clock: Arc<TestClock>,
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::with(StateLocation::Memory, "").await
    }

    pub(super) async fn with(state: StateLocation, faults: &str) -> Self {
        let clock = Arc::new(TestClock(Mutex::new(Timestamp::now())));
        let faults = Faults::parse(faults).unwrap();
        let config = SandboxConfig { state, port: 0, clock: Arc::<TestClock>::clone(&clock), faults };
        Self { sandbox: Sandbox::start(config).await.unwrap(), clock }
    }

    /// The built-in administrator.
    pub(super) fn admin(&self) -> Client {
        self.admin_of(ACCOUNT)
    }

    pub(super) fn admin_of(&self, account: &str) -> Client {
        let (id, secret) = credentials(&account.parse::<AccountId>().unwrap());
        self.client(Credentials::new(id, secret.expose_secret(), None, None, "test"), "eu-west-1")
    }

    pub(super) fn client(&self, credentials: Credentials, region: &str) -> Client {
        Client { endpoint: self.sandbox.endpoint(), credentials, region: region.to_owned() }
    }
}

/// Clients of one identity.
#[derive(Clone)]
pub(super) struct Client {
    endpoint: String,
    credentials: Credentials,
    region: String,
}

macro_rules! sdk {
    ($($method:ident $sdk:ident),*) => {
        impl Client {
            $(pub(super) fn $method(&self) -> $sdk::Client {
                let config = $sdk::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::new(self.region.clone()))
                    .endpoint_url(&self.endpoint)
                    .credentials_provider(self.credentials.clone())
                    .retry_config(RetryConfig::disabled());
                $sdk::Client::from_conf(config.build())
            })*
        }
    };
}
sdk!(kms aws_sdk_kms, iam aws_sdk_iam, sts aws_sdk_sts, tagging aws_sdk_resourcegroupstagging);

impl Client {
    pub(super) fn region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.clone() }
    }

    /// Creates a key and returns its id.
    pub(super) async fn key(&self) -> String {
        self.kms().create_key().send().await.unwrap().key_metadata.unwrap().key_id
    }

    /// Creates a key with a policy and returns its id.
    pub(super) async fn key_with(&self, policy: impl ToString) -> String {
        let create = self.kms().create_key().policy(policy.to_string());
        create.send().await.unwrap().key_metadata.unwrap().key_id
    }
}

/// The code of a refusal; panics on success and on failures without an answer.
pub(super) fn code<T, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    result: Result<T, SdkError<E, R>>,
) -> String {
    let Err(error) = result else { panic!("the call succeeded") };
    let error = error.as_service_error().unwrap_or_else(|| panic!("no answer: {error:?}"));
    assert!(error.message().is_some_and(|message| !message.is_empty()), "a message is missing: {error:?}");
    error.code().unwrap().to_owned()
}
