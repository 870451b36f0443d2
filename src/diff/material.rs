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
pub(crate) mod tests;
