//! Inventories of an account in memory: every class of key, what is denied, and when material expires.

use super::*;
use crate::apply::tests::world::{World, block_on, rotating};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK, TAG_STRAY};
use crate::desired::{
    DesiredKey, DesiredMaterial, Import, KeyKind, KeyLifecycle, KeyMaterial, MaterialPresence, MaterialSource,
    Topology, Validity,
};
use crate::ids::{AliasName, KeyId};
use crate::kms::{KeySpec, KeyState, KeyUsage, Origin, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{Expiry, KeyManager, LiveMaterial, LivePresence, LiveRotationEvent, LiveUsage, MaterialStanding};
use crate::ports::CallerReader as _;
use crate::ports::PortErrorKind;
use crate::ports::fake::{Strike, Which};
use crate::read::{LastUse, ReadOptions, every_key, read_stock};
use crate::synth::sample;
use jiff::civil::date;

/// What `CreateKey` writes where nobody gives a policy, in other words.
pub(crate) const DEFAULT: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Root","Effect":"Allow",
    "Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}]}"#;
const PUBLIC: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Open","Effect":"Allow","Principal":"*",
    "Action":["kms:Decrypt","kms:PutKeyPolicy"],"Resource":"*"}]}"#;

pub(crate) const TODAY: Date = date(2026, 11, 24);

fn read(world: &World, last_use: LastUse) -> BTreeMap<TargetName, LiveStock> {
    let targets = world.state.targets.iter().map(|target| {
        let aws = world.in_region(&target.region);
        let options = ReadOptions { settle: std::time::Duration::ZERO, ..ReadOptions::new(Backend::Sandbox) };
        let stock = block_on(async {
            let caller = aws.caller().await.unwrap();
            let read = every_key(&*aws, &target.region, &options).await.unwrap();
            let mut keys = read.known().unwrap().clone();
            read_stock(&*aws, &mut keys, last_use, &options).await;
            LiveStock { backend: Backend::Sandbox, caller, keys }
        });
        (target.name.clone(), stock)
    });
    targets.collect()
}

pub(crate) fn taken(world: &World) -> Inventory {
    taken_with(world, LastUse::Left)
}

pub(crate) fn taken_with(world: &World, last_use: LastUse) -> Inventory {
    let (targets, sources) = (read(world, last_use), SourceMap::default());
    let claims = BTreeMap::new();
    inventory(InventoryInput {
        desired: &world.state,
        sources: &sources,
        claims: &claims,
        targets: &targets,
        today: TODAY,
    })
}

fn wanting(keys: Vec<DesiredKey>) -> World {
    World::new(sample::state(vec![sample::target("prod", "eu-west-1", keys)], Vec::new()))
}

fn settled(keys: Vec<DesiredKey>) -> World {
    let world = wanting(keys);
    assert_eq!(world.converge().exit(), crate::exit::Exit::Done);
    world
}

fn id_of(world: &World, alias: &str) -> KeyId {
    world.aws.state().aliases[&alias.parse().unwrap()].clone()
}

fn entry<'i>(inventory: &'i Inventory, id: &KeyId) -> &'i KeyEntry {
    inventory.entries().find(|entry| entry.arn.key_id() == *id).unwrap()
}

fn expiring_at(days: i64) -> Expiry {
    let at: jiff::Timestamp = "2026-11-24T09:30:00Z".parse().unwrap();
    Expiry::At(at.checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap())
}

fn material(name: &str, standing: MaterialStanding, presence: LivePresence) -> LiveMaterial {
    let id = hex::encode([name.len() as u8; 32]).parse().unwrap();
    LiveMaterial { id, description: Some(name.to_owned()), standing, presence }
}

/// A foreign key with imported material.
fn imported(world: &World, alias: &str, materials: &[LiveMaterial]) -> KeyId {
    let id = world.aws.add_key(DEFAULT, &[], &[alias]).key_id();
    let mut state = world.aws.state();
    let key = state.key(&id).unwrap();
    key.metadata.origin = Origin::External;
    key.materials = materials.to_vec();
    let missing = materials.is_empty() || materials.iter().any(|found| found.presence == LivePresence::Missing);
    key.metadata.state = if missing { KeyState::PendingImport } else { KeyState::Enabled };
    id
}

/// An account with a key of every class, and of every state that is worth a word.
pub(crate) fn everything() -> World {
    let archive = DesiredKey { lifecycle: KeyLifecycle::Disabled, ..rotating("archive", 365) };
    let mut world = settled(vec![archive, rotating("ledger", 180), sample::key("sessions")]);
    world.state.targets[0].keys.push(sample::key("not-yet"));
    let stack = world.state.stack.to_string();
    let owner = world.state.owner.to_string();
    let tags = |stack: &'static str, key: &'static str| vec![(TAG_STACK, stack), (TAG_KEY, key)];
    assert_eq!(stack, "payments");
    let own = |key: &'static str| [tags("payments", key), vec![(TAG_OWNER, owner.as_str())]].concat();
    world.aws.add_key(DEFAULT, &own("gone"), &["alias/payments/gone"]);
    let twin = world.aws.add_key(DEFAULT, &own("ledger"), &[]).key_id();
    world.aws.state().key(&twin).unwrap().tags.insert(TAG_STRAY.to_owned(), "winner".to_owned());
    world.aws.add_key(DEFAULT, &tags("website", "assets"), &["alias/keywright/website/assets"]);
    let open = world.aws.add_key(PUBLIC, &[], &["alias/made-by-hand/with-quite-a-long-name"]).key_id();
    world.aws.state().key(&open).unwrap().rotations.done = vec![event("2026-01-02T03:04:05Z")];
    imported(
        &world,
        "alias/vault",
        &[
            material("2025", MaterialStanding::NonCurrent, LivePresence::Imported(expiring_at(12))),
            material("2026\u{1b}[2J", MaterialStanding::Current, LivePresence::Imported(Expiry::Never)),
        ],
    );
    let leaving = world.aws.add_key(DEFAULT, &[], &[]).key_id();
    let of_aws = world.aws.add_key(DEFAULT, &[], &[]).key_id();
    {
        let mut state = world.aws.state();
        let metadata = &mut state.key(&leaving).unwrap().metadata;
        (metadata.spec, metadata.usage) = (KeySpec::Rsa2048, KeyUsage::SignVerify);
        (metadata.state, metadata.deletion) =
            (KeyState::PendingDeletion, Some("2026-12-01T00:00:00Z".parse().unwrap()));
        let metadata = &mut state.key(&of_aws).unwrap().metadata;
        metadata.manager = KeyManager::Aws;
        metadata.description = "Default key that protects my S3 objects".to_owned();
    }
    world
}

fn event(at: &str) -> LiveRotationEvent {
    LiveRotationEvent { at: at.parse().unwrap(), on_demand: true }
}

#[test]
fn every_key_is_in_one_class() {
    let world = everything();
    let found = taken(&world);
    let classes: Vec<(KeyClass, Option<&str>)> =
        found.entries().map(|entry| (entry.class(), entry.claimed_name())).collect();
    assert_eq!(
        classes,
        [
            (KeyClass::Ours, Some("archive")),
            (KeyClass::Ours, Some("ledger")),
            (KeyClass::Ours, Some("sessions")),
            (KeyClass::Stray, None),
            (KeyClass::Orphan, Some("gone")),
            (KeyClass::OtherStack, Some("assets")),
            (KeyClass::Foreign, None),
            (KeyClass::Foreign, None),
            (KeyClass::Foreign, None),
        ]
    );
    let target = &found.targets[0];
    assert_eq!(target.aws_managed.len(), 1);
    assert_eq!(target.absent, [AbsentKey { key: "not-yet".parse().unwrap(), why: None }]);
    assert_eq!(target.unreadable, []);
}

#[test]
fn ownership_that_is_unclear_to_a_plan_is_unclear_here() {
    let world = settled(vec![sample::key("ledger")]);
    let claim: AliasName = "alias/keywright/payments/ledger".parse().unwrap();
    let ledger = world.aws.state().aliases.remove(&claim).unwrap();
    let found = taken(&world);
    let Whose::Unclear { key, why, next } = &entry(&found, &ledger).whose else { panic!("{found:#?}") };
    assert_eq!(key.as_deref(), Some("ledger"));
    assert!(why.contains("the claim alias") && why.contains("is missing"), "{why}");
    assert!(next.contains("create-alias"), "{next}");

    let stranger = world.aws.add_key(DEFAULT, &[], &[claim.as_str()]).key_id();
    let found = taken(&world);
    let whose = |id| &entry(&found, id).whose;
    assert!(matches!(whose(&stranger), Whose::Unclear { why, .. } if why.contains("does not carry the tags")));
    assert!(matches!(whose(&ledger), Whose::Unclear { why, .. } if why.contains("is not that key")));

    world.aws.state().aliases.insert(claim, ledger.clone());
    world.aws.state().key(&ledger).unwrap().tags.insert(TAG_OWNER.to_owned(), "another".to_owned());
    let found = taken(&world);
    let expected = Whose::OtherStack {
        stack: "payments".to_owned(),
        key: Some("ledger".to_owned()),
        owner: Some("another".to_owned()),
    };
    assert_eq!(entry(&found, &ledger).whose, expected);
}

#[test]
fn a_retired_key_that_is_gone_is_not_missed_and_one_that_leaves_is_ours() {
    let retired = DesiredKey { lifecycle: KeyLifecycle::Retired, ..sample::key("ledger") };
    assert_eq!(taken(&wanting(vec![retired.clone()])).targets[0].absent, []);
    let mut world = settled(vec![sample::key("ledger")]);
    world.state.targets[0].keys = vec![retired];
    let ledger = id_of(&world, "alias/payments/ledger");
    {
        let mut state = world.aws.state();
        state.aliases.clear();
        state.key(&ledger).unwrap().metadata.state = KeyState::PendingDeletion;
    }
    let found = taken(&world);
    assert_eq!(entry(&found, &ledger).class(), KeyClass::Ours);
    assert_eq!(entry(&found, &ledger).price, KeyPrice::Exactly(0));
}

#[test]
fn a_replica_is_ours_by_its_family() {
    let regions = ["eu-west-1", "eu-central-1"].map(|region| region.parse().unwrap());
    let replica_target: TargetName = "there".parse().unwrap();
    let of = |topology| DesiredKey { topology, family: regions.clone().into(), ..sample::key("ledger") };
    let primary = of(Topology::Primary { replicas: [(replica_target, regions[1].clone())].into() });
    let replica = of(Topology::Replica { primary: "prod".parse().unwrap(), region: regions[0].clone() });
    let world = World::new(sample::state(
        vec![
            sample::target("prod", "eu-west-1", vec![primary]),
            sample::target("there", "eu-central-1", vec![replica]),
        ],
        Vec::new(),
    ));
    assert_eq!(world.converge().exit(), crate::exit::Exit::Done);
    world.at("there").state().aliases.clear();
    let found = taken(&world);
    let lacks = Whose::Declared { key: "ledger".parse().unwrap(), lacks: Some("its claim alias".to_owned()) };
    assert_eq!(found.targets[1].keys[0].whose, lacks);
    assert_eq!((found.targets[1].absent.len(), found.cost()), (0, KeyPrice::Exactly(2)));
}

#[test]
fn what_is_denied_is_said_and_never_empty() {
    let parts: [(&str, &str, fn(&KeyEntry) -> bool); 7] = [
        ("kms:DescribeKey", "its settings and state", |entry| {
            entry.metadata.is_none() && entry.rotation == RotationStanding::Unknown
        }),
        ("kms:GetKeyPolicy", "the key policy", |entry| entry.findings.is_none() && entry.default_policy.is_none()),
        ("kms:GetKeyRotationStatus", "the rotation", |entry| entry.rotation == RotationStanding::Unknown),
        ("kms:ListGrants", "the grants", |entry| entry.findings.is_some()),
        ("kms:ListKeyPolicies", "the policy of its resource share", |entry| entry.findings.is_some()),
        ("kms:ListKeyRotations", "the history of rotations", |entry| entry.price == KeyPrice::AtLeast(1)),
        ("kms:GetKeyLastUsage", "the last use", |entry| entry.last_usage.is_none()),
    ];
    for (call, what, check) in parts {
        let world = settled(vec![rotating("ledger", 180)]);
        world.aws.fail(call, Which::Every, Strike::Before, PortErrorKind::Denied);
        let found = taken_with(&world, LastUse::Asked);
        let entry = &found.targets[0].keys[0];
        assert_eq!(entry.class(), KeyClass::Ours, "{call}");
        let unread: Vec<(&str, &str)> =
            entry.unreadable.iter().map(|item| (item.what.as_str(), item.action.as_str())).collect();
        assert_eq!(unread, [(what, call)]);
        assert!(check(entry), "{call}: {entry:#?}");
    }
}

#[test]
fn without_tags_or_aliases_nothing_is_called_foreign_or_absent() {
    for call in ["kms:ListResourceTags", "kms:ListAliases"] {
        let world = settled(vec![sample::key("ledger")]);
        world.aws.fail(call, Which::Every, Strike::Before, PortErrorKind::Denied);
        let found = taken(&world);
        let Whose::Unclear { why, .. } = &found.targets[0].keys[0].whose else { panic!("{call}: {found:#?}") };
        assert!(why.contains(call), "{why}");
        assert_eq!(found.targets[0].absent, [], "{call}");
        assert_eq!(found.targets[0].unreadable.len(), usize::from(call == "kms:ListAliases"));
    }
    let world = wanting(Vec::new());
    world.aws.add_key(DEFAULT, &[], &["alias/a"]);
    world.aws.fail("kms:ListResourceTags", Which::Every, Strike::Before, PortErrorKind::Denied);
    assert_eq!(taken(&world).targets[0].keys[0].class(), KeyClass::Unclear);
}

#[test]
fn days_are_counted_by_date() {
    for (at, left) in [
        ("2026-11-24T23:59:59Z", 0),
        ("2026-11-25T00:00:00Z", 1),
        ("2026-11-23T23:59:59Z", -1),
        ("2027-11-24T12:00:00Z", 365),
    ] {
        assert_eq!(days_left(Expiry::At(at.parse().unwrap()), TODAY), Some(left), "{at}");
    }
    assert_eq!(days_left(Expiry::Never, TODAY), None);
}

#[test]
fn material_is_urgent_within_its_time_or_when_it_is_gone() {
    use MaterialStanding::{Current, NonCurrent, PendingRotation};
    let there = |days| LivePresence::Imported(expiring_at(days));
    let never = LivePresence::Imported(Expiry::Never);
    let cases: [(&[LiveMaterial], bool, Expiring); 8] = [
        (&[material("a", Current, never)], false, Expiring::No),
        (&[material("a", Current, there(31))], false, Expiring::No),
        (&[material("a", Current, there(30))], true, Expiring::No),
        (&[material("a", Current, there(10))], true, Expiring::Within),
        (&[material("a", NonCurrent, there(-1)), material("bb", Current, never)], true, Expiring::Within),
        (&[material("a", NonCurrent, LivePresence::Missing), material("bb", Current, never)], true, Expiring::Within),
        (&[material("a", Current, never), material("bb", PendingRotation, LivePresence::Missing)], false, Expiring::No),
        (&[], true, Expiring::Within),
    ];
    for (materials, urgent, expiring) in cases {
        let world = wanting(Vec::new());
        let id = imported(&world, "alias/vault", materials);
        let found = taken(&world);
        let vault = entry(&found, &id);
        assert_eq!((vault.is_urgent(TODAY), vault.expiring(10, TODAY)), (urgent, expiring), "{materials:?}");
        world.aws.state().key(&id).unwrap().metadata.state = KeyState::PendingDeletion;
        let found = taken(&world);
        assert_eq!(
            (entry(&found, &id).is_urgent(TODAY), entry(&found, &id).expiring(10, TODAY)),
            (false, Expiring::No)
        );
    }
}

#[test]
fn a_server_that_lists_no_materials_has_told_the_first_expiry_with_the_key() {
    let world = wanting(Vec::new());
    let id = imported(&world, "alias/mac", &[]);
    let set = |state: KeyState, expiry| {
        let mut found = world.aws.state();
        let metadata = &mut found.key(&id).unwrap().metadata;
        (metadata.spec, metadata.usage) = (KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
        (metadata.state, metadata.expiry) = (state, expiry);
    };
    for (state, expiry, left, expiring) in [
        (KeyState::Enabled, Some(expiring_at(3)), Some(3), Expiring::Within),
        (KeyState::Enabled, Some(Expiry::Never), None, Expiring::No),
        (KeyState::Enabled, None, None, Expiring::Untold),
        (KeyState::PendingImport, None, None, Expiring::Within),
    ] {
        set(state, expiry);
        let found = taken(&world);
        let entry = entry(&found, &id);
        assert_eq!(entry.material.as_ref().unwrap().days_left(TODAY), left);
        assert_eq!(entry.expiring(10, TODAY), expiring, "{state} {expiry:?}");
    }
}

fn external(presence: MaterialPresence, validity: Validity) -> DesiredKey {
    let import = Import {
        validity,
        algorithm: WrappingAlgorithm::default_for(KeySpec::SymmetricDefault).unwrap(),
        wrapping_key: WrappingKeySpec::Rsa4096,
        materials: vec![DesiredMaterial { name: "a".parse().unwrap(), source: MaterialSource::Prewrapped }],
        presence,
    };
    let material = KeyMaterial::Imported { kind: KeyKind::SYMMETRIC, import: Some(import) };
    DesiredKey { material, ..sample::key("vault") }
}

#[test]
fn the_manifest_says_when_to_warn_and_whether_material_is_to_be_there() {
    let days = Validity::Days { days: 180, reimport_before: 60 };
    for (presence, there, urgent, expiring) in [
        (MaterialPresence::Imported, Some(60), true, Expiring::Within),
        (MaterialPresence::Imported, Some(61), false, Expiring::No),
        (MaterialPresence::Imported, None, true, Expiring::Within),
        (MaterialPresence::Deleted, None, false, Expiring::No),
    ] {
        let mut world = wanting(Vec::new());
        let key = external(presence, days);
        let tags = crate::synth::key_tags(&world.state, &key);
        world.state.targets[0].keys.push(key);
        let live = there.map_or(LivePresence::Missing, |days| LivePresence::Imported(expiring_at(days)));
        let id = imported(&world, "alias/keywright/payments/vault", &[material("a", MaterialStanding::Current, live)]);
        world.aws.state().key(&id).unwrap().tags = tags;
        let found = taken(&world);
        assert_eq!(entry(&found, &id).class(), KeyClass::Ours);
        let vault = entry(&found, &id);
        assert_eq!((vault.is_urgent(TODAY), vault.expiring(60, TODAY)), (urgent, expiring), "{presence:?} {there:?}");
    }
}

#[test]
fn only_what_expires_is_left_and_what_cannot_be_told_with_it() {
    let world = everything();
    let names = |found: &Inventory| found.entries().map(KeyEntry::name).collect::<Vec<_>>();
    let mut found = taken(&world);
    found.only_expiring(11);
    assert_eq!((names(&found).len(), found.expiring_counts(11)), (0, (0, 0)));
    let mut found = taken(&world);
    found.only_expiring(12);
    assert_eq!((names(&found), found.expiring_counts(12)), (vec!["alias/vault".to_owned()], (1, 0)));
    assert_eq!((found.targets[0].absent.len(), found.targets[0].aws_managed.len()), (0, 0));
    world.aws.fail(
        "kms:DescribeKey",
        Which::Nth(world.aws.count("kms:DescribeKey") + 1),
        Strike::Before,
        PortErrorKind::Denied,
    );
    let mut found = taken(&world);
    found.only_expiring(12);
    assert_eq!(found.expiring_counts(12).1, 1);
}

#[test]
fn keys_are_asked_for_by_name() {
    let world = everything();
    let mut found = taken(&world);
    found.only_named(&["ledger", "not-yet"].map(|name| name.parse().unwrap()));
    assert_eq!(found.entries().map(KeyEntry::name).collect::<Vec<_>>(), ["ledger"]);
    assert_eq!((found.targets[0].absent.len(), found.targets[0].aws_managed.len()), (1, 0));
}

#[test]
fn a_key_costs_a_dollar_and_one_more_for_each_of_two_rotations() {
    let world = settled(vec![rotating("ledger", 180)]);
    let ledger = id_of(&world, "alias/payments/ledger");
    for (done, dollars) in [(0, 1), (1, 2), (2, 3), (3, 3)] {
        world.aws.state().key(&ledger).unwrap().rotations.done = vec![event("2026-01-02T03:04:05Z"); done];
        assert_eq!(taken(&world).cost(), KeyPrice::Exactly(dollars), "{done}");
    }
    let there = LivePresence::Imported(Expiry::Never);
    let listed = [MaterialStanding::NonCurrent, MaterialStanding::Current, MaterialStanding::PendingRotation];
    imported(&world, "alias/vault", &listed.map(|standing| material("a", standing, there)));
    assert_eq!(taken(&world).cost(), KeyPrice::Exactly(3 + 2));
    // A second target of the same account and Region has the same keys.
    let twin = DesiredTarget { name: "twin".parse().unwrap(), keys: Vec::new(), ..world.state.targets[0].clone() };
    let mut world = world;
    world.state.targets.push(twin);
    let found = taken(&world);
    assert_eq!((found.entries().count(), found.cost()), (4, KeyPrice::Exactly(5)));
    assert_eq!(found.targets[1].keys[1].class(), KeyClass::Foreign);
    assert_eq!(found.targets[1].keys[0].class(), KeyClass::Orphan);
}

#[test]
fn rotation_is_told_apart_from_what_cannot_rotate() {
    let world = everything();
    let found = taken(&world);
    let standing = |name: &str| found.entries().find(|entry| entry.name() == name).unwrap().rotation;
    assert_eq!(standing("ledger"), RotationStanding::Every(Some(180)));
    assert_eq!(standing("sessions"), RotationStanding::Off);
    assert_eq!(standing("alias/vault"), RotationStanding::ByImport);
    let leaving = found.entries().find(|entry| entry.metadata.as_ref().unwrap().spec == KeySpec::Rsa2048).unwrap();
    assert_eq!(leaving.rotation, RotationStanding::Impossible);
}

#[test]
fn the_default_policy_is_known_whatever_its_wording() {
    let world = everything();
    let found = taken(&world);
    let default = |name: &str| found.entries().find(|entry| entry.name() == name).unwrap().default_policy;
    assert_eq!(default("gone"), Some(true));
    assert_eq!((default("ledger"), default("alias/made-by-hand/with-quite-a-long-name")), (Some(false), Some(false)));
}

#[test]
fn nothing_is_ever_written() {
    let world = everything();
    let before = world.writes();
    let usage = LiveUsage { tracked_since: None, last: Some(("Decrypt".to_owned(), world.aws.state().now)) };
    let ledger = id_of(&world, "alias/payments/ledger");
    world.aws.state().key(&ledger).unwrap().last_usage = usage.clone();
    let found = taken_with(&world, LastUse::Asked);
    assert_eq!(world.writes(), before);
    assert_eq!(entry(&found, &ledger).last_usage, Some(usage));
}
