//! Grants.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use super::crypto::is_dry_run;
use super::find::{Found, Naming};
use super::{fit, keys, paging};
use crate::access::{CreateGrantRequest, GrantConstraints};
use crate::ids::{Arn, PrincipalArn};
use crate::kms::{CONSTRAINT_PAIRS, CONSTRAINT_VALUE_CHARS, GRANT_OPERATIONS, KeyShape, KeySpec};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::principals;
use crate::sandbox::random;
use crate::sandbox::state::Grant;
use crate::sandbox::wire_json::{Params, epoch};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the grant that a call describes, with an id of its own.
fn described(call: &Call<'_>, found: &Found) -> Result<Grant, ApiError> {
    let params = call.params;
    let shape = call.key(found)?.shape();
    let text = |name: &str| Ok::<_, ApiError>(params.text(name)?.map(str::to_owned));
    let grant = Grant {
        id: random::hex(32),
        token: random::hex(48),
        name: text("Name")?,
        created: call.now,
        issuing_account: format!("arn:{}:iam::{}:root", call.caller.partition(), call.caller.account),
        grantee: text("GranteePrincipal")?,
        grantee_service: text("GranteeServicePrincipal")?,
        retiring: text("RetiringPrincipal")?,
        retiring_service: text("RetiringServicePrincipal")?,
        operations: operations(params, shape)?,
        equals: None,
        subset: None,
        source_arn: None,
    };
    if grant.grantee.is_some() == grant.grantee_service.is_some() {
        return Err(params.invalid("A grant has either a GranteePrincipal or a GranteeServicePrincipal"));
    }
    if grant.retiring.is_some() && grant.retiring_service.is_some() {
        return Err(params.invalid("A grant has either a RetiringPrincipal or a RetiringServicePrincipal"));
    }
    for principal in [&grant.grantee, &grant.retiring].into_iter().flatten() {
        if principal.parse::<PrincipalArn>().is_err() || !principals::exists(call.state, principal) {
            let message = format!("ARN does not refer to a valid principal: {principal}");
            return Err(ApiError::new("InvalidArnException", message));
        }
    }
    with_constraints(grant, params, shape)
}

fn operations(params: &Params, shape: KeyShape) -> Result<Vec<String>, ApiError> {
    let operations = params.texts("Operations")?;
    if operations.is_empty() {
        return Err(params.constraint("Operations", "[]", "Member must have length greater than or equal to 1"));
    }
    for operation in &operations {
        if !GRANT_OPERATIONS.contains(&operation.as_str()) {
            let rule = format!("Member must satisfy enum value set: [{}]", GRANT_OPERATIONS.join(", "));
            return Err(params.constraint("Operations", operation, &rule));
        }
        if fit::misfit(shape, operation).is_some() {
            let KeyShape { spec, usage, .. } = shape;
            let message =
                format!("Operation {operation} is not fit for a key with KeySpec {spec} and KeyUsage {usage}");
            return Err(params.invalid(message));
        }
    }
    Ok(operations)
}

fn with_constraints(mut grant: Grant, params: &Params, shape: KeyShape) -> Result<Grant, ApiError> {
    let pattern = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b));
    if let Some(name) = &grant.name
        && (name.is_empty() || name.len() > 256 || !pattern(name))
    {
        let rule = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$";
        return Err(params.constraint("Name", name, rule));
    }
    let Some(constraints) = params.structure("Constraints")? else { return Ok(grant) };
    let pairs = |name: &str| -> Result<Option<BTreeMap<String, String>>, ApiError> {
        let map = constraints.map(name)?;
        if map.len() > CONSTRAINT_PAIRS || map.values().any(|value| value.chars().count() > CONSTRAINT_VALUE_CHARS) {
            let message =
                format!("{name} has at most 8 pairs, and values of at most {CONSTRAINT_VALUE_CHARS} characters");
            return Err(params.invalid(message));
        }
        Ok(constraints.has(name).then_some(map))
    };
    let of_context = ["EncryptionContextEquals", "EncryptionContextSubset"];
    if let Some(name) = of_context.into_iter().find(|name| constraints.has(name))
        && shape.spec != KeySpec::SymmetricDefault
    {
        return Err(params.invalid(format!("{name} is not fit for a key with KeySpec {}", shape.spec)));
    }
    grant.equals = pairs("EncryptionContextEquals")?;
    grant.subset = pairs("EncryptionContextSubset")?;
    grant.source_arn = constraints.text("SourceArn")?.map(str::to_owned);
    Ok(grant)
}

/// `CreateGrant`. With a name, the same parameters give the same grant.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.named(Naming::KeyOnly)?;
    let grant = described(call, &found)?;
    let mut request = call.key_request("kms:CreateGrant", &found);
    request.grant_is_for_aws_resource = Some(call.caller.via.is_some());
    request.grant = Some(CreateGrantRequest {
        operations: grant.operations.clone(),
        grantee_principal: grant.grantee.clone(),
        grantee_service_principal: grant.grantee_service.clone(),
        retiring_principal: grant.retiring.clone(),
        constraints: constraints(&grant),
    });
    call.admit(&request, &found)?;
    is_dry_run(call)?;
    let key = call.key_mut(&found)?;
    let same = |old: &&Grant| {
        let alike = Grant { id: old.id.clone(), token: old.token.clone(), created: old.created, ..grant.clone() };
        grant.name.is_some() && alike == **old
    };
    let old = key.grants.iter().find(same).cloned();
    if old.is_none() {
        key.grants.push(grant.clone());
    }
    let grant = old.unwrap_or(grant);
    Ok(json!({ "GrantId": grant.id, "GrantToken": grant.token }))
}

fn constraints(grant: &Grant) -> Option<GrantConstraints> {
    (grant.equals.is_some() || grant.subset.is_some() || grant.source_arn.is_some()).then(|| GrantConstraints {
        encryption_context_equals: grant.equals.clone(),
        encryption_context_subset: grant.subset.clone(),
        source_arn: grant.source_arn.clone(),
    })
}

fn entry(key_arn: &str, grant: &Grant) -> Value {
    let constraints = constraints(grant).map(|constraints| {
        json!({
            "EncryptionContextEquals": constraints.encryption_context_equals,
            "EncryptionContextSubset": constraints.encryption_context_subset,
            "SourceArn": constraints.source_arn,
        })
    });
    json!({
        "KeyId": key_arn,
        "GrantId": grant.id,
        "Name": grant.name.as_deref().unwrap_or_default(),
        "CreationDate": epoch(grant.created),
        // A service that is the grantee stands in both members.
        "GranteePrincipal": grant.grantee.as_ref().or(grant.grantee_service.as_ref()),
        "GranteeServicePrincipal": grant.grantee_service,
        "RetiringPrincipal": grant.retiring.as_ref().or(grant.retiring_service.as_ref()),
        "RetiringServicePrincipal": grant.retiring_service,
        "IssuingAccount": grant.issuing_account,
        "Operations": grant.operations,
        "Constraints": constraints,
    })
}

/// `ListGrants`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let (id, grantee) = (params.text("GrantId")?, params.text("GranteePrincipal")?);
    let service = params.text("GranteeServicePrincipal")?;
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:ListGrants", &found);
    request.grant_is_for_aws_resource = Some(call.caller.via.is_some());
    call.admit(&request, &found)?;
    let wanted = |grant: &&Grant| {
        id.is_none_or(|id| grant.id == id)
            && grantee.is_none_or(|wanted| grant.grantee.as_deref() == Some(wanted))
            && service.is_none_or(|wanted| grant.grantee_service.as_deref() == Some(wanted))
    };
    let mut grants: Vec<&Grant> = call.key(&found)?.grants.iter().filter(wanted).collect();
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    let items = grants.into_iter().map(|grant| (grant.id.clone(), entry(found.arn.as_str(), grant)));
    paging::answer(params, "Grants", (50, 100), items)
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found(format!("Grant ID {id} not found"))
}

fn remove(call: &mut Call<'_>, found: &Found, id: &str) -> Result<Value, ApiError> {
    is_dry_run(call)?;
    call.key_mut(found)?.grants.retain(|grant| grant.id != id);
    Ok(Value::Null)
}

/// `RevokeGrant`.
pub(super) fn revoke(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.params.required("GrantId")?;
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:RevokeGrant", &found);
    request.grant_is_for_aws_resource = Some(call.caller.via.is_some());
    call.admit(&request, &found)?;
    if !call.key(&found)?.grants.iter().any(|grant| grant.id == id) {
        return Err(unknown(id));
    }
    remove(call, &found, id)
}

/// `RetireGrant`, by token or by key ARN and grant id.
pub(super) fn retire(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let (found, id) = match (params.text("GrantToken")?, params.text("KeyId")?, params.text("GrantId")?) {
        (Some(token), None, None) => by_token(call, token)?,
        (None, Some(key), Some(id)) if key.parse::<Arn>().is_ok() => (call.find(key, Naming::KeyOnly)?, id.to_owned()),
        _ => return Err(params.invalid("RetireGrant takes a GrantToken, or the ARN of a key as KeyId and a GrantId")),
    };
    if !call.key(&found)?.grants.iter().any(|grant| grant.id == id) {
        return Err(unknown(&id));
    }
    let mut request = call.key_request("kms:RetireGrant", &found);
    request.retire_grant_id = Some(id.clone());
    call.admit(&request, &found)?;
    remove(call, &found, &id)
}

fn by_token(call: &Call<'_>, token: &str) -> Result<(Found, String), ApiError> {
    let mut all = call.state.keys.iter().flat_map(|(_, key)| key.grants.iter().map(move |grant| (key, grant)));
    let found = all.find(|(key, grant)| grant.token == token && key.arn.region() == call.caller.region);
    let invalid = || ApiError::new("InvalidGrantTokenException", "The grant token is not valid");
    found.map(|(key, grant)| (Found { arn: key.arn.clone(), alias: None }, grant.id.clone())).ok_or_else(invalid)
}

/// `ListRetirableGrants`.
pub(super) fn list_retirable(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let principal = params.required("RetiringPrincipal")?;
    call.authorize(&call.request("kms:ListRetirableGrants", "*"))?;
    let here = call.state.keys.iter().filter(|(_, key)| keys::is_here(call.caller, &key.arn));
    let grants = here.flat_map(|(arn, key)| key.grants.iter().map(move |grant| (arn, grant)));
    let mut items: Vec<(String, Value)> = grants
        .filter(|(_, grant)| grant.retiring.as_deref() == Some(principal))
        .map(|(arn, grant)| (grant.id.clone(), entry(arn, grant)))
        .collect();
    items.sort_by(|a, b| a.0.cmp(&b.0));
    paging::answer(params, "Grants", (50, 100), items.into_iter())
}
