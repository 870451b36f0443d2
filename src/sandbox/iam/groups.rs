//! Groups of users.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_groups.html>

use super::users;
use super::{answer_page, name, path};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::state::{Entity, EntityKind, entity};
use crate::sandbox::wire_query::iso;
use serde_json::{Value, json};

const GROUP: EntityKind = EntityKind::Group;

/// How many groups a user may be in.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const GROUPS_OF_USER: usize = 10;

fn described(group: &Entity) -> Value {
    json!({
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": iso(group.created),
    })
}

fn members<'a>(call: &'a Call<'_>, group: &'a Entity) -> impl Iterator<Item = &'a Entity> {
    let users = call.state.users.iter().map(|(_, user)| user);
    users.filter(|user| user.account == group.account && user.groups.contains(&group.name))
}

/// `CreateGroup`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let (name, path) = (name(params, "GroupName", 128)?, path(params)?);
    let caller = call.caller;
    let group = Entity::new(&caller.account, caller.partition(), GROUP, (path, name), call.now);
    call.authorize(&call.request("iam:CreateGroup", &group.arn))?;
    let key = entity(&caller.account, name);
    if call.state.groups.get(&key).is_some() {
        let message = format!("Group with name {name} already exists.");
        return Err(ApiError::new("EntityAlreadyExists", message).status(409));
    }
    let answer = json!({ "Group": described(&group) });
    call.state.groups.insert(key, group);
    Ok(answer)
}

/// `GetGroup`: the group, and a page of its users.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = call.open_entity(GROUP, "iam:GetGroup")?;
    let group = call.entity(GROUP, &key)?;
    let users = members(call, group).map(|user| (user.name.clone(), users::described(user)));
    let mut answer = answer_page(call, "Users", users)?;
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("Group".to_owned(), described(group));
    }
    Ok(answer)
}

/// `ListGroups`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let prefix = call.params.text("PathPrefix")?.unwrap_or("/");
    call.authorize(&call.request("iam:ListGroups", &call.iam_arn("group/")))?;
    let account = &call.caller.account;
    let here =
        call.state.groups.iter().filter(|(_, group)| group.account == *account && group.path.starts_with(prefix));
    answer_page(call, "Groups", here.map(|(_, group)| (group.name.clone(), described(group))))
}

/// `DeleteGroup`.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = call.open_entity(GROUP, "iam:DeleteGroup")?;
    let group = call.entity(GROUP, &key)?;
    let conflict = |message: &str| Err(ApiError::new("DeleteConflict", message).status(409));
    if members(call, group).next().is_some() {
        return conflict("Cannot delete entity, must remove users from group first.");
    }
    if !group.inline.is_empty() || !group.attached.is_empty() {
        return conflict("Cannot delete entity, must delete policies first.");
    }
    call.state.groups.remove(&key);
    Ok(Value::Null)
}

/// Finds group and user of a change of membership; IAM judges it on the group alone.
fn membership(call: &Call<'_>, action: &str) -> Result<(String, String), ApiError> {
    let group = call.open_entity(GROUP, action)?;
    let user = call.existing_entity(EntityKind::User)?;
    Ok((call.entity(GROUP, &group)?.name.clone(), user))
}

/// `AddUserToGroup`.
pub(super) fn add_user(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (group, user) = membership(call, "iam:AddUserToGroup")?;
    let user = call.entity_mut(EntityKind::User, &user)?;
    user.groups.insert(group);
    if user.groups.len() > GROUPS_OF_USER {
        let message = format!("Cannot exceed quota for GroupsPerUser: {GROUPS_OF_USER}");
        return Err(ApiError::new("LimitExceeded", message).status(409));
    }
    Ok(Value::Null)
}

/// `RemoveUserFromGroup`.
pub(super) fn remove_user(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (group, user) = membership(call, "iam:RemoveUserFromGroup")?;
    call.entity_mut(EntityKind::User, &user)?.groups.remove(&group);
    Ok(Value::Null)
}

/// `ListGroupsForUser`.
pub(super) fn list_for_user(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = call.open_entity(EntityKind::User, "iam:ListGroupsForUser")?;
    let user = call.entity(EntityKind::User, &key)?;
    let groups = user.groups.iter().filter_map(|name| call.state.groups.get(&entity(&user.account, name)));
    answer_page(call, "Groups", groups.map(|group| (group.name.clone(), described(group))))
}
