//! Imported material that expires soon: it works today, so no probe fails.

use super::{TargetJob, subject};
use crate::desired::{DesiredKey, KeyLifecycle, MaterialPresence, Validity};
use crate::kms::Origin;
use crate::live::{Expiry, LiveKey, LiveMaterials, LivePresence, Observed, WARN_DAYS};
use crate::ports::Clock;
use crate::report::ExpiryWarning;

/// Returns what is to be said of the keys of a target.
pub(super) fn warnings<C, M: Clock>(job: &TargetJob<'_, C, M>) -> Vec<ExpiryWarning> {
    let today = jiff::tz::Offset::UTC.to_datetime(job.machine.now()).date();
    let mut warnings = Vec::new();
    for key in job.keys().into_iter().filter(|key| is_imported(key)) {
        let Ok(live) = subject::ours(job.desired, key, job.live) else { continue };
        for (material, expiry) in expiries(key, live) {
            let (Expiry::At(expires), Some(days_left)) = (expiry, expiry.days_left(today)) else { continue };
            let Some(text) = expiry.warning(material.as_deref(), today, within(key)) else { continue };
            let (target, key) = (job.target.name.clone(), key.name.clone());
            warnings.push(ExpiryWarning { target, key, material, expires, days_left, text });
        }
    }
    warnings
}

fn is_imported(key: &DesiredKey) -> bool {
    let deleted = key.import().is_some_and(|import| import.presence == MaterialPresence::Deleted);
    key.origin() == Origin::External && key.lifecycle != KeyLifecycle::Retired && !deleted
}

/// How many days before it expires somebody should know: when it is due to be imported again.
fn within(key: &DesiredKey) -> i64 {
    match key.import().map(|import| import.validity) {
        Some(Validity::Days { reimport_before, .. }) => reimport_before.into(),
        Some(Validity::Never) | None => WARN_DAYS,
    }
}

/// Returns each material that is there, with its name where that is known; where the server lists none, the first expiry
/// of any.
fn expiries(key: &DesiredKey, live: &LiveKey) -> Vec<(Option<String>, Expiry)> {
    if let Some(LiveMaterials::Listed(materials)) = live.materials.as_ref().and_then(Observed::known) {
        let there = materials.iter().filter_map(|material| match material.presence {
            LivePresence::Imported(expiry) => Some((material.description.clone(), expiry)),
            LivePresence::Missing => None,
        });
        return there.collect();
    }
    let only = match key.import().map(|import| import.materials.as_slice()) {
        Some([only]) => Some(only.name.to_string()),
        Some(_) | None => None,
    };
    let first = live.metadata.known().and_then(|metadata| metadata.expiry);
    first.into_iter().map(|expiry| (only.clone(), expiry)).collect()
}
