//! IAM: the table of operations.

use super::call::Handler;

/// Every operation, by name.
pub(super) const OPERATIONS: &[(&str, Handler)] = &[];
