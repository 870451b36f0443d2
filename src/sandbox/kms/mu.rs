//! ML-DSA over an external mu, which the other library lacks.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/mldsa-specs.html>

use crate::kms::KeySpec;
use ml_dsa::{ExpandedSigningKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Seed, Signature};

/// Signs; `None` if it is no key of ML-DSA.
pub(super) fn sign(spec: KeySpec, seed: &[u8], mu: &[u8; 64]) -> Option<Vec<u8>> {
    let seed = Seed::try_from(seed).ok()?;
    if spec == KeySpec::MlDsa44 {
        Some(sign_by::<MlDsa44>(&seed, mu))
    } else if spec == KeySpec::MlDsa65 {
        Some(sign_by::<MlDsa65>(&seed, mu))
    } else if spec == KeySpec::MlDsa87 {
        Some(sign_by::<MlDsa87>(&seed, mu))
    } else {
        None
    }
}

fn sign_by<P: MlDsaParams>(seed: &Seed, mu: &[u8; 64]) -> Vec<u8> {
    ExpandedSigningKey::<P>::from_seed(seed).sign_mu_deterministic(&(*mu).into()).encode().to_vec()
}

/// Returns whether a signature is valid; `None` if it is no key or no signature of ML-DSA.
pub(super) fn verify(spec: KeySpec, seed: &[u8], mu: &[u8; 64], signature: &[u8]) -> Option<bool> {
    let seed = Seed::try_from(seed).ok()?;
    if spec == KeySpec::MlDsa44 {
        verify_by::<MlDsa44>(&seed, mu, signature)
    } else if spec == KeySpec::MlDsa65 {
        verify_by::<MlDsa65>(&seed, mu, signature)
    } else if spec == KeySpec::MlDsa87 {
        verify_by::<MlDsa87>(&seed, mu, signature)
    } else {
        None
    }
}

fn verify_by<P: MlDsaParams>(seed: &Seed, mu: &[u8; 64], signature: &[u8]) -> Option<bool> {
    let signature = Signature::<P>::try_from(signature).ok()?;
    Some(ExpandedSigningKey::<P>::from_seed(seed).verifying_key().verify_mu(&(*mu).into(), &signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::kms::public_key::ml_dsa;
    use aws_lc_rs::signature::{KeyPair as _, PqdsaKeyPair, UnparsedPublicKey};
    use aws_lc_rs::signature::{ML_DSA_44, ML_DSA_65, ML_DSA_87, PqdsaVerificationAlgorithm};

    /// Returns mu as FIPS 204 defines it, for an empty context.
    fn mu_of<P: MlDsaParams>(seed: &Seed, message: &[u8]) -> [u8; 64] {
        use ml_dsa::signature::digest::Update as _;
        let key = ExpandedSigningKey::<P>::from_seed(seed).verifying_key();
        let mu = key
            .compute_mu(
                |hash| {
                    hash.update(message);
                    Ok(())
                },
                &[],
            )
            .unwrap();
        mu.as_slice().try_into().unwrap()
    }

    fn check<P: MlDsaParams>(spec: KeySpec, by: &'static PqdsaVerificationAlgorithm) {
        let seed = [7; 32];
        let other = PqdsaKeyPair::from_seed(ml_dsa(spec).unwrap(), &seed).unwrap();
        let mu = mu_of::<P>(&seed.into(), b"message");
        let signature = sign(spec, &seed, &mu).unwrap();
        let public = UnparsedPublicKey::new(by, other.public_key().as_ref());
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"massage", &signature).is_err());
        let mut signed = vec![0; signature.len()];
        other.sign(b"message", &mut signed).unwrap();
        assert_eq!(verify(spec, &seed, &mu, &signed), Some(true));
        assert_eq!(verify(spec, &seed, &[0; 64], &signed), Some(false));
    }

    #[test]
    fn a_signature_over_mu_is_that_over_the_message_for_another_library() {
        check::<MlDsa44>(KeySpec::MlDsa44, &ML_DSA_44);
        check::<MlDsa65>(KeySpec::MlDsa65, &ML_DSA_65);
        check::<MlDsa87>(KeySpec::MlDsa87, &ML_DSA_87);
    }
}
