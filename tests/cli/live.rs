//! The sandbox from outside keywright: a test changes live keys behind its back, or serves it on an endpoint.

use crate::harness::Place;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use keywright::ids::AccountId;
use keywright::sandbox::{
    Faults, RunningSandbox, Sandbox, SandboxConfig, SeedKind, StateLocation, SystemClock, credentials,
};
use serde_json::Value;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The account of the tests.
pub const ACCOUNT: &str = "111122223333";
/// The deployer of [`SMALL`].
pub const DEPLOYER: &str = "arn:aws:iam::111122223333:role/deployer";

/// A manifest of two keys, small enough to read, with everybody that a key can have.
pub const SMALL: &str = r#"version = 1
stack = "shop"
id = "0b5c1f1e-6a43-4a5e-9d0f-2f6b8f1a7c55"

[target.prod]
account = "111122223333"
region = "eu-west-1"
deployers = ["deployer"]

[verify]
principal = "verifier"

[role.deployer]
kind = "deployer"
arn = "arn:aws:iam::111122223333:role/deployer"

[role.verifier]
kind = "verifier"
arn = "arn:aws:iam::111122223333:role/verifier"

[role.admin]
kind = "key-admin"
trust.aws = ["sso:Admin"]
verifiable = true

[role.app]
kind = "key-user"
trust.services = ["ecs-tasks.amazonaws.com"]
verifiable = true

[role.reports]
kind = "key-user"
trust.services = ["lambda.amazonaws.com"]
verifiable = true

[key.orders]
iam_delegation = "root-user"
admins = ["admin"]

[[key.orders.user]]
principal = "app"
can = ["encrypt", "decrypt", "generate-data-key"]

[[key.orders.user]]
principal = "reports"
can = ["decrypt"]

[key.notes]
iam_delegation = "root-user"
admins = ["admin"]

[[key.notes.user]]
principal = "app"
"#;

/// Returns a place with [`SMALL`] as `keywright.toml`, applied to its sandbox.
pub fn applied() -> Place {
    let place = Place::new();
    place.write("keywright.toml", SMALL);
    place.line("apply --sandbox --yes").ends(0);
    place
}

/// A sandbox that serves in this process.
pub struct Serving {
    runtime: Runtime,
    running: Option<RunningSandbox>,
}

impl Serving {
    /// Serves the state of a folder, or state in memory.
    pub fn start(state: StateLocation) -> Self {
        let runtime = Runtime::new().unwrap();
        let config = SandboxConfig { state, port: 0, clock: Arc::new(SystemClock), faults: Faults::none() };
        let running = runtime.block_on(Sandbox::start(config)).unwrap();
        Self { runtime, running: Some(running) }
    }

    /// Serves from memory, with roles that a manifest names by ARN.
    pub fn with_roles(roles: &[(&str, SeedKind)]) -> Self {
        let serving = Self::start(StateLocation::Memory);
        for (role, kind) in roles {
            serving.running().seed_principal(&role.parse().unwrap(), *kind).unwrap();
        }
        serving
    }

    fn running(&self) -> &RunningSandbox {
        self.running.as_ref().unwrap()
    }

    /// Returns its URL.
    pub fn endpoint(&self) -> String {
        self.running().endpoint()
    }

    /// Returns how often an operation was called since the start.
    pub fn calls(&self) -> std::collections::BTreeMap<String, u64> {
        self.running().call_counts()
    }

    /// Talks to KMS as the deployer of [`SMALL`].
    pub fn as_deployer<T>(&self, talk: impl AsyncFnOnce(&aws_sdk_kms::Client) -> T) -> T {
        self.runtime.block_on(async {
            let account: AccountId = ACCOUNT.parse().unwrap();
            let (access_key, secret) = credentials(&account);
            let user = Credentials::new(access_key, secret.expose_secret(), None, None, "test");
            let sts = aws_sdk_sts::Client::new(&self.config(user));
            let session = sts.assume_role().role_arn(DEPLOYER).role_session_name("test").send().await.unwrap();
            let session = session.credentials.unwrap();
            let session = Credentials::new(
                session.access_key_id,
                session.secret_access_key,
                Some(session.session_token),
                None,
                "test",
            );
            talk(&aws_sdk_kms::Client::new(&self.config(session))).await
        })
    }

    /// Talks to any service as the account's own user.
    pub fn as_user<T>(&self, talk: impl AsyncFnOnce(&SdkConfig) -> T) -> T {
        let (access_key, secret) = credentials(&ACCOUNT.parse().unwrap());
        let user = Credentials::new(access_key, secret.expose_secret(), None, None, "test");
        self.runtime.block_on(talk(&self.config(user)))
    }

    fn config(&self, credentials: Credentials) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(self.endpoint())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.shutdown());
        }
    }
}

/// Does something to the live keys of a place's sandbox, as the deployer.
pub fn behind_its_back(place: &Place, act: impl AsyncFnOnce(&aws_sdk_kms::Client)) {
    Serving::start(StateLocation::Folder(place.path(".keywright/sandbox"))).as_deployer(act);
}

/// Changes the live policy of a key of stack `shop`.
pub fn rewrite_policy(place: &Place, key: &str, change: impl FnOnce(&mut Value)) {
    behind_its_back(place, async |kms| {
        let id = key_id(kms, key).await;
        let live = kms.get_key_policy().key_id(&id).policy_name("default").send().await.unwrap();
        let mut policy = serde_json::from_str(&live.policy.unwrap()).unwrap();
        change(&mut policy);
        kms.put_key_policy().key_id(id).policy(policy.to_string()).send().await.unwrap();
    });
}

/// Returns the id of a key of stack `shop`.
pub async fn key_id(kms: &aws_sdk_kms::Client, key: &str) -> String {
    let alias = format!("alias/keywright/shop/{key}");
    kms.describe_key().key_id(alias).send().await.unwrap().key_metadata.unwrap().key_id
}
