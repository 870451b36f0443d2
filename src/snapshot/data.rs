//! The snapshot as JSON: what `keywright snapshot` writes and `keywright diff` reads again. The same state gives the
//! same bytes; no secret is in it.

use super::{AccountSnapshot, KeySnapshot, Origin, Property, RamPolicy, RoleSnapshot, Snapshot, TargetSnapshot};
use crate::access::{GrantConstraints, GrantFacts, Grantee};
use crate::ids::{AccountId, AliasName, KeyArn, KeyName, Region, RoleArn, RoleName, StackName, TargetName};
use crate::live::{Backend, LiveGrant, Unreadable};
use crate::policy::PolicyDocument;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The version of the JSON form.
pub const SNAPSHOT_FORMAT_VERSION: u32 = 1;

/// Why a text is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotError(String);

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SnapshotError {}

impl SnapshotError {
    fn new(message: impl fmt::Display) -> Self {
        Self(crate::text::escape(&message.to_string()).into_owned())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileData {
    format_version: u32,
    stack: StackName,
    targets: Vec<TargetData>,
    accounts: Vec<AccountData>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetData {
    name: TargetName,
    account: AccountId,
    region: Region,
    backend: Option<Backend>,
    names: BTreeMap<String, String>,
    keys: Vec<KeyData>,
    unreadable: Vec<UnreadableData>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnreadableData {
    what: String,
    action: String,
    message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyData {
    name: KeyName,
    arn: Option<KeyArn>,
    properties: BTreeMap<String, String>,
    policy: Option<Value>,
    ram_policy: RamData,
    grants: Option<Vec<GrantData>>,
    aliases: Option<BTreeSet<AliasName>>,
    tags: Option<BTreeMap<String, String>>,
    unreadable: Vec<UnreadableData>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RamData {
    read: bool,
    policy: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantData {
    id: String,
    name: Option<String>,
    issuing_account: String,
    operations: Vec<String>,
    grantee: GranteeData,
    retiring: Option<GranteeData>,
    encryption_context_equals: Option<BTreeMap<String, String>>,
    encryption_context_subset: Option<BTreeMap<String, String>>,
    source_arn: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum GranteeData {
    Principal(String),
    Service(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountData {
    account: AccountId,
    names: BTreeMap<String, String>,
    roles: Vec<RoleData>,
    unreadable: Vec<UnreadableData>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleData {
    name: RoleName,
    arn: RoleArn,
    properties: BTreeMap<String, String>,
    trust: Value,
    policies: BTreeMap<String, Value>,
    tags: BTreeMap<String, String>,
}

/// Returns a live snapshot as JSON. Places of the manifest are not kept.
pub fn snapshot_to_json(snapshot: &Snapshot) -> Value {
    let data = FileData {
        format_version: SNAPSHOT_FORMAT_VERSION,
        stack: snapshot.stack.clone(),
        targets: snapshot.targets.iter().map(target_data).collect(),
        accounts: snapshot.accounts.iter().map(account_data).collect(),
    };
    // INVARIANT: maps with text keys alone; a value that did not serialize would be a fault of serde.
    serde_json::to_value(data).unwrap_or_default()
}

fn target_data(target: &TargetSnapshot) -> TargetData {
    TargetData {
        name: target.name.clone(),
        account: target.account.clone(),
        region: target.region.clone(),
        backend: target.backend,
        names: target.names.clone(),
        keys: target.keys.iter().map(key_data).collect(),
        unreadable: unreadable_data(&target.unreadable),
    }
}

fn unreadable_data(items: &[Unreadable]) -> Vec<UnreadableData> {
    let data = |item: &Unreadable| UnreadableData {
        what: item.what.clone(),
        action: item.action.clone(),
        message: item.message.clone(),
    };
    items.iter().map(data).collect()
}

fn key_data(key: &KeySnapshot) -> KeyData {
    KeyData {
        name: key.name.clone(),
        arn: key.arn.clone(),
        properties: properties_data(&key.properties),
        policy: key.policy.as_ref().map(PolicyDocument::to_json_value),
        ram_policy: RamData {
            read: key.ram_policy != RamPolicy::NotRead,
            policy: key.ram_policy.document().map(PolicyDocument::to_json_value),
        },
        grants: key.grants.as_ref().map(|grants| grants.iter().map(grant_data).collect()),
        aliases: key.aliases.clone(),
        tags: key.tags.clone(),
        unreadable: unreadable_data(&key.unreadable),
    }
}

fn properties_data(properties: &BTreeMap<Property, String>) -> BTreeMap<String, String> {
    properties.iter().map(|(property, text)| (property.name().to_owned(), text.clone())).collect()
}

fn grant_data(grant: &LiveGrant) -> GrantData {
    let facts = &grant.facts;
    GrantData {
        id: facts.grant_id.clone(),
        name: grant.name.clone(),
        issuing_account: facts.issuing_account.clone(),
        operations: facts.operations.clone(),
        grantee: grantee_data(&facts.grantee),
        retiring: facts.retiring.as_ref().map(grantee_data),
        encryption_context_equals: facts.constraints.encryption_context_equals.clone(),
        encryption_context_subset: facts.constraints.encryption_context_subset.clone(),
        source_arn: facts.constraints.source_arn.clone(),
    }
}

fn grantee_data(grantee: &Grantee) -> GranteeData {
    match grantee {
        Grantee::Principal(arn) => GranteeData::Principal(arn.clone()),
        Grantee::Service(name) => GranteeData::Service(name.clone()),
    }
}

fn account_data(account: &AccountSnapshot) -> AccountData {
    let role = |role: &RoleSnapshot| RoleData {
        name: role.name.clone(),
        arn: role.arn.clone(),
        properties: properties_data(&role.properties),
        trust: role.trust.to_json_value(),
        policies: role.policies.iter().map(|(name, policy)| (name.clone(), policy.to_json_value())).collect(),
        tags: role.tags.clone(),
    };
    AccountData {
        account: account.account.clone(),
        names: account.names.clone(),
        roles: account.roles.iter().map(role).collect(),
        unreadable: unreadable_data(&account.unreadable),
    }
}

/// Reads a snapshot.
///
/// # Errors
/// If the text is no JSON, of another version, or says something that no snapshot says.
pub fn snapshot_from_json(text: &str) -> Result<Snapshot, SnapshotError> {
    let value: Value = serde_json::from_str(text).map_err(SnapshotError::new)?;
    let version = value.get("format_version").and_then(Value::as_u64);
    if version != Some(u64::from(SNAPSHOT_FORMAT_VERSION)) {
        let found = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let message = format!("its format_version is {found}; this program reads {SNAPSHOT_FORMAT_VERSION}");
        return Err(SnapshotError::new(message));
    }
    let data: FileData = serde_json::from_str(text).map_err(SnapshotError::new)?;
    let mut targets = data.targets.into_iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let mut accounts = data.accounts.into_iter().map(account).collect::<Result<Vec<_>, _>>()?;
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    accounts.sort_by(|one, other| one.account.cmp(&other.account));
    let twice = first_twice(targets.iter().map(|target| target.name.as_str()))
        .or_else(|| first_twice(accounts.iter().map(|account| account.account.as_str())));
    if let Some(name) = twice {
        return Err(SnapshotError::new(format!("it has `{name}` twice")));
    }
    Ok(Snapshot { origin: Origin::Live, stack: data.stack, targets, accounts })
}

/// Returns the first of some sorted names that stands there twice.
fn first_twice<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    names.clone().zip(names.skip(1)).find(|(one, other)| one == other).map(|(name, _)| name)
}

fn target(data: TargetData) -> Result<TargetSnapshot, SnapshotError> {
    let place = format!("target {}", data.name);
    let mut keys = data.keys.into_iter().map(|data| key(data, &place)).collect::<Result<Vec<_>, _>>()?;
    keys.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(name) = first_twice(keys.iter().map(|key| key.name.as_str())) {
        return Err(SnapshotError::new(format!("{place} has the key `{name}` twice")));
    }
    Ok(TargetSnapshot {
        name: data.name,
        account: data.account,
        region: data.region,
        backend: data.backend,
        names: data.names,
        keys,
        unreadable: unreadable(data.unreadable),
    })
}

fn unreadable(items: Vec<UnreadableData>) -> Vec<Unreadable> {
    items.into_iter().map(|item| Unreadable { what: item.what, action: item.action, message: item.message }).collect()
}

fn key(data: KeyData, place: &str) -> Result<KeySnapshot, SnapshotError> {
    let place = format!("{place}, key {}", data.name);
    let document = |value: Option<Value>| value.map(|value| policy(&value, &place)).transpose();
    let ram_policy = match (data.ram_policy.read, document(data.ram_policy.policy)?) {
        (_, Some(policy)) => RamPolicy::Present(policy),
        (true, None) => RamPolicy::Absent,
        (false, None) => RamPolicy::NotRead,
    };
    Ok(KeySnapshot {
        policy: document(data.policy)?,
        ram_policy,
        name: data.name,
        arn: data.arn,
        grants: data.grants.map(|grants| grants.into_iter().map(grant).collect()),
        aliases: data.aliases,
        tags: data.tags,
        properties: properties(data.properties, &place)?,
        import: None,
        unreadable: unreadable(data.unreadable),
        position: None,
    })
}

fn policy(value: &Value, place: &str) -> Result<PolicyDocument, SnapshotError> {
    PolicyDocument::from_value(value).map_err(|error| SnapshotError::new(format!("{place}: {error}")))
}

fn properties(data: BTreeMap<String, String>, place: &str) -> Result<BTreeMap<Property, String>, SnapshotError> {
    let property = |(name, text): (String, String)| {
        let property = name.parse().map_err(|error| SnapshotError::new(format!("{place}: {error}")))?;
        Ok((property, text))
    };
    data.into_iter().map(property).collect()
}

fn grant(data: GrantData) -> LiveGrant {
    let facts = GrantFacts {
        grant_id: data.id,
        issuing_account: data.issuing_account,
        operations: data.operations,
        grantee: grantee(data.grantee),
        retiring: data.retiring.map(grantee),
        constraints: GrantConstraints {
            encryption_context_equals: data.encryption_context_equals,
            encryption_context_subset: data.encryption_context_subset,
            source_arn: data.source_arn,
        },
    };
    LiveGrant { name: data.name, facts }
}

fn grantee(data: GranteeData) -> Grantee {
    match data {
        GranteeData::Principal(arn) => Grantee::Principal(arn),
        GranteeData::Service(name) => Grantee::Service(name),
    }
}

fn account(data: AccountData) -> Result<AccountSnapshot, SnapshotError> {
    let place = format!("account {}", data.account);
    let mut roles = data.roles.into_iter().map(|data| role(data, &place)).collect::<Result<Vec<_>, _>>()?;
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(name) = first_twice(roles.iter().map(|role| role.name.as_str())) {
        return Err(SnapshotError::new(format!("{place} has the role `{name}` twice")));
    }
    Ok(AccountSnapshot { account: data.account, names: data.names, roles, unreadable: unreadable(data.unreadable) })
}

fn role(data: RoleData, place: &str) -> Result<RoleSnapshot, SnapshotError> {
    let place = format!("{place}, role {}", data.name);
    let policies = data.policies.into_iter().map(|(name, value)| Ok((name, policy(&value, &place)?)));
    Ok(RoleSnapshot {
        trust: policy(&data.trust, &place)?,
        policies: policies.collect::<Result<_, SnapshotError>>()?,
        properties: properties(data.properties, &place)?,
        name: data.name,
        arn: data.arn,
        tags: data.tags,
        position: None,
    })
}
