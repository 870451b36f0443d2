//! What a word of the output *is*, apart from how a terminal shows it.

use std::fmt;

/// A semantic label for a stretch of text. Output must be understandable without any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// Something that comes to be: a created key, access gained.
    Added,
    /// Something that goes: a retired key, access lost.
    Removed,
    /// Something that becomes different.
    Changed,
    /// Something that may not happen.
    Blocked,
    /// The word `warning` and its kin.
    Warning,
    /// The word `error` and its kin.
    Error,
    /// The title of a part.
    Heading,
    /// What matters least.
    Dim,
}

impl Style {
    /// Returns how a terminal shows the label.
    fn look(self) -> anstyle::Style {
        let color = |color: anstyle::AnsiColor| color.on_default();
        match self {
            Self::Added => color(anstyle::AnsiColor::Green),
            Self::Removed => color(anstyle::AnsiColor::Red),
            Self::Changed => color(anstyle::AnsiColor::Yellow),
            Self::Blocked => color(anstyle::AnsiColor::Magenta).bold(),
            Self::Warning => color(anstyle::AnsiColor::Yellow).bold(),
            Self::Error => color(anstyle::AnsiColor::Red).bold(),
            Self::Heading => anstyle::Style::new().bold(),
            Self::Dim => anstyle::Style::new().dimmed(),
        }
    }
}

/// Turns labelled text into what one stream takes: ANSI sequences, or the bare text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Painter {
    /// Writes ANSI sequences.
    Ansi,
    /// Writes the bare text.
    Plain,
}

impl Painter {
    /// Returns the text as the stream takes it. The text must have been escaped if it came from outside.
    pub fn paint<T: fmt::Display>(self, style: Style, text: T) -> Painted<T> {
        Painted { look: (self == Self::Ansi).then(|| style.look()), text }
    }
}

/// Labelled text, ready to be written with `{}`.
#[derive(Debug, Clone)]
pub struct Painted<T> {
    look: Option<anstyle::Style>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.look {
            Some(look) => write!(f, "{look}{}{look:#}", self.text),
            None => self.text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_ansi_sequences_or_nothing() {
        assert_eq!(Painter::Ansi.paint(Style::Added, "+").to_string(), "\u{1b}[32m+\u{1b}[0m");
        assert_eq!(Painter::Plain.paint(Style::Added, "+").to_string(), "+");
    }

    #[test]
    fn plain_text_keeps_the_format_of_its_place() {
        assert_eq!(format!("{:>4}|", Painter::Plain.paint(Style::Dim, "ab")), "  ab|");
    }
}
