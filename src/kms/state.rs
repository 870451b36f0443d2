//! Key states, and which operation each of them bars.

use super::shape::names;
use StateError::{Disabled, InvalidState, Unsupported};
use std::fmt;

names!(
    /// The state of a key.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
    KeyState, "key state", {
        /// Being created.
        Creating = "Creating",
        /// In use.
        Enabled = "Enabled",
        /// Switched off.
        Disabled = "Disabled",
        /// Its deletion is scheduled.
        PendingDeletion = "PendingDeletion",
        /// Waits for its material.
        PendingImport = "PendingImport",
        /// A primary that waits for the deletion of its replicas.
        PendingReplicaDeletion = "PendingReplicaDeletion",
        /// Its key store is out of reach.
        Unavailable = "Unavailable",
        /// Its primary Region is being changed.
        Updating = "Updating",
    }
);

impl KeyState {
    /// Returns whether the key waits to be deleted, by itself or once its replicas are.
    pub fn is_pending_deletion(self) -> bool {
        matches!(self, Self::PendingDeletion | Self::PendingReplicaDeletion)
    }
}

/// Why a state bars an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateError {
    /// The key is disabled.
    Disabled,
    /// The state does not allow the operation.
    InvalidState,
    /// No key that can be in this state supports the operation.
    Unsupported,
}

impl StateError {
    /// Returns the name of the exception that KMS answers with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disabled => "DisabledException",
            Self::InvalidState => "KMSInvalidStateException",
            Self::Unsupported => "UnsupportedOperationException",
        }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a state says to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateVerdict {
    /// The state does not bar it; the key's spec and origin still may.
    Allowed,
    /// The state bars it.
    Refused(StateError),
}

/// The answers of the seven columns of AWS's table: enabled, disabled, pending deletion (of the key or of its
/// replicas), pending import, unavailable, creating, updating.
type Row = [StateVerdict; 7];

const OK: StateVerdict = StateVerdict::Allowed;
const OFF: StateVerdict = StateVerdict::Refused(Disabled);
const NO: StateVerdict = StateVerdict::Refused(InvalidState);
const UN: StateVerdict = StateVerdict::Refused(Unsupported);

const ANY_STATE: Row = [OK; 7];
const USE: Row = [OK, OFF, NO, NO, NO, NO, OK];
const MANAGE: Row = [OK, OK, NO, OK, OK, OK, OK];
const SWITCH: Row = [OK, OK, NO, NO, OK, NO, NO];
const ROTATE: Row = [OK, OFF, NO, UN, UN, NO, OK];

/// Returns the row of an operation (`Decrypt`, without prefix); `None` if it works on no key.
fn row(operation: &str) -> Option<Row> {
    Some(match operation {
        "Decrypt"
        | "Encrypt"
        | "GenerateDataKey"
        | "GenerateDataKeyPair"
        | "GenerateDataKeyPairWithoutPlaintext"
        | "GenerateDataKeyWithoutPlaintext"
        | "ReEncrypt"
        | "ReEncryptFrom"
        | "ReEncryptTo"
        | "GenerateMac"
        | "VerifyMac"
        | "Sign"
        | "Verify"
        | "DeriveSharedSecret"
        | "Encapsulate"
        | "Decapsulate"
        | "GetPublicKey"
        | "UpdatePrimaryRegion" => USE,
        "CreateGrant" => [OK, OFF, NO, NO, OK, NO, OK],
        "ReplicateKey" => [OK, OFF, NO, NO, NO, NO, NO],
        "CancelKeyDeletion" => [NO, NO, OK, NO, NO, NO, NO],
        "ScheduleKeyDeletion" => [OK, OK, NO, OK, OK, OK, NO],
        // Away from a key that is pending deletion works, onto one fails: the state is that of the new key.
        "CreateAlias" | "UpdateAlias" | "TagResource" | "UntagResource" | "UpdateKeyDescription" => MANAGE,
        "EnableKey" | "DisableKey" => SWITCH,
        "EnableKeyRotation" | "DisableKeyRotation" => ROTATE,
        // Also for imported material, but not before there is any.
        "RotateKeyOnDemand" => [OK, OFF, NO, NO, UN, NO, OK],
        "GetKeyRotationStatus" => [OK, OK, OK, UN, UN, OK, OK],
        "GetParametersForImport" => [OK, OK, NO, OK, UN, NO, NO],
        "ImportKeyMaterial" => [OK, OK, NO, OK, UN, NO, OK],
        "DeleteImportedKeyMaterial" => [OK, OK, OK, OK, UN, NO, NO],
        "DeleteAlias" | "DescribeKey" | "GetKeyLastUsage" | "GetKeyPolicy" | "ListAliases" | "ListGrants"
        | "ListKeyPolicies" | "ListKeyRotations" | "ListResourceTags" | "PutKeyPolicy" | "RetireGrant"
        | "RevokeGrant" => ANY_STATE,
        _ => return None,
    })
}

/// Returns what a key's state says to an operation, named without prefix; `None` for operations that work on no
/// key, and for unknown ones.
///
/// What depends on the key's origin (rotation and import, notes 7 and 9 of the page) is not the state's affair:
/// ask [`KeyShape`](super::KeyShape). Operations newer than the page's table stand with their nearest kin.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html#key-state-table>
pub fn state_allows(operation: &str, state: KeyState) -> Option<StateVerdict> {
    let [enabled, disabled, deletion, import, unavailable, creating, updating] = row(operation)?;
    Some(match state {
        KeyState::Enabled => enabled,
        KeyState::Disabled => disabled,
        KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => deletion,
        KeyState::PendingImport => import,
        KeyState::Unavailable => unavailable,
        KeyState::Creating => creating,
        KeyState::Updating => updating,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::{ACTIONS, ActionScope};

    #[test]
    fn cryptography_needs_an_enabled_key() {
        assert_eq!(state_allows("Decrypt", KeyState::Enabled), Some(OK));
        assert_eq!(state_allows("Decrypt", KeyState::Disabled), Some(OFF));
        for state in [KeyState::PendingDeletion, KeyState::PendingReplicaDeletion, KeyState::PendingImport] {
            assert_eq!(state_allows("Sign", state), Some(NO), "{state}");
        }
    }

    #[test]
    fn a_key_pending_deletion_can_be_read_and_saved() {
        for operation in ["CancelKeyDeletion", "DescribeKey", "PutKeyPolicy", "DeleteAlias", "RevokeGrant"] {
            assert_eq!(state_allows(operation, KeyState::PendingDeletion), Some(OK), "{operation}");
        }
        for operation in ["EnableKey", "TagResource", "CreateAlias", "ScheduleKeyDeletion", "CreateGrant"] {
            assert_eq!(state_allows(operation, KeyState::PendingDeletion), Some(NO), "{operation}");
        }
        assert_eq!(state_allows("CancelKeyDeletion", KeyState::Enabled), Some(NO));
    }

    #[test]
    fn every_action_on_a_key_has_a_row() {
        for action in ACTIONS.iter().filter(|a| a.scope != ActionScope::Iam) {
            // KMS calls this one itself.
            if action.name != "SynchronizeMultiRegionKey" {
                assert!(row(action.name).is_some(), "{}", action.name);
            }
        }
        assert_eq!(state_allows("ListKeys", KeyState::Enabled), None);
    }
}
