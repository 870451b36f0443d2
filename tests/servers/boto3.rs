//! Our sandbox as another SDK sees it: boto3, with nothing but what `sandbox serve` prints.

use crate::process::{Outcome, Place, demand};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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

/// A sandbox that serves, and what it told its clients to export.
struct Served {
    process: Child,
    exports: BTreeMap<String, String>,
}

impl Served {
    fn start(place: &Place) -> Outcome<Self> {
        let mut command = place.command("sandbox serve --port 0 --state .keywright/sandbox");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = process.stdout.take().ok_or("no standard output")?;
        let mut served = Self { process, exports: BTreeMap::new() };
        for line in BufReader::new(output).lines().take(4) {
            let line = line?;
            let (name, value) =
                line.strip_prefix("export ").and_then(|line| line.split_once('=')).ok_or("no export")?;
            let value = value.split_whitespace().next().unwrap_or_default();
            served.exports.insert(name.to_owned(), value.to_owned());
        }
        Ok(served)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

pub(crate) fn uses_the_sandbox(python: &Path) -> Outcome<()> {
    let place = Place::new(MANIFEST, "", "")?;
    place.run("apply --sandbox --yes", 0)?;
    let served = Served::start(&place)?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/sandbox_client.py");
    let output = Command::new(python)
        .arg(script)
        .env_clear()
        .env("HOME", place.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(&served.exports)
        .output()?;
    demand(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())
}
