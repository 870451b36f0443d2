//! All identities and keys of an account, read by our adapter from servers that others wrote.

use crate::process::{Outcome, Server, demand, free_port};
use keywright::access::{Decision, Guardrails, Request, decide};
use keywright::aws::{ConnectSettings, Connection, Credentials, Endpoint, Pacing, connect};
use keywright::ids::Region;
use keywright::live::{Backend, LiveIdentities, LiveIdentity, PolicyPlace, PolicySource};
use keywright::read::{ReadOptions, every_key, key_named, read_identities};
use keywright::secret::SecretText;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const ACCOUNT: &str = "111122223333";
const OF_AWS: &str = "arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser";

fn sdk_config(port: u16, access_key: &str) -> aws_config::SdkConfig {
    let credentials = aws_credential_types::Credentials::new(access_key, "secret", None, None, "test");
    aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-west-1"))
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
        .build()
}

async fn connection(port: u16, access_key: &str) -> Outcome<Connection> {
    let settings = ConnectSettings {
        endpoint: Endpoint::Url(format!("http://127.0.0.1:{port}")),
        credentials: Credentials::Static {
            access_key: access_key.to_owned(),
            secret: SecretText::new("secret".to_owned()),
        },
        pacing: Pacing::None,
        ..ConnectSettings::new("eu-west-1".parse()?)
    };
    Ok(connect(&settings).await?)
}

fn allow(action: &str) -> String {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] })
        .to_string()
}

/// Makes a role and a user with a policy from every source there is.
async fn furnish(iam: &aws_sdk_iam::Client) -> Outcome<()> {
    let policy = iam.create_policy().policy_name("shared").policy_document(allow("kms:Sign")).send().await?;
    let shared = policy.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
    let version = iam.create_policy_version().policy_arn(&shared).policy_document(allow("kms:Decrypt"));
    version.set_as_default(true).send().await?;
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "ec2.amazonaws.com" } }] });
    let role = iam.create_role().role_name("app").path("/team/").assume_role_policy_document(trust.to_string());
    let tag = aws_sdk_iam::types::Tag::builder().key("team").value("a b").build()?;
    role.tags(tag).permissions_boundary(&shared).send().await?;
    let inline = iam.put_role_policy().role_name("app").policy_name("own");
    inline.policy_document(allow("kms:Encrypt")).send().await?;
    iam.attach_role_policy().role_name("app").policy_arn(OF_AWS).send().await?;
    iam.create_user().user_name("ann").send().await?;
    iam.create_group().group_name("staff").send().await?;
    iam.add_user_to_group().group_name("staff").user_name("ann").send().await?;
    let inline = iam.put_group_policy().group_name("staff").policy_name("of-group");
    inline.policy_document(allow("kms:DescribeKey")).send().await?;
    iam.attach_group_policy().group_name("staff").policy_arn(&shared).send().await?;
    Ok(())
}

fn find<'a>(live: &'a LiveIdentities, resource: &str) -> Outcome<&'a LiveIdentity> {
    let found = live.principals.iter().find(|identity| identity.arn.arn().resource() == resource);
    found.ok_or_else(|| format!("no {resource}: {:?}", live.unreadable).into())
}

/// What both servers tell right.
fn check(live: &LiveIdentities) -> Outcome<()> {
    demand(live.account.as_str() == ACCOUNT && live.unreadable.is_empty(), || format!("{:?}", live.unreadable))?;
    let app = find(live, "role/team/app")?;
    demand(app.trust.is_some() && app.tags.get("team").map(String::as_str) == Some("a b"), || format!("{app:?}"))?;
    let ann = find(live, "user/ann")?;
    let sources: Vec<String> = ann.policies.iter().map(|policy| policy.source.to_string()).collect();
    let shared = format!("policy arn:aws:iam::{ACCOUNT}:policy/shared of group staff");
    demand(sources == ["policy of-group of group staff".to_owned(), shared], || format!("{sources:?}"))
}

/// The keys of the account, and what the user may do with one whose policy leaves it to IAM.
async fn check_keys(connection: &Connection, kms: &aws_sdk_kms::Client, ann: &LiveIdentity) -> Outcome<()> {
    let made = kms.create_key().send().await?.key_metadata.ok_or("no key")?;
    kms.create_alias().alias_name("alias/shop/a").target_key_id(&made.key_id).send().await?;
    let region: Region = "eu-west-1".parse()?;
    let options = ReadOptions::new(Backend::Endpoint);
    let every = every_key(connection, &region, &options).await?;
    let every = every.known().ok_or("keys are not to be read")?;
    demand(every.keys.iter().any(|key| key.arn.key_id().as_str() == made.key_id), || format!("{every:?}"))?;
    let named = key_named(connection, &region, "alias/shop/a").await?;
    let key = named.facts().map_err(|gap| gap.to_string())?;
    demand(key.facts.aliases == ["alias/shop/a"] && key.gaps.is_empty(), || format!("{key:?}"))?;
    for (action, allowed) in [("kms:DescribeKey", true), ("kms:Decrypt", true), ("kms:Sign", false)] {
        let request = Request::new(action, key.facts.arn.clone(), region.clone());
        let decision = decide(&request, &ann.facts().facts, Some(&key.facts), &Guardrails::default());
        demand((decision == Decision::Allow) == allowed, || format!("{action}: {decision:?}"))?;
    }
    Ok(())
}

async fn read(port: u16, access_key: &str) -> Outcome<LiveIdentities> {
    let config = sdk_config(port, access_key);
    furnish(&aws_sdk_iam::Client::new(&config)).await?;
    let connection = connection(port, access_key).await?;
    let live = read_identities(&connection).await?.known().cloned().ok_or("identities are not to be read")?;
    check(&live)?;
    check_keys(&connection, &aws_sdk_kms::Client::new(&config), find(&live, "user/ann")?).await?;
    Ok(live)
}

/// moto lists every policy that AWS has, with its text.
pub(crate) fn moto(python: &Path) -> Outcome<()> {
    let port = free_port()?;
    let mut command = Command::new(python.with_file_name("moto_server"));
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("MOTO_ACCOUNT_ID", ACCOUNT);
    command.env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true");
    let _server = Server::start(&mut command, port)?;
    let live = tokio::runtime::Runtime::new()?.block_on(read(port, "AKIAIOSFODNN7EXAMPLE"))?;
    let app = find(&live, "role/team/app")?;
    demand(app.unreadable.is_empty() && app.policies.len() == 2, || format!("{app:?}"))?;
    let boundary = app.boundary.as_ref().and_then(|boundary| boundary.document.as_ref());
    let expected: Value = serde_json::from_str(&allow("kms:Decrypt"))?;
    demand(boundary.map(keywright::policy::PolicyDocument::to_json_value) == Some(expected), || format!("{boundary:?}"))
}

/// ministack has no text of AWS's own policies, which is not the same as that they allow nothing.
pub(crate) fn ministack(python: &Path) -> Outcome<()> {
    let port = free_port()?;
    let home = tempfile::tempdir()?;
    let mut command = Command::new(python.with_file_name("ministack"));
    command.envs([("AUTH", "true"), ("IOT_MTLS_ENABLED", "0"), ("BIND_HOST", "127.0.0.1")]);
    command.env("GATEWAY_PORT", port.to_string()).env("HOME", home.path()).current_dir(home.path());
    let _server = Server::start(&mut command, port)?;
    let live = tokio::runtime::Runtime::new()?.block_on(read(port, ACCOUNT))?;
    let app = find(&live, "role/team/app")?;
    let of_aws = PolicyPlace::Identity(PolicySource::Managed { arn: OF_AWS.to_owned() });
    let places: Vec<&PolicyPlace> = app.unreadable.iter().map(|policy| &policy.place).collect();
    demand(places == [&of_aws], || format!("{app:?}"))?;
    demand(app.facts().gaps.len() == 1, || format!("{:?}", app.facts()))
}
