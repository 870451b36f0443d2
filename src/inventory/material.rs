//! Imported material in an inventory: what is there, when it expires, and when that is worth a warning.

use crate::desired::{DesiredKey, Import, MaterialPresence, Validity};
use crate::ids::KeyMaterialId;
use crate::kms::{KeyState, Origin};
use crate::live::{Expiry, KeyMetadata, LiveKey, LiveMaterials, LivePresence, MaterialStanding, Observed};
use jiff::civil::Date;

/// How many days before imported material expires that is worth a warning, where the manifest does not say.
pub const WARN_DAYS: i64 = 30;

/// The imported material of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedMaterial {
    /// What there is or was, oldest first; empty where nothing was ever imported.
    pub items: Vec<ImportedItem>,
    /// Within how many days an expiry is worth a warning.
    pub warn_days: i64,
    /// Whether the manifest wants it to be there.
    pub wanted: MaterialPresence,
}

/// One material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedItem {
    /// Its id, of symmetric encryption keys.
    pub id: Option<KeyMaterialId>,
    /// What was said of it when it was imported.
    pub name: Option<String>,
    /// What it is used for; `None` for the only one of a key.
    pub standing: Option<MaterialStanding>,
    /// Whether it is there; `None` where the server does not tell.
    pub presence: Option<LivePresence>,
}

/// Whether a key's imported material expires within some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiring {
    /// It does not, or there is none.
    No,
    /// It does, or is gone already.
    Within,
    /// It cannot be told.
    Untold,
}

/// Returns how many days are left, by date; negative where it has expired, `None` where it never does.
pub fn days_left(expiry: Expiry, today: Date) -> Option<i64> {
    match expiry {
        Expiry::Never => None,
        Expiry::At(at) => {
            let day = jiff::tz::Offset::UTC.to_datetime(at).date();
            Some(i64::from(today.until(day).map(|span| span.get_days()).unwrap_or(i32::MAX)))
        }
    }
}

impl ImportedMaterial {
    /// Returns the imported material of a key; `None` where its material is not imported, or nothing is known of it.
    pub(super) fn of(key: &LiveKey, declared: Option<&DesiredKey>) -> Option<Self> {
        let metadata = key.metadata.known().filter(|metadata| metadata.origin == Origin::External)?;
        let import = declared.and_then(DesiredKey::import);
        Some(Self {
            items: items(key, metadata),
            warn_days: import.map_or(WARN_DAYS, warn_days),
            wanted: import.map_or(MaterialPresence::Imported, |import| import.presence),
        })
    }

    /// Returns whether material that the key needs is gone, or never came.
    pub fn is_missing(&self) -> bool {
        let needed = |item: &ImportedItem| item.standing.is_none_or(MaterialStanding::is_in_use);
        let gone = |item: &ImportedItem| item.presence == Some(LivePresence::Missing);
        self.items.is_empty() || self.items.iter().any(|item| needed(item) && gone(item))
    }

    /// Returns how many days are left until the first of it expires.
    pub fn days_left(&self, today: Date) -> Option<i64> {
        self.items.iter().filter_map(|item| item.days_left(today)).min()
    }

    /// Returns whether somebody should be warned today.
    pub fn is_urgent(&self, today: Date) -> bool {
        let soon = self.days_left(today).is_some_and(|days| days <= self.warn_days);
        self.wanted == MaterialPresence::Imported && (soon || self.is_missing())
    }

    /// Returns whether it expires within some days.
    pub(super) fn expiring(&self, days: i64, today: Date) -> Expiring {
        if self.wanted == MaterialPresence::Deleted {
            return Expiring::No;
        }
        let within = self.days_left(today).is_some_and(|left| left <= days);
        match (within || self.is_missing(), self.items.iter().any(|item| item.presence.is_none())) {
            (true, _) => Expiring::Within,
            (false, true) => Expiring::Untold,
            (false, false) => Expiring::No,
        }
    }
}

impl ImportedItem {
    /// Returns how many days are left until it expires; `None` where it never does, or is not there.
    pub fn days_left(&self, today: Date) -> Option<i64> {
        match self.presence? {
            LivePresence::Imported(expiry) => days_left(expiry, today),
            LivePresence::Missing => None,
        }
    }
}

fn warn_days(import: &Import) -> i64 {
    match import.validity {
        Validity::Days { reimport_before, .. } => i64::from(reimport_before),
        Validity::Never => WARN_DAYS,
    }
}

fn items(key: &LiveKey, metadata: &KeyMetadata) -> Vec<ImportedItem> {
    match key.materials.as_ref().and_then(Observed::known) {
        Some(LiveMaterials::Listed(listed)) if !listed.is_empty() => listed
            .iter()
            .map(|material| ImportedItem {
                id: Some(material.id.clone()),
                name: material.description.clone(),
                standing: Some(material.standing),
                presence: Some(material.presence),
            })
            .collect(),
        Some(LiveMaterials::Listed(_)) if metadata.state == KeyState::PendingImport => Vec::new(),
        Some(LiveMaterials::Listed(_) | LiveMaterials::Untold) | None => vec![of_metadata(metadata)],
    }
}

/// What `DescribeKey` says of the material of a key whose materials are not listed. A key that waits to be deleted may
/// have any or none.
fn of_metadata(metadata: &KeyMetadata) -> ImportedItem {
    let presence = match (metadata.state, metadata.expiry) {
        (KeyState::PendingImport, _) => Some(LivePresence::Missing),
        (_, Some(expiry)) => Some(LivePresence::Imported(expiry)),
        (_, None) => None,
    };
    ImportedItem { id: None, name: None, standing: None, presence }
}
