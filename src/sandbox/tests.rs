//! The sandbox as the real SDK sees it, over loopback.

mod agreement;
mod crypto;
mod enforcement;
mod grants;
mod iam;
mod identities;
mod keys;
mod pairs;
mod places;
mod signatures;
mod wire;

use super::*;
use crate::ids::AccountId;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The account of most tests.
pub(super) const ACCOUNT: &str = "111122223333";

/// A clock that tests move.
#[derive(Debug)]
pub(super) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(super) fn pass(&self, time: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now += time;
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

    /// Creates a role that the administrator may assume, with an identity policy if any, and assumes it.
    pub(super) async fn role(&self, name: &str, policy: Option<Value>) -> Client {
        let admin = self.admin();
        let trust = trust(&format!("arn:aws:iam::{ACCOUNT}:user/sandbox")).to_string();
        admin.iam().create_role().role_name(name).assume_role_policy_document(trust).send().await.unwrap();
        if let Some(policy) = policy {
            self.put_policy(name, policy).await;
        }
        admin.assume(name, None).await
    }

    pub(super) async fn put_policy(&self, role: &str, policy: Value) {
        let put = self.admin().iam().put_role_policy().role_name(role).policy_name("test");
        put.policy_document(policy.to_string()).send().await.unwrap();
    }

    pub(super) fn client(&self, credentials: Credentials, region: &str) -> Client {
        Client { endpoint: self.sandbox.endpoint(), credentials, region: region.to_owned() }
    }
}

/// Returns the ARN of a role of the test account.
pub(super) fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// Returns a document of one statement.
pub(super) fn allow(action: &str, resource: &str) -> Value {
    statements(json!([{ "Effect": "Allow", "Action": action, "Resource": resource }]))
}

pub(super) fn statements(statements: impl Into<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.into() })
}

/// Returns a key policy that gives the administrator everything, and whatever else is given.
pub(super) fn key_policy(others: Vec<Value>) -> Value {
    let admin = json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/sandbox") } });
    statements(std::iter::once(admin).chain(others).collect::<Value>())
}

/// Returns a trust policy.
pub(super) fn trust(principal: &str) -> Value {
    statements(json!([{ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": principal } }]))
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

    /// Creates a key of a spec and a usage and returns its id.
    pub(super) async fn key_of(&self, spec: &str, usage: &str) -> String {
        let create = self.kms().create_key().key_spec(spec.into()).key_usage(usage.into());
        create.send().await.unwrap().key_metadata.unwrap().key_id
    }

    /// Returns the public half of a key: its `SubjectPublicKeyInfo`.
    pub(super) async fn public(&self, key: &str) -> Vec<u8> {
        self.kms().get_public_key().key_id(key).send().await.unwrap().public_key.unwrap().into_inner()
    }

    /// Creates a key and returns its id.
    pub(super) async fn key(&self) -> String {
        self.kms().create_key().send().await.unwrap().key_metadata.unwrap().key_id
    }

    /// Assumes a role of the test account.
    pub(super) async fn assume(&self, role: &str, session_policy: Option<Value>) -> Client {
        let request = self.sts().assume_role().role_arn(role_arn(role)).role_session_name("test");
        let request = request.set_policy(session_policy.map(|policy| policy.to_string()));
        self.with_session(request.send().await.unwrap().credentials.unwrap())
    }

    pub(super) fn with_session(&self, session: aws_sdk_sts::types::Credentials) -> Client {
        let credentials = Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            None,
            "test",
        );
        Client { credentials, ..self.clone() }
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
