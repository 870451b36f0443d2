//! Materials of a manifest in memory: what is opened, how often, and what is said where it cannot be.

use super::*;
use crate::cli::load;
use crate::cli::printer::Talk;
use crate::desired::{Import, KeyKind, KeyMaterial, MaterialPresence, Validity};
use crate::kms::{WrappingAlgorithm, WrappingKeySpec};
use std::os::unix::fs::PermissionsExt as _;

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
trust.aws = ["sso:Admin"]
[key.notes]
admins = ["admin"]
origin = "external"
[key.orders]
admins = ["admin"]
origin = "external"
"#;

/// Returns the manifest with a material for each key.
fn manifest(notes: MaterialSource, orders: MaterialSource) -> Manifest {
    let mut manifest = load::from_files(Ok(vec![("keywright.toml".into(), MANIFEST.into())])).unwrap();
    for (key, source) in manifest.desired.targets[0].keys.iter_mut().zip([notes, orders]) {
        let import = Import {
            validity: Validity::Never,
            algorithm: WrappingAlgorithm::OaepSha256,
            wrapping_key: WrappingKeySpec::Rsa2048,
            materials: vec![DesiredMaterial { name: "2026".parse().unwrap(), source }],
            presence: MaterialPresence::Imported,
        };
        key.places.materials.insert("2026".parse().unwrap(), key.loc);
        key.material = KeyMaterial::Imported { kind: KeyKind::SYMMETRIC, import: Some(import) };
    }
    manifest
}

fn wanted(manifest: &Manifest) -> Vec<Wanted<'_>> {
    let target = &manifest.desired.targets[0];
    let of = |key| Wanted { target, key, material: &DesiredKey::import(key).unwrap().materials[0], live: None };
    target.keys.iter().map(of).collect()
}

fn open(manifest: &Manifest, consent: CustodyOptions) -> (Result<Custody, Exit>, String) {
    let (mut printer, seen) = Printer::in_memory(Talk::Verbose);
    let access = Access { manifest, consent, prewrapped: &[], now: jiff::Timestamp::UNIX_EPOCH };
    let wanted = wanted(manifest);
    let custody = access.prepare(&wanted, &mut printer);
    let custody = custody.and_then(|prepared| access.open(&wanted, prepared, &mut printer));
    (custody, seen.talk())
}

fn command(script: &str) -> MaterialSource {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    MaterialSource::Command { argv, encoding: MaterialEncoding::Hex }
}

fn file(path: &Path) -> MaterialSource {
    MaterialSource::File { path: path.to_string_lossy().into_owned(), encoding: MaterialEncoding::Hex }
}

const ALLOWED: CustodyOptions = CustodyOptions { allow_command: true, allow_readable: true };
const NO: CustodyOptions = CustodyOptions { allow_command: false, allow_readable: false };
const SECRET: &str = "8f3c61d2a7b04e95c1d8e2f7a6b3940512c7d8e9f0a1b2c3d4e5f60718293a4b";

#[test]
fn what_is_held_can_be_encrypted_and_is_not_shown() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("material");
    std::fs::write(&path, SECRET).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let manifest = manifest(file(&path), command(&format!("printf {SECRET}")));
    let (custody, said) = open(&manifest, ALLOWED);
    let custody = custody.unwrap();
    let (target, key, name) = ("prod".parse().unwrap(), "notes".parse().unwrap(), "2026".parse().unwrap());
    let held = custody.material(&target, &key, &name).unwrap();
    assert_eq!(hex::encode(held.bytes().expose_secret()), SECRET);
    let machine = crate::cli::machine::LocalMachine::new(place.path().to_owned()).holding(custody);
    let shown = format!("{machine:?} {said}");
    assert!(shown.contains("2026") && !shown.contains(SECRET) && !shown.contains("143, 60, 97"), "{shown}");
}

#[test]
fn a_source_that_several_keys_name_is_opened_once() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let script = format!("echo run >> '{}'; printf {SECRET}", log.display());
    let manifest = manifest(command(&script), command(&script));
    let custody = open(&manifest, ALLOWED).0.unwrap();
    assert_eq!(custody.held.len(), 2);
    assert_eq!(std::fs::read_to_string(log).unwrap(), "run\n");
}

#[test]
fn every_reason_is_told_at_once_in_the_order_of_the_manifest() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("missing");
    let manifest = manifest(file(&missing), command("printf 00ff"));
    let (custody, said) = open(&manifest, ALLOWED);
    assert_eq!(custody.err(), Some(Exit::Failed));
    let (first, second) = (said.find("(material-unreadable)"), said.find("(material-unfit)"));
    let codes = first.or_else(|| said.find("material-unreadable")).zip(second.or_else(|| said.find("material-unfit")));
    assert!(codes.is_some_and(|(first, second)| first < second), "{said}");
    for word in
        ["`2026` of key `notes`", "`2026` of key `orders`", "the command `sh`", "keywright.toml:14", "Nothing was"]
    {
        assert!(said.contains(word), "no {word}: {said}");
    }
}

#[test]
fn no_command_runs_and_no_readable_file_is_opened_without_consent() {
    let place = tempfile::tempdir().unwrap();
    let (log, path) = (place.path().join("log"), place.path().join("material"));
    let both = manifest(file(&path), command(&format!("echo run >> '{}'; printf {SECRET}", log.display())));
    let (custody, said) = open(&both, NO);
    assert_eq!(custody.err(), Some(Exit::Blocked));
    assert!(said.contains("--allow-command") && !log.exists(), "{said}");
    std::fs::write(&path, SECRET).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (custody, said) = open(&manifest(file(&path), file(&path)), NO);
    assert_eq!(custody.err(), Some(Exit::Blocked));
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn variables_of_all_materials_are_hidden_from_commands() {
    // The test runner sets it.
    let variable = MaterialSource::Env { variable: "CARGO_PKG_NAME".into(), encoding: MaterialEncoding::Hex };
    let manifest = manifest(variable, command("env >&2; env | grep CARGO_PKG_NAME && exit 7; true"));
    assert_eq!(hidden_variables(&manifest), ["CARGO_PKG_NAME".to_owned()].into());
    let (custody, said) = open(&manifest, ALLOWED);
    let said = said.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ");
    assert!(custody.is_err() && said.contains("there is nothing in it") && !said.contains("exit status"), "{said}");
}

#[test]
fn material_that_is_encrypted_elsewhere_is_asked_for() {
    let manifest = manifest(MaterialSource::Prewrapped, MaterialSource::Prewrapped);
    let (custody, said) = open(&manifest, ALLOWED);
    assert_eq!(custody.err(), Some(Exit::Failed));
    assert!(said.contains("--prewrapped notes/2026=DIR") && said.contains("--prewrapped orders/2026=DIR"), "{said}");
}
