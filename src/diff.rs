//! The difference of two snapshots of a stack: who gains and loses which access, and what else changes.

mod align;
mod keys;
pub(crate) mod material;
mod model;
mod roles;
mod trust;

pub use align::align;
pub use keys::{KeyPair, in_order};
pub use model::{
    AccountDifference, Difference, KeyDifference, MaterialChange, PolicyRelation, Presence, PropertyDifference,
    RoleDifference, Side, Summary, TargetDifference, TrustLine,
};

use crate::ids::TargetName;
use crate::snapshot::{Snapshot, TargetSnapshot};
use std::collections::BTreeSet;

/// Compares two snapshots, of which the old one has been [`align`]ed with the new one.
///
/// `compare` compares the keys: [`in_order`], or a caller's own way to do the same on several threads. Its answer
/// has one entry for each pair, in their order.
pub fn difference(
    (old, old_label): (&Snapshot, &str),
    (new, new_label): (&Snapshot, &str),
    compare: &dyn Fn(&[KeyPair<'_>]) -> Vec<KeyDifference>,
) -> Difference {
    let side = |snapshot: &Snapshot, label: &str| Side {
        label: label.to_owned(),
        origin: snapshot.origin,
        stack: snapshot.stack.clone(),
        backends: snapshot.targets.iter().filter_map(|target| target.backend).collect(),
    };
    let pairs = keys::pairs(old, new);
    let mut found: Vec<(TargetName, KeyDifference)> =
        pairs.iter().map(|pair| pair.target().clone()).zip(compare(&pairs)).collect();
    found.retain(|(_, key)| !key.is_empty());
    Difference {
        old: side(old, old_label),
        new: side(new, new_label),
        targets: targets(old, new, found),
        accounts: roles::accounts(old, new),
    }
}

fn targets(old: &Snapshot, new: &Snapshot, keys: Vec<(TargetName, KeyDifference)>) -> Vec<TargetDifference> {
    let names: BTreeSet<&TargetName> = old.targets.iter().chain(&new.targets).map(|target| &target.name).collect();
    let mut rows: Vec<TargetDifference> =
        names.into_iter().filter_map(|name| target(old.target(name), new.target(name))).collect();
    for (name, key) in keys {
        if let Some(row) = rows.iter_mut().find(|row| row.name == name) {
            row.keys.push(key);
        }
    }
    rows.retain(|row| !row.is_empty());
    rows
}

/// Returns the row of a target, still without keys.
fn target(old: Option<&TargetSnapshot>, new: Option<&TargetSnapshot>) -> Option<TargetDifference> {
    let place = |target: &TargetSnapshot| (target.account.clone(), target.region.clone());
    let presence = match (old, new) {
        (Some(_), Some(_)) => Presence::Both,
        (None, Some(_)) => Presence::Added,
        (Some(_), None) => Presence::Removed,
        (None, None) => return None,
    };
    let unreadable = old.into_iter().chain(new).flat_map(|target| target.unreadable.clone());
    Some(TargetDifference {
        name: new.or(old)?.name.clone(),
        presence,
        before: old.map(place),
        after: new.map(place),
        keys: Vec::new(),
        unreadable: unreadable.collect::<BTreeSet<_>>().into_iter().collect(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
