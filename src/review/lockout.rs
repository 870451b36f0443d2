//! Whether somebody keeps a way to change a key's policy.

use crate::access::{Guardrails, KeyFacts, PrincipalFacts, can_put_key_policy};

/// Nobody who should could change the policy afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedOut {
    /// The ways back in that are missing; never empty.
    pub missing: Vec<MissingWay>,
}

/// A way to change the policy that would be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingWay {
    /// The caller's own: KMS would refuse the policy.
    Caller {
        /// The caller's ARN.
        arn: String,
        /// Why, in the evaluator's words.
        why: String,
    },
    /// That of every declared administrator.
    Administrators {
        /// Their ARNs.
        arns: Vec<String>,
    },
}

/// Checks that under a key's policy the caller, and at least one declared administrator, may change it again.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
///
/// # Errors
/// With the ways that are missing.
pub fn keeps_a_way_in(key: &KeyFacts, caller: &PrincipalFacts, admins: &[PrincipalFacts]) -> Result<(), LockedOut> {
    let open = Guardrails::default();
    let own = can_put_key_policy(key, caller, &open);
    let why = || own.trace.iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>().join("; ");
    let mut missing: Vec<MissingWay> = Vec::new();
    if !own.is_allowed() {
        missing.push(MissingWay::Caller { arn: caller.arn.clone(), why: why() });
    }
    if !admins.iter().any(|admin| can_put_key_policy(key, admin, &open).is_allowed()) {
        missing.push(MissingWay::Administrators { arns: admins.iter().map(|admin| admin.arn.clone()).collect() });
    }
    if missing.is_empty() { Ok(()) } else { Err(LockedOut { missing }) }
}
