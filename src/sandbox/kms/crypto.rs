//! Encrypt, Decrypt, `ReEncrypt`, and what every cryptographic operation checks.

use super::cipher::{self, Context};
use super::find::{Found, Naming};
use super::{oaep, private};
use crate::access::Request;
use crate::ids::{KeyArn, Partition};
use crate::kms::{CIPHERTEXT_BYTES, EncryptionAlgorithm, GRANT_TOKENS, KeySpec, PLAINTEXT_BYTES};
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::state::{Key, Material};
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

/// Returns the refusal of a spec that no library of this sandbox has.
pub(super) fn unsupported_spec(call: &Call<'_>, spec: KeySpec) -> ApiError {
    let because = if call.caller.partition() == Partition::AwsCn {
        "no cryptographic library of this sandbox has it"
    } else {
        "it exists in the Regions of China only"
    };
    ApiError::new("UnsupportedOperationException", format!("{spec} is not in this sandbox: {because}"))
}

/// Returns the failure of the sandbox's own making.
pub(super) fn damaged() -> ApiError {
    ApiError::new("KMSInternalException", "The sandbox's key material is damaged").status(500)
}

/// Returns the refusal of a ciphertext.
pub(super) fn invalid_ciphertext() -> ApiError {
    ApiError::new("InvalidCiphertextException", "The ciphertext, or its encryption context, is not valid")
}

/// Returns a request for an operation that encrypts or decrypts.
pub(super) fn request(
    call: &Call<'_>,
    action: &str,
    found: &Found,
    (algorithm, context): (EncryptionAlgorithm, &Context),
) -> Request {
    let mut request = call.key_request(action, found);
    request.encryption_context.clone_from(context);
    with(&mut request, "kms:EncryptionAlgorithm", algorithm.name());
    request
}

/// What a key made of something, and the id of the material with which it did, where AWS tells it.
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) material: Option<String>,
}

impl Made {
    fn by(key: &Key, material: &Material, bytes: Vec<u8>) -> Self {
        let told = key.shape().rotates_on_demand();
        Self { bytes, material: told.then(|| material.id.clone()) }
    }
}

/// Encrypts under a symmetric key's current material.
pub(super) fn seal(call: &Call<'_>, found: &Found, context: &Context, plaintext: &[u8]) -> Result<Made, ApiError> {
    let key = call.key(found)?;
    let material = key.current_material().ok_or_else(damaged)?;
    let sealed = cipher::seal(&key.arn, material, context, plaintext).ok_or_else(damaged)?;
    Ok(Made::by(key, material, sealed))
}

/// One key of an operation, and how it encrypts or decrypts.
struct Side {
    found: Found,
    algorithm: EncryptionAlgorithm,
    context: Context,
}

impl Side {
    /// Returns the algorithm that a parameter names.
    fn algorithm(call: &Call<'_>, name: &str) -> Result<EncryptionAlgorithm, ApiError> {
        Ok(call.params.named(name, EncryptionAlgorithm::ALL)?.unwrap_or(EncryptionAlgorithm::SymmetricDefault))
    }

    fn request(&self, call: &Call<'_>, action: &str) -> Request {
        request(call, action, &self.found, (self.algorithm, &self.context))
    }

    /// Checks that key, algorithm and context go together.
    fn check(&self, call: &Call<'_>) -> Result<(), ApiError> {
        let spec = call.key(&self.found)?.spec;
        private::check_algorithm(spec, spec.encryption_algorithms(), &self.algorithm)?;
        if spec != KeySpec::SymmetricDefault && !self.context.is_empty() {
            return Err(ApiError::validation(format!("An encryption context is not supported for key spec {spec}.")));
        }
        Ok(())
    }

    /// Checks that the plaintext is not too long.
    fn check_plaintext(&self, call: &Call<'_>, length: usize) -> Result<(), ApiError> {
        oaep::check_length(call.key(&self.found)?.spec, self.algorithm, length)
    }

    fn encrypt(&self, call: &Call<'_>, plaintext: &[u8]) -> Result<Made, ApiError> {
        if self.algorithm == EncryptionAlgorithm::SymmetricDefault {
            return seal(call, &self.found, &self.context, plaintext);
        }
        let key = call.key(&self.found)?;
        let material = key.current_material().ok_or_else(damaged)?;
        let private = material.bytes().ok_or_else(damaged)?;
        let ciphertext = oaep::encrypt(self.algorithm, &private, plaintext).ok_or_else(damaged)?;
        Ok(Made::by(key, material, ciphertext))
    }

    fn decrypt(&self, call: &Call<'_>, blob: &[u8]) -> Result<Made, ApiError> {
        let key = call.key(&self.found)?;
        if self.algorithm == EncryptionAlgorithm::SymmetricDefault {
            return self.open(key, blob);
        }
        let material = key.current_material().ok_or_else(damaged)?;
        let private = material.bytes().ok_or_else(damaged)?;
        let plaintext = oaep::decrypt(self.algorithm, &private, blob).ok_or_else(invalid_ciphertext)?;
        Ok(Made::by(key, material, plaintext))
    }

    /// Decrypts with the material that made the ciphertext.
    fn open(&self, key: &Key, blob: &[u8]) -> Result<Made, ApiError> {
        let sealed = cipher::parse(blob).ok_or_else(invalid_ciphertext)?;
        if related(&sealed.key, &key.arn) != key.arn {
            let message = "The key ID in the request does not identify a CMK that can perform this operation.";
            return Err(ApiError::new("IncorrectKeyException", message));
        }
        let of_ciphertext = |material: &&Material| material.id == sealed.material;
        let material = key.materials_in_use().find(of_ciphertext).ok_or_else(invalid_ciphertext)?;
        let plaintext = cipher::open(&sealed, material, &self.context).ok_or_else(invalid_ciphertext)?;
        Ok(Made::by(key, material, plaintext))
    }
}

/// Returns the key in the Region of another one that has the same material: a multi-Region key's relative there.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>
fn related(key: &KeyArn, there: &KeyArn) -> KeyArn {
    let is_relative = key.key_id().as_str().starts_with("mrk-") && key.key_id() == there.key_id();
    if is_relative && key.account() == there.account() { there.clone() } else { key.clone() }
}

/// `Encrypt`.
pub(super) fn encrypt(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    check_tokens(call)?;
    let plaintext = params.required_blob("Plaintext", PLAINTEXT_BYTES)?;
    let (context, algorithm) = (params.map("EncryptionContext")?, Side::algorithm(call, "EncryptionAlgorithm")?);
    let side = Side { found: call.named(Naming::Alias)?, algorithm, context };
    call.admit(&side.request(call, "kms:Encrypt"), &side.found)?;
    side.check(call)?;
    side.check_plaintext(call, plaintext.len())?;
    is_dry_run(call)?;
    let made = side.encrypt(call, &plaintext)?;
    call.used(&side.found, "Encrypt")?;
    Ok(json!({
        "CiphertextBlob": blob(&made.bytes),
        "KeyId": side.found.arn,
        "EncryptionAlgorithm": side.algorithm,
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
    let arn = in_this_region(call, &in_blob.ok_or_else(invalid_ciphertext)?);
    let reachable = arn.region() == call.caller.region && call.state.keys.get(arn.as_str()).is_some();
    if !reachable {
        let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this \
                       region, or you are not allowed to access.";
        return Err(ApiError::new("AccessDeniedException", message));
    }
    Ok(Found { arn, alias: None })
}

/// Returns the key that a ciphertext names, or its relative in the Region of the call.
fn in_this_region(call: &Call<'_>, arn: &KeyArn) -> KeyArn {
    let caller = call.caller;
    let here = KeyArn::new(caller.partition(), &caller.region, &arn.account(), &arn.key_id());
    related(arn, &here)
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
    let (context, algorithm) = (params.map("EncryptionContext")?, Side::algorithm(call, "EncryptionAlgorithm")?);
    let found = source(call, params.text("KeyId")?, ciphertext.as_deref())?;
    let side = Side { found, algorithm, context };
    call.admit(&side.request(call, "kms:Decrypt"), &side.found)?;
    side.check(call)?;
    let opened = ciphertext.map(|blob| side.decrypt(call, &blob)).transpose()?;
    is_dry_run(call)?;
    let made = opened.ok_or_else(invalid_ciphertext)?;
    call.used(&side.found, "Decrypt")?;
    Ok(json!({
        "KeyId": side.found.arn,
        "Plaintext": blob(&made.bytes),
        "EncryptionAlgorithm": side.algorithm,
        "KeyMaterialId": made.material,
    }))
}

/// Returns the two sides of a `ReEncrypt`.
fn sides(call: &mut Call<'_>, ciphertext: Option<&[u8]>) -> Result<(Side, Side), ApiError> {
    let params = call.params;
    let (old, new) = (params.map("SourceEncryptionContext")?, params.map("DestinationEncryptionContext")?);
    let (by, to_be) =
        (Side::algorithm(call, "SourceEncryptionAlgorithm")?, Side::algorithm(call, "DestinationEncryptionAlgorithm")?);
    let from = source(call, params.text("SourceKeyId")?, ciphertext)?;
    let to = call.find(params.required("DestinationKeyId")?, Naming::Alias)?;
    let from = Side { found: from, algorithm: by, context: old };
    Ok((from, Side { found: to, algorithm: to_be, context: new }))
}

/// `ReEncrypt`: two permissions on two keys.
pub(super) fn re_encrypt(call: &mut Call<'_>) -> Result<Value, ApiError> {
    check_tokens(call)?;
    let ciphertext = given_ciphertext(call, ciphertext_mode(call)?)?;
    let (from, to) = sides(call, ciphertext.as_deref())?;
    let same = if from.found.arn == to.found.arn { "true" } else { "false" };
    for (action, side) in [("kms:ReEncryptFrom", &from), ("kms:ReEncryptTo", &to)] {
        let mut request = side.request(call, action);
        with(&mut request, "kms:ReEncryptOnSameKey", same);
        call.admit(&request, &side.found)?;
    }
    from.check(call)?;
    to.check(call)?;
    let opened = ciphertext.map(|blob| from.decrypt(call, &blob)).transpose()?;
    if let Some(opened) = &opened {
        to.check_plaintext(call, opened.bytes.len())?;
    }
    is_dry_run(call)?;
    let opened = opened.ok_or_else(invalid_ciphertext)?;
    let made = to.encrypt(call, &opened.bytes)?;
    call.used(&from.found, "ReEncrypt")?;
    call.used(&to.found, "ReEncrypt")?;
    Ok(json!({
        "CiphertextBlob": blob(&made.bytes),
        "SourceKeyId": from.found.arn,
        "KeyId": to.found.arn,
        "SourceEncryptionAlgorithm": from.algorithm,
        "DestinationEncryptionAlgorithm": to.algorithm,
        "SourceKeyMaterialId": opened.material,
        "DestinationKeyMaterialId": made.material,
    }))
}
