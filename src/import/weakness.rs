//! Material that somebody could guess.
//!
//! No test finds out that bytes are random; these find the accidents: a test value, a passphrase, a text in the wrong
//! encoding, a shorter secret that was padded. Random material of 28 bytes or more fails one of them with a chance of
//! less than one in a hundred million.

use std::fmt;

/// So many equal bytes in a row are padding, not chance.
const LONGEST_RUN: usize = 8;

/// How material can be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// All bytes are the same.
    Constant,
    /// A short part of it repeats.
    Repeats,
    /// Each byte differs from the one before by the same.
    Arithmetic,
    /// Few different bytes occur.
    FewBytes,
    /// Many equal bytes follow each other.
    Run,
    /// It is a text of hexadecimal digits.
    HexText,
    /// It is a text in the alphabet of Base64.
    Base64Text,
    /// It is any other text.
    Text,
}

impl Weakness {
    /// Returns how a secret can be guessed, if it is obvious.
    pub(super) fn of(secret: &[u8]) -> Option<Self> {
        text(secret).or_else(|| Self::of_bytes(secret))
    }

    /// The same for secrets inside a private key, which nobody takes for a text.
    fn of_bytes(secret: &[u8]) -> Option<Self> {
        if repeats(secret, 1) {
            return Some(Self::Constant);
        }
        if (2..=secret.len() / 2).any(|period| repeats(secret, period)) {
            return Some(Self::Repeats);
        }
        if is_arithmetic(secret) {
            return Some(Self::Arithmetic);
        }
        if distinct(secret) <= secret.len() / 2 {
            return Some(Self::FewBytes);
        }
        secret.windows(LONGEST_RUN).any(|window| repeats(window, 1)).then_some(Self::Run)
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::HexText => "write `encoding = \"hex\"` if the digits are the material, or make new material",
            Self::Base64Text => "write `encoding = \"base64\"` if the text is the material, or make new material",
            Self::Text => {
                "a passphrase is no key: derive one from it outside (Argon2, scrypt), or make new material with \
                 `openssl rand`"
            }
            Self::Constant | Self::Repeats | Self::Arithmetic | Self::FewBytes | Self::Run => {
                "make new material from a random source: `openssl rand -hex LENGTH`, or a hardware module"
            }
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "all its bytes are the same",
            Self::Repeats => "a part of it repeats",
            Self::Arithmetic => "its bytes are an arithmetic sequence",
            Self::FewBytes => "at most half of its bytes are different ones",
            Self::Run => "many equal bytes follow each other, as in a padded shorter secret",
            Self::HexText => "it is a text of hexadecimal digits, not the bytes that they mean",
            Self::Base64Text => "it is a text in letters and digits, a passphrase or undecoded base64",
            Self::Text => "it is a text, like a passphrase",
        })
    }
}

/// Returns whether every byte equals the one a period before it.
fn repeats(secret: &[u8], period: usize) -> bool {
    secret.iter().zip(secret.iter().skip(period)).all(|(before, after)| before == after)
}

fn is_arithmetic(secret: &[u8]) -> bool {
    let mut steps = secret.iter().zip(secret.iter().skip(1)).map(|(before, after)| after.wrapping_sub(*before));
    let first = steps.next();
    steps.all(|step| Some(step) == first)
}

fn distinct(secret: &[u8]) -> usize {
    (0..=u8::MAX).filter(|byte| secret.contains(byte)).count()
}

/// Returns which kind of text it is, if it is one.
fn text(secret: &[u8]) -> Option<Weakness> {
    let text = std::str::from_utf8(secret).ok()?;
    if !text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()) {
        return None;
    }
    let all = |fits: fn(u8) -> bool| secret.iter().all(|byte| byte.is_ascii_whitespace() || fits(*byte));
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
    Some(match () {
        () if all(|byte| byte.is_ascii_hexdigit()) => Weakness::HexText,
        () if !secret.iter().any(u8::is_ascii_whitespace) && all(base64) => Weakness::Base64Text,
        () => Weakness::Text,
    })
}
