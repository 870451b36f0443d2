//! Material that the manifest wants deleted: the key is out of use until it is imported again.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-delete-key-material.html>

use super::super::KeyGoal;
use super::super::course::{Course, Lack};
use super::super::retire::OUTLIVES;
use super::matching::{Found, Matched, Presence};
use super::tell::plain_name;
use crate::diag::Code;
use crate::ids::{KeyMaterialId, MaterialName};
use crate::kms::KeyState;
use crate::live::{Expiry, LiveMaterial, LivePresence};
use crate::plan::draft::{Draft, Sheet};
use crate::plan::{Action, KeyRef, Why};
use crate::review::Risk;

/// A material to delete.
struct Doomed {
    name: Option<MaterialName>,
    called: String,
    id: Option<KeyMaterialId>,
    expiry: Option<Expiry>,
    in_use: bool,
}

impl Doomed {
    fn declared(name: &MaterialName, found: &Found) -> Option<Self> {
        let Presence::There(expiry) = found.presence else { return None };
        let in_use = found.standing.is_in_use();
        Some(Self { name: Some(name.clone()), called: name.to_string(), id: found.id.clone(), expiry, in_use })
    }

    fn other(live: &LiveMaterial) -> Option<Self> {
        let LivePresence::Imported(expiry) = live.presence else { return None };
        let name = live.description.as_ref().and_then(|name| name.parse().ok());
        let (called, in_use) = (plain_name(live), live.standing.is_in_use());
        Some(Self { name, called, id: Some(live.id.clone()), expiry: Some(expiry), in_use })
    }
}

/// Deletes all material of a key, if it is consented to; otherwise says how to.
pub(super) fn remove(
    goal: &KeyGoal<'_>,
    key: &KeyRef,
    matched: &Matched<'_>,
    course: &mut Course,
    sheet: &mut Sheet<'_>,
) {
    course.material(Some(Lack::Declared));
    let declared = matched.pairs.iter().filter_map(|pair| Doomed::declared(&pair.wanted.name, pair.live.as_ref()?));
    let others = matched.undeclared.iter().filter_map(|live| Doomed::other(live));
    let doomed: Vec<Doomed> = declared.chain(others).collect();
    let name = &goal.key.name;
    if doomed.is_empty() {
        return sheet.note(
            Code::MaterialDeleted,
            "the key has no material, as declared: nobody can use it",
            "material_state = \"imported\" brings it back: the same material, imported again",
        );
    }
    if !course.allows("DeleteImportedKeyMaterial") {
        return course.waits("the deletion of its material");
    }
    let called: Vec<String> = doomed.iter().map(|doomed| format!("`{}`", doomed.called)).collect();
    let place = format!("in {} (target {})", goal.target.region, goal.target.name);
    let what = format!("material {} {place}", crate::text::and_list(&called));
    if !goal.input.options.delete_material.contains(name) {
        return sheet.note(
            Code::MaterialDeleted,
            format!(
                "the manifest wants {what} deleted: new calls of KMS fail within seconds to minutes then; {OUTLIVES}"
            ),
            format!(
                "keywright apply --delete-material {name}, which only an import of the same material takes back; or \
                 material_state = \"imported\""
            ),
        );
    }
    let in_use = doomed.iter().any(|doomed| doomed.in_use);
    for doomed in doomed {
        let before = doomed.expiry.map_or_else(|| "there".to_owned(), Expiry::in_words);
        let action = Action::DeleteImportedKeyMaterial { key: key.clone(), material: doomed.name, id: doomed.id };
        let draft = Draft::new(action, Why::Asked).risk(Risk::Destroy);
        sheet.step(draft.change(format!("material {}", doomed.called), Some(before), None));
    }
    if in_use {
        course.now(KeyState::PendingImport);
    }
    sheet.note(
        Code::MaterialDeleted,
        format!("{what} is deleted: new calls of KMS fail within seconds to minutes; {OUTLIVES}"),
        "material_state = \"imported\" brings it back: the same material, imported again, and no other",
    );
}

/// Says of a new key that it is made without material, as declared.
pub(super) fn made_without(goal: &KeyGoal<'_>, sheet: &mut Sheet<'_>) {
    sheet.note(
        Code::MaterialDeleted,
        format!("the key is made without material in {}, as declared: nobody can use it", goal.target.region),
        "material_state = \"imported\" imports it",
    );
}
