//! The snapshot of what was read from AWS.

use super::manifest::{NONE, every, minutes};
use super::{AccountSnapshot, KeySnapshot, Origin, Property, RamPolicy, RoleSnapshot, Snapshot, TargetSnapshot};
use crate::desired::tags::{TAG_KEY, TAG_STACK, TAG_STRAY};
use crate::desired::{DesiredAccount, DesiredState, DesiredTarget};
use crate::ids::{AccountId, AliasName, KeyId, KeyName, StackName, TargetName};
use crate::kms::KeyState;
use crate::live::{KeyMetadata, LiveAccount, LiveKey, LiveRole, LiveRotation, LiveTarget, Observed, Unreadable};
use crate::world;
use std::collections::{BTreeMap, BTreeSet};

/// Returns what was read of the targets of a manifest and of the accounts that they are in.
///
/// Keys are called as the claim alias says, else as the tags say, else by their ids: what somebody else put behind
/// a declared alias is a key too.
pub fn of_live(
    state: &DesiredState,
    targets: &BTreeMap<TargetName, LiveTarget>,
    accounts: &BTreeMap<AccountId, LiveAccount>,
) -> Snapshot {
    let target = |target: &DesiredTarget| targets.get(&target.name).map(|live| of_target(state, target, live));
    let account = |account: &DesiredAccount| accounts.get(&account.account).map(|live| of_account(account, live));
    Snapshot {
        origin: Origin::Live,
        stack: state.stack.clone(),
        targets: state.targets.iter().filter_map(target).collect(),
        accounts: state.accounts.iter().filter_map(account).collect(),
    }
}

fn of_target(state: &DesiredState, target: &DesiredTarget, live: &LiveTarget) -> TargetSnapshot {
    let aliases_known = !live.unreadable.iter().any(|item| item.action == "kms:ListAliases");
    let mut keys: Vec<KeySnapshot> = named(&state.stack, live)
        .into_iter()
        .map(|(name, key)| {
            let id = key.arn.key_id();
            let aliases = aliases_known.then(|| live.aliases_of(&id).cloned().collect());
            KeySnapshot { name, aliases, ..of_key(key) }
        })
        .collect();
    keys.sort_by(|one, other| one.name.cmp(&other.name));
    TargetSnapshot {
        name: target.name.clone(),
        account: live.account.clone(),
        region: live.region.clone(),
        backend: Some(live.backend),
        names: world::names(state, target),
        keys,
        unreadable: live.unreadable.clone(),
    }
}

/// Names the keys of a target, each name once: first those behind claim aliases, then by their tags, then by id.
fn named<'l>(stack: &StackName, live: &'l LiveTarget) -> Vec<(KeyName, &'l LiveKey)> {
    let claimed: BTreeMap<KeyId, KeyName> =
        live.aliases.iter().filter_map(|(alias, id)| Some((id.clone()?, claim_of(stack, alias)?))).collect();
    let mut taken: BTreeSet<KeyName> = claimed.values().cloned().collect();
    let mut found = Vec::new();
    for key in &live.keys {
        let by_alias = claimed.get(&key.arn.key_id()).cloned();
        let by_tags = || tagged(stack, key).filter(|name| taken.insert(name.clone()));
        found.extend(by_alias.or_else(by_tags).or_else(|| by_id(key)).map(|name| (name, key)));
    }
    found
}

fn claim_of(stack: &StackName, alias: &AliasName) -> Option<KeyName> {
    alias.as_str().strip_prefix(&format!("alias/keywright/{stack}/"))?.parse().ok()
}

fn tagged(stack: &StackName, key: &LiveKey) -> Option<KeyName> {
    let tags = key.tags.known().filter(|tags| !tags.contains_key(TAG_STRAY))?;
    let ours = tags.get(TAG_STACK).is_some_and(|value| value == stack.as_str());
    tags.get(TAG_KEY).filter(|_| ours)?.parse().ok()
}

/// Ids have letters, digits and hyphens alone, which names may have too; those of AWS are short enough.
fn by_id(key: &LiveKey) -> Option<KeyName> {
    let id = key.arn.key_id();
    id.as_str().get(..id.as_str().len().min(64))?.parse().ok()
}

fn of_key(key: &LiveKey) -> KeySnapshot {
    let mut unreadable = Vec::new();
    let metadata = known("the key's settings", &key.metadata, &mut unreadable);
    let policy = known("the key policy", &key.policy, &mut unreadable);
    let tags = known("the tags", &key.tags, &mut unreadable);
    let rotation = known("the rotation", &key.rotation, &mut unreadable);
    let mut grants = known("the grants", &key.grants, &mut unreadable);
    if let Some(grants) = &mut grants {
        // KMS promises no order.
        grants.sort_by(|one, other| one.facts.grant_id.cmp(&other.facts.grant_id));
    }
    let ram_policy =
        key.ram_policy.as_ref().map(|policy| known("the policy of the resource share", policy, &mut unreadable));
    let mut properties = metadata.as_ref().map(properties).unwrap_or_default();
    properties.extend(rotation.map(|live| (Property::Rotation, rotation_text(live))));
    KeySnapshot {
        // INVARIANT: replaced by the caller, who knows the names of all keys.
        name: by_id(key).unwrap_or_else(nameless),
        arn: Some(key.arn.clone()),
        policy: policy.map(|policy| policy.document),
        ram_policy: match ram_policy.flatten() {
            Some(Some(policy)) => RamPolicy::Present(policy.document),
            Some(None) => RamPolicy::Absent,
            None => RamPolicy::NotRead,
        },
        grants,
        aliases: None,
        tags,
        properties,
        import: None,
        unreadable,
        position: None,
    }
}

fn nameless() -> KeyName {
    #[expect(clippy::expect_used, reason = "a constant of the right form")]
    "unknown".parse().expect("a word is a key name")
}

/// Returns a part that was read; takes note of one that was denied.
fn known<T: Clone>(what: &str, part: &Observed<T>, unreadable: &mut Vec<Unreadable>) -> Option<T> {
    match part {
        Observed::Known(value) => Some(value.clone()),
        Observed::Denied { action, message } => {
            unreadable.push(Unreadable { what: what.to_owned(), action: action.clone(), message: message.clone() });
            None
        }
    }
}

fn properties(metadata: &KeyMetadata) -> BTreeMap<Property, String> {
    let state = match (metadata.state, metadata.deletion) {
        (KeyState::Enabled, _) => "enabled".to_owned(),
        (KeyState::Disabled, _) => "disabled".to_owned(),
        (state, Some(when)) => format!("{state} until {when}"),
        (state, None) => state.to_string(),
    };
    [
        (Property::State, state),
        (Property::Spec, metadata.spec.to_string()),
        (Property::Usage, metadata.usage.to_string()),
        (Property::Material, metadata.origin.to_string()),
        (Property::MultiRegion, if metadata.multi_region { "yes" } else { "no" }.to_owned()),
        (Property::Description, metadata.description.clone()),
    ]
    .into()
}

fn rotation_text(live: LiveRotation) -> String {
    match live {
        LiveRotation::Off => "off".to_owned(),
        LiveRotation::On { days: Some(days) } => every(days),
        LiveRotation::On { days: None } => super::ROTATES.to_owned(),
    }
}

fn of_account(desired: &DesiredAccount, live: &LiveAccount) -> AccountSnapshot {
    let mut unreadable = Vec::new();
    let mut roles = Vec::new();
    for (name, role) in &live.roles {
        if let Some(role) = known(&format!("the role {name}"), role, &mut unreadable).flatten() {
            roles.push(of_role(&role));
        }
    }
    AccountSnapshot {
        account: live.account.clone(),
        names: desired.known_roles.iter().map(|(name, role)| (role.arn.to_string(), name.to_string())).collect(),
        roles,
        unreadable,
    }
}

fn of_role(role: &LiveRole) -> RoleSnapshot {
    let listed = |items: &[String]| if items.is_empty() { NONE.to_owned() } else { items.join(", ") };
    RoleSnapshot {
        name: role.arn.name(),
        arn: role.arn.clone(),
        trust: role.trust.clone(),
        policies: role.inline_policies.clone(),
        tags: role.tags.clone(),
        properties: [
            (Property::Description, role.description.clone()),
            (Property::Sessions, minutes(role.max_session_seconds)),
            (Property::Boundary, role.permissions_boundary.clone().unwrap_or_else(|| NONE.to_owned())),
            (Property::Attached, listed(&role.attached_policies)),
        ]
        .into(),
        position: None,
    }
}
