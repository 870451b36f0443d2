//! Bytes that must never be seen: data keys and key material, zeroized when dropped.
//!
//! A secret has no text form: its `Debug` is redacted, and it has no `Display`, `Clone` or `Serialize`.
//! Copies that the SDK and TLS keep in their own buffers cannot be zeroized from here.
//!
//! ```compile_fail
//! let key = keywright::secret::SecretBytes::new(vec![1]);
//! let twin = key.clone();
//! ```
//! ```compile_fail
//! let key = keywright::secret::SecretBytes::new(vec![1]);
//! let text = format!("{key}");
//! ```

use std::fmt;
use zeroize::Zeroizing;

/// Secret bytes: a plaintext data key, unwrapped key material, a session's secret.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over; the caller must hold no copy.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes. Ugly on purpose: every use is a place to review.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }

    /// Returns how many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes, redacted)", self.0.len())
    }
}

/// A secret text: a secret access key, a session token.
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the text over; the caller must hold no copy.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the text. Ugly on purpose: every use is a place to review.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_redacted() {
        let shown = format!("{:?} {:?}", SecretBytes::new(b"canary".to_vec()), SecretText::new("canary".into()));
        assert!(!shown.contains("canary") && !shown.contains("99, 97"), "{shown}");
    }
}
