//! How imported key material is encrypted on its way to KMS: which algorithm and wrapping key fit which key spec.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-get-public-key-and-token.html>

use super::KeySpec;
use super::shape::names;

names! {
    /// How key material is encrypted under a wrapping key. What KMS no longer takes, or only in China, is not among them.
    WrappingAlgorithm, "wrapping algorithm", {
        /// RSA-OAEP of the material, with SHA-256.
        OaepSha256 = "RSAES_OAEP_SHA_256",
        /// RSA-OAEP of the material, with SHA-1.
        OaepSha1 = "RSAES_OAEP_SHA_1",
        /// RSA-OAEP with SHA-256 of a new AES-256 key, which wraps the material by AES key wrap with padding (RFC 5649).
        AesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
        /// The same with SHA-1.
        AesKeyWrapSha1 = "RSA_AES_KEY_WRAP_SHA_1",
    }
}

names! {
    /// The key pair under whose public half material is encrypted; the private half never leaves KMS.
    WrappingKeySpec, "wrapping key spec", {
        /// RSA with 2,048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA with 3,072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA with 4,096 bits.
        Rsa4096 = "RSA_4096",
    }
}

names! {
    /// Whether imported material was associated with its key before.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html#KMS-ImportKeyMaterial-request-ImportType>
    ImportKind, "import type", {
        /// It was not: it is the first one, or waits for a rotation.
        New = "NEW_KEY_MATERIAL",
        /// It was, in this Region or with the primary of a multi-Region key.
        Existing = "EXISTING_KEY_MATERIAL",
    }
}

impl WrappingAlgorithm {
    /// Returns whether a new AES key stands between the wrapping key and the material.
    pub fn uses_aes(self) -> bool {
        matches!(self, Self::AesKeyWrapSha256 | Self::AesKeyWrapSha1)
    }

    /// Returns whether material of a spec travels so under a wrapping key.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html>
    pub fn fits(self, spec: KeySpec, key: WrappingKeySpec) -> bool {
        match spec {
            KeySpec::SymmetricDefault | KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => {
                !self.uses_aes()
            }
            KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => self.uses_aes(),
            KeySpec::EccNistP521 => self.uses_aes() || key != WrappingKeySpec::Rsa2048,
            KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistEdwards25519 | KeySpec::EccSecgP256k1 => true,
            KeySpec::MlDsa44
            | KeySpec::MlDsa65
            | KeySpec::MlDsa87
            | KeySpec::MlKem512
            | KeySpec::MlKem768
            | KeySpec::MlKem1024
            | KeySpec::Sm2 => false,
        }
    }

    /// Returns the algorithm for a spec where nobody chooses one: RSA-OAEP with SHA-256 for secrets, and AES key wrap
    /// under it for private keys; `None` where keywright imports no material of the spec.
    pub fn default_for(spec: KeySpec) -> Option<Self> {
        let wanted = if spec.is_asymmetric() { Self::AesKeyWrapSha256 } else { Self::OaepSha256 };
        wanted.fits(spec, WrappingKeySpec::Rsa4096).then_some(wanted)
    }
}

impl KeySpec {
    /// Returns how many bytes imported material of the spec has where it is a secret; `None` for private keys, and for
    /// specs of which KMS imports nothing.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html#importing-keys-material-requirements>
    pub fn secret_length(self) -> Option<usize> {
        match self {
            Self::SymmetricDefault | Self::Hmac256 => Some(32),
            Self::Hmac224 => Some(28),
            Self::Hmac384 => Some(48),
            Self::Hmac512 => Some(64),
            Self::Rsa2048
            | Self::Rsa3072
            | Self::Rsa4096
            | Self::EccNistP256
            | Self::EccNistP384
            | Self::EccNistP521
            | Self::EccNistEdwards25519
            | Self::EccSecgP256k1
            | Self::MlDsa44
            | Self::MlDsa65
            | Self::MlDsa87
            | Self::MlKem512
            | Self::MlKem768
            | Self::MlKem1024
            | Self::Sm2 => None,
        }
    }

    /// Returns how many bits the modulus of an RSA key of the spec has.
    pub fn rsa_bits(self) -> Option<usize> {
        match self {
            Self::Rsa2048 => Some(2048),
            Self::Rsa3072 => Some(3072),
            Self::Rsa4096 => Some(4096),
            Self::SymmetricDefault
            | Self::EccNistP256
            | Self::EccNistP384
            | Self::EccNistP521
            | Self::EccNistEdwards25519
            | Self::EccSecgP256k1
            | Self::Hmac224
            | Self::Hmac256
            | Self::Hmac384
            | Self::Hmac512
            | Self::MlDsa44
            | Self::MlDsa65
            | Self::MlDsa87
            | Self::MlKem512
            | Self::MlKem768
            | Self::MlKem1024
            | Self::Sm2 => None,
        }
    }
}

impl WrappingKeySpec {
    /// Returns the bytes of the modulus.
    pub fn bytes(self) -> usize {
        match self {
            Self::Rsa2048 => 256,
            Self::Rsa3072 => 384,
            Self::Rsa4096 => 512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wraps_what_is_as_aws_says() {
        let ways = |spec: KeySpec| {
            let all = WrappingAlgorithm::ALL.iter().flat_map(|w| WrappingKeySpec::ALL.iter().map(move |k| (*w, *k)));
            all.filter(|(wrapping, key)| wrapping.fits(spec, *key)).count()
        };
        assert_eq!((ways(KeySpec::SymmetricDefault), ways(KeySpec::Hmac512)), (6, 6));
        assert_eq!((ways(KeySpec::Rsa4096), ways(KeySpec::EccNistP256), ways(KeySpec::EccNistP521)), (6, 12, 10));
        assert_eq!((ways(KeySpec::Sm2), ways(KeySpec::MlDsa65)), (0, 0));
    }

    #[test]
    fn the_default_fits_every_wrapping_key() {
        for spec in KeySpec::ALL {
            let fits =
                |algorithm: WrappingAlgorithm| WrappingKeySpec::ALL.iter().all(|key| algorithm.fits(*spec, *key));
            assert!(WrappingAlgorithm::default_for(*spec).is_none_or(fits), "{spec}");
        }
        assert_eq!(WrappingAlgorithm::default_for(KeySpec::Hmac384), Some(WrappingAlgorithm::OaepSha256));
        assert_eq!(WrappingAlgorithm::default_for(KeySpec::Rsa2048), Some(WrappingAlgorithm::AesKeyWrapSha256));
        assert_eq!(WrappingAlgorithm::default_for(KeySpec::Sm2), None);
    }

    #[test]
    fn names_are_read_back() {
        for algorithm in WrappingAlgorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(*algorithm));
        }
        for spec in WrappingKeySpec::ALL {
            assert_eq!(spec.name().parse(), Ok(*spec));
        }
        assert!("RSAES_PKCS1_V1_5".parse::<WrappingAlgorithm>().is_err());
    }
}
