//! The limits that AWS sets to policy documents, as data.

use super::model::{PolicyDocument, Statement};
use std::collections::BTreeSet;

/// The longest key policy, in bytes.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub const KEY_POLICY_BYTES: usize = crate::kms::POLICY_BYTES;

/// The longest managed policy, in characters without white space.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const MANAGED_POLICY_CHARACTERS: usize = 6_144;

/// The most that all inline policies of a role have together, in characters without white space.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const ROLE_INLINE_POLICY_CHARACTERS: usize = 10_240;

/// The longest trust policy unless the quota was raised, in characters.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const TRUST_POLICY_CHARACTERS: usize = 2_048;

/// A limit that a key policy breaks or nears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyLimit {
    /// The text is longer than KMS accepts.
    TooLong {
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The text has nine tenths of the length that KMS accepts, or more.
    NearlyTooLong {
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The text has a character that KMS does not accept.
    IllegalCharacter {
        /// The character.
        character: char,
        /// Where it first stands, in bytes.
        offset: usize,
    },
    /// A statement names no principal.
    NoPrincipal {
        /// The statement's place, from 0.
        statement: usize,
        /// Its `Sid`.
        sid: Option<String>,
    },
    /// A statement has the same operator and key twice, which a policy cannot say; keys have no case.
    RepeatedCondition {
        /// The statement's place, from 0.
        statement: usize,
        /// The operator.
        operator: String,
        /// The key.
        key: String,
    },
}

impl PolicyLimit {
    /// Returns whether KMS would reject the policy; otherwise it is a warning.
    pub fn is_broken(&self) -> bool {
        match self {
            Self::NearlyTooLong { .. } => false,
            Self::TooLong { .. }
            | Self::IllegalCharacter { .. }
            | Self::NoPrincipal { .. }
            | Self::RepeatedCondition { .. } => true,
        }
    }
}

impl PolicyDocument {
    /// Returns the limits that the document breaks or nears as a key policy, as it would be sent.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>
    pub fn key_policy_limits(&self) -> Vec<PolicyLimit> {
        let mut limits = key_policy_text_limits(&self.to_text());
        for (at, statement) in self.statements.iter().enumerate() {
            if !has_principal(statement) {
                limits.push(PolicyLimit::NoPrincipal { statement: at, sid: statement.sid.clone() });
            }
            limits.extend(repeated_conditions(at, statement));
        }
        limits
    }

    /// Returns the length that IAM counts: characters without white space between the elements.
    pub fn iam_length(&self) -> usize {
        self.to_compact().chars().count()
    }
}

/// Returns the limits of length and characters that the text of a key policy breaks or nears.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
pub fn key_policy_text_limits(text: &str) -> Vec<PolicyLimit> {
    let (bytes, limit) = (text.len(), KEY_POLICY_BYTES);
    let mut limits = Vec::new();
    if bytes > limit {
        limits.push(PolicyLimit::TooLong { bytes, limit });
    } else if bytes * 10 >= limit * 9 {
        limits.push(PolicyLimit::NearlyTooLong { bytes, limit });
    }
    let mut seen = BTreeSet::new();
    let illegal = text.char_indices().filter(|(_, c)| !is_legal(*c) && seen.insert(*c));
    limits.extend(illegal.map(|(offset, character)| PolicyLimit::IllegalCharacter { character, offset }));
    limits
}

fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}')
}

/// Returns whether a statement names a principal; what an inert one says is not looked at.
pub(super) fn has_principal(statement: &Statement) -> bool {
    use super::model::Principals::{Is, IsNot};
    statement.inert.is_some()
        || matches!(&statement.principals, Some(Is(entries) | IsNot(entries)) if !entries.is_empty())
}

fn repeated_conditions(at: usize, statement: &Statement) -> Vec<PolicyLimit> {
    let mut seen = BTreeSet::new();
    let conditions = statement.conditions.iter().map(|condition| (&condition.operator.0, &condition.key));
    conditions
        .filter(|(operator, key)| !seen.insert((operator.as_str(), key.to_ascii_lowercase())))
        .map(|(operator, key)| PolicyLimit::RepeatedCondition {
            statement: at,
            operator: operator.clone(),
            key: key.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::model::PrincipalEntry;
    use super::*;

    #[test]
    fn length_is_counted_in_bytes_as_sent() {
        assert_eq!(key_policy_text_limits(&"a".repeat(29_491)), []);
        let near = PolicyLimit::NearlyTooLong { bytes: 29_492, limit: 32_768 };
        assert_eq!(key_policy_text_limits(&"a".repeat(29_492)), std::slice::from_ref(&near));
        assert!(!near.is_broken());
        assert!(!key_policy_text_limits(&"a".repeat(32_768))[0].is_broken());
        let over = PolicyLimit::TooLong { bytes: 32_770, limit: 32_768 };
        assert_eq!(key_policy_text_limits(&"ä".repeat(16_385)), std::slice::from_ref(&over));
        assert!(over.is_broken());
    }

    #[test]
    fn each_illegal_character_is_named_once() {
        assert_eq!(key_policy_text_limits("\tä ÿ\r\n"), []);
        assert_eq!(
            key_policy_text_limits("a–b–\u{7}"),
            [
                PolicyLimit::IllegalCharacter { character: '–', offset: 1 },
                PolicyLimit::IllegalCharacter { character: '\u{7}', offset: 8 },
            ]
        );
    }

    #[test]
    fn statements_need_a_principal_and_conditions_that_json_can_say() {
        let good = Statement::allow("A", ["kms:*"]).principals(vec![PrincipalEntry::Everyone]);
        let nobody = Statement::allow("B", ["kms:*"]).principals(Vec::new());
        let twice = good.clone().when("StringEquals", "k", ["a"]).when("StringEquals", "K", ["b"]);
        assert_eq!(
            PolicyDocument::new(vec![good, nobody, twice]).key_policy_limits(),
            [
                PolicyLimit::NoPrincipal { statement: 1, sid: Some("B".into()) },
                PolicyLimit::RepeatedCondition { statement: 2, operator: "StringEquals".into(), key: "K".into() },
            ]
        );
    }
}
