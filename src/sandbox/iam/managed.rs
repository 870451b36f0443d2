//! Managed policies: those of customers, and the one of AWS that the sandbox has.

use super::{answer_page, documents, name, path, tag_list, tags};
use crate::ids::AccountId;
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::identity::ADMINISTRATOR_ACCESS;
use crate::sandbox::random;
use crate::sandbox::state::{ADMINISTRATOR, Entity, ManagedPolicy, State};
use crate::sandbox::wire_query::iso;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the roles, users and groups of an account to which a policy is attached, or whose boundary it is.
pub(super) fn users<'a>(state: &'a State, account: &'a AccountId, arn: &'a str) -> impl Iterator<Item = &'a Entity> {
    let all = state.roles.iter().chain(state.users.iter()).chain(state.groups.iter()).map(|(_, entity)| entity);
    all.filter(move |entity| {
        entity.account == *account && (entity.attached.contains(arn) || entity.boundary.as_deref() == Some(arn))
    })
}

fn described(call: &Call<'_>, policy: &ManagedPolicy) -> Value {
    let users = || users(call.state, &call.caller.account, &policy.arn);
    json!({
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": format!("v{}", policy.default_number()),
        "AttachmentCount": users().filter(|entity| entity.attached.contains(&policy.arn)).count(),
        "PermissionsBoundaryUsageCount": users().filter(|entity| entity.boundary.as_ref() == Some(&policy.arn)).count(),
        "IsAttachable": true,
        "Description": policy.description,
        "CreateDate": iso(policy.created),
        "UpdateDate": iso(policy.updated()),
        "Tags": if policy.tags.is_empty() { Value::Null } else { tag_list(&policy.tags) },
    })
}

/// Returns a policy as the list of all identities shows it: with all its versions, and without its tags.
pub(super) fn detail(call: &Call<'_>, policy: &ManagedPolicy) -> Value {
    let mut value = described(call, policy);
    if let Some(fields) = value.as_object_mut() {
        fields.remove("Tags");
        // The latest first, as AWS gives them.
        let versions = policy.versions().into_values().rev().collect();
        fields.insert("PolicyVersionList".to_owned(), versions);
    }
    value
}

/// Returns an attached policy as IAM lists it.
pub(super) fn reference(arn: &str) -> Value {
    json!({ "PolicyName": arn.rsplit('/').next().unwrap_or_default(), "PolicyArn": arn })
}

/// Returns the one policy of AWS's own that the sandbox has.
pub(super) fn administrator_access() -> ManagedPolicy {
    ManagedPolicy {
        arn: ADMINISTRATOR_ACCESS.to_owned(),
        id: "ANPAIWMBCKSKIEE64ZLYK".to_owned(),
        name: "AdministratorAccess".to_owned(),
        path: "/".to_owned(),
        description: Some("Provides full access to AWS services and resources.".to_owned()),
        document: ADMINISTRATOR.to_owned(),
        tags: BTreeMap::new(),
        created: Timestamp::UNIX_EPOCH,
        default: None,
        others: BTreeMap::new(),
        later: 0,
    }
}

/// `CreatePolicy`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let (name, path) = (name(params, "PolicyName", 128)?, path(params)?);
    let document = params.required("PolicyDocument")?;
    let arn = call.iam_arn(&format!("policy{path}{name}"));
    call.authorize(&call.request("iam:CreatePolicy", &arn))?;
    documents::check_managed(document)?;
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
        default: None,
        others: BTreeMap::new(),
        later: 0,
    };
    let answer = json!({ "Policy": described(call, &policy) });
    call.state.policies.insert(arn, policy);
    Ok(answer)
}

/// Returns a policy that a request names by ARN, if the caller may do the action on it.
pub(super) fn open(call: &Call<'_>, action: &str) -> Result<ManagedPolicy, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    call.authorize(&call.request(action, arn))?;
    if arn == ADMINISTRATOR_ACCESS {
        return Ok(administrator_access());
    }
    let own = arn.starts_with(&call.iam_arn("policy/"));
    let found = call.state.policies.get(arn).filter(|_| own);
    found.cloned().ok_or_else(|| ApiError::no_such_entity(format!("Policy {arn} was not found.")))
}

/// Returns a customer's policy that a request is about to change, if the caller may.
pub(super) fn own(call: &Call<'_>, action: &str) -> Result<ManagedPolicy, ApiError> {
    let policy = open(call, action)?;
    if policy.arn == ADMINISTRATOR_ACCESS {
        let message = format!("Policy {} is managed by AWS and cannot be changed.", policy.arn);
        return Err(ApiError::new("AccessDenied", message).status(403));
    }
    Ok(policy)
}

impl Call<'_> {
    /// Returns a policy that was found, to be changed.
    pub(super) fn policy_mut(&mut self, arn: &str) -> Result<&mut ManagedPolicy, ApiError> {
        let missing = || ApiError::no_such_entity(format!("Policy {arn} was not found."));
        self.state.policies.get_mut(arn).ok_or_else(missing)
    }
}

/// `GetPolicy`.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let policy = open(call, "iam:GetPolicy")?;
    Ok(json!({ "Policy": described(call, &policy) }))
}

/// `ListPolicies`: those of the account and of AWS.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let scope = params.choice("Scope", &["All", "AWS", "Local"])?.unwrap_or("All");
    let (path, in_use) = (params.text("PathPrefix")?.unwrap_or("/"), params.flag("OnlyAttached")?);
    let prefix = call.iam_arn("policy/");
    call.authorize(&call.request("iam:ListPolicies", &prefix))?;
    let of_aws = administrator_access();
    let own = call.state.policies.iter().filter(|(arn, _)| arn.starts_with(&prefix)).map(|(_, policy)| policy);
    let own = own.filter(|_| scope != "AWS");
    let all = own.chain(Some(&of_aws).filter(|_| scope != "Local")).filter(|policy| {
        let used = || users(call.state, &call.caller.account, &policy.arn).next().is_some();
        policy.path.starts_with(path) && (!in_use || used())
    });
    answer_page(call, "Policies", all.map(|policy| (policy.arn.clone(), described(call, policy))))
}

/// `DeletePolicy`.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let policy = own(call, "iam:DeletePolicy")?;
    let conflict = |message: &str| Err(ApiError::new("DeleteConflict", message).status(409));
    if users(call.state, &call.caller.account, &policy.arn).next().is_some() {
        return conflict("Cannot delete a policy attached to entities.");
    }
    if !policy.others.is_empty() {
        return conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions.              The default version is deleted with the policy.",
        );
    }
    call.state.policies.remove(&policy.arn);
    Ok(Value::Null)
}
