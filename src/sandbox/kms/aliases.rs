//! Aliases. Each change needs the permission on the alias and on every key that it touches.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html>

use super::find::{Found, Naming};
use super::paging;
use crate::ids::AliasName;
use crate::kms::{ALIASES_PER_KEY, KeySpec};
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::state::Alias;
use crate::sandbox::wire_json::epoch;
use serde_json::{Value, json};

/// Returns the alias that a call is about, and its ARN; names that AWS reserves or does not allow are refused.
fn named(call: &Call<'_>) -> Result<(AliasName, String), ApiError> {
    let text = call.params.required("AliasName")?;
    let plain = text.strip_prefix("alias/");
    if plain.is_some_and(|name| name.starts_with("aws/")) {
        return Err(ApiError::new("NotAuthorizedException", format!("{text} is reserved for AWS")));
    }
    if plain.is_none() {
        return Err(ApiError::validation("Invalid identifier: an alias must begin with 'alias/'"));
    }
    let name: AliasName = text.parse().map_err(|_| {
        let rule = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$, and have length at most 256";
        call.params.constraint("AliasName", text, rule)
    })?;
    let arn = call.own_arn(name.as_str());
    Ok((name, arn))
}

/// Checks the permission on the alias, by the caller's own policies.
fn authorize(call: &Call<'_>, action: &str, arn: &str) -> Result<(), ApiError> {
    call.authorize(&call.request(action, arn))
}

/// Returns the key that the alias shall point at; it must belong to the caller's account.
fn target(call: &mut Call<'_>, action: &str) -> Result<Found, ApiError> {
    let params = call.params;
    let found = call.find(params.required("TargetKeyId")?, Naming::KeyOnly)?;
    call.admit(&call.key_request(action, &found), &found)?;
    let key = call.key(&found)?;
    if key.aws_managed || key.arn.account() != call.caller.account {
        return Err(ApiError::validation(format!("{} is not a customer managed key of this account", found.arn)));
    }
    Ok(found)
}

fn unknown(arn: &str) -> ApiError {
    ApiError::not_found(format!("Alias {arn} is not found."))
}

/// `CreateAlias`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (name, arn) = named(call)?;
    authorize(call, "kms:CreateAlias", &arn)?;
    let found = target(call, "kms:CreateAlias")?;
    if call.state.aliases.get(&arn).is_some() {
        return Err(ApiError::new("AlreadyExistsException", format!("An alias with the name {arn} already exists")));
    }
    check_number(call, &found)?;
    call.lag.hide("alias", &arn);
    let alias = Alias {
        arn: arn.clone(),
        name: name.as_str().to_owned(),
        target: found.arn,
        created: call.now,
        updated: call.now,
    };
    call.state.aliases.insert(arn, alias);
    Ok(Value::Null)
}

fn check_number(call: &Call<'_>, found: &Found) -> Result<(), ApiError> {
    let count = call.state.aliases.iter().filter(|(_, alias)| alias.target == found.arn).count();
    if count >= ALIASES_PER_KEY {
        return Err(ApiError::new(
            "LimitExceededException",
            format!("{} has {ALIASES_PER_KEY} aliases already", found.arn),
        ));
    }
    Ok(())
}

/// Refuses to move an alias to a key of another type or usage.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateAlias.html>
fn check_same_kind(call: &Call<'_>, old: &Found, new: &Found) -> Result<(), ApiError> {
    let kind = |found: &Found| {
        call.key(found).map(|key| (key.usage, key.spec == KeySpec::SymmetricDefault, key.spec.is_asymmetric()))
    };
    if kind(old)? == kind(new)? {
        return Ok(());
    }
    let message = format!("{} and {} are keys of different types, or their usages differ", old.arn, new.arn);
    Err(ApiError::validation(message))
}

/// `UpdateAlias`.
pub(super) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (_, arn) = named(call)?;
    authorize(call, "kms:UpdateAlias", &arn)?;
    let old = call.state.aliases.get(&arn).map(|alias| alias.target.clone()).ok_or_else(|| unknown(&arn))?;
    let old = Found { arn: old, alias: None };
    // Away from a key that is pending deletion an alias may go: the state of the old key does not matter.
    call.authorize_on_key(&call.key_request("kms:UpdateAlias", &old), call.key(&old)?)?;
    let found = target(call, "kms:UpdateAlias")?;
    check_same_kind(call, &old, &found)?;
    if found.arn != old.arn {
        check_number(call, &found)?;
    }
    let now = call.now;
    let alias = call.state.aliases.get_mut(&arn).ok_or_else(|| unknown(&arn))?;
    alias.target = found.arn;
    alias.updated = now;
    Ok(Value::Null)
}

/// `DeleteAlias`.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (_, arn) = named(call)?;
    authorize(call, "kms:DeleteAlias", &arn)?;
    let target = call.state.aliases.get(&arn).map(|alias| alias.target.clone()).ok_or_else(|| unknown(&arn))?;
    let found = Found { arn: target, alias: None };
    call.admit(&call.key_request("kms:DeleteAlias", &found), &found)?;
    call.state.aliases.remove(&arn);
    Ok(Value::Null)
}

/// `ListAliases`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.authorize(&call.request("kms:ListAliases", "*"))?;
    let of_key = call.params.has("KeyId").then(|| call.named(Naming::KeyOnly)).transpose()?;
    let prefix = call.own_arn("alias/");
    let visible = call.state.aliases.iter().filter(|(arn, alias)| {
        arn.starts_with(&prefix)
            && of_key.as_ref().is_none_or(|found| found.arn == alias.target)
            && !call.lag.hides("alias", arn)
    });
    let items = visible.map(|(arn, alias)| {
        let entry = json!({
            "AliasName": alias.name,
            "AliasArn": alias.arn,
            "TargetKeyId": alias.target.key_id(),
            "CreationDate": epoch(alias.created),
            "LastUpdatedDate": epoch(alias.updated),
        });
        (arn.clone(), entry)
    });
    let answer = paging::answer(call.params, "Aliases", (50, 100), items)?;
    call.lag.listed("alias");
    Ok(answer)
}
