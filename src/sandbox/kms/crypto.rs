//! Encrypt, Decrypt, `ReEncrypt`.

use super::cipher::{self, Context, Sealed};
use super::find::{Found, Naming};
use crate::access::Request;
use crate::kms::{CIPHERTEXT_BYTES, EncryptionAlgorithm, GRANT_TOKENS, PLAINTEXT_BYTES};
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::state::Material;
use crate::sandbox::wire_json::blob;
use serde_json::{Value, json};

/// Ends a dry run here, where the call would have succeeded.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/testing-permissions.html>
pub(super) fn is_dry_run(call: &Call<'_>) -> Result<(), ApiError> {
    if call.params.flag("DryRun")? {
        let message = "The request would have succeeded, but the DryRun option is set.";
        return Err(ApiError::new("DryRunOperationException", message).status(412));
    }
    Ok(())
}

/// Refuses what only Nitro enclaves can use.
pub(super) fn check_recipient(call: &Call<'_>) -> Result<(), ApiError> {
    if call.params.has("Recipient") {
        let message = "Recipient (attested enclaves) is not in this sandbox";
        return Err(ApiError::new("UnsupportedOperationException", message));
    }
    Ok(())
}

/// Checks the number of grant tokens; grants count at once here, so that tokens have nothing to add.
pub(super) fn check_tokens(call: &Call<'_>) -> Result<(), ApiError> {
    if call.params.texts("GrantTokens")?.len() > GRANT_TOKENS {
        return Err(call.params.constraint("GrantTokens", "…", "Member must have length less than or equal to 10"));
    }
    Ok(())
}

/// Returns a request for a cryptographic operation.
pub(super) fn request(call: &Call<'_>, action: &str, found: &Found, context: &Context) -> Request {
    let mut request = call.key_request(action, found);
    request.encryption_context.clone_from(context);
    with(&mut request, "kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    request
}

fn check_algorithm(call: &Call<'_>, found: &Found, name: &str) -> Result<(), ApiError> {
    let algorithm = call.params.named(name, EncryptionAlgorithm::ALL)?.unwrap_or(EncryptionAlgorithm::SymmetricDefault);
    let spec = call.key(found)?.spec;
    if !spec.encryption_algorithms().contains(&algorithm) {
        let message = format!("Algorithm {algorithm} is incompatible with key spec {spec}.");
        return Err(ApiError::new("InvalidKeyUsageException", message));
    }
    if algorithm != EncryptionAlgorithm::SymmetricDefault {
        let message = format!("{algorithm} is not in this sandbox yet");
        return Err(ApiError::new("UnsupportedOperationException", message));
    }
    Ok(())
}

fn damaged() -> ApiError {
    ApiError::new("KMSInternalException", "The sandbox's key material is damaged").status(500)
}

/// Encrypts under a key's current material; returns the ciphertext and the material's id.
pub(super) fn seal(
    call: &Call<'_>,
    found: &Found,
    context: &Context,
    plaintext: &[u8],
) -> Result<(Vec<u8>, String), ApiError> {
    let material = call.key(found)?.current_material().ok_or_else(damaged)?;
    let sealed = cipher::seal(&found.arn, material, context, plaintext).ok_or_else(damaged)?;
    Ok((sealed, material.id.clone()))
}

fn invalid_ciphertext() -> ApiError {
    ApiError::new("InvalidCiphertextException", "The ciphertext, or its encryption context, is not valid")
}

/// Decrypts; returns the plaintext and the material's id.
fn unseal(call: &Call<'_>, sealed: &Sealed<'_>, context: &Context) -> Result<(Vec<u8>, String), ApiError> {
    let key = call.state.keys.get(sealed.key.as_str()).ok_or_else(invalid_ciphertext)?;
    let of_ciphertext = |material: &&Material| material.id == sealed.material;
    let material = key.materials.iter().find(of_ciphertext).ok_or_else(invalid_ciphertext)?;
    let plaintext = cipher::open(sealed, material, context).ok_or_else(invalid_ciphertext)?;
    Ok((plaintext, material.id.clone()))
}

/// `Encrypt`.
pub(super) fn encrypt(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    check_tokens(call)?;
    let plaintext = params.required_blob("Plaintext", PLAINTEXT_BYTES)?;
    let context = params.map("EncryptionContext")?;
    let found = call.named(Naming::Alias)?;
    call.admit(&request(call, "kms:Encrypt", &found, &context), &found)?;
    check_algorithm(call, &found, "EncryptionAlgorithm")?;
    is_dry_run(call)?;
    let (sealed, _) = seal(call, &found, &context, &plaintext)?;
    call.used(&found, "Encrypt")?;
    Ok(json!({
        "CiphertextBlob": blob(&sealed),
        "KeyId": found.arn,
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }))
}

/// Whether a dry run looks at the ciphertext.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ciphertext {
    Read,
    Ignored,
}

fn ciphertext_mode(call: &Call<'_>) -> Result<Ciphertext, ApiError> {
    let modifiers = call.params.texts("DryRunModifiers")?;
    if modifiers.is_empty() {
        return Ok(Ciphertext::Read);
    }
    if modifiers.iter().any(|modifier| modifier != "IGNORE_CIPHERTEXT") {
        let rule = "Member must satisfy enum value set: [IGNORE_CIPHERTEXT]";
        return Err(call.params.constraint("DryRunModifiers", &modifiers.join(", "), rule));
    }
    if !call.params.flag("DryRun")? {
        return Err(ApiError::validation("DryRunModifiers need DryRun"));
    }
    Ok(Ciphertext::Ignored)
}

/// Finds the key that decrypts: the one that is named, or the one in the ciphertext.
fn source(call: &mut Call<'_>, named: Option<&str>, blob: Option<&[u8]>) -> Result<Found, ApiError> {
    let Some(blob) = blob else {
        let named = named.ok_or_else(|| ApiError::validation("Without a ciphertext the key must be named"))?;
        return call.find(named, Naming::Alias);
    };
    let in_blob = cipher::parse(blob).map(|sealed| sealed.key);
    if let Some(named) = named {
        return call.find(named, Naming::Alias);
    }
    let arn = in_blob.ok_or_else(invalid_ciphertext)?;
    let reachable = arn.region() == call.caller.region && call.state.keys.get(arn.as_str()).is_some();
    if !reachable {
        let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this \
                       region, or you are not allowed to access.";
        return Err(ApiError::new("AccessDeniedException", message));
    }
    Ok(Found { arn, alias: None })
}

/// Opens a ciphertext under the key that was found for it.
fn open(call: &Call<'_>, found: &Found, blob: &[u8], context: &Context) -> Result<(Vec<u8>, String), ApiError> {
    let sealed = cipher::parse(blob).ok_or_else(invalid_ciphertext)?;
    if sealed.key != found.arn {
        let message = "The key ID in the request does not identify a CMK that can perform this operation.";
        return Err(ApiError::new("IncorrectKeyException", message));
    }
    unseal(call, &sealed, context)
}

/// Returns the ciphertext of a request; an ignored one may be missing or nonsense.
fn given_ciphertext(call: &Call<'_>, mode: Ciphertext) -> Result<Option<Vec<u8>>, ApiError> {
    match mode {
        Ciphertext::Read => call.params.required_blob("CiphertextBlob", CIPHERTEXT_BYTES).map(Some),
        Ciphertext::Ignored => Ok(None),
    }
}

/// `Decrypt`.
pub(super) fn decrypt(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    check_tokens(call)?;
    check_recipient(call)?;
    let ciphertext = given_ciphertext(call, ciphertext_mode(call)?)?;
    let context = params.map("EncryptionContext")?;
    let found = source(call, params.text("KeyId")?, ciphertext.as_deref())?;
    call.admit(&request(call, "kms:Decrypt", &found, &context), &found)?;
    check_algorithm(call, &found, "EncryptionAlgorithm")?;
    let opened = ciphertext.map(|blob| open(call, &found, &blob, &context)).transpose()?;
    is_dry_run(call)?;
    let (plaintext, material) = opened.ok_or_else(invalid_ciphertext)?;
    call.used(&found, "Decrypt")?;
    Ok(json!({
        "KeyId": found.arn,
        "Plaintext": blob(&plaintext),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": material,
    }))
}

/// `ReEncrypt`: two permissions on two keys.
pub(super) fn re_encrypt(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    check_tokens(call)?;
    let ciphertext = given_ciphertext(call, ciphertext_mode(call)?)?;
    let (old, new) = (params.map("SourceEncryptionContext")?, params.map("DestinationEncryptionContext")?);
    let from = source(call, params.text("SourceKeyId")?, ciphertext.as_deref())?;
    let to = call.find(params.required("DestinationKeyId")?, Naming::Alias)?;
    let same = if from.arn == to.arn { "true" } else { "false" };
    for (action, found, context) in [("kms:ReEncryptFrom", &from, &old), ("kms:ReEncryptTo", &to, &new)] {
        let mut request = request(call, action, found, context);
        with(&mut request, "kms:ReEncryptOnSameKey", same);
        call.admit(&request, found)?;
    }
    check_algorithm(call, &from, "SourceEncryptionAlgorithm")?;
    check_algorithm(call, &to, "DestinationEncryptionAlgorithm")?;
    let opened = ciphertext.map(|blob| open(call, &from, &blob, &old)).transpose()?;
    is_dry_run(call)?;
    let (plaintext, old_material) = opened.ok_or_else(invalid_ciphertext)?;
    let (sealed, new_material) = seal(call, &to, &new, &plaintext)?;
    call.used(&from, "ReEncrypt")?;
    call.used(&to, "ReEncrypt")?;
    Ok(json!({
        "CiphertextBlob": blob(&sealed),
        "SourceKeyId": from.arn,
        "KeyId": to.arn,
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyMaterialId": old_material,
        "DestinationKeyMaterialId": new_material,
    }))
}
