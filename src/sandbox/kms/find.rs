//! Which key a call means: by id, ARN, alias or alias ARN, in the caller's account or another; and its state.

use super::{fit, managed};
use crate::access::Request;
use crate::ids::{Arn, KeyArn, KeyId};
use crate::kms::{KeyState, StateError, StateVerdict, state_allows};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::state::Key;

/// Which names of a key an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// Key id, key ARN, alias name, alias ARN.
    Alias,
    /// Key id and key ARN only.
    KeyOnly,
}

/// A key that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The key's ARN.
    pub(super) arn: KeyArn,
    /// The alias by which it was named.
    pub(super) alias: Option<String>,
}

/// Checks that a key's state allows an operation.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
fn check_state(key: &Key, state: KeyState, operation: &str) -> Result<(), ApiError> {
    let Some(StateVerdict::Refused(reason)) = state_allows(operation, state) else { return Ok(()) };
    let message = match (reason, state) {
        (StateError::Disabled, _) => format!("{} is disabled.", key.arn),
        (StateError::InvalidState, KeyState::PendingDeletion) => format!("{} is pending deletion.", key.arn),
        (StateError::InvalidState | StateError::Unsupported, _) => {
            format!("{operation} is not valid for {}, which is {state}.", key.arn)
        }
    };
    Err(ApiError::new(reason.name(), message))
}

impl Call<'_> {
    /// Finds the key that a text names.
    pub(super) fn find(&mut self, text: &str, naming: Naming) -> Result<Found, ApiError> {
        if text.starts_with("arn:") {
            return self.find_by_arn(text, naming);
        }
        if text.starts_with("alias/") {
            if naming == Naming::KeyOnly {
                return Err(ApiError::not_found(format!("Invalid keyId '{text}'")));
            }
            let arn = self.own_arn(text);
            return self.find_by_alias(&arn, text);
        }
        let id: KeyId = text.parse().map_err(|_| ApiError::not_found(format!("Invalid keyId '{text}'")))?;
        let caller = self.caller;
        self.existing(KeyArn::new(caller.partition(), &caller.region, &caller.account, &id), None)
    }

    /// Returns the ARN of a KMS resource in the caller's account and Region.
    pub(super) fn own_arn(&self, resource: &str) -> String {
        let caller = self.caller;
        format!("arn:{}:kms:{}:{}:{resource}", caller.partition(), caller.region, caller.account)
    }

    fn find_by_arn(&mut self, text: &str, naming: Naming) -> Result<Found, ApiError> {
        let invalid = || ApiError::new("InvalidArnException", format!("Invalid ARN '{text}'"));
        let arn: Arn = text.parse().map_err(|_| invalid())?;
        if arn.service() != "kms" {
            return Err(invalid());
        }
        if arn.region() != self.caller.region.as_str() {
            return Err(ApiError::not_found(format!("Invalid arn {}", arn.region())));
        }
        if let Ok(key) = text.parse::<KeyArn>() {
            return self.existing(key, None);
        }
        match (naming, arn.resource().strip_prefix("alias/")) {
            (Naming::Alias, Some(_)) => self.find_by_alias(text, arn.resource()),
            (Naming::KeyOnly | Naming::Alias, _) => Err(invalid()),
        }
    }

    fn find_by_alias(&mut self, arn: &str, name: &str) -> Result<Found, ApiError> {
        if let Some(alias) = self.state.aliases.get(arn) {
            let target = alias.target.clone();
            return self.existing(target, Some(name.to_owned()));
        }
        if *arn == self.own_arn(name)
            && let Some(target) = managed::create(self, name)
        {
            return Ok(Found { arn: target, alias: Some(name.to_owned()) });
        }
        Err(ApiError::not_found(format!("Alias {arn} is not found.")))
    }

    fn existing(&self, arn: KeyArn, alias: Option<String>) -> Result<Found, ApiError> {
        if self.state.keys.get(arn.as_str()).is_some() {
            return Ok(Found { arn, alias });
        }
        if arn.account() != self.caller.account {
            // Other accounts do not learn which keys exist.
            let message = format!(
                "User: {} is not authorized to access this resource: {arn} does not exist in this Region, or no \
                 resource-based policy allows access",
                self.caller.arn()
            );
            return Err(ApiError::new("AccessDeniedException", message));
        }
        Err(ApiError::not_found(format!("Key '{arn}' does not exist")))
    }

    /// Returns a key that was found.
    pub(super) fn key(&self, found: &Found) -> Result<&Key, ApiError> {
        let missing = || ApiError::not_found(format!("Key '{}' does not exist", found.arn));
        self.state.keys.get(found.arn.as_str()).ok_or_else(missing)
    }

    /// Returns a key that was found, to be changed.
    pub(super) fn key_mut(&mut self, found: &Found) -> Result<&mut Key, ApiError> {
        let missing = || ApiError::not_found(format!("Key '{}' does not exist", found.arn));
        self.state.keys.get_mut(found.arn.as_str()).ok_or_else(missing)
    }

    /// Returns a request on a key.
    pub(super) fn key_request(&self, action: &str, found: &Found) -> Request {
        let mut request = self.request(action, found.arn.as_str());
        request.request_alias.clone_from(&found.alias);
        request
    }

    /// Finds the key that the parameter `KeyId` names.
    pub(super) fn named(&mut self, naming: Naming) -> Result<Found, ApiError> {
        let params = self.params;
        self.find(params.required("KeyId")?, naming)
    }

    /// Checks that the caller may, that the operation fits the key, and that the key's state allows it.
    pub(super) fn admit(&self, request: &Request, found: &Found) -> Result<(), ApiError> {
        let key = self.key(found)?;
        self.authorize_on_key(request, key)?;
        let operation = request.action.trim_start_matches("kms:");
        fit::check(key, operation)?;
        check_state(key, self.state.key_state(key, self.now), operation)
    }

    /// Finds the key that `KeyId` names without an alias, and checks that the caller may and the state allows it.
    pub(super) fn open(&mut self, action: &str) -> Result<Found, ApiError> {
        let found = self.named(Naming::KeyOnly)?;
        self.admit(&self.key_request(action, &found), &found)?;
        Ok(found)
    }
}
