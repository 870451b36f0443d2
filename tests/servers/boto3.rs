//! Our sandbox as another SDK sees it: boto3, with nothing but what `sandbox serve` prints.

use crate::process::{Outcome, Place, Sandbox, demand};
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = r#"version = 1
stack = "shop"
id = "0b5c1f1e-6a43-4a5e-9d0f-2f6b8f1a7c55"

[target.prod]
account = "111122223333"
region = "eu-west-1"
deployers = ["deployer"]

[role.deployer]
kind = "deployer"
arn = "arn:aws:iam::111122223333:role/deployer"

[role.admin]
kind = "key-admin"
arn = "arn:aws:iam::111122223333:role/admin"

[role.app]
kind = "key-user"
arn = "arn:aws:iam::111122223333:role/app"

[key.records]
iam_delegation = "root-user"
admins = ["admin"]

[[key.records.user]]
principal = "app"
can = ["encrypt", "decrypt", "generate-data-key"]
context = { tenant = "acme-*" }
"#;

pub(crate) fn uses_the_sandbox(python: &Path) -> Outcome<()> {
    let place = Place::new(MANIFEST, "", "")?;
    place.run("apply --sandbox --yes", 0)?;
    let sandbox = Sandbox::start(&place)?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/sandbox_client.py");
    let output = Command::new(python)
        .arg(script)
        .env_clear()
        .env("HOME", place.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(sandbox.exports())
        .output()?;
    demand(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())
}
