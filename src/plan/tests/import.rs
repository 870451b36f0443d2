//! Imported material: when it is imported, for the first time and again, what follows from that, and what is said.

use super::{blocked_by, calls, findings, target, touch, wanting};
use crate::apply::tests::families;
use crate::apply::tests::world::{World, is_in_sync};
use crate::desired::tags::TAG_VALIDITY;
use crate::desired::{
    DesiredKey, DesiredMaterial, Import, KeyKind, KeyLifecycle, KeyMaterial, MaterialEncoding, MaterialPresence,
    MaterialSource, Topology, Validity,
};
use crate::exit::Exit;
use crate::kms::{ImportKind, KeySpec, KeyState, KeyUsage, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{LivePresence, MaterialStanding};
use crate::plan::{
    Action, Outcome, Plan, PlanKind, PlanOptions, PlanPurpose, Step, TargetPlan, Why, Wrapping, plan_to_json,
};
use crate::ports::fake::FakeKey;
use crate::review::Risk;
use crate::synth::sample;

const DAYS: Validity = Validity::Days { days: 180, reimport_before: 30 };

fn material(name: &str) -> DesiredMaterial {
    let source = MaterialSource::Command { argv: vec!["vault".to_owned()], encoding: MaterialEncoding::Base64 };
    DesiredMaterial { name: name.parse().unwrap(), source }
}

fn prewrapped(name: &str) -> DesiredMaterial {
    DesiredMaterial { source: MaterialSource::Prewrapped, ..material(name) }
}

fn import(names: &[&str], validity: Validity) -> Import {
    Import {
        validity,
        algorithm: WrappingAlgorithm::OaepSha256,
        wrapping_key: WrappingKeySpec::Rsa4096,
        materials: names.iter().map(|name| material(name)).collect(),
        presence: MaterialPresence::Imported,
    }
}

fn of(import: Import, spec: KeySpec, usage: KeyUsage) -> DesiredKey {
    let kind = KeyKind::new(spec, usage).unwrap();
    let material = KeyMaterial::Imported { kind, import: Some(import) };
    DesiredKey { material, deleters: vec![sample::role("keywright-deployer")], ..sample::key("ledger") }
}

fn key(import: Import) -> DesiredKey {
    of(import, KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt)
}

fn usual(names: &[&str]) -> DesiredKey {
    key(import(names, DAYS))
}

fn with(world: World, key: DesiredKey) -> World {
    World { state: wanting(vec![key]), ..world }
}

fn options(world: World, change: impl FnOnce(&mut PlanOptions)) -> World {
    let mut world = world;
    change(&mut world.options);
    world
}

#[track_caller]
fn settled(key: DesiredKey) -> World {
    let world = World::new(wanting(vec![key]));
    let report = world.converge();
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    assert!(is_in_sync(&world.plan()), "{:#}", plan_to_json(&world.plan()));
    world
}

/// Applies, after which nothing is left to do.
#[track_caller]
fn settles(world: &World) {
    let plan = world.plan();
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    assert!(is_in_sync(&world.plan()), "{:#}", plan_to_json(&world.plan()));
}

fn said(plan: &TargetPlan, code: &str) -> String {
    let said = plan.findings.iter().filter(|finding| finding.code.name() == code);
    said.map(|finding| format!("{} / {}", finding.message, finding.remedy)).collect::<Vec<_>>().join("\n")
}

/// The imports of a target: material, kind, whether its id is named, why and at what risk.
fn imports(plan: &TargetPlan) -> Vec<(String, ImportKind, bool, Why, Risk)> {
    let import = |step: &Step| {
        let Action::ImportKeyMaterial { material, kind, id, .. } = &step.action else { return None };
        Some((material.to_string(), *kind, id.is_some(), step.why, step.risk))
    };
    plan.outcome.steps().iter().filter_map(import).collect()
}

fn only(plan: &Plan) -> (ImportKind, bool, Why, Risk) {
    let imports = imports(target(plan));
    let [(_, kind, named, why, risk)] = imports.as_slice() else { panic!("{:#}", plan_to_json(plan)) };
    (*kind, *named, *why, *risk)
}

#[test]
fn a_new_key_gets_its_materials_before_its_aliases_and_carries_its_validity() {
    let world = World::new(wanting(vec![usual(&["2025", "2026", "2027"])]));
    let plan = world.plan();
    let expected = [
        "CreateKey",
        "CreateAlias",
        "ImportKeyMaterial",
        "ImportKeyMaterial",
        "RotateKeyOnDemand",
        "ImportKeyMaterial",
        "RotateKeyOnDemand",
        "CreateAlias",
    ];
    assert_eq!(calls(&plan), expected);
    assert!(
        imports(target(&plan))
            .iter()
            .all(|(_, kind, named, why, _)| (*kind, *named, *why) == (ImportKind::New, false, Why::Absent))
    );
    let Action::CreateKey { tags, .. } = &target(&plan).outcome.steps()[0].action else { panic!() };
    assert_eq!(tags[TAG_VALIDITY], "180 days");
    settles(&world);
    touch(&world, |key| {
        assert_eq!((key.metadata.state, key.materials.len()), (KeyState::Enabled, 3));
        assert_eq!(key.materials[2].standing, MaterialStanding::Current);
    });
    // One that rests does so once it has its material.
    let rests = World::new(wanting(vec![DesiredKey { lifecycle: KeyLifecycle::Disabled, ..usual(&["2026"]) }]));
    assert_eq!(calls(&rests.plan()).last(), Some(&"DisableKey"));
    settles(&rests);
}

#[test]
fn every_kind_of_key_gets_its_material() {
    for spec in KeySpec::ALL.iter().filter(|spec| WrappingAlgorithm::default_for(**spec).is_some()) {
        let import = Import { algorithm: WrappingAlgorithm::default_for(*spec).unwrap(), ..import(&["only"], DAYS) };
        let mut world = settled(of(import, *spec, spec.usages()[0]));
        world.pass(181);
        assert_eq!(imports(target(&world.plan())).len(), 1, "{spec}");
        settles(&world);
    }
}

#[test]
fn an_interrupted_creation_is_finished() {
    let world = World::new(wanting(vec![usual(&["2026"])]));
    assert_eq!(world.converge().exit(), Exit::Done);
    touch(&world, |key| {
        key.materials.clear();
        key.metadata.state = KeyState::PendingImport;
    });
    assert_eq!(only(&world.plan()), (ImportKind::New, false, Why::Absent, Risk::Routine));
    settles(&world);
}

/// Days that pass, the validity wanted by then: why it is imported again and at what risk.
type Row = (i64, Validity, Option<(Why, Risk)>);

#[test]
fn material_is_imported_again_in_time_and_when_its_validity_changes() {
    let days = |days, reimport_before| Validity::Days { days, reimport_before };
    let rows: &[Row] = &[
        (0, DAYS, None),
        (149, DAYS, None),
        (150, DAYS, Some((Why::Expires, Risk::Routine))),
        (179, DAYS, Some((Why::Expires, Risk::Routine))),
        (180, DAYS, Some((Why::Missing, Risk::Routine))),
        (400, DAYS, Some((Why::Missing, Risk::Routine))),
        // The days before it is due say nothing of the validity.
        (0, days(180, 1), None),
        (0, days(180, 179), None),
        (1, days(180, 179), Some((Why::Expires, Risk::Routine))),
        (0, days(181, 30), Some((Why::Differs, Risk::Routine))),
        (0, days(365, 30), Some((Why::Differs, Risk::Routine))),
        (0, days(179, 30), Some((Why::Differs, Risk::Destroy))),
        (100, days(90, 30), Some((Why::Differs, Risk::Destroy))),
        (0, Validity::Never, Some((Why::Differs, Risk::Routine))),
    ];
    for (passed, wanted, expected) in rows {
        let mut world = settled(usual(&["2026"]));
        world.pass(*passed);
        let world = with(world, key(import(&["2026"], *wanted)));
        let plan = world.plan();
        let found = imports(target(&plan));
        let found = found.first().map(|(_, kind, named, why, risk)| {
            assert_eq!((*kind, *named), (ImportKind::Existing, true));
            (*why, *risk)
        });
        assert_eq!(found, *expected, "{passed} {wanted:?}: {:#}", plan_to_json(&plan));
        settles(&world);
    }
    let forever = settled(key(import(&["2026"], Validity::Never)));
    let plan = with(forever, usual(&["2026"])).plan();
    assert_eq!(only(&plan), (ImportKind::Existing, true, Why::Differs, Risk::Destroy));
    assert_eq!(calls(&plan), ["ImportKeyMaterial", "TagResource"], "the tag comes last");
}

#[test]
fn without_its_tag_a_key_is_judged_by_its_expiry_and_gets_the_tag() {
    let world = settled(usual(&["2026"]));
    touch(&world, |key| drop(key.tags.remove(TAG_VALIDITY)));
    assert_eq!(calls(&world.plan()), ["TagResource"]);
    settles(&world);
    let gone = KeyMaterial::Imported {
        kind: KeyKind::new(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt).unwrap(),
        import: None,
    };
    let world = with(world, DesiredKey { material: gone, ..usual(&["2026"]) });
    assert_eq!(calls(&world.plan()), ["UntagResource"]);
    settles(&world);
    assert!(findings(&world.plan()).is_empty());
}

#[test]
fn tags_that_are_exclusive_leave_the_validity_and_fifty_are_too_many() {
    let world = settled(DesiredKey { tag_reach: crate::desired::TagReach::All, ..usual(&["2026"]) });
    assert!(is_in_sync(&world.plan()));
    let world = settled(usual(&["2026"]));
    touch(&world, |key| {
        key.tags.remove(TAG_VALIDITY);
        let room = 50 - key.tags.len();
        key.tags.extend((0..room).map(|number| (format!("t{number}"), String::new())));
    });
    assert_eq!(blocked_by(&world.plan()), ["tag-limits"]);
}

#[test]
fn what_expires_is_said_with_the_days_that_are_left() {
    let mut world = settled(usual(&["2026"]));
    world.pass(149);
    assert!(findings(&world.plan()).is_empty());
    world.pass(19);
    let plan = world.plan();
    assert!(
        said(target(&plan), "material-expires").starts_with("the material `2026` expires in 12 days, on 2027-05-23 /")
    );
    world.pass(12);
    let plan = world.plan();
    assert!(
        said(target(&plan), "material-expired").contains("has expired or was deleted"),
        "{:#}",
        plan_to_json(&plan)
    );
    // By hand, thirty days before.
    let world = settled(usual(&["2026"]));
    let kind = KeyKind::new(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt).unwrap();
    let mut world = with(world, DesiredKey { material: KeyMaterial::Imported { kind, import: None }, ..usual(&[]) });
    settles(&world);
    world.pass(151);
    assert!(said(target(&world.plan()), "material-expires").contains("`2026` expires in 29 days"));
    world.pass(60);
    assert_eq!(findings(&world.plan()), ["key-state"]);
}

#[test]
fn the_digest_does_not_change_as_days_go_by() {
    let mut world = settled(usual(&["2026"]));
    world.pass(160);
    let (before, text) = (world.plan().digest, said(target(&world.plan()), "material-expires"));
    world.pass(1);
    let plan = world.plan();
    assert_eq!(before, plan.digest);
    assert_ne!(text, said(target(&plan), "material-expires"));
    // What is live counts.
    let live = plan.live_digest;
    touch(&world, |key| key.materials[0].presence = LivePresence::Missing);
    assert_ne!(live, world.plan().live_digest);
}

#[test]
fn new_material_is_imported_and_rotated_to_one_after_the_other() {
    let world = with(settled(usual(&["2026"])), usual(&["2026", "2027", "2028"]));
    let expected = ["ImportKeyMaterial", "RotateKeyOnDemand", "ImportKeyMaterial", "RotateKeyOnDemand"];
    assert_eq!(calls(&world.plan()), expected);
    settles(&world);
    // Before another one, never.
    let world = with(world, usual(&["2025", "2026", "2027", "2028"]));
    assert_eq!(blocked_by(&world.plan()), ["material-order"]);
    // A run that ended before the rotation is gone on with.
    let world = with(settled(usual(&["2026"])), usual(&["2026", "2027"]));
    settles(&world);
    touch(&world, |key| {
        (key.materials[0].standing, key.materials[1].standing) =
            (MaterialStanding::Current, MaterialStanding::PendingRotation);
        key.materials[1].presence = LivePresence::Missing;
    });
    assert_eq!(calls(&world.plan()), ["ImportKeyMaterial", "RotateKeyOnDemand"]);
    settles(&world);
}

#[test]
fn a_rotation_waits_for_a_key_that_rests_and_ends_with_the_budget() {
    let rests = |names: &[&str]| DesiredKey { lifecycle: KeyLifecycle::Disabled, ..usual(names) };
    let world = with(settled(rests(&["2026"])), rests(&["2026", "2027"]));
    assert_eq!((calls(&world.plan()), findings(&world.plan())), (vec![], vec!["rotation-waits"]));
    let world = with(world, usual(&["2026", "2027"]));
    assert_eq!(calls(&world.plan()), ["EnableKey", "ImportKeyMaterial", "RotateKeyOnDemand"]);
    settles(&world);
    touch(&world, |key| {
        let event = key.rotations.done[0];
        key.rotations.done = vec![event; 25];
    });
    assert_eq!(blocked_by(&with(world, usual(&["2026", "2027", "2028"])).plan()), ["rotation-budget"]);
}

#[test]
fn rotate_takes_what_was_appended_and_asks_for_it_otherwise() {
    let rotating = |world: World| {
        options(world, |options| {
            options.rotate = ["ledger".parse().unwrap()].into();
            options.purpose = PlanPurpose::Rotate;
        })
    };
    let world = rotating(settled(usual(&["2026"])));
    assert_eq!(blocked_by(&world.plan()), ["rotation-unfit"]);
    assert!(target(&world.plan()).outcome.blockers()[0].help.contains("append a material"));
    let world = with(world, usual(&["2026", "2027"]));
    assert_eq!(calls(&world.plan()), ["ImportKeyMaterial", "RotateKeyOnDemand"]);
    assert_eq!(world.converge().exit(), Exit::Done);
    assert_eq!(blocked_by(&world.plan()), ["rotation-unfit"]);
}

#[test]
fn undeclared_material_is_left_alone_and_named() {
    let world = with(settled(usual(&["2026", "2027"])), usual(&["2026"]));
    let plan = world.plan();
    assert_eq!((calls(&plan), findings(&plan)), (vec![], vec!["material-undeclared"]));
    assert_eq!(target(&plan).drift[0].what, "material 2027 is not declared");
    touch(&world, |key| {
        key.materials[1].presence = LivePresence::Missing;
        key.metadata.state = KeyState::PendingImport;
    });
    assert!(said(target(&world.plan()), "material-undeclared").contains("cannot come back without it"));
    touch(&world, |key| {
        key.materials[1].standing = MaterialStanding::PendingRotation;
        key.metadata.state = KeyState::Enabled;
    });
    // A rotation would take it.
    assert_eq!(blocked_by(&with(world, usual(&["2026", "2028"])).plan()), ["material-undeclared"]);
}

#[test]
fn what_was_imported_by_hand_is_known_by_its_place() {
    let world = settled(usual(&["2025", "2026"]));
    touch(&world, |key| key.materials.iter_mut().for_each(|material| material.description = None));
    assert!(is_in_sync(&world.plan()));
    touch(&world, |key| {
        key.materials[0].presence = LivePresence::Missing;
        key.metadata.state = KeyState::PendingImport;
    });
    assert_eq!(imports(target(&world.plan()))[0].0, "2025");
    settles(&world);
}

#[test]
fn what_is_encrypted_elsewhere_is_awaited_and_imported_once_it_is_brought() {
    let wanted = || key(Import { materials: vec![prewrapped("2026")], ..import(&[], DAYS) });
    let world = World::new(wanting(vec![wanted()]));
    let plan = world.plan();
    assert_eq!(calls(&plan), ["CreateKey", "CreateAlias", "CreateAlias"]);
    let words = said(target(&plan), "material-awaited");
    assert!(
        words.contains("import-parameters ledger --out DIR") && words.contains("--prewrapped ledger/2026=DIR"),
        "{words}"
    );
    settles(&world);
    let brought = |options: &mut PlanOptions| {
        options.prewrapped = [("ledger".parse().unwrap(), "2026".parse().unwrap())].into();
    };
    let world = options(world, brought);
    let plan = world.plan();
    let Action::ImportKeyMaterial { wrapping, .. } = &target(&plan).outcome.steps()[0].action else { panic!() };
    assert_eq!(*wrapping, Wrapping::Before);
    // What is there is imported again all the same.
    let world = options(with(settled(usual(&["2026"])), wanted()), brought);
    assert_eq!(only(&world.plan()), (ImportKind::Existing, true, Why::Asked, Risk::Routine));
    let world = with(world, usual(&["2026"]));
    assert_eq!(blocked_by(&world.plan()), ["reimport-unfit"]);
    // What is awaited with another validity keeps its tag.
    let world = with(
        settled(usual(&["2026"])),
        key(Import { materials: vec![prewrapped("2026")], ..import(&[], Validity::Never) }),
    );
    assert_eq!((calls(&world.plan()), findings(&world.plan())), (vec![], vec!["material-awaited"]));
}

#[test]
fn material_is_imported_again_when_asked() {
    let asking = |world| options(world, |options| options.reimport = ["ledger".parse().unwrap()].into());
    let world = asking(settled(usual(&["2025", "2026"])));
    let asked = |name: &str| (name.to_owned(), ImportKind::Existing, true, Why::Asked, Risk::Routine);
    assert_eq!(imports(target(&world.plan())), [asked("2025"), asked("2026")]);
    assert_eq!(world.converge().exit(), Exit::Done);
    let plain = asking(World::new(wanting(vec![sample::key("ledger")])));
    assert_eq!(blocked_by(&plain.plan()), ["reimport-unfit"]);
}

fn deleted(names: &[&str]) -> DesiredKey {
    key(Import { presence: MaterialPresence::Deleted, ..import(names, DAYS) })
}

fn consenting(world: World) -> World {
    options(world, |options| options.delete_material = ["ledger".parse().unwrap()].into())
}

#[test]
fn material_is_deleted_with_consent_alone_and_comes_back() {
    let world = with(settled(usual(&["2025", "2026"])), deleted(&["2025", "2026"]));
    let plan = world.plan();
    assert_eq!((calls(&plan), findings(&plan)), (vec![], vec!["material-deleted"]));
    let words = said(target(&plan), "material-deleted");
    for part in ["--delete-material ledger", "eu-west-1 (target prod)", "within seconds to minutes", "cached"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let world = consenting(world);
    let plan = world.plan();
    assert_eq!(calls(&plan), ["DeleteImportedKeyMaterial", "DeleteImportedKeyMaterial"]);
    assert!(target(&plan).outcome.steps().iter().all(|step| step.risk == Risk::Destroy));
    settles(&world);
    touch(&world, |key| assert_eq!(key.metadata.state, KeyState::PendingImport));
    assert_eq!(findings(&world.plan()), ["material-deleted"]);
    let world = with(World { options: PlanOptions::default(), ..world }, usual(&["2025", "2026"]));
    let again = |name: &str| (name.to_owned(), ImportKind::Existing, true, Why::Missing, Risk::Routine);
    assert_eq!(imports(target(&world.plan())), [again("2025"), again("2026")]);
    settles(&world);
    touch(&world, |key| assert_eq!(key.metadata.state, KeyState::Enabled));
    // Consent without the manifest's wish deletes nothing, and a key that is new has none to delete.
    assert!(is_in_sync(&consenting(world).plan()));
    settles(&World::new(wanting(vec![deleted(&["2026"])])));
}

#[test]
fn only_a_deleter_deletes_material() {
    let of_others = |key: DesiredKey| DesiredKey {
        deleters: vec![sample::role("key-deleter")],
        delegation: crate::desired::Delegation::RootUser,
        ..key
    };
    let world = consenting(with(settled(of_others(usual(&["2026"]))), of_others(deleted(&["2026"]))));
    assert_eq!(blocked_by(&world.plan()), ["not-a-deleter"]);
}

#[test]
fn a_retired_key_gets_no_material() {
    let mut world = settled(usual(&["2026"]));
    world.pass(200);
    let world = with(world, DesiredKey { lifecycle: KeyLifecycle::Retired, ..usual(&["2026"]) });
    assert_eq!(calls(&world.plan()), ["TagResource"]);
    assert_eq!(world.converge().exit(), Exit::Done);
}

#[test]
fn a_key_that_rests_gets_its_material_again_as_it_is() {
    let rests = || DesiredKey { lifecycle: KeyLifecycle::Disabled, ..usual(&["2026"]) };
    let mut world = settled(rests());
    world.pass(160);
    assert_eq!(calls(&world.plan()), ["ImportKeyMaterial"]);
    settles(&world);
    world.pass(181);
    assert_eq!(calls(&world.plan()), ["ImportKeyMaterial", "DisableKey"]);
    settles(&world);
}

#[test]
fn servers_that_list_nothing_have_their_first_material_managed() {
    let world = World::new(wanting(vec![usual(&["2025", "2026"])]));
    world.aws.state().lists_no_materials = true;
    let _report = world.converge();
    let plan = world.plan();
    assert_eq!((calls(&plan), findings(&plan)), (vec![], vec!["material-untold"]));
}

#[test]
fn drift_is_what_is_missing_undeclared_or_valid_otherwise_and_not_what_is_due() {
    let drifting = |world: World| options(world, |options| options.kind = PlanKind::Drift);
    let drift = |world: &World| target(&world.plan()).drift.iter().map(|drift| drift.what.clone()).collect::<Vec<_>>();
    let mut world = drifting(settled(usual(&["2026"])));
    world.pass(160);
    assert_eq!(drift(&world), [""; 0]);
    world.pass(30);
    assert_eq!(drift(&world), ["material 2026 is missing"]);
    let world = drifting(with(settled(usual(&["2026"])), key(import(&["2026"], Validity::Never))));
    assert_eq!(drift(&world), ["material 2026 differs", "valid for differs"]);
    let world = drifting(with(settled(usual(&["2026", "2027"])), usual(&["2026"])));
    assert_eq!(drift(&world), ["material 2027 is not declared"]);
    let absent = key(Import { materials: vec![prewrapped("2026")], ..import(&[], DAYS) });
    let mut world = drifting(with(settled(usual(&["2026"])), absent));
    world.pass(200);
    assert_eq!(drift(&world), ["material 2026 is missing"]);
}

/// A family whose material is imported, in two Regions.
fn family(names: &[&str]) -> World {
    let key = usual(names);
    let mut state = families::family("eu", &["us"]);
    for target in &mut state.targets {
        target.keys.retain(|key| key.topology != Topology::Single);
        for member in &mut target.keys {
            member.material = key.material.clone();
        }
    }
    let mut world = World::new(state);
    world.aws =
        std::sync::Arc::new(crate::ports::fake::FakeAws::new("ap-southeast-2", crate::apply::tests::world::CALLER));
    world
}

fn at<'p>(plan: &'p Plan, name: &str) -> &'p TargetPlan {
    plan.targets.iter().find(|target| target.name.as_str() == name).unwrap()
}

fn calls_at<'p>(plan: &'p Plan, name: &str) -> Vec<&'p str> {
    at(plan, name).outcome.steps().iter().map(|step| step.action.call().trim_start_matches("kms:")).collect()
}

fn with_names(world: World, names: &[&str]) -> World {
    World { state: family(names).state, ..world }
}

fn change_at(world: &World, name: &str, change: impl FnOnce(&mut FakeKey)) {
    let aws = world.at(name);
    let mut state = aws.state();
    change(state.keys.values_mut().next().unwrap());
}

#[test]
fn a_family_is_replicated_once_it_has_material_and_rotates_once_all_have_it() {
    let world = family(&["2026", "2027"]);
    let plan = world.plan();
    let eu = [
        "CreateKey",
        "CreateAlias",
        "ImportKeyMaterial",
        "ReplicateKey",
        "ImportKeyMaterial",
        "RotateKeyOnDemand",
        "CreateAlias",
    ];
    assert_eq!(calls_at(&plan, "eu"), eu);
    assert_eq!(calls_at(&plan, "us"), ["CreateAlias", "ImportKeyMaterial", "ImportKeyMaterial", "CreateAlias"]);
    let (eu, us) = (at(&plan, "eu").outcome.steps(), at(&plan, "us").outcome.steps());
    assert!(us[2].depends_on.contains(&eu[4].id) && eu[5].depends_on.contains(&us[2].id), "{:#}", plan_to_json(&plan));
    assert!(imports(at(&plan, "us")).iter().all(|(_, kind, ..)| *kind == ImportKind::Existing));
    settles(&world);
    // One more.
    let world = with_names(world, &["2026", "2027", "2028"]);
    let plan = world.plan();
    assert_eq!(calls_at(&plan, "eu"), ["ImportKeyMaterial", "RotateKeyOnDemand"]);
    assert_eq!(calls_at(&plan, "us"), ["ImportKeyMaterial"]);
    settles(&world);
    // Each Region has its own copies.
    change_at(&world, "us", |key| {
        key.materials[0].presence = LivePresence::Missing;
        key.metadata.state = KeyState::PendingImport;
    });
    let plan = world.plan();
    assert_eq!((calls_at(&plan, "eu"), calls_at(&plan, "us")), (vec![], vec!["ImportKeyMaterial"]));
    settles(&world);
}

#[test]
fn a_rotation_waits_for_a_replica_that_is_left_out_or_blocked() {
    let world = family(&["2026"]);
    settles(&world);
    let mut alone = with_names(world, &["2026", "2027"]);
    let whole = alone.state.clone();
    alone.state.targets.retain(|target| target.name.as_str() != "us");
    let plan = alone.plan();
    assert_eq!(calls_at(&plan, "eu"), [""; 0], "{:#}", plan_to_json(&plan));
    assert!(said(at(&plan, "eu"), "rotation-waits").contains("us-east-1"));
    let blocked = World { state: whole.clone(), ..alone };
    change_at(&blocked, "us", |key| key.metadata.spec = KeySpec::Rsa2048);
    let plan = blocked.plan();
    assert!(matches!(at(&plan, "us").outcome, Outcome::Blocked { .. }));
    assert_eq!(calls_at(&plan, "eu"), ["ImportKeyMaterial"]);
    assert!(said(at(&plan, "eu"), "replica-waits").contains("does not get the material"));
    change_at(&blocked, "us", |key| key.metadata.spec = KeySpec::SymmetricDefault);
    assert_eq!(blocked.converge().exit(), Exit::Done);
    settles(&blocked);
}

#[test]
fn a_family_without_material_is_not_replicated_yet() {
    let mut world = family(&["2026"]);
    for key in world.state.targets.iter_mut().flat_map(|target| &mut target.keys) {
        if let KeyMaterial::Imported { import: Some(import), .. } = &mut key.material {
            import.materials = vec![prewrapped("2026")];
        }
    }
    let plan = world.plan();
    assert_eq!(calls_at(&plan, "eu"), ["CreateKey", "CreateAlias", "CreateAlias"]);
    assert!(said(at(&plan, "us"), "replica-waits").contains("has no material"));
    settles(&world);
}

#[test]
fn steps_on_material_read_well() {
    use crate::render::style::Painter;
    use crate::render::{PolicyText, render_plan};
    let lines = |world: &World| {
        let text = render_plan(&world.plan(), Painter::Plain, PolicyText::Hidden);
        let about = |line: &&str| line.contains("material") && !line.contains("warning") && !line.contains("help");
        text.lines().filter(about).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let world = World::new(wanting(vec![usual(&["2026"])]));
    assert_eq!(lines(&world), ["material 2026: imported, valid for 180 days"]);
    let mut world = settled(usual(&["2026"]));
    world.pass(168);
    assert!(
        lines(&world).contains(&"material 2026: imported again, valid for 180 days (expires on 2027-05-23)".to_owned()),
        "{:?}",
        lines(&world)
    );
    let world = with(settled(usual(&["2026"])), usual(&["2026", "2027"]));
    assert!(
        lines(&world).contains(&"rotated to material 2027 (1 of 25 on-demand rotations used)".to_owned()),
        "{:?}",
        lines(&world)
    );
    let world = consenting(with(settled(usual(&["2026"])), deleted(&["2026"])));
    assert!(
        lines(&world).contains(&"material 2026: deleted; nobody can use the key until it is imported again".to_owned()),
        "{:?}",
        lines(&world)
    );
}
