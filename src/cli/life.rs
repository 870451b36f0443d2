//! Consent that names keys: each must be one of the manifest, and one that the consent can be about.

use super::args::{LifeOptions, MaterialOptions, PrewrappedFolder};
use super::load::Manifest;
use super::printer::Printer;
use crate::desired::{DesiredKey, DesiredMaterial, Import, KeyLifecycle, MaterialPresence, MaterialSource};
use crate::exit::Exit;
use crate::ids::{KeyName, MaterialName};
use crate::text::did_you_mean;
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks that the manifest retires the keys of `--allow-retire`, and keeps those of `--cancel-deletion`.
///
/// # Errors
/// With exit code 2, when the reason has been printed.
pub fn check(options: &LifeOptions, manifest: &Manifest, printer: &mut Printer) -> Result<(), Exit> {
    let wrong = options
        .allow_retire
        .iter()
        .find_map(|name| retire_refusal(name, manifest))
        .or_else(|| options.cancel_deletion.iter().find_map(|name| cancel_refusal(name, manifest)));
    wrong.map_or(Ok(()), |message| {
        printer.error(&message);
        Err(Exit::Usage)
    })
}

fn retire_refusal(name: &KeyName, manifest: &Manifest) -> Option<String> {
    match lifecycles(name, manifest).as_slice() {
        [] => Some(unknown(name, manifest)),
        found if found.contains(&KeyLifecycle::Retired) => None,
        _ => Some(format!(
            "--allow-retire {name}: the key is not retired; set state = \"retired\", and apply that first"
        )),
    }
}

fn cancel_refusal(name: &KeyName, manifest: &Manifest) -> Option<String> {
    match lifecycles(name, manifest).as_slice() {
        [] => Some(unknown(name, manifest)),
        found if found.iter().all(|lifecycle| *lifecycle == KeyLifecycle::Retired) => Some(format!(
            "--cancel-deletion {name}: the manifest retires the key; to keep it, set state = \"enabled\" or \"disabled\""
        )),
        _ => None,
    }
}

fn keys(manifest: &Manifest) -> impl Iterator<Item = &DesiredKey> {
    manifest.desired.targets.iter().flat_map(|target| &target.keys)
}

/// Returns what the key is in each target that has it.
fn lifecycles(name: &KeyName, manifest: &Manifest) -> Vec<KeyLifecycle> {
    keys(manifest).filter(|key| key.name == *name).map(|key| key.lifecycle).collect()
}

fn unknown(name: &KeyName, manifest: &Manifest) -> String {
    let hint = did_you_mean(name.as_str(), keys(manifest).map(|key| key.name.as_str()));
    let hint = hint.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
    format!("the manifest has no key `{name}`{hint}")
}

/// Checks that the manifest imports the material that `--reimport` and `--prewrapped` are about, and deletes that of
/// `--delete-material`.
///
/// # Errors
/// With exit code 2, when the reason has been printed.
pub fn check_material(options: &MaterialOptions, manifest: &Manifest, printer: &mut Printer) -> Result<(), Exit> {
    let wrong = options
        .delete_material
        .iter()
        .find_map(|name| delete_refusal(name, manifest))
        .or_else(|| options.reimport.iter().find_map(|name| reimport_refusal(name, manifest)))
        .or_else(|| options.prewrapped.iter().find_map(|given| prewrapped_refusal(given, options, manifest)));
    wrong.map_or(Ok(()), |message| {
        printer.error(&message);
        Err(Exit::Usage)
    })
}

/// Returns the materials that are brought along encrypted.
pub fn prewrapped(options: &MaterialOptions) -> BTreeSet<(KeyName, MaterialName)> {
    options.prewrapped.iter().map(|given| (given.key.clone(), given.material.clone())).collect()
}

/// Returns how the material of a key comes in, in each target that has it; `None` where somebody imports it by hand.
fn imports<'a>(name: &KeyName, manifest: &'a Manifest) -> Vec<Option<&'a Import>> {
    keys(manifest).filter(|key| key.name == *name).map(DesiredKey::import).collect()
}

fn delete_refusal(name: &KeyName, manifest: &Manifest) -> Option<String> {
    let imports = imports(name, manifest);
    if imports.is_empty() {
        return Some(unknown(name, manifest));
    }
    let deletes = imports.into_iter().flatten().any(|import| import.presence == MaterialPresence::Deleted);
    (!deletes).then(|| {
        format!("--delete-material {name}: the manifest does not delete the key's material; set material_state = \"deleted\"")
    })
}

fn reimport_refusal(name: &KeyName, manifest: &Manifest) -> Option<String> {
    let imports = imports(name, manifest);
    if imports.is_empty() {
        return Some(unknown(name, manifest));
    }
    let mut declared = imports.into_iter().flatten().peekable();
    if declared.peek().is_none() {
        return Some(format!(
            "--reimport {name}: the manifest does not say how the key's material comes in; add [key.{name}.import]"
        ));
    }
    declared.all(|import| import.presence == MaterialPresence::Deleted).then(|| {
        format!("--reimport {name}: the manifest deletes the key's material; to import it, set material_state = \"imported\"")
    })
}

fn prewrapped_refusal(given: &PrewrappedFolder, all: &MaterialOptions, manifest: &Manifest) -> Option<String> {
    let (key, material) = (&given.key, &given.material);
    let imports = imports(key, manifest);
    if imports.is_empty() {
        return Some(unknown(key, manifest));
    }
    let option = format!("--prewrapped {key}/{material}");
    let materials: Vec<&DesiredMaterial> = imports.into_iter().flatten().flat_map(|import| &import.materials).collect();
    let Some(declared) = materials.iter().find(|declared| declared.name == *material) else {
        let hint = did_you_mean(material.as_str(), materials.iter().map(|declared| declared.name.as_str()));
        let hint = hint.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        return Some(format!("{option}: the key has no material `{material}`{hint}"));
    };
    if declared.source != MaterialSource::Prewrapped {
        return Some(format!("{option}: the manifest opens the material here; set prewrapped = true in its place"));
    }
    let same = |other: &&PrewrappedFolder| other.key == *key && other.material == *material;
    (all.prewrapped.iter().filter(same).count() > 1).then(|| format!("{option}: it is given twice"))
}

/// Returns the options that a saved plan was made with, as its steps tell, and that are not given now.
pub fn forgotten(plan: &Value, options: &MaterialOptions) -> BTreeSet<String> {
    let targets = plan.get("targets").and_then(Value::as_array).into_iter().flatten();
    let steps = targets.filter_map(|target| target.get("steps")?.as_array()).flatten();
    steps.filter_map(|step| forgotten_of(step, options)).collect()
}

fn forgotten_of(step: &Value, options: &MaterialOptions) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let key: KeyName = step.get("key")?.as_str()?.parse().ok()?;
    let action = step.get("action")?;
    match action.get("type")?.as_str()? {
        "kms:DeleteImportedKeyMaterial" if !options.delete_material.contains(&key) => {
            Some(format!("--delete-material {key}"))
        }
        "kms:ImportKeyMaterial" if action.get("wrapping").and_then(text).as_deref() == Some("prewrapped") => {
            let material: MaterialName = action.get("material")?.as_str()?.parse().ok()?;
            let given = prewrapped(options).contains(&(key.clone(), material.clone()));
            (!given).then(|| format!("--prewrapped {key}/{material}=DIR"))
        }
        "kms:ImportKeyMaterial" if step.get("why").and_then(text).as_deref() == Some("asked") => {
            (!options.reimport.contains(&key)).then(|| format!("--reimport {key}"))
        }
        _ => None,
    }
}
