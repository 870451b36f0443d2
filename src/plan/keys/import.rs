//! Imported material of a key: what is imported, for the first time or again, and what is to be known of it.

mod due;
mod matching;
mod removal;
mod renewal;
mod tell;
mod unfit;
mod validity;

pub(super) use renewal::{asked, renew};
use tell::awaited;
pub(super) use unfit::unfit;
pub(in crate::plan) use validity::birth_tags;

use super::super::draft::{Awaited, Draft, Sheet};
use super::super::family::{Relative, Relatives};
use super::course::{Course, Lack};
use super::{KeyGoal, readable};
use crate::desired::{DesiredKey, DesiredMaterial, Import, KeyLifecycle, MaterialPresence, MaterialSource};
use crate::diag::Code;
use crate::kms::{ImportKind, KeySpec, KeyState};
use crate::live::{KeyMetadata, LiveKey, LiveMaterials, Observed};
use crate::plan::{Action, Drift, KeyRef, PlanOptions, Why, Wrapping};
use due::{Due, due};
use matching::{Found, Matched, Presence, matched, with_names_of};
use std::collections::BTreeMap;

/// How a material comes to KMS.
pub(super) enum Way {
    /// By a step of the plan.
    Step(Wrapping),
    /// Encrypted elsewhere, and not brought along.
    Awaited,
}

/// Returns how a declared material comes to KMS.
fn way(options: &PlanOptions, key: &DesiredKey, import: &Import, wanted: &DesiredMaterial) -> Way {
    match &wanted.source {
        MaterialSource::Prewrapped if options.prewrapped.contains(&(key.name.clone(), wanted.name.clone())) => {
            Way::Step(Wrapping::Before)
        }
        MaterialSource::Prewrapped => Way::Awaited,
        MaterialSource::Command { .. }
        | MaterialSource::File { .. }
        | MaterialSource::Env { .. }
        | MaterialSource::Stdin { .. } => {
            Way::Step(Wrapping::Here { algorithm: import.algorithm, key: import.wrapping_key })
        }
    }
}

/// Returns the `import` of a key whose material is to be there; `None` where nothing is imported.
pub(super) fn wanted_import(key: &DesiredKey) -> Option<&Import> {
    let import = key.import().filter(|import| import.presence == MaterialPresence::Imported);
    import.filter(|_| key.lifecycle != KeyLifecycle::Retired)
}

/// Returns whether the manifest wants the key without its material.
pub(super) fn is_deleted(key: &DesiredKey) -> bool {
    key.import().is_some_and(|import| import.presence == MaterialPresence::Deleted)
}

/// Returns the materials of a key as read; without them nothing can be told of it.
fn materials<'a>(live: &'a LiveKey, sheet: &mut Sheet<'_>) -> Option<&'a LiveMaterials> {
    match &live.materials {
        Some(Observed::Known(materials)) => Some(materials),
        Some(denied @ Observed::Denied { .. }) => readable(denied, live, sheet),
        None => {
            let message = format!("the materials of `{}` were not read", live.arn);
            sheet.block(Code::Unreadable, message, "run the command again");
            None
        }
    }
}

/// Returns the step that imports a material.
fn import_step(
    goal: &KeyGoal<'_>,
    key: &KeyRef,
    (import, wanted): (&Import, &DesiredMaterial),
    kind: ImportKind,
    (wrapping, due): (Wrapping, Due),
) -> Draft {
    let action = Action::ImportKeyMaterial {
        key: key.clone(),
        spec: goal.key.spec(),
        material: wanted.name.clone(),
        kind,
        id: due.id,
        valid_for_days: import.validity.days(),
        wrapping,
    };
    let property = format!("material {}", wanted.name);
    Draft::new(action, due.why).risk(due.risk).change(property, due.before, Some(validity::in_words(import.validity)))
}

/// Imports the material of a key that this plan makes, and rotates to all but the first; returns the state that the
/// key has then.
pub(super) fn at_birth(goal: &KeyGoal<'_>, sheet: &mut Sheet<'_>) -> KeyState {
    if is_deleted(goal.key) {
        removal::made_without(goal, sheet);
    }
    let Some(import) = wanted_import(goal.key) else { return KeyState::PendingImport };
    let mut declared = import.materials.iter();
    let Some(first) = declared.next() else { return KeyState::PendingImport };
    let key = KeyRef::Planned(goal.key.name.clone());
    // What was encrypted elsewhere was encrypted for another key: this one is not made yet.
    let Way::Step(wrapping @ Wrapping::Here { .. }) = way(goal.input.options, goal.key, import, first) else {
        awaited(goal, first, None, sheet);
        return KeyState::PendingImport;
    };
    sheet.step(import_step(goal, &key, (import, first), ImportKind::New, (wrapping, Due::absent())));
    renewal::at_birth(goal, (import, first), declared.as_slice(), sheet);
    KeyState::Enabled
}

/// Returns whether a key that has no material, or is not there yet, gets all that it needs by a plan: then it can be
/// used, and replicated.
pub(in crate::plan) fn brings_to_life(options: &PlanOptions, key: &DesiredKey, live: Option<&LiveKey>) -> bool {
    let Some(import) = wanted_import(key) else { return false };
    let comes = |wanted: &DesiredMaterial| match way(options, key, import, wanted) {
        Way::Step(Wrapping::Here { .. }) => true,
        Way::Step(Wrapping::Before) => live.is_some(),
        Way::Awaited => false,
    };
    let first = || import.materials.first().is_some_and(comes);
    let Some(live) = live else { return first() };
    let (Some(Observed::Known(materials)), Some(metadata)) = (&live.materials, live.metadata.known()) else {
        return false;
    };
    let matched = matched(import, materials, metadata);
    let missing = matched.pairs.iter().filter(|pair| pair.is_missing());
    matched.lost().next().is_none()
        && missing.clone().all(|pair| comes(pair.wanted))
        && (!matched.is_empty() || first())
}

/// Imports what a new replica needs, after its primary; returns the state that it has then.
pub(super) fn at_replication(goal: &KeyGoal<'_>, sheet: &mut Sheet<'_>) -> KeyState {
    let Some(import) = wanted_import(goal.key) else { return KeyState::PendingImport };
    let key = KeyRef::Planned(goal.key.name.clone());
    let mut state = KeyState::PendingImport;
    for wanted in &import.materials {
        match way(goal.input.options, goal.key, import, wanted) {
            Way::Step(wrapping @ Wrapping::Here { .. }) => {
                if follow(goal, &key, (import, wanted), wrapping, sheet) {
                    state = KeyState::Enabled;
                }
            }
            Way::Step(Wrapping::Before) | Way::Awaited => awaited(goal, wanted, None, sheet),
        }
    }
    state
}

/// Imports a material into a replica that does not have it: once its primary has it.
fn follow(
    goal: &KeyGoal<'_>,
    key: &KeyRef,
    (import, wanted): (&Import, &DesiredMaterial),
    wrapping: Wrapping,
    sheet: &mut Sheet<'_>,
) -> bool {
    let Relatives::Replica { primary: Some(primary) } = &goal.relatives else {
        sheet.note(
            Code::ReplicaWaits,
            format!("the material `{}` waits: the primary, which has it first, is not part of this run", wanted.name),
            "plan with the target of the primary too",
        );
        return false;
    };
    let draft = import_step(goal, key, (import, wanted), ImportKind::Existing, (wrapping, Due::absent()));
    let material = wanted.name.clone();
    sheet.step(if of_relative(primary, import, wanted).is_some() {
        draft
    } else {
        draft.awaits(Awaited::Material { target: primary.target.clone(), material })
    });
    true
}

/// Returns a material as a key of the family in another Region has it, there or not.
fn of_relative(relative: &Relative<'_>, import: &Import, wanted: &DesiredMaterial) -> Option<Found> {
    let live = relative.live?;
    let (Some(Observed::Known(materials)), Some(metadata)) = (&live.materials, live.metadata.known()) else {
        return None;
    };
    let materials = with_names_of(relative.primary, materials);
    matched(import, &materials, metadata).find(&wanted.name).cloned()
}

/// Returns the primary of a replica, where it was read.
fn primary_of<'g>(goal: &KeyGoal<'g>) -> Option<&'g LiveKey> {
    match &goal.relatives {
        Relatives::Replica { primary } => primary.as_ref()?.live,
        Relatives::Source { .. } => None,
    }
}

/// Brings the material of a key that exists to what is declared: imports it, again or for the first time, or deletes
/// it. New material with its rotation comes later: see [`renew`]. Returns what differs without a step.
pub(super) fn bring_in(
    goal: &KeyGoal<'_>,
    (live, key): (&LiveKey, &KeyRef),
    (metadata, tags): (&KeyMetadata, &BTreeMap<String, String>),
    course: &mut Course,
    sheet: &mut Sheet<'_>,
) -> Vec<Drift> {
    if goal.key.lifecycle == KeyLifecycle::Retired {
        return Vec::new();
    }
    let Some(import) = goal.key.import() else {
        tell::by_hand(goal, live, metadata, sheet);
        validity::without(tags, key, sheet);
        return Vec::new();
    };
    let Some(materials) = materials(live, sheet) else { return Vec::new() };
    let materials = with_names_of(primary_of(goal), materials);
    let matched = matched(import, &materials, metadata);
    tell::left_out(&matched, sheet);
    if import.presence == MaterialPresence::Deleted {
        removal::remove(goal, key, &matched, course, sheet);
        validity::tag(import, tags, key, (goal, sheet));
        return Vec::new();
    }
    let mut drift = tell::undeclared(goal, &matched, sheet);
    let mut site = Site { goal, key, import, matched: &matched, tags, lacking: matched.lost().count(), stale: false };
    drift.extend(site.again(course, sheet));
    site.first(course, sheet);
    if course.state() == KeyState::PendingImport {
        course.material(if site.lacking == 0 { None } else { Some(Lack::Told) });
    }
    if !site.stale {
        validity::tag(import, tags, key, (goal, sheet));
    }
    drift
}

/// A key that exists, and what of its materials stays amiss.
struct Site<'s, 'g> {
    goal: &'s KeyGoal<'g>,
    key: &'s KeyRef,
    import: &'s Import,
    matched: &'s Matched<'s>,
    tags: &'s BTreeMap<String, String>,
    /// How many materials that the key needs stay missing.
    lacking: usize,
    /// Whether a material keeps the validity of an earlier import.
    stale: bool,
}

impl Site<'_, '_> {
    /// Imports again what the key has and is due.
    fn again(&mut self, course: &mut Course, sheet: &mut Sheet<'_>) -> Vec<Drift> {
        let mut drift = Vec::new();
        for pair in &self.matched.pairs {
            let Some(found) = &pair.live else { continue };
            let name = &pair.wanted.name;
            tell::expiry(self.goal, self.import, name, found, sheet);
            let Some(due) = due(self.goal, self.import, pair.wanted, found, self.tags) else { continue };
            let missing = found.presence == Presence::Missing && found.standing.is_in_use();
            match way(self.goal.input.options, self.goal.key, self.import, pair.wanted) {
                Way::Step(wrapping) if allows_import(course) => {
                    let declared = (self.import, pair.wanted);
                    sheet.step(import_step(self.goal, self.key, declared, ImportKind::Existing, (wrapping, due)));
                    continue;
                }
                Way::Step(_) => course.waits("importing its material"),
                Way::Awaited => {
                    awaited(self.goal, pair.wanted, Some(found), sheet);
                    drift.extend(tell::awaited_drift(self.goal, name, &due));
                }
            }
            self.lacking += usize::from(missing);
            self.stale |= due.why != Why::Asked;
        }
        drift
    }

    /// Imports what a key needs that it never had: its first material, and in a replica all that its primary has.
    fn first(&mut self, course: &mut Course, sheet: &mut Sheet<'_>) {
        let is_replica = matches!(self.goal.relatives, Relatives::Replica { .. });
        let empty = self.matched.is_empty();
        let never = self.matched.pairs.iter().filter(|pair| pair.live.is_none());
        let mut comes = false;
        for pair in never.take(if is_replica { usize::MAX } else { usize::from(empty) }) {
            match way(self.goal.input.options, self.goal.key, self.import, pair.wanted) {
                Way::Step(_) if !allows_import(course) => course.waits("importing its material"),
                Way::Step(wrapping) if is_replica => {
                    comes |= follow(self.goal, self.key, (self.import, pair.wanted), wrapping, sheet);
                }
                Way::Step(wrapping) => {
                    let declared = (self.import, pair.wanted);
                    let draft = import_step(self.goal, self.key, declared, ImportKind::New, (wrapping, Due::absent()));
                    sheet.step(draft);
                    comes = true;
                }
                Way::Awaited => awaited(self.goal, pair.wanted, None, sheet),
            }
        }
        self.lacking += usize::from(empty && !comes);
    }
}

/// One step asks for the parameters and sends the material.
fn allows_import(course: &Course) -> bool {
    course.allows("GetParametersForImport") && course.allows("ImportKeyMaterial")
}

/// Returns whether a key can have one material after another.
fn takes_new(key: &DesiredKey) -> bool {
    key.spec() == KeySpec::SymmetricDefault
}
