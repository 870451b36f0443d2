//! The use of the one material that keys other than symmetric encryption keys have.

use super::crypto::{check_recipient, check_tokens, damaged};
use super::find::{Found, Naming};
use crate::kms::KeySpec;
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::state::Material;
use std::fmt;

/// A key whose use was admitted.
pub(super) struct Admitted {
    pub(super) found: Found,
    pub(super) spec: KeySpec,
    /// The private key or the secret, as material keeps it.
    pub(super) private: Vec<u8>,
}

/// Finds the key that is named, and checks that it may be used; `conditions` are the operation's own condition keys.
pub(super) fn admit(call: &mut Call<'_>, operation: &str, conditions: &[(&str, &str)]) -> Result<Admitted, ApiError> {
    check_tokens(call)?;
    check_recipient(call)?;
    let found = call.named(Naming::Alias)?;
    let mut request = call.key_request(&format!("kms:{operation}"), &found);
    for (key, value) in conditions {
        with(&mut request, key, value);
    }
    call.admit(&request, &found)?;
    let key = call.key(&found)?;
    let (spec, private) = (key.spec, key.current_material().and_then(Material::bytes));
    Ok(Admitted { spec, private: private.ok_or_else(damaged)?, found })
}

/// Refuses an algorithm that keys of a spec do not have.
pub(super) fn check_algorithm<T: PartialEq + fmt::Display>(
    spec: KeySpec,
    algorithms: &[T],
    algorithm: &T,
) -> Result<(), ApiError> {
    if algorithms.contains(algorithm) {
        return Ok(());
    }
    let message = format!("Algorithm {algorithm} is incompatible with key spec {spec}.");
    Err(ApiError::new("InvalidKeyUsageException", message))
}
