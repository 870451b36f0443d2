//! What a KMS action is: where it can be allowed, across which accounts, and what its conditions may look at.

use super::condition::{condition_key_fits, renamed_condition_key};
use super::table::ACTIONS;
use std::cmp::Ordering;

/// An action of AWS KMS.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KmsAction {
    /// The name without prefix: `Decrypt`.
    pub name: &'static str,
    /// The name as policies write it: `kms:Decrypt`.
    pub full: &'static str,
    /// What kind of access it is.
    pub access: Access,
    /// Which policies can allow it.
    pub scope: ActionScope,
    /// Whether callers of other accounts can ever use it.
    pub reach: Reach,
    /// Whether a grant can contain it.
    pub grantable: bool,
    /// Whether a call carries an encryption context (on symmetric keys).
    pub takes_encryption_context: bool,
    /// The condition keys that are this action's own; those that end in `:` or `/` stand for all that begin so.
    pub condition_keys: &'static [&'static str],
}

/// What kind of access an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Lists resources or what belongs to them.
    List,
    /// Reads a resource's attributes.
    Read,
    /// Changes a resource.
    Write,
    /// Changes tags.
    Tagging,
    /// Changes who may do what.
    Permissions,
    /// Uses key material.
    Crypto,
}

/// Which policies can allow an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionScope {
    /// The key policy, or IAM policies to which it delegates.
    Key,
    /// IAM policies on the alias, and the key's side on each key that is affected.
    KeyAndAlias,
    /// IAM policies only, on `*`.
    Iam,
    /// The grant itself, or IAM policies of the account that may retire it; never the key policy.
    Grant,
}

/// From which accounts an action can ever be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// The key's own account.
    OwnAccount,
    /// Any account that the key admits.
    AnyAccount,
}

/// The condition keys that describe a key, valid for every action on one; in IAM policies also
/// `aws:ResourceTag/…` and `kms:ResourceAliases`.
pub const RESOURCE_CONDITION_KEYS: &[&str] = &[
    "aws:ResourceTag/",
    "kms:CallerAccount",
    "kms:KeyOrigin",
    "kms:KeySpec",
    "kms:KeyUsage",
    "kms:MultiRegion",
    "kms:MultiRegionKeyType",
    "kms:ResourceAliases",
    "kms:ViaService",
];

/// The operations that a grant can contain.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html#terms-grant-operations>
pub const GRANT_OPERATIONS: &[&str] = &[
    "CreateGrant",
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "DescribeKey",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetPublicKey",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
    "Sign",
    "Verify",
    "VerifyMac",
];

impl KmsAction {
    /// Returns the action of a name, with or without `kms:`, whatever its case.
    pub fn find(name: &str) -> Option<&'static Self> {
        let bare = match name.get(..4) {
            Some(prefix) if prefix.eq_ignore_ascii_case("kms:") => name.get(4..).unwrap_or_default(),
            Some(_) | None => name,
        };
        let at = ACTIONS.binary_search_by(|action| compare_ignoring_case(action.name, bare)).ok()?;
        ACTIONS.get(at)
    }

    /// Returns whether the action uses key material.
    pub fn is_cryptographic(&self) -> bool {
        self.access == Access::Crypto
    }

    /// Returns whether a condition key can have a value when the action is judged: its own keys, those of the
    /// key it works on, and the global ones (`aws:…`).
    pub fn knows_condition_key(&self, key: &str) -> bool {
        let key = renamed_condition_key(key).unwrap_or(key);
        let fits = |known: &&str| condition_key_fits(known, key);
        let of_tags = ["aws:ResourceTag/", "aws:RequestTag/", "aws:TagKeys"].iter().any(fits);
        let global = condition_key_fits("aws:", key) && !of_tags;
        let on_key = self.scope != ActionScope::Iam && RESOURCE_CONDITION_KEYS.iter().any(fits);
        global || on_key || key.eq_ignore_ascii_case("kms:CallerAccount") || self.condition_keys.iter().any(fits)
    }
}

/// Compares two names as if both were in lower case.
fn compare_ignoring_case(left: &str, right: &str) -> Ordering {
    left.bytes().map(|b| b.to_ascii_lowercase()).cmp(right.bytes().map(|b| b.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::CRYPTOGRAPHIC_ACTIONS;

    #[test]
    fn actions_are_found_whatever_their_case() {
        for name in ["kms:Decrypt", "KMS:dEcRyPt", "decrypt"] {
            assert_eq!(KmsAction::find(name).map(|a| a.full), Some("kms:Decrypt"), "{name}");
        }
        for name in ["kms:ReEncrypt", "kms:", "", "iam:Decrypt", "kms:Décrypt"] {
            assert_eq!(KmsAction::find(name), None, "{name}");
        }
    }

    #[test]
    fn every_action_is_found_by_its_own_name() {
        for action in ACTIONS.iter() {
            assert_eq!(KmsAction::find(action.full).map(|a| a.name), Some(action.name));
            assert_eq!(action.full, format!("kms:{}", action.name));
        }
    }

    #[test]
    fn lists_agree_with_the_table() {
        let grantable: Vec<&str> = ACTIONS.iter().filter(|a| a.grantable).map(|a| a.name).collect();
        assert_eq!(grantable, GRANT_OPERATIONS);
        let crypto: Vec<&str> = ACTIONS.iter().filter(|a| a.is_cryptographic()).map(|a| a.full).collect();
        assert_eq!(crypto, CRYPTOGRAPHIC_ACTIONS);
    }

    #[test]
    fn condition_keys_belong_to_actions() {
        let decrypt = KmsAction::find("Decrypt").unwrap();
        assert!(decrypt.knows_condition_key("kms:encryptioncontext:Tenant"));
        assert!(decrypt.knows_condition_key("aws:PrincipalOrgID"));
        assert!(decrypt.knows_condition_key("kms:CustomerMasterKeySpec"));
        assert!(!decrypt.knows_condition_key("kms:GrantOperations"));
        assert!(!KmsAction::find("DescribeKey").unwrap().knows_condition_key("kms:EncryptionContext:a"));
        assert!(!KmsAction::find("ListKeys").unwrap().knows_condition_key("kms:KeySpec"));
    }
}
