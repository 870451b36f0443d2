//! Reads the caller's own IAM policies, where whether it may deploy depends on them.

use super::ReadOptions;
use super::error::about;
use super::key::observed;
use crate::desired::{Delegation, DesiredTarget};
use crate::live::{Caller, CallerPolicies, Observed};
use crate::ports::{IdentityPolicyReader, PortError, PortErrorKind, PortResult};

/// Reads what a caller may do whom the target does not name, and to whom the account's IAM may yet give its keys.
/// `None` where nothing depends on that: the caller is named, or no key that is asked for leaves it to IAM.
pub(super) async fn read_policies<C: IdentityPolicyReader + Sync>(
    connection: &C,
    caller: &Caller,
    target: &DesiredTarget,
    options: &ReadOptions,
) -> PortResult<Option<Observed<CallerPolicies>>> {
    let mut keys = target.keys.iter().filter(|key| options.wants(&key.name));
    if is_named(caller, target) || !keys.any(|key| key.delegation == Delegation::Account) {
        return Ok(None);
    }
    read_own(connection, caller).await.map(Some)
}

/// Reads what the caller's own policies say, whoever it is.
pub(super) async fn read_own<C: IdentityPolicyReader + Sync>(
    connection: &C,
    caller: &Caller,
) -> PortResult<Observed<CallerPolicies>> {
    let read = match connection.caller_policies(caller).await {
        // A server without these calls, or without the caller, tells as little as one that refuses them.
        Err(error) if matches!(error.kind, PortErrorKind::NotSupported | PortErrorKind::NotFound) => {
            Err(PortError { kind: PortErrorKind::Denied, ..error })
        }
        outcome => outcome,
    };
    observed(read).map_err(|error| about(error, format_args!("the policies of {}", caller.principal)))
}

/// Whether the target says by name what the caller does: deploy, plan or verify.
fn is_named(caller: &Caller, target: &DesiredTarget) -> bool {
    let mut staff = target.deployers.iter().chain(&target.planners).chain(&target.verifier);
    let partition = target.region.partition();
    staff.any(|principal| principal.is_arn(&caller.principal, partition) || principal.is_arn(&caller.arn, partition))
}
