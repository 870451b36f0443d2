//! `GenerateMac`, `VerifyMac`.

use super::crypto::is_dry_run;
use super::private::{self, Admitted};
use crate::kms::{CIPHERTEXT_BYTES, MESSAGE_BYTES, MacAlgorithm};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::wire_json::blob;
use aws_lc_rs::hmac::{self, HMAC_SHA224, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use serde_json::{Value, json};

/// Returns the key as the library takes it.
fn hmac_key(algorithm: MacAlgorithm, secret: &[u8]) -> hmac::Key {
    let algorithm = match algorithm {
        MacAlgorithm::HmacSha224 => HMAC_SHA224,
        MacAlgorithm::HmacSha256 => HMAC_SHA256,
        MacAlgorithm::HmacSha384 => HMAC_SHA384,
        MacAlgorithm::HmacSha512 => HMAC_SHA512,
    };
    hmac::Key::new(algorithm, secret)
}

/// Admits an operation; returns the key, the algorithm and the message.
fn admit(call: &mut Call<'_>, operation: &str) -> Result<(Admitted, MacAlgorithm, Vec<u8>), ApiError> {
    let params = call.params;
    let message = params.required_blob("Message", MESSAGE_BYTES)?;
    let algorithm = params.required_name("MacAlgorithm", MacAlgorithm::ALL)?;
    let admitted = private::admit(call, operation, &[("kms:MacAlgorithm", algorithm.name())])?;
    private::check_algorithm(admitted.spec, admitted.spec.mac_algorithms(), &algorithm)?;
    Ok((admitted, algorithm, message))
}

/// `GenerateMac`.
pub(super) fn generate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (admitted, algorithm, message) = admit(call, "GenerateMac")?;
    is_dry_run(call)?;
    let tag = hmac::sign(&hmac_key(algorithm, &admitted.private), &message);
    call.used(&admitted.found, "GenerateMac")?;
    Ok(json!({ "KeyId": admitted.found.arn, "Mac": blob(tag.as_ref()), "MacAlgorithm": algorithm }))
}

/// `VerifyMac`.
pub(super) fn verify(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mac = call.params.required_blob("Mac", CIPHERTEXT_BYTES)?;
    let (admitted, algorithm, message) = admit(call, "VerifyMac")?;
    is_dry_run(call)?;
    if hmac::verify(&hmac_key(algorithm, &admitted.private), &message, &mac).is_err() {
        return Err(ApiError::new("KMSInvalidMacException", "The MAC does not fit the message, key and algorithm"));
    }
    call.used(&admitted.found, "VerifyMac")?;
    Ok(json!({ "KeyId": admitted.found.arn, "MacValid": true, "MacAlgorithm": algorithm }))
}
