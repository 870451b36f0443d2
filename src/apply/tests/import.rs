//! Imports of key material: what is sent, what is looked for, and what becomes of every fault.

use super::world::{World, block_on};
use crate::desired::{DesiredKey, KeyKind, KeyMaterial};
use crate::exit::Exit;
use crate::ids::{KeyId, KeyMaterialId};
use crate::kms::{ImportKind, KeySpec, KeyState, KeyUsage, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{Expiry, LivePresence, MaterialStanding};
use crate::plan::{Action, Applyable, KeyRef, Outcome, Owner, Plan, Step, StepId, Why, Wrapping};
use crate::ports::fake::import::material_id;
use crate::ports::fake::{FakeKey, Strike, Which};
use crate::ports::{KeyWriter as _, PortErrorKind};
use crate::report::{ApplyReport, StepResult};
use crate::review::Risk;
use crate::source::Position;
use crate::synth::sample;
use jiff::SignedDuration;
use std::time::Duration;

const PARAMETERS: &str = "kms:GetParametersForImport";
const IMPORT: &str = "kms:ImportKeyMaterial";
const ROTATE: &str = "kms:RotateKeyOnDemand";
const DELETE: &str = "kms:DeleteImportedKeyMaterial";

fn kind(spec: KeySpec, usage: KeyUsage) -> KeyKind {
    KeyKind::new(spec, usage).unwrap()
}

fn external(spec: KeySpec, usage: KeyUsage) -> DesiredKey {
    DesiredKey { material: KeyMaterial::Imported { kind: kind(spec, usage), import: None }, ..sample::key("ledger") }
}

/// A key that waits for its material.
fn waiting_as(spec: KeySpec, usage: KeyUsage) -> World {
    let state = sample::state(vec![sample::target("prod", "eu-west-1", vec![external(spec, usage)])], Vec::new());
    let world = World::new(state);
    assert_eq!(world.converge().exit(), Exit::Done);
    world
}

fn waiting() -> World {
    waiting_as(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt)
}

/// A key that has its first material for so many days, or for good.
fn imported(valid_for_days: Option<u16>) -> World {
    let world = waiting();
    let import = Import { valid_for_days, ..Import::of(&world, "2026") };
    assert_eq!(run(&world, &[import.step()]).exit(), Exit::Done);
    world
}

fn only(world: &World) -> (KeyId, FakeKey) {
    let state = world.aws.state();
    assert_eq!(state.keys.len(), 1);
    state.keys.iter().next().map(|(id, key)| (id.clone(), key.clone())).unwrap()
}

/// An import as a plan could have it.
#[derive(Clone)]
struct Import {
    key: KeyRef,
    spec: KeySpec,
    material: &'static str,
    kind: ImportKind,
    id: Option<KeyMaterialId>,
    valid_for_days: Option<u16>,
    prewrapped: bool,
    why: Why,
}

impl Import {
    /// The first import of a material of a world's only key.
    fn of(world: &World, material: &'static str) -> Self {
        let (id, key) = only(world);
        Self {
            key: KeyRef::Live(id),
            spec: key.metadata.spec,
            material,
            kind: ImportKind::New,
            id: None,
            valid_for_days: Some(180),
            prewrapped: false,
            why: Why::Absent,
        }
    }

    /// The same once more.
    fn again(self) -> Self {
        let KeyRef::Live(key) = &self.key else { panic!("a key that exists") };
        let symmetric = self.spec == KeySpec::SymmetricDefault;
        let id = symmetric.then(|| material_id(key, &bytes(self.material)));
        Self { kind: ImportKind::Existing, id, why: Why::Expires, ..self }
    }

    fn step(&self) -> Step {
        let algorithm = WrappingAlgorithm::default_for(self.spec).unwrap();
        let wrapping = if self.prewrapped {
            Wrapping::Before
        } else {
            Wrapping::Here { algorithm, key: WrappingKeySpec::Rsa4096 }
        };
        let action = Action::ImportKeyMaterial {
            key: self.key.clone(),
            spec: self.spec,
            material: self.material.parse().unwrap(),
            kind: self.kind,
            id: self.id.clone(),
            valid_for_days: self.valid_for_days,
            wrapping,
        };
        Step { why: self.why, ..step(action) }
    }
}

/// The material that the test machine has under a name.
fn bytes(material: &str) -> Vec<u8> {
    format!("material {material} of ledger").into_bytes()
}

fn step(action: Action) -> Step {
    Step {
        id: StepId(String::new()),
        owner: Owner::Key("ledger".parse().unwrap()),
        action,
        why: Why::Absent,
        cause: None,
        risk: Risk::Routine,
        change: None,
        loc: sample::loc(),
        position: Position { file: String::new(), line: 1, column: 1 },
        depends_on: Vec::new(),
    }
}

fn rotation(world: &World, before: usize) -> Step {
    step(Action::RotateKeyOnDemand { key: KeyRef::Live(only(world).0), before })
}

fn deletion(world: &World, material: &str) -> Step {
    let (id, key) = only(world);
    let symmetric = key.metadata.spec == KeySpec::SymmetricDefault;
    let named = symmetric.then(|| material_id(&id, &bytes(material)));
    let material = Some(material.parse().unwrap());
    step(Action::DeleteImportedKeyMaterial { key: KeyRef::Live(id), material, id: named })
}

/// A plan with the steps of one target, each waiting for the one before it.
fn plan_of(world: &World, steps: &[Step]) -> Plan {
    let mut plan = world.plan();
    let mut steps = steps.to_vec();
    for (index, step) in steps.iter_mut().enumerate() {
        step.id = StepId(format!("s{index}"));
        step.depends_on = index.checked_sub(1).map(|before| StepId(format!("s{before}"))).into_iter().collect();
    }
    plan.targets[0].outcome = Outcome::Ready(Applyable::of(steps));
    plan
}

fn run(world: &World, steps: &[Step]) -> ApplyReport {
    world.apply(&plan_of(world, steps))
}

fn result(report: &ApplyReport) -> &StepResult {
    &report.scopes[0].steps.last().unwrap().result
}

#[track_caller]
fn failure(report: &ApplyReport) -> (&str, &str) {
    let StepResult::Failed { message, help } = result(report) else { panic!("{report:#?}") };
    (message, help)
}

fn expiry_in(world: &World, days: i64, less: SignedDuration) -> LivePresence {
    let now = crate::ports::Clock::now(&*world.machine);
    let at = now + SignedDuration::from_hours(24 * days) - less;
    LivePresence::Imported(Expiry::At(jiff::Timestamp::from_second(at.as_second()).unwrap()))
}

#[test]
fn a_first_import_makes_the_key_usable_for_as_long_as_it_says() {
    for (days, less) in [(1, SignedDuration::ZERO), (364, SignedDuration::ZERO), (365, SignedDuration::from_hours(1))] {
        let world = waiting();
        let wanted = expiry_in(&world, days, less);
        let valid_for_days = Some(u16::try_from(days).unwrap());
        assert_eq!(run(&world, &[Import { valid_for_days, ..Import::of(&world, "2026") }.step()]).exit(), Exit::Done);
        let (_, key) = only(&world);
        assert_eq!(key.metadata.state, KeyState::Enabled);
        let [material] = key.materials.as_slice() else { panic!("{key:?}") };
        assert_eq!((material.presence, material.description.as_deref()), (wanted, Some("2026")));
    }
    let world = imported(None);
    assert_eq!(only(&world).1.metadata.expiry, Some(Expiry::Never));
}

#[test]
fn kinds_that_have_one_material_are_told_neither_type_nor_name_nor_id() {
    let kinds = [
        (KeySpec::Hmac256, KeyUsage::GenerateVerifyMac),
        (KeySpec::Rsa3072, KeyUsage::SignVerify),
        (KeySpec::EccNistP521, KeyUsage::KeyAgreement),
    ];
    for (spec, usage) in kinds {
        let world = waiting_as(spec, usage);
        let import = Import::of(&world, "only");
        // The account in memory refuses what is for symmetric encryption keys.
        assert_eq!(run(&world, &[import.step()]).exit(), Exit::Done, "{spec}");
        assert_eq!(only(&world).1.metadata.state, KeyState::Enabled);
        assert_eq!(run(&world, &[import.again().step()]).exit(), Exit::Done, "{spec}");
        assert_eq!(run(&world, &[deletion(&world, "only")]).exit(), Exit::Done, "{spec}");
        assert_eq!(only(&world).1.metadata.state, KeyState::PendingImport);
    }
}

#[test]
fn an_answer_that_is_lost_is_looked_for_and_never_sent_twice() {
    for kind in [PortErrorKind::Unknown, PortErrorKind::Transient, PortErrorKind::Protocol] {
        for listed in [true, false] {
            let world = waiting();
            world.aws.state().lists_no_materials = !listed;
            world.aws.fail(IMPORT, Which::Nth(1), Strike::After, kind);
            let report = run(&world, &[Import::of(&world, "2026").step()]);
            assert_eq!(report.exit(), Exit::Done, "{kind:?}: {report:#?}");
            assert!(report.scopes[0].recoveries[0].message.contains("the key has `2026`"));
            assert_eq!(world.aws.count(IMPORT), 1);
        }
        // Nothing was imported: that is told, and nothing is sent again.
        let world = waiting();
        world.aws.fail(IMPORT, Which::Nth(1), Strike::Before, kind);
        let report = run(&world, &[Import::of(&world, "2026").step()]);
        assert_eq!(report.exit(), Exit::Unconfirmed);
        assert!(matches!(result(&report), StepResult::Unknown { .. }), "{report:#?}");
        assert_eq!(world.aws.count(IMPORT), 1);
    }
}

#[test]
fn an_import_that_is_not_seen_to_be_there_is_unconfirmed() {
    let mut world = waiting();
    world.wait = Duration::from_secs(2);
    let plan = plan_of(&world, &[Import::of(&world, "2026").step()]);
    world.aws.fail("kms:ListKeyRotations", Which::Every, Strike::Before, PortErrorKind::Throttled);
    let report = world.apply(&plan);
    assert_eq!((report.exit(), result(&report)), (Exit::Unconfirmed, &StepResult::Unconfirmed));
}

#[test]
fn the_expiry_tells_whether_a_second_import_arrived() {
    let mut world = imported(Some(180));
    world.pass(100);
    let again = Import::of(&world, "2026").again();
    for (strike, exit) in [(Strike::Before, Exit::Unconfirmed), (Strike::After, Exit::Done)] {
        world.aws.fail(IMPORT, Which::Nth(world.aws.count(IMPORT) + 1), strike, PortErrorKind::Unknown);
        let report = run(&world, &[again.step()]);
        assert_eq!(report.exit(), exit, "{report:#?}");
    }
    // Where it never expires, before and after are alike.
    let world = imported(None);
    let asked = Import { why: Why::Asked, valid_for_days: None, ..Import::of(&world, "2026").again() };
    let started = crate::ports::Clock::now(&*world.machine);
    world.aws.fail(IMPORT, Which::Nth(2), Strike::After, PortErrorKind::Unknown);
    let report = run(&world, &[asked.step()]);
    let StepResult::Unknown { message } = result(&report) else { panic!("{report:#?}") };
    assert!(message.contains("was there before"), "{message}");
    assert_eq!(crate::ports::Clock::now(&*world.machine), started, "it is not waited for");
    assert_eq!(run(&world, &[asked.step()]).exit(), Exit::Done);
}

#[test]
fn parameters_are_asked_for_again_and_nothing_is_open_without_them() {
    use PortErrorKind::{Denied, Throttled, Transient, Unknown};
    for kind in [Throttled, Transient, Unknown] {
        let world = waiting();
        world.aws.fail(PARAMETERS, Which::Nth(1), Strike::After, kind);
        world.aws.fail(PARAMETERS, Which::Nth(2), Strike::Before, kind);
        assert_eq!(run(&world, &[Import::of(&world, "2026").step()]).exit(), Exit::Done, "{kind:?}");
        assert_eq!(world.aws.count(PARAMETERS), 3);
    }
    for kind in [Denied, Throttled, Unknown] {
        let world = waiting();
        world.aws.fail(PARAMETERS, Which::Every, Strike::Before, kind);
        let started = crate::ports::Clock::now(&*world.machine);
        let report = run(&world, &[Import::of(&world, "2026").step()]);
        assert_eq!(report.exit(), Exit::Failed, "nothing was written, and surely not: {report:#?}");
        assert_eq!(world.aws.count(IMPORT), 0);
        assert!(super::super::elapsed(&*world.machine, started) <= world.wait);
    }
}

#[test]
fn a_token_of_our_own_that_is_refused_is_renewed_once() {
    let world = waiting();
    world.aws.fail(IMPORT, Which::Nth(1), Strike::Before, PortErrorKind::ImportToken);
    assert_eq!(run(&world, &[Import::of(&world, "2026").step()]).exit(), Exit::Done);
    assert_eq!((world.aws.count(PARAMETERS), world.aws.count(IMPORT)), (2, 2));
    let world = waiting();
    world.aws.fail(IMPORT, Which::Every, Strike::Before, PortErrorKind::ImportToken);
    let report = run(&world, &[Import::of(&world, "2026").step()]);
    let (message, help) = failure(&report);
    assert!(message.contains("has just given") && !help.contains("import-parameters"), "{message} {help}");
    assert_eq!((world.aws.count(PARAMETERS), world.aws.count(IMPORT)), (2, 2));
}

#[test]
fn other_material_is_refused_before_its_use_and_the_right_one_is_named() {
    let mut world = imported(Some(180));
    world.pass(181);
    let place = ("ledger".parse().unwrap(), "2026".parse().unwrap());
    world.machine.materials.lock().unwrap().insert(place, b"something else".to_vec());
    let again = Import::of(&world, "2026").again();
    let report = run(&world, &[again.step()]);
    let (message, help) = failure(&report);
    let id = again.id.as_ref().unwrap();
    assert!(message.contains(&format!("`2026` (id {id})")) && message.contains("nothing was imported"), "{message}");
    assert!(message.contains("it is not the material that is named"), "what KMS said: {message}");
    assert!(help.contains("bring the material"), "{help}");
    assert_eq!((report.exit(), world.aws.count(IMPORT)), (Exit::Failed, 2), "it is not tried again");
    assert_eq!(only(&world).1.metadata.state, KeyState::PendingImport);
    world.machine.materials.lock().unwrap().clear();
    assert_eq!(run(&world, &[again.step()]).exit(), Exit::Done);
    assert_eq!(only(&world).1.metadata.state, KeyState::Enabled);
}

#[test]
fn new_material_that_the_key_has_by_now_is_taken_for_what_was_wanted() {
    let world = waiting();
    let import = Import::of(&world, "2026");
    // Two runs of one plan: the second finds what the first did.
    let plan = plan_of(&world, &[import.step()]);
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    world.machine.advance(Duration::from_mins(1));
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    assert!(report.scopes[0].recoveries[0].message.contains("already"), "{report:#?}");
    // Under another name, or for another time, it is not.
    let renamed = Import { material: "2027", ..import.clone() };
    let place = ("ledger".parse().unwrap(), "2027".parse().unwrap());
    world.machine.materials.lock().unwrap().insert(place, bytes("2026"));
    let longer = Import { valid_for_days: Some(300), ..import };
    for other in [renamed, longer] {
        let report = run(&world, &[other.step()]);
        let (message, _) = failure(&report);
        assert!(message.contains("as the new material") && message.contains("has it already"), "{message}");
    }
    assert_eq!(only(&world).1.materials.len(), 1);
}

fn prewrap(world: &World, key: &KeyId, material: &str) {
    let (algorithm, spec) = (WrappingAlgorithm::OaepSha256, WrappingKeySpec::Rsa4096);
    let token = block_on(world.aws.import_parameters(key, algorithm, spec)).unwrap().token;
    let place = ("prod".parse().unwrap(), "ledger".parse().unwrap(), material.parse().unwrap());
    let given = (token.expose_secret().to_vec(), bytes(material));
    world.machine.prewrapped.lock().unwrap().insert(place, given);
}

#[test]
fn what_was_encrypted_elsewhere_is_imported_with_its_token_for_a_day() {
    let mut world = waiting();
    let import = Import { prewrapped: true, ..Import::of(&world, "2026") };
    let report = run(&world, &[import.step()]);
    assert!(failure(&report).0.contains("--prewrapped ledger/2026=DIR"), "{report:#?}");
    assert_eq!((report.exit(), world.aws.count(PARAMETERS)), (Exit::Failed, 0));
    prewrap(&world, &only(&world).0, "2026");
    world.pass(1);
    let report = run(&world, &[import.step()]);
    assert!(failure(&report).1.contains("import-parameters"), "{report:#?}");
    assert_eq!(world.aws.count(PARAMETERS), 1, "nothing that is encrypted elsewhere fits a new key");
    prewrap(&world, &only(&world).0, "2026");
    assert_eq!(run(&world, &[import.step()]).exit(), Exit::Done);
    assert_eq!(only(&world).1.metadata.state, KeyState::Enabled);
}

#[test]
fn new_material_is_rotated_to_once_and_what_shows_late_is_waited_for() {
    let world = imported(Some(180));
    let steps = [
        Import::of(&world, "2027").step(),
        rotation(&world, 0),
        Import::of(&world, "2028").step(),
        rotation(&world, 1),
    ];
    // Each of them may be refused while KMS has not caught up with the step before it.
    for call in [PARAMETERS, IMPORT, ROTATE] {
        let number = world.aws.count(call) + 1;
        world.aws.fail(call, Which::Nth(number), Strike::Before, PortErrorKind::InvalidState);
        world.aws.fail(call, Which::Nth(number + 2), Strike::Before, PortErrorKind::InvalidState);
    }
    // The first import of this run follows on nothing.
    let report = run(&world, &steps);
    assert_eq!(failure_at(&report, 0), PARAMETERS, "{report:#?}");
    world.aws.heal();
    for (call, after) in [(PARAMETERS, 1), (IMPORT, 1), (ROTATE, 0), (ROTATE, 2)] {
        let number = world.aws.count(call) + 1 + after;
        world.aws.fail(call, Which::Nth(number), Strike::Before, PortErrorKind::InvalidState);
    }
    let report = run(&world, &steps);
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    let (_, key) = only(&world);
    assert_eq!(key.rotations.on_demand(), 2);
    let standings: Vec<MaterialStanding> = key.materials.iter().map(|material| material.standing).collect();
    assert_eq!(standings, [MaterialStanding::NonCurrent, MaterialStanding::NonCurrent, MaterialStanding::Current]);
}

/// The call of a step that failed.
fn failure_at(report: &ApplyReport, index: usize) -> String {
    let StepResult::Failed { message, .. } = &report.scopes[0].steps[index].result else { panic!("{report:#?}") };
    message.split(": ").next().unwrap().to_owned()
}

#[test]
fn material_is_deleted_for_good_or_until_it_comes_back() {
    let world = imported(None);
    assert_eq!(run(&world, &[Import::of(&world, "2027").step()]).exit(), Exit::Done);
    // What waits for its rotation is forgotten, what is in use is missed.
    let plan = plan_of(&world, &[deletion(&world, "2027"), deletion(&world, "2026")]);
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    let (_, key) = only(&world);
    assert_eq!((key.materials.len(), key.metadata.state), (1, KeyState::PendingImport));
    let report = world.apply(&plan);
    assert_eq!(report.exit(), Exit::Done, "twice is as once: {report:#?}");
    // One that KMS does not know at all, and still lists, is no success.
    world.aws.fail(DELETE, Which::Nth(5), Strike::Before, PortErrorKind::NotFound);
    assert_eq!(run(&world, &[Import::of(&world, "2026").again().step()]).exit(), Exit::Done);
    let report = run(&world, &[deletion(&world, "2026")]);
    assert!(failure(&report).0.contains(DELETE));
    assert_eq!(only(&world).1.metadata.state, KeyState::Enabled);
}

#[test]
fn servers_that_list_no_materials_are_believed_by_their_metadata() {
    let world = waiting();
    world.aws.state().lists_no_materials = true;
    assert_eq!(run(&world, &[Import::of(&world, "2026").step()]).exit(), Exit::Done);
    assert_eq!(run(&world, &[deletion(&world, "2026")]).exit(), Exit::Done);
    // A deletion that does not show is not confirmed.
    assert_eq!(run(&world, &[Import::of(&world, "2026").again().step()]).exit(), Exit::Done);
    let plan = plan_of(&world, &[deletion(&world, "2026")]);
    let already = world.aws.count("kms:DescribeKey");
    for number in already..already + 200 {
        world.aws.fail("kms:DescribeKey", Which::Nth(number), Strike::Before, PortErrorKind::Throttled);
    }
    assert_eq!(world.apply(&plan).exit(), Exit::Unconfirmed);
}

#[test]
fn what_a_later_step_takes_back_is_not_waited_for() {
    let world = imported(None);
    let key = || KeyRef::Live(only(&world).0);
    let steps = [
        step(Action::DisableKey { key: key() }),
        step(Action::EnableKey { key: key() }),
        Import { valid_for_days: Some(10), ..Import::of(&world, "2026").again() }.step(),
        deletion(&world, "2026"),
    ];
    let started = crate::ports::Clock::now(&*world.machine);
    assert_eq!(run(&world, &steps).exit(), Exit::Done);
    assert!(super::super::elapsed(&*world.machine, started) < Duration::from_secs(1));
}
