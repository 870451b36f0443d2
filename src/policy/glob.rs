//! Matches the wildcards of policies: `*` is any text, `?` is exactly one character.

use std::collections::HashMap;

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobToken {
    /// This character.
    Char(char),
    /// `*`.
    AnyText,
    /// `?`.
    AnyChar,
}

impl GlobToken {
    /// Returns what a character of a pattern stands for.
    pub fn of(c: char) -> Self {
        match c {
            '*' => Self::AnyText,
            '?' => Self::AnyChar,
            _ => Self::Char(c),
        }
    }
}

/// Returns whether a text matches a pattern, with regard to case.
///
/// Takes time in proportion to the lengths of both, with `?` to their product divided by 64.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    if pattern.contains('?') {
        return matches_by_bits(pattern.chars().map(GlobToken::of), text);
    }
    let mut pieces = pattern.split('*');
    match (pieces.next(), pieces.next_back()) {
        (Some(first), Some(last)) => pieces_match(first, pieces, last, text),
        (only, _) => only == Some(text),
    }
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
    glob_matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// Returns whether a text matches a pattern in which some wildcards are literal.
pub fn glob_tokens_match(tokens: &[GlobToken], text: &str) -> bool {
    if tokens.contains(&GlobToken::AnyChar) {
        return matches_by_bits(tokens.iter().copied(), text);
    }
    if tokens.iter().filter(|token| **token != GlobToken::AnyText).count() > text.len() {
        return false;
    }
    let mut pieces = tokens.split(|token| *token == GlobToken::AnyText).map(characters);
    match (pieces.next(), pieces.next_back()) {
        (Some(first), Some(last)) => pieces_match(&first, pieces, &last, text),
        (only, _) => only.as_deref() == Some(text),
    }
}

/// Finds the pieces between the stars one after the other, each as early as it can be, which leaves the most room
/// for those that follow. A search for a text in a text takes time in proportion to both.
fn pieces_match<P: AsRef<str>>(first: &str, middle: impl Iterator<Item = P>, last: &str, text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece.as_ref()) else { return false };
        rest = after;
    }
    true
}

/// Follows all positions of the pattern at once, 64 to a word.
fn matches_by_bits(pattern: impl Iterator<Item = GlobToken>, text: &str) -> bool {
    let tokens: Vec<GlobToken> = pattern.collect();
    let end = tokens.iter().filter(|token| **token != GlobToken::AnyText).count();
    // Every token other than a star takes a character, and a character at least a byte; and every run of characters
    // has to stand somewhere.
    if end > text.len() || !runs_occur(&tokens, text) {
        return false;
    }
    if end < 64 { SmallGlob::new(&tokens).matches(text) } else { BitGlob::new(&tokens, end).matches(text) }
}

/// Returns whether each run of plain characters of a pattern occurs in a text; most patterns that do not match fail
/// here already.
fn runs_occur(tokens: &[GlobToken], text: &str) -> bool {
    let runs = tokens.split(|token| matches!(token, GlobToken::AnyText | GlobToken::AnyChar));
    runs.filter(|run| !run.is_empty()).all(|run| text.contains(&characters(run)))
}

fn characters(tokens: &[GlobToken]) -> String {
    let character = |token: &GlobToken| match token {
        GlobToken::Char(c) => Some(*c),
        GlobToken::AnyText | GlobToken::AnyChar => None,
    };
    tokens.iter().filter_map(character).collect()
}

/// A pattern as bit sets over its positions; a position lies before each token other than a star, and at the end.
/// One word has room for all positions.
struct SmallGlob {
    end: usize,
    /// Positions at which a star stands: they may stay.
    stars: u64,
    /// Positions before a `?`.
    any: u64,
    /// Positions before a `?` or that ASCII character.
    ascii: [u64; 128],
    /// The same of other characters.
    others: Vec<(char, u64)>,
}

impl SmallGlob {
    fn new(pattern: &[GlobToken]) -> Self {
        let mut glob = Self { end: 0, stars: 0, any: 0, ascii: [0; 128], others: Vec::new() };
        for token in pattern {
            let here = 1_u64 << glob.end;
            match *token {
                GlobToken::AnyText => glob.stars |= here,
                GlobToken::AnyChar => glob.any |= here,
                GlobToken::Char(c) => match glob.ascii.get_mut(c as usize) {
                    Some(accepts) => *accepts |= here,
                    None => glob.others.push((c, here)),
                },
            }
            glob.end += usize::from(*token != GlobToken::AnyText);
        }
        for accepts in &mut glob.ascii {
            *accepts |= glob.any;
        }
        glob
    }

    fn matches(&self, text: &str) -> bool {
        if text.is_ascii() {
            self.follow(text.bytes().map(|byte| self.ascii.get(usize::from(byte)).copied().unwrap_or(self.any)))
        } else {
            self.follow(text.chars().map(|c| self.accepts(c)))
        }
    }

    fn accepts(&self, c: char) -> u64 {
        self.ascii.get(c as usize).copied().unwrap_or_else(|| {
            let here = self.others.iter().filter(|(other, _)| *other == c);
            here.fold(self.any, |accepts, (_, position)| accepts | position)
        })
    }

    fn follow(&self, accepts: impl Iterator<Item = u64>) -> bool {
        let mut states = 1_u64;
        for accepts in accepts {
            states = (states & accepts) << 1 | (states & self.stars);
            if states == 0 {
                return false;
            }
        }
        states >> self.end & 1 == 1
    }
}

/// The same for long patterns.
struct BitGlob {
    end: usize,
    stars: Vec<u64>,
    any: Vec<u64>,
    accepts: HashMap<char, Vec<u64>>,
}

impl BitGlob {
    fn new(pattern: &[GlobToken], end: usize) -> Self {
        let words = end / 64 + 1;
        let mut glob = Self { end, stars: vec![0; words], any: vec![0; words], accepts: HashMap::new() };
        let mut position = 0;
        for token in pattern {
            match token {
                GlobToken::AnyText => set(&mut glob.stars, position),
                GlobToken::AnyChar => set(&mut glob.any, position),
                GlobToken::Char(c) => set(glob.accepts.entry(*c).or_insert_with(|| vec![0; words]), position),
            }
            position += usize::from(*token != GlobToken::AnyText);
        }
        for accept in glob.accepts.values_mut() {
            for (word, any) in accept.iter_mut().zip(&glob.any) {
                *word |= any;
            }
        }
        glob
    }

    fn matches(&self, text: &str) -> bool {
        let mut states = vec![0_u64; self.stars.len()];
        set(&mut states, 0);
        for c in text.chars() {
            let accepts = self.accepts.get(&c).unwrap_or(&self.any);
            let mut carry = 0;
            for ((state, accept), star) in states.iter_mut().zip(accepts).zip(&self.stars) {
                let moved = *state & accept;
                let next = (moved << 1) | carry | (*state & star);
                carry = moved >> 63;
                *state = next;
            }
        }
        states.get(self.end / 64).is_some_and(|word| word >> (self.end % 64) & 1 == 1)
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

    fn tokens(pattern: &str) -> Vec<GlobToken> {
        pattern.chars().map(GlobToken::of).collect()
    }

    /// Matches by bit sets of any number of words.
    fn by_words(pattern: &str, text: &str) -> bool {
        let tokens = tokens(pattern);
        let end = tokens.iter().filter(|token| **token != GlobToken::AnyText).count();
        BitGlob::new(&tokens, end).matches(text)
    }

    proptest! {
        #[test]
        fn every_way_follows_the_definition(pattern in "[abä?*]{0,7}", text in "[abä]{0,7}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = by_definition(&chars(&pattern), &chars(&text));
            prop_assert_eq!(glob_matches(&pattern, &text), expected);
            prop_assert_eq!(glob_tokens_match(&tokens(&pattern), &text), expected);
            prop_assert_eq!(matches_by_bits(tokens(&pattern).into_iter(), &text), expected);
            prop_assert_eq!(by_words(&pattern, &text), expected);
        }

        #[test]
        fn all_ways_agree_beyond_one_word(pattern in "[a?*]{0,200}", plain in "[ab*]{0,90}", text in "[ab]{0,200}") {
            prop_assert_eq!(glob_matches(&pattern, &text), by_words(&pattern, &text));
            prop_assert_eq!(glob_matches(&plain, &text), by_words(&plain, &text));
        }
    }

    #[test]
    fn a_question_mark_is_one_character_and_a_star_any_text() {
        assert!(glob_matches("arn:aws:iam::*:role/a?c", "arn:aws:iam::111122223333:role/aäc"));
        assert!(!glob_matches("a?", "a"));
        assert!(glob_matches("**", ""));
        assert!(!glob_matches("a*a", "a"));
        assert!(!glob_matches("", "a"));
        assert!(!glob_matches("kms:decrypt", "kms:Decrypt"));
        assert!(glob_matches_ignore_case("KMS:de*T", "kms:Decrypt"));
        assert!(!glob_matches_ignore_case("kms:ReEncrypt", "kms:ReEncryptFrom"));
    }

    #[test]
    fn what_a_variable_stands_for_is_literal() {
        let star = [GlobToken::Char('a'), GlobToken::Char('*'), GlobToken::AnyText];
        assert!(glob_tokens_match(&star, "a*b") && !glob_tokens_match(&star, "abb"));
    }

    /// The bound is one of structure: no piece of the text is looked at twice by one piece of the pattern, and with
    /// `?` each character costs as many steps as the pattern has words of 64. These end at once, or not at all.
    #[test]
    fn hostile_patterns_end() {
        let text = "a".repeat(32 * 1024);
        for pattern in [
            "*a".repeat(16 * 1024) + "b",
            format!("*{}b", "?".repeat(16 * 1024)),
            format!("*{}b", "a".repeat(16 * 1024)),
            format!("*{}b*{}", "a".repeat(8 * 1024), "a".repeat(8 * 1024)),
            "?*".repeat(16 * 1024),
            "*".repeat(32 * 1024),
        ] {
            assert_eq!(glob_matches(&pattern, &text), !pattern.contains('b'));
        }
    }
}
