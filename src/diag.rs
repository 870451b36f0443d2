//! Diagnostics as data: a stable code, a message, labelled places, and the next thing to do.
//!
//! Nothing here prints: `cli::report` renders diagnostics with miette.

mod code;

pub use code::Code;

use crate::source::Loc;

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is refused.
    Warning,
    /// The input is refused.
    Error,
}

/// A labelled place in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub loc: Loc,
    /// What is wrong, or noteworthy, there.
    pub text: String,
}

/// One thing that is wrong or noteworthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code, which `keywright explain` knows.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// A lower-case fragment without a full stop; names from the input in backticks.
    pub message: String,
    /// Places, the one to blame first. Empty only where no source is to blame.
    pub labels: Vec<Label>,
    /// The next thing to type or do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns an error with a code and a message.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), labels: Vec::new(), help: None }
    }

    /// Returns a warning with a code and a message.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a labelled place.
    #[must_use]
    pub fn label(mut self, loc: Loc, text: impl Into<String>) -> Self {
        self.labels.push(Label { loc, text: text.into() });
        self
    }

    /// Sets the next thing to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Returns where the diagnostic belongs in file order; those without a place come first.
    pub fn order(&self) -> (Option<Loc>, Code) {
        (self.labels.first().map(|label| label.loc), self.code)
    }
}

/// Diagnostics as they are collected, of any severity, put in file order when they are taken out.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Self) {
        self.items.extend(other.items);
    }

    /// Returns whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns them in file order, each only once.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.items.sort_by(|a, b| a.order().cmp(&b.order()).then_with(|| a.message.cmp(&b.message)));
        self.items.dedup();
        self.items
    }
}
