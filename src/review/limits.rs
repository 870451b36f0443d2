//! Whether synthesised policies fit what KMS and IAM take.

use crate::desired::{DesiredKey, DesiredState, DesiredTarget};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::kms::POLICY_BYTES;
use crate::synth;

/// Returns an error for each key policy over the limit of KMS, and a warning for each that uses more than nine tenths.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub fn policy_sizes(state: &DesiredState) -> Diagnostics {
    let mut found = Diagnostics::default();
    for target in &state.targets {
        for key in &target.keys {
            if let Some(diagnostic) = policy_size(target, key) {
                found.push(diagnostic);
            }
        }
    }
    found
}

fn policy_size(target: &DesiredTarget, key: &DesiredKey) -> Option<Diagnostic> {
    let bytes = synth::rendered_size(&synth::key_policy(target, key));
    let help = "name fewer principals, put users with the same needs behind one role, or split the key";
    if bytes > POLICY_BYTES {
        let message = format!("the policy of key `{}` has {bytes} bytes, KMS takes {POLICY_BYTES}", key.name);
        Some(Diagnostic::error(Code::PolicyTooLarge, message).label(key.loc, "this key").help(help))
    } else if bytes * 10 > POLICY_BYTES * 9 {
        let message = format!("the policy of key `{}` has {bytes} of {POLICY_BYTES} bytes", key.name);
        Some(Diagnostic::warning(Code::PolicyNearLimit, message).label(key.loc, "this key").help(help))
    } else {
        None
    }
}
