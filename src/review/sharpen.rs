//! Makes a residual sharper than conditions compared as texts do: ways and denies that cannot be, or that others cover.

use super::imply::{exclude_each_other, implies};
use crate::access::{Decision, Residual, ResidualTerm, ResidualWay};
use crate::policy::Condition;

/// Returns a residual without ways whose conditions exclude each other, without denies that no way can meet, without
/// ways that a deny always closes, and without ways that another one covers.
pub(super) fn sharpened(mut residual: Residual) -> Residual {
    if !matches!(residual.decision, Decision::Undetermined(_)) {
        return residual;
    }
    let some = !residual.ways.is_empty();
    residual.ways.retain(is_possible);
    let Residual { ways, denies, .. } = &mut residual;
    denies.retain(|deny| ways.iter().any(|way| can_meet(deny, way)));
    ways.retain(|way| !denies.iter().any(|deny| always_meet(deny, way)));
    residual.ways = uncovered(std::mem::take(&mut residual.ways));
    if some && residual.ways.is_empty() {
        residual.decision = Decision::ImplicitDeny;
    } else if residual.denies.is_empty() && residual.ways.iter().any(is_certain) {
        residual.decision = Decision::Allow;
    }
    residual
}

fn is_certain(way: &ResidualWay) -> bool {
    way.open().is_none() && way.conditions().is_empty()
}

fn is_possible(way: &ResidualWay) -> bool {
    let conditions = way.conditions();
    let clash = |at: usize, one: &Condition| conditions.iter().skip(at + 1).any(|other| exclude_each_other(one, other));
    !conditions.iter().enumerate().any(|(at, one)| clash(at, one))
}

/// Returns whether a deny can apply to a call that is allowed in some way.
pub(super) fn can_meet(deny: &ResidualTerm, way: &ResidualWay) -> bool {
    let conditions = way.conditions();
    !deny.conditions.iter().any(|condition| conditions.iter().any(|other| exclude_each_other(condition, other)))
}

/// Returns whether a deny applies to every call that is allowed in some way.
fn always_meet(deny: &ResidualTerm, way: &ResidualWay) -> bool {
    deny.open.is_none() && all_implied(&deny.conditions.iter().collect::<Vec<_>>(), &way.conditions())
}

fn all_implied(wide: &[&Condition], narrow: &[&Condition]) -> bool {
    wide.iter().all(|condition| narrow.iter().any(|known| implies(known, condition)))
}

fn uncovered(ways: Vec<ResidualWay>) -> Vec<ResidualWay> {
    let mut kept: Vec<ResidualWay> = Vec::new();
    for way in ways {
        let covers = |wide: &ResidualWay, narrow: &ResidualWay| {
            let open = wide.open().is_none() || wide.open() == narrow.open();
            open && all_implied(&wide.conditions(), &narrow.conditions())
        };
        if !kept.iter().any(|other| covers(other, &way)) {
            kept.retain(|other| !covers(&way, other));
            kept.push(way);
        }
    }
    kept
}
