//! Canaries from run to run: kept, opened, and missed where they do not open.

use super::kinds::subject;
use super::*;
use crate::desired::{KeyLifecycle, KeyMaterial};
use crate::ids::KeyMaterialId;
use crate::kms::KeySpec;
use crate::live::{LiveMaterial, LiveMaterials, LivePresence, MaterialStanding};
use crate::report::{canaries_to_text, merge_canaries};

const OPENED: &str = "canaries: opened (1970-01-01T00:00:00Z)";

/// A scene whose world outlives its runs.
fn lasting(mut scene: Scene) -> Scene {
    let keys = scene.state.targets.iter().flat_map(|target| &target.keys);
    scene.shared = Some(Shared::new(keys.map(|key| (key_id(key.name.as_str()), key.material.kind()))));
    scene.canaries = Some(Vec::new());
    scene
}

/// Runs, and keeps the canaries for the next run.
async fn run(scene: &mut Scene) -> VerifyReport {
    let (report, _) = scene.run().await;
    let kept = scene.canaries.take().unwrap();
    scene.canaries = Some(merge_canaries(kept, report.canaries.clone()));
    report
}

fn results<'r>(report: &'r VerifyReport, key: &str, scenario: &str) -> Vec<&'r ProbeResult> {
    let probes = report.probes.iter().filter(|probe| probe.key.as_str() == key && probe.scenario == scenario);
    probes.map(|probe| &probe.result).collect()
}

#[tokio::test]
async fn each_run_opens_the_canaries_of_all_before_it() {
    let mut scene = lasting(Scene::new());
    for earlier in 0..3 {
        let report = run(&mut scene).await;
        assert_eq!(report.canaries.len(), 2);
        for key in ["files", "ledger"] {
            assert_eq!(results(&report, key, "canaries: made"), [&ProbeResult::Passed]);
            assert_eq!(results(&report, key, OPENED), vec![&ProbeResult::Passed; earlier]);
        }
        let kept = scene.canaries.as_ref().unwrap();
        assert!(kept.iter().all(|canary| canary.identity == "app"));
        assert!(kept.iter().any(|canary| canary.context.contains_key("tenant")));
    }
    // Nothing is made or opened where none are kept.
    let (report, _) = Scene::new().run().await;
    assert!(report.canaries.is_empty() && !report.probes.iter().any(|p| p.scenario.starts_with("canaries: ")));
}

#[tokio::test]
async fn what_is_kept_tells_no_secret() {
    let scene = lasting(Scene::new());
    let (report, world) = scene.run().await;
    let text = canaries_to_text(&report.canaries);
    let secrets = world.secrets();
    assert!(secrets.len() > 4);
    for secret in secrets {
        assert!(!text.contains(&hex::encode(&secret)));
        assert!(!text.contains(&base64::engine::general_purpose::STANDARD.encode(&secret)));
    }
}

#[tokio::test]
async fn where_only_services_come_canaries_go_through_them() {
    let mut scene = lasting(without_direct_users(playing(Fault::None)));
    let _first = run(&mut scene).await;
    let report = run(&mut scene).await;
    let opened = result_of(&report, &format!("ledger/api: {OPENED}"));
    assert_eq!(*opened, ProbeResult::Passed);
    // At AWS nobody can be called for; it is said, and nothing is kept.
    let report = run(&mut lasting(without_direct_users(Scene::new()))).await;
    let made = results(&report, "ledger", "canaries: made");
    assert!(matches!(made[0], ProbeResult::NotChecked { reason } if reason.contains("no canary")), "{made:?}");
}

#[tokio::test]
async fn a_canary_that_does_not_open_is_named_with_its_date_and_material() {
    let mut scene = lasting(Scene::new());
    let _first = run(&mut scene).await;
    for canary in scene.canaries.iter_mut().flatten() {
        canary.material = Some("c".repeat(64).parse().unwrap());
    }
    // The key's material is another one since.
    let changed = Scene { canaries: scene.canaries.clone(), ..lasting(Scene::new()) };
    let (report, _) = changed.run().await;
    let failed = result_of(&report, &format!("files/app: {OPENED}"));
    let ProbeResult::Failed { observed } = failed else { panic!("{failed:?}") };
    for told in ["of 1970-01-01T00:00:00Z", "material cccc", "InvalidCiphertext", "import that material again"] {
        assert!(observed.contains(told), "{told}: {observed}");
    }
    // It opens, to another text.
    for canary in scene.canaries.iter_mut().flatten() {
        canary.sha256 = [0; 32];
    }
    let (report, _) = scene.run().await;
    let failed = result_of(&report, &format!("files/app: {OPENED}"));
    assert!(matches!(failed, ProbeResult::Failed { observed } if observed.contains("another text")), "{failed:?}");
    // A server that has no time says nothing.
    let busy = Scene { fault: Fault::Throttles, ..scene };
    let (report, _) = busy.run().await;
    let untold = result_of(&report, &format!("files/app: {OPENED}"));
    assert!(matches!(untold, ProbeResult::NotChecked { reason } if reason.contains("Throttled")), "{untold:?}");
}

#[tokio::test]
async fn canaries_of_other_keys_are_told_apart() {
    let mut scene = lasting(Scene::new());
    let _first = run(&mut scene).await;
    let kept = scene.canaries.clone().unwrap();
    let renamed = |key: &str, target: &str| {
        let canary = kept[0].clone();
        Canary { key: key.parse().unwrap(), target: target.parse().unwrap(), ..canary }
    };
    let other = "arn:aws:kms:eu-west-1:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab";
    let anew = Canary { key_arn: other.parse().unwrap(), ..kept[0].clone() };
    scene.canaries = Some(vec![anew, renamed("gone", "prod"), renamed("gone", "prod"), renamed("files", "nowhere")]);
    let (report, _) = scene.run().await;
    let told: Vec<(String, String)> = (report.probes.iter())
        .filter(|probe| probe.scenario == "canaries: opened")
        .map(|probe| {
            let ProbeResult::NotChecked { reason } = &probe.result else { panic!("{probe:?}") };
            (format!("{}/{}", probe.target, probe.key), reason.clone())
        })
        .collect();
    let places: Vec<&str> = told.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["prod/files", "nowhere/files", "prod/gone"]);
    assert!(told[0].1.contains(other) && told[2].1.starts_with("2 canaries, the last of 1970-01-01"), "{told:?}");
    assert_eq!(report.exit(Completeness::Required), crate::exit::Exit::ProbeFailed);
    // What is left out on purpose is not missed.
    let mut narrow = scene;
    narrow.state.left_out = vec![target("nowhere", "eu-west-1", vec![])];
    let (report, _) = narrow.run().await;
    assert!(!report.probes.iter().any(|probe| probe.target.as_str() == "nowhere"));
}

#[tokio::test]
async fn keys_that_rest_keep_their_canaries_for_later_and_others_have_none() {
    let mut scene = lasting(Scene::new());
    let _first = run(&mut scene).await;
    scene.state.targets[0].keys[0].lifecycle = KeyLifecycle::Disabled;
    let mut live = live(&scene.state, &[]);
    live.keys[0].metadata = Observed::Known(KeyMetadata { state: KeyState::Disabled, ..metadata(KeyKind::SYMMETRIC) });
    let (report, _) = scene.run_on(live).await;
    let later = result_of(&report, "files/caller: canaries: opened");
    assert!(matches!(later, ProbeResult::NotChecked { reason } if reason.contains("1 canary")), "{later:?}");
    assert_eq!(report.canaries.len(), 1);
    let signing = subject(KeyKind::new(KeySpec::EccNistP256, KeyUsage::SignVerify).unwrap());
    let state = stated(vec![target("prod", "eu-west-1", vec![signing])]);
    let (report, _) = lasting(Scene { state, ..Scene::new() }).run().await;
    assert!(report.canaries.is_empty() && !report.probes.iter().any(|p| p.scenario.starts_with("canaries: ")));
}

#[tokio::test]
async fn the_material_of_a_canary_is_the_one_that_encrypts() {
    let mut scene = lasting(Scene::new());
    scene.state.targets[0].keys[0].material = KeyMaterial::Imported { kind: KeyKind::SYMMETRIC, import: None };
    let mut live = live(&scene.state, &[]);
    let material = |digit: &str, standing| LiveMaterial {
        id: digit.repeat(64).parse().unwrap(),
        description: None,
        standing,
        presence: LivePresence::Imported(crate::live::Expiry::Never),
    };
    let old = material("a", MaterialStanding::NonCurrent);
    let materials = LiveMaterials::Listed(vec![old, material("b", MaterialStanding::Current)]);
    live.keys[0].materials = Some(Observed::Known(materials));
    let (report, _) = scene.run_on(live).await;
    let wanted: KeyMaterialId = "b".repeat(64).parse().unwrap();
    let of = |key: &str| report.canaries.iter().find(|canary| canary.key.as_str() == key).unwrap().material.clone();
    assert_eq!((of("files"), of("ledger")), (Some(wanted), None));
}
