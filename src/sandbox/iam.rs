//! IAM: the table of operations, and what they share.

mod attached;
mod details;
mod documents;
mod groups;
mod inline;
mod managed;
mod providers;
mod roles;
mod simulate;
mod users;
mod versions;

use super::call::{Call, Handler};
use super::error::ApiError;
use super::kms::{after, page};
use super::state::{Entity, EntityKind, entity};
use super::table::Table;
use super::wire_json::Params;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use EntityKind::{Group, Role, User};
pub(super) use documents::check_session_policy;

/// Every operation, by name.
pub(super) const OPERATIONS: &[(&str, Handler)] = &[
    ("CreateRole", roles::create),
    ("GetRole", roles::get),
    ("ListRoles", roles::list),
    ("UpdateRole", roles::update),
    ("UpdateAssumeRolePolicy", roles::update_trust),
    ("DeleteRole", roles::delete),
    ("TagRole", |call| tag(call, Role)),
    ("UntagRole", |call| untag(call, Role)),
    ("ListRoleTags", |call| list_tags(call, Role)),
    ("PutRolePolicy", |call| inline::put(call, Role)),
    ("GetRolePolicy", |call| inline::get(call, Role)),
    ("DeleteRolePolicy", |call| inline::delete(call, Role)),
    ("ListRolePolicies", |call| inline::list(call, Role)),
    ("AttachRolePolicy", |call| attached::attach(call, Role)),
    ("DetachRolePolicy", |call| attached::detach(call, Role)),
    ("ListAttachedRolePolicies", |call| attached::list(call, Role)),
    ("PutRolePermissionsBoundary", |call| attached::put_boundary(call, Role)),
    ("DeleteRolePermissionsBoundary", |call| attached::delete_boundary(call, Role)),
    ("CreateUser", users::create),
    ("GetUser", users::get),
    ("ListUsers", users::list),
    ("DeleteUser", users::delete),
    ("CreateAccessKey", users::create_access_key),
    ("ListAccessKeys", users::list_access_keys),
    ("DeleteAccessKey", users::delete_access_key),
    ("TagUser", |call| tag(call, User)),
    ("UntagUser", |call| untag(call, User)),
    ("ListUserTags", |call| list_tags(call, User)),
    ("PutUserPolicy", |call| inline::put(call, User)),
    ("GetUserPolicy", |call| inline::get(call, User)),
    ("DeleteUserPolicy", |call| inline::delete(call, User)),
    ("ListUserPolicies", |call| inline::list(call, User)),
    ("AttachUserPolicy", |call| attached::attach(call, User)),
    ("DetachUserPolicy", |call| attached::detach(call, User)),
    ("ListAttachedUserPolicies", |call| attached::list(call, User)),
    ("PutUserPermissionsBoundary", |call| attached::put_boundary(call, User)),
    ("DeleteUserPermissionsBoundary", |call| attached::delete_boundary(call, User)),
    ("CreateGroup", groups::create),
    ("GetGroup", groups::get),
    ("ListGroups", groups::list),
    ("DeleteGroup", groups::delete),
    ("AddUserToGroup", groups::add_user),
    ("RemoveUserFromGroup", groups::remove_user),
    ("ListGroupsForUser", groups::list_for_user),
    ("PutGroupPolicy", |call| inline::put(call, Group)),
    ("GetGroupPolicy", |call| inline::get(call, Group)),
    ("DeleteGroupPolicy", |call| inline::delete(call, Group)),
    ("ListGroupPolicies", |call| inline::list(call, Group)),
    ("AttachGroupPolicy", |call| attached::attach(call, Group)),
    ("DetachGroupPolicy", |call| attached::detach(call, Group)),
    ("ListAttachedGroupPolicies", |call| attached::list(call, Group)),
    ("CreatePolicy", managed::create),
    ("GetPolicy", managed::get),
    ("ListPolicies", managed::list),
    ("DeletePolicy", managed::delete),
    ("CreatePolicyVersion", versions::create),
    ("GetPolicyVersion", versions::get),
    ("ListPolicyVersions", versions::list),
    ("SetDefaultPolicyVersion", versions::set_default),
    ("DeletePolicyVersion", versions::delete),
    ("CreateOpenIDConnectProvider", providers::create),
    ("GetOpenIDConnectProvider", providers::get),
    ("ListOpenIDConnectProviders", providers::list),
    ("DeleteOpenIDConnectProvider", providers::delete),
    ("GetAccountAuthorizationDetails", details::get),
    ("SimulateCustomPolicy", simulate::custom),
    ("SimulatePrincipalPolicy", simulate::principal),
];

impl EntityKind {
    /// Returns the word in ARNs and in messages.
    fn word(self) -> &'static str {
        match self {
            Role => "role",
            User => "user",
            Group => "group",
        }
    }

    /// Returns the word in names of parameters and operations.
    fn capital(self) -> &'static str {
        match self {
            Role => "Role",
            User => "User",
            Group => "Group",
        }
    }

    /// Returns the name of the parameter that names the entity.
    fn parameter(self) -> &'static str {
        match self {
            Role => "RoleName",
            User => "UserName",
            Group => "GroupName",
        }
    }
}

/// Returns whether a text is a legal name of an entity or policy: letters, digits and `_+=,.@-`.
fn is_name(text: &str, longest: usize) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    (1..=longest).contains(&text.len()) && text.bytes().all(legal)
}

/// Returns a name that must be given and legal.
fn name<'a>(params: &'a Params, parameter: &str, longest: usize) -> Result<&'a str, ApiError> {
    let text = params.required(parameter)?;
    if is_name(text, longest) {
        return Ok(text);
    }
    let rule =
        format!("Member must satisfy regular expression pattern: [\\w+=,.@-]+, and have at most {longest} characters");
    Err(params.constraint(parameter, text, &rule))
}

/// Returns a path: `/`, or something between slashes.
fn path(params: &Params) -> Result<&str, ApiError> {
    let path = params.bounded("Path", 512)?.unwrap_or("/");
    let legal = path.bytes().all(|b| (0x21..=0x7e).contains(&b));
    if legal && path.starts_with('/') && path.ends_with('/') {
        return Ok(path);
    }
    Err(params.constraint("Path", path, "Member must begin and end with / and contain no white space"))
}

/// Returns the tags of a request.
fn tags(params: &Params) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in params.structures("Tags")? {
        let key = tag.required("Key")?.to_owned();
        let value = tag.text("Value")?.unwrap_or_default().to_owned();
        if key.starts_with("aws:") || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(params.invalid(format!("Tag key {key} is reserved or too long")));
        }
        if tags.insert(key.clone(), value).is_some() {
            let message = format!("Duplicate tag keys found: {key}. Tag keys are case insensitive.");
            return Err(ApiError::new("InvalidInput", message));
        }
    }
    if tags.len() > 50 {
        return Err(params.invalid("An entity has at most 50 tags"));
    }
    Ok(tags)
}

/// Returns tags as IAM lists them.
fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Answers with a page of an IAM list.
fn answer_page(call: &Call<'_>, member: &str, items: impl Iterator<Item = (String, Value)>) -> Result<Value, ApiError> {
    let (page, next) = page_of(call, items)?;
    Ok(json!({ member: page, "IsTruncated": next.is_some(), "Marker": next }))
}

/// Returns the page that a request asks for, and the marker of the next.
fn page_of(
    call: &Call<'_>,
    items: impl Iterator<Item = (String, Value)>,
) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let limit = call.params.within("MaxItems", 1..=1000)?.unwrap_or(100);
    let after = after(call.params.text("Marker")?).map_err(|error| call.params.invalid(error.message))?;
    Ok(page(items, usize::try_from(limit).unwrap_or(1), after.as_deref()))
}

impl Call<'_> {
    fn entities(&self, kind: EntityKind) -> &Table<Entity> {
        match kind {
            Role => &self.state.roles,
            User => &self.state.users,
            Group => &self.state.groups,
        }
    }

    fn entities_mut(&mut self, kind: EntityKind) -> &mut Table<Entity> {
        match kind {
            Role => &mut self.state.roles,
            User => &mut self.state.users,
            Group => &mut self.state.groups,
        }
    }

    /// Returns the ARN that an IAM resource of the caller's account has, or would have.
    fn iam_arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.caller.partition(), self.caller.account)
    }

    /// Finds the entity that a request names, if the caller may do the action on it.
    fn open_entity(&self, kind: EntityKind, action: &str) -> Result<String, ApiError> {
        let name = self.params.required(kind.parameter())?;
        let row = self.entities(kind).get(&entity(&self.caller.account, name));
        let arn = row.map_or_else(|| self.iam_arn(&format!("{}/{name}", kind.word())), |row| row.arn.clone());
        self.authorize(&self.request(action, &arn))?;
        self.existing_entity(kind)
    }

    /// Finds the entity that a request names, on which the caller needs no right.
    fn existing_entity(&self, kind: EntityKind) -> Result<String, ApiError> {
        let name = self.params.required(kind.parameter())?;
        let key = entity(&self.caller.account, name);
        if self.entities(kind).get(&key).is_some() {
            return Ok(key);
        }
        Err(ApiError::no_such_entity(format!("The {} with name {name} cannot be found.", kind.word())))
    }

    /// Returns an entity that was found.
    fn entity(&self, kind: EntityKind, key: &str) -> Result<&Entity, ApiError> {
        self.entities(kind).get(key).ok_or_else(|| ApiError::no_such_entity(format!("{key} cannot be found.")))
    }

    /// Returns an entity that was found, to be changed.
    fn entity_mut(&mut self, kind: EntityKind, key: &str) -> Result<&mut Entity, ApiError> {
        let missing = || ApiError::no_such_entity(format!("{key} cannot be found."));
        self.entities_mut(kind).get_mut(key).ok_or_else(missing)
    }

    /// Finds the entity that a request names, to be changed, if the caller may.
    fn open_entity_mut(&mut self, kind: EntityKind, action: &str) -> Result<&mut Entity, ApiError> {
        let key = self.open_entity(kind, action)?;
        self.entity_mut(kind, &key)
    }
}

/// `TagRole`, `TagUser`.
fn tag(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let tags = tags(call.params)?;
    let entity = call.open_entity_mut(kind, &format!("iam:Tag{}", kind.capital()))?;
    entity.tags.extend(tags);
    Ok(Value::Null)
}

/// `UntagRole`, `UntagUser`.
fn untag(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let keys = call.params.texts("TagKeys")?;
    let entity = call.open_entity_mut(kind, &format!("iam:Untag{}", kind.capital()))?;
    entity.tags.retain(|key, _| !keys.contains(key));
    Ok(Value::Null)
}

/// `ListRoleTags`, `ListUserTags`.
fn list_tags(call: &mut Call<'_>, kind: EntityKind) -> Result<Value, ApiError> {
    let key = call.open_entity(kind, &format!("iam:List{}Tags", kind.capital()))?;
    let tags = &call.entity(kind, &key)?.tags;
    let items = tags.iter().map(|(key, value)| (key.clone(), json!({ "Key": key, "Value": value })));
    answer_page(call, "Tags", items)
}
