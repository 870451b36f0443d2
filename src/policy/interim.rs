//! interim
use super::{PolicyDocument, Statement};
/// x
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementChange {
    /// x
    Added(Statement),
    /// x
    Removed(Statement),
    /// x
    Changed {
        /// x
        before: Statement,
        /// x
        after: Statement,
    },
}
/// x
pub fn statement_changes(_: &PolicyDocument, _: &PolicyDocument) -> Vec<StatementChange> {
    Vec::new()
}
