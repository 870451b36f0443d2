//! All identities of an account with all their policies, in pages.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>

use super::managed;
use super::roles::boundary;
use super::{page_of, tag_list};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::identity::ADMINISTRATOR_ACCESS;
use crate::sandbox::state::Entity;
use crate::sandbox::wire_query::{iso, percent_encode};
use serde_json::{Map, Value, json};

/// What a caller may limit the answer to, and the list in which it stands.
const FILTERS: [(&str, &str); 5] = [
    ("User", "UserDetailList"),
    ("Group", "GroupDetailList"),
    ("Role", "RoleDetailList"),
    ("LocalManagedPolicy", "Policies"),
    ("AWSManagedPolicy", "Policies"),
];

/// `GetAccountAuthorizationDetails`: as AWS, with those policies of AWS's own alone that are in use.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let asked = call.params.texts("Filter")?;
    let known = |text: &String| FILTERS.iter().any(|(filter, _)| filter == text);
    if let Some(unknown) = asked.iter().find(|text| !known(text)) {
        let rule = "Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]";
        return Err(call.params.constraint("filter", unknown, rule));
    }
    call.authorize(&call.request("iam:GetAccountAuthorizationDetails", "*"))?;
    let wanted = FILTERS.iter().enumerate();
    let wanted = wanted.filter(|(_, (filter, _))| asked.is_empty() || asked.iter().any(|text| text == filter));
    let items = wanted.flat_map(|(order, (filter, list))| {
        let details = details(call, filter).into_iter();
        details.map(move |(name, detail)| (format!("{order}{name}"), json!([list, detail])))
    });
    let (page, next) = page_of(call, items)?;
    let mut answer: Map<String, Value> = FILTERS.iter().map(|(_, list)| ((*list).to_owned(), json!([]))).collect();
    for item in page {
        if let Value::Array(pair) = item
            && let Ok([list, detail]) = <[Value; 2]>::try_from(pair)
            && let Some(list) = list.as_str().and_then(|list| answer.get_mut(list)).and_then(Value::as_array_mut)
        {
            list.push(detail);
        }
    }
    answer.insert("IsTruncated".to_owned(), json!(next.is_some()));
    answer.insert("Marker".to_owned(), json!(next));
    Ok(Value::Object(answer))
}

/// Returns the entities or policies of one filter, by name.
fn details(call: &Call<'_>, filter: &str) -> Vec<(String, Value)> {
    let account = &call.caller.account;
    let entities = |table: &crate::sandbox::table::Table<Entity>, detail: fn(&Entity) -> Value| {
        let own = table.iter().map(|(_, entity)| entity).filter(|entity| entity.account == *account);
        own.map(|entity| (entity.name.clone(), detail(entity))).collect()
    };
    match filter {
        "User" => entities(&call.state.users, user),
        "Group" => entities(&call.state.groups, group),
        "Role" => entities(&call.state.roles, role),
        "LocalManagedPolicy" => {
            let prefix = call.iam_arn("policy/");
            let own = call.state.policies.iter().filter(|(arn, _)| arn.starts_with(&prefix));
            own.map(|(arn, policy)| (arn.clone(), managed::detail(call, policy))).collect()
        }
        _ => {
            let policy = managed::administrator_access();
            let used = managed::users(call.state, account, ADMINISTRATOR_ACCESS).next().is_some();
            used.then(|| (policy.arn.clone(), managed::detail(call, &policy))).into_iter().collect()
        }
    }
}

/// Returns inline policies with their documents.
fn inline(entity: &Entity) -> Value {
    let policy =
        |(name, text): (&String, &String)| json!({ "PolicyName": name, "PolicyDocument": percent_encode(text) });
    entity.inline.iter().map(policy).collect()
}

fn attached(entity: &Entity) -> Value {
    entity.attached.iter().map(|arn| managed::reference(arn)).collect()
}

fn user(user: &Entity) -> Value {
    json!({
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": iso(user.created),
        "UserPolicyList": inline(user),
        "GroupList": user.groups,
        "AttachedManagedPolicies": attached(user),
        "PermissionsBoundary": user.boundary.as_deref().map(boundary),
        "Tags": tag_list(&user.tags),
    })
}

fn group(group: &Entity) -> Value {
    json!({
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": iso(group.created),
        "GroupPolicyList": inline(group),
        "AttachedManagedPolicies": attached(group),
    })
}

fn role(role: &Entity) -> Value {
    json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": iso(role.created),
        "AssumeRolePolicyDocument": percent_encode(&role.trust),
        "InstanceProfileList": [],
        "RolePolicyList": inline(role),
        "AttachedManagedPolicies": attached(role),
        "PermissionsBoundary": role.boundary.as_deref().map(boundary),
        "Tags": tag_list(&role.tags),
        "RoleLastUsed": {},
    })
}
