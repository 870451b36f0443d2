//! Tags of keys.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_TagResource.html>

use super::find::{Found, Naming};
use super::paging;
use crate::kms::{TAG_KEY_CHARS, TAG_VALUE_CHARS, TAGS_PER_KEY};
use crate::sandbox::call::{Call, with_tags};
use crate::sandbox::error::ApiError;
use crate::sandbox::wire_json::Params;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the tags of a request, as written.
pub(super) fn given(structures: &[Params]) -> Result<Vec<(String, String)>, ApiError> {
    let pair = |tag: &Params| {
        let missing = || tag.constraint("TagValue", "null", "Member must not be null");
        Ok((tag.required("TagKey")?.to_owned(), tag.text("TagValue")?.ok_or_else(missing)?.to_owned()))
    };
    structures.iter().map(pair).collect()
}

/// Checks tags that are added to others.
pub(in crate::sandbox) fn check(tags: &[(String, String)], old: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let wrong = |message: String| Err(ApiError::new("TagException", message));
    let legal = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c));
    let mut keys = BTreeSet::new();
    for (key, value) in tags {
        if key.starts_with("aws:") {
            return wrong(format!("Tag key {key} begins with aws:, which is reserved"));
        }
        if key.is_empty() || key.chars().count() > TAG_KEY_CHARS || value.chars().count() > TAG_VALUE_CHARS {
            return wrong(format!("Tag {key} is too long: keys have 1 to 128 characters, values up to 256"));
        }
        if !legal(key) || !legal(value) {
            return wrong(format!("Tag {key} has an illegal character"));
        }
        if !keys.insert(key.as_str()) {
            return wrong(format!("Tag key {key} occurs twice"));
        }
    }
    if old.keys().map(String::as_str).chain(keys).collect::<BTreeSet<_>>().len() > TAGS_PER_KEY {
        return wrong(format!("A key can have at most {TAGS_PER_KEY} tags"));
    }
    Ok(())
}

/// A change of a key's tags.
pub(in crate::sandbox) enum Change {
    /// Adds or overwrites.
    Add(Vec<(String, String)>),
    /// Removes; keys that are not there do not matter.
    Remove(Vec<String>),
}

/// Changes a key's tags, if the caller may.
pub(super) fn apply(call: &mut Call<'_>, found: &Found, change: Change) -> Result<(), ApiError> {
    let action = match change {
        Change::Add(_) => "kms:TagResource",
        Change::Remove(_) => "kms:UntagResource",
    };
    let mut request = call.key_request(action, found);
    match &change {
        Change::Add(tags) => with_tags(&mut request, tags.iter().map(|(key, value)| (key, Some(value)))),
        Change::Remove(keys) => with_tags(&mut request, keys.iter().map(|key| (key, None))),
    }
    call.admit(&request, found)?;
    if let Change::Add(tags) = &change {
        check(tags, &call.key(found)?.tags)?;
    }
    call.lag.hide("tags", found.arn.as_str());
    let key = call.key_mut(found)?;
    match change {
        Change::Add(tags) => key.tags.extend(tags),
        Change::Remove(keys) => key.tags.retain(|name, _| !keys.contains(name)),
    }
    Ok(())
}

/// Changes the tags of the key with an ARN: what the tagging API does.
pub(in crate::sandbox) fn key_tag_change(call: &mut Call<'_>, arn: &str, change: Change) -> Result<(), ApiError> {
    let found = call.find(arn, Naming::KeyOnly)?;
    apply(call, &found, change)
}

/// `TagResource`.
pub(super) fn tag(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    if !params.has("Tags") {
        return Err(params.constraint("Tags", "null", "Member must not be null"));
    }
    let tags = given(&params.structures("Tags")?)?;
    let found = call.named(Naming::KeyOnly)?;
    apply(call, &found, Change::Add(tags))?;
    Ok(Value::Null)
}

/// `UntagResource`.
pub(super) fn untag(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    if !params.has("TagKeys") {
        return Err(params.constraint("TagKeys", "null", "Member must not be null"));
    }
    let keys = params.texts("TagKeys")?;
    let found = call.named(Naming::KeyOnly)?;
    apply(call, &found, Change::Remove(keys))?;
    Ok(Value::Null)
}

/// `ListResourceTags`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:ListResourceTags")?;
    let tags = call.key(&found)?.tags.iter();
    let items = tags.map(|(key, value)| (key.clone(), json!({ "TagKey": key, "TagValue": value })));
    paging::answer(call.params, "Tags", (50, 50), items)
}
