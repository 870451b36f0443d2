//! Data key pairs.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyPair.html>

use super::find::Naming;
use super::{crypto, der, material, public_key};
use crate::kms::{EncryptionAlgorithm, KeySpec};
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::wire_json::blob;
use serde_json::{Value, json};

/// The specs of data key pairs.
const SPECS: &[KeySpec] = &[
    KeySpec::Rsa2048,
    KeySpec::Rsa3072,
    KeySpec::Rsa4096,
    KeySpec::EccNistP256,
    KeySpec::EccNistP384,
    KeySpec::EccNistP521,
    KeySpec::EccSecgP256k1,
    KeySpec::Sm2,
    KeySpec::EccNistEdwards25519,
    KeySpec::MlKem512,
    KeySpec::MlKem768,
    KeySpec::MlKem1024,
];

/// Returns the PKCS#8 and the `SubjectPublicKeyInfo` of a new pair; `None` for the specs that no library here has.
fn new_pair(spec: KeySpec) -> Option<(Vec<u8>, Vec<u8>)> {
    let private = material::bytes(spec)?;
    let public = public_key::spki(spec, &private)?;
    Some((der::private_key(spec, &private).unwrap_or(private), public))
}

/// Makes a pair; returns the answer without the private key, and the private key.
fn pair(call: &mut Call<'_>, operation: &str) -> Result<(Value, Vec<u8>), ApiError> {
    let params = call.params;
    crypto::check_tokens(call)?;
    let spec = params.required_name("KeyPairSpec", SPECS)?;
    let context = params.map("EncryptionContext")?;
    let found = call.named(Naming::Alias)?;
    let how = (EncryptionAlgorithm::SymmetricDefault, &context);
    let mut request = crypto::request(call, &format!("kms:{operation}"), &found, how);
    with(&mut request, "kms:DataKeyPairSpec", spec.name());
    call.admit(&request, &found)?;
    if spec.only_in_china() {
        return Err(crypto::unsupported_spec(call, spec));
    }
    crypto::is_dry_run(call)?;
    let (private, public) = new_pair(spec).ok_or_else(|| crypto::unsupported_spec(call, spec))?;
    let sealed = crypto::seal(call, &found, &context, &private)?;
    call.used(&found, operation)?;
    let answer = json!({
        "PrivateKeyCiphertextBlob": blob(&sealed.bytes),
        "PublicKey": blob(&public),
        "KeyId": found.arn,
        "KeyPairSpec": spec,
        "KeyMaterialId": sealed.material,
    });
    Ok((answer, private))
}

/// `GenerateDataKeyPair`.
pub(super) fn generate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    crypto::check_recipient(call)?;
    let (mut answer, private) = pair(call, "GenerateDataKeyPair")?;
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("PrivateKeyPlaintext".to_owned(), blob(&private));
    }
    Ok(answer)
}

/// `GenerateDataKeyPairWithoutPlaintext`.
pub(super) fn generate_without_plaintext(call: &mut Call<'_>) -> Result<Value, ApiError> {
    pair(call, "GenerateDataKeyPairWithoutPlaintext").map(|(answer, _)| answer)
}
