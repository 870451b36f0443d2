//! Reading against an account in memory: what is found, what is denied, how many calls it takes.

use super::*;
use crate::desired::{
    Connection, Delegation, DeletionWindow, DesiredAccount, DesiredKey, DesiredRole, KeyAdmin, KeyLifecycle,
    KeyMaterial, KeyPlaces, OidcTrust, Principal, RoleKind, Rotation, Separation, TagReach, Takeover, TargetPlaces,
    Topology, Trust,
};
use crate::ids::{AliasName, KeyArn, KeyId, Partition};
use crate::live::{Expiry, LiveMaterial, LiveMaterials, LivePresence, LiveRotation, MaterialStanding, Observed};
use crate::ports::fake::{FakeAws, Strike, Which};
use crate::source::{Loc, Located, SourceMap};

const ACCOUNT: &str = "111122223333";
const CALLER: &str = "arn:aws:iam::111122223333:role/deployer";
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

fn loc() -> Loc {
    Loc::new(SourceMap::default().add("a.toml", ""), 0..0)
}

fn desired_key(name: &str) -> DesiredKey {
    let alias: AliasName = format!("alias/shop/{name}").parse().unwrap();
    DesiredKey {
        name: name.parse().unwrap(),
        places: KeyPlaces::default(),
        loc: loc(),
        class: None,
        description: None,
        aliases: vec![Located::new(alias, loc())],
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
        admins: vec![KeyAdmin(Principal::Arn(CALLER.parse().unwrap()))],
        deleters: Vec::new(),
        auditors: Vec::new(),
        users: Vec::new(),
        services: BTreeSet::new(),
        required_context: BTreeSet::new(),
        separation: Separation::Advised,
        delegation: Delegation::None,
        deletion_window: DeletionWindow::LONGEST,
        tags: std::collections::BTreeMap::new(),
    }
}

fn desired(names: &[&str]) -> DesiredState {
    let target = DesiredTarget {
        name: "prod".parse().unwrap(),
        account: ACCOUNT.parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        connection: Connection::default(),
        enforces: None,
        deployers: vec![Principal::Arn(CALLER.parse().unwrap())],
        planners: Vec::new(),
        verifier: None,
        places: TargetPlaces::default(),
        keys: names.iter().map(|name| desired_key(name)).collect(),
        loc: loc(),
    };
    DesiredState {
        left_out: Vec::new(),
        stack: "shop".parse().unwrap(),
        owner: "owner-0001".parse().unwrap(),
        accounts: Vec::new(),
        targets: vec![target],
    }
}

fn options() -> ReadOptions {
    ReadOptions { settle: Duration::from_millis(1), ..ReadOptions::new(Backend::Sandbox) }
}

/// Runs on a Tokio runtime, which waiting needs.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn read(fake: &FakeAws, state: &DesiredState, options: &ReadOptions) -> Result<LiveTarget, ReadError> {
    run(read_target(fake, &state.targets[0], state, options))
}

fn fake() -> FakeAws {
    FakeAws::new("eu-west-1", CALLER)
}

fn ours(fake: &FakeAws, name: &str) -> KeyArn {
    let tags = [("keywright:stack", "shop"), ("keywright:key", name)];
    fake.add_key(POLICY, &tags, &[&format!("alias/keywright/shop/{name}"), &format!("alias/shop/{name}")])
}

fn ids(live: &LiveTarget) -> Vec<KeyId> {
    live.keys.iter().map(|key| key.arn.key_id()).collect()
}

#[test]
fn another_account_is_refused_before_anything_is_read() {
    let fake = FakeAws::new("eu-west-1", "arn:aws:iam::444455556666:user/a");
    let error = read(&fake, &desired(&[]), &options()).unwrap_err();
    assert!(matches!(&error, ReadError::WrongAccount { expected, .. } if expected.as_str() == ACCOUNT));
    assert!(error.to_string().contains("444455556666") && error.to_string().contains("prod"), "{error}");
    assert_eq!(fake.counts().into_keys().collect::<Vec<_>>(), ["sts:GetCallerIdentity"]);
}

#[test]
fn keys_are_found_by_tag_claim_alias_and_declared_alias_and_no_other_is_read() {
    let fake = fake();
    let by_both = ours(&fake, "a");
    let by_tag = fake.add_key(POLICY, &[("keywright:stack", "shop"), ("keywright:stray", "x")], &[]);
    let by_claim = fake.add_key(POLICY, &[], &["alias/keywright/shop/gone"]);
    let by_declared = fake.add_key(POLICY, &[("team", "x")], &["alias/shop/b"]);
    fake.add_key(POLICY, &[("keywright:stack", "other")], &["alias/keywright/other/a", "alias/foreign"]);
    fake.add_key(POLICY, &[], &[]);
    let live = read(&fake, &desired(&["a", "b"]), &options()).unwrap();
    assert_eq!(ids(&live), [&by_both, &by_tag, &by_claim, &by_declared].map(KeyArn::key_id));
    assert_eq!(live.aliases.len(), 6);
    assert_eq!(live.keys[3].tags.known().unwrap()["team"], "x");
    assert_eq!(fake.count("kms:DescribeKey"), 4);
    // Only the keys without our tag are asked for theirs.
    assert_eq!(fake.count("kms:ListResourceTags"), 2);
    assert_eq!((live.key_count, fake.count("kms:ListKeys")), (Some(6), 1), "they are counted, and not read");
}

#[test]
fn only_the_keys_asked_for_are_read() {
    let fake = fake();
    let a = ours(&fake, "a");
    ours(&fake, "b");
    fake.add_key(POLICY, &[("keywright:stack", "shop")], &[]);
    let only = ReadOptions { only_keys: Some(["a".parse().unwrap()].into()), ..options() };
    let live = read(&fake, &desired(&["a", "b"]), &only).unwrap();
    assert_eq!(ids(&live), [a.key_id()]);
}

#[test]
fn two_hundred_keys_take_at_most_five_calls_each() {
    let names: Vec<String> = (0..200).map(|n| format!("k{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for tagging in [true, false] {
        let fake = fake();
        fake.state().index_at_once = tagging;
        for name in &names {
            ours(&fake, name);
        }
        let live = read(&fake, &desired(&names), &options()).unwrap();
        assert_eq!(live.keys.len(), 200);
        let total: u64 = fake.counts().values().sum();
        let fixed = 4;
        let per_key = if tagging { 4 } else { 5 };
        assert_eq!(total, fixed + 200 * per_key, "{:?}", fake.counts());
    }
}

#[test]
fn without_the_tagging_api_tags_are_read_key_by_key_and_only_once() {
    for kind in [PortErrorKind::Denied, PortErrorKind::NotSupported] {
        let fake = fake();
        let a = ours(&fake, "a");
        fake.add_key(POLICY, &[], &[]);
        fake.fail("tag:GetResources", Which::Every, Strike::Before, kind);
        let live = read(&fake, &desired(&["a"]), &options()).unwrap();
        assert_eq!(ids(&live), [a.key_id()]);
        assert_eq!(live.unreadable, []);
        assert_eq!((fake.count("kms:ListKeys"), fake.count("kms:ListResourceTags")), (1, 2));
    }
}

#[test]
fn a_denied_part_is_kept_as_denied() {
    let parts = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants"];
    for call in parts {
        let fake = fake();
        let arn = ours(&fake, "a");
        fake.fail(call, Which::Every, Strike::Before, PortErrorKind::Denied);
        let live = read(&fake, &desired(&["a"]), &options()).unwrap();
        let key = &live.keys[0];
        assert_eq!(key.arn, arn);
        let denied =
            [key.metadata.denied(), key.policy.denied(), key.rotation.denied(), key.grants.denied(), key.tags.denied()];
        assert_eq!(denied.into_iter().flatten().collect::<Vec<_>>(), [call]);
    }
}

#[test]
fn denied_lists_are_noted() {
    let fake = fake();
    ours(&fake, "a");
    for call in ["kms:ListAliases", "tag:GetResources", "kms:ListKeys"] {
        fake.fail(call, Which::Every, Strike::Before, PortErrorKind::Denied);
    }
    let live = read(&fake, &desired(&["a"]), &options()).unwrap();
    let actions: Vec<&str> = live.unreadable.iter().map(|part| part.action.as_str()).collect();
    assert_eq!(actions, ["kms:ListAliases", "kms:ListKeys", "tag:GetResources"]);
    assert!(live.keys.is_empty());
}

#[test]
fn any_other_failure_fails_the_read_and_names_target_and_key() {
    let calls = ["kms:ListAliases", "tag:GetResources", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"];
    for call in calls {
        let fake = fake();
        let arn = ours(&fake, "a");
        fake.fail(call, Which::Every, Strike::Before, PortErrorKind::Transient);
        let error = read(&fake, &desired(&["a"]), &options()).unwrap_err();
        let ReadError::Port(error) = error else { panic!("{error}") };
        assert_eq!((error.kind, error.call.as_str()), (PortErrorKind::Transient, call));
        assert!(error.message.contains("target `prod`"), "{error}");
        let of_key = !matches!(call, "kms:ListAliases" | "tag:GetResources");
        assert_eq!(error.message.contains(arn.key_id().as_str()), of_key, "{error}");
    }
}

#[test]
fn a_policy_that_is_none_fails_the_read() {
    let fake = fake();
    fake.add_key("not json", &[("keywright:stack", "shop")], &[]);
    let error = read(&fake, &desired(&[]), &options()).unwrap_err();
    assert!(error.to_string().contains("key policy"), "{error}");
}

#[test]
fn a_key_that_shows_late_is_waited_for_and_one_that_never_does_is_left_out() {
    let fake = fake();
    let late = ours(&fake, "a");
    fake.fail("kms:DescribeKey", Which::Nth(1), Strike::Before, PortErrorKind::NotFound);
    let live = read(&fake, &desired(&["a"]), &options()).unwrap();
    assert_eq!(ids(&live), [late.key_id()]);

    fake.heal();
    let gone = ours(&fake, "b");
    fake.state().keys.remove(&gone.key_id());
    let live = read(&fake, &desired(&["a", "b"]), &options()).unwrap();
    assert_eq!(ids(&live), [late.key_id()]);
    assert_eq!(live.aliases[&"alias/shop/b".parse().unwrap()], Some(gone.key_id()));
}

#[test]
fn rotation_is_asked_for_only_where_a_key_can_have_it() {
    let fake = fake();
    let arn = ours(&fake, "a");
    fake.state().key(&arn.key_id()).unwrap().metadata.origin = crate::kms::Origin::External;
    let live = read(&fake, &desired(&["a"]), &options()).unwrap();
    assert_eq!(live.keys[0].rotation, Observed::Known(LiveRotation::Off));
    assert_eq!(fake.count("kms:GetKeyRotationStatus"), 0);
}

/// A key `a` whose materials come in under these names.
fn imported(names: &[&str], kind: crate::desired::KeyKind) -> DesiredState {
    let materials = names.iter().map(|name| crate::desired::DesiredMaterial {
        name: name.parse().unwrap(),
        source: crate::desired::MaterialSource::Prewrapped,
    });
    let import = crate::desired::Import {
        validity: crate::desired::Validity::Never,
        algorithm: crate::kms::WrappingAlgorithm::OaepSha256,
        wrapping_key: crate::kms::WrappingKeySpec::Rsa4096,
        materials: materials.collect(),
        presence: crate::desired::MaterialPresence::Imported,
    };
    let mut state = desired(&["a"]);
    state.targets[0].keys[0].material = KeyMaterial::Imported { kind, import: Some(import) };
    state
}

/// A key with materials of these descriptions: the last is current, or waits for its rotation.
fn with_materials(fake: &FakeAws, descriptions: &[Option<&str>], last: MaterialStanding) -> KeyArn {
    let arn = ours(fake, "a");
    let mut state = fake.state();
    let key = state.key(&arn.key_id()).unwrap();
    key.metadata.origin = crate::kms::Origin::External;
    for description in descriptions {
        key.materials.push(LiveMaterial {
            id: "ab".repeat(32).parse().unwrap(),
            description: description.map(str::to_owned),
            standing: MaterialStanding::NonCurrent,
            presence: LivePresence::Imported(Expiry::Never),
        });
    }
    if let Some(material) = key.materials.last_mut() {
        material.standing = last;
    }
    arn
}

fn a_replica() -> Topology {
    Topology::Replica { primary: "prod".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn mac_kind() -> crate::desired::KeyKind {
    crate::desired::KeyKind::new(crate::kms::KeySpec::Hmac256, crate::kms::KeyUsage::GenerateVerifyMac).unwrap()
}

const SYMMETRIC: crate::desired::KeyKind = crate::desired::KeyKind::SYMMETRIC;

#[test]
fn materials_are_read_of_imported_keys_and_asked_for_only_where_kms_lists_them() {
    let fake = fake();
    with_materials(&fake, &[Some("2026")], MaterialStanding::Current);
    let live = read(&fake, &imported(&["2026"], SYMMETRIC), &options()).unwrap();
    let Some(Observed::Known(LiveMaterials::Listed(materials))) = &live.keys[0].materials else { panic!("{live:?}") };
    assert_eq!(materials.len(), 1);
    assert_eq!((fake.count("kms:ListKeyRotations"), &live.keys[0].rotations), (1, &None));

    let generated = read(&fake, &desired(&["b"]), &options()).unwrap();
    assert!(generated.keys[0].materials.is_none(), "no manifest names the key");
    fake.state().key(&live.keys[0].arn.key_id()).unwrap().metadata.spec = crate::kms::KeySpec::Hmac256;
    let mac = imported(&["2026"], mac_kind());
    let live = read(&fake, &mac, &options()).unwrap();
    assert_eq!(live.keys[0].materials, Some(Observed::Known(LiveMaterials::Untold)));
    assert_eq!(fake.count("kms:ListKeyRotations"), 1, "no call would tell");
}

#[test]
fn rotations_are_read_where_a_new_material_may_come() {
    use MaterialStanding::{Current, PendingReplicas, PendingRotation};
    // What is there, how the last of it stands, what is wanted, and whether a rotation may come.
    type Case<'a> = (&'a [Option<&'a str>], MaterialStanding, &'a [&'a str], bool);
    let cases: [Case<'_>; 8] = [
        (&[], Current, &["one"], false),
        (&[], Current, &["one", "two"], true),
        (&[Some("one")], Current, &["one"], false),
        (&[Some("one")], Current, &["one", "two"], true),
        (&[None], Current, &["one"], true),
        (&[Some("one"), Some("two")], Current, &["one", "two"], false),
        (&[Some("one"), Some("two")], PendingRotation, &["one", "two"], true),
        (&[Some("one"), Some("two")], PendingReplicas, &["one"], true),
    ];
    for (there, last, wanted, comes) in cases {
        let fake = fake();
        with_materials(&fake, there, last);
        let mut state = imported(wanted, SYMMETRIC);
        let live = read(&fake, &state, &options()).unwrap();
        assert_eq!(live.keys[0].rotations.is_some(), comes, "{there:?} {last:?} {wanted:?}");
        state.targets[0].keys[0].topology = a_replica();
        let replica = read(&fake, &state, &options()).unwrap();
        assert_eq!(replica.keys[0].rotations, None, "a replica rotates with its primary");
    }
}

#[test]
fn denied_materials_are_kept_as_denied_and_any_other_failure_names_the_key() {
    let fake = fake();
    let arn = with_materials(&fake, &[Some("one")], MaterialStanding::Current);
    let state = imported(&["one", "two"], SYMMETRIC);
    fake.fail("kms:ListKeyRotations", Which::Every, Strike::Before, PortErrorKind::Denied);
    let live = read(&fake, &state, &options()).unwrap();
    assert_eq!(live.keys[0].materials.as_ref().unwrap().denied(), Some("kms:ListKeyRotations"));
    assert_eq!(live.keys[0].rotations, None, "nothing is known of what may come");
    fake.heal();
    fake.fail("kms:ListKeyRotations", Which::Every, Strike::Before, PortErrorKind::Transient);
    let error = read(&fake, &state, &options()).unwrap_err().to_string();
    assert!(error.contains(arn.key_id().as_str()) && error.contains("`prod`"), "{error}");
}

#[test]
fn a_rotation_that_is_asked_for_finds_the_materials_too() {
    let fake = fake();
    with_materials(&fake, &[Some("one")], MaterialStanding::Current);
    let state = imported(&["one"], SYMMETRIC);
    let mut live = read(&fake, &state, &options()).unwrap();
    run(read_rotations(&fake, &state, &["a".parse().unwrap()].into(), &mut live)).unwrap();
    assert!(live.keys[0].materials.is_some() && live.keys[0].rotations.is_some());
    assert_eq!(fake.count("kms:ListKeyRotations"), 2);
}

fn desired_role(name: &str, provider: Option<&str>) -> DesiredRole {
    let oidc = provider.map(|provider| OidcTrust {
        provider: provider.to_owned(),
        audience: "sts.amazonaws.com".to_owned(),
        subjects: vec!["repo:a/b".to_owned()],
    });
    DesiredRole {
        tag_reach: TagReach::Declared,
        name: name.parse().unwrap(),
        arn: format!("arn:aws:iam::{ACCOUNT}:role/{name}").parse().unwrap(),
        kind: RoleKind::KeyUser,
        description: None,
        max_session_seconds: 3600,
        permissions_boundary: None,
        tags: std::collections::BTreeMap::new(),
        trust: Trust { oidc, ..Trust::default() },
        loc: loc(),
    }
}

#[test]
fn an_account_is_read_role_by_role() {
    let fake = fake();
    let account = DesiredAccount {
        account: ACCOUNT.parse().unwrap(),
        partition: Partition::Aws,
        roles: vec![desired_role("a", Some("one")), desired_role("b", Some("two")), desired_role("c", None)],
        known_roles: std::collections::BTreeMap::new(),
    };
    fake.state().providers.insert("one".to_owned());
    fake.fail_on("iam:GetRole", "b", PortErrorKind::Denied);
    let live = run(read_account(&fake, &account)).unwrap();
    let roles: Vec<_> = live.roles.values().map(|role| (role.known().is_some(), role.denied())).collect();
    assert_eq!(roles, [(true, None), (false, Some("iam:GetRole")), (true, None)]);
    assert_eq!(live.oidc_providers["one"], Observed::Known(true));
    assert_eq!(live.oidc_providers["two"], Observed::Known(false));
    fake.heal();
    fake.fail_on("iam:GetRole", "c", PortErrorKind::Unreachable);
    let error = run(read_account(&fake, &account)).unwrap_err().to_string();
    assert!(error.contains("role c") && error.contains(ACCOUNT), "{error}");
}

#[test]
fn a_replica_is_found_by_its_primary_and_a_target_where_it_cannot_be_read_is_left_out() {
    use std::sync::Arc;
    let mut state = desired(&["a"]);
    let here = Arc::new(fake());
    let there = here.region(&"us-east-1".parse().unwrap());
    let mut second = state.targets[0].clone();
    second.name = "other".parse().unwrap();
    second.region = "us-east-1".parse().unwrap();
    second.keys[0].topology = a_replica();
    second.keys[0].aliases.clear();
    state.targets[0].keys[0].topology = Topology::Primary { replicas: std::collections::BTreeMap::new() };
    state.targets.push(second);
    let id = ours(&here, "a").key_id();
    {
        let mut keys = here.state();
        let key = keys.key(&id).unwrap();
        key.tags.insert("keywright:owner".to_owned(), "owner-0001".to_owned());
        key.metadata.origin = crate::kms::Origin::External;
        key.metadata.multi_region = true;
        key.metadata.multi_region_type = Some(crate::live::MultiRegionType::Primary);
        key.metadata.primary_region = Some("eu-west-1".parse().unwrap());
    }
    let replica = crate::ports::NewReplica {
        region: "us-east-1".parse().unwrap(),
        description: String::new(),
        policy: crate::policy::PolicyDocument::new(Vec::new()),
        tags: std::collections::BTreeMap::new(),
        lockout_check: crate::ports::LockoutCheck::Keep,
    };
    run(crate::ports::KeyWriter::replicate_key(&*here, &id, &replica)).unwrap();
    let go = |denied: Option<PortErrorKind>| {
        let mut targets = std::collections::BTreeMap::new();
        for (target, fake) in state.targets.iter().zip([&here, &there]) {
            targets.insert(target.name.clone(), run(read_target(&**fake, target, &state, &options())).unwrap());
        }
        assert!(targets[&"other".parse().unwrap()].keys.is_empty(), "neither tag nor alias leads to it");
        if let Some(kind) = denied {
            there.fail("kms:GetKeyPolicy", Which::Every, Strike::Before, kind);
        }
        let connection = |name: &crate::ids::TargetName| Some(if name.as_str() == "other" { &*there } else { &*here });
        let errors = run(read_replicas(connection, &state, &mut targets, &options()));
        there.heal();
        (targets, errors)
    };
    let (targets, errors) = go(None);
    assert_eq!((ids(&targets[&"other".parse().unwrap()]), errors), (vec![id.clone()], vec![]));
    let materials = targets[&"other".parse().unwrap()].keys[0].materials.clone();
    assert!(matches!(materials, Some(Observed::Known(LiveMaterials::Listed(_)))), "{materials:?}");
    let (targets, _) = go(Some(PortErrorKind::Denied));
    assert_eq!(targets[&"other".parse().unwrap()].keys[0].policy.denied(), Some("kms:GetKeyPolicy"));
    let (targets, errors) = go(Some(PortErrorKind::Unreachable));
    assert_eq!(targets.len(), 1);
    assert!(errors[0].to_string().contains("other"), "{}", errors[0]);
}
