//! Desired states for tests: one account, two Regions, the roles of the manual's example.

use crate::desired::{
    Connection, DataKeyUse, Delegation, DeletionWindow, DesiredAccount, DesiredKey, DesiredRole, DesiredState,
    DesiredTarget, DesiredUser, KeyAdmin, KeyLifecycle, KeyMaterial, KeyPlaces, KnownRole, Principal, RoleKind,
    RoleOrigin, Rotation, Separation, TagReach, Takeover, TargetPlaces, Topology, Trust, Verifiable,
};
use crate::ids::{AccountId, Partition, RoleArn, RoleName};
use crate::kms::Capability;
use crate::services::Service;
use crate::source::{Loc, Located, SourceId};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const ACCOUNT: &str = "111122223333";

pub(crate) fn loc() -> Loc {
    Loc::new(SourceId(0), 0..0)
}

pub(crate) fn account() -> AccountId {
    ACCOUNT.parse().unwrap()
}

pub(crate) fn role_arn(name: &str) -> RoleArn {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}").parse().unwrap()
}

pub(crate) fn role(name: &str) -> Principal {
    Principal::Role { name: name.parse().unwrap(), arn: role_arn(name).principal() }
}

pub(crate) fn foreign(arn: &str) -> Principal {
    Principal::Arn(arn.parse().unwrap())
}

pub(crate) fn sso(permission_set: &str) -> Principal {
    Principal::IdentityCenter { permission_set: permission_set.to_owned(), account: account() }
}

pub(crate) fn direct(context: &[(&str, &[&str])]) -> DataKeyUse {
    let patterns = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    DataKeyUse::Direct { context: context.iter().map(|(key, values)| ((*key).to_owned(), patterns(values))).collect() }
}

pub(crate) fn via(services: &[Service]) -> DataKeyUse {
    DataKeyUse::Via { services: services.iter().copied().collect(), context: BTreeMap::new() }
}

pub(crate) fn user(principal: Principal, can: &[Capability], access: DataKeyUse) -> DesiredUser {
    DesiredUser { principal, capabilities: can.iter().copied().collect(), access, loc: loc() }
}

/// A key with an administrator, a planner's view and nothing else.
pub(crate) fn key(name: &str) -> DesiredKey {
    DesiredKey {
        name: name.parse().unwrap(),
        places: KeyPlaces::default(),
        loc: loc(),
        class: None,
        description: None,
        aliases: vec![Located::new(format!("alias/payments/{name}").parse().unwrap(), loc())],
        remove_aliases: [].into(),
        takeover: Takeover::Never,
        lifecycle: KeyLifecycle::Enabled,
        soak_days: 30,
        topology: Topology::Single,
        family: [].into(),
        moved_from: None,
        adopt: None,
        tag_reach: TagReach::Declared,
        material: KeyMaterial::Symmetric { rotation: Rotation::Off, newer_than: None },
        admins: vec![KeyAdmin(role("key-admin"))],
        deleters: Vec::new(),
        auditors: Vec::new(),
        users: Vec::new(),
        services: BTreeSet::new(),
        required_context: BTreeSet::new(),
        separation: Separation::Advised,
        delegation: Delegation::Account,
        deletion_window: DeletionWindow::LONGEST,
        tags: BTreeMap::from([("data".to_owned(), "cardholder".to_owned())]),
    }
}

/// The key of the manual: restricted, through DynamoDB for the application, directly for reporting.
pub(crate) fn restricted() -> DesiredKey {
    DesiredKey {
        admins: vec![KeyAdmin(role("key-admin")), KeyAdmin(role("security-admin"))],
        deleters: vec![role("key-deleter")],
        auditors: vec![role("compliance")],
        users: vec![
            user(role("api"), &[Capability::Encrypt, Capability::Decrypt], via(&[Service::Dynamodb])),
            user(role("reporting"), &[Capability::Decrypt, Capability::Describe], direct(&[("tenant", &["acme-*"])])),
        ],
        services: BTreeSet::from([Service::Dynamodb]),
        required_context: BTreeSet::from(["tenant".to_owned()]),
        separation: Separation::Enforced,
        delegation: Delegation::None,
        ..key("ledger")
    }
}

pub(crate) fn target(name: &str, region: &str, keys: Vec<DesiredKey>) -> DesiredTarget {
    DesiredTarget {
        name: name.parse().unwrap(),
        account: account(),
        region: region.parse().unwrap(),
        connection: Connection::default(),
        enforces: None,
        deployers: vec![role("keywright-deployer")],
        planners: vec![role("pr-planner")],
        verifier: None,
        places: TargetPlaces::default(),
        keys,
        loc: loc(),
    }
}

pub(crate) fn managed(name: &str, kind: RoleKind, trust: Trust) -> DesiredRole {
    DesiredRole {
        tag_reach: TagReach::Declared,
        name: name.parse().unwrap(),
        arn: role_arn(name),
        kind,
        description: None,
        max_session_seconds: 3_600,
        permissions_boundary: None,
        tags: BTreeMap::new(),
        trust,
        loc: loc(),
    }
}

pub(crate) fn state(targets: Vec<DesiredTarget>, roles: Vec<DesiredRole>) -> DesiredState {
    let known = |role: &DesiredRole| -> (RoleName, KnownRole) {
        let verifiable = if role.kind == RoleKind::KeyUser { Verifiable::Yes } else { Verifiable::No };
        let (arn, kind) = (role.arn.clone(), role.kind);
        (role.name.clone(), KnownRole { arn, kind, origin: RoleOrigin::Managed, verifiable, loc: loc() })
    };
    let known_roles = roles.iter().map(known).collect();
    DesiredState {
        left_out: Vec::new(),
        stack: "payments".parse().unwrap(),
        owner: "7f9c2a52-9d0e-4d0a-8f53-0c7c4a1a9b11".parse().unwrap(),
        accounts: vec![DesiredAccount { account: account(), partition: Partition::Aws, roles, known_roles }],
        targets,
    }
}
