//! Matches the wildcards of policies: `*` is any text, `?` is exactly one character.

use std::collections::HashMap;

/// Returns whether a text matches a pattern, with regard to case.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    matches(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

/// Returns whether a text matches a pattern, ASCII letters without regard to case: for names of actions.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>
pub fn glob_matches_ignore_case(pattern: &str, text: &str) -> bool {
    // Most patterns have no wildcard, or one at the end.
    match pattern.find(['*', '?']) {
        None => return pattern.eq_ignore_ascii_case(text),
        Some(at) if at + 1 == pattern.len() && pattern.ends_with('*') => {
            let heads = pattern.as_bytes().get(..at).zip(text.as_bytes().get(..at));
            return heads.is_some_and(|(pattern, text)| pattern.eq_ignore_ascii_case(text));
        }
        Some(_) => {}
    }
    let fold = |text: &str| text.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    matches(&fold(pattern), &fold(text))
}

/// Up to this product of lengths going back to the last star is the faster way.
const SMALL: usize = 1 << 16;

fn matches(pattern: &[char], text: &[char]) -> bool {
    if pattern.len().saturating_mul(text.len()) <= SMALL {
        matches_by_retry(pattern, text)
    } else {
        matches_by_bits(pattern, text)
    }
}

/// Follows the pattern and goes back to the last star only, which suffices: an earlier star could only give
/// the later one less text.
fn matches_by_retry(pattern: &[char], text: &[char]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(at_text) {
        match pattern.get(at_pattern) {
            Some('*') => {
                retry = Some((at_pattern + 1, at_text));
                at_pattern += 1;
            }
            Some(&p) if p == '?' || p == c => {
                at_pattern += 1;
                at_text += 1;
            }
            Some(_) | None => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                at_pattern = after_star;
                at_text = from + 1;
            }
        }
    }
    pattern.iter().skip(at_pattern).all(|&p| p == '*')
}

/// Follows all positions of the pattern at once, 64 to a word.
fn matches_by_bits(pattern: &[char], text: &[char]) -> bool {
    let glob = BitGlob::new(pattern);
    let mut states = vec![0u64; glob.words];
    set(&mut states, 0);
    for c in text {
        let accepts = glob.accepts.get(c).unwrap_or(&glob.any);
        let mut carry = 0;
        for ((state, accept), star) in states.iter_mut().zip(accepts).zip(&glob.stars) {
            let moved = *state & accept;
            let next = (moved << 1) | carry | (*state & star);
            carry = moved >> 63;
            *state = next;
        }
    }
    states.get(glob.end / 64).is_some_and(|word| word >> (glob.end % 64) & 1 == 1)
}

/// A pattern as bit sets over its positions; a position lies before each token other than a star, and at the end.
struct BitGlob {
    words: usize,
    end: usize,
    /// Positions at which a star stands: they may stay.
    stars: Vec<u64>,
    /// Positions before a `?`.
    any: Vec<u64>,
    /// Positions before a `?` or that character.
    accepts: HashMap<char, Vec<u64>>,
}

impl BitGlob {
    fn new(pattern: &[char]) -> Self {
        let end = pattern.iter().filter(|&&p| p != '*').count();
        let words = end / 64 + 1;
        let mut glob = Self { words, end, stars: vec![0; words], any: vec![0; words], accepts: HashMap::new() };
        let mut position = 0;
        for &p in pattern {
            match p {
                '*' => set(&mut glob.stars, position),
                '?' => set(&mut glob.any, position),
                _ => set(glob.accepts.entry(p).or_insert_with(|| vec![0; words]), position),
            }
            position += usize::from(p != '*');
        }
        for accept in glob.accepts.values_mut() {
            for (word, any) in accept.iter_mut().zip(&glob.any) {
                *word |= any;
            }
        }
        glob
    }
}

fn set(bits: &mut [u64], position: usize) {
    if let Some(word) = bits.get_mut(position / 64) {
        *word |= 1 << (position % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word for word.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|n| by_definition(rest, &text[n..])),
            (['?', rest @ ..], [_, tail @ ..]) => by_definition(rest, tail),
            ([p, rest @ ..], [c, tail @ ..]) => p == c && by_definition(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn both_ways_follow_the_definition(pattern in "[ab?*]{0,7}", text in "[abä]{0,7}") {
            let pattern: Vec<char> = pattern.chars().collect();
            let text: Vec<char> = text.chars().collect();
            let expected = by_definition(&pattern, &text);
            prop_assert_eq!(matches_by_retry(&pattern, &text), expected);
            prop_assert_eq!(matches_by_bits(&pattern, &text), expected);
        }

        #[test]
        fn both_ways_agree_beyond_one_word(pattern in "[a?*]{0,200}", text in "[ab]{0,200}") {
            let pattern: Vec<char> = pattern.chars().collect();
            let text: Vec<char> = text.chars().collect();
            prop_assert_eq!(matches_by_bits(&pattern, &text), matches_by_retry(&pattern, &text));
        }
    }

    #[test]
    fn a_question_mark_is_one_character_and_a_star_any_text() {
        assert!(glob_matches("arn:aws:iam::*:role/a?c", "arn:aws:iam::111122223333:role/aäc"));
        assert!(!glob_matches("a?", "a"));
        assert!(glob_matches("**", ""));
        assert!(!glob_matches("", "a"));
        assert!(!glob_matches("kms:decrypt", "kms:Decrypt"));
        assert!(glob_matches_ignore_case("KMS:de*T", "kms:Decrypt"));
        assert!(!glob_matches_ignore_case("kms:ReEncrypt", "kms:ReEncryptFrom"));
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let text = "a".repeat(32 * 1024);
        let patterns = [
            "*a".repeat(16 * 1024) + "b",
            format!("*{}b", "?".repeat(16 * 1024)),
            format!("*{}b", "a".repeat(16 * 1024)),
            "?*".repeat(16 * 1024),
            "*".repeat(32 * 1024),
        ];
        for pattern in patterns {
            let start = std::time::Instant::now();
            assert_eq!(glob_matches(&pattern, &text), !pattern.ends_with('b'));
            // A release build takes a tenth of it.
            assert!(start.elapsed().as_millis() < 1_000, "{:?}", start.elapsed());
        }
    }
}
