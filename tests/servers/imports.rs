//! Imported key material against an emulator that others wrote: brought in, deleted with consent, brought back.

use crate::emulators::{ACCOUNT, make_deployer};
use crate::process::{Outcome, Place, Server, demand_in, free_port};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// A manifest with an imported key of each sort of material.
fn manifest(port: u16, caller: &str) -> String {
    let head = format!(
        r#"version = 1
stack = "brought"
id = "2d7e3f3f-8c65-4c7f-9f2b-4b8d0b3c9e77"

[target.local]
account = "{ACCOUNT}"
region = "eu-west-1"
endpoint_url = "http://127.0.0.1:{port}"
enforces = ["key-policy", "identity-policy"]
deployers = ["{caller}"]

[role.keeper]
kind = "key-admin"
trust.aws = ["{caller}"]
"#
    );
    let key = |name: &str, kind: &str, validity: &str, state: &str| {
        format!(
            r#"
[key.{name}]
{kind}
origin = "external"
iam_delegation = "account"
admins = ["keeper"]
deleters = ["{caller}"]
{state}
[key.{name}.import]
{validity}

[[key.{name}.import.material]]
name = "first"
file = "{name}.hex"
encoding = "hex"
"#
        )
    };
    let macs = "spec = \"HMAC_256\"";
    let signs = "spec = \"RSA_2048\"\nusage = \"SIGN_VERIFY\"";
    let private = key("releases", signs, "never = true", "").replace("\"hex\"", "\"der\"").replace(".hex", ".der");
    [
        head,
        key("vault", "", "valid_for_days = 180", "material_state = \"imported\""),
        key("tokens", macs, "never = true", ""),
        private,
    ]
    .concat()
}

/// Writes material that only its owner can read.
fn write(place: &Place, name: &str, bytes: &[u8]) -> Outcome<()> {
    let path = place.path().join(name);
    std::fs::write(&path, bytes)?;
    Ok(std::fs::set_permissions(path, Permissions::from_mode(0o600))?)
}

fn materials(place: &Place) -> Outcome<()> {
    for name in ["vault.hex", "tokens.hex"] {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes)?;
        let digits = hex::encode(bytes);
        write(place, name, digits.as_bytes())?;
    }
    write(place, "releases.der", KeyPair::generate(KeySize::Rsa2048)?.as_der()?.as_ref())
}

/// Brings material in, deletes it, brings it back; each time there is nothing left to do.
fn cycle(place: &Place) -> Outcome<()> {
    let settled = || place.run("plan --check", 0);
    demand_in(&place.run("plan --check", 4)?, "+ key vault")?;
    place.run("apply --yes", 0)?;
    settled()?;
    place.replace("material_state = \"imported\"", "material_state = \"deleted\"")?;
    place.run("apply --yes --delete-material vault", 0)?;
    settled()?;
    place.replace("material_state = \"deleted\"", "material_state = \"imported\"")?;
    place.run("plan --check", 4)?;
    place.run("apply --yes", 0)?;
    settled()?;
    // The server takes another validity, as AWS does, with the same material.
    place.replace("valid_for_days = 180", "valid_for_days = 300")?;
    place.run("plan --check", 4)?;
    place.run("apply --yes", 0)?;
    settled().map(drop)
}

/// ministack unwraps material and keeps its expiry; it lists no materials, and takes any in the place of another.
pub(crate) fn ministack(python: &Path) -> Outcome<()> {
    let port = free_port()?;
    let home = tempfile::tempdir()?;
    let mut command = Command::new(python.with_file_name("ministack"));
    command.envs([("AUTH", "true"), ("IOT_MTLS_ENABLED", "0"), ("BIND_HOST", "127.0.0.1")]);
    command.env("GATEWAY_PORT", port.to_string()).env("HOME", home.path()).current_dir(home.path());
    let _server = Server::start(&mut command, port)?;
    let (access_key, secret) = tokio::runtime::Runtime::new()?.block_on(make_deployer(port))?;
    let caller = format!("arn:aws:iam::{ACCOUNT}:user/deployer");
    let place = Place::new(&manifest(port, &caller), &access_key, &secret)?;
    materials(&place)?;
    cycle(&place)
}
