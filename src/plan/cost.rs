//! What a plan adds to the monthly bill, and takes from it.

use super::Action;
use super::draft::Sheet;
use crate::kms::KeyShape;
use crate::live::{KeyMetadata, LiveKey, LiveMaterials, LiveRotations, LiveTarget, Observed};
use std::fmt;

/// Where the prices are from.
pub const PRICING: &str = "https://aws.amazon.com/kms/pricing/";

/// No change.
pub(in crate::plan) const NOTHING: &str = "0.00";

/// US dollars, whole ones: all monthly prices of keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) struct Dollars(pub(in crate::plan) i64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.00", self.0)
    }
}

/// How many rotations of a key raise its price: each of the first two by a dollar.
const PAID_ROTATIONS: usize = 2;

/// Returns the change of the monthly cost: a dollar for each key and replica, one more for each of the first two
/// rotations of a key, and nothing while its deletion is pending.
///
/// <https://aws.amazon.com/kms/pricing/>
pub(in crate::plan) fn monthly(sheets: &[Sheet<'_>], live: &LiveTarget) -> String {
    let actions = sheets.iter().flat_map(|sheet| &sheet.drafts).map(|draft| &draft.action);
    Dollars(actions.map(|action| of_action(action, live)).sum()).to_string()
}

fn of_action(action: &Action, live: &LiveTarget) -> i64 {
    let key = || action.key_ref().and_then(|key| if let super::KeyRef::Live(id) = key { live.key(id) } else { None });
    if matches!(action, Action::CreateKey { .. } | Action::ReplicateKey { .. }) {
        1
    } else if matches!(action, Action::ScheduleKeyDeletion { .. }) {
        -price(key())
    } else if matches!(action, Action::CancelKeyDeletion { .. }) {
        price(key())
    } else if let Action::RotateKeyOnDemand { before, .. } = action {
        // Several of a plan count one after the other.
        let earlier = before.saturating_sub(on_demand(key()));
        i64::from(rotations(key()).saturating_add(earlier) < PAID_ROTATIONS)
    } else {
        0
    }
}

/// What a key costs a month, as far as its rotations are known.
fn price(key: Option<&LiveKey>) -> i64 {
    1 + i64::try_from(rotations(key).min(PAID_ROTATIONS)).unwrap_or_default()
}

/// What one key costs a month, in whole US dollars: calls come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPrice {
    /// So much.
    Exactly(u32),
    /// So much or more: its rotations, of which each of the first two costs a dollar, are not known.
    AtLeast(u32),
}

impl KeyPrice {
    /// Returns the price of a key, as far as is known.
    ///
    /// <https://aws.amazon.com/kms/pricing/>
    pub fn of(key: &LiveKey) -> Self {
        let metadata = key.metadata.known();
        if metadata.is_some_and(|metadata| metadata.state.is_pending_deletion()) {
            return Self::Exactly(0);
        }
        let materials = materials(key);
        let rotations = materials.unwrap_or_else(|| rotations(Some(key)));
        let price = 1 + u32::try_from(rotations.min(PAID_ROTATIONS)).unwrap_or_default();
        let history = key.rotations.as_ref().and_then(Observed::known).is_some() || materials.is_some();
        let rotates = |metadata: &KeyMetadata| {
            KeyShape::new(metadata.spec, metadata.usage).with_origin(metadata.origin).rotates_on_demand()
        };
        if history || metadata.is_some_and(|metadata| !rotates(metadata)) {
            Self::Exactly(price)
        } else {
            Self::AtLeast(price)
        }
    }

    /// Returns the dollars, at least.
    pub fn dollars(self) -> u32 {
        match self {
            Self::Exactly(dollars) | Self::AtLeast(dollars) => dollars,
        }
    }
}

/// Returns how often a key with imported material was rotated: each time to a new one.
fn materials(key: &LiveKey) -> Option<usize> {
    match key.materials.as_ref()?.known()? {
        LiveMaterials::Listed(listed) => {
            Some(listed.iter().filter(|material| material.standing.is_in_use()).count().saturating_sub(1))
        }
        LiveMaterials::Untold => None,
    }
}

fn on_demand(key: Option<&LiveKey>) -> usize {
    let history = key.and_then(|key| key.rotations.as_ref()).and_then(Observed::known);
    history.map_or(0, LiveRotations::on_demand)
}

fn rotations(key: Option<&LiveKey>) -> usize {
    let history = key.and_then(|key| key.rotations.as_ref()).and_then(Observed::known);
    history.map_or(0, |history| history.done.len() + usize::from(history.under_way_since.is_some()))
}
