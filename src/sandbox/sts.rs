//! STS: who am I, roles assumed, session tokens.

use super::call::{Call, Handler};
use super::error::ApiError;
use serde_json::{Value, json};

/// Every operation, by name.
pub(super) const OPERATIONS: &[(&str, Handler)] = &[("GetCallerIdentity", caller_identity)];

/// `GetCallerIdentity`, which needs no permission.
fn caller_identity(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let caller = call.caller;
    Ok(json!({ "Arn": caller.arn(), "UserId": caller.user_id, "Account": caller.account }))
}
