//! Policies as data from what is wanted: key policies, trust policies, identity policies, tags.
//!
//! Everything here is deterministic and minimal: exact actions, stable Sids that say what a statement is for,
//! sorted principals, so that the same wish always gives the same bytes.

mod clause;
mod deny;
mod key_policy;
mod role;
mod tags;
mod user;

pub use key_policy::{key_policy, key_policy_origins};
pub use role::{VERIFY_SESSION_NAME, identity_policies, identity_policy_name, trust_policy};
pub use tags::{key_tags, role_tags};
pub use user::far_side_policy;

use crate::policy::PolicyDocument;

/// Returns how many bytes a policy has as it is sent to AWS; KMS counts them against its limit.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub fn rendered_size(policy: &PolicyDocument) -> usize {
    policy.to_text().len()
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
pub(crate) mod tests;
