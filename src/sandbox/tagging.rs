//! The Resource Groups Tagging API, for KMS keys.
//!
//! <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/overview.html>

use super::call::{Call, Handler};
use super::error::ApiError;
use super::kms::{TagChange, after, key_tag_change, page};
use super::state::Key;
use super::wire_json::Params;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Every operation, by name.
pub(super) const OPERATIONS: &[(&str, Handler)] = &[
    ("GetResources", get_resources),
    ("GetTagKeys", tag_keys),
    ("GetTagValues", tag_values),
    ("TagResources", tag_resources),
    ("UntagResources", untag_resources),
];

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

/// A filter: the tag is there, with one of the values if there are any.
struct Filter {
    key: String,
    values: Vec<String>,
}

impl Filter {
    fn read(params: &Params) -> Result<Self, ApiError> {
        Ok(Self { key: params.required("Key")?.to_owned(), values: params.texts("Values")? })
    }

    fn matches(&self, key: &Key) -> bool {
        key.tags.get(&self.key).is_some_and(|value| self.values.is_empty() || self.values.contains(value))
    }
}

/// Returns whether the types that are asked for include KMS keys.
fn wants_keys(types: &[String]) -> bool {
    types.is_empty() || types.iter().any(|kind| kind == "kms" || kind == "kms:key")
}

/// Returns the caller's tagged keys in the Region.
fn tagged<'a>(call: &'a Call<'_>) -> impl Iterator<Item = (&'a String, &'a Key)> {
    let caller = call.caller;
    call.state.keys.iter().filter(move |(arn, key)| {
        let place = key.arn.arn();
        place.account() == caller.account.as_str()
            && place.region() == caller.region.as_str()
            && !key.tags.is_empty()
            && !call.lag.hides("tags", arn)
    })
}

/// Answers with a page; the last page has an empty token.
fn answer(call: &Call<'_>, member: &str, limit: i64, items: Vec<(String, Value)>) -> Result<Value, ApiError> {
    let token = call.params.text("PaginationToken")?.filter(|token| !token.is_empty());
    let expired = |_| ApiError::new("PaginationTokenExpiredException", "The pagination token is not valid");
    let after = after(token).map_err(expired)?;
    let limit = usize::try_from(limit).unwrap_or(1);
    let (page, next) = page(items.into_iter(), limit, after.as_deref());
    Ok(json!({ member: page, "PaginationToken": next.unwrap_or_default() }))
}

/// `GetResources`.
fn get_resources(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    call.authorize(&call.request("tag:GetResources", "*"))?;
    let filters = params.structures("TagFilters")?.iter().map(Filter::read).collect::<Result<Vec<_>, _>>()?;
    let types = params.texts("ResourceTypeFilters")?;
    let arns = params.texts("ResourceARNList")?;
    if !arns.is_empty() && (!filters.is_empty() || !types.is_empty()) {
        return Err(invalid("ResourceARNList cannot be combined with TagFilters or ResourceTypeFilters"));
    }
    let limit = params.integer("ResourcesPerPage")?.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(invalid("ResourcesPerPage is between 1 and 100"));
    }
    let wanted = |(arn, key): &(&String, &Key)| {
        wants_keys(&types)
            && (arns.is_empty() || arns.contains(arn))
            && filters.iter().all(|filter| filter.matches(key))
    };
    let entry = |(arn, key): (&String, &Key)| {
        let tags: Vec<Value> = key.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        (arn.clone(), json!({ "ResourceARN": arn, "Tags": tags }))
    };
    let items = tagged(call).filter(wanted).map(entry).collect();
    let answer = answer(call, "ResourceTagMappingList", limit, items)?;
    call.lag.listed("tags");
    Ok(answer)
}

/// `GetTagKeys`.
fn tag_keys(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.authorize(&call.request("tag:GetTagKeys", "*"))?;
    let keys: BTreeSet<&String> = tagged(call).flat_map(|(_, key)| key.tags.keys()).collect();
    let items = keys.into_iter().map(|key| (key.clone(), Value::from(key.as_str()))).collect();
    answer(call, "TagKeys", 1000, items)
}

/// `GetTagValues`.
fn tag_values(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let wanted = call.params.required("Key")?;
    call.authorize(&call.request("tag:GetTagValues", "*"))?;
    let values: BTreeSet<&String> = tagged(call).filter_map(|(_, key)| key.tags.get(wanted)).collect();
    let items = values.into_iter().map(|value| (value.clone(), Value::from(value.as_str()))).collect();
    answer(call, "TagValues", 1000, items)
}

/// Changes every resource of a request; what fails is listed by ARN.
fn change(call: &mut Call<'_>, change: impl Fn() -> TagChange) -> Result<Value, ApiError> {
    let arns = call.params.texts("ResourceARNList")?;
    if arns.is_empty() || arns.len() > 20 {
        return Err(invalid("ResourceARNList has 1 to 20 members"));
    }
    let mut failed = Map::new();
    for arn in arns {
        if let Err(error) = key_tag_change(call, &arn, change()) {
            let detail = json!({
                "StatusCode": error.status,
                "ErrorCode": "InvalidParameterException",
                "ErrorMessage": format!("{}: {}", error.code, error.message),
            });
            failed.insert(arn, detail);
        }
    }
    Ok(json!({ "FailedResourcesMap": failed }))
}

/// `TagResources`: also needs `kms:TagResource` on each key.
fn tag_resources(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let tags: Vec<(String, String)> = call.params.map("Tags")?.into_iter().collect();
    call.authorize(&call.request("tag:TagResources", "*"))?;
    change(call, || TagChange::Add(tags.clone()))
}

/// `UntagResources`: also needs `kms:UntagResource` on each key.
fn untag_resources(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let keys = call.params.texts("TagKeys")?;
    call.authorize(&call.request("tag:UntagResources", "*"))?;
    change(call, || TagChange::Remove(keys.clone()))
}
