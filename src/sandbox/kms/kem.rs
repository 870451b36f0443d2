//! `Encapsulate`, `Decapsulate`: ML-KEM.
//!
//! One library encapsulates, another one decapsulates: the first cannot make keys from seeds, and a seed is what
//! PKCS#8 holds.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encapsulate.html>

use super::crypto::{damaged, invalid_ciphertext, is_dry_run};
use super::private::{self, Admitted};
use crate::kms::{CIPHERTEXT_BYTES, EncapsulationAlgorithm, KeySpec};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::wire_json::blob;
use aws_lc_rs::kem::{self, EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024};
use ml_kem::{Decapsulate as _, DecapsulationKey512, DecapsulationKey768, DecapsulationKey1024, KeyExport as _, Seed};
use serde_json::{Value, json};

/// Runs something on the decapsulation key of a spec's own type; `None` if there is none, or the seed is damaged.
macro_rules! with_key {
    ($spec:expr, $private:expr, |$key:ident| $work:expr) => {{
        let seed = Seed::try_from($private).ok()?;
        if $spec == KeySpec::MlKem512 {
            let $key = DecapsulationKey512::from_seed(seed);
            Some($work)
        } else if $spec == KeySpec::MlKem768 {
            let $key = DecapsulationKey768::from_seed(seed);
            Some($work)
        } else if $spec == KeySpec::MlKem1024 {
            let $key = DecapsulationKey1024::from_seed(seed);
            Some($work)
        } else {
            None
        }
    }};
}

/// Returns the encapsulation key that belongs to a seed; `None` for other specs and damaged seeds.
pub(super) fn encapsulation_key(spec: KeySpec, private: &[u8]) -> Option<Vec<u8>> {
    with_key!(spec, private, |key| key.encapsulation_key().to_bytes().to_vec())
}

/// Returns a new shared secret, and the ciphertext that holds it.
fn encapsulate_under(spec: KeySpec, private: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const SETS: &[(KeySpec, &kem::Algorithm)] =
        &[(KeySpec::MlKem512, &ML_KEM_512), (KeySpec::MlKem768, &ML_KEM_768), (KeySpec::MlKem1024, &ML_KEM_1024)];
    let (_, algorithm) = SETS.iter().find(|(known, _)| *known == spec)?;
    let key = EncapsulationKey::new(algorithm, &encapsulation_key(spec, private)?).ok()?;
    let (ciphertext, secret) = key.encapsulate().ok()?;
    Some((secret.as_ref().to_vec(), ciphertext.as_ref().to_vec()))
}

/// Returns the shared secret in a ciphertext; `None` if its length is wrong. Of a ciphertext that was changed, or made
/// under another key, ML-KEM makes a secret that nobody knows.
fn decapsulate_under(spec: KeySpec, private: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    with_key!(spec, private, |key| key.decapsulate_slice(ciphertext).ok()?.to_vec())
}

fn admit(call: &mut Call<'_>, operation: &str) -> Result<(Admitted, EncapsulationAlgorithm), ApiError> {
    let algorithm = call.params.required_name("EncapsulationAlgorithm", EncapsulationAlgorithm::ALL)?;
    Ok((private::admit(call, operation, &[])?, algorithm))
}

/// `Encapsulate`.
pub(super) fn encapsulate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (admitted, algorithm) = admit(call, "Encapsulate")?;
    is_dry_run(call)?;
    let (secret, ciphertext) = encapsulate_under(admitted.spec, &admitted.private).ok_or_else(damaged)?;
    call.used(&admitted.found, "Encapsulate")?;
    Ok(json!({
        "KeyId": admitted.found.arn,
        "SharedSecret": blob(&secret),
        "SharedSecretCiphertextBlob": blob(&ciphertext),
        "EncapsulationAlgorithm": algorithm,
    }))
}

/// `Decapsulate`.
pub(super) fn decapsulate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let ciphertext = call.params.required_blob("SharedSecretCiphertextBlob", CIPHERTEXT_BYTES)?;
    let (admitted, algorithm) = admit(call, "Decapsulate")?;
    let secret = decapsulate_under(admitted.spec, &admitted.private, &ciphertext).ok_or_else(invalid_ciphertext)?;
    is_dry_run(call)?;
    call.used(&admitted.found, "Decapsulate")?;
    Ok(json!({
        "KeyId": admitted.found.arn,
        "SharedSecret": blob(&secret),
        "EncapsulationAlgorithm": algorithm,
    }))
}
