//! When material that a key has, or had, is imported again.

use super::super::KeyGoal;
use super::matching::{Found, Presence};
use super::validity;
use crate::desired::tags::TAG_VALIDITY;
use crate::desired::{DesiredMaterial, Import, Validity};
use crate::ids::KeyMaterialId;
use crate::live::Expiry;
use crate::plan::Why;
use crate::review::Risk;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// An import that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// The id of the material that it must be, where it is known.
    pub(super) id: Option<KeyMaterialId>,
    /// Why.
    pub(super) why: Why,
    /// What it risks.
    pub(super) risk: Risk,
    /// What is there, in words.
    pub(super) before: Option<String>,
}

impl Due {
    /// The key does not have the material.
    pub(super) fn absent() -> Self {
        Self { id: None, why: Why::Absent, risk: Risk::Routine, before: None }
    }
}

/// Returns why a material is imported again, if it is.
pub(super) fn due(
    goal: &KeyGoal<'_>,
    import: &Import,
    wanted: &DesiredMaterial,
    found: &Found,
    tags: &BTreeMap<String, String>,
) -> Option<Due> {
    let today = goal.input.today;
    let options = goal.input.options;
    let name = &goal.key.name;
    let asked = options.reimport.contains(name) || options.prewrapped.contains(&(name.clone(), wanted.name.clone()));
    let tag = tags.get(TAG_VALIDITY);
    let (expiry, why) = match found.presence {
        Presence::Missing => (None, Why::Missing),
        Presence::There(expiry) if soon(expiry, import.validity, today) => (expiry, Why::Expires),
        Presence::There(expiry) if differs(expiry, import.validity, tag, today) => (expiry, Why::Differs),
        Presence::There(expiry) if asked => (expiry, Why::Asked),
        Presence::There(_) => return None,
    };
    let risk = if shorter(expiry, import.validity, tag, today) { Risk::Destroy } else { Risk::Routine };
    let before = (why != Why::Missing).then(|| expiry.map_or_else(|| "there".to_owned(), Expiry::in_words));
    Some(Due { id: found.id.clone(), why, risk, before })
}

fn soon(expiry: Option<Expiry>, validity: Validity, today: Date) -> bool {
    let Validity::Days { reimport_before, .. } = validity else { return false };
    expiry.and_then(|expiry| expiry.days_left(today)).is_some_and(|left| left <= i64::from(reimport_before))
}

/// An import gives at most its days, and one more where it is made while the day turns.
fn differs(expiry: Option<Expiry>, validity: Validity, tag: Option<&String>, today: Date) -> bool {
    let by_expiry = match (expiry, validity) {
        (None, _) | (Some(Expiry::Never), Validity::Never) => false,
        (Some(Expiry::Never), Validity::Days { .. }) | (Some(Expiry::At(_)), Validity::Never) => true,
        (Some(at @ Expiry::At(_)), Validity::Days { days, .. }) => {
            at.days_left(today).is_some_and(|left| left > i64::from(days) + 1)
        }
    };
    by_expiry || tag.is_some_and(|tag| *tag != validity::spell(validity))
}

/// Returns whether the material will be valid for fewer days than it was imported for, or will expire earlier.
fn shorter(expiry: Option<Expiry>, validity: Validity, tag: Option<&String>, today: Date) -> bool {
    let Some(days) = validity.days().map(i64::from) else { return false };
    let than_tag = tag.and_then(|tag| validity::read(tag)).is_some_and(|before| before > days);
    let than_expiry = match expiry {
        Some(Expiry::Never) => true,
        Some(at @ Expiry::At(_)) => at.days_left(today).is_some_and(|left| left > days + 1),
        None => false,
    };
    than_tag || than_expiry
}
