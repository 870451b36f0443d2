//! One key of every kind through its whole life: made, proved, changed, retired, and back.

use crate::harness::{Place, Run};

fn example() -> Place {
    let place = Place::new();
    place.copy("examples/every-key", "keys");
    place
}

fn run(place: &Place, words: &str) -> Run {
    place.run(&[&words.split(' ').collect::<Vec<_>>()[..], &["-f", "keys"]].concat())
}

fn settled(place: &Place) {
    run(place, "plan --sandbox --check").ends(0);
}

#[test]
fn one_of_each_is_made_proved_and_changed() {
    let place = example();
    insta::assert_snapshot!("every_key_applied", run(&place, "apply --sandbox --yes").ends(0).answer());
    settled(&place);
    // Roles serve the target that is left out all the same.
    run(&place, "plan --sandbox --check --target frankfurt").ends(0);
    let proof = run(&place, "verify --sandbox --as-roles").ends(0);
    assert!(proof.stdout.contains(" 0 failed"), "{proof}");
    for key in ["data", "sessions", "mailbox", "sign-p256", "sign-ml-dsa-87", "mac-512", "agree-p521", "kem-1024"] {
        assert!(proof.stdout.contains(&format!("Key {key} ")), "no {key} in {proof}");
    }

    place.replace("keys/3-encryption.toml", "every_days = 180", "every_days = 90");
    place.replace("keys/4-signatures.toml", "description = \"Releases\"", "description = \"Releases and images\"");
    place.replace("keys/3-encryption.toml", "state       = \"disabled\"\n", "");
    place.replace("keys/1-stack.toml", "owner = \"crypto-platform\"", "owner = \"keys\"");
    let plan = run(&place, "plan --sandbox --check").ends(4);
    assert!(plan.stdout.contains("0 to create"), "{plan}");
    run(&place, "apply --sandbox --yes").ends(0);
    settled(&place);
}

#[test]
fn a_key_is_retired_in_two_runs_and_comes_back() {
    let place = example();
    run(&place, "apply --sandbox --yes --key data").ends(0);
    place.replace("keys/3-encryption.toml", "every_days = 180 }\n", "every_days = 180 }\nstate = \"retired\"\n");

    insta::assert_snapshot!("retirement_begins", run(&place, "plan --sandbox --key data"));
    run(&place, "apply --sandbox --yes --key data").ends(0);
    insta::assert_snapshot!("retirement_waits_for_consent", run(&place, "plan --sandbox --check --key data").ends(0));
    insta::assert_snapshot!("deletion_is_planned", run(&place, "plan --sandbox --key data --allow-retire data"));
    run(&place, "apply --sandbox --yes --key data --allow-retire data").ends(0);
    let pending = run(&place, "plan --sandbox --check --key data").ends(0);
    assert!(pending.stdout.contains("deleted"), "{pending}");

    place.replace("keys/3-encryption.toml", "state = \"retired\"\n", "");
    insta::assert_snapshot!("back_from_deletion", run(&place, "plan --sandbox --key data"));
    run(&place, "apply --sandbox --yes --key data").ends(0);
    run(&place, "plan --sandbox --check --key data").ends(0);
    run(&place, "verify --sandbox --as-roles --key data").ends(0);
}

#[test]
fn a_replica_leaves_its_region_and_the_primary_moves() {
    let place = example();
    run(&place, "apply --sandbox --yes --key sessions").ends(0);
    run(&place, "plan --sandbox --check --key sessions").ends(0);

    place.replace(
        "keys/3-encryption.toml",
        "targets     = [\"ireland\"]               # the primary",
        "targets = [\"frankfurt\"]",
    );
    place.replace("keys/3-encryption.toml", "[\"frankfurt\"]             # policy", "[\"ireland\"] # policy");
    insta::assert_snapshot!("the_primary_moves", run(&place, "plan --sandbox --key sessions"));
    run(&place, "apply --sandbox --yes --key sessions").ends(0);
    run(&place, "plan --sandbox --check --key sessions").ends(0);
    run(&place, "verify --sandbox --as-roles --key sessions").ends(0);

    place.replace("keys/3-encryption.toml", "replicas    = [\"ireland\"]", "multi_region = true #");
    insta::assert_snapshot!("a_replica_is_retired", run(&place, "plan --sandbox --key sessions"));
    run(&place, "apply --sandbox --yes --key sessions").ends(0);
    run(&place, "plan --sandbox --check --key sessions").ends(0);
}

#[test]
fn what_cannot_be_changed_is_blocked_with_a_recipe() {
    let place = example();
    run(&place, "apply --sandbox --yes --key sign-p256").ends(0);
    place.replace("keys/4-signatures.toml", "\"ECC_NIST_P256\"", "\"ECC_NIST_P384\"");
    insta::assert_snapshot!("another_spec", run(&place, "plan --sandbox --key sign-p256").ends(5));
    run(&place, "apply --sandbox --yes --key sign-p256").ends(5);
}

#[test]
fn a_key_is_rotated_now() {
    let place = example();
    run(&place, "apply --sandbox --yes --key data").ends(0);
    insta::assert_snapshot!("a_rotation_now", run(&place, "rotate data --sandbox --yes"));
    run(&place, "plan --sandbox --check --key data").ends(0);
}
