//! A rehearsal at another time: material expires, and a plan says what is due then.

use crate::harness::Place;
use crate::live::SMALL;

const KEY: &str = r#"
[key.vault]
origin = "external"
iam_delegation = "root-user"
admins = ["admin"]

[key.vault.import]
valid_for_days = 60

[[key.vault.import.material]]
name = "2026"
env = "VAULT_MATERIAL"
encoding = "hex"
"#;

const MATERIAL: &str = "9f3b1c7de2a846505b1e0c94f7d82a63c0e5179b4d6f38a21b7c95e8d4f0a632";

#[test]
fn material_is_due_before_it_expires_and_comes_back_after() {
    let place = Place::new().with("VAULT_MATERIAL", MATERIAL);
    place.write("keywright.toml", [SMALL, KEY].concat());
    place.line("apply --sandbox --yes").ends(0);
    place.line("plan --sandbox --check").ends(0);
    place.line("plan --sandbox --check --clock +29d").ends(0).talks_of("a rehearsal, at ");
    place.line("plan --sandbox --check --clock +31d").ends(4).answers("vault");
    place.line("plan --sandbox --check --clock +1488h").ends(4).answers("vault");
    place.line("apply --sandbox --yes --clock +62d").ends(0);
    place.line("plan --sandbox --check --clock +62d").ends(0);
    place.line("plan --sandbox --check --clock +62d --key orders").ends(0);
}

#[test]
fn another_time_is_for_rehearsals_alone() {
    let place = Place::new();
    place.write("keywright.toml", SMALL);
    for command in ["plan", "apply --yes", "verify", "rotate orders --yes"] {
        place.line(&format!("{command} --clock +1d")).ends(2).talks_of("--sandbox");
        place.line(&format!("{command} --sandbox --clock tomorrow")).ends(2).talks_of("+180d");
    }
    let place = place.with("KEYWRIGHT_CLOCK", "+1d");
    place.line("plan").ends(2).talks_of("--sandbox");
    place.line("plan --sandbox").ends(0).talks_of("a rehearsal, at ");
}
