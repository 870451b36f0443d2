//! From any live state of any kind of key and for any wish: no call that a state forbids, no key deleted that is also
//! made, and after one apply nothing is left to do; or the plan is blocked, and stays so.
//!
//! The account in memory refuses what KMS refuses in a state, so that a report without a failure shows that no step
//! was taken outside its legal state.

use super::world::World;
use crate::desired::{
    DesiredKey, DesiredMaterial, DesiredState, Import, KeyKind, KeyLifecycle, KeyMaterial, KeyStore, MaterialEncoding,
    MaterialPresence, MaterialSource, Rotation, RotationPeriod, Topology, Validity,
};
use crate::exit::Exit;
use crate::kms::{KeySpec, KeyState, KeyUsage, Origin, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{LiveKeyStore, LivePresence, LiveRotation, LiveRotationEvent};
use crate::plan::{Action, Outcome, Plan, PlanOptions, plan_to_json};
use crate::ports::fake::FakeKey;
use crate::synth::sample;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use proptest::sample::select;

const RETIRED: &str = "keywright:retired-at";
const STORES: [&str; 2] = ["cks-0000000000000000a", "cks-0000000000000000b"];

/// What a manifest says of the key.
#[derive(Debug, Clone)]
struct Wish {
    material: KeyMaterial,
    many_regions: bool,
    lifecycle: KeyLifecycle,
    soak_days: u16,
    described: bool,
    /// Whether the deployer may delete.
    deletes: bool,
}

/// How the key is found.
#[derive(Debug, Clone)]
struct Found {
    state: KeyState,
    retired: Option<&'static str>,
    rotation: LiveRotation,
    on_demand: usize,
    newest: Date,
    connection: &'static str,
    strange_policy: bool,
}

fn material() -> impl Strategy<Value = KeyMaterial> {
    let mut kinds = Vec::new();
    for spec in KeySpec::ALL {
        kinds.extend(spec.usages().iter().filter_map(|usage| KeyKind::new(*spec, *usage)));
    }
    let symmetric = KeyKind::new(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt).unwrap();
    let others: Vec<_> = kinds.iter().copied().filter(|kind| *kind != symmetric).collect();
    let days = prop::option::of(select(vec![90_i64, 365]));
    let since = prop::option::of(select(vec![date(2026, 1, 1), date(2026, 11, 24), date(2026, 12, 1)]));
    prop_oneof![
        3 => (days, since).prop_map(|(days, newer_than)| KeyMaterial::Symmetric {
            rotation: days.map_or(Rotation::Off, |days| Rotation::Every(RotationPeriod::from_days(days).unwrap())),
            newer_than,
        }),
        1 => select(others).prop_map(KeyMaterial::Generated),
        1 => select(kinds.clone()).prop_map(|kind| KeyMaterial::Imported { kind, import: None }),
        3 => (select(kinds), import()).prop_map(|(kind, import)| KeyMaterial::Imported { kind, import: Some(import) })
            .prop_map(fitting),
        1 => select(STORES.to_vec()).prop_map(|id| KeyMaterial::Stored(KeyStore::CloudHsm { id: id.parse().unwrap() })),
        1 => select(vec!["one", "two"]).prop_map(|id| KeyMaterial::Stored(KeyStore::External {
            id: STORES[1].parse().unwrap(),
            xks_key_id: id.to_owned(),
        })),
    ]
}

/// How material may be declared to come in.
fn import() -> impl Strategy<Value = Import> {
    let days = |(days, reimport_before)| Validity::Days { days, reimport_before };
    let validity = prop_oneof![Just(Validity::Never), select(vec![(1, 0), (90, 30), (365, 30)]).prop_map(days)];
    let sources = prop::collection::vec(prop::bool::weighted(0.2), 1..4);
    (validity, sources, prop::bool::weighted(0.2)).prop_map(|(validity, prewrapped, deleted)| Import {
        validity,
        algorithm: WrappingAlgorithm::OaepSha256,
        wrapping_key: WrappingKeySpec::Rsa4096,
        materials: prewrapped
            .iter()
            .zip(["2024", "2025", "2026"])
            .map(|(prewrapped, name)| declared(name, *prewrapped))
            .collect(),
        presence: if deleted { MaterialPresence::Deleted } else { MaterialPresence::Imported },
    })
}

fn declared(name: &str, prewrapped: bool) -> DesiredMaterial {
    let printed = MaterialSource::Command { argv: vec!["print".to_owned()], encoding: MaterialEncoding::Raw };
    let source = if prewrapped { MaterialSource::Prewrapped } else { printed };
    DesiredMaterial { name: name.parse().unwrap(), source }
}

/// What the manifest sees to: the way fits the spec, and only symmetric encryption keys take one material after another.
fn fitting(mut material: KeyMaterial) -> KeyMaterial {
    if let KeyMaterial::Imported { kind, import } = &mut material
        && let Some(declared) = import
    {
        let spec = kind.spec();
        match WrappingAlgorithm::default_for(spec) {
            Some(algorithm) => declared.algorithm = algorithm,
            None => *import = None,
        }
        if let Some(declared) = import.as_mut().filter(|_| spec != KeySpec::SymmetricDefault) {
            declared.materials.truncate(1);
        }
    }
    material
}

fn wish() -> impl Strategy<Value = Wish> {
    let lifecycle = select(vec![KeyLifecycle::Enabled, KeyLifecycle::Disabled, KeyLifecycle::Retired]);
    (material(), any::<bool>(), lifecycle, select(vec![0_u16, 1, 30]), any::<bool>(), prop::bool::weighted(0.8))
        .prop_map(|(material, many_regions, lifecycle, soak_days, described, deletes)| Wish {
            material,
            many_regions,
            lifecycle,
            soak_days,
            described,
            deletes,
        })
}

fn found() -> impl Strategy<Value = Found> {
    let tags = vec![None, Some("2026-01-01"), Some("2026-11-23"), Some("2026-11-24"), Some("2027-01-01"), Some("odd")];
    let rotation = vec![LiveRotation::Off, LiveRotation::On { days: Some(365) }, LiveRotation::On { days: Some(720) }];
    (
        select(KeyState::ALL.to_vec()),
        select(tags),
        select(rotation),
        select(vec![0_usize, 3, 24, 25]),
        select(vec![date(2025, 1, 1), date(2026, 11, 24)]),
        select(vec!["CONNECTED", "DISCONNECTED"]),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(state, retired, rotation, on_demand, newest, connection, strange_policy)| Found {
            state,
            retired,
            rotation,
            on_demand,
            newest,
            connection,
            strange_policy,
        })
}

fn manifest(wish: &Wish) -> DesiredState {
    let stored = matches!(wish.material, KeyMaterial::Stored(_));
    let key = DesiredKey {
        material: wish.material.clone(),
        topology: if wish.many_regions && !stored {
            Topology::Primary { replicas: [].into() }
        } else {
            Topology::Single
        },
        lifecycle: wish.lifecycle,
        soak_days: wish.soak_days,
        description: wish.described.then(|| "words".to_owned()),
        deleters: vec![sample::role(if wish.deletes { "keywright-deployer" } else { "key-deleter" })],
        delegation: crate::desired::Delegation::RootUser,
        ..sample::key("ledger")
    };
    sample::state(vec![sample::target("prod", "eu-west-1", vec![key])], Vec::new())
}

/// The store that the wish needs, and another of another type.
fn stores(world: &World, wish: &Wish, connection: &str) {
    let KeyMaterial::Stored(store) = &wish.material else { return };
    let live = LiveKeyStore { origin: wish.material.origin(), connection: connection.to_owned(), error: None };
    world.aws.state().stores.insert(store.id().clone(), live);
}

/// A key is found in such states only as its kind can be in.
fn can_be(key: &FakeKey, state: KeyState) -> bool {
    let found = &key.metadata;
    match state {
        KeyState::PendingImport => found.origin == Origin::External,
        KeyState::Unavailable => found.store.is_some(),
        KeyState::PendingReplicaDeletion | KeyState::Updating => found.multi_region,
        KeyState::Creating | KeyState::Enabled | KeyState::Disabled | KeyState::PendingDeletion => true,
    }
}

/// The key, made by an earlier manifest, and then touched by others.
fn touch(key: &mut FakeKey, found: &Found) {
    if can_be(key, found.state) {
        key.metadata.state = found.state;
    }
    if key.metadata.state == KeyState::PendingImport {
        for material in &mut key.materials {
            material.presence = LivePresence::Missing;
        }
        key.metadata.expiry = None;
    }
    key.tags.extend(found.retired.map(|day| (RETIRED.to_owned(), day.to_owned())));
    let shape = crate::kms::KeyShape::new(key.metadata.spec, key.metadata.usage).with_origin(key.metadata.origin);
    if shape.rotates_automatically() {
        key.rotation = found.rotation;
        let at = jiff::tz::Offset::UTC.to_timestamp(found.newest.at(12, 0, 0, 0)).unwrap();
        key.metadata.created = Some("2024-01-01T00:00:00Z".parse().unwrap());
        key.rotations.done = vec![LiveRotationEvent { at, on_demand: true }; found.on_demand];
    }
    if found.strange_policy {
        key.policy = r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned();
    }
}

fn live(earlier: Option<&Wish>, found: &Found, wish: &Wish) -> World {
    let mut world = World::new(manifest(wish));
    if let Some(earlier) = earlier {
        stores(&world, earlier, "CONNECTED");
        world.state = manifest(&Wish { lifecycle: KeyLifecycle::Enabled, ..earlier.clone() });
        // A day that is yet to come blocks that one too.
        if world.converge().exit() == Exit::Done
            && let Some(key) = world.aws.state().keys.values_mut().next()
        {
            touch(key, found);
        }
    }
    stores(&world, wish, found.connection);
    World { state: manifest(wish), ..world }
}

/// Rules of every plan, written apart from the planner and from its own check.
fn assert_lawful(plan: &Plan, world: &World, consent: bool) {
    let steps = plan.targets[0].outcome.steps();
    let has = |wanted: fn(&Action) -> bool| steps.iter().any(|step| wanted(&step.action));
    let creates = has(|action| matches!(action, Action::CreateKey { .. }));
    let deletes = has(|action| matches!(action, Action::ScheduleKeyDeletion { .. }));
    let state = world.aws.state();
    let key = state.keys.values().next();
    assert!(!(creates && key.is_some()), "a twin: {:#}", plan_to_json(plan));
    if deletes {
        let key = key.unwrap();
        assert!(consent && !creates, "{:#}", plan_to_json(plan));
        assert!(!has(|action| matches!(action, Action::DisableKey { .. } | Action::CancelKeyDeletion { .. })));
        assert_ne!(key.metadata.state, KeyState::Enabled);
        assert!(key.tags[RETIRED].as_str() <= "2026-11-24", "{}", key.tags[RETIRED]);
    }
    let codes: Vec<&str> = plan.targets[0].outcome.blockers().iter().map(|blocker| blocker.kind.0.name()).collect();
    assert!(!codes.contains(&"plan-check"), "{:#}", plan_to_json(plan));
}

/// Returns whether the run after the one that retires a key goes on to its deletion.
fn deletes_next(first: &Plan, second: &Plan, wish: &Wish, consent: bool) -> bool {
    let marks =
        |step: &crate::plan::Step| matches!(&step.action, Action::TagKey { tags, .. } if tags.contains_key(RETIRED));
    let disables = |step: &crate::plan::Step| matches!(step.action, Action::DisableKey { .. });
    let first = first.targets[0].outcome.steps();
    let [next] = second.targets[0].outcome.steps() else { return false };
    wish.lifecycle == KeyLifecycle::Retired
        && wish.soak_days == 0
        && consent
        && first.iter().any(|step| marks(step) || disables(step))
        && matches!(next.action, Action::ScheduleKeyDeletion { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_key_is_brought_to_any_wish_or_left_as_it_is(
        earlier in prop::option::weighted(0.9, wish()),
        alike in prop::bool::weighted(0.8),
        found in found(),
        wish in wish(),
        delete in any::<bool>(),
        cancel in any::<bool>(),
        before in import(),
    ) {
        // Mostly the kind stays, or all would be blocked.
        let material = if let KeyMaterial::Imported { kind, import: Some(_) } = &wish.material {
            fitting(KeyMaterial::Imported { kind: *kind, import: Some(before) })
        } else {
            wish.material.clone()
        };
        let same = |earlier: Wish| Wish { material: material.clone(), many_regions: wish.many_regions, ..earlier };
        let earlier = earlier.map(|earlier| if alike { same(earlier) } else { earlier });
        let name = || ["ledger".parse().unwrap()].into();
        let options = PlanOptions {
            allow_retire: if delete { name() } else { [].into() },
            cancel_deletion: if cancel { name() } else { [].into() },
            delete_material: if delete { name() } else { [].into() },
            ..PlanOptions::default()
        };
        let world = World { options, ..live(earlier.as_ref(), &found, &wish) };
        let plan = world.plan();
        assert_lawful(&plan, &world, delete);
        prop_assert_eq!(&plan.digest, &world.plan().digest);
        let keys = || {
            let state = world.aws.state();
            format!("{:?} {:?}", state.keys, state.aliases)
        };
        let before = keys();
        let report = world.apply(&plan);
        let mut second = world.plan();
        if deletes_next(&plan, &second, &wish, delete) {
            // Without a soak the deletion is the next run's, and a run of its own.
            let _report = world.apply(&second);
            if !matches!(second.targets[0].outcome, Outcome::Blocked { .. }) {
                second = world.plan();
            }
            if matches!(second.targets[0].outcome, Outcome::Blocked { .. }) {
                prop_assert_eq!(&second.digest, &world.plan().digest);
                return Ok(());
            }
        }
        match &plan.targets[0].outcome {
            Outcome::Blocked { .. } => {
                prop_assert_eq!(before, keys());
                prop_assert_eq!(&plan.digest, &second.digest);
            }
            Outcome::InSync | Outcome::Ready(_) => {
                prop_assert_eq!(report.exit(), Exit::Done, "{:#?}", report);
                prop_assert!(
                    matches!(second.targets[0].outcome, Outcome::InSync),
                    "first {:#}\nsecond {:#}", plan_to_json(&plan), plan_to_json(&second)
                );
            }
        }
    }
}
