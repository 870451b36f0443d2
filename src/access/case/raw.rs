//! The case format as it is written.

use super::Expected;
use crate::access::ContextValue;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

type Pairs = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) schema_version: u32,
    pub(super) cases: Vec<RawCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCase {
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    pub(super) request: RawRequest,
    pub(super) principal: RawPrincipal,
    pub(super) key: Option<RawKey>,
    pub(super) guardrails: Option<RawGuardrails>,
    pub(super) expected: Option<RawExpected>,
    #[serde(default)]
    pub(super) contested: bool,
    pub(super) resolved_context: Option<BTreeMap<String, RawValue>>,
    // For readers of the file.
    #[serde(rename = "group", default)]
    _group: Option<String>,
    #[serde(rename = "why", default)]
    _why: Option<String>,
    #[serde(rename = "source", default)]
    _source: Vec<String>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpected {
    pub(super) decision: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequest {
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) region: Option<String>,
    #[serde(default)]
    pub(super) encryption_context: Pairs,
    pub(super) via_service: Option<String>,
    pub(super) request_alias: Option<String>,
    pub(super) grant: Option<RawNewGrant>,
    pub(super) grant_is_for_aws_resource: Option<bool>,
    pub(super) retire_grant_id: Option<String>,
    #[serde(default)]
    pub(super) context: BTreeMap<String, Option<RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNewGrant {
    pub(super) operations: Vec<String>,
    pub(super) grantee_principal: Option<String>,
    pub(super) grantee_service_principal: Option<String>,
    pub(super) retiring_principal: Option<String>,
    pub(super) constraints: Option<RawConstraints>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConstraints {
    pub(super) encryption_context_equals: Option<Pairs>,
    pub(super) encryption_context_subset: Option<Pairs>,
    pub(super) source_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrincipal {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) arn: String,
    pub(super) role_arn: Option<String>,
    pub(super) user_arn: Option<String>,
    pub(super) account: Option<String>,
    pub(super) unique_id: Option<String>,
    #[serde(default)]
    pub(super) tags: Pairs,
    pub(super) org_id: Option<String>,
    #[serde(default)]
    pub(super) identity_policies: Vec<Value>,
    pub(super) permissions_boundary: Option<Value>,
    pub(super) session_policy: Option<Value>,
    #[serde(default)]
    pub(super) service_linked_role: bool,
    #[serde(default)]
    pub(super) management_account: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKey {
    pub(super) arn: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) policy: Option<Value>,
    pub(super) ram_policy: Option<Value>,
    #[serde(default)]
    pub(super) grants: Vec<RawGrant>,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    #[serde(default)]
    pub(super) tags: Pairs,
    #[serde(default)]
    pub(super) multi_region: bool,
    pub(super) multi_region_key_type: Option<String>,
    pub(super) key_spec: Option<String>,
    pub(super) key_usage: Option<String>,
    pub(super) key_origin: Option<String>,
    pub(super) key_manager: Option<String>,
    pub(super) org_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrant {
    pub(super) grant_id: String,
    pub(super) key_arn: Option<String>,
    pub(super) issuing_account: String,
    pub(super) operations: Vec<String>,
    pub(super) grantee_principal: Option<String>,
    pub(super) grantee_service_principal: Option<String>,
    pub(super) retiring_principal: Option<String>,
    pub(super) retiring_service_principal: Option<String>,
    pub(super) constraints: Option<RawConstraints>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGuardrails {
    #[serde(default)]
    pub(super) scps: Vec<Vec<Value>>,
    #[serde(default)]
    pub(super) rcps: Vec<Vec<Value>>,
}

/// A string, or a list of strings.
pub(super) struct RawValue(ContextValue);

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("a context value is a string or a list of strings");
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(ContextValue::One(text))),
            Value::Array(items) => {
                let texts = items.into_iter().map(|item| item.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(|texts| Self(ContextValue::Many(texts))).ok_or_else(wrong)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(wrong()),
        }
    }
}

impl From<RawValue> for ContextValue {
    fn from(raw: RawValue) -> Self {
        raw.0
    }
}
