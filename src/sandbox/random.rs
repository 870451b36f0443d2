//! Random identifiers, secrets and bytes.

/// Returns random bytes.
pub(super) fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    #[expect(clippy::expect_used, reason = "the system's random generator does not fail once the process runs")]
    aws_lc_rs::rand::fill(&mut bytes).expect("the random generator works");
    bytes
}

/// Returns random bytes as hexadecimal digits.
pub(super) fn hex(count: usize) -> String {
    hex::encode(bytes(count))
}

/// Returns a random UUID (version 4).
pub(super) fn uuid() -> String {
    let mut digits = hex(16).into_bytes();
    if let Some(version) = digits.get_mut(12) {
        *version = b'4';
    }
    if let Some(variant) = digits.get_mut(16) {
        *variant = b"89ab".iter().copied().find(|v| v % 4 == *variant % 4).unwrap_or(b'8');
    }
    let text: String = digits.into_iter().map(char::from).collect();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// Returns a unique id as IAM makes them: `AROA` and 17 capitals and digits.
pub(super) fn unique_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let tail = bytes(17).into_iter().filter_map(|b| ALPHABET.get(usize::from(b) % 32).copied()).map(char::from);
    prefix.chars().chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_their_form() {
        let id = uuid();
        assert_eq!((id.len(), id.matches('-').count(), id.as_bytes()[14]), (36, 4, b'4'));
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        assert_eq!(unique_id("AROA").len(), 21);
        assert_ne!(uuid(), uuid());
    }
}
