//! Compares one value of a call with one value of a condition, by the type of the operator.

use super::context::Call;
use super::operator::Test;
use super::truth::{Open, Truth};
use super::variable::{Resolved, resolve, wild};
use crate::policy::{GlobToken, PolicyVersion, glob_tokens_match};
use core::net::IpAddr;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::cmp::Ordering;

/// How two ordered values are to relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Returns whether a value of a call (with the name of its condition key) passes a test against a value of a
/// condition (with the version of its document). Only string and ARN operators know variables.
pub(super) fn holds(
    test: Test,
    (key, value): (&str, &str),
    (pattern, version): (&str, &PolicyVersion),
    call: &Call<'_>,
) -> Truth {
    match test {
        Test::StringEquals | Test::StringEqualsIgnoreCase | Test::StringLike | Test::Arn => {
            text_holds(test, value, &resolve(pattern, version, call))
        }
        Test::Number(comparison) => number_holds(comparison, key, value, pattern).into(),
        Test::Date(comparison) => {
            let ordering = date(value).zip(date(pattern)).map(|(left, right)| left.cmp(&right));
            ordering.is_some_and(|ordering| comparison.holds(ordering)).into()
        }
        Test::Bool => boolean(value).zip(boolean(pattern)).is_some_and(|(left, right)| left == right).into(),
        Test::Ip => ip_holds(value, pattern).unwrap_or(false).into(),
        Test::Binary => Truth::Unknown(Open::Binary),
        // Presence is judged before values are.
        Test::Null => Truth::False,
    }
}

fn text_holds(test: Test, value: &str, pattern: &Resolved<'_>) -> Truth {
    match (test, pattern) {
        (_, Resolved::Unresolved) => Truth::False,
        (_, Resolved::Open(open)) => Truth::Unknown(*open),
        (Test::StringLike, Resolved::Plain(pattern)) => wild(pattern, value).into(),
        (Test::StringLike, Resolved::Tokens { tokens, .. }) => glob_tokens_match(tokens, value).into(),
        (Test::Arn, Resolved::Plain(pattern)) => arn_matches(pattern, value).into(),
        (Test::Arn, Resolved::Tokens { tokens, before_resource }) => {
            let matches = Truth::from(arn_matches_tokens(tokens, value));
            if *before_resource { matches.and(Truth::Unknown(Open::ArnVariable)) } else { matches }
        }
        (Test::StringEqualsIgnoreCase, _) => {
            pattern.literal().is_some_and(|text| text.to_lowercase() == value.to_lowercase()).into()
        }
        (_, Resolved::Plain(_) | Resolved::Tokens { .. }) => pattern.literal().is_some_and(|text| text == value).into(),
    }
}

/// Compares the six parts of an ARN one by one, so that a wildcard never crosses a colon before the resource.
fn arn_matches(pattern: &str, value: &str) -> bool {
    let (patterns, values) = (pattern.splitn(6, ':'), value.splitn(6, ':'));
    let complete = |text: &str| text.splitn(6, ':').count() == 6;
    complete(pattern) && complete(value) && patterns.zip(values).all(|(pattern, value)| wild(pattern, value))
}

fn arn_matches_tokens(pattern: &[GlobToken], value: &str) -> bool {
    let split = |token: &GlobToken| *token == GlobToken::Char(':');
    let patterns: Vec<&[GlobToken]> = pattern.splitn(6, split).collect();
    let values: Vec<&str> = value.splitn(6, ':').collect();
    patterns.len() == 6
        && values.len() == 6
        && patterns.iter().zip(values).all(|(pattern, value)| glob_tokens_match(pattern, value))
}

/// Reads a number as conditions do; words such as `inf` are none.
pub fn number(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    digits.then(|| text.parse().ok()).flatten()
}

/// Compares numbers. `kms:ValidTo` is a date that AWS's examples compare as a number of seconds.
fn number_holds(comparison: Comparison, key: &str, value: &str, pattern: &str) -> bool {
    let ordering = match (number(value), number(pattern)) {
        (Some(left), Some(right)) => left.partial_cmp(&right),
        _ if key.eq_ignore_ascii_case("kms:ValidTo") => date(value).zip(date(pattern)).map(|(l, r)| l.cmp(&r)),
        _ => None,
    };
    ordering.is_some_and(|ordering| comparison.holds(ordering))
}

/// Reads a point in time as conditions do: seconds since 1970, or ISO 8601; without an offset it is UTC.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date>
pub fn date(text: &str) -> Option<Timestamp> {
    if let Some(seconds) = number(text) {
        let nanoseconds = seconds * 1e9;
        // The range of time stamps is checked by the constructor.
        #[expect(clippy::cast_possible_truncation, reason = "a float converts to the nearest integer in range")]
        return Timestamp::from_nanosecond(nanoseconds as i128).ok();
    }
    let utc = |civil: DateTime| TimeZone::UTC.to_timestamp(civil).ok();
    let without_offset = || text.parse::<DateTime>().ok().and_then(utc);
    let day = || text.parse::<Date>().ok().map(|day| day.at(0, 0, 0, 0)).and_then(utc);
    let month = || format!("{text}-01").parse::<Date>().ok().map(|day| day.at(0, 0, 0, 0)).and_then(utc);
    text.parse::<Timestamp>().ok().or_else(without_offset).or_else(day).or_else(month)
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") || text == "1" {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// Returns whether an address is in a range; an address alone is a range of one.
fn ip_holds(value: &str, range: &str) -> Option<bool> {
    let address: IpAddr = value.parse().ok()?;
    let (base, prefix) = match range.split_once('/') {
        Some((base, prefix)) => (base, Some(prefix.parse::<u32>().ok()?)),
        None => (range, None),
    };
    let (address, base, width): (u128, u128, u32) = match (address, base.parse().ok()?) {
        (IpAddr::V4(address), IpAddr::V4(base)) => (u128::from(address.to_bits()), u128::from(base.to_bits()), 32),
        (IpAddr::V6(address), IpAddr::V6(base)) => (address.to_bits(), base.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    let host_bits = width.checked_sub(prefix.unwrap_or(width))?;
    let network = |bits: u128| bits.checked_shr(host_bits).unwrap_or(0);
    Some(network(address) == network(base))
}
