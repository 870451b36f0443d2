//! `DeriveSharedSecret`.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_DeriveSharedSecret.html>

use super::crypto::{damaged, is_dry_run};
use super::private;
use crate::kms::{KeyAgreementAlgorithm, KeySpec};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::wire_json::blob;
use aws_lc_rs::agreement::{
    self, ECDH_P256, ECDH_P384, ECDH_P521, ParsedPublicKey, ParsedPublicKeyFormat, PrivateKey, UnparsedPublicKey,
};
use serde_json::{Value, json};

/// The most bytes of a public key in a request.
const PUBLIC_KEY_BYTES: usize = 8_192;

fn ecdh(spec: KeySpec) -> Option<&'static agreement::Algorithm> {
    const CURVES: &[(KeySpec, &agreement::Algorithm)] =
        &[(KeySpec::EccNistP256, &ECDH_P256), (KeySpec::EccNistP384, &ECDH_P384), (KeySpec::EccNistP521, &ECDH_P521)];
    CURVES.iter().find(|(known, _)| *known == spec).map(|(_, algorithm)| *algorithm)
}

/// Returns the peer's key, which must be the `SubjectPublicKeyInfo` of a point on the curve.
fn peer(algorithm: &'static agreement::Algorithm, der: &[u8]) -> Option<ParsedPublicKey> {
    let parsed = ParsedPublicKey::try_from(UnparsedPublicKey::new(algorithm, der)).ok()?;
    (parsed.format() == ParsedPublicKeyFormat::X509).then_some(parsed)
}

/// `DeriveSharedSecret`: the raw secret, the x coordinate of the common point.
pub(super) fn derive(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let algorithm = params.required_name("KeyAgreementAlgorithm", KeyAgreementAlgorithm::ALL)?;
    let public = params.required_blob("PublicKey", PUBLIC_KEY_BYTES)?;
    let conditions = [("kms:KeyAgreementAlgorithm", algorithm.name())];
    let admitted = private::admit(call, "DeriveSharedSecret", &conditions)?;
    let curve = ecdh(admitted.spec).ok_or_else(damaged)?;
    let own = PrivateKey::from_private_key_der(curve, &admitted.private).map_err(|_| damaged())?;
    let unfit =
        || params.invalid(format!("PublicKey is no DER-encoded X.509 public key of key spec {}", admitted.spec));
    let peer = peer(curve, &public).ok_or_else(unfit)?;
    is_dry_run(call)?;
    let secret = agreement::agree(&own, peer, unfit(), |secret| Ok(secret.to_vec()))?;
    call.used(&admitted.found, "DeriveSharedSecret")?;
    Ok(json!({
        "KeyId": admitted.found.arn,
        "SharedSecret": blob(&secret),
        "KeyAgreementAlgorithm": algorithm,
        "KeyOrigin": call.key(&admitted.found)?.origin,
    }))
}
