//! Key material that is imported: read, checked against the key's spec, and encrypted for KMS.
//!
//! Nobody else handles its bytes: what else is done with material, as for a proof that KMS has the same, is done here.
//! Every buffer on the way is zeroized; no error contains a byte of it.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html>

mod der;
mod encoding;
mod flaw;
mod pem;
mod private_key;
mod proof;
mod weakness;
mod wrap;

pub use flaw::{Found, KeyKind, MaterialFlaw, Reading};
pub(crate) use proof::hmac_of;
pub use weakness::Weakness;
pub use wrap::{WrapError, wrapping_key_spec};

use crate::desired::MaterialEncoding;
use crate::kms::{KeySpec, WrappingAlgorithm};
use crate::secret::SecretBytes;

/// Key material in the form that KMS takes: a secret, or a private key as PKCS#8 in DER.
#[derive(Debug)]
pub struct Material {
    spec: KeySpec,
    bytes: SecretBytes,
}

impl Material {
    /// Reads the material of a key of a spec, as it is written in an encoding.
    pub fn read(spec: KeySpec, encoding: MaterialEncoding, given: &SecretBytes) -> Result<Self, MaterialFlaw> {
        if WrappingAlgorithm::default_for(spec).is_none() {
            return Err(MaterialFlaw::NotImportable(spec));
        }
        if given.is_empty() {
            return Err(MaterialFlaw::Empty);
        }
        let given = given.expose_secret();
        let bytes = match spec.secret_length() {
            Some(length) => encoding::secret(spec, length, encoding, given)?,
            None => private_key::read(spec, encoding, given)?,
        };
        Ok(Self { spec, bytes })
    }

    /// Returns the spec of the key that it is for.
    pub fn spec(&self) -> KeySpec {
        self.spec
    }

    /// Returns what KMS gets, once it is encrypted.
    pub fn bytes(&self) -> &SecretBytes {
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
