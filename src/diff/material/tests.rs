//! What becomes of changes of imported material, on data.

use super::*;
use crate::desired::{DesiredKey, KeyMaterial, MaterialEncoding};
use crate::diff::tests::{compared, of_keys};
use crate::diff::{Difference, KeyDifference};
use crate::kms::{KeySpec, KeyUsage, WrappingAlgorithm, WrappingKeySpec};
use crate::snapshot::{Origin, Snapshot};
use crate::synth::sample;

fn command(arguments: &[&str]) -> MaterialSource {
    let argv = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    MaterialSource::Command { argv, encoding: MaterialEncoding::Base64 }
}

pub(crate) fn import(names: &[&str]) -> Import {
    let material =
        |name: &&str| DesiredMaterial { name: name.parse().unwrap(), source: command(&["vault", "read", name]) };
    Import {
        validity: Validity::Days { days: 180, reimport_before: 30 },
        algorithm: WrappingAlgorithm::OaepSha256,
        wrapping_key: WrappingKeySpec::Rsa4096,
        materials: names.iter().map(material).collect(),
        presence: MaterialPresence::Imported,
    }
}

pub(crate) fn imported(name: &str, spec: KeySpec, import: Option<Import>) -> DesiredKey {
    let usage = if spec.is_hmac() { KeyUsage::GenerateVerifyMac } else { KeyUsage::EncryptDecrypt };
    let kind = KeyKind::new(spec, usage).unwrap();
    DesiredKey { material: KeyMaterial::Imported { kind, import }, ..sample::key(name) }
}

fn between(spec: KeySpec, before: Option<Import>, after: Option<Import>) -> Difference {
    compared(&of_keys(&[imported("root", spec, before)]), &of_keys(&[imported("root", spec, after)]))
}

fn only(found: &Difference) -> &KeyDifference {
    let [target] = found.targets.as_slice() else { panic!("{found:#?}") };
    let [key] = target.keys.as_slice() else { panic!("{found:#?}") };
    key
}

fn lines(found: &Difference) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let line = |change: &PropertyDifference| {
        format!("{}: {} > {}", change.property, text(&change.before), text(&change.after))
    };
    only(found).properties.iter().map(line).collect()
}

fn rotates(name: &str) -> MaterialChange {
    MaterialChange::Rotates { material: name.parse().unwrap() }
}

#[test]
fn the_same_import_is_no_difference() {
    assert!(between(KeySpec::SymmetricDefault, Some(import(&["a"])), Some(import(&["a"]))).is_empty());
}

/// What somebody changes of an import.
type Edit<'a> = &'a dyn Fn(&mut Import);

#[test]
fn each_part_of_an_import_is_a_property_of_its_own() {
    let changes: [(&str, Edit<'_>); 6] = [
        ("validity: 180 days, imported again 30 before > never expires", &|i| i.validity = Validity::Never),
        ("validity: 180 days, imported again 30 before > 180 days, imported again 7 before", &|i| {
            i.validity = Validity::Days { days: 180, reimport_before: 7 };
        }),
        ("wrapping: RSAES_OAEP_SHA_256 under RSA_4096 > RSAES_OAEP_SHA_1 under RSA_4096", &|i| {
            i.algorithm = WrappingAlgorithm::OaepSha1;
        }),
        ("wrapping: RSAES_OAEP_SHA_256 under RSA_4096 > RSAES_OAEP_SHA_256 under RSA_3072", &|i| {
            i.wrapping_key = WrappingKeySpec::Rsa3072;
        }),
        ("material a: command vault (base64) > prewrapped", &|i| i.materials[0].source = MaterialSource::Prewrapped),
        ("material a: command vault (base64) > command vault (base64), with other arguments", &|i| {
            i.materials[0].source = command(&["vault", "read", "canary-argument"]);
        }),
    ];
    for (wanted, edit) in changes {
        let mut after = import(&["a"]);
        edit(&mut after);
        let found = between(KeySpec::SymmetricDefault, Some(import(&["a"])), Some(after));
        assert_eq!(lines(&found), [wanted]);
        assert_eq!(only(&found).material, []);
        assert!(!format!("{found:?}").contains("canary-argument"));
    }
}

#[test]
fn a_new_last_material_of_a_symmetric_key_is_a_rotation() {
    let found = between(KeySpec::SymmetricDefault, Some(import(&["a"])), Some(import(&["a", "b", "c"])));
    assert_eq!(
        lines(&found),
        ["materials: a > a, b, c", "material b: - > command vault (base64)", "material c: - > command vault (base64)"]
    );
    assert_eq!(only(&found).material, [rotates("b"), rotates("c")]);
    let named = |name: &str| name.parse::<MaterialName>().unwrap();
    let before_it = between(KeySpec::SymmetricDefault, Some(import(&["b"])), Some(import(&["a", "b", "c"])));
    assert_eq!(only(&before_it).material, [MaterialChange::NotLast { material: named("a") }, rotates("c")]);
    let replaced = between(KeySpec::SymmetricDefault, Some(import(&["a"])), Some(import(&["b"])));
    assert_eq!(only(&replaced).material, [rotates("b"), MaterialChange::Undeclared { material: named("a") }]);
    let turned = between(KeySpec::SymmetricDefault, Some(import(&["a", "b"])), Some(import(&["b", "a"])));
    assert_eq!((lines(&turned), only(&turned).material.len()), (vec!["materials: a, b > b, a".to_owned()], 0));
}

#[test]
fn other_material_of_a_key_that_keeps_its_first_is_refused() {
    for spec in [KeySpec::Hmac256, KeySpec::Rsa2048] {
        let found = between(spec, Some(import(&["a"])), Some(import(&["b"])));
        let (before, after) = ("a".parse().unwrap(), "b".parse().unwrap());
        assert_eq!(only(&found).material, [MaterialChange::Refused { before, after, spec: spec.to_string() }]);
        assert_eq!(lines(&found)[0], "materials: a > b");
    }
}

#[test]
fn deleted_material_is_said_and_the_key_then_waits_for_import() {
    let deleted = Import { presence: MaterialPresence::Deleted, ..import(&["a"]) };
    let found = between(KeySpec::SymmetricDefault, Some(import(&["a"])), Some(deleted.clone()));
    assert_eq!(lines(&found), ["state: enabled > PendingImport", "material state: imported > deleted"]);
    assert_eq!(only(&found).material, [MaterialChange::Deletes]);
    let back = between(KeySpec::SymmetricDefault, Some(deleted), Some(import(&["a"])));
    assert_eq!((lines(&back).len(), only(&back).material.len()), (2, 0));
}

#[test]
fn an_import_that_comes_or_goes_is_listed_and_changes_no_material() {
    let (none, some) = (None, Some(import(&["a"])));
    let comes = between(KeySpec::SymmetricDefault, none.clone(), some.clone());
    assert_eq!(
        lines(&comes),
        [
            "validity: - > 180 days, imported again 30 before",
            "materials: - > a",
            "wrapping: - > RSAES_OAEP_SHA_256 under RSA_4096",
            "material a: - > command vault (base64)"
        ]
    );
    let goes = between(KeySpec::SymmetricDefault, some, none);
    assert_eq!(lines(&goes).len(), 4);
    assert!(only(&comes).material.is_empty() && only(&goes).material.is_empty());
    // A new key has it all at once.
    let new = compared(&of_keys(&[]), &of_keys(&[imported("root", KeySpec::Hmac256, Some(import(&["a"])))]));
    assert!(lines(&new).contains(&"materials: - > a".to_owned()), "{:?}", lines(&new));
    assert!(only(&new).material.is_empty());
}

#[test]
fn live_state_does_not_say_how_material_comes_in() {
    let declared = of_keys(&[imported("root", KeySpec::SymmetricDefault, Some(import(&["a"])))]);
    let mut live = Snapshot { origin: Origin::Live, ..declared.clone() };
    live.targets[0].keys[0].import = None;
    assert!(compared(&declared, &live).is_empty() && compared(&live, &declared).is_empty());
}
