//! The AWS services that a key can be used through, as data: names, principals, what each needs of a key.

use crate::ids::Region;
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
        let prefix = match self {
            Self::S3 => "s3",
            Self::Ebs => "ec2",
            Self::Efs => "elasticfilesystem",
            Self::Rds => "rds",
            Self::Dynamodb => "dynamodb",
        };
        format!("{prefix}.{region}.amazonaws.com")
    }
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
