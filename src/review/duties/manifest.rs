//! What a manifest's declarations say about separate duties, as diagnostics.
//!
//! That one principal is declared for both duties of a key, or may assume the other's role by the manifest's own
//! `trust`, the manifest's rules refuse with both places (`manifest/resolve/duties.rs`), before there is a desired
//! state. Here is what shows only in effective access: somebody else in whom the duties meet, and longer ways.

use super::{DutyCertainty, DutyConflict, duties};
use crate::desired::{DesiredKey, DesiredState, Separation};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::world;

/// Returns what is wrong with the duties of a manifest's keys: an error where the key enforces their separation and
/// the conflict is certain, else a warning.
pub fn duty_diagnostics(state: &DesiredState) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    for conflict in duties(&world::of_manifest(state)) {
        if let Some(key) = declared(state, &conflict) {
            diagnostics.push(diagnostic(&conflict, key));
        }
    }
    diagnostics
}

fn declared<'s>(state: &'s DesiredState, conflict: &DutyConflict) -> Option<&'s DesiredKey> {
    let target = state.targets.iter().find(|target| target.name == conflict.target)?;
    target.keys.iter().find(|key| key.name.as_str() == conflict.key)
}

fn diagnostic(conflict: &DutyConflict, key: &DesiredKey) -> Diagnostic {
    let grave = key.separation == Separation::Enforced && conflict.certainty == DutyCertainty::Certain;
    let new = if grave { Diagnostic::error } else { Diagnostic::warning };
    let user =
        key.users.iter().find(|user| user.principal.arn().is_some_and(|arn| arn.as_str() == conflict.uses.actor));
    let place = user.map_or(key.loc, |user| user.loc);
    let mut diagnostic = new(Code::SeparationOfDuties, conflict.message()).label(place, "uses the key");
    if let Some(loc) = conflict.principal_loc {
        diagnostic = diagnostic.label(loc, "who can do both");
    }
    diagnostic.help(conflict.remedy())
}
