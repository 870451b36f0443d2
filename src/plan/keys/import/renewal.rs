//! New material of a symmetric encryption key: imported where the primary is, then in each replica, then rotated to.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/rotating-keys-on-demand.html>

use super::super::course::Course;
use super::super::rotation::history;
use super::super::{KeyGoal, readable};
use super::due::Due;
use super::matching::{Matched, Pair, Presence, matched, with_names_of};
use super::tell::awaited;
use super::{Way, follow, import_step, materials, of_relative, primary_of, takes_new, wanted_import, way};
use crate::desired::{DesiredMaterial, Import};
use crate::diag::Code;
use crate::ids::MaterialName;
use crate::kms::{ImportKind, KeyState, ON_DEMAND_ROTATIONS};
use crate::live::{KeyMetadata, LiveKey, LiveMaterial, MaterialStanding};
use crate::plan::draft::{Awaited, Draft, Sheet};
use crate::plan::family::{Relative, Relatives};
use crate::plan::{Action, KeyRef, Why, Wrapping};

/// What stands in the way of new material of a family, and what to do.
type Hold<'a> = Option<(&'a str, &'a str)>;

fn hold<'a>(goal: &'a KeyGoal<'_>) -> Hold<'a> {
    match &goal.relatives {
        Relatives::Source { hold: Some((why, help)), .. } => Some((why, help)),
        Relatives::Source { hold: None, .. } | Relatives::Replica { .. } => None,
    }
}

/// Says why new material is neither imported nor rotated to.
fn waits(names: &[&MaterialName], why: &str, help: &str, sheet: &mut Sheet<'_>) {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("the rotation to material {} waits: {why}", crate::text::and_list(&names));
    sheet.note(Code::RotationWaits, message, help);
}

/// Rotates a key that this plan makes to each material after the first, which is the current one.
pub(super) fn at_birth(
    goal: &KeyGoal<'_>,
    (import, first): (&Import, &DesiredMaterial),
    later: &[DesiredMaterial],
    sheet: &mut Sheet<'_>,
) {
    if later.is_empty() || !takes_new(goal.key) {
        return;
    }
    if let Some((why, help)) = hold(goal) {
        return waits(&later.iter().map(|wanted| &wanted.name).collect::<Vec<_>>(), why, help, sheet);
    }
    let key = KeyRef::Planned(goal.key.name.clone());
    let mut current = Some(first.name.to_string());
    for (before, wanted) in later.iter().enumerate() {
        let Way::Step(wrapping @ Wrapping::Here { .. }) = way(goal.input.options, goal.key, import, wanted) else {
            return awaited(goal, wanted, None, sheet);
        };
        let draft = import_step(goal, &key, (import, wanted), ImportKind::New, (wrapping, Due::absent()));
        sheet.step(draft.renewal());
        rotate(goal, &key, (import, wanted), (before, Why::Absent, current.take()), sheet);
        current = Some(wanted.name.to_string());
    }
}

/// Rotates to a material, once every replica has it.
fn rotate(
    goal: &KeyGoal<'_>,
    key: &KeyRef,
    (import, wanted): (&Import, &DesiredMaterial),
    (before, why, current): (usize, Why, Option<String>),
    sheet: &mut Sheet<'_>,
) {
    let action = Action::RotateKeyOnDemand { key: key.clone(), before };
    let mut draft =
        Draft::new(action, why).change("current material", current, Some(wanted.name.to_string())).renewal();
    if let Relatives::Source { replicas, .. } = &goal.relatives {
        for replica in replicas.iter().filter(|replica| !is_there(replica, import, wanted)) {
            let (target, material) = (replica.target.clone(), wanted.name.clone());
            draft = draft.awaits(Awaited::Material { target, material });
        }
    }
    sheet.step(draft);
}

fn is_there(replica: &Relative<'_>, import: &Import, wanted: &DesiredMaterial) -> bool {
    of_relative(replica, import, wanted).is_some_and(|found| found.presence != Presence::Missing)
}

/// The declared materials of a key that are not in use yet.
fn fresh<'m, 'a>(matched: &'m Matched<'a>) -> Vec<&'m Pair<'a>> {
    let skip = usize::from(matched.is_empty());
    matched.pairs.iter().skip(skip).filter(|pair| !pair.is_in_use()).collect()
}

/// Imports what is new and rotates to it, one after the other.
pub(in crate::plan::keys) fn renew(
    goal: &KeyGoal<'_>,
    (live, key): (&LiveKey, &KeyRef),
    metadata: &KeyMetadata,
    course: &mut Course,
    sheet: &mut Sheet<'_>,
) {
    let Some(import) = wanted_import(goal.key).filter(|_| takes_new(goal.key)) else { return };
    if matches!(goal.relatives, Relatives::Replica { .. }) {
        return;
    }
    let Some(known) = live.materials.as_ref().and_then(crate::live::Observed::known) else { return };
    let matched = matched(import, known, metadata);
    let fresh = fresh(&matched);
    if fresh.is_empty() || !in_order(&matched, &fresh, sheet) {
        return;
    }
    let names: Vec<&MaterialName> = fresh.iter().map(|pair| &pair.wanted.name).collect();
    if course.state() == KeyState::Disabled {
        let (why, help) = ("KMS cannot rotate a disabled key", "nothing to do: it is planned once the key is enabled");
        return waits(&names, why, help, sheet);
    }
    if !course.allows("RotateKeyOnDemand") {
        return course.waits("its rotation");
    }
    steps(goal, (live, key), (import, &matched, &fresh), Why::Differs, sheet);
}

/// Returns whether new materials come last, and no other one waits for a rotation, which would take that one.
fn in_order(matched: &Matched<'_>, fresh: &[&Pair<'_>], sheet: &mut Sheet<'_>) -> bool {
    let pending = |live: &&&LiveMaterial| !live.standing.is_in_use();
    if let Some(other) = matched.undeclared.iter().find(pending) {
        let name = super::tell::name_of(other);
        sheet.block(
            Code::MaterialUndeclared,
            format!("{name} waits for a rotation and is not declared: the next rotation would make it the current one"),
            "declare it before the new one, or delete it: aws kms delete-imported-key-material --key-material-id …",
        );
        return false;
    }
    let rank = |pair: &Pair<'_>| match &pair.live {
        Some(found) if found.standing.is_in_use() => 0,
        Some(_) => 1,
        None => 2,
    };
    let skip = usize::from(matched.is_empty());
    let ranks = matched.pairs.iter().skip(skip).map(rank);
    if ranks.is_sorted() {
        return true;
    }
    let names: Vec<String> = fresh.iter().map(|pair| format!("`{}`", pair.wanted.name)).collect();
    sheet.block(
        Code::MaterialOrder,
        format!("the new material {} stands before one that the key has already", crate::text::and_list(&names)),
        "append new material: KMS rotates to it, and never back",
    );
    false
}

fn steps(
    goal: &KeyGoal<'_>,
    (live, key): (&LiveKey, &KeyRef),
    (import, matched, fresh): (&Import, &Matched<'_>, &[&Pair<'_>]),
    why: Why,
    sheet: &mut Sheet<'_>,
) {
    let names: Vec<&MaterialName> = fresh.iter().map(|pair| &pair.wanted.name).collect();
    if let Some((why, help)) = hold(goal) {
        return waits(&names, why, help, sheet);
    }
    let Some(history) = history(live, sheet) else { return };
    if let Some(since) = history.under_way_since {
        let message = format!("an on-demand rotation is under way since {since}, so none is asked for");
        return sheet.note(Code::RotationUnderWay, message, "nothing to do: plan again when KMS has finished it");
    }
    let mut current = current(matched);
    for (pair, before) in fresh.iter().zip(history.on_demand()..) {
        if before >= ON_DEMAND_ROTATIONS {
            let message =
                format!("{before} of {ON_DEMAND_ROTATIONS} on-demand rotations are used, and KMS makes no more");
            let help = "take the new material out; declare a new key for it, and move the alias to that";
            return sheet.block(Code::RotationBudget, message, help);
        }
        if !bring(goal, key, (import, pair), why, sheet) {
            return;
        }
        rotate(goal, key, (import, pair.wanted), (before, why, current.take()), sheet);
        current = Some(pair.wanted.name.to_string());
    }
}

/// Imports a new material; returns whether the key has it then.
fn bring(
    goal: &KeyGoal<'_>,
    key: &KeyRef,
    (import, pair): (&Import, &Pair<'_>),
    why: Why,
    sheet: &mut Sheet<'_>,
) -> bool {
    let way = way(goal.input.options, goal.key, import, pair.wanted);
    match (&pair.live, way) {
        (Some(found), Way::Awaited) => found.presence != Presence::Missing,
        // Where all is planned, it is imported again before.
        (Some(found), Way::Step(wrapping)) if found.presence == Presence::Missing && why == Why::Asked => {
            let due = Due { id: found.id.clone(), why: Why::Missing, ..Due::absent() };
            let draft = import_step(goal, key, (import, pair.wanted), ImportKind::Existing, (wrapping, due));
            sheet.step(draft.renewal());
            true
        }
        (Some(_), Way::Step(_)) => true,
        (None, Way::Awaited) => {
            awaited(goal, pair.wanted, None, sheet);
            false
        }
        (None, Way::Step(wrapping)) => {
            let declared = (import, pair.wanted);
            let draft = import_step(goal, key, declared, ImportKind::New, (wrapping, Due::absent()));
            sheet.step(draft.renewal());
            true
        }
    }
}

/// Returns the material that encrypts now, by its name; for a key that gets its first one, that.
fn current(matched: &Matched<'_>) -> Option<String> {
    let is_current =
        |pair: &&Pair<'_>| pair.live.as_ref().is_some_and(|found| found.standing == MaterialStanding::Current);
    let declared = matched.pairs.iter().find(is_current).map(|pair| pair.wanted.name.to_string());
    let other = matched.undeclared.iter().find(|live| live.standing == MaterialStanding::Current);
    let first = matched.pairs.first().filter(|_| matched.is_empty()).map(|pair| pair.wanted.name.to_string());
    declared.or_else(|| other.map(|live| super::tell::plain_name(live))).or(first)
}

/// Rotates a key to new material because somebody asks; a replica only gets it. Returns whether there is any.
pub(in crate::plan::keys) fn asked(goal: &KeyGoal<'_>, live: &LiveKey, sheet: &mut Sheet<'_>) -> bool {
    let Some(import) = wanted_import(goal.key).filter(|_| takes_new(goal.key)) else { return false };
    let (Some(metadata), Some(known)) = (readable(&live.metadata, live, sheet), materials(live, sheet)) else {
        return true;
    };
    let known = with_names_of(primary_of(goal), known);
    let matched = matched(import, &known, metadata);
    let key = KeyRef::Live(live.arn.key_id());
    if matches!(goal.relatives, Relatives::Replica { .. }) {
        asked_of_replica(goal, &key, (import, &matched), sheet);
        return true;
    }
    let fresh = fresh(&matched);
    if fresh.is_empty() || matched.is_empty() {
        return false;
    }
    if in_order(&matched, &fresh, sheet) {
        steps(goal, (live, &key), (import, &matched, &fresh), Why::Asked, sheet);
    }
    true
}

/// Gives a replica the new material that it lacks.
fn asked_of_replica(
    goal: &KeyGoal<'_>,
    key: &KeyRef,
    (import, matched): (&Import, &Matched<'_>),
    sheet: &mut Sheet<'_>,
) {
    for pair in matched.pairs.iter().filter(|pair| !pair.is_in_use()) {
        let missing = pair.live.as_ref().filter(|found| found.presence == Presence::Missing);
        match (way(goal.input.options, goal.key, import, pair.wanted), missing) {
            (Way::Step(wrapping), Some(found)) => {
                let due = Due { id: found.id.clone(), why: Why::Missing, ..Due::absent() };
                sheet.step(import_step(goal, key, (import, pair.wanted), ImportKind::Existing, (wrapping, due)));
            }
            (Way::Step(wrapping), None) if pair.live.is_none() => {
                follow(goal, key, (import, pair.wanted), wrapping, sheet);
            }
            (Way::Step(_), None) => {}
            (Way::Awaited, _) => awaited(goal, pair.wanted, missing, sheet),
        }
    }
}
