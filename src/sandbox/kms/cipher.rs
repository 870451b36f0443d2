//! Ciphertexts: AES-256-GCM under a key's material, bound to key, material and encryption context.

use crate::ids::KeyArn;
use crate::sandbox::random;
use crate::sandbox::state::Material;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::collections::BTreeMap;

/// What every ciphertext of this sandbox begins with.
const MAGIC: &[u8] = b"\x01KWS";
/// How many bytes name the material.
const MATERIAL: usize = 32;

/// An encryption context; its order does not matter.
pub(super) type Context = BTreeMap<String, String>;

/// A ciphertext, taken apart.
pub(super) struct Sealed<'a> {
    /// The key that made it.
    pub(super) key: KeyArn,
    /// The material that made it.
    pub(super) material: String,
    header: &'a [u8],
    nonce: [u8; NONCE_LEN],
    body: &'a [u8],
}

/// Returns a header that names key and material.
fn header(key: &KeyArn, material: &Material) -> Option<Vec<u8>> {
    let arn = key.as_str().as_bytes();
    let length = u16::try_from(arn.len()).ok()?;
    let id = hex::decode(&material.id).ok().filter(|id| id.len() == MATERIAL)?;
    Some([MAGIC, &length.to_be_bytes(), arn, &id].concat())
}

/// Returns the bytes that are authenticated: the header and the context, every part after its length.
fn authenticated(header: &[u8], context: &Context) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for part in context.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend(part.len().to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

fn cipher(material: &Material) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, &material.bytes()?).ok().map(LessSafeKey::new)
}

/// Encrypts; `None` if the stored material is damaged.
pub(super) fn seal(key: &KeyArn, material: &Material, context: &Context, plaintext: &[u8]) -> Option<Vec<u8>> {
    let mut blob = header(key, material)?;
    let aad = authenticated(&blob, context);
    let nonce: [u8; NONCE_LEN] = random::bytes(NONCE_LEN).try_into().ok()?;
    let mut body = plaintext.to_vec();
    cipher(material)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body).ok()?;
    blob.extend(nonce);
    blob.extend(body);
    Some(blob)
}

/// Takes a ciphertext apart; `None` if it is none of this sandbox.
pub(super) fn parse(blob: &[u8]) -> Option<Sealed<'_>> {
    let rest = blob.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (arn, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (material, rest) = rest.split_at_checked(MATERIAL)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>()?;
    let key = std::str::from_utf8(arn).ok()?.parse().ok()?;
    let header = blob.get(..blob.len() - rest.len())?;
    Some(Sealed { key, material: hex::encode(material), header, nonce: *nonce, body })
}

/// Decrypts; `None` if anything differs from what was encrypted.
pub(super) fn open(sealed: &Sealed<'_>, material: &Material, context: &Context) -> Option<Vec<u8>> {
    let aad = authenticated(sealed.header, context);
    let mut body = sealed.body.to_vec();
    let nonce = Nonce::assume_unique_for_key(sealed.nonce);
    let length = cipher(material)?.open_in_place(nonce, Aad::from(aad), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::kms::material;
    use crate::sandbox::state::MaterialOrigin;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn context() -> Context {
        Context::from([("a".to_owned(), "b".to_owned()), ("c".to_owned(), String::new())])
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_noticed(plaintext in proptest::collection::vec(any::<u8>(), 0..64), bit in 0_usize..2000) {
            let key: KeyArn = "arn:aws:kms:eu-west-1:111122223333:key/k".parse().unwrap();
            let material = material::symmetric(Timestamp::UNIX_EPOCH, MaterialOrigin::Creation);
            let mut blob = seal(&key, &material, &context(), &plaintext).unwrap();
            let sealed = parse(&blob).unwrap();
            prop_assert_eq!(&sealed.material, &material.id);
            prop_assert_eq!(open(&sealed, &material, &context()).unwrap(), plaintext);
            prop_assert!(open(&sealed, &material, &Context::new()).is_none());
            let bit = bit % (blob.len() * 8);
            blob[bit / 8] ^= 1 << (bit % 8);
            let opened = parse(&blob).and_then(|sealed| open(&sealed, &material, &context()));
            prop_assert!(opened.is_none());
        }
    }

    #[test]
    fn contexts_that_only_look_alike_when_joined_differ() {
        let one = Context::from([("ab".to_owned(), "c".to_owned())]);
        let other = Context::from([("a".to_owned(), "bc".to_owned())]);
        assert_ne!(authenticated(b"", &one), authenticated(b"", &other));
    }
}
