//! Imported material in a plan's lines: imported, imported again, rotated to, deleted.

use crate::kms::{ImportKind, ON_DEMAND_ROTATIONS};
use crate::plan::{Action, PropertyChange, Step, Why, Wrapping};
use crate::text::escape;

/// Returns the line of a step that is about imported material: `material 2026: imported, valid for 180 days`.
pub(super) fn line(step: &Step, change: &PropertyChange) -> Option<String> {
    if let Action::ImportKeyMaterial { kind, wrapping, .. } = &step.action {
        let again = match (step.why, kind) {
            (Why::Absent, _) | (_, ImportKind::New) => "imported",
            (
                Why::Differs
                | Why::Unwanted
                | Why::Interrupted
                | Why::Wording
                | Why::Adopted
                | Why::Renamed
                | Why::Asked
                | Why::Expires
                | Why::Missing,
                ImportKind::Existing,
            ) => "imported again",
        };
        let brought = if *wrapping == Wrapping::Before { ", as it was encrypted elsewhere" } else { "" };
        let validity = escape(change.after.as_deref().unwrap_or_default());
        Some(format!("{}: {again}, {validity}{brought}{}", escape(&change.property), before(step.why, change)))
    } else if let Action::DeleteImportedKeyMaterial { .. } = &step.action {
        Some(format!("{}: deleted; nobody can use the key until it is imported again", escape(&change.property)))
    } else if let (Action::RotateKeyOnDemand { before, .. }, "current material") = (&step.action, &*change.property) {
        let (after, used) = (escape(change.after.as_deref().unwrap_or_default()), before.saturating_add(1));
        Some(format!("rotated to material {after} ({used} of {ON_DEMAND_ROTATIONS} on-demand rotations used)"))
    } else {
        None
    }
}

/// What is there before, in brackets.
fn before(why: Why, change: &PropertyChange) -> String {
    match (&change.before, why) {
        (Some(before), Why::Differs) => format!(" (was imported otherwise: {})", escape(before)),
        (Some(before), _) => format!(" ({})", escape(before)),
        (None, Why::Missing) => " (it is not there)".to_owned(),
        (None, _) => String::new(),
    }
}

/// Returns what a key's headline says of its material, if that is what changes.
pub(super) fn reason(steps: &[&Step]) -> Option<&'static str> {
    let deletes = |step: &&&Step| matches!(step.action, Action::DeleteImportedKeyMaterial { .. });
    if steps.iter().any(|step| deletes(&step)) {
        return Some("imported material is deleted: nobody can use the key afterwards");
    }
    let imports = steps.iter().filter(|step| matches!(step.action, Action::ImportKeyMaterial { .. }));
    let whys: Vec<Why> = imports.map(|step| step.why).collect();
    let is = |why| whys.contains(&why);
    if is(Why::Missing) {
        Some("imported material is missing, and comes back")
    } else if is(Why::Expires) {
        Some("imported material expires, and is imported again")
    } else if is(Why::Absent) {
        Some("new imported material")
    } else if is(Why::Differs) {
        Some("imported material gets another validity")
    } else {
        is(Why::Asked).then_some("imported material is imported again, as asked")
    }
}
