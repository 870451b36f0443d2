//! What a DER structure is, by its outline: so that an error can say what was given instead of a private key.
//!
//! The cryptographic library alone decides whether a key is read; nothing here does.

use super::flaw::{Found, KeyKind};
use crate::kms::KeySpec;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// The curve in a SEC1 key.
const PARAMETERS: u8 = 0xa0;

/// One element: its tag and its content.
type Element<'a> = (u8, &'a [u8]);

/// The outline of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outline {
    /// A private key in the clear, of a kind if that can be told.
    PrivateKey(Option<KeyKind>),
    /// Something else.
    Other(Found),
    /// A structure, and after it so many bytes.
    Trailing(usize),
}

/// Returns the outline of a structure.
pub(super) fn outline(der: &[u8]) -> Outline {
    const NOTHING: Outline = Outline::Other(Found::SomethingElse);
    let Some(((SEQUENCE, body), rest)) = element(der) else { return NOTHING };
    if !rest.is_empty() {
        return Outline::Trailing(rest.len());
    }
    let elements = elements(body);
    match tags(&elements).as_slice() {
        [INTEGER, SEQUENCE, OCTET_STRING, ..] => Outline::PrivateKey(pkcs8(&elements)),
        [INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, ..] => {
            Outline::PrivateKey(modulus(&elements))
        }
        [INTEGER, OCTET_STRING, ..] => Outline::PrivateKey(sec1(&elements)),
        [SEQUENCE, OCTET_STRING] => Outline::Other(Found::EncryptedKey),
        [SEQUENCE, BIT_STRING] | [INTEGER, INTEGER] => Outline::Other(Found::PublicKey),
        [SEQUENCE, SEQUENCE, BIT_STRING] => Outline::Other(Found::Certificate),
        [INTEGER, SEQUENCE, ..] => Outline::Other(Found::Pkcs12),
        _ => NOTHING,
    }
}

/// Returns the first element of a structure, and what follows.
fn element(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some(((tag, body), rest))
}

/// Returns the elements of a structure, up to the first that is none.
fn elements(mut body: &[u8]) -> Vec<Element<'_>> {
    let mut elements = Vec::new();
    while let Some((next, rest)) = element(body) {
        elements.push(next);
        body = rest;
    }
    elements
}

fn tags(elements: &[Element<'_>]) -> Vec<u8> {
    elements.iter().map(|(tag, _)| *tag).collect()
}

/// Returns the kind of a PKCS#8 key: by its algorithm, and by its curve or modulus.
fn pkcs8(outer: &[Element<'_>]) -> Option<KeyKind> {
    let [_, (_, algorithm), (_, key), ..] = outer else { return None };
    let algorithm = elements(algorithm);
    let (OBJECT_IDENTIFIER, name) = algorithm.first()? else { return None };
    Some(match *name {
        // 1.2.840.113549.1.1: RSA
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] => {
            let ((_, key), _) = element(key)?;
            modulus(&elements(key))?
        }
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a] => KeyKind::RsaPss,
        // 1.2.840.10045.2.1: elliptic curves
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => curve(algorithm.get(1)?)?,
        // 1.3.101: Edwards and Montgomery curves
        [0x2b, 0x65, 0x70] => KeyKind::Of(KeySpec::EccNistEdwards25519),
        [0x2b, 0x65, 0x71] => KeyKind::Ed448,
        [0x2b, 0x65, 0x6e | 0x6f] => KeyKind::Montgomery,
        // 1.2.840.10040.4.1, 1.2.840.10046.2.1, 1.2.840.113549.1.3.1: DSA, Diffie-Hellman
        [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01]
        | [0x2a, 0x86, 0x48, 0xce, 0x3e, 0x02, 0x01]
        | [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01] => KeyKind::DiscreteLogarithm,
        // 2.16.840.1.101.3.4: what NIST named
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, family, member] => post_quantum(*family, *member),
        _ => KeyKind::Unknown,
    })
}

/// Returns the kind of a key on a curve; `None` where the curve has no name.
fn curve((tag, name): &Element<'_>) -> Option<KeyKind> {
    let known = match *name {
        _ if *tag != OBJECT_IDENTIFIER => return None,
        // 1.2.840.10045.3.1.7
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => KeySpec::EccNistP256,
        // 1.3.132.0
        [0x2b, 0x81, 0x04, 0x00, 0x22] => KeySpec::EccNistP384,
        [0x2b, 0x81, 0x04, 0x00, 0x23] => KeySpec::EccNistP521,
        [0x2b, 0x81, 0x04, 0x00, 0x0a] => KeySpec::EccSecgP256k1,
        // 1.2.156.10197.1.301
        [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d] => KeySpec::Sm2,
        _ => return Some(KeyKind::OtherCurve),
    };
    Some(KeyKind::Of(known))
}

fn post_quantum(family: u8, member: u8) -> KeyKind {
    match (family, member) {
        (0x03, 17) => KeyKind::Of(KeySpec::MlDsa44),
        (0x03, 18) => KeyKind::Of(KeySpec::MlDsa65),
        (0x03, 19) => KeyKind::Of(KeySpec::MlDsa87),
        (0x04, 1) => KeyKind::Of(KeySpec::MlKem512),
        (0x04, 2) => KeyKind::Of(KeySpec::MlKem768),
        (0x04, 3) => KeyKind::Of(KeySpec::MlKem1024),
        _ => KeyKind::Unknown,
    }
}

/// Returns the kind of an RSA key in PKCS#1: by its modulus, which is no secret.
fn modulus(key: &[Element<'_>]) -> Option<KeyKind> {
    let (INTEGER, modulus) = key.get(1)? else { return None };
    let digits = modulus.iter().position(|byte| *byte != 0).and_then(|at| modulus.get(at..))?;
    let unused = digits.first()?.leading_zeros();
    Some(KeyKind::Rsa(digits.len() * 8 - usize::try_from(unused).ok()?))
}

/// Returns the kind of a key in SEC1, where it names its curve.
fn sec1(key: &[Element<'_>]) -> Option<KeyKind> {
    let (_, parameters) = key.iter().find(|(tag, _)| *tag == PARAMETERS)?;
    curve(&element(parameters)?.0)
}
