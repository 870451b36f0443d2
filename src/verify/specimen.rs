//! What calls take that cannot be made up: what the key made of a message, and somebody to agree with.

use super::local::{self, Peer};
use super::uses::Use;
use crate::desired::KeyKind;
use crate::ports::{Cipher, EncryptionContext, Trial};

/// What is encrypted, signed and authenticated.
pub(super) const TEXT: &[u8] = b"keywright self-test";
/// Something else.
pub(super) const OTHER_TEXT: &[u8] = b"keywright self-text";

/// Stands for a signature or a code where nobody could make one.
const BLANK: &[u8] = &[0; 64];

/// What was made with the first algorithm of the key: of [`TEXT`], where it is of a text.
#[derive(Debug, Default)]
pub(super) struct Specimens {
    pub(super) signature: Option<Vec<u8>>,
    pub(super) mac: Option<Vec<u8>>,
    /// What is to be decapsulated: at first a stranger's, which gives a secret all the same.
    pub(super) capsule: Option<Vec<u8>>,
    pub(super) peer: Option<Vec<u8>>,
}

impl Specimens {
    /// Returns those that need no key.
    pub(super) fn new(kind: KeyKind) -> Self {
        let peer = Peer::new(kind.spec()).ok().map(|peer| peer.public().to_vec());
        let capsule = local::encapsulate_for_stranger(kind.spec()).map(|made| made.ciphertext);
        Self { capsule, peer, ..Self::default() }
    }

    /// Returns the question whether a use would succeed; `None` where what it takes cannot be had.
    pub(super) fn trial<'a>(&'a self, what: Use, kind: KeyKind, context: &'a EncryptionContext) -> Option<Trial<'a>> {
        let signing = kind.spec().signing_algorithms().first().copied();
        let authenticating = kind.spec().mac_algorithms().first().copied();
        Some(match what {
            Use::Encrypt => Trial::Encrypt(cipher(kind, context)),
            Use::Decrypt => Trial::Decrypt(cipher(kind, context)),
            Use::ReEncrypt => Trial::ReEncrypt(cipher(kind, context)),
            Use::GenerateDataKey => Trial::GenerateDataKey(context),
            Use::GenerateDataKeyWithoutPlaintext => Trial::GenerateDataKeyWithoutPlaintext(context),
            Use::GenerateDataKeyPair => Trial::GenerateDataKeyPair(context),
            Use::GenerateDataKeyPairWithoutPlaintext => Trial::GenerateDataKeyPairWithoutPlaintext(context),
            Use::Sign => Trial::Sign(signing?, TEXT),
            Use::Verify => Trial::Verify(signing?, TEXT, self.signature.as_deref().unwrap_or(BLANK)),
            Use::GenerateMac => Trial::GenerateMac(authenticating?, TEXT),
            Use::VerifyMac => Trial::VerifyMac(authenticating?, TEXT, self.mac.as_deref().unwrap_or(BLANK)),
            Use::DeriveSharedSecret => Trial::DeriveSharedSecret(self.peer.as_deref()?),
            Use::Encapsulate => Trial::Encapsulate,
            Use::Decapsulate => Trial::Decapsulate(self.capsule.as_deref()?),
        })
    }
}

/// Returns how a key encrypts: under the context, or, with a public half, by the last of its algorithms.
pub(super) fn cipher(kind: KeyKind, context: &EncryptionContext) -> Cipher<'_> {
    let public = kind.spec().encryption_algorithms().last().filter(|_| kind.spec().is_asymmetric());
    public.map_or(Cipher::Symmetric(context), |algorithm| Cipher::Public(*algorithm))
}

/// Returns a copy with one bit flipped, three quarters in: beyond what only frames the rest.
pub(super) fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    if let Some(byte) = flipped.get_mut(bytes.len() / 4 * 3) {
        *byte ^= 1;
    }
    flipped
}
