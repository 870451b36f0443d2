//! The self-test of imported keys: their material, its absence, and how long it will be there.

use super::kinds::subject;
use super::*;
use crate::desired::{
    DesiredMaterial, Import, KeyLifecycle, KeyMaterial, MaterialEncoding, MaterialPresence, MaterialSource, Validity,
};
use crate::ids::KeyMaterialId;
use crate::kms::{KeySpec, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{Expiry, LiveMaterial, LiveMaterials, LivePresence, MaterialStanding};
use crate::secret::SecretBytes;
use crate::verify::fake::material::to_import;

fn kind(spec: KeySpec, usage: KeyUsage) -> KeyKind {
    KeyKind::new(spec, usage).unwrap()
}

/// Kinds whose material is proved on this side.
fn kinds() -> [KeyKind; 7] {
    [
        kind(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac),
        kind(KeySpec::Hmac512, KeyUsage::GenerateVerifyMac),
        kind(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt),
        kind(KeySpec::Rsa2048, KeyUsage::SignVerify),
        kind(KeySpec::EccNistP256, KeyUsage::SignVerify),
        kind(KeySpec::EccNistEdwards25519, KeyUsage::SignVerify),
        kind(KeySpec::EccNistP521, KeyUsage::KeyAgreement),
    ]
}

/// A key with an `import` table.
fn imported(kind: KeyKind, presence: MaterialPresence, validity: Validity) -> DesiredKey {
    let source = MaterialSource::Env { variable: "MATERIAL".to_owned(), encoding: MaterialEncoding::Hex };
    let import = Import {
        validity,
        algorithm: WrappingAlgorithm::default_for(kind.spec()).unwrap(),
        wrapping_key: WrappingKeySpec::Rsa4096,
        materials: vec![DesiredMaterial { name: "2026".parse().unwrap(), source }],
        presence,
    };
    DesiredKey { material: KeyMaterial::Imported { kind, import: Some(import) }, ..subject(kind) }
}

fn alone(key: DesiredKey) -> Scene {
    Scene { state: stated(vec![target("prod", "eu-west-1", vec![key])]), ..Scene::new() }
}

fn material(kind: KeyKind, bytes: &[u8]) -> Material {
    let encoding = if kind.spec().is_asymmetric() { MaterialEncoding::Der } else { MaterialEncoding::Raw };
    Material::read(kind.spec(), encoding, &SecretBytes::new(bytes.to_vec())).unwrap()
}

/// A key into which `there` was imported, tested by somebody who holds `here`.
fn holding(kind: KeyKind, there: &[u8], here: Result<&[u8], &str>) -> Scene {
    let held = here.map(|bytes| material(kind, bytes)).map_err(str::to_owned);
    Scene {
        shared: Some(Shared::imported(key_id("subject"), kind, there)),
        held: Some([(("prod".parse().unwrap(), "subject".parse().unwrap()), held)].into()),
        ..alone(imported(kind, MaterialPresence::Imported, Validity::Never))
    }
}

fn proofs(report: &VerifyReport) -> Vec<&Probe> {
    report.probes.iter().filter(|probe| probe.scenario.starts_with("material: ")).collect()
}

#[tokio::test]
async fn kms_and_the_material_come_to_the_same() {
    for kind in kinds() {
        let bytes = to_import(kind);
        let (report, _) = holding(kind, &bytes, Ok(&bytes)).run().await;
        let found = proofs(&report);
        let wrong: Vec<_> = found.iter().filter(|probe| probe.result != ProbeResult::Passed).collect();
        assert!(wrong.is_empty(), "{kind:?}: {wrong:#?}");
        let with = |expected| found.iter().filter(|probe| probe.expected == expected).count();
        assert_eq!((with(Expectation::Allowed), with(Expectation::Refused)), (2, 1), "{kind:?}: {found:#?}");
        let failed = report.probes.iter().find(|probe| matches!(probe.result, ProbeResult::Failed { .. }));
        assert_eq!(failed, None, "{kind:?}");
    }
}

#[tokio::test]
async fn other_material_than_the_keys_is_found() {
    for kind in kinds() {
        let (report, _) = holding(kind, &to_import(kind), Ok(&to_import(kind))).run().await;
        for probe in proofs(&report) {
            let failed = matches!(probe.result, ProbeResult::Failed { .. });
            assert_eq!(failed, probe.expected == Expectation::Allowed, "{kind:?}: {probe:?}");
        }
        // What KMS makes and takes by itself is in order all the same: only the material tells.
        let others = report.probes.iter().filter(|probe| !probe.scenario.starts_with("material: "));
        assert!(!others.clone().any(|probe| matches!(probe.result, ProbeResult::Failed { .. })), "{kind:?}");
    }
}

#[tokio::test]
async fn material_that_is_not_held_is_not_checked_and_says_how_it_would_be() {
    for kind in kinds() {
        let bytes = to_import(kind);
        let without = Scene { held: None, ..holding(kind, &bytes, Ok(&bytes)) };
        for (scene, told) in [
            (without, "run verify --with-material"),
            (holding(kind, &bytes, Err("it is encrypted elsewhere")), "encrypted elsewhere"),
        ] {
            let (report, _) = scene.run().await;
            let found = proofs(&report);
            let result = &found[0].result;
            assert!(matches!(result, ProbeResult::NotChecked { reason } if reason.contains(told)), "{result:?}");
            assert_eq!(found.len(), 1);
            assert_eq!(report.exit(Completeness::Required), crate::exit::Exit::ProbeFailed);
        }
    }
    // Nothing can be computed with what a symmetric encryption key is made of, and nothing is held of other keys.
    let symmetric = alone(imported(KeyKind::SYMMETRIC, MaterialPresence::Imported, Validity::Never));
    for scene in [symmetric, alone(subject(kinds()[0]))] {
        assert_eq!(proofs(&scene.run().await.0), Vec::<&Probe>::new());
    }
}

#[tokio::test]
async fn no_material_is_ever_shown() {
    for kind in kinds() {
        let bytes = to_import(kind);
        let (report, _) = holding(kind, &bytes, Ok(&bytes)).run().await;
        let shown = [
            render_verify(&report, Painter::Ansi, Completeness::Required, Detail::Full),
            crate::render::json::to_text(&verify_to_json(&report)),
            format!("{report:?}"),
        ]
        .concat();
        let secret = &bytes[bytes.len() - 24..];
        let encoded = [hex::encode(secret), base64::engine::general_purpose::STANDARD.encode(secret)];
        assert!(encoded.iter().all(|encoded| !shown.contains(encoded)), "{kind:?}");
    }
}

fn id(digit: &str) -> KeyMaterialId {
    digit.repeat(64).parse().unwrap()
}

fn live_material(digit: &str, name: &str, presence: LivePresence) -> LiveMaterial {
    LiveMaterial { id: id(digit), description: Some(name.to_owned()), standing: MaterialStanding::Current, presence }
}

/// An imported key in a state, with its materials.
fn in_state(key: DesiredKey, state: KeyState, materials: Option<LiveMaterials>) -> (Scene, LiveTarget) {
    let scene = alone(key);
    let mut live = live(&scene.state, &[]);
    let kind = scene.state.targets[0].keys[0].material.kind();
    live.keys[0].metadata = Observed::Known(KeyMetadata { state, origin: Origin::External, ..metadata(kind) });
    live.keys[0].materials = materials.map(Observed::Known);
    (scene, live)
}

#[tokio::test]
async fn a_key_that_waits_for_its_material_is_no_success() {
    let key = imported(KeyKind::SYMMETRIC, MaterialPresence::Imported, Validity::Never);
    let missing = LiveMaterials::Listed(vec![
        live_material("a", "2025", LivePresence::Missing),
        live_material("b", "2026", LivePresence::Imported(Expiry::Never)),
    ]);
    for (lifecycle, materials, told) in [
        (KeyLifecycle::Enabled, Some(missing), "`2025` (aaaa"),
        (KeyLifecycle::Disabled, Some(LiveMaterials::Untold), "waits for its material; `keywright plan`"),
        (KeyLifecycle::Enabled, None, "waits for its material; `keywright plan`"),
    ] {
        let key = DesiredKey { lifecycle, ..key.clone() };
        let (scene, live) = in_state(key, KeyState::PendingImport, materials);
        let (report, _) = scene.run_on(live).await;
        let result = result_of(&report, "subject/caller: the key");
        assert!(matches!(result, ProbeResult::Failed { observed } if observed.contains(told)), "{result:?}");
        assert_eq!(report.probes.len(), 1);
    }
}

#[tokio::test]
async fn a_key_whose_first_material_is_encrypted_elsewhere_may_wait_for_it() {
    let mut key = imported(KeyKind::SYMMETRIC, MaterialPresence::Imported, Validity::Never);
    if let KeyMaterial::Imported { import: Some(import), .. } = &mut key.material {
        import.materials[0].source = MaterialSource::Prewrapped;
    }
    let waits = async |listed: Vec<LiveMaterial>| {
        let (scene, live) = in_state(key.clone(), KeyState::PendingImport, Some(LiveMaterials::Listed(listed)));
        let (report, _) = scene.run_on(live).await;
        result_of(&report, "subject/caller: the key").clone()
    };
    let new = waits(Vec::new()).await;
    assert!(matches!(&new, ProbeResult::NotChecked { reason } if reason.contains("encrypted elsewhere")), "{new:?}");
    let gone = waits(vec![live_material("a", "2026", LivePresence::Missing)]).await;
    assert!(matches!(gone, ProbeResult::Failed { .. }), "{gone:?}");
}

#[tokio::test]
async fn deleted_material_must_make_every_use_fail() {
    let key = imported(KeyKind::SYMMETRIC, MaterialPresence::Deleted, Validity::Never);
    let (scene, live) = in_state(key.clone(), KeyState::PendingImport, None);
    let (report, _) = scene.run_on(live.clone()).await;
    let told = result_of(&report, "subject/caller: the key");
    assert!(matches!(told, ProbeResult::NotChecked { reason } if reason.contains("deleted, as declared")), "{told:?}");
    for call in ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"] {
        assert_eq!(*result_of(&report, &format!("subject/app: at rest: {call}")), ProbeResult::Passed);
    }
    let (report, _) = Scene { fault: Fault::Sleepless, ..scene }.run_on(live).await;
    let used = result_of(&report, "subject/app: at rest: kms:Decrypt");
    assert!(matches!(used, ProbeResult::Failed { .. }), "{used:?}");
    for state in [KeyState::Enabled, KeyState::Disabled] {
        let (scene, live) = in_state(key.clone(), state, None);
        let (report, _) = scene.run_on(live).await;
        let there = result_of(&report, "subject/caller: the key");
        assert!(
            matches!(there, ProbeResult::Failed { observed } if observed.contains("declared deleted")),
            "{there:?}"
        );
    }
}

#[tokio::test]
async fn a_retired_key_may_wait_for_its_material() {
    let key = imported(KeyKind::SYMMETRIC, MaterialPresence::Imported, Validity::Never);
    let retired = DesiredKey { lifecycle: KeyLifecycle::Retired, ..key };
    let (scene, live) = in_state(retired, KeyState::PendingImport, None);
    let (report, _) = scene.run_on(live).await;
    let told = result_of(&report, "subject/caller: the key");
    assert!(matches!(told, ProbeResult::NotChecked { reason } if reason.contains("retired")), "{told:?}");
    assert_eq!(*result_of(&report, "subject/app: at rest: kms:Decrypt"), ProbeResult::Passed);
}

/// The warnings about a key whose materials are as read, on the first day of 1970.
async fn warned(key: DesiredKey, materials: LiveMaterials, first: Option<Expiry>) -> Vec<(Option<String>, i64)> {
    let (scene, mut live) = in_state(key, KeyState::Enabled, Some(materials));
    let Observed::Known(metadata) = &mut live.keys[0].metadata else { unreachable!() };
    metadata.expiry = first;
    let (report, _) = scene.run_on(live).await;
    assert!(report.warnings.iter().all(|warning| warning.text.contains("expire") && warning.key.as_str() == "subject"));
    report.warnings.into_iter().map(|warning| (warning.material, warning.days_left)).collect()
}

fn after(days: i64) -> Expiry {
    Expiry::At(jiff::Timestamp::from_second(days * 86_400 + 3_600).unwrap())
}

#[tokio::test]
async fn material_that_expires_soon_is_warned_of_with_the_days_that_are_left() {
    let valid = Validity::Days { days: 90, reimport_before: 45 };
    let key = imported(KeyKind::SYMMETRIC, MaterialPresence::Imported, valid);
    let listed = LiveMaterials::Listed(vec![
        live_material("a", "2024", LivePresence::Imported(after(45))),
        live_material("b", "2025", LivePresence::Imported(after(46))),
        live_material("c", "2026", LivePresence::Imported(Expiry::Never)),
        live_material("d", "2023", LivePresence::Imported(after(-1))),
    ]);
    let found = warned(key.clone(), listed.clone(), None).await;
    assert_eq!(found, [(Some("2024".to_owned()), 45), (Some("2023".to_owned()), -1)]);
    // Where the server lists no materials, what the metadata says is of the only one that is declared.
    let untold = warned(key.clone(), LiveMaterials::Untold, Some(after(3))).await;
    assert_eq!(untold, [(Some("2026".to_owned()), 3)]);
    let by_hand = KeyMaterial::Imported { kind: KeyKind::SYMMETRIC, import: None };
    let by_hand = DesiredKey { material: by_hand, ..key.clone() };
    assert_eq!(warned(by_hand.clone(), LiveMaterials::Untold, Some(after(30))).await, [(None, 30)]);
    assert_eq!(warned(by_hand, LiveMaterials::Untold, Some(after(31))).await, []);
    let deleted = imported(KeyKind::SYMMETRIC, MaterialPresence::Deleted, valid);
    assert_eq!(warned(deleted, listed, None).await, []);
}
