//! `verify` of imported keys: with the material itself, and with canaries through deletion, re-import and rotation.

use crate::harness::{Place, Run};
use crate::live::SMALL;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use serde_json::Value;

const KEYS: &str = r#"
[key.vault]
origin = "external"
iam_delegation = "root-user"
admins = ["admin"]
deleters = ["deployer"]

[key.vault.import]
valid_for_days = 40

[[key.vault.import.material]]
name = "first"
file = "vault.hex"
encoding = "hex"

[[key.vault.user]]
principal = "app"

[key.partners]
spec = "HMAC_256"
origin = "external"
iam_delegation = "root-user"
admins = ["admin"]

[key.partners.import]
never = true

[[key.partners.import.material]]
name = "shared"
file = "partners.hex"
encoding = "hex"

[[key.partners.user]]
principal = "app"

[key.contracts]
spec = "ECC_NIST_P256"
usage = "SIGN_VERIFY"
origin = "external"
iam_delegation = "root-user"
admins = ["admin"]

[key.contracts.import]
never = true

[[key.contracts.import.material]]
name = "certificate"
file = "contracts.der"
encoding = "der"

[[key.contracts.user]]
principal = "app"
"#;

/// Material of 32 bytes, for its owner alone to read.
fn secret(place: &Place, name: &str) {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    private(place, name, hex::encode(bytes).as_bytes());
}

fn private(place: &Place, name: &str, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    place.write(name, bytes);
    std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn imported() -> Place {
    let place = Place::new();
    place.write("keywright.toml", format!("{SMALL}{KEYS}"));
    for name in ["vault.hex", "vault-2.hex", "partners.hex"] {
        secret(&place, name);
    }
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
    private(&place, "contracts.der", pair.as_ref());
    place.line("apply --sandbox --yes").ends(0);
    place
}

fn verify(place: &Place, options: &str) -> Run {
    place.line(&format!("verify --sandbox --as-roles --canary canaries.json --format json{options}"))
}

/// Returns the results of a key's probes whose scenarios begin so.
fn results(report: &Value, key: &str, scenario: &str) -> Vec<String> {
    let probes = report["probes"].as_array().unwrap().iter();
    let of = probes.filter(|p| p["key"] == key && p["scenario"].as_str().unwrap().starts_with(scenario));
    of.map(|probe| probe["result"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn kms_has_the_material_of_the_files() {
    let place = imported();
    let report = verify(&place, "").ends(0).json();
    for key in ["partners", "contracts"] {
        assert_eq!(results(&report, key, "material: "), ["not checked"], "{report:#}");
    }
    let report = verify(&place, " --with-material").ends(0).json();
    for key in ["partners", "contracts"] {
        assert_eq!(results(&report, key, "material: "), ["passed"; 3], "{report:#}");
    }
    assert_eq!(results(&report, "vault", "canaries: opened ("), ["passed"]);
    let proof = place.line("verify --sandbox --as-roles --with-material --canary canaries.json --key contracts,vault");
    let proof = proof.ends(0).answers("✓ material with ECDSA_SHA_256: ").answers("✓ canaries of 2 runs: opened, made");
    proof.talks_of("Kept 1 canary in canaries.json");

    secret(&place, "partners.hex");
    let other = verify(&place, " --with-material --key partners").ends(8);
    assert!(other.stdout.contains("KMS makes another code: the key has other material"), "{other}");
    // Nothing is called where the material cannot be had.
    private(&place, "partners.hex", b"00");
    verify(&place, " --with-material").ends(1).talks_of("`shared` of key `partners`");
}

#[test]
fn canaries_open_after_deletion_and_rotation() {
    let place = imported();
    let _first = verify(&place, "").ends(0);

    place.replace("keywright.toml", "[key.vault.import]", "[key.vault.import]\n# gone");
    place.replace("keywright.toml", "[key.vault]\n", "[key.vault]\nmaterial_state = \"deleted\"\n");
    place.line("apply --sandbox --yes --delete-material vault").ends(0);
    let report = verify(&place, "").ends(0).json();
    let rest = results(&report, "vault", "at rest: ");
    assert!(!rest.is_empty() && rest.iter().all(|result| result == "passed"), "{report:#}");
    assert_eq!(results(&report, "vault", "canaries: "), ["not checked"]);

    // Where the material is wanted back and not yet there, it is missed.
    place.replace("keywright.toml", "material_state = \"deleted\"\n", "");
    let waits = place.line("verify --sandbox --as-roles --key vault").ends(8);
    assert!(waits.stdout.contains("waits for its material"), "{waits}");
    place.line("apply --sandbox --yes").ends(0);
    let report = verify(&place, "").ends(0).json();
    assert_eq!(results(&report, "vault", "canaries: "), ["passed"; 2], "{report:#}");

    let second = "[[key.vault.import.material]]\nname = \"second\"\nfile = \"vault-2.hex\"\nencoding = \"hex\"\n\n";
    place.replace("keywright.toml", "[[key.vault.user]]", &format!("{second}[[key.vault.user]]"));
    place.line("apply --sandbox --yes").ends(0);
    let report = verify(&place, "").ends(0).json();
    assert_eq!(results(&report, "vault", "canaries: "), ["passed"; 3], "{report:#}");

    let file: Value = serde_json::from_slice(&std::fs::read(place.path("canaries.json")).unwrap()).unwrap();
    let entries: Vec<&Value> = file["entries"].as_array().unwrap().iter().filter(|e| e["key"] == "vault").collect();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0]["key_material_id"], entries[1]["key_material_id"]);
    assert_ne!(entries[1]["key_material_id"], entries[2]["key_material_id"]);
    assert_eq!(entries[2]["key_material_id"].as_str().map(str::len), Some(64));
}

#[test]
fn a_damaged_file_of_canaries_is_told_before_any_call() {
    let place = Place::new();
    place.write("keywright.toml", SMALL);
    place.write("canaries.json", "{\"format_version\": 1, \"entries\": [");
    let before = place.files();
    insta::assert_snapshot!(place.line("verify --sandbox --canary canaries.json"));
    assert_eq!(place.files(), before);
}
