//! A day as TOML writes it: a date without a time.

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::borrow::Cow;
use toml::value::Datetime;

/// The `format` of days in the JSON Schema.
pub(super) const FORMAT: &str = "date";

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub(super) Date);

impl Day {
    /// Returns the day that a TOML value is; `None` if it has a time, or no day of the calendar.
    pub(super) fn of(value: &Datetime) -> Option<Self> {
        let Datetime { date: Some(date), time: None, offset: None } = value else { return None };
        let (year, month, day) = (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day));
        Date::new(year.ok()?, month.ok()?, day.ok()?).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Datetime::deserialize(deserializer)?;
        Self::of(&value).ok_or_else(|| D::Error::custom("not a day"))
    }
}

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "format": FORMAT })
    }
}
