//! Customer managed policies, each with its first version alone.

use super::{answer_page, documents, name, path, tag_list, tags};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::identity::ADMINISTRATOR_ACCESS;
use crate::sandbox::random;
use crate::sandbox::state::{ADMINISTRATOR, ManagedPolicy, State};
use crate::sandbox::wire_query::{iso, percent_encode};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn described(state: &State, policy: &ManagedPolicy) -> Value {
    let all = || state.roles.iter().chain(state.users.iter()).map(|(_, entity)| entity);
    json!({
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": "v1",
        "AttachmentCount": all().filter(|entity| entity.attached.contains(&policy.arn)).count(),
        "PermissionsBoundaryUsageCount": all().filter(|entity| entity.boundary.as_ref() == Some(&policy.arn)).count(),
        "IsAttachable": true,
        "Description": policy.description,
        "CreateDate": iso(policy.created),
        "UpdateDate": iso(policy.created),
        "Tags": if policy.tags.is_empty() { Value::Null } else { tag_list(&policy.tags) },
    })
}

/// `CreatePolicy`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let (name, path) = (name(params, "PolicyName", 128)?, path(params)?);
    let document = params.required("PolicyDocument")?;
    let arn = call.iam_arn(&format!("policy{path}{name}"));
    call.authorize(&call.request("iam:CreatePolicy", &arn))?;
    documents::check_identity(document)?;
    if documents::size(document) > documents::MANAGED {
        let message = format!("Cannot exceed quota for PolicySize: {}", documents::MANAGED);
        return Err(ApiError::new("LimitExceeded", message).status(409));
    }
    let account = call.iam_arn("policy/");
    let exists = |(arn, policy): (&String, &ManagedPolicy)| arn.starts_with(&account) && policy.name == name;
    if call.state.policies.iter().any(exists) {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(ApiError::new("EntityAlreadyExists", message).status(409));
    }
    let policy = ManagedPolicy {
        arn: arn.clone(),
        id: random::unique_id("ANPA"),
        name: name.to_owned(),
        path: path.to_owned(),
        description: params.bounded("Description", 1000)?.map(str::to_owned),
        document: document.to_owned(),
        tags: tags(params)?,
        created: call.now,
    };
    let answer = json!({ "Policy": described(call.state, &policy) });
    call.state.policies.insert(arn, policy);
    Ok(answer)
}

/// Returns a policy that a request names by ARN, if the caller may do the action on it.
fn open(call: &Call<'_>, action: &str) -> Result<ManagedPolicy, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    call.authorize(&call.request(action, arn))?;
    if arn == ADMINISTRATOR_ACCESS {
        return Ok(ManagedPolicy {
            arn: arn.to_owned(),
            id: "ANPAIWMBCKSKIEE64ZLYK".to_owned(),
            name: "AdministratorAccess".to_owned(),
            path: "/".to_owned(),
            description: Some("Provides full access to AWS services and resources.".to_owned()),
            document: ADMINISTRATOR.to_owned(),
            tags: BTreeMap::new(),
            created: Timestamp::UNIX_EPOCH,
        });
    }
    let own = arn.starts_with(&call.iam_arn("policy/"));
    let found = call.state.policies.get(arn).filter(|_| own);
    found.cloned().ok_or_else(|| ApiError::no_such_entity(format!("Policy {arn} was not found.")))
}

/// `GetPolicy`.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let policy = open(call, "iam:GetPolicy")?;
    Ok(json!({ "Policy": described(call.state, &policy) }))
}

/// `GetPolicyVersion`.
pub(super) fn get_version(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let version = call.params.required("VersionId")?;
    let policy = open(call, "iam:GetPolicyVersion")?;
    if version != "v1" {
        let message = format!("Policy {} version {version} does not exist or is not attachable.", policy.arn);
        return Err(ApiError::no_such_entity(message));
    }
    Ok(json!({ "PolicyVersion": {
        "Document": percent_encode(&policy.document),
        "VersionId": "v1",
        "IsDefaultVersion": true,
        "CreateDate": iso(policy.created),
    } }))
}

/// `ListPolicies`: those of the account.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let prefix = call.iam_arn("policy/");
    call.authorize(&call.request("iam:ListPolicies", &prefix))?;
    let own = call.state.policies.iter().filter(|(arn, _)| arn.starts_with(&prefix));
    answer_page(call, "Policies", own.map(|(arn, policy)| (arn.clone(), described(call.state, policy))))
}

/// `DeletePolicy`.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let arn = open(call, "iam:DeletePolicy")?.arn;
    let mut all = call.state.roles.iter().chain(call.state.users.iter()).map(|(_, entity)| entity);
    if all.any(|entity| entity.attached.contains(&arn) || entity.boundary.as_ref() == Some(&arn)) {
        let message = "Cannot delete a policy attached to entities.";
        return Err(ApiError::new("DeleteConflict", message).status(409));
    }
    call.state.policies.remove(&arn);
    Ok(Value::Null)
}
