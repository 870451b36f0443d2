//! The whole road against emulators that others wrote: what they do right must work, and what they do wrong must be seen.

use crate::process::{Outcome, Place, Server, demand, demand_in, free_port};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

pub(crate) const ACCOUNT: &str = "111122223333";

/// A manifest for an emulator: one key that an application uses, and one that the caller uses itself.
fn manifest(port: u16, enforces: &str, caller: &str) -> String {
    format!(
        r#"version = 1
stack = "emulated"
id = "0b5c1f1e-6a43-4a5e-9d0f-2f6b8f1a7c55"

[tags]
team = "tests"

[target.local]
account = "{ACCOUNT}"
region = "eu-west-1"
endpoint_url = "http://127.0.0.1:{port}"
enforces = {enforces}
deployers = ["{caller}"]

[role.admin]
kind = "key-admin"
trust.aws = ["{caller}"]

[role.app]
kind = "key-user"
description = "The shop"
trust.services = ["ecs-tasks.amazonaws.com"]

[key.orders]
description = "Orders"
iam_delegation = "root-user"
admins = ["admin"]
rotation = {{ every_days = 180 }}

[[key.orders.user]]
principal = "app"
can = ["encrypt", "decrypt"]

[key.shared]
iam_delegation = "account"
admins = ["admin"]
aliases = ["emulated/shared", "emulated/second"]

[[key.shared.user]]
principal = "app"
"#
    )
}

/// Plans, applies, plans; edits, plans, applies, plans.
fn cycle(place: &Place) -> Outcome<()> {
    demand_in(&place.run("plan --check", 4)?, "+ key orders")?;
    demand_in(&place.run("apply --yes", 0)?, "steps done")?;
    demand_in(&place.run("plan --check", 0)?, "nothing to change: 2 keys as declared")?;
    demand_in(&place.run("apply --yes", 0)?, "nothing to do")?;

    place.replace(r#"["encrypt", "decrypt"]"#, r#"["encrypt"]"#)?;
    place.replace("every_days = 180", "every_days = 90")?;
    place.replace("description = \"Orders\"", "description = \"All orders\"")?;
    place.replace("team = \"tests\"", "team = \"others\"")?;
    let plan = place.run("plan --check", 4)?;
    demand_in(&plan, "- app loses decrypt")?;
    demand_in(&plan, "All orders")?;
    place.run("apply --yes", 0)?;
    demand_in(&place.run("plan --check", 0)?, "nothing to change: 2 keys as declared")
}

/// Returns the probes of a self-test that ends with an exit code.
fn probes(place: &Place, code: i32) -> Outcome<Vec<Value>> {
    let report: Value = serde_json::from_str(&place.run("verify --format json", code)?)?;
    Ok(report.get("probes").and_then(Value::as_array).ok_or("no probes")?.clone())
}

/// A manifest with several kinds of keys for an emulator; `sessions` is what one of them says of its Regions.
fn kinds(port: u16, caller: &str, sessions: &str) -> String {
    let target = |name: &str, region: &str| {
        format!(
            r#"
[target.{name}]
account = "{ACCOUNT}"
region = "{region}"
endpoint_url = "http://127.0.0.1:{port}"
enforces = []
deployers = ["{caller}"]
"#
        )
    };
    let key = |name: &str, more: &str| {
        format!(
            r#"
[key.{name}]
iam_delegation = "account"
admins = ["keeper"]
deleters = ["{caller}"]
targets = ["here"]
soak_days = 0
{more}
"#
        )
    };
    let head = format!(
        r#"version = 1
stack = "kinds"
id = "1c6d2f2f-7b54-4b6f-8e1a-3a7c9a2b8d66"

[role.keeper]
kind = "key-admin"
trust.aws = ["{caller}"]
"#
    );
    [
        head,
        target("here", "eu-west-1"),
        target("there", "eu-central-1"),
        key("data", "state = \"enabled\""),
        key("mailbox", "spec = \"RSA_2048\"\nusage = \"ENCRYPT_DECRYPT\""),
        key("releases", "spec = \"ECC_NIST_P256\"\nusage = \"SIGN_VERIFY\""),
        key("tokens", "spec = \"HMAC_256\""),
        key("brought", "origin = \"external\""),
        key("sessions", sessions),
    ]
    .concat()
}

/// Makes the keys, and takes one through its life: disabled, enabled, retired, to be deleted, and back.
fn life(place: &Place) -> Outcome<()> {
    demand_in(&place.run("plan --check", 4)?, "+ key sessions")?;
    demand_in(&place.run("apply --yes", 0)?, "steps done")?;
    let settled = || place.run("plan --check", 0);
    settled()?;
    for (from, to) in [("enabled", "disabled"), ("disabled", "enabled"), ("enabled", "retired")] {
        place.replace(&format!("state = \"{from}\""), &format!("state = \"{to}\""))?;
        place.run("plan --check", 4)?;
        place.run("apply --yes", 0)?;
        settled()?;
    }
    demand_in(&place.run("apply --yes --allow-retire data", 0)?, "1 step done")?;
    demand_in(&settled()?, "PendingDeletion")?;
    place.replace("state = \"retired\"", "state = \"enabled\"")?;
    demand_in(&place.run("plan --check", 4)?, "its deletion is cancelled")?;
    place.run("apply --yes", 0)?;
    settled()?;
    place.replace("spec = \"HMAC_256\"", "spec = \"HMAC_512\"")?;
    demand_in(&place.run("plan", 5)?, "a key is never replaced")
}

fn with_result<'p>(probes: &'p [Value], result: &str) -> Vec<&'p str> {
    let found = probes.iter().filter(|probe| probe.get("result").and_then(Value::as_str) == Some(result));
    found.filter_map(|probe| probe.get("scenario").and_then(Value::as_str)).collect()
}

/// moto stores policies and enforces none: what should be denied is `not checked`, and the envelope works.
pub(crate) fn moto(python: &Path) -> Outcome<()> {
    let port = free_port()?;
    let mut command = Command::new(python.with_file_name("moto_server"));
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("MOTO_ACCOUNT_ID", ACCOUNT);
    let _server = Server::start(&mut command, port)?;
    let caller = format!("arn:aws:iam::{ACCOUNT}:user/moto");
    let place = Place::new(&manifest(port, "[]", &caller), "AKIAIOSFODNN7EXAMPLE", "secret")?;
    // moto drops the tags of ReplicateKey, so that a replica is not known again.
    life(&Place::new(&kinds(port, &caller, "multi_region = true"), "AKIAIOSFODNN7EXAMPLE", "secret")?)?;
    cycle(&place)?;

    let probes = probes(&place, 0)?;
    let passed = with_result(&probes, "passed");
    for scenario in ["envelope: round trip", "envelope: wrong encryption context", "allow: kms:GetKeyPolicy"] {
        demand(passed.contains(&scenario), || format!("{scenario} did not pass: {probes:?}"))?;
    }
    let open = with_result(&probes, "not checked");
    demand(open.contains(&"deny: kms:Decrypt"), || format!("a denial was taken for checked: {probes:?}"))?;
    place.run("verify --require-complete", 8).map(drop)
}

/// ministack enforces policies, and encrypts so that nobody notices tampering: the self-test must find that out.
pub(crate) fn ministack(python: &Path) -> Outcome<()> {
    let port = free_port()?;
    let home = tempfile::tempdir()?;
    let mut command = Command::new(python.with_file_name("ministack"));
    command.envs([("AUTH", "true"), ("IOT_MTLS_ENABLED", "0"), ("BIND_HOST", "127.0.0.1")]);
    command.env("GATEWAY_PORT", port.to_string()).env("HOME", home.path()).current_dir(home.path());
    let _server = Server::start(&mut command, port)?;
    let (access_key, secret) = tokio::runtime::Runtime::new()?.block_on(make_deployer(port))?;
    let caller = format!("arn:aws:iam::{ACCOUNT}:user/deployer");
    let place = Place::new(&manifest(port, r#"["key-policy", "identity-policy"]"#, &caller), &access_key, &secret)?;
    life(&Place::new(&kinds(port, &caller, "replicas = [\"there\"]"), &access_key, &secret)?)?;
    cycle(&place)?;

    let probes = probes(&place, 8)?;
    let failed = with_result(&probes, "failed");
    demand(failed.contains(&"envelope: flipped bit in the wrapped key"), || {
        format!("tampering was not noticed to go unnoticed: {probes:?}")
    })?;
    let passed = with_result(&probes, "passed");
    for scenario in ["envelope: round trip", "deny: kms:Decrypt", "allow: kms:GetKeyPolicy"] {
        demand(passed.contains(&scenario), || format!("{scenario} did not pass: {probes:?}"))?;
    }
    Ok(())
}

/// Makes the user that deploys, as the account's root, which ministack knows by an access key of twelve digits.
pub(crate) async fn make_deployer(port: u16) -> Outcome<(String, String)> {
    let root = aws_credential_types::Credentials::new(ACCOUNT, "secret", None, None, "test");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-west-1"))
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(root))
        .build();
    let iam = aws_sdk_iam::Client::new(&config);
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["kms:*", "iam:*", "sts:*", "tag:*"], "Resource": "*",
    }]});
    iam.create_user().user_name("deployer").send().await?;
    iam.put_user_policy()
        .user_name("deployer")
        .policy_name("deploy")
        .policy_document(policy.to_string())
        .send()
        .await?;
    let made = iam.create_access_key().user_name("deployer").send().await?;
    let key = made.access_key.ok_or("no access key")?;
    Ok((key.access_key_id, key.secret_access_key))
}
