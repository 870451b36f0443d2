//! The fixed lists of words of the manifest language.

use super::spanned::Word;
use crate::desired::{Delegation, Enforcement, KeyLifecycle, MaterialEncoding, MaterialPresence, RoleKind, Separation};
use crate::kms::{Capability, KeySpec, KeyUsage, Origin, WrappingAlgorithm, WrappingKeySpec};
use crate::services::Service;

impl Word for RoleKind {
    const NAME: &'static str = "RoleKind";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|kind| (kind.name(), *kind)).collect()
    }
}

impl Word for Delegation {
    const NAME: &'static str = "IamDelegation";

    fn words() -> Vec<(&'static str, Self)> {
        vec![("none", Self::None), ("root-user", Self::RootUser), ("account", Self::Account)]
    }
}

impl Word for Separation {
    const NAME: &'static str = "Separation";

    fn words() -> Vec<(&'static str, Self)> {
        vec![("advised", Self::Advised), ("enforced", Self::Enforced)]
    }
}

impl Word for Enforcement {
    const NAME: &'static str = "Enforcement";

    fn words() -> Vec<(&'static str, Self)> {
        vec![
            ("key-policy", Self::KeyPolicy),
            ("identity-policy", Self::IdentityPolicy),
            ("context", Self::Context),
            ("grants", Self::Grants),
        ]
    }
}

impl Word for KeyLifecycle {
    const NAME: &'static str = "KeyState";

    fn words() -> Vec<(&'static str, Self)> {
        vec![("enabled", Self::Enabled), ("disabled", Self::Disabled), ("retired", Self::Retired)]
    }
}

impl Word for MaterialPresence {
    const NAME: &'static str = "MaterialState";

    fn words() -> Vec<(&'static str, Self)> {
        vec![("imported", Self::Imported), ("deleted", Self::Deleted)]
    }
}

impl Word for MaterialEncoding {
    const NAME: &'static str = "MaterialEncoding";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|encoding| (encoding.name(), *encoding)).collect()
    }
}

/// SM2 travels in China alone, under SM2 keys.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html>
impl Word for WrappingAlgorithm {
    const NAME: &'static str = "WrappingAlgorithm";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|algorithm| (algorithm.name(), *algorithm)).collect()
    }

    fn later() -> Vec<&'static str> {
        vec!["SM2PKE"]
    }
}

impl Word for WrappingKeySpec {
    const NAME: &'static str = "WrappingKey";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|spec| (spec.name(), *spec)).collect()
    }

    fn later() -> Vec<&'static str> {
        vec!["SM2"]
    }
}

impl Word for Service {
    const NAME: &'static str = "Service";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|service| (service.name(), *service)).collect()
    }

    fn later() -> Vec<&'static str> {
        vec![
            "fsx",
            "redshift",
            "elasticache",
            "opensearch",
            "backup",
            "secretsmanager",
            "ssm",
            "lambda",
            "ecr",
            "eks",
            "sqs",
            "sns",
            "kinesis",
            "firehose",
            "cloudwatch-logs",
            "cloudtrail",
            "autoscaling",
            "glue",
            "athena",
            "sagemaker",
            "bedrock",
            "workspaces",
        ]
    }
}

impl Word for Capability {
    const NAME: &'static str = "Capability";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|capability| (capability.name(), *capability)).collect()
    }
}

impl Word for KeySpec {
    const NAME: &'static str = "KeySpec";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|spec| (spec.name(), *spec)).collect()
    }
}

impl Word for KeyUsage {
    const NAME: &'static str = "KeyUsage";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|usage| (usage.name(), *usage)).collect()
    }
}

impl Word for Origin {
    const NAME: &'static str = "Origin";

    fn words() -> Vec<(&'static str, Self)> {
        Self::ALL.iter().map(|origin| (origin_word(*origin), *origin)).collect()
    }
}

/// Returns the word that manifests use for an origin.
pub(super) fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::AwsKms => "aws-kms",
        Origin::External => "external",
        Origin::AwsCloudHsm => "aws-cloudhsm",
        Origin::ExternalKeyStore => "external-key-store",
    }
}
