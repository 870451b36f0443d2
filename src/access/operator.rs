//! Condition operators: what their names mean, and how they treat absent and multi-valued keys.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use super::compare::{Comparison, holds};
use super::context::{Call, Value};
use super::truth::{Open, Truth};
use crate::policy::{Condition, PolicyVersion};

/// What a value is tested for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Arn,
    Number(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    Ip,
    Null,
}

/// How a test relates the values of a call to those of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    /// The one value.
    One,
    /// `ForAnyValue:`
    Any,
    /// `ForAllValues:`
    All,
}

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operator {
    quantifier: Quantifier,
    test: Test,
    negated: bool,
    if_exists: bool,
}

const TESTS: &[(&str, Test, bool)] = &[
    ("StringEquals", Test::StringEquals, false),
    ("StringNotEquals", Test::StringEquals, true),
    ("StringEqualsIgnoreCase", Test::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Test::StringEqualsIgnoreCase, true),
    ("StringLike", Test::StringLike, false),
    ("StringNotLike", Test::StringLike, true),
    ("ArnEquals", Test::Arn, false),
    ("ArnLike", Test::Arn, false),
    ("ArnNotEquals", Test::Arn, true),
    ("ArnNotLike", Test::Arn, true),
    ("Bool", Test::Bool, false),
    ("Null", Test::Null, false),
    ("NumericEquals", Test::Number(Comparison::Equal), false),
    ("NumericNotEquals", Test::Number(Comparison::Equal), true),
    ("NumericLessThan", Test::Number(Comparison::Less), false),
    ("NumericLessThanEquals", Test::Number(Comparison::LessOrEqual), false),
    ("NumericGreaterThan", Test::Number(Comparison::Greater), false),
    ("NumericGreaterThanEquals", Test::Number(Comparison::GreaterOrEqual), false),
    ("DateEquals", Test::Date(Comparison::Equal), false),
    ("DateNotEquals", Test::Date(Comparison::Equal), true),
    ("DateLessThan", Test::Date(Comparison::Less), false),
    ("DateLessThanEquals", Test::Date(Comparison::LessOrEqual), false),
    ("DateGreaterThan", Test::Date(Comparison::Greater), false),
    ("DateGreaterThanEquals", Test::Date(Comparison::GreaterOrEqual), false),
    ("IpAddress", Test::Ip, false),
    ("NotIpAddress", Test::Ip, true),
    ("BinaryEquals", Test::Binary, false),
];

impl Operator {
    /// Returns the operator of a name; `None` if AWS knows none of it.
    fn parse(name: &str) -> Option<Self> {
        let (quantifier, rest) = match name.split_once(':') {
            None => (Quantifier::One, name),
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(_) => return None,
        };
        let (base, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |base| (base, true));
        let (_, test, negated) = TESTS.iter().find(|(known, ..)| *known == base)?;
        if *test == Test::Null && if_exists {
            return None;
        }
        Some(Self { quantifier, test: *test, negated: *negated, if_exists })
    }

    /// Returns what the operator says of a key that the call does not have.
    fn on_absence(self) -> Truth {
        match self.quantifier {
            Quantifier::All => Truth::True,
            Quantifier::Any => self.if_exists.into(),
            Quantifier::One => (self.if_exists || self.negated).into(),
        }
    }
}

/// Returns whether a condition holds for a call; one with an unknown operator does not.
pub(super) fn condition_holds(condition: &Condition, version: &PolicyVersion, call: &Call<'_>) -> Truth {
    let Some(operator) = Operator::parse(&condition.operator.0) else { return Truth::False };
    // A multi-valued key without values is as good as absent.
    let value = call.value(&condition.key).filter(|value| !matches!(value, Value::Many(values) if values.is_empty()));
    if operator.test == Test::Null {
        return null_holds(condition, value.as_ref());
    }
    let one = |value: &str| {
        let any = condition
            .values
            .iter()
            .map(|pattern| holds(operator.test, (&condition.key, value), (pattern.as_text(), version), call));
        let any = Truth::any(any);
        if operator.negated { any.not() } else { any }
    };
    match (value, operator.quantifier) {
        (None, _) => operator.on_absence(),
        (Some(Value::Open(open)), _) => Truth::Unknown(open),
        (Some(Value::One(value)), _) => one(&value),
        (Some(Value::Many(_)), Quantifier::One) => Truth::Unknown(Open::MultiValuedWithoutSetOperator),
        (Some(Value::Many(values)), Quantifier::Any) => Truth::any(values.into_iter().map(one)),
        (Some(Value::Many(values)), Quantifier::All) => Truth::all(values.into_iter().map(one)),
    }
}

/// `Null`: `true` asks for a key that the call does not have, `false` for one that it has.
fn null_holds(condition: &Condition, value: Option<&Value<'_>>) -> Truth {
    let asks_for = |word: &str| condition.values.iter().any(|value| value.as_text().eq_ignore_ascii_case(word));
    match (value, asks_for("true"), asks_for("false")) {
        (Some(Value::Open(open @ Open::NotGiven)), absent, present) if absent != present => Truth::Unknown(*open),
        (None, absent, _) => absent.into(),
        (Some(_), _, present) => present.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::{ContextValue, PrincipalFacts, PrincipalType, Request};
    use super::*;
    use crate::policy::{ConditionOperator, ConditionValue};

    fn truth(operator: &str, given: Option<ContextValue>, values: &[&str]) -> Truth {
        let principal = PrincipalFacts::new(PrincipalType::Service, "s3.amazonaws.com", None);
        let mut request = Request::new("kms:ListKeys", "*", "eu-west-1".parse().unwrap());
        request.context.insert("x:Key".to_owned(), given);
        let condition = Condition {
            operator: ConditionOperator(operator.to_owned()),
            key: "X:key".to_owned(),
            values: values.iter().map(|value| ConditionValue::from(*value)).collect(),
        };
        condition_holds(&condition, &PolicyVersion::V2012, &Call::new(&request, &principal, None))
    }

    fn one(operator: &str, given: &str, values: &[&str]) -> bool {
        truth(operator, Some(ContextValue::One(given.to_owned())), values) == Truth::True
    }

    fn many(operator: &str, given: &[&str], values: &[&str]) -> Truth {
        let given = given.iter().map(|text| (*text).to_owned()).collect();
        truth(operator, Some(ContextValue::Many(given)), values)
    }

    #[test]
    fn absent_keys() {
        for (operator, expected) in [
            ("StringEquals", false),
            ("StringNotEquals", true),
            ("StringNotLike", true),
            ("ArnNotLike", true),
            ("NumericNotEquals", true),
            ("DateNotEquals", true),
            ("NotIpAddress", true),
            ("Bool", false),
            ("BoolIfExists", true),
            ("StringEqualsIfExists", true),
            ("ForAllValues:StringEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("ForAnyValue:StringNotEquals", false),
            ("ForAnyValue:StringEqualsIfExists", true),
            ("StringEqual", false),
            ("stringNotEquals", false),
            ("NullIfExists", false),
            ("ForSomeValues:StringEquals", false),
        ] {
            assert_eq!(truth(operator, None, &["x"]), expected.into(), "{operator}");
        }
        assert_eq!(truth("Null", None, &["true"]), Truth::True);
        assert_eq!(truth("Null", None, &["false"]), Truth::False);
        assert!(one("Null", "", &["false"]) && !one("Null", "", &["true"]));
    }

    #[test]
    fn values_are_alternatives_and_of_negated_operators_none_may_match() {
        assert!(one("StringEquals", "b", &["a", "b"]));
        assert!(!one("StringNotEquals", "b", &["a", "b"]));
        assert!(one("StringNotEquals", "c", &["a", "b"]));
        assert!(!one("StringEquals", "a", &[]) && one("StringNotEquals", "a", &[]));
    }

    #[test]
    fn sets() {
        assert_eq!(many("ForAllValues:StringEquals", &["a", "b"], &["a", "b", "c"]), Truth::True);
        assert_eq!(many("ForAllValues:StringEquals", &["a", "d"], &["a", "b"]), Truth::False);
        assert_eq!(many("ForAllValues:StringEquals", &[], &["a"]), Truth::True);
        assert_eq!(many("ForAnyValue:StringEquals", &["a", "d"], &["a", "b"]), Truth::True);
        assert_eq!(many("ForAnyValue:StringNotEquals", &["a", "d"], &["a"]), Truth::True);
        assert_eq!(many("ForAllValues:StringNotEquals", &["a", "d"], &["a"]), Truth::False);
        assert!(one("ForAnyValue:StringLike", "abc", &["a*"]));
        assert_eq!(many("StringEquals", &["a"], &["a"]), Truth::Unknown(Open::MultiValuedWithoutSetOperator));
    }

    #[test]
    fn values_follow_their_type() {
        for (operator, given, value, expected) in [
            ("StringEquals", "a", "A", false),
            ("StringEquals", "ab", "a*", false),
            ("StringEqualsIgnoreCase", "Ä", "ä", true),
            ("StringLike", "abc", "a?c", true),
            ("StringLike", "ac", "a?c", false),
            ("NumericLessThan", "9", "10", true),
            ("NumericEquals", "10.0", "10", true),
            ("NumericLessThan", "30", "30", false),
            ("NumericGreaterThanEquals", "x", "1", false),
            ("NumericEquals", "inf", "inf", false),
            ("DateLessThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", true),
            ("DateEquals", "2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00Z", true),
            ("DateEquals", "1767225600", "2026-01-01T00:00:00Z", true),
            ("DateGreaterThan", "2026-01-02", "2026-01-01", true),
            ("Bool", "true", "TRUE", true),
            ("Bool", "true", "1", true),
            ("Bool", "false", "no", false),
            ("IpAddress", "203.0.113.7", "203.0.113.0/24", true),
            ("IpAddress", "203.0.114.7", "203.0.113.0/24", false),
            ("IpAddress", "203.0.113.7", "203.0.113.7", true),
            ("IpAddress", "203.0.113.7", "0.0.0.0/0", true),
            ("IpAddress", "2001:db8::1", "2001:db8::/32", true),
            ("IpAddress", "2001:db9::1", "2001:db8::/32", false),
            ("IpAddress", "203.0.113.7", "::/0", false),
            ("IpAddress", "203.0.113.7", "203.0.113.7/33", false),
            ("ArnEquals", "arn:aws:s3:::b", "arn:aws:s3:::*", true),
            ("ArnLike", "arn:aws:sns:eu-west-1:1:t", "arn:aws:*:t", false),
            ("ArnLike", "arn:aws:x:r:1:a:b", "arn:aws:x:r:1:a*", true),
            ("ArnLike", "arn:aws:x:r:1:a:b", "arn:aws:x:*:b", false),
        ] {
            assert_eq!(one(operator, given, &[value]), expected, "{operator} {given} {value}");
        }
    }
}
