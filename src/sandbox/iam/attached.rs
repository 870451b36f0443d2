//! Managed policies attached to roles, users and groups, as policies and as permissions boundaries.

use super::answer_page;
use super::managed::reference;
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::identity;
use crate::sandbox::state::EntityKind;
use serde_json::Value;

/// Checks that a managed policy exists: AWS's, or one of the caller's account.
pub(super) fn check_exists(call: &Call<'_>, arn: &str) -> Result<(), ApiError> {
    let near = arn == identity::ADMINISTRATOR_ACCESS || arn.starts_with(&call.iam_arn("policy/"));
    if near && identity::document(call.state, arn).is_some() {
        return Ok(());
    }
    Err(ApiError::no_such_entity(format!("Policy {arn} does not exist or is not attachable.")))
}

/// `AttachRolePolicy`, `AttachUserPolicy`, `AttachGroupPolicy`.
pub(super) fn attach(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let key = call.open_entity(kind, &format!("iam:Attach{}Policy", kind.capital()))?;
    check_exists(call, arn)?;
    call.entity_mut(kind, &key)?.attached.insert(arn.to_owned());
    Ok(Value::Null)
}

/// `DetachRolePolicy`, `DetachUserPolicy`, `DetachGroupPolicy`.
pub(super) fn detach(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let entity = call.open_entity_mut(kind, &format!("iam:Detach{}Policy", kind.capital()))?;
    if entity.attached.remove(arn) {
        return Ok(Value::Null);
    }
    Err(ApiError::no_such_entity(format!("Policy {arn} was not found.")))
}

/// `ListAttachedRolePolicies`, `ListAttachedUserPolicies`, `ListAttachedGroupPolicies`.
pub(super) fn list(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let key = call.open_entity(kind, &format!("iam:ListAttached{}Policies", kind.capital()))?;
    let attached = &call.entity(kind, &key)?.attached;
    let items = attached.iter().map(|arn| (arn.clone(), reference(arn)));
    answer_page(call, "AttachedPolicies", items)
}

/// `PutRolePermissionsBoundary`, `PutUserPermissionsBoundary`.
pub(super) fn put_boundary(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let arn = call.params.required("PermissionsBoundary")?;
    let action = format!("iam:Put{}PermissionsBoundary", kind.capital());
    let key = call.open_entity(kind, &action)?;
    let mut request = call.request(&action, &call.entity(kind, &key)?.arn);
    with(&mut request, "iam:PermissionsBoundary", arn);
    call.authorize(&request)?;
    check_exists(call, arn)?;
    call.entity_mut(kind, &key)?.boundary = Some(arn.to_owned());
    Ok(Value::Null)
}

/// `DeleteRolePermissionsBoundary`, `DeleteUserPermissionsBoundary`.
pub(super) fn delete_boundary(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let entity = call.open_entity_mut(kind, &format!("iam:Delete{}PermissionsBoundary", kind.capital()))?;
    entity.boundary = None;
    Ok(Value::Null)
}
