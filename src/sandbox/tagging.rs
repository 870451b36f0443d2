//! The Resource Groups Tagging API, for KMS keys.

use super::call::Handler;

/// Every operation, by name.
pub(super) const OPERATIONS: &[(&str, Handler)] = &[];
