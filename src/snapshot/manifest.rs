//! The snapshot of a manifest: what will be once it is applied.

use super::{AccountSnapshot, KeySnapshot, Origin, Property, RamPolicy, RoleSnapshot, Snapshot, TargetSnapshot};
use crate::desired::{
    Delegation, DesiredAccount, DesiredKey, DesiredRole, DesiredState, DesiredTarget, KeyLifecycle, MaterialPresence,
    Rotation, Separation,
};
use crate::ids::AliasName;
use crate::kms::KeyState;
use crate::source::SourceMap;
use crate::{synth, world};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the keys and roles of a manifest under the policies that they will have.
pub fn of_manifest(state: &DesiredState, sources: &SourceMap) -> Snapshot {
    Snapshot {
        origin: Origin::Manifest,
        stack: state.stack.clone(),
        targets: state.targets.iter().map(|target| of_target(state, target, sources)).collect(),
        accounts: state.accounts.iter().map(|account| of_account(state, account, sources)).collect(),
    }
}

fn of_target(state: &DesiredState, target: &DesiredTarget, sources: &SourceMap) -> TargetSnapshot {
    TargetSnapshot {
        name: target.name.clone(),
        account: target.account.clone(),
        region: target.region.clone(),
        backend: None,
        names: world::names(state, target),
        keys: target.keys.iter().map(|key| of_key(state, target, key, sources)).collect(),
        unreadable: Vec::new(),
    }
}

fn of_key(state: &DesiredState, target: &DesiredTarget, key: &DesiredKey, sources: &SourceMap) -> KeySnapshot {
    let mut aliases: BTreeSet<AliasName> = key.aliases.iter().map(|alias| alias.value.clone()).collect();
    aliases.insert(AliasName::claim(&state.stack, &key.name));
    KeySnapshot {
        name: key.name.clone(),
        arn: None,
        policy: Some(synth::key_policy(target, key)),
        ram_policy: RamPolicy::NotRead,
        grants: None,
        aliases: Some(aliases),
        tags: Some(synth::key_tags(state, key)),
        properties: properties(key),
        import: key.import().cloned(),
        unreadable: Vec::new(),
        position: sources.position(key.loc),
    }
}

/// What stands for a property that is not there.
pub(super) const NONE: &str = "none";

fn properties(key: &DesiredKey) -> BTreeMap<Property, String> {
    let deleted = key.import().is_some_and(|import| import.presence == MaterialPresence::Deleted);
    let state = match key.lifecycle {
        // Without material it waits for some, whether it was disabled before or not.
        KeyLifecycle::Enabled | KeyLifecycle::Disabled if deleted => KeyState::PendingImport.name(),
        KeyLifecycle::Enabled => "enabled",
        KeyLifecycle::Disabled => "disabled",
        KeyLifecycle::Retired => "retired",
    };
    let separation = match key.separation {
        Separation::Advised => "advised",
        Separation::Enforced => "enforced",
    };
    let delegation = match key.delegation {
        Delegation::None => NONE,
        Delegation::RootUser => "root user",
        Delegation::Account => "account",
    };
    let context: Vec<&str> = key.required_context.iter().map(String::as_str).collect();
    let context = if context.is_empty() { NONE.to_owned() } else { context.join(", ") };
    let mut properties: BTreeMap<Property, String> = [
        (Property::State, state),
        (Property::Spec, key.spec().name()),
        (Property::Usage, key.usage().name()),
        (Property::Material, key.origin().name()),
        (Property::MultiRegion, if key.shape().multi_region { "yes" } else { "no" }),
        (Property::Separation, separation),
        (Property::Delegation, delegation),
    ]
    .map(|(property, text)| (property, text.to_owned()))
    .into();
    properties.insert(Property::RequiredContext, context);
    properties.insert(Property::Rotation, rotation(key.rotation()));
    properties.insert(Property::DeletionWindow, crate::text::plural(usize::from(key.deletion_window.days()), "day"));
    properties.extend(key.class.as_ref().map(|class| (Property::Class, class.to_string())));
    properties.extend(key.description.clone().map(|text| (Property::Description, text)));
    properties
}

fn rotation(rotation: Rotation) -> String {
    match rotation {
        Rotation::Off => "off".to_owned(),
        Rotation::Every(period) => every(period.days()),
    }
}

/// Returns a rotation period in words.
pub(super) fn every(days: u16) -> String {
    format!("every {days} days")
}

fn of_account(state: &DesiredState, account: &DesiredAccount, sources: &SourceMap) -> AccountSnapshot {
    let role = |role: &DesiredRole| RoleSnapshot {
        name: role.name.clone(),
        arn: role.arn.clone(),
        trust: synth::trust_policy(account, role),
        policies: synth::identity_policies(state, account, role),
        tags: synth::role_tags(state, role),
        properties: role_properties(role),
        position: sources.position(role.loc),
    };
    AccountSnapshot {
        account: account.account.clone(),
        names: account.known_roles.iter().map(|(name, role)| (role.arn.to_string(), name.to_string())).collect(),
        roles: account.roles.iter().map(role).collect(),
        unreadable: Vec::new(),
    }
}

fn role_properties(role: &DesiredRole) -> BTreeMap<Property, String> {
    let mut properties: BTreeMap<Property, String> =
        [(Property::Kind, role.kind.to_string()), (Property::Sessions, minutes(role.max_session_seconds))].into();
    properties.extend(role.description.clone().map(|text| (Property::Description, text)));
    properties.extend(role.permissions_boundary.as_ref().map(|arn| (Property::Boundary, arn.to_string())));
    properties
}

/// Returns a session's length in words.
pub(super) fn minutes(seconds: u32) -> String {
    format!("up to {} minutes", seconds / 60)
}
