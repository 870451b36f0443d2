//! Compares how two manifests import the material of a key, and says what becomes of the change. The material itself is
//! nowhere: only what it is called and where it comes from.

use super::keys::change;
use super::model::{MaterialChange, PropertyDifference};
use crate::desired::{DesiredMaterial, Import, KeyKind, MaterialPresence, MaterialSource, Validity};
use crate::ids::MaterialName;

/// Returns what differs between two declarations of an import, a line each.
pub(super) fn import_properties(before: Option<&Import>, after: Option<&Import>) -> Vec<PropertyDifference> {
    let mut found = Vec::new();
    let mut compare = |name: &str, value: &dyn Fn(&Import) -> String| {
        let (one, other) = (before.map(value), after.map(value));
        if one != other {
            found.push(change(name, one, other));
        }
    };
    compare("validity", &|import| validity(import.validity));
    compare("materials", &|import| names(import));
    compare("wrapping", &|import| format!("{} under {}", import.algorithm, import.wrapping_key));
    let state = |import: &Import| (import.presence == MaterialPresence::Deleted).then(|| "deleted".to_owned());
    let (one, other) = (before.and_then(state), after.and_then(state));
    if one != other {
        let known =
            |side: Option<&Import>, state: Option<String>| side.map(|_| state.unwrap_or_else(|| "imported".into()));
        found.push(change("material state", known(before, one), known(after, other)));
    }
    found.extend(source_changes(before, after));
    found
}

/// Returns where each material comes from, where that differs.
fn source_changes(before: Option<&Import>, after: Option<&Import>) -> Vec<PropertyDifference> {
    let (old, new) = (materials(before), materials(after));
    let gone = old.iter().filter(|material| named(new, &material.name).is_none());
    let gone = gone.map(|material| change(&property(material), Some(source(material)), None));
    let differing = new.iter().filter_map(|material| {
        let Some(earlier) = named(old, &material.name) else {
            return Some(change(&property(material), None, Some(source(material))));
        };
        let (one, mut other) = (source(earlier), source(material));
        if one == other {
            other += ", with other arguments";
        }
        (earlier.source != material.source).then(|| change(&property(material), Some(one), Some(other)))
    });
    gone.chain(differing).collect()
}

fn property(material: &DesiredMaterial) -> String {
    format!("material {}", material.name)
}

fn materials(import: Option<&Import>) -> &[DesiredMaterial] {
    import.map(|import| import.materials.as_slice()).unwrap_or_default()
}

fn named<'m>(materials: &'m [DesiredMaterial], name: &MaterialName) -> Option<&'m DesiredMaterial> {
    materials.iter().find(|material| material.name == *name)
}

fn names(import: &Import) -> String {
    import.materials.iter().map(|material| material.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn validity(validity: Validity) -> String {
    match validity {
        Validity::Never => "never expires".to_owned(),
        Validity::Days { days, reimport_before } => {
            let days = crate::text::plural(usize::from(days), "day");
            format!("{days}, imported again {reimport_before} before")
        }
    }
}

/// Returns where material comes from, in words. Of a command the program alone: arguments are for the manifest.
fn source(material: &DesiredMaterial) -> String {
    match &material.source {
        MaterialSource::Command { argv, encoding } => {
            format!("command {} ({})", argv.first().map_or("", String::as_str), encoding.name())
        }
        MaterialSource::File { path, encoding } => format!("file {path} ({})", encoding.name()),
        MaterialSource::Env { variable, encoding } => format!("env {variable} ({})", encoding.name()),
        MaterialSource::Stdin { encoding } => format!("stdin ({})", encoding.name()),
        MaterialSource::Prewrapped => "prewrapped".to_owned(),
    }
}

/// Returns what becomes of a change of the materials of a key of a spec that stays where it is.
pub(super) fn material_changes(before: &Import, after: &Import, spec: &str) -> Vec<MaterialChange> {
    if after.presence == MaterialPresence::Deleted {
        let deletes = before.presence == MaterialPresence::Imported;
        return deletes.then_some(MaterialChange::Deletes).into_iter().collect();
    }
    if spec != KeyKind::SYMMETRIC.spec().name() {
        return refused(before, after, spec).into_iter().collect();
    }
    let (old, new) = (&before.materials, &after.materials);
    let last_known = new.iter().rposition(|material| named(old, &material.name).is_some());
    let added = new.iter().enumerate().filter(|(_, material)| named(old, &material.name).is_none());
    let added = added.map(|(at, DesiredMaterial { name, .. })| {
        if last_known.is_some_and(|last| at < last) {
            MaterialChange::NotLast { material: name.clone() }
        } else {
            MaterialChange::Rotates { material: name.clone() }
        }
    });
    let gone = old.iter().filter(|material| named(new, &material.name).is_none());
    added.chain(gone.map(|material| MaterialChange::Undeclared { material: material.name.clone() })).collect()
}

/// Returns the change of a material that is fixed for good.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys.html#importing-keys-considerations>
fn refused(before: &Import, after: &Import, spec: &str) -> Option<MaterialChange> {
    let (one, other) = (before.materials.last()?, after.materials.last()?);
    (one.name != other.name).then(|| MaterialChange::Refused {
        before: one.name.clone(),
        after: other.name.clone(),
        spec: spec.to_owned(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
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

    #[test]
    fn each_part_of_an_import_is_a_property_of_its_own() {
        let changes: [(&str, &dyn Fn(&mut Import)); 6] = [
            ("validity: 180 days, imported again 30 before > never expires", &|i| i.validity = Validity::Never),
            ("validity: 180 days, imported again 30 before > 180 days, imported again 7 before", &|i| {
                i.validity = Validity::Days { days: 180, reimport_before: 7 };
            }),
            ("wrapping: RSAES_OAEP_SHA_256 under RSA_4096 > RSAES_OAEP_SHA_1 under RSA_4096", &|i| {
                i.algorithm = WrappingAlgorithm::OaepSha1
            }),
            ("wrapping: RSAES_OAEP_SHA_256 under RSA_4096 > RSAES_OAEP_SHA_256 under RSA_3072", &|i| {
                i.wrapping_key = WrappingKeySpec::Rsa3072
            }),
            ("material a: command vault (base64) > prewrapped", &|i| {
                i.materials[0].source = MaterialSource::Prewrapped
            }),
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
            [
                "materials: a > a, b, c",
                "material b: - > command vault (base64)",
                "material c: - > command vault (base64)"
            ]
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
}
