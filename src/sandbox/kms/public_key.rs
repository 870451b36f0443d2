//! The public half of a key, and `GetPublicKey`.

use super::find::Naming;
use super::{crypto, der, kem, material, metadata};
use crate::kms::KeySpec;
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::wire_json::blob;
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair,
    PqdsaSigningAlgorithm,
};
use serde_json::{Value, json};

/// Returns how the library calls ML-DSA with keys of a spec.
pub(super) fn ml_dsa(spec: KeySpec) -> Option<&'static PqdsaSigningAlgorithm> {
    const SETS: &[(KeySpec, &PqdsaSigningAlgorithm)] = &[
        (KeySpec::MlDsa44, &ML_DSA_44_SIGNING),
        (KeySpec::MlDsa65, &ML_DSA_65_SIGNING),
        (KeySpec::MlDsa87, &ML_DSA_87_SIGNING),
    ];
    SETS.iter().find(|(known, _)| *known == spec).map(|(_, algorithm)| *algorithm)
}

/// Returns the `SubjectPublicKeyInfo` that belongs to a private key; `None` if the key is damaged, or has no public
/// half.
///
/// <https://www.rfc-editor.org/rfc/rfc5280#section-4.1>
pub(super) fn spki(spec: KeySpec, private: &[u8]) -> Option<Vec<u8>> {
    let der = match spec {
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
            rsa::KeyPair::from_pkcs8(private).ok()?.public_key().as_der()
        }
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 | KeySpec::EccSecgP256k1 => {
            EcdsaKeyPair::from_pkcs8(material::ecdsa(spec)?, private).ok()?.public_key().as_der()
        }
        KeySpec::EccNistEdwards25519 => Ed25519KeyPair::from_pkcs8(private).ok()?.public_key().as_der(),
        KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => {
            PqdsaKeyPair::from_seed(ml_dsa(spec)?, private).ok()?.public_key().as_der()
        }
        KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => {
            return der::public_key(spec, &kem::encapsulation_key(spec, private)?);
        }
        KeySpec::SymmetricDefault
        | KeySpec::Hmac224
        | KeySpec::Hmac256
        | KeySpec::Hmac384
        | KeySpec::Hmac512
        | KeySpec::Sm2 => return None,
    };
    der.ok().map(|der: PublicKeyX509Der<'_>| der.as_ref().to_vec())
}

/// `GetPublicKey`.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    crypto::check_tokens(call)?;
    let found = call.named(Naming::Alias)?;
    call.admit(&call.key_request("kms:GetPublicKey", &found), &found)?;
    let key = call.key(&found)?;
    let public = key.current_material().and_then(|material| spki(key.spec, &material.bytes()?));
    let mut answer = json!({
        "KeyId": key.arn,
        "PublicKey": blob(&public.ok_or_else(crypto::damaged)?),
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
    });
    metadata::add_algorithms(&mut answer, key.spec, key.usage);
    Ok(answer)
}
