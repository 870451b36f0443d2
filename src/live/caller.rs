//! What the caller's own IAM policies say: read only where the lock-out check depends on them.

use crate::policy::PolicyDocument;
use std::collections::BTreeMap;

/// The policies of a role or user, as far as IAM tells them. A policy of the session is not among them: no call of AWS
/// shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallerPolicies {
    /// The unique id, `AROA…` or `AIDA…`, where there is one.
    pub unique_id: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Identity policies by what they are called: an inline policy's name, a managed policy's ARN, and for a group's
    /// the group's name before it.
    pub identity: BTreeMap<String, PolicyDocument>,
    /// The permissions boundary.
    pub boundary: Option<PolicyDocument>,
}
