//! The manifest: from TOML texts to desired state, with every error at once and in file order.
//!
//! Stages: limits on bytes, syntax, shape (against the JSON Schema), then the rules of the language on the files
//! put together. A stage that cannot say anything sensible about what an earlier one refused stays silent on it.

mod day;
mod limits;
mod nesting;
mod raw;
mod read;
mod resolve;
mod schema;
mod shape;
mod spanned;
mod words;

pub use limits::{FILE_BYTES, FILES, MANIFEST_BYTES, check_limits};
pub use schema::{field_table, json_schema};

use crate::desired::DesiredState;
use crate::diag::Diagnostics;
use crate::source::SourceMap;

/// What became of a manifest.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The desired state; `None` if there is an error.
    pub state: Option<DesiredState>,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
}

/// Reads a manifest.
pub fn load(sources: &SourceMap) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let merged = read::read(sources, &mut diagnostics);
    let state = match merged.complete {
        read::Complete::Yes => resolve::resolve(&merged, sources, &mut diagnostics),
        read::Complete::No => None,
    };
    let state = state.filter(|_| !diagnostics.has_errors());
    Loaded { state, diagnostics }
}

#[cfg(test)]
mod tests;
