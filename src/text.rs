//! Words for people: escaping what came from outside, plurals, lists, and "did you mean".

use std::borrow::Cow;

/// Returns whether a character could forge or hide terminal output: control characters, line and
/// paragraph separators, bidirectional overrides, zero-width characters.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{061c}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Replaces every hostile character by its visible escape (`\u{1b}`), newlines and tabs included.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hostile(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Like [`escape`], but leaves newlines and tabs: for whole blocks of text.
pub fn escape_block(text: &str) -> Cow<'_, str> {
    let hostile = |c: char| c != '\n' && c != '\t' && is_hostile(c);
    if !text.contains(hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hostile(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Returns `1 key`, `3 keys`: the count and the noun, with an `s` unless the count is one.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        return format!("1 {noun}");
    }
    let plural = match noun {
        _ if noun.ends_with("key") || noun.ends_with("day") || noun.ends_with("way") => format!("{noun}s"),
        _ if noun.ends_with('y') => format!("{}ies", noun.trim_end_matches('y')),
        _ if noun.ends_with("ss") || noun.ends_with("ch") || noun.ends_with('x') || noun.ends_with("alias") => {
            format!("{noun}es")
        }
        _ => format!("{noun}s"),
    };
    format!("{count} {plural}")
}

/// Returns `a, b and c`.
pub fn and_list<T: AsRef<str>>(items: &[T]) -> String {
    join_list(items, "and")
}

/// Returns `a, b or c`.
pub fn or_list<T: AsRef<str>>(items: &[T]) -> String {
    join_list(items, "or")
}

fn join_list<T: AsRef<str>>(items: &[T], word: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} {word} {}", rest.join(", "), last.as_ref())
        }
    }
}

/// Returns the known word most like `word`, if one is like it enough to be meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long word is compared in quadratic time and never a typing error.
    if word.len() > 64 {
        return None;
    }
    let folded = word.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase().replace('_', "-")), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(folded.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_attacks_are_made_visible() {
        assert_eq!(escape("plain ä"), "plain ä");
        // Clears the screen; sets the clipboard; overwrites the line; reverses the reading order.
        assert_eq!(escape("\x1b[2J"), "\\u{1b}[2J");
        assert_eq!(escape("\x1b]52;c;eA==\x07"), "\\u{1b}]52;c;eA==\\u{7}");
        assert_eq!(escape("ok\rforged"), "ok\\rforged");
        assert_eq!(escape("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(escape_block("a\n\tb\x1b"), "a\n\tb\\u{1b}");
    }

    #[test]
    fn plurals_and_lists_read_well() {
        assert_eq!(plural(1, "key"), "1 key");
        assert_eq!(plural(0, "policy"), "0 policies");
        assert_eq!(plural(2, "alias"), "2 aliases");
        assert_eq!(and_list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(or_list(&["a"]), "a");
    }

    #[test]
    fn did_you_mean_finds_typing_errors_and_nothing_else() {
        let known = ["every_days", "off", "newer_than"];
        assert_eq!(did_you_mean("every-day", known), Some("every_days"));
        assert_eq!(did_you_mean("evry_days", known), Some("every_days"));
        assert_eq!(did_you_mean("colour", known), None);
    }
}
