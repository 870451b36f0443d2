//! Data keys and random bytes.

use super::crypto;
use super::find::Naming;
use crate::kms::EncryptionAlgorithm;
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::random;
use crate::sandbox::wire_json::blob;
use serde_json::{Value, json};

/// Makes a data key; returns the answer without the plaintext, and the plaintext.
fn data_key(call: &mut Call<'_>, operation: &str) -> Result<(Value, Vec<u8>), ApiError> {
    let params = call.params;
    crypto::check_tokens(call)?;
    let length = length(call)?;
    let context = params.map("EncryptionContext")?;
    let found = call.named(Naming::Alias)?;
    let how = (EncryptionAlgorithm::SymmetricDefault, &context);
    let request = crypto::request(call, &format!("kms:{operation}"), &found, how);
    call.admit(&request, &found)?;
    crypto::is_dry_run(call)?;
    let plaintext = random::bytes(length);
    let sealed = crypto::seal(call, &found, &context, &plaintext)?;
    call.used(&found, operation)?;
    Ok((
        json!({ "CiphertextBlob": blob(&sealed.bytes), "KeyId": found.arn, "KeyMaterialId": sealed.material }),
        plaintext,
    ))
}

fn length(call: &Call<'_>) -> Result<usize, ApiError> {
    let spec = call.params.choice("KeySpec", &["AES_256", "AES_128"])?;
    let bytes = call.params.within("NumberOfBytes", 1..=1024)?;
    match (spec, bytes) {
        (Some("AES_128"), None) => Ok(16),
        (Some(_), None) => Ok(32),
        (None, Some(bytes)) => usize::try_from(bytes).map_err(|_| ApiError::validation("NumberOfBytes is too great")),
        (Some(_), Some(_)) | (None, None) => {
            Err(ApiError::validation("Please specify either number of bytes or key spec."))
        }
    }
}

/// `GenerateDataKey`.
pub(super) fn generate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    crypto::check_recipient(call)?;
    let (mut answer, plaintext) = data_key(call, "GenerateDataKey")?;
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("Plaintext".to_owned(), blob(&plaintext));
    }
    Ok(answer)
}

/// `GenerateDataKeyWithoutPlaintext`.
pub(super) fn generate_without_plaintext(call: &mut Call<'_>) -> Result<Value, ApiError> {
    data_key(call, "GenerateDataKeyWithoutPlaintext").map(|(answer, _)| answer)
}

/// `GenerateRandom`.
pub(super) fn random(call: &mut Call<'_>) -> Result<Value, ApiError> {
    crypto::check_recipient(call)?;
    call.authorize(&call.request("kms:GenerateRandom", "*"))?;
    let missing = || call.params.constraint("NumberOfBytes", "null", "Member must not be null");
    let count = call.params.within("NumberOfBytes", 1..=1024)?.ok_or_else(missing)?;
    Ok(json!({ "Plaintext": blob(&random::bytes(usize::try_from(count).unwrap_or_default())) }))
}
