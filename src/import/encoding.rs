//! Secrets as they are written: raw, in hexadecimal, in Base64.

use super::{MaterialFlaw, Reading, Weakness};
use crate::desired::MaterialEncoding;
use crate::kms::KeySpec;
use crate::secret::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Bytes on their way, zeroized when dropped. They never grow, so that no copy is left behind.
pub(super) type Buffer = Zeroizing<Vec<u8>>;

/// Reads a secret of a length.
pub(super) fn secret(
    spec: KeySpec,
    expected: usize,
    encoding: MaterialEncoding,
    given: &[u8],
) -> Result<SecretBytes, MaterialFlaw> {
    if matches!(encoding, MaterialEncoding::Pem | MaterialEncoding::Der) {
        return Err(MaterialFlaw::Encoding { spec, encoding });
    }
    // Digits that mean 24 bytes are 36 as Base64: the length alone would not always tell.
    if encoding == MaterialEncoding::Base64 && compact(given).iter().all(u8::is_ascii_hexdigit) {
        return Err(MaterialFlaw::HexAsBase64);
    }
    let reading = || reading(encoding, expected, given);
    let decoded = decode(encoding, given).ok_or_else(|| MaterialFlaw::Undecodable { encoding, reading: reading() })?;
    if decoded.len() != expected {
        return Err(MaterialFlaw::Length { spec, expected, length: decoded.len(), reading: reading() });
    }
    match Weakness::of(&decoded) {
        Some(weakness) => Err(MaterialFlaw::Weak(weakness)),
        None => Ok(into_secret(decoded)),
    }
}

/// Hands a buffer on without a copy.
pub(super) fn into_secret(mut buffer: Buffer) -> SecretBytes {
    SecretBytes::new(std::mem::take(&mut *buffer))
}

/// Returns the bytes that a text means; `None` if it is not in the encoding. PEM is none of bytes.
pub(super) fn decode(encoding: MaterialEncoding, given: &[u8]) -> Option<Buffer> {
    match encoding {
        MaterialEncoding::Raw | MaterialEncoding::Der => Some(Zeroizing::new(given.to_vec())),
        MaterialEncoding::Hex => {
            let digits = compact(given);
            let mut bytes = Zeroizing::new(vec![0; digits.len() / 2]);
            hex::decode_to_slice(&*digits, &mut bytes).ok()?;
            Some(bytes)
        }
        MaterialEncoding::Base64 => {
            let digits = compact(given);
            let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(digits.len())]);
            let length = STANDARD.decode_slice(&*digits, &mut bytes).ok()?;
            bytes.truncate(length);
            Some(bytes)
        }
        MaterialEncoding::Pem => None,
    }
}

/// Returns a text without white space: tools end and wrap their lines.
fn compact(given: &[u8]) -> Buffer {
    let mut compact = Zeroizing::new(Vec::with_capacity(given.len()));
    compact.extend(given.iter().filter(|byte| !byte.is_ascii_whitespace()));
    compact
}

/// Returns how a text would have the right length, if it has another one as it was to be read.
fn reading(encoding: MaterialEncoding, expected: usize, given: &[u8]) -> Option<Reading> {
    let line = given.strip_suffix(b"\r\n").or_else(|| given.strip_suffix(b"\n"));
    if encoding == MaterialEncoding::Raw && line.is_some_and(|line| line.len() == expected) {
        return Some(Reading::WithoutLineEnd);
    }
    let others = [MaterialEncoding::Hex, MaterialEncoding::Base64, MaterialEncoding::Raw];
    let fits = |other: MaterialEncoding| decode(other, given).is_some_and(|bytes| bytes.len() == expected);
    others.into_iter().filter(|other| *other != encoding).find(|other| fits(*other)).map(Reading::As)
}
