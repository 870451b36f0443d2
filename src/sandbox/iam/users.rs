//! Users and their access keys.

use super::attached::check_exists;
use super::roles::boundary;
use super::{answer_page, name, path, tag_list, tags};
use crate::access::PrincipalType;
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::principals;
use crate::sandbox::random;
use crate::sandbox::state::{AccessKey, Entity, EntityKind, entity};
use crate::sandbox::wire_query::iso;
use serde_json::{Value, json};

const USER: EntityKind = EntityKind::User;

/// Returns a user as IAM describes it.
pub(super) fn described(user: &Entity) -> Value {
    json!({
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": iso(user.created),
        "PermissionsBoundary": user.boundary.as_deref().map(boundary),
        "Tags": if user.tags.is_empty() { Value::Null } else { tag_list(&user.tags) },
    })
}

/// `CreateUser`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let (name, path) = (name(params, "UserName", 64)?, path(params)?);
    let caller = call.caller;
    let mut user = Entity::new(&caller.account, caller.partition(), USER, (path, name), call.now);
    user.tags = tags(params)?;
    user.boundary = params.text("PermissionsBoundary")?.map(str::to_owned);
    call.authorize(&call.request("iam:CreateUser", &user.arn))?;
    if let Some(arn) = &user.boundary
        && check_exists(call, arn).is_err()
    {
        return Err(ApiError::no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable.")));
    }
    let key = entity(&caller.account, name);
    if call.state.users.get(&key).is_some() {
        let message = format!("User with name {name} already exists.");
        return Err(ApiError::new("EntityAlreadyExists", message).status(409));
    }
    let answer = json!({ "User": described(&user) });
    call.state.users.insert(key, user);
    Ok(answer)
}

/// Finds the user that a request names, or that makes it.
fn open(call: &Call<'_>, action: &str) -> Result<String, ApiError> {
    if call.params.has("UserName") {
        return call.open_entity(USER, action);
    }
    if call.caller.facts.kind != PrincipalType::User {
        return Err(call.params.invalid("Must specify userName when calling with non-User credentials"));
    }
    call.authorize(&call.request(action, call.caller.arn()))?;
    let name = call.caller.arn().rsplit('/').next().unwrap_or_default();
    Ok(entity(&call.caller.account, name))
}

/// `GetUser`.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = open(call, "iam:GetUser")?;
    Ok(json!({ "User": described(call.entity(USER, &key)?) }))
}

/// `ListUsers`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let prefix = call.params.text("PathPrefix")?.unwrap_or("/");
    call.authorize(&call.request("iam:ListUsers", &call.iam_arn("user/")))?;
    let account = &call.caller.account;
    let here = call.state.users.iter().filter(|(_, user)| user.account == *account && user.path.starts_with(prefix));
    answer_page(call, "Users", here.map(|(_, user)| (user.name.clone(), described(user))))
}

/// `DeleteUser`.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = call.open_entity(USER, "iam:DeleteUser")?;
    let user = call.entity(USER, &key)?.clone();
    let has_keys = call.state.access_keys.iter().any(|(_, k)| k.account == user.account && k.user == user.name);
    if has_keys || !user.inline.is_empty() || !user.attached.is_empty() {
        let message = "Cannot delete entity, must delete its access keys and policies first.";
        return Err(ApiError::new("DeleteConflict", message).status(409));
    }
    if !user.groups.is_empty() {
        let message = "Cannot delete entity, must remove users from group first.";
        return Err(ApiError::new("DeleteConflict", message).status(409));
    }
    call.state.users.remove(&key);
    principals::forget(call.state, &user.arn, &user.id);
    Ok(Value::Null)
}

/// `CreateAccessKey`.
pub(super) fn create_access_key(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = open(call, "iam:CreateAccessKey")?;
    let user = call.entity(USER, &key)?;
    let (account, name) = (user.account.clone(), user.name.clone());
    if call.state.access_keys.iter().filter(|(_, k)| k.account == account && k.user == name).count() >= 2 {
        let message = "Cannot exceed quota for AccessKeysPerUser: 2";
        return Err(ApiError::new("LimitExceeded", message).status(409));
    }
    // Never the prefix of the built-in user.
    let id = random::unique_id("AKIAU").get(..20).unwrap_or_default().to_owned();
    let row = AccessKey { account, user: name, secret: random::hex(20), created: call.now };
    let answer = json!({ "AccessKey": {
        "UserName": row.user,
        "AccessKeyId": id,
        "Status": "Active",
        "SecretAccessKey": row.secret,
        "CreateDate": iso(row.created),
    } });
    call.state.access_keys.insert(id, row);
    Ok(answer)
}

/// `ListAccessKeys`.
pub(super) fn list_access_keys(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = open(call, "iam:ListAccessKeys")?;
    let user = call.entity(USER, &key)?;
    let own = call.state.access_keys.iter().filter(|(_, k)| k.account == user.account && k.user == user.name);
    let items = own.map(|(id, k)| {
        let entry = json!({
            "UserName": k.user, "AccessKeyId": id, "Status": "Active", "CreateDate": iso(k.created)
        });
        (id.clone(), entry)
    });
    answer_page(call, "AccessKeyMetadata", items)
}

/// `DeleteAccessKey`.
pub(super) fn delete_access_key(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.params.required("AccessKeyId")?;
    let key = open(call, "iam:DeleteAccessKey")?;
    let user = call.entity(USER, &key)?;
    if !call.state.access_keys.get(id).is_some_and(|k| k.account == user.account && k.user == user.name) {
        return Err(ApiError::no_such_entity(format!("The Access Key with id {id} cannot be found.")));
    }
    call.state.access_keys.remove(id);
    Ok(Value::Null)
}
