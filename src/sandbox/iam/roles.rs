//! Roles.

use super::attached::check_exists;
use super::{answer_page, documents, name, path, tag_list, tags};
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::principals;
use crate::sandbox::state::{Entity, EntityKind, entity};
use crate::sandbox::wire_query::{iso, percent_encode};
use serde_json::{Value, json};

const ROLE: EntityKind = EntityKind::Role;

/// Returns a role as IAM describes it; lists leave boundary and tags out.
fn described(role: &Entity) -> Value {
    json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": iso(role.created),
        "AssumeRolePolicyDocument": percent_encode(&role.trust),
        "Description": role.description,
        "MaxSessionDuration": role.max_session,
    })
}

fn described_fully(role: &Entity) -> Value {
    let mut value = described(role);
    if let Some(fields) = value.as_object_mut() {
        if let Some(arn) = &role.boundary {
            fields.insert("PermissionsBoundary".to_owned(), boundary(arn));
        }
        if !role.tags.is_empty() {
            fields.insert("Tags".to_owned(), tag_list(&role.tags));
        }
        fields.insert("RoleLastUsed".to_owned(), json!({}));
    }
    value
}

/// Returns a permissions boundary as IAM describes it.
pub(super) fn boundary(arn: &str) -> Value {
    json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn })
}

/// `CreateRole`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let (name, path) = (name(params, "RoleName", 64)?, path(params)?);
    let trust = params.required("AssumeRolePolicyDocument")?;
    let caller = call.caller;
    let mut role = Entity::new(&caller.account, caller.partition(), ROLE, (path, name), call.now);
    role.description = params.bounded("Description", 1000)?.map(str::to_owned);
    role.max_session = params.within("MaxSessionDuration", 3600..=43200)?.unwrap_or(3600);
    role.tags = tags(params)?;
    role.boundary = params.text("PermissionsBoundary")?.map(str::to_owned);
    trust.clone_into(&mut role.trust);
    let mut request = call.request("iam:CreateRole", &role.arn);
    if let Some(arn) = &role.boundary {
        with(&mut request, "iam:PermissionsBoundary", arn);
    }
    call.authorize(&request)?;
    documents::check_trust(call.state, trust)?;
    if let Some(arn) = &role.boundary
        && check_exists(call, arn).is_err()
    {
        return Err(ApiError::no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable.")));
    }
    let key = entity(&caller.account, name);
    if call.state.roles.get(&key).is_some() {
        let message = format!("Role with name {name} already exists.");
        return Err(ApiError::new("EntityAlreadyExists", message).status(409));
    }
    let answer = json!({ "Role": described_fully(&role) });
    call.state.roles.insert(key, role);
    Ok(answer)
}

/// `GetRole`.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = call.open_entity(ROLE, "iam:GetRole")?;
    Ok(json!({ "Role": described_fully(call.entity(ROLE, &key)?) }))
}

/// `ListRoles`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let prefix = call.params.text("PathPrefix")?.unwrap_or("/");
    call.authorize(&call.request("iam:ListRoles", &call.iam_arn("role/")))?;
    let account = &call.caller.account;
    let here = call.state.roles.iter().filter(|(_, role)| role.account == *account && role.path.starts_with(prefix));
    answer_page(call, "Roles", here.map(|(_, role)| (role.name.clone(), described(role))))
}

/// `UpdateRole`.
pub(super) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let description = params.bounded("Description", 1000)?;
    let max_session = params.within("MaxSessionDuration", 3600..=43200)?;
    let role = call.open_entity_mut(ROLE, "iam:UpdateRole")?;
    if let Some(description) = description {
        role.description = Some(description.to_owned());
    }
    if let Some(seconds) = max_session {
        role.max_session = seconds;
    }
    Ok(json!({}))
}

/// `UpdateAssumeRolePolicy`.
pub(super) fn update_trust(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let trust = call.params.required("PolicyDocument")?;
    let key = call.open_entity(ROLE, "iam:UpdateAssumeRolePolicy")?;
    documents::check_trust(call.state, trust)?;
    trust.clone_into(&mut call.entity_mut(ROLE, &key)?.trust);
    Ok(Value::Null)
}

/// `DeleteRole`.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = call.open_entity(ROLE, "iam:DeleteRole")?;
    let role = call.entity(ROLE, &key)?.clone();
    if !role.inline.is_empty() || !role.attached.is_empty() {
        let message = "Cannot delete entity, must delete policies first.";
        return Err(ApiError::new("DeleteConflict", message).status(409));
    }
    call.state.roles.remove(&key);
    principals::forget(call.state, &role.arn, &role.id);
    Ok(Value::Null)
}
