//! How a difference reads, in each of its forms.

use super::*;
use crate::desired::{DesiredKey, KeyAdmin, KeyLifecycle};
use crate::diff::material::tests::{import, imported};
use crate::diff::tests::{compared, decrypting, of_keys};
use crate::kms::KeySpec;
use crate::snapshot::{Origin, Snapshot};
use crate::synth::sample::{key, role};
use serde_json::Value;
use std::collections::BTreeSet;

/// One key wider, one new, one gone, one with other properties; all in manifests.
fn change() -> (Snapshot, Snapshot) {
    let gone = DesiredKey { admins: vec![KeyAdmin(role("key-admin"))], ..key("gone") };
    let resting = DesiredKey { lifecycle: KeyLifecycle::Disabled, ..key("notes") };
    let old = of_keys(&[gone, decrypting(&["acme-*"]), key("notes")]);
    let mut new = of_keys(&[decrypting(&["acme-*", "blue"]), resting, key("young")]);
    new.targets[0].keys.sort_by(|one, other| one.name.cmp(&other.name));
    (old, new)
}

#[test]
fn a_difference_reads_as_a_plan_does() {
    let (old, new) = change();
    insta::assert_snapshot!(render_diff(&compared(&old, &new), Painter::Plain));
}

#[test]
fn a_comment_says_the_gravest_first() {
    let (old, new) = change();
    insta::assert_snapshot!(diff_to_markdown(&compared(&old, &new)));
}

/// A rotation, other material of a key that keeps its own, one out of order, and one that goes; all in manifests.
fn imports() -> Difference {
    let keys = |ledger: &[&str], mac: &[&str], order: &[&str]| {
        of_keys(&[
            imported("ledger", KeySpec::SymmetricDefault, Some(import(ledger))),
            imported("mac", KeySpec::Hmac256, Some(import(mac))),
            imported("order", KeySpec::SymmetricDefault, Some(import(order))),
        ])
    };
    let old = keys(&["2026"], &["first"], &["b", "c"]);
    let new = keys(&["2026", "2027"], &["second"], &["a", "b"]);
    compared(&old, &new)
}

#[test]
fn a_change_of_imported_material_says_what_becomes_of_it() {
    insta::assert_snapshot!(render_diff(&imports(), Painter::Plain));
}

#[test]
fn a_comment_warns_of_material_that_is_never_taken() {
    insta::assert_snapshot!(diff_to_markdown(&imports()));
}

#[test]
fn deleted_material_is_said_with_what_it_costs() {
    let import = import(&["2026"]);
    let deleted = crate::desired::Import { presence: crate::desired::MaterialPresence::Deleted, ..import.clone() };
    let of = |import| of_keys(&[imported("ledger", KeySpec::SymmetricDefault, Some(import))]);
    let found = compared(&of(import), &of(deleted));
    let said = "    deletes: its material, with consent: every use fails until the same material is imported again\n";
    assert!(render_diff(&found, Painter::Plain).contains(said));
    let json = diff_to_json(&found);
    let change = &json["targets"][0]["keys"][0]["materials"][0];
    assert_eq!((change["effect"].as_str(), change["material"].is_null()), (Some("deletes"), true));
}

#[test]
fn the_words_say_which_side_is_live() {
    let (old, new) = change();
    let live = |snapshot: &Snapshot| Snapshot { origin: Origin::Live, ..snapshot.clone() };
    let titles = |old: &Snapshot, new: &Snapshot| {
        let text = render_diff(&compared(old, new), Painter::Plain);
        let titles = text.lines().filter(|line| line.contains(" key gone") || line.contains(" key young"));
        titles.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        titles(&live(&old), &new),
        [
            "- key gone  exists, and is not declared: it stays as it is, and nobody loses anything by that alone",
            "+ key young  declared, and does not exist yet"
        ]
    );
    assert_eq!(
        titles(&old, &live(&new)),
        ["- key gone  declared, and does not exist", "+ key young  exists, and is not declared"]
    );
    assert_eq!(titles(&live(&old), &live(&new)), ["- key gone  gone", "+ key young  new"]);
}

#[test]
fn nothing_from_outside_moves_the_cursor() {
    let (old, mut new) = change();
    for key in &mut new.targets[0].keys {
        key.tags.as_mut().unwrap().insert("team\u{1b}[2J".to_owned(), "\u{202e}x\r\n".to_owned());
    }
    let mut found = compared(&old, &new);
    found.new.label = "\u{1b}]52;c;x\u{7}".to_owned();
    for text in [render_diff(&found, Painter::Plain), diff_to_markdown(&found)] {
        assert!(!text.chars().any(|c| c != '\n' && crate::text::is_hostile(c)), "{text}");
    }
}

#[test]
fn a_comment_is_never_longer_than_it_may_be_and_says_what_it_leaves_out() {
    let mut found = compared(&of_keys(&[decrypting(&["acme"])]), &of_keys(&[decrypting(&["acme", "blue"])]));
    let first = found.targets[0].keys[0].clone();
    found.targets[0].keys = (0..400)
        .map(|number| {
            let mut key = first.clone();
            key.key = format!("key-{number:04}").parse().unwrap();
            key.access.gains.iter_mut().for_each(|line| line.key = key.key.clone());
            key
        })
        .collect();
    let text = diff_to_markdown(&found);
    assert!((60_000..=65_000).contains(&text.chars().count()), "{}", text.chars().count());
    assert!(text.contains("**Cut here**") && text.starts_with("<!-- keywright-diff stack=payments -->\n"));
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    // One key alone can be too much, too.
    let key = &mut found.targets[0].keys[0];
    let line = key.access.gains[0].clone();
    key.access.gains =
        (0..5_000).map(|number| AccessLine { principal: format!("role-{number}"), ..line.clone() }).collect();
    found.targets[0].keys.truncate(1);
    let text = diff_to_markdown(&found);
    assert!(text.chars().count() <= 65_000 && text.contains("**Cut here**"));
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

#[test]
fn no_difference_is_said_in_one_line() {
    let (old, _) = change();
    let found = compared(&old, &old);
    assert_eq!(render_diff(&found, Painter::Plain), "Stack payments · old → new\n\nDiff: no difference\n");
    assert!(diff_to_markdown(&found).contains("Nobody gains access"));
}

fn listed(value: &Value) -> BTreeSet<String> {
    let names = value.as_array().map(|list| list.iter().map(|name| name.as_str().unwrap().to_owned()).collect());
    names.unwrap_or_else(|| value.as_object().unwrap().keys().cloned().collect())
}

#[test]
fn the_schema_describes_exactly_what_is_printed() {
    let schema: Value = serde_json::from_str(include_str!("../../../schemas/diff.schema.json")).unwrap();
    let (old, new) = change();
    let mut found = compared(&old, &new);
    found.targets[0].unreadable =
        vec![crate::live::Unreadable { what: "w".to_owned(), action: "a".to_owned(), message: "m".to_owned() }];
    let line = TrustLine { principal: "p".to_owned(), conditions: Vec::new(), actions: BTreeSet::new(), witness: None };
    found.accounts = vec![AccountDifference {
        account: "111122223333".parse().unwrap(),
        unreadable: Vec::new(),
        roles: vec![RoleDifference {
            role: "r".parse().unwrap(),
            presence: Presence::Both,
            gains: vec![line],
            losses: Vec::new(),
            gave: Vec::new(),
            trust: PolicyRelation::Differs,
            properties: Vec::new(),
            position: None,
        }],
    }];
    let changes = imports();
    for key in &mut found.targets[0].keys {
        key.material.clone_from(&changes.targets[0].keys[0].material);
    }
    let printed = diff_to_json(&found);
    let (defs, target) = (&schema["$defs"], &printed["targets"][0]);
    let role = &printed["accounts"][0]["roles"][0];
    let keys = target["keys"].as_array().unwrap();
    let changed = keys.iter().find(|key| !key["properties"].as_array().unwrap().is_empty()).unwrap();
    let pairs = [
        (&printed, &schema),
        (&printed["old"], &defs["side"]),
        (target, &defs["target"]),
        (&target["before"], &defs["place"]),
        (&target["unreadable"][0], &defs["unreadable"]),
        (changed, &defs["key"]),
        (&changed["access"], &defs["key"]["properties"]["access"]),
        (&changed["properties"][0], &defs["property"]),
        (&changed["materials"][0], &defs["material_change"]),
        (&printed["accounts"][0], &defs["account"]),
        (role, &defs["role"]),
        (&role["trust"], &defs["role"]["properties"]["trust"]),
        (&role["trust"]["gains"][0], &defs["trust_line"]),
        (&printed["summary"], &defs["summary"]),
    ];
    for (printed, described) in pairs {
        assert_eq!(listed(printed), listed(&described["properties"]));
        assert_eq!(listed(printed), listed(&described["required"]));
    }
    assert_eq!(printed["format_version"], schema["properties"]["format_version"]["const"]);
    let statuses: BTreeSet<&str> = keys.iter().map(|key| key["status"].as_str().unwrap()).collect();
    assert!(statuses.iter().all(|status| listed(&defs["status"]["enum"]).contains(*status)), "{statuses:?}");
    let effects = diff_to_json(&changes);
    let effects =
        effects["targets"][0]["keys"].as_array().unwrap().iter().flat_map(|key| key["materials"].as_array().unwrap());
    let effects: BTreeSet<&str> = effects.map(|change| change["effect"].as_str().unwrap()).collect();
    let mut described = listed(&defs["material_change"]["properties"]["effect"]["enum"]);
    described.remove("deletes");
    assert_eq!(effects, described.iter().map(String::as_str).collect());
}
