//! The condition operators of the policy language and how their values compare.

use super::model::ConditionOperator;

/// How an operator compares a value of the request with one of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// As text, number, date, address or Boolean: two different values of a policy differ in meaning.
    Plain,
    /// As text without regard to case.
    IgnoreCase,
    /// As text with wildcards.
    Wildcard,
    /// As an ARN with wildcards, each of its parts by itself.
    Arn,
}

/// Whether a condition holds if some value matches, or if none does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polarity {
    /// Some value must match.
    Positive,
    /// No value may match.
    Negated,
}

/// An operator that AWS knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator<'a> {
    /// `ForAllValues:`, `ForAnyValue:`, or nothing.
    pub(crate) set: &'a str,
    /// The operator by itself; of two names for the same one, always the same one.
    pub(crate) base: &'static str,
    /// `IfExists` or nothing.
    pub(crate) if_exists: &'a str,
    pub(crate) comparison: Comparison,
    pub(crate) polarity: Polarity,
}

/// Every operator, the name that stands for it, and its meaning. `ArnEquals` and `ArnLike` behave identically.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
const OPERATORS: [(&str, &str, Comparison, Polarity); 27] = {
    use Comparison::{Arn, IgnoreCase, Plain, Wildcard};
    use Polarity::{Negated, Positive};
    [
        ("StringEquals", "StringEquals", Plain, Positive),
        ("StringNotEquals", "StringNotEquals", Plain, Negated),
        ("StringEqualsIgnoreCase", "StringEqualsIgnoreCase", IgnoreCase, Positive),
        ("StringNotEqualsIgnoreCase", "StringNotEqualsIgnoreCase", IgnoreCase, Negated),
        ("StringLike", "StringLike", Wildcard, Positive),
        ("StringNotLike", "StringNotLike", Wildcard, Negated),
        ("NumericEquals", "NumericEquals", Plain, Positive),
        ("NumericNotEquals", "NumericNotEquals", Plain, Negated),
        ("NumericLessThan", "NumericLessThan", Plain, Positive),
        ("NumericLessThanEquals", "NumericLessThanEquals", Plain, Positive),
        ("NumericGreaterThan", "NumericGreaterThan", Plain, Positive),
        ("NumericGreaterThanEquals", "NumericGreaterThanEquals", Plain, Positive),
        ("DateEquals", "DateEquals", Plain, Positive),
        ("DateNotEquals", "DateNotEquals", Plain, Negated),
        ("DateLessThan", "DateLessThan", Plain, Positive),
        ("DateLessThanEquals", "DateLessThanEquals", Plain, Positive),
        ("DateGreaterThan", "DateGreaterThan", Plain, Positive),
        ("DateGreaterThanEquals", "DateGreaterThanEquals", Plain, Positive),
        ("Bool", "Bool", Plain, Positive),
        ("BinaryEquals", "BinaryEquals", Plain, Positive),
        ("IpAddress", "IpAddress", Plain, Positive),
        ("NotIpAddress", "NotIpAddress", Plain, Negated),
        ("ArnEquals", "ArnLike", Arn, Positive),
        ("ArnLike", "ArnLike", Arn, Positive),
        ("ArnNotEquals", "ArnNotLike", Arn, Negated),
        ("ArnNotLike", "ArnNotLike", Arn, Negated),
        ("Null", "Null", Plain, Positive),
    ]
};

impl ConditionOperator {
    /// Returns whether AWS knows the operator; a condition with another never holds.
    pub fn is_known(&self) -> bool {
        self.known().is_some()
    }

    /// Returns what AWS understands by the operator; `None` if it knows none of that name.
    pub(crate) fn known(&self) -> Option<Operator<'_>> {
        let text = self.0.as_str();
        let set_end =
            ["ForAllValues:", "ForAnyValue:"].into_iter().find(|set| text.starts_with(set)).map_or(0, str::len);
        let (set, rest) = text.split_at(set_end);
        let base_end = rest.strip_suffix("IfExists").map_or(rest.len(), str::len);
        let (base, if_exists) = rest.split_at(base_end);
        let (_, base, comparison, polarity) = *OPERATORS.iter().find(|(name, ..)| *name == base)?;
        // `Null` asks for existence itself: AWS rejects `NullIfExists`.
        let legal = base != "Null" || if_exists.is_empty();
        legal.then_some(Operator { set, base, if_exists, comparison, polarity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_known_with_their_set_and_suffix() {
        let known = |text: &str| {
            let operator = ConditionOperator(text.to_owned());
            operator.known().map(|known| format!("{}{}{}", known.set, known.base, known.if_exists))
        };
        assert_eq!(known("ForAllValues:ArnEqualsIfExists").as_deref(), Some("ForAllValues:ArnLikeIfExists"));
        assert_eq!(known("ForAnyValue:StringLike").as_deref(), Some("ForAnyValue:StringLike"));
        assert_eq!(known("NullIfExists"), None);
        assert_eq!(known("StringMatches"), None);
        assert_eq!(known("IfExists"), None);
    }
}
