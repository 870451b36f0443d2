//! How many requests a second KMS takes, by operation and Region.

/// A request quota: the operations that have it, each on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestQuota {
    /// Requests a second, in an account and Region.
    pub per_second: u32,
    /// The operations.
    pub operations: &'static [&'static str],
}

/// The quotas that do not depend on the Region or the key's spec.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html>
const QUOTAS: &[RequestQuota] = &[
    RequestQuota { per_second: 1, operations: &["GetParametersForImport"] },
    RequestQuota {
        per_second: 5,
        operations: &[
            "CancelKeyDeletion",
            "ConnectCustomKeyStore",
            "CreateAlias",
            "CreateCustomKeyStore",
            "CreateKey",
            "DeleteCustomKeyStore",
            "DescribeCustomKeyStores",
            "DisableKey",
            "DisableKeyRotation",
            "DisconnectCustomKeyStore",
            "EnableKey",
            "GetKeyLastUsage",
            "ReplicateKey",
            "RotateKeyOnDemand",
            "UntagResource",
            "UpdateAlias",
            "UpdateCustomKeyStore",
            "UpdateKeyDescription",
            "UpdatePrimaryRegion",
        ],
    },
    RequestQuota { per_second: 10, operations: &["TagResource"] },
    RequestQuota {
        per_second: 15,
        operations: &[
            "DeleteAlias",
            "DeleteImportedKeyMaterial",
            "EnableKeyRotation",
            "ImportKeyMaterial",
            "PutKeyPolicy",
            "ScheduleKeyDeletion",
        ],
    },
    RequestQuota { per_second: 50, operations: &["CreateGrant", "RetireGrant", "RevokeGrant"] },
    RequestQuota {
        per_second: 100,
        operations: &["ListGrants", "ListKeyPolicies", "ListKeyRotations", "ListRetirableGrants"],
    },
    RequestQuota { per_second: 500, operations: &["ListAliases", "ListKeys"] },
    RequestQuota { per_second: 1_000, operations: &["GetKeyPolicy", "GetKeyRotationStatus"] },
    RequestQuota { per_second: 2_000, operations: &["DescribeKey", "GetPublicKey", "ListResourceTags"] },
];

/// Returns how many requests a second KMS takes of a management operation; `None` for cryptographic ones, whose
/// quota depends on the Region and the key's spec, and for unknown ones.
pub fn request_rate(operation: &str) -> Option<u32> {
    QUOTAS.iter().find(|quota| quota.operations.contains(&operation)).map(|quota| quota.per_second)
}

/// Returns how many cryptographic requests on symmetric keys a second KMS takes in a Region; they share one quota.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html#rps-table>
pub fn symmetric_rate(region: &crate::ids::Region) -> u32 {
    match region.as_str() {
        "us-east-1" | "us-west-2" | "eu-west-1" => 100_000,
        "us-east-2" | "ap-southeast-1" | "ap-southeast-2" | "ap-northeast-1" | "eu-central-1" | "eu-west-2" => 20_000,
        _ => 10_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::ACTIONS;

    #[test]
    fn every_management_operation_has_one_quota() {
        for action in ACTIONS.iter().filter(|a| !a.is_cryptographic()) {
            let found = QUOTAS.iter().filter(|quota| quota.operations.contains(&action.name)).count();
            // GenerateRandom shares the quota of symmetric cryptography; the other one is KMS's own call.
            let expected = usize::from(!matches!(action.name, "GenerateRandom" | "SynchronizeMultiRegionKey"));
            assert_eq!(found, expected, "{}", action.name);
        }
    }

    #[test]
    fn some_regions_take_more() {
        assert_eq!(symmetric_rate(&"eu-west-1".parse().unwrap()), 100_000);
        assert_eq!(symmetric_rate(&"eu-north-1".parse().unwrap()), 10_000);
        assert_eq!(request_rate("PutKeyPolicy"), Some(15));
        assert_eq!(request_rate("Decrypt"), None);
    }
}
