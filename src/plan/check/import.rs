//! Imported material: nothing is imported that nobody declares, nothing deleted without consent, and nothing rotated to
//! that was not imported before.

use crate::desired::{DesiredKey, KeyLifecycle, MaterialPresence};
use crate::ids::KeyName;
use crate::kms::{ImportKind, Origin};
use crate::live::{LiveKey, LiveMaterials, Observed};
use crate::plan::{Action, Owner, PlanInput, Step, TargetPlan};
use std::collections::BTreeSet;

/// Returns every step on imported material that must not be.
pub(super) fn faults(target: &TargetPlan, input: PlanInput<'_>) -> Vec<String> {
    let steps = target.outcome.steps();
    let names: BTreeSet<&KeyName> = steps
        .iter()
        .filter_map(|step| match &step.owner {
            Owner::Key(name) => Some(name),
            Owner::Role(_) => None,
        })
        .collect();
    let wanted = input.desired.targets.iter().find(|wanted| wanted.name == target.name);
    let keys = wanted.into_iter().flat_map(|wanted| &wanted.keys).filter(|key| names.contains(&key.name));
    let mut faults = Vec::new();
    for key in keys {
        let of_key = || steps.iter().filter(|step| step.owner == Owner::Key(key.name.clone()));
        faults.extend(of_key().filter_map(|step| fault(step, key, input)));
        if key.origin() == Origin::External {
            let live = target.keys.get(&key.name).and_then(|arn| input.targets.get(&target.name)?.key(&arn.key_id()));
            faults.extend(rotation_faults(of_key(), live));
        }
    }
    faults
}

fn fault(step: &Step, key: &DesiredKey, input: PlanInput<'_>) -> Option<String> {
    let name = &key.name;
    let presence = key.import().map(|import| import.presence);
    if let Action::ImportKeyMaterial { material, valid_for_days, kind, id, .. } = &step.action {
        let import = key.import().filter(|import| import.presence == MaterialPresence::Imported);
        let Some(import) = import.filter(|_| key.lifecycle != KeyLifecycle::Retired) else {
            return Some(format!("{} imports material into `{name}`, which is to get none", step.id));
        };
        if !import.materials.iter().any(|declared| declared.name == *material) {
            return Some(format!("{} imports `{material}` into `{name}`, which does not declare it", step.id));
        }
        if import.validity.days() != *valid_for_days {
            return Some(format!("{} imports `{material}` for another time than `{name}` declares", step.id));
        }
        return (*kind == ImportKind::New && id.is_some())
            .then(|| format!("{} imports `{material}` as new, and as one that is known", step.id));
    }
    if matches!(step.action, Action::DeleteImportedKeyMaterial { .. }) {
        if presence != Some(MaterialPresence::Deleted) {
            return Some(format!("{} deletes the material of `{name}`, which is to have it", step.id));
        }
        return (!input.options.delete_material.contains(name))
            .then(|| format!("{} deletes the material of `{name}` without consent", step.id));
    }
    None
}

/// Each rotation takes one material that was imported for it: before the plan, or by a step of it.
fn rotation_faults<'s>(steps: impl Iterator<Item = &'s Step>, live: Option<&LiveKey>) -> Vec<String> {
    let known = live.and_then(|key| key.materials.as_ref()).and_then(Observed::known);
    let listed = match known {
        Some(LiveMaterials::Listed(all)) => all.as_slice(),
        Some(LiveMaterials::Untold) | None => &[],
    };
    let mut has_any = !listed.is_empty();
    let mut waiting = listed.iter().any(|material| !material.standing.is_in_use());
    let mut faults = Vec::new();
    for step in steps {
        if matches!(step.action, Action::ImportKeyMaterial { kind: ImportKind::New, .. }) {
            if has_any && waiting {
                faults.push(format!("{} imports new material while other one waits for its rotation", step.id));
            }
            waiting |= has_any;
            has_any = true;
        } else if matches!(step.action, Action::RotateKeyOnDemand { .. }) {
            if !waiting {
                faults.push(format!("{} rotates to material that was not imported", step.id));
            }
            waiting = false;
        }
    }
    faults
}
