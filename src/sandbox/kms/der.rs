//! The little DER that no library here writes: keys of ML-KEM.
//!
//! <https://www.rfc-editor.org/rfc/rfc9935>

use crate::kms::KeySpec;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// The choice of a private key that is a seed.
const SEED: u8 = 0x80;

/// Returns an element: its tag, the length of its content, its content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut bytes = vec![tag];
    match (significant.as_slice(), u8::try_from(significant.len())) {
        ([short], _) if *short < 0x80 => bytes.push(*short),
        (&[], _) => bytes.push(0),
        (long, count) => {
            bytes.push(0x80 | count.unwrap_or_default());
            bytes.extend(long);
        }
    }
    bytes.extend(content);
    bytes
}

/// Returns the algorithm identifier of an ML-KEM spec.
fn algorithm(spec: KeySpec) -> Option<Vec<u8>> {
    let sets = [(KeySpec::MlKem512, 1), (KeySpec::MlKem768, 2), (KeySpec::MlKem1024, 3)];
    let parameters = sets.into_iter().find(|(known, _)| *known == spec).map(|(_, set)| set)?;
    // 2.16.840.1.101.3.4.4.x
    let identifier = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04, parameters];
    Some(element(SEQUENCE, &element(OBJECT_IDENTIFIER, &identifier)))
}

/// Returns the `SubjectPublicKeyInfo` of an ML-KEM encapsulation key; `None` for other specs.
pub(super) fn public_key(spec: KeySpec, encapsulation_key: &[u8]) -> Option<Vec<u8>> {
    let bits = [&[0], encapsulation_key].concat();
    Some(element(SEQUENCE, &[algorithm(spec)?, element(BIT_STRING, &bits)].concat()))
}

/// Returns the PKCS#8 of an ML-KEM seed; `None` for other specs.
pub(super) fn private_key(spec: KeySpec, seed: &[u8]) -> Option<Vec<u8>> {
    let version = element(INTEGER, &[0]);
    let key = element(OCTET_STRING, &element(SEED, seed));
    Some(element(SEQUENCE, &[version, algorithm(spec)?, key].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_their_shortest_form() {
        assert_eq!(element(OCTET_STRING, &[]), [4, 0]);
        assert_eq!(element(OCTET_STRING, &[7; 127]).get(..3), Some([4, 127, 7].as_slice()));
        assert_eq!(element(OCTET_STRING, &[7; 128]).get(..4), Some([4, 0x81, 128, 7].as_slice()));
        assert_eq!(element(OCTET_STRING, &[7; 256]).get(..5), Some([4, 0x82, 1, 0, 7].as_slice()));
    }

    /// The first bytes are those that OpenSSL 3.5 writes.
    #[test]
    fn keys_of_ml_kem_begin_as_openssl_writes_them() {
        let public = public_key(KeySpec::MlKem768, &[0; 1184]).unwrap();
        assert_eq!(hex::encode(&public[..22]), "308204b2300b0609608648016503040402038204a100");
        assert_eq!(public.len(), 1206);
        let private = private_key(KeySpec::MlKem768, &[0; 64]).unwrap();
        assert_eq!(hex::encode(&private[..22]), "3054020100300b060960864801650304040204428040");
        assert_eq!(private.len(), 86);
        assert_eq!(private_key(KeySpec::Rsa2048, &[0; 64]), None);
    }
}
