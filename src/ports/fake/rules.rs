//! What KMS refuses: by the state of a key, by its kind, and by whom a policy names.

use super::{FakeKey, FakeState, refused};
use crate::ids::KeyId;
use crate::kms::{KeyShape, KeyState, StateError, StateVerdict, state_allows};
use crate::live::MultiRegionType;
use crate::policy::{PolicyDocument, PrincipalEntry, Principals};
use crate::ports::{PortErrorKind, PortResult};

impl FakeState {
    /// Returns a key that exists, if its state allows an operation.
    pub(super) fn key_for(&mut self, operation: &str, id: &KeyId) -> PortResult<&mut FakeKey> {
        let key = self.key(id)?;
        let state = key.metadata.state;
        match state_allows(operation, state).unwrap() {
            StateVerdict::Allowed => Ok(key),
            StateVerdict::Refused(error) => {
                let kind = match error {
                    StateError::Disabled => PortErrorKind::Disabled,
                    StateError::InvalidState => PortErrorKind::InvalidState,
                    StateError::Unsupported => PortErrorKind::NotSupported,
                };
                Err(refused(kind, format!("key {id} is in state {state}")))
            }
        }
    }

    /// Returns a key whose rotation can be set: its state allows it, and its kind.
    pub(super) fn rotating_key(&mut self, operation: &str, id: &KeyId) -> PortResult<&mut FakeKey> {
        let key = self.key_for(operation, id)?;
        let found = &key.metadata;
        let shape = KeyShape::new(found.spec, found.usage).with_origin(found.origin);
        let kind =
            if operation == "RotateKeyOnDemand" { shape.rotates_on_demand() } else { shape.rotates_automatically() };
        if kind && found.multi_region_type != Some(MultiRegionType::Replica) {
            Ok(key)
        } else {
            Err(refused(PortErrorKind::NotSupported, format!("key {id} does not rotate")))
        }
    }

    /// Enables or disables a key; one that is out of reach does not show it.
    pub(super) fn switch(&mut self, operation: &str, id: &KeyId, state: KeyState) -> PortResult<()> {
        let metadata = &mut self.key_for(operation, id)?.metadata;
        if metadata.state != KeyState::Unavailable {
            metadata.state = state;
        }
        Ok(())
    }

    /// KMS and IAM refuse principals that do not exist.
    pub(super) fn check_principals(&self, policy: &PolicyDocument) -> PortResult<()> {
        let Some(known) = &self.known_principals else { return Ok(()) };
        let exists = |text: &str| {
            text.ends_with(":root") || known.contains(text) || self.roles.values().any(|role| role.arn.as_str() == text)
        };
        for statement in &policy.statements {
            let Some(Principals::Is(entries) | Principals::IsNot(entries)) = &statement.principals else { continue };
            for entry in entries {
                if let PrincipalEntry::Aws(text) = entry
                    && !exists(text)
                {
                    let message = "Policy contains a statement with one or more invalid principals.";
                    return Err(refused(PortErrorKind::InvalidPrincipal, message));
                }
            }
        }
        Ok(())
    }
}
