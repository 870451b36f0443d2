//! Key policies: what is accepted, the lock-out check, and what comes back.

use super::find::Naming;
use super::paging;
use crate::access::{Guardrails, Request, evaluate};
use crate::ids::{AccountId, Partition};
use crate::kms::POLICY_BYTES;
use crate::policy::PolicyDocument;
use crate::sandbox::call::{Call, key_facts, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::principals;
use crate::sandbox::state::Key;
use serde_json::{Value, json};

/// Returns the policy of a key that is created without one.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
pub(super) fn default(partition: Partition, account: &AccountId) -> String {
    let root = format!("arn:{partition}:iam::{account}:root");
    let policy = json!({ "Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
        "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": { "AWS": root },
        "Action": "kms:*", "Resource": "*"
    }] });
    format!("{policy:#}")
}

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::new("MalformedPolicyDocumentException", message)
}

/// Returns a policy as it is stored, or why KMS does not take it.
pub(super) fn accept(call: &Call<'_>, key: &Key, text: &str) -> Result<String, ApiError> {
    if text.is_empty() {
        return Err(call.params.constraint("Policy", "", "Member must have length greater than or equal to 1"));
    }
    if text.len() > POLICY_BYTES {
        return Err(ApiError::new("LimitExceededException", format!("The policy is longer than {POLICY_BYTES} bytes")));
    }
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
    if !text.chars().all(legal) {
        return Err(call.params.constraint("Policy", "…", "Member must satisfy regular expression pattern"));
    }
    let document = PolicyDocument::parse(text).map_err(|error| malformed(error.to_string()))?;
    if let Some(problem) = principals::problem_of_key_policy(&document) {
        return Err(malformed(problem));
    }
    principals::check_exist(call.state, &document).map_err(malformed)?;
    Ok(principals::as_stored(text, key.arn.arn().partition()))
}

/// Refuses a policy under which the caller could not change it again.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#prevent-unmanageable-key>
pub(super) fn check_lockout(call: &Call<'_>, key: &Key) -> Result<(), ApiError> {
    if call.params.flag("BypassPolicyLockoutSafetyCheck")? {
        return Ok(());
    }
    let request = Request { region: key.arn.region(), ..call.request("kms:PutKeyPolicy", key.arn.as_str()) };
    let facts = key_facts(call.state, key);
    let evaluation = evaluate(&request, &call.caller.facts, Some(&facts), &Guardrails::default());
    if evaluation.is_allowed() {
        return Ok(());
    }
    Err(malformed("The new key policy will not allow you to update the key policy in the future."))
}

fn check_name(call: &Call<'_>) -> Result<(), ApiError> {
    match call.params.text("PolicyName")? {
        None | Some("default") => Ok(()),
        Some(name) => Err(ApiError::not_found(format!("No such policy exists: {name}"))),
    }
}

/// `GetKeyPolicy`.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:GetKeyPolicy")?;
    check_name(call)?;
    Ok(json!({ "Policy": call.key(&found)?.policy, "PolicyName": "default" }))
}

/// `PutKeyPolicy`.
pub(super) fn put(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let policy = params.required("Policy")?;
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:PutKeyPolicy", &found);
    let bypass = params.flag("BypassPolicyLockoutSafetyCheck")?;
    with(&mut request, "kms:BypassPolicyLockoutSafetyCheck", if bypass { "true" } else { "false" });
    call.admit(&request, &found)?;
    check_name(call)?;
    let mut changed = call.key(&found)?.clone();
    changed.policy = accept(call, &changed, policy)?;
    check_lockout(call, &changed)?;
    call.key_mut(&found)?.policy = changed.policy;
    Ok(Value::Null)
}

/// `ListKeyPolicies`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.open("kms:ListKeyPolicies")?;
    let items = std::iter::once(("default".to_owned(), Value::from("default")));
    paging::answer(call.params, "PolicyNames", (100, 1000), items)
}
