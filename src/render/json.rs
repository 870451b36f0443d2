//! JSON as a command prints it: the same values as in memory, in text that no terminal obeys.

use crate::text;

/// The version of every JSON document that keywright prints; it grows when a reader could misread the new form.
pub const FORMAT_VERSION: u32 = 1;

/// Returns the indented JSON text of a value, with a line end.
///
/// Control and bidirectional characters become `\u` escapes, which readers turn back into what was there.
pub fn to_text(value: &serde_json::Value) -> String {
    let mut out = escaped(&format!("{value:#}"));
    out.push('\n');
    out
}

/// Returns a value as one line of JSON, without a newline.
pub fn to_line(value: &impl serde::Serialize) -> String {
    // Only maps whose keys are no strings cannot be written.
    escaped(&serde_json::to_string(value).unwrap_or_default())
}

fn escaped(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c != '\n' && text::is_hostile(c) {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_characters_are_escaped_and_read_back() {
        let value = serde_json::json!({"a\u{9b}": "ok\u{202e}\u{e0041}\u{7f}\r\n"});
        let text = to_text(&value);
        assert!(!text.chars().any(|c| c != '\n' && text::is_hostile(c)), "{text}");
        assert!(text.contains(r#""a\u009b": "ok\u202e\udb40\udc41\u007f\r\n""#), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(text in any::<String>()) {
            let value = serde_json::json!([text]);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&to_text(&value)).unwrap(), value);
        }
    }
}
