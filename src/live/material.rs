//! Imported key material as read: which materials a key has, whether they are there, and when they expire.

use crate::ids::KeyMaterialId;
use crate::text::plural;
use jiff::civil::Date;

/// When imported material expires.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html#KMS-ImportKeyMaterial-request-ExpirationModel>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// At that moment.
    At(jiff::Timestamp),
    /// Never.
    Never,
}

/// How many days before it expires imported material is warned of, where nobody says otherwise.
pub const WARN_DAYS: i64 = 30;

impl Expiry {
    /// Returns the day on which the material expires, in UTC; `None` where it does not.
    pub fn day(self) -> Option<Date> {
        match self {
            Self::At(at) => Some(jiff::tz::Offset::UTC.to_datetime(at).date()),
            Self::Never => None,
        }
    }

    /// Returns the days left from a day on: none on the last day itself, fewer than none afterwards; `None` where the
    /// material does not expire.
    pub fn days_left(self, today: Date) -> Option<i64> {
        let left = today.until((jiff::Unit::Day, self.day()?)).ok()?;
        Some(i64::from(left.get_days()))
    }

    /// Returns what becomes of the material, in words that do not depend on the day: `expires on 2026-12-06`.
    pub fn in_words(self) -> String {
        self.day().map_or_else(|| "never expires".to_owned(), |day| format!("expires on {day}"))
    }

    /// Returns the same with the days that are left: `expires in 12 days, on 2026-12-06`.
    pub fn with_days_left(self, today: Date) -> String {
        let (Some(day), Some(left)) = (self.day(), self.days_left(today)) else { return self.in_words() };
        let days = |days: i64| plural(usize::try_from(days.abs()).unwrap_or(usize::MAX), "day");
        match left {
            0 => format!("expires today, {day}"),
            1.. => format!("expires in {}, on {day}", days(left)),
            _ => format!("expired {} ago, on {day}", days(left)),
        }
    }

    /// Returns what is to be said of material that expires within so many days, or has expired:
    /// ``the material `2026` expires in 12 days, on 2026-12-06``. `material` is its name, where that is known.
    pub fn warning(self, material: Option<&str>, today: Date, within: i64) -> Option<String> {
        let left = self.days_left(today)?;
        let name = material.map_or_else(|| "the material".to_owned(), |name| format!("the material `{name}`"));
        (left <= within).then(|| format!("{name} {}", self.with_days_left(today)))
    }
}

/// The materials of a key, as far as the server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveMaterials {
    /// All of them, oldest first.
    Listed(Vec<LiveMaterial>),
    /// KMS lists those of symmetric encryption keys alone, and some servers none.
    Untold,
}

/// One material of a symmetric encryption key.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotationsListEntry.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveMaterial {
    /// Its id.
    pub id: KeyMaterialId,
    /// What was said of it when it was imported.
    pub description: Option<String>,
    /// What it is used for.
    pub standing: MaterialStanding,
    /// Whether it is there.
    pub presence: LivePresence,
}

/// What a material is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaterialStanding {
    /// It encrypts and decrypts.
    Current,
    /// It decrypts what it once encrypted.
    NonCurrent,
    /// It waits for a rotation on demand.
    PendingRotation,
    /// The same, and not every replica has it yet.
    PendingReplicas,
}

impl MaterialStanding {
    /// Returns whether the key needs it to be usable: it encrypts, or once did.
    pub fn is_in_use(self) -> bool {
        match self {
            Self::Current | Self::NonCurrent => true,
            Self::PendingRotation | Self::PendingReplicas => false,
        }
    }
}

/// Whether a material is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LivePresence {
    /// It is, until then.
    Imported(Expiry),
    /// It has expired or was deleted: it can be imported again.
    Missing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn at(text: &str) -> Expiry {
        Expiry::At(text.parse().unwrap())
    }

    #[test]
    fn days_are_counted_by_date() {
        let today = date(2026, 11, 24);
        let left = |text: &str| at(text).days_left(today);
        assert_eq!(left("2026-12-06T00:00:00Z"), Some(12));
        assert_eq!(left("2026-12-06T23:59:59Z"), Some(12));
        assert_eq!(left("2026-11-24T00:00:00Z"), Some(0));
        assert_eq!(left("2026-11-21T12:00:00Z"), Some(-3));
        assert_eq!(left("2027-11-24T12:00:00Z"), Some(365));
        assert_eq!(Expiry::Never.days_left(today), None);
    }

    #[test]
    fn what_is_left_is_said_in_words() {
        let today = date(2026, 11, 24);
        let words = |text: &str| at(text).with_days_left(today);
        assert_eq!(words("2026-12-06T00:00:00Z"), "expires in 12 days, on 2026-12-06");
        assert_eq!(words("2026-11-25T00:00:00Z"), "expires in 1 day, on 2026-11-25");
        assert_eq!(words("2026-11-24T09:00:00Z"), "expires today, 2026-11-24");
        assert_eq!(words("2026-11-21T12:00:00Z"), "expired 3 days ago, on 2026-11-21");
        assert_eq!(Expiry::Never.with_days_left(today), "never expires");
        assert_eq!(at("2026-12-06T00:00:00Z").in_words(), "expires on 2026-12-06");
    }

    #[test]
    fn a_warning_comes_as_early_as_is_asked_for() {
        let today = date(2026, 11, 24);
        let soon = at("2026-12-24T00:00:00Z");
        assert_eq!(soon.warning(None, today, 29), None);
        let words = soon.warning(Some("2026"), today, 30);
        assert_eq!(words.as_deref(), Some("the material `2026` expires in 30 days, on 2026-12-24"));
        let words = at("2026-11-21T12:00:00Z").warning(None, today, 0);
        assert_eq!(words.as_deref(), Some("the material expired 3 days ago, on 2026-11-21"));
        assert_eq!(Expiry::Never.warning(None, today, 365), None);
    }
}
