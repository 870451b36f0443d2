//! Whether an operation fits what a key is: its spec, usage and origin. Its state is another matter.

use crate::kms::{KeyShape, KeySpec, KeyUsage, Origin};
use crate::sandbox::error::ApiError;
use crate::sandbox::state::Key;

/// Why an operation does not fit a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The key is for something else.
    Usage,
    /// Keys of this kind do not have the operation.
    Unsupported,
}

/// Returns the usage that an operation needs; `None` for those that are not cryptographic.
fn usage(operation: &str) -> Option<KeyUsage> {
    match operation {
        "Encrypt" | "Decrypt" | "ReEncryptFrom" | "ReEncryptTo" => Some(KeyUsage::EncryptDecrypt),
        "Sign" | "Verify" => Some(KeyUsage::SignVerify),
        "GenerateMac" | "VerifyMac" => Some(KeyUsage::GenerateVerifyMac),
        "DeriveSharedSecret" => Some(KeyUsage::KeyAgreement),
        "Encapsulate" | "Decapsulate" => Some(KeyUsage::EncapsulateDecapsulate),
        _ => None,
    }
}

/// Returns why an operation does not fit a key of a shape, if it does not.
pub(super) fn misfit(shape: KeyShape, operation: &str) -> Option<Misfit> {
    if usage(operation).is_some_and(|usage| usage != shape.usage) {
        return Some(Misfit::Usage);
    }
    let of_symmetric = (shape.spec != KeySpec::SymmetricDefault).then_some(Misfit::Usage);
    let unsupported = |fits: bool| (!fits).then_some(Misfit::Unsupported);
    match operation {
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => of_symmetric,
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
            of_symmetric.or_else(|| unsupported(matches!(shape.origin, Origin::AwsKms | Origin::External)))
        }
        "GetPublicKey" => unsupported(shape.spec.is_asymmetric()),
        "EnableKeyRotation" | "DisableKeyRotation" | "GetKeyRotationStatus" => {
            unsupported(shape.rotates_automatically())
        }
        "RotateKeyOnDemand" | "ListKeyRotations" => unsupported(shape.rotates_on_demand()),
        "GetParametersForImport" | "ImportKeyMaterial" | "DeleteImportedKeyMaterial" => {
            unsupported(shape.origin == Origin::External)
        }
        "ReplicateKey" | "UpdatePrimaryRegion" => unsupported(shape.multi_region),
        _ => None,
    }
}

/// Refuses an operation that does not fit a key.
pub(super) fn check(key: &Key, operation: &str) -> Result<(), ApiError> {
    let KeyShape { spec, usage, origin, .. } = key.shape();
    match misfit(key.shape(), operation) {
        None => Ok(()),
        Some(Misfit::Usage) => {
            let message = format!("{} has key usage {usage} and key spec {spec}: {operation} needs others.", key.arn);
            Err(ApiError::new("InvalidKeyUsageException", message))
        }
        Some(Misfit::Unsupported) => {
            let message =
                format!("{operation} is not supported for {}, which has key spec {spec} and origin {origin}.", key.arn);
            Err(ApiError::new("UnsupportedOperationException", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_needs_its_usage_and_kind() {
        let rsa = KeyShape::new(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt);
        assert_eq!(misfit(rsa, "Encrypt"), None);
        assert_eq!(misfit(rsa, "GetPublicKey"), None);
        for operation in ["Sign", "VerifyMac", "GenerateDataKey", "Encapsulate"] {
            assert_eq!(misfit(rsa, operation), Some(Misfit::Usage), "{operation}");
        }
        for operation in ["EnableKeyRotation", "RotateKeyOnDemand", "ImportKeyMaterial", "ReplicateKey"] {
            assert_eq!(misfit(rsa, operation), Some(Misfit::Unsupported), "{operation}");
        }
        assert_eq!(misfit(KeyShape::default(), "GetPublicKey"), Some(Misfit::Unsupported));
        assert_eq!(misfit(KeyShape::default().with_origin(Origin::External), "RotateKeyOnDemand"), None);
        assert_eq!(misfit(KeyShape::default(), "DescribeKey"), None);
    }
}
