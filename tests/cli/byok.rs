//! Keys with material of our own, from the first import to rotation, expiry, deletion and recovery.

use crate::harness::{Place, Run, pem};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use std::os::unix::fs::PermissionsExt as _;

/// The example, with material for it.
fn example() -> Place {
    let place = Place::new();
    place.copy("examples/byok", "keys");
    secret(&place, "vault-root-2026.bin", random(32));
    secret(&place, "vault-root-2027.bin", random(32));
    secret(&place, "webhooks.hex", format!("{}\n", hex::encode(random(32))));
    secret(&place, "contracts.pem", private_key());
    place
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes
}

fn private_key() -> String {
    pem(KeyPair::generate(KeySize::Rsa3072).unwrap().as_der().unwrap().as_ref())
}

/// Writes a file for its owner's eyes only.
fn secret(place: &Place, name: &str, content: impl AsRef<[u8]>) {
    let name = format!("keys/material/{name}");
    place.write(&name, content);
    mode(place, &name, 0o600);
}

fn mode(place: &Place, name: &str, mode: u32) {
    std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

fn run(place: &Place, words: &str) -> Run {
    place.run(&[&words.split(' ').collect::<Vec<_>>()[..], &["-f", "keys"]].concat())
}

fn settled(place: &Place) {
    run(place, "plan --sandbox --check").ends(0);
}

fn proved(place: &Place, more: &str) -> Run {
    let proof = run(place, &format!("verify --sandbox --as-roles --with-material --canary canary.json{more}")).ends(0);
    assert!(proof.stdout.contains(" 0 failed"), "{proof}");
    proof
}

const SECOND: &str = "\n[[key.vault-root.import.material]]\nname     = \"2027\"\nfile     = \
                      \"material/vault-root-2027.bin\"\nencoding = \"raw\"\n";

fn append_second(place: &Place) {
    let user = "\n[[key.vault-root.user]]";
    place.replace("keys/3-keys.toml", user, &format!("{SECOND}{user}"));
}

#[test]
fn four_keys_get_their_material_and_are_proved() {
    let place = example();
    insta::assert_snapshot!("byok_plan", run(&place, "plan --sandbox").ends(0).answer());
    insta::assert_snapshot!("byok_applied", run(&place, "apply --sandbox --yes").ends(0).answer());
    settled(&place);
    let proof = proved(&place, "");
    for key in ["vault-root", "webhooks", "contracts"] {
        assert!(proof.stdout.contains(&format!("Key {key} ")), "no {key} in {proof}");
    }
    // A second run opens what the first one left.
    proved(&place, "");
}

#[test]
fn material_is_opened_by_apply_alone_and_before_anything_is_written() {
    let place = example();
    std::fs::remove_dir_all(place.path("keys/material")).unwrap();
    run(&place, "check").ends(0);
    run(&place, "plan --sandbox").ends(0).answers("9 to create");
    insta::assert_snapshot!("byok_no_material", run(&place, "apply --sandbox --yes"));
    run(&place, "plan --sandbox").ends(0).answers("9 to create");
}

#[test]
fn files_that_others_can_read_are_refused_unless_allowed() {
    let place = example();
    mode(&place, "keys/material/webhooks.hex", 0o644);
    insta::assert_snapshot!("byok_readable", run(&place, "apply --sandbox --yes --key webhooks"));
    run(&place, "apply --sandbox --yes --key webhooks --allow-readable").ends(0);
}

#[test]
fn material_is_imported_again_before_it_expires_and_after() {
    let place = example();
    run(&place, "apply --sandbox --yes --key vault-root").ends(0);
    run(&place, "plan --sandbox --check --key vault-root --clock +140d").ends(0);
    let due = run(&place, "plan --sandbox --check --key vault-root --clock +160d").ends(4);
    insta::assert_snapshot!("byok_expires", due.answer());
    run(&place, "apply --sandbox --yes --key vault-root --clock +160d").ends(0);
    run(&place, "plan --sandbox --check --key vault-root --clock +160d").ends(0);

    let gone = run(&place, "plan --sandbox --check --key vault-root --clock +400d").ends(4);
    insta::assert_snapshot!("byok_expired", gone.answer());
    run(&place, "apply --sandbox --yes --key vault-root --clock +400d").ends(0);
    run(&place, "plan --sandbox --check --key vault-root --clock +400d").ends(0);
    run(&place, "verify --sandbox --as-roles --key vault-root --clock +400d").ends(0);
}

#[test]
fn other_material_is_refused_before_its_use_and_the_expected_one_is_named() {
    let place = example();
    run(&place, "apply --sandbox --yes --key vault-root --key webhooks").ends(0);
    secret(&place, "vault-root-2026.bin", random(32));
    let refused = run(&place, "apply --sandbox --yes --key vault-root --clock +160d");
    assert!(refused.code == 1 || refused.code == 6, "{refused}");
    assert!(refused.stdout.contains("2026"), "{refused}");
    insta::assert_snapshot!("byok_other_material", refused.answer());
}

#[test]
fn a_changed_validity_is_a_new_import() {
    let place = example();
    run(&place, "apply --sandbox --yes --key vault-root").ends(0);
    place.replace("keys/3-keys.toml", "valid_for_days       = 180 ", "valid_for_days = 365 ");
    let plan = run(&place, "plan --sandbox --check --key vault-root").ends(4);
    insta::assert_snapshot!("byok_other_validity", plan.answer());
    run(&place, "apply --sandbox --yes --key vault-root").ends(0);
    run(&place, "plan --sandbox --check --key vault-root").ends(0);
}

#[test]
fn a_second_material_is_rotated_to_and_old_ciphertext_opens() {
    let place = example();
    run(&place, "apply --sandbox --yes").ends(0);
    proved(&place, "");
    append_second(&place);
    insta::assert_snapshot!("byok_rotation", run(&place, "plan --sandbox").ends(0).answer());
    run(&place, "apply --sandbox --yes").ends(0);
    settled(&place);
    proved(&place, "");
}

#[test]
fn a_new_key_may_have_two_materials_from_the_start() {
    let place = example();
    append_second(&place);
    run(&place, "apply --sandbox --yes --key vault-root").ends(0);
    run(&place, "plan --sandbox --check --key vault-root").ends(0);
}

#[test]
fn material_is_deleted_with_consent_and_the_key_comes_back() {
    let place = example();
    run(&place, "apply --sandbox --yes").ends(0);
    proved(&place, "");
    let line = "[key.vault-root]\n";
    place.replace("keys/3-keys.toml", line, &format!("{line}material_state = \"deleted\"\n"));
    insta::assert_snapshot!("byok_deletion_needs_consent", run(&place, "plan --sandbox").answer());
    let plan = run(&place, "plan --sandbox --delete-material vault-root").ends(0);
    insta::assert_snapshot!("byok_deletion", plan.answer());
    run(&place, "apply --sandbox --yes --delete-material vault-root").ends(0);
    settled(&place);
    let proof = run(&place, "verify --sandbox --as-roles --key vault-root").ends(0);
    assert!(proof.stdout.contains(" 0 failed"), "{proof}");

    place.replace("keys/3-keys.toml", "material_state = \"deleted\"\n", "");
    run(&place, "apply --sandbox --yes").ends(0);
    settled(&place);
    proved(&place, "");
}

#[test]
fn material_that_is_wrapped_elsewhere_is_imported_unseen() {
    let place = example();
    run(&place, "apply --sandbox --yes --key hsm-root").ends(0).answers("material-awaited");
    insta::assert_snapshot!(
        "byok_parameters",
        run(&place, "import-parameters hsm-root --out ceremony --sandbox").ends(0).answer()
    );
    let public = std::fs::read(place.path("ceremony/ireland/wrapping-key.der")).unwrap();
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&public).unwrap()).unwrap();
    let mut wrapped = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA256_MGF1SHA256, &random(32), &mut wrapped, None).unwrap();
    run(&place, "apply --sandbox --yes --key hsm-root --prewrapped hsm-root/2026=ceremony").ends(1);
    place.write("ceremony/ireland/wrapped-material.bin", wrapped);
    let late = "apply --sandbox --yes --key hsm-root --prewrapped hsm-root/2026=ceremony --clock +25h";
    run(&place, late).ends(1).talks_of("import-parameters");
    run(&place, "apply --sandbox --yes --key hsm-root --prewrapped hsm-root/2026=ceremony").ends(0);
    run(&place, "plan --sandbox --check --key hsm-root").ends(0);
    run(&place, "verify --sandbox --as-roles --key hsm-root").ends(0);
}
