//! Condition keys: which ones there are, which have many values, and which old names mean another.

use super::action::RESOURCE_CONDITION_KEYS;
use super::table::ACTIONS;
use std::collections::BTreeSet;

/// The condition keys with more than one value, which need `ForAnyValue` or `ForAllValues`.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
pub const MULTI_VALUED_CONDITION_KEYS: &[&str] = &[
    "aws:CalledVia",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceNamesList",
    "aws:ResourceOrgPaths",
    "aws:SourceOrgPaths",
    "aws:TagKeys",
    "aws:VpceOrgPaths",
    "kms:EncryptionContextKeys",
    "kms:GrantOperations",
    "kms:ResourceAliases",
];

/// The condition keys of every service; those that end in `/` stand for all that begin so.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
pub const GLOBAL_CONDITION_KEYS: &[&str] = &[
    "aws:AssumedRoot",
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:ChatbotSourceArn",
    "aws:CurrentTime",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc",
    "aws:EpochTime",
    "aws:FederatedProvider",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalTag/",
    "aws:PrincipalType",
    "aws:Referer",
    "aws:RequestTag/",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:ResourceTag/",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "aws:TagKeys",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:ViaAWSService",
    "aws:VpcSourceIp",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:VpceOrgPaths",
    "aws:userid",
    "aws:username",
];

/// Names that KMS still takes for newer ones.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>
pub const OLD_CONDITION_KEYS: &[(&str, &str)] =
    &[("kms:CustomerMasterKeySpec", "kms:KeySpec"), ("kms:CustomerMasterKeyUsage", "kms:KeyUsage")];

/// Keys that AWS documents without saying which actions carry them: the API model of KMS, 2026-09.
pub const UNPLACED_CONDITION_KEYS: &[&str] = &["kms:PolicyName"];

/// Returns the name that an old name of a condition key stands for.
pub fn renamed_condition_key(key: &str) -> Option<&'static str> {
    OLD_CONDITION_KEYS.iter().find(|(old, _)| old.eq_ignore_ascii_case(key)).map(|(_, new)| *new)
}

/// Returns whether a condition key has more than one value, whatever its case.
pub fn is_multi_valued_condition_key(key: &str) -> bool {
    MULTI_VALUED_CONDITION_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// Returns every condition key of KMS and every global one; those that end in `:` or `/` stand for all that begin so.
pub fn condition_keys() -> BTreeSet<&'static str> {
    let own = ACTIONS.iter().flat_map(|action| action.condition_keys);
    let old = OLD_CONDITION_KEYS.iter().map(|(old, _)| old);
    let all = own.chain(RESOURCE_CONDITION_KEYS).chain(GLOBAL_CONDITION_KEYS).chain(old).chain(UNPLACED_CONDITION_KEYS);
    all.copied().collect()
}

/// Returns whether KMS or AWS knows a condition key, whatever its case.
pub fn condition_key_exists(key: &str) -> bool {
    condition_keys().into_iter().any(|known| condition_key_fits(known, key))
}

/// Returns whether a key is a known one, or begins as one that stands for many.
pub(super) fn condition_key_fits(known: &str, key: &str) -> bool {
    if known.ends_with([':', '/']) {
        key.get(..known.len()).is_some_and(|head| head.eq_ignore_ascii_case(known))
    } else {
        key.eq_ignore_ascii_case(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_whatever_their_case_and_variable_part() {
        for key in ["KMS:viaservice", "kms:EncryptionContext:Tenant", "aws:PrincipalTag/team", "aws:username"] {
            assert!(condition_key_exists(key), "{key}");
        }
        for key in ["kms:ViaServices", "kms:EncryptionContext", "aws:PrincipalTag", "ViaService", ""] {
            assert!(!condition_key_exists(key), "{key}");
        }
    }

    #[test]
    fn old_names_stand_for_new_ones_and_multi_valued_keys_exist() {
        for (old, new) in OLD_CONDITION_KEYS {
            assert_eq!(renamed_condition_key(&old.to_lowercase()), Some(*new));
            assert!(RESOURCE_CONDITION_KEYS.contains(new));
        }
        assert!(MULTI_VALUED_CONDITION_KEYS.iter().all(|key| condition_key_exists(key)));
        assert!(is_multi_valued_condition_key("AWS:tagkeys"));
        assert!(!is_multi_valued_condition_key("kms:ViaService"));
    }
}
