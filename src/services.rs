//! The AWS services that a key can be used through, as data: names, principals, what each needs of a key.

use crate::ids::{AccountId, Region};
use crate::kms::Capability;
use std::fmt;
use std::str::FromStr;

/// A service that stores data encrypted under a KMS key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Amazon S3: SSE-KMS objects and buckets.
    S3,
    /// Amazon EBS: volumes and snapshots.
    Ebs,
    /// Amazon EFS: file systems.
    Efs,
    /// Amazon RDS: databases, their snapshots and logs.
    Rds,
    /// Amazon DynamoDB: tables.
    Dynamodb,
}

impl Service {
    /// Every service that this version knows, in the order of the manifest's documentation.
    pub const ALL: &'static [Self] = &[Self::S3, Self::Ebs, Self::Efs, Self::Rds, Self::Dynamodb];

    /// Returns the service's name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Ebs => "ebs",
            Self::Efs => "efs",
            Self::Rds => "rds",
            Self::Dynamodb => "dynamodb",
        }
    }

    /// Returns the value of `kms:ViaService` when the service forwards a call in a Region.
    ///
    /// The names end in `.amazonaws.com` in every partition.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>
    pub fn via_service(self, region: &Region) -> String {
        format!("{}.{region}.amazonaws.com", self.needs().via)
    }

    /// Returns the pattern that `kms:ViaService` must match for a key of a Region.
    ///
    /// It is the Region's own name, but for services that call from Region to Region.
    pub fn via_pattern(self, region: &Region) -> String {
        match self.needs().calls {
            CallsFrom::OwnRegion => self.via_service(region),
            CallsFrom::AnyRegion => format!("{}.*.amazonaws.com", self.needs().via),
        }
    }

    /// Returns the actions, with prefix, that the service needs of its caller to read data.
    pub fn read_actions(self) -> &'static [&'static str] {
        self.needs().read
    }

    /// Returns the actions, with prefix, that the service needs of its caller to write data.
    pub fn write_actions(self) -> &'static [&'static str] {
        self.needs().write
    }

    /// Returns whether the service makes grants in its caller's name: the caller then needs `kms:CreateGrant`
    /// with `kms:GrantIsForAWSResource`.
    pub fn works_through_grants(self) -> bool {
        self.needs().grants == WorksThrough::Grants
    }

    /// Returns the keys of the encryption context that the service sends.
    pub fn context_keys(self) -> &'static [&'static str] {
        self.needs().context
    }

    /// Returns whether the service sends a key of the encryption context. Case counts, as in any context.
    pub fn sends_context(self, key: &str) -> bool {
        self.context_keys().contains(&key)
    }

    /// Returns the AWS page that says what the service needs.
    pub fn documentation(self) -> &'static str {
        self.needs().page
    }

    /// Returns the actions, with prefix, that a capability means when its holder comes through the service,
    /// without `kms:CreateGrant`; empty for capabilities that no service uses.
    ///
    /// Encrypting means writing and decrypting means reading: the service, not its caller, chooses the operation.
    pub fn actions_for(self, capability: Capability) -> Vec<&'static str> {
        match capability {
            Capability::Encrypt | Capability::GenerateDataKey => self.write_actions().to_vec(),
            Capability::Decrypt => self.read_actions().to_vec(),
            Capability::Reencrypt => [self.read_actions(), self.write_actions()].concat(),
            Capability::Describe => vec!["kms:DescribeKey"],
            Capability::GenerateDataKeyPair
            | Capability::Sign
            | Capability::Verify
            | Capability::GenerateMac
            | Capability::VerifyMac
            | Capability::DeriveSharedSecret
            | Capability::Encapsulate
            | Capability::Decapsulate
            | Capability::GetPublicKey
            | Capability::Administer
            | Capability::Delete
            | Capability::Audit
            | Capability::Deploy
            | Capability::Import => Vec::new(),
        }
    }

    fn needs(self) -> &'static Needs {
        match self {
            Self::S3 => &S3,
            Self::Ebs => &EBS,
            Self::Efs => &EFS,
            Self::Rds => &RDS,
            Self::Dynamodb => &DYNAMODB,
        }
    }
}

/// What a service needs of a key.
struct Needs {
    /// The first part of `kms:ViaService`.
    via: &'static str,
    calls: CallsFrom,
    read: &'static [&'static str],
    write: &'static [&'static str],
    grants: WorksThrough,
    context: &'static [&'static str],
    page: &'static str,
}

/// From which Regions a service calls a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CallsFrom {
    OwnRegion,
    AnyRegion,
}

/// How a service goes on using a key when its caller is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WorksThrough {
    Calls,
    Grants,
}

/// The context is the object's ARN, or the bucket's with bucket keys. A multipart upload is a write that reads
/// its parts back, so that it takes `decrypt` besides `encrypt`.
const S3: Needs = Needs {
    via: "s3",
    calls: CallsFrom::OwnRegion,
    read: &["kms:Decrypt"],
    write: &["kms:GenerateDataKey"],
    grants: WorksThrough::Calls,
    context: &["aws:s3:arn"],
    page: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
};

const EBS: Needs = Needs {
    via: "ec2",
    calls: CallsFrom::OwnRegion,
    read: &["kms:Decrypt"],
    write: &["kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
    grants: WorksThrough::Grants,
    context: &["aws:ebs:id"],
    page: "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html",
};

const EFS: Needs = Needs {
    via: "elasticfilesystem",
    calls: CallsFrom::OwnRegion,
    read: &["kms:Decrypt"],
    write: &["kms:GenerateDataKeyWithoutPlaintext"],
    grants: WorksThrough::Grants,
    context: &["aws:elasticfilesystem:filesystem:id"],
    page: "https://docs.aws.amazon.com/efs/latest/ug/EFSKMS.html",
};

/// Storage is used through grants; Performance Insights calls in the name of whoever looks at it.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PerfInsights.access-control.cmk-policy.html>
const RDS: Needs = Needs {
    via: "rds",
    calls: CallsFrom::OwnRegion,
    read: &["kms:Decrypt"],
    write: &["kms:GenerateDataKey"],
    grants: WorksThrough::Grants,
    context: &["aws:rds:db-id", "aws:ebs:id"],
    page: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html",
};

/// Global tables make it call from Region to Region.
const DYNAMODB: Needs = Needs {
    via: "dynamodb",
    calls: CallsFrom::AnyRegion,
    read: &["kms:Decrypt"],
    write: &[
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ],
    grants: WorksThrough::Grants,
    context: &["aws:dynamodb:tableName", "aws:dynamodb:subscriberId"],
    page: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html",
};

/// How a policy ties a service principal to one account, so that the service cannot be made to act for another.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServicePin {
    /// The service principal: `logs.eu-west-1.amazonaws.com`.
    pub principal: String,
    /// The operator of the pinning condition.
    pub operator: &'static str,
    /// The condition key.
    pub key: &'static str,
    /// The value.
    pub value: String,
}

/// Returns the service principal of a short name (`logs`) that calls a key in its own name, with its pin.
///
/// CloudWatch Logs sends no source account: it is pinned by the context that it sends.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html>
pub fn service_pin(name: &str, region: &Region, account: &AccountId) -> ServicePin {
    if name == "logs" {
        let partition = region.partition();
        return ServicePin {
            principal: format!("logs.{region}.amazonaws.com"),
            operator: "ArnLike",
            key: "kms:EncryptionContext:aws:logs:arn",
            value: format!("arn:{partition}:logs:{region}:{account}:*"),
        };
    }
    let principal = if name.contains('.') { name.to_owned() } else { format!("{name}.amazonaws.com") };
    ServicePin { principal, operator: "StringEquals", key: "aws:SourceAccount", value: account.to_string() }
}

/// Services that are known to send `aws:SourceAccount` when they assume a role.
const SEND_SOURCE_ACCOUNT: &[&str] =
    &["appstream.amazonaws.com", "ecs-tasks.amazonaws.com", "personalize.amazonaws.com"];

/// Returns whether a service is known to send `aws:SourceAccount` when it assumes a role. A trust policy may
/// demand it of these alone: the others would be locked out.
///
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>
pub fn sends_source_account(service_principal: &str) -> bool {
    SEND_SOURCE_ACCOUNT.contains(&service_principal)
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no service that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownService;

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(text: &str) -> Result<Self, UnknownService> {
        Self::ALL.iter().copied().find(|service| service.name() == text).ok_or(UnknownService)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::KmsAction;

    #[test]
    fn names_go_both_ways() {
        for service in Service::ALL {
            assert_eq!(service.name().parse(), Ok(*service));
        }
        assert!("glacier".parse::<Service>().is_err());
    }

    #[test]
    fn services_use_real_actions_and_only_cryptographic_ones() {
        for service in Service::ALL {
            for action in [service.read_actions(), service.write_actions()].concat() {
                let known = KmsAction::find(action).unwrap();
                assert_eq!(known.full, action, "{service}");
                assert!(known.is_cryptographic() && known.takes_encryption_context, "{service} {action}");
            }
            assert!(!service.context_keys().is_empty(), "{service}");
            assert!(service.documentation().starts_with("https://docs.aws.amazon.com/"), "{service}");
        }
    }

    #[test]
    fn writing_alone_never_reads() {
        for service in Service::ALL {
            for capability in [Capability::Encrypt, Capability::GenerateDataKey, Capability::Describe] {
                assert!(!service.actions_for(capability).contains(&"kms:Decrypt"), "{service} {capability}");
            }
        }
    }

    #[test]
    fn only_global_tables_come_from_other_regions() {
        let region: Region = "eu-west-1".parse().unwrap();
        assert_eq!(Service::Dynamodb.via_pattern(&region), "dynamodb.*.amazonaws.com");
        assert_eq!(Service::Dynamodb.via_service(&region), "dynamodb.eu-west-1.amazonaws.com");
        assert_eq!(Service::Ebs.via_pattern(&region), "ec2.eu-west-1.amazonaws.com");
    }

    #[test]
    fn context_keys_are_those_that_the_service_sends() {
        assert!(Service::S3.sends_context("aws:s3:arn"));
        assert!(Service::Rds.sends_context("aws:ebs:id"));
        assert!(!Service::Dynamodb.sends_context("tenant"));
        assert!(!Service::S3.sends_context("aws:S3:arn"));
    }

    #[test]
    fn log_groups_are_pinned_by_their_context() {
        let (region, account) = ("eu-west-1".parse().unwrap(), "111122223333".parse().unwrap());
        let logs = service_pin("logs", &region, &account);
        assert_eq!((logs.principal.as_str(), logs.operator), ("logs.eu-west-1.amazonaws.com", "ArnLike"));
        let other = service_pin("backup", &region, &account);
        assert_eq!((other.principal.as_str(), other.key), ("backup.amazonaws.com", "aws:SourceAccount"));
    }
}
