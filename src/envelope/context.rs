//! The encryption context as a message stores it.

use super::EnvelopeError;
use super::reader::Reader;
use std::collections::BTreeMap;

/// The most bytes that a serialised encryption context may take: its length is a 16-bit field.
pub const MAX_CONTEXT_LENGTH: usize = u16::MAX as usize;

/// Keys that begin so are set by the AWS Encryption SDK, never by its users.
const RESERVED_PREFIX: &str = "aws-crypto-";

/// Belongs to signed suites only: a message of ours that carries it lies about being signed.
const SIGNATURE_KEY: &str = "aws-crypto-public-key";

/// A non-secret set of names and values that KMS and the message's header both authenticate.
///
/// The serialised form is canonical: sorted by the UTF-8 bytes of the key, no key twice.
/// See <https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/message-format.html#header-aad>.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// Returns the context of these pairs, if it fits into a header and uses no reserved key.
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, EnvelopeError> {
        if pairs.keys().any(|key| key.starts_with(RESERVED_PREFIX)) {
            return Err(EnvelopeError::ReservedContextKey);
        }
        let context = Self(pairs);
        let length = context.serialised_len();
        if length > MAX_CONTEXT_LENGTH {
            return Err(EnvelopeError::ContextTooLong { length });
        }
        Ok(context)
    }

    /// Returns the pairs, as KMS takes them.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Returns whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn serialised_len(&self) -> usize {
        if self.0.is_empty() {
            return 0;
        }
        2 + self.0.iter().map(|(key, value)| 4 + key.len() + value.len()).sum::<usize>()
    }

    /// Returns the canonical bytes: nothing for an empty context, else the count and the sorted pairs.
    pub fn serialise(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.serialised_len());
        if self.0.is_empty() {
            return out;
        }
        out.extend(length16(self.0.len()));
        for text in self.0.iter().flat_map(|(key, value)| [key, value]) {
            out.extend(length16(text.len()));
            out.extend(text.as_bytes());
        }
        out
    }

    /// Reads the bytes of a context that begins at offset `at` of a message.
    ///
    /// Pairs in another order are accepted, as other readers do: the header's tag covers the bytes as they are.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Self, EnvelopeError> {
        let mut pairs = BTreeMap::new();
        if bytes.is_empty() {
            return Ok(Self(pairs));
        }
        let mut reader = Reader::new(bytes, at);
        let count = reader.u16().map_err(malformed)?;
        for _ in 0..count {
            let key_at = reader.at();
            let (key, value) = (text(&mut reader)?, text(&mut reader)?);
            if key == SIGNATURE_KEY {
                return Err(EnvelopeError::ReservedContextKey);
            }
            if pairs.insert(key, value).is_some() {
                return Err(EnvelopeError::DuplicateContextKey { at: key_at });
            }
        }
        if count == 0 || !reader.is_empty() {
            return Err(EnvelopeError::MalformedContext { at: reader.at() });
        }
        Ok(Self(pairs))
    }
}

/// Returns a length as the two bytes that precede a field.
///
/// INVARIANT: the lengths of a context's parts are below that of the whole, which `new` and `parse` limit.
fn length16(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// A shortage inside the context is a lie about its length: reading on would not help.
fn malformed(error: EnvelopeError) -> EnvelopeError {
    if let EnvelopeError::Truncated { at } = error { EnvelopeError::MalformedContext { at } } else { error }
}

fn text(reader: &mut Reader<'_>) -> Result<String, EnvelopeError> {
    let length = reader.u16().map_err(malformed)?;
    let at = reader.at();
    let bytes = reader.take(usize::from(length)).map_err(malformed)?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| EnvelopeError::NotUtf8 { at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        EncryptionContext::new(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()).unwrap()
    }

    #[test]
    fn canonical_form_is_sorted_by_bytes() {
        let bytes = context(&[("é", "2"), ("z", ""), ("a", "1")]).serialise();
        assert_eq!(bytes, b"\0\x03\0\x01a\0\x011\0\x01z\0\0\0\x02\xc3\xa9\0\x012");
        assert_eq!(EncryptionContext::parse(&bytes, 0).unwrap(), context(&[("a", "1"), ("z", ""), ("é", "2")]));
        assert!(context(&[]).serialise().is_empty());
    }

    #[test]
    fn faults_are_told_apart() {
        let at = 100;
        let parse = |bytes: &[u8]| EncryptionContext::parse(bytes, at).unwrap_err();
        assert_eq!(parse(b"\0\x02\0\x01a\0\x011\0\x01a\0\x012"), EnvelopeError::DuplicateContextKey { at: 108 });
        assert_eq!(parse(b"\0\x01\0\x01\xff\0\x011"), EnvelopeError::NotUtf8 { at: 104 });
        assert_eq!(parse(b"\0\x01\0\x01a\0\x011!"), EnvelopeError::MalformedContext { at: 108 });
        assert_eq!(parse(b"\0\x01\0\x01a\0\x09"), EnvelopeError::MalformedContext { at: 107 });
        assert_eq!(parse(b"\0\0"), EnvelopeError::MalformedContext { at: 102 });
        assert_eq!(parse(b"\0\x01\0\x15aws-crypto-public-key\0\0"), EnvelopeError::ReservedContextKey);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let new = |key: &str, value: String| EncryptionContext::new([(key.to_owned(), value)].into());
        assert_eq!(new("aws-crypto-x", String::new()), Err(EnvelopeError::ReservedContextKey));
        assert!(new("k", "v".repeat(MAX_CONTEXT_LENGTH - 7)).is_ok());
        let long = new("k", "v".repeat(MAX_CONTEXT_LENGTH - 6));
        assert_eq!(long, Err(EnvelopeError::ContextTooLong { length: 65536 }));
    }
}
