//! Reads big-endian fields from bytes, and knows where it is.

use super::EnvelopeError;

/// A cursor over the bytes of a message, of which the first is at offset `base`.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    base: u64,
    taken: usize,
}

impl<'a> Reader<'a> {
    /// Returns a cursor at the first of the bytes.
    pub(super) fn new(bytes: &'a [u8], base: u64) -> Self {
        Self { bytes, base, taken: 0 }
    }

    /// Returns how many bytes were taken.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Returns the offset in the message.
    pub(super) fn at(&self) -> u64 {
        offset(self.base, self.taken)
    }

    /// Returns whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    /// Takes that many bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], EnvelopeError> {
        let end = self.taken.checked_add(count);
        let Some(field) = end.and_then(|end| self.bytes.get(self.taken..end)) else {
            return Err(EnvelopeError::Truncated { at: offset(self.base, self.bytes.len()) });
        };
        self.taken += count;
        Ok(field)
    }

    /// Takes a field of fixed length.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], EnvelopeError> {
        let field = self.take(N)?;
        field.try_into().map_err(|_| EnvelopeError::Truncated { at: self.at() })
    }

    /// Takes one byte.
    pub(super) fn u8(&mut self) -> Result<u8, EnvelopeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Takes a 16-bit number.
    pub(super) fn u16(&mut self) -> Result<u16, EnvelopeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes a 32-bit number.
    pub(super) fn u32(&mut self) -> Result<u32, EnvelopeError> {
        self.array().map(u32::from_be_bytes)
    }
}

/// Returns the offset that many bytes after `base`.
pub(super) fn offset(base: u64, count: usize) -> u64 {
    base.saturating_add(u64::try_from(count).unwrap_or(u64::MAX))
}
