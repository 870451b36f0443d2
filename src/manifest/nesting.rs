//! Refuses deep nesting before the text is parsed: the parser limits brackets, but not dotted keys, whose tables
//! would overflow the stack when they are dropped.

use std::ops::Range;

/// The deepest nesting of a manifest, in brackets and dots; the language itself needs eight.
pub(super) const DEEPEST: usize = 32;

/// Returns where a text first nests deeper than allowed, counting brackets and the dots of keys outside strings
/// and comments.
pub(super) fn too_deep(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut levels = Levels::default();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = match byte {
            b'"' | b'\'' => string_length(rest, *byte),
            b'#' => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            _ => 1,
        };
        levels.see(*byte);
        if levels.depth() > DEEPEST {
            return Some(at..at + 1);
        }
        at += length;
    }
    None
}

/// The dots of the key that is being read, for each open bracket.
#[derive(Default)]
struct Levels {
    /// Dots and brackets of the open levels below the top.
    below: usize,
    open: Vec<usize>,
    dots: usize,
}

impl Levels {
    fn depth(&self) -> usize {
        self.below + self.dots
    }

    fn see(&mut self, byte: u8) {
        match byte {
            b'[' | b'{' => {
                self.open.push(self.dots);
                self.below += self.dots + 1;
                self.dots = 0;
            }
            b']' | b'}' => {
                if let Some(dots) = self.open.pop() {
                    self.below -= dots + 1;
                    self.dots = dots;
                }
            }
            b'.' => self.dots += 1,
            b',' | b'\n' => self.dots = 0,
            _ => {}
        }
    }
}

/// Returns the length of the string at the beginning of `rest`, as the TOML lexer sees it: a string of one line
/// ends at the line's end at the latest.
fn string_length(rest: &[u8], quote: u8) -> usize {
    let triple = [quote; 3];
    if rest.starts_with(&triple) { multi_line_length(rest, quote) } else { single_line_length(rest, quote) }
}

fn single_line_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\n' => return at,
            b'\\' if quote == b'"' && rest.get(at + 1) != Some(&b'\n') => at += 2,
            _ if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn multi_line_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 3;
    while let Some(byte) = rest.get(at) {
        if *byte == b'\\' && quote == b'"' {
            at += 2;
        } else if rest.get(at..).is_some_and(|tail| tail.starts_with(&[quote; 3])) {
            // Up to two quotes may stand before the closing three.
            let extra = rest.get(at + 3..).unwrap_or_default().iter().take(2).take_while(|b| **b == quote).count();
            return at + 3 + extra;
        } else {
            at += 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use toml::de::{DeTable, DeValue};

    fn depth(value: &DeValue<'_>) -> usize {
        match value {
            DeValue::Table(table) => 1 + table.values().map(|v| depth(v.get_ref())).max().unwrap_or(0),
            DeValue::Array(items) => 1 + items.iter().map(|v| depth(v.get_ref())).max().unwrap_or(0),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => 0,
        }
    }

    #[test]
    fn deep_nesting_of_every_kind_is_found() {
        let deep = 100_000;
        for text in [
            format!("a = {}", "[".repeat(deep)),
            format!("a = {}", "{a=".repeat(deep)),
            "[".repeat(deep),
            format!("{}x = 1", "a.".repeat(deep)),
            format!("[{}x]", "a.".repeat(deep)),
            format!("a = {{{}x = 1}}", "\"b\" . ".repeat(deep)),
            format!("a = {}", "{a.a = [\n".repeat(deep)),
        ] {
            assert!(too_deep(&text).is_some(), "{}", &text[..20]);
        }
    }

    #[test]
    fn dots_in_strings_and_comments_do_not_count() {
        let dots = ".".repeat(100);
        for text in [
            format!("a = \"{dots}\""),
            format!("a = '{dots}'"),
            format!("# {dots}"),
            format!("a = \"\"\"\n\"{dots}\\\"\"\"\"\"\nb = 1"),
            format!("a = '''\n'{dots}'''''\nb = 1"),
            "a.b = 1\n".repeat(100),
        ] {
            assert_eq!(too_deep(&text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        /// What passes the guard never parses into a table much deeper than the limit, whatever the parser's
        /// recovery from errors makes of it.
        #[test]
        fn what_passes_is_shallow(pieces in prop::collection::vec(prop::sample::select(vec![
            "\"", "'", "\"\"\"", "'''", ".", "a", "\n", "=", "[", "]", "{", "}", ",", "#", "\\", " ", "\r",
            "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.", "x = 1\n", "[a.b]\n",
        ]), 0..40)) {
            let text = pieces.concat();
            if too_deep(&text).is_none() {
                let (table, _) = DeTable::parse_recoverable(&text);
                prop_assert!(depth(&DeValue::Table(table.into_inner())) <= 3 * DEEPEST);
            }
        }
    }
}
