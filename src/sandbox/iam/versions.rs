//! Versions of managed policies: at most five, of which the default one counts.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html>

use super::managed::{open, own};
use super::{answer_page, documents};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::state::ManagedPolicy;
use crate::sandbox::wire_query::{iso, percent_encode};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many versions a policy may have.
const MOST: usize = 5;

impl ManagedPolicy {
    /// Returns the number of the default version.
    pub(super) fn default_number(&self) -> u32 {
        self.default.map_or(1, |(number, _)| number)
    }

    fn default_since(&self) -> Timestamp {
        self.default.map_or(self.created, |(_, created)| created)
    }

    /// Returns when the policy was last given a version.
    pub(super) fn updated(&self) -> Timestamp {
        self.others.values().map(|(_, created)| *created).chain([self.default_since()]).max().unwrap_or(self.created)
    }

    /// Returns all versions, as IAM describes them, by number.
    pub(super) fn versions(&self) -> BTreeMap<u32, Value> {
        let default = self.default_number();
        let others = self.others.iter().map(|(number, (text, created))| (*number, text.as_str(), *created));
        let all = others.chain([(default, self.document.as_str(), self.default_since())]);
        all.map(|(number, text, created)| {
            let value = json!({
                "Document": percent_encode(text),
                "VersionId": format!("v{number}"),
                "IsDefaultVersion": number == default,
                "CreateDate": iso(created),
            });
            (number, value)
        })
        .collect()
    }

    fn make_default(&mut self, number: u32, (text, created): (String, Timestamp)) {
        let former = (std::mem::replace(&mut self.document, text), self.default_since());
        self.others.insert(self.default_number(), former);
        self.default = Some((number, created));
    }
}

/// Returns a version's description without its document.
fn without_document(mut version: Value) -> Value {
    if let Some(fields) = version.as_object_mut() {
        fields.remove("Document");
    }
    version
}

fn number(call: &Call<'_>) -> Result<u32, ApiError> {
    let text = call.params.required("VersionId")?;
    let number = text.strip_prefix('v').and_then(|digits| digits.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| call.params.constraint("VersionId", text, "Member must be v and a number: v1"))
}

fn missing(policy: &ManagedPolicy, number: u32) -> ApiError {
    let message = format!("Policy {} version v{number} does not exist or is not attachable.", policy.arn);
    ApiError::no_such_entity(message)
}

/// `CreatePolicyVersion`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let document = call.params.required("PolicyDocument")?.to_owned();
    let as_default = call.params.flag("SetAsDefault")?;
    let policy = own(call, "iam:CreatePolicyVersion")?;
    documents::check_managed(&document)?;
    if policy.others.len() + 1 >= MOST {
        let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an \
                       existing version.";
        return Err(ApiError::new("LimitExceeded", message).status(409));
    }
    let now = call.now;
    let policy = call.policy_mut(&policy.arn)?;
    policy.later += 1;
    let number = policy.later + 1;
    if as_default {
        policy.make_default(number, (document, now));
    } else {
        policy.others.insert(number, (document, now));
    }
    let made = policy.versions().remove(&number).map(without_document);
    Ok(json!({ "PolicyVersion": made }))
}

/// `GetPolicyVersion`.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let number = number(call)?;
    let policy = open(call, "iam:GetPolicyVersion")?;
    let version = policy.versions().remove(&number).ok_or_else(|| missing(&policy, number))?;
    Ok(json!({ "PolicyVersion": version }))
}

/// `ListPolicyVersions`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let policy = open(call, "iam:ListPolicyVersions")?;
    let versions = policy.versions().into_iter();
    // Names of pages are compared as text.
    answer_page(
        call,
        "Versions",
        versions.map(|(number, version)| (format!("{number:010}"), without_document(version))),
    )
}

/// `SetDefaultPolicyVersion`.
pub(super) fn set_default(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let number = number(call)?;
    let policy = own(call, "iam:SetDefaultPolicyVersion")?;
    if number == policy.default_number() {
        return Ok(Value::Null);
    }
    let version = policy.others.get(&number).cloned().ok_or_else(|| missing(&policy, number))?;
    let policy = call.policy_mut(&policy.arn)?;
    policy.others.remove(&number);
    policy.make_default(number, version);
    Ok(Value::Null)
}

/// `DeletePolicyVersion`.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let number = number(call)?;
    let policy = own(call, "iam:DeletePolicyVersion")?;
    if number == policy.default_number() {
        let message = "Cannot delete the default version of a policy.";
        return Err(ApiError::new("DeleteConflict", message).status(409));
    }
    let removed = call.policy_mut(&policy.arn)?.others.remove(&number);
    removed.map(|_| Value::Null).ok_or_else(|| missing(&policy, number))
}
