//! Inline policies of roles, users and groups.

use super::{answer_page, documents, name};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::state::EntityKind;
use crate::sandbox::wire_query::percent_encode;
use serde_json::{Value, json};

fn action(kind: EntityKind, verb: &str) -> String {
    format!("iam:{verb}{}Policy", kind.capital())
}

fn unknown(kind: EntityKind, policy: &str) -> ApiError {
    let message = format!("The {} policy with name {policy} cannot be found.", kind.word());
    ApiError::no_such_entity(message)
}

/// `PutRolePolicy`, `PutUserPolicy`, `PutGroupPolicy`.
pub(super) fn put(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let params = call.params;
    let policy = name(params, "PolicyName", 128)?;
    let document = params.required("PolicyDocument")?;
    let key = call.open_entity(kind, &action(kind, "Put"))?;
    documents::check_identity(document)?;
    let most = match kind {
        EntityKind::Role => documents::ROLE_INLINE,
        EntityKind::User => documents::USER_INLINE,
        EntityKind::Group => documents::GROUP_INLINE,
    };
    let entity = call.entity_mut(kind, &key)?;
    entity.inline.insert(policy.to_owned(), document.to_owned());
    if entity.inline.values().map(|text| documents::size(text)).sum::<usize>() > most {
        let message = format!("Maximum policy size of {most} bytes exceeded for {} {}", kind.word(), entity.name);
        return Err(ApiError::new("LimitExceeded", message).status(409));
    }
    Ok(Value::Null)
}

/// `GetRolePolicy`, `GetUserPolicy`, `GetGroupPolicy`.
pub(super) fn get(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let policy = call.params.required("PolicyName")?;
    let key = call.open_entity(kind, &action(kind, "Get"))?;
    let entity = call.entity(kind, &key)?;
    let document = entity.inline.get(policy).ok_or_else(|| unknown(kind, policy))?;
    Ok(json!({
        kind.parameter(): entity.name,
        "PolicyName": policy,
        "PolicyDocument": percent_encode(document),
    }))
}

/// `DeleteRolePolicy`, `DeleteUserPolicy`, `DeleteGroupPolicy`.
pub(super) fn delete(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let policy = call.params.required("PolicyName")?;
    let entity = call.open_entity_mut(kind, &action(kind, "Delete"))?;
    entity.inline.remove(policy).map(|_| Value::Null).ok_or_else(|| unknown(kind, policy))
}

/// `ListRolePolicies`, `ListUserPolicies`, `ListGroupPolicies`.
pub(super) fn list(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let key = call.open_entity(kind, &format!("iam:List{}Policies", kind.capital()))?;
    let names = call.entity(kind, &key)?.inline.keys();
    answer_page(call, "PolicyNames", names.map(|name| (name.clone(), Value::from(name.as_str()))))
}
