//! `Sign`, `Verify`.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>

use super::crypto::{damaged, is_dry_run};
use super::private::{self, Admitted};
use super::signature::{self, Message};
use crate::kms::{CIPHERTEXT_BYTES, MESSAGE_BYTES, SigningAlgorithm};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::wire_json::blob;
use serde_json::{Value, json};

/// What is to be signed or verified.
struct Signed {
    admitted: Admitted,
    algorithm: SigningAlgorithm,
    message_type: String,
    bytes: Vec<u8>,
}

/// Admits an operation, and checks that key, algorithm and message go together.
fn admit(call: &mut Call<'_>, operation: &str) -> Result<Signed, ApiError> {
    let params = call.params;
    let bytes = params.required_blob("Message", MESSAGE_BYTES)?;
    let algorithm = params.required_name("SigningAlgorithm", SigningAlgorithm::ALL)?;
    let message_type = params.choice("MessageType", &["RAW", "DIGEST", "EXTERNAL_MU"])?.unwrap_or("RAW").to_owned();
    let conditions = [("kms:SigningAlgorithm", algorithm.name()), ("kms:MessageType", message_type.as_str())];
    let admitted = private::admit(call, operation, &conditions)?;
    private::check_algorithm(admitted.spec, admitted.spec.signing_algorithms(), &algorithm)?;
    let signed = Signed { admitted, algorithm, message_type, bytes };
    signed.message()?;
    Ok(signed)
}

impl Signed {
    /// Returns the message, or why it does not fit the algorithm.
    fn message(&self) -> Result<Message<'_>, ApiError> {
        let Self { algorithm, message_type, bytes, .. } = self;
        let unfit =
            || Err(ApiError::validation(format!("MessageType {message_type} is not valid for algorithm {algorithm}.")));
        match (message_type.as_str(), algorithm) {
            ("RAW", SigningAlgorithm::Ed25519PhSha512) => unfit(),
            ("RAW", _) => Ok(Message::Raw(bytes)),
            ("DIGEST", SigningAlgorithm::Ed25519PhSha512) => self.digest(64),
            ("DIGEST", _) => match signature::hash(*algorithm) {
                Some(hash) => self.digest(hash.output_len()),
                None => unfit(),
            },
            (_, SigningAlgorithm::MlDsaShake256) => match bytes.as_slice().try_into() {
                Ok(mu) => Ok(Message::Mu(mu)),
                Err(_) => Err(ApiError::validation("A message of type EXTERNAL_MU has 64 bytes.")),
            },
            (_, _) => unfit(),
        }
    }

    fn digest(&self, length: usize) -> Result<Message<'_>, ApiError> {
        if self.bytes.len() == length {
            return Ok(Message::Digest(&self.bytes));
        }
        let message = format!("Digest is invalid length for algorithm {}: it has {length} bytes.", self.algorithm);
        Err(ApiError::validation(message))
    }
}

/// `Sign`.
pub(super) fn sign(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let signed = admit(call, "Sign")?;
    is_dry_run(call)?;
    let Signed { admitted, algorithm, .. } = &signed;
    let made = signature::sign(admitted.spec, *algorithm, &admitted.private, &signed.message()?);
    let made = made.ok_or_else(damaged)?;
    call.used(&admitted.found, "Sign")?;
    Ok(json!({ "KeyId": admitted.found.arn, "Signature": blob(&made), "SigningAlgorithm": algorithm }))
}

/// `Verify`.
pub(super) fn verify(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.params.required_blob("Signature", CIPHERTEXT_BYTES)?;
    let signed = admit(call, "Verify")?;
    is_dry_run(call)?;
    let Signed { admitted, algorithm, .. } = &signed;
    if !signature::verify(admitted.spec, *algorithm, &admitted.private, &signed.message()?, &given) {
        let message = "The signature does not fit the message, key and algorithm";
        return Err(ApiError::new("KMSInvalidSignatureException", message));
    }
    call.used(&admitted.found, "Verify")?;
    Ok(json!({ "KeyId": admitted.found.arn, "SignatureValid": true, "SigningAlgorithm": algorithm }))
}
