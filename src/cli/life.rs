//! Consent that names keys: each must be one of the manifest, and one that the consent can be about.

use super::args::LifeOptions;
use super::load::Manifest;
use super::printer::Printer;
use crate::desired::{DesiredKey, KeyLifecycle};
use crate::exit::Exit;
use crate::ids::KeyName;
use crate::text::did_you_mean;

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
