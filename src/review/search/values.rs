//! Values of a condition key that stand for all others: on both sides of every border that a condition draws.

use crate::access::{read_date, read_number};
use crate::policy::{StepBudget, TextTest, text_classes};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeSet;

/// What a condition asks of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ValueTest {
    Text(TextTest),
    Boolean,
    Number(f64),
    /// Nanoseconds since 1970.
    Date(i128),
    /// The first and the last address of a range.
    Addresses(IpAddr, IpAddr),
}

impl ValueTest {
    /// Returns the border that a number draws.
    pub(super) fn number(text: &str) -> Option<Self> {
        read_number(text).map(Self::Number).or_else(|| Self::date(text))
    }

    /// Returns the border that a point in time draws.
    pub(super) fn date(text: &str) -> Option<Self> {
        read_date(text).map(|date| Self::Date(date.as_nanosecond()))
    }

    /// Returns the range of addresses of a block, or of one address.
    pub(super) fn addresses(text: &str) -> Option<Self> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        match base.parse().ok()? {
            IpAddr::V4(base) => {
                let mask = u32::MAX.checked_shr(prefix.unwrap_or(32)).unwrap_or(0);
                let last = base.to_bits() | mask;
                let ends = (Ipv4Addr::from_bits(base.to_bits() & !mask), Ipv4Addr::from_bits(last));
                (prefix.unwrap_or(32) <= 32).then_some(Self::Addresses(ends.0.into(), ends.1.into()))
            }
            IpAddr::V6(base) => {
                let mask = u128::MAX.checked_shr(prefix.unwrap_or(128)).unwrap_or(0);
                let last = base.to_bits() | mask;
                let ends = (Ipv6Addr::from_bits(base.to_bits() & !mask), Ipv6Addr::from_bits(last));
                (prefix.unwrap_or(128) <= 128).then_some(Self::Addresses(ends.0.into(), ends.1.into()))
            }
        }
    }
}

/// Values that stand for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Representatives {
    pub(super) texts: Vec<String>,
    /// Why there may be more than these; `None` if they are complete.
    pub(super) missing: Option<&'static str>,
}

/// How many representatives of one key are looked at.
const MOST: usize = 400;

/// How many steps the walk through the patterns of one key may take.
const STEPS: u64 = 60_000;

/// Returns the representatives of a key's values for all that is asked of it.
pub(super) fn representatives(tests: &[ValueTest], domain: Option<&TextTest>) -> Representatives {
    let mut patterns: Vec<TextTest> = Vec::new();
    let mut numbers: Vec<f64> = Vec::new();
    let mut dates: Vec<i128> = Vec::new();
    let mut ranges: Vec<(IpAddr, IpAddr)> = Vec::new();
    let mut booleans = false;
    for test in tests {
        match test {
            ValueTest::Text(test) => patterns.push(test.clone()),
            ValueTest::Boolean => booleans = true,
            ValueTest::Number(number) => numbers.push(*number),
            ValueTest::Date(date) => dates.push(*date),
            ValueTest::Addresses(first, last) => ranges.push((*first, *last)),
        }
    }
    let ordered = !numbers.is_empty() || !dates.is_empty();
    if booleans && !ordered && ranges.is_empty() {
        return flags(&patterns);
    }
    let kinds = [!patterns.is_empty() || booleans, ordered, !ranges.is_empty()];
    let mixed = kinds.iter().filter(|kind| **kind).count() > 1;
    let mut found = Representatives { texts: Vec::new(), missing: None };
    if !patterns.is_empty() || !(ordered || booleans || kinds.contains(&true)) {
        found = of_texts(&patterns, domain);
    }
    if numbers.is_empty() && !dates.is_empty() {
        found.texts.extend(moments(&dates));
    } else if ordered {
        found.texts.extend(quantities(&numbers, &dates));
    }
    if !ranges.is_empty() {
        found.texts.extend(addresses(&ranges));
    }
    if booleans {
        found.texts.extend(["true".to_owned(), "false".to_owned()]);
    }
    let mut seen = BTreeSet::new();
    found.texts.retain(|text| seen.insert(text.clone()));
    if found.texts.len() > MOST {
        found.texts.truncate(MOST);
        found.missing = Some("the values of a key have too many borders");
    }
    if mixed {
        found.missing = Some("conditions compare a key as different types");
    }
    found
}

fn of_texts(tests: &[TextTest], domain: Option<&TextTest>) -> Representatives {
    let mut budget = StepBudget::new(STEPS);
    let classes = text_classes(tests, domain, &mut budget);
    let missing = (!classes.complete).then_some("the patterns on a key have too many combinations");
    Representatives { texts: classes.texts, missing }
}

/// A key that is compared as a Boolean is one.
fn flags(tests: &[TextTest]) -> Representatives {
    let spelled = ["true", "false"].map(str::to_owned);
    let others = ["True", "TRUE", "False", "FALSE", "1", "0"].map(str::to_owned);
    let told_apart = tests.iter().any(|test| others.iter().any(|text| test.matches(text)));
    let flags = if told_apart { spelled.into_iter().chain(others).collect() } else { spelled.to_vec() };
    Representatives { texts: flags, missing: None }
}

/// Returns the borders in order, with what lies before, between and after them.
fn around<T: Copy + PartialOrd>(borders: &[T], near: impl Fn(T, i8) -> T, between: impl Fn(T, T) -> T) -> Vec<T> {
    let mut sorted = borders.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.dedup_by(|a, b| a == b);
    let mut points = sorted.clone();
    points.extend(sorted.windows(2).filter_map(|pair| match pair {
        [low, high] => Some(between(*low, *high)).filter(|middle| low < middle && middle < high),
        _ => None,
    }));
    points.extend(sorted.first().map(|least| near(*least, -1)));
    points.extend(sorted.last().map(|most| near(*most, 1)));
    points
}

fn quantities(numbers: &[f64], dates: &[i128]) -> Vec<String> {
    // A double holds seconds to the microsecond, as text of a request does.
    #[expect(clippy::cast_precision_loss, reason = "borders between representatives need no more than microseconds")]
    let seconds = dates.iter().map(|date| *date as f64 / 1e9);
    let borders: Vec<f64> = numbers.iter().copied().chain(seconds).collect();
    let points = around(&borders, |at, step| at + f64::from(step) * at.abs().max(1.0), f64::midpoint);
    points.into_iter().map(|number| number.to_string()).chain(["x".to_owned()]).collect()
}

fn moments(dates: &[i128]) -> Vec<String> {
    let day = 86_400_000_000_000;
    let points = around(dates, |at, step| at + i128::from(step) * day, i128::midpoint);
    let text = |at: i128| jiff::Timestamp::from_nanosecond(at).ok().map(|moment| moment.to_string());
    points.into_iter().filter_map(text).chain(["x".to_owned()]).collect()
}

fn addresses(ranges: &[(IpAddr, IpAddr)]) -> Vec<String> {
    let mut all = BTreeSet::from([IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    for (first, last) in ranges {
        all.extend([*first, *last]);
        all.extend(neighbour(*first, -1));
        all.extend(neighbour(*last, 1));
    }
    all.into_iter().map(|address| address.to_string()).chain(["x".to_owned()]).collect()
}

fn neighbour(address: IpAddr, step: i8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            address.to_bits().checked_add_signed(step.into()).map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        IpAddr::V6(address) => {
            address.to_bits().checked_add_signed(step.into()).map(|bits| Ipv6Addr::from_bits(bits).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_both_sides_of_every_border() {
        let tests = [ValueTest::number("10").unwrap(), ValueTest::number("20.0").unwrap()];
        let found = representatives(&tests, None);
        let numbers: Vec<f64> = found.texts.iter().filter_map(|text| text.parse().ok()).collect();
        let inside = |range: std::ops::Range<f64>| numbers.iter().any(|number| range.contains(number));
        assert!(
            inside(-99.0..10.0) && inside(10.0..10.1) && inside(10.1..20.0) && inside(20.0..20.1) && inside(20.1..99.0)
        );
        assert!(found.texts.contains(&"x".to_owned()) && found.missing.is_none());
    }

    #[test]
    fn dates_and_addresses_have_neighbours() {
        let date = ValueTest::date("2026-01-01T00:00:00Z").unwrap();
        let found = representatives(&[date], None).texts;
        assert_eq!(found, ["2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z", "x"]);
        let range = ValueTest::addresses("203.0.113.0/24").unwrap();
        let found = representatives(&[range], None).texts;
        for address in ["203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", "::1"] {
            assert!(found.contains(&address.to_owned()), "{address} {found:?}");
        }
        assert!(ValueTest::addresses("203.0.113.0/33").is_none() && ValueTest::addresses("0.0.0.0/0").is_some());
    }

    #[test]
    fn a_mixture_of_types_is_not_decided() {
        let tests = [ValueTest::Text(TextTest::literal("10")), ValueTest::number("10").unwrap()];
        assert!(representatives(&tests, None).missing.is_some());
        let boolean = [ValueTest::Boolean, ValueTest::Text(TextTest::literal("true"))];
        assert_eq!(representatives(&boolean, None).texts, ["true", "false"]);
    }
}
