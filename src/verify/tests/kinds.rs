//! The self-test of every kind of key: proofs that pass, faults that are found, Regions, rest, secrets.

use super::*;
use crate::desired::{KeyLifecycle, KeyMaterial, KeyStore, Rotation, Topology};
use crate::kms::{KeyShape, KeySpec};
use crate::live::LiveKeyStore;
use crate::verify::uses::Use;

/// A key of a kind, with a user who may do everything, one who may do nothing, and staff.
pub(super) fn subject(kind: KeyKind) -> DesiredKey {
    let mut key = key("subject");
    key.material = if kind == KeyKind::SYMMETRIC {
        KeyMaterial::Symmetric { rotation: Rotation::Off, newer_than: None }
    } else {
        KeyMaterial::Generated(kind)
    };
    let mut can = Capability::defaults_for(KeyShape::new(kind.spec(), kind.usage()));
    if kind == KeyKind::SYMMETRIC {
        can.push(Capability::GenerateDataKeyPair);
    }
    key.users = vec![user(role("app"), &can, direct(&[])), user(role("api"), &[Capability::Describe], direct(&[]))];
    key.auditors = vec![role("compliance")];
    key.delegation = Delegation::None;
    key
}

fn alone(key: DesiredKey, fault: Fault) -> Scene {
    Scene { state: stated(vec![target("prod", "eu-west-1", vec![key])]), ..Scene::with_fault(fault) }
}

fn kind(spec: KeySpec, usage: KeyUsage) -> KeyKind {
    KeyKind::new(spec, usage).unwrap()
}

/// One kind for each usage, quickly made.
fn samples() -> [KeyKind; 6] {
    [
        KeyKind::SYMMETRIC,
        kind(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt),
        kind(KeySpec::EccNistP256, KeyUsage::SignVerify),
        kind(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac),
        kind(KeySpec::EccNistP256, KeyUsage::KeyAgreement),
        kind(KeySpec::MlKem512, KeyUsage::EncapsulateDecapsulate),
    ]
}

pub(super) fn is_proof(probe: &Probe) -> bool {
    !["allow: ", "deny: ", "canary: "].iter().any(|topic| probe.scenario.starts_with(topic))
}

#[tokio::test]
async fn every_kind_of_key_is_proved_to_work_and_to_refuse_and_its_users_to_be_alone() {
    for spec in KeySpec::ALL.iter().filter(|spec| **spec != KeySpec::Sm2) {
        for usage in spec.usages() {
            let (report, _) = alone(subject(kind(*spec, *usage)), Fault::None).run().await;
            for probe in &report.probes {
                match &probe.result {
                    ProbeResult::Failed { observed } => panic!("{spec} {usage}: {}: {observed}", label(probe)),
                    ProbeResult::NotChecked { reason } => {
                        let known = ["no Ed25519ph", "no other key"].iter().any(|known| reason.contains(known));
                        assert!(known, "{spec} {usage}: {}: {reason}", label(probe));
                    }
                    ProbeResult::Passed | ProbeResult::Evaluated { .. } => {}
                }
            }
            let proofs = || report.probes.iter().filter(|probe| is_proof(probe) && probe.result == ProbeResult::Passed);
            for expected in [Expectation::Allowed, Expectation::Refused] {
                assert!(proofs().any(|probe| probe.expected == expected), "{spec} {usage} {expected:?}");
            }
            for what in Use::of(KeyShape::new(*spec, *usage)) {
                let allowed = format!("subject/app: allow: {}", what.call());
                assert_eq!(*result_of(&report, &allowed), ProbeResult::Passed, "{spec} {usage}");
                for other in ["api", "key-admin", "compliance", "keywright-deployer"] {
                    let denied = format!("subject/{other}: deny: {}", what.call());
                    assert_eq!(*result_of(&report, &denied), ProbeResult::Passed, "{spec} {usage}");
                }
            }
            let others = format!("subject/anybody else: deny: {}", Use::gravest(*usage).call());
            assert!(matches!(result_of(&report, &others), ProbeResult::Evaluated { .. }), "{spec} {usage}");
        }
    }
}

#[tokio::test]
async fn what_no_library_here_has_is_not_checked_and_says_so() {
    for usage in KeySpec::Sm2.usages() {
        let (report, _) = alone(subject(kind(KeySpec::Sm2, *usage)), Fault::None).run().await;
        let proofs: Vec<&Probe> = report.probes.iter().filter(|probe| is_proof(probe)).collect();
        assert!(!proofs.is_empty());
        for probe in proofs.iter().filter(|probe| probe.identity != "anybody else") {
            assert!(matches!(probe.result, ProbeResult::NotChecked { .. }), "{usage}: {probe:?}");
        }
    }
}

#[tokio::test]
async fn a_public_key_is_for_users_and_staff_alone() {
    let mut subject = subject(kind(KeySpec::EccNistP256, KeyUsage::SignVerify));
    subject.users[1].capabilities.insert(Capability::GetPublicKey);
    let (report, _) = alone(subject, Fault::None).run().await;
    for passed in [
        "subject/app: allow: kms:GetPublicKey",
        "subject/api: allow: kms:GetPublicKey",
        "subject/compliance: allow: kms:GetPublicKey",
        "subject/key-admin: deny: kms:GetPublicKey",
    ] {
        assert_eq!(*result_of(&report, passed), ProbeResult::Passed, "{passed}");
    }
}

#[tokio::test]
async fn those_who_sign_need_not_be_those_who_verify() {
    let mut subject = subject(kind(KeySpec::EccNistP384, KeyUsage::SignVerify));
    subject.users[0].capabilities = BTreeSet::from([Capability::Sign]);
    subject.users[1].capabilities = BTreeSet::from([Capability::Verify]);
    let (report, _) = alone(subject.clone(), Fault::None).run().await;
    for passed in [
        "subject/app: signing: signed (ECDSA_SHA_384)",
        // Nobody but the auditor reads the public key, and that is enough.
        "subject/compliance: signing: public key read",
        "subject/app: signing: verified here (ECDSA_SHA_384)",
        "subject/api: signing: verified by KMS (ECDSA_SHA_384)",
        "subject/api: signing: another key's signature (ECDSA_SHA_384)",
        "subject/api: allow: kms:Verify",
        "subject/app: deny: kms:Verify",
    ] {
        assert_eq!(*result_of(&report, passed), ProbeResult::Passed, "{passed}");
    }
    // Where nobody signs, it is said, and nothing is made up.
    subject.users.remove(0);
    let (report, _) = alone(subject, Fault::None).run().await;
    let missed = result_of(&report, "subject/caller: signing: signed (ECDSA_SHA_384)");
    assert!(matches!(missed, ProbeResult::NotChecked { reason } if reason.contains("may sign")), "{missed:?}");
}

#[tokio::test]
async fn without_roles_proofs_are_judged() {
    for kind in samples() {
        let scene = Scene { as_roles: AsRoles::No, ..alone(subject(kind), Fault::None) };
        let (report, _) = scene.run().await;
        let proofs: Vec<&Probe> = report.probes.iter().filter(|probe| is_proof(probe)).collect();
        let judged = |probe: &&&Probe| matches!(probe.result, ProbeResult::Evaluated { .. });
        assert!(proofs.iter().filter(judged).count() > 0, "{kind:?}");
        let called = |probe: &&Probe| matches!(probe.result, ProbeResult::Passed | ProbeResult::Failed { .. });
        assert!(!proofs.iter().any(called), "{kind:?}: {proofs:#?}");
    }
}

#[tokio::test]
async fn faults_of_every_kind_are_found() {
    let signing = kind(KeySpec::EccNistP256, KeyUsage::SignVerify);
    let mac = kind(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    let rsa = kind(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt);
    let agreement = kind(KeySpec::EccNistP256, KeyUsage::KeyAgreement);
    let encapsulation = kind(KeySpec::MlKem512, KeyUsage::EncapsulateDecapsulate);
    for (fault, kind, scenarios) in [
        (
            Fault::VerifiesAll,
            signing,
            &["signing: changed message", "signing: changed signature", "signing: another key's signature"][..],
        ),
        (Fault::VerifiesAll, mac, &["mac: changed message", "mac: changed code", "mac: another key's code"]),
        (Fault::VerifiesAll, rsa, &["encryption: flipped bit", "encryption: as if by RSAES_OAEP_SHA_256"]),
        (
            Fault::ConstantSecrets,
            agreement,
            &["agreement: the secret that this side derives", "agreement: the same secret with another peer"],
        ),
        (
            Fault::ConstantSecrets,
            encapsulation,
            &["encapsulation: encapsulated here, decapsulated", "encapsulation: decapsulated"],
        ),
        (Fault::OtherHalf, KeyKind::SYMMETRIC, &["key pair: round trip"]),
        (Fault::XorPad, KeyKind::SYMMETRIC, &["key pair: flipped bit in the wrapped half"]),
        (Fault::ContextUnbound, KeyKind::SYMMETRIC, &["envelope: wrong encryption context"]),
    ] {
        let found = alone(subject(kind), fault).failures().await;
        for scenario in scenarios {
            let wanted = format!("subject/app: {scenario}");
            assert!(found.iter().any(|label| label.starts_with(&wanted)), "{fault:?} {wanted}: {found:?}");
        }
    }
}

#[tokio::test]
async fn access_to_every_kind_that_the_manifest_does_not_allow_is_found() {
    for kind in samples() {
        for what in Use::of(KeyShape::new(kind.spec(), kind.usage())) {
            let extra = what.actions().iter().flat_map(|action| allow(action, "compliance")).collect();
            let found = Scene { extra, ..alone(subject(kind), Fault::None) }.failures().await;
            let wanted = format!("subject/compliance: deny: {}", what.call());
            assert!(found.contains(&wanted), "{wanted}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_server_without_policies_is_asked_for_proofs_alone() {
    for kind in samples() {
        let scene = Scene { enforcement: BTreeSet::new(), ..alone(subject(kind), Fault::Lenient) };
        let (report, _) = scene.run().await;
        assert!(!report.probes.iter().any(|probe| matches!(probe.result, ProbeResult::Failed { .. })), "{kind:?}");
        let denied = report.probes.iter().filter(|probe| probe.expected == Expectation::Denied);
        assert!(denied.clone().all(|probe| probe.result != ProbeResult::Passed), "{kind:?}");
        let refused = report.probes.iter().filter(|probe| probe.expected == Expectation::Refused);
        assert!(refused.clone().any(|probe| probe.result == ProbeResult::Passed), "{kind:?}");
    }
}

/// A primary in Ireland with replicas in Frankfurt and Virginia.
fn family(kind: KeyKind) -> Scene {
    let places = [("prod", "eu-west-1"), ("near", "eu-central-1"), ("far", "us-east-1")];
    let named = |at: usize| (places[at].0.parse().unwrap(), places[at].1.parse().unwrap());
    let targets = places.iter().enumerate().map(|(at, (name, region))| {
        let mut key = subject(kind);
        key.topology = if at == 0 {
            Topology::Primary { replicas: [named(1), named(2)].into() }
        } else {
            let (primary, region) = named(0);
            Topology::Replica { primary, region }
        };
        target(name, region, vec![key])
    });
    Scene { state: stated(targets.collect()), ..Scene::new() }
}

#[tokio::test]
async fn what_one_region_makes_all_others_take() {
    for kind in samples() {
        let (report, _) = family(kind).run().await;
        let across: Vec<&Probe> = report.probes.iter().filter(|p| p.scenario.starts_with("regions: ")).collect();
        assert_eq!(across.len(), 6, "{kind:?}: {across:#?}");
        for probe in &across {
            assert_eq!(probe.result, ProbeResult::Passed, "{kind:?}: {probe:?}");
            assert_eq!(probe.identity, "app");
        }
        let pairs: BTreeSet<&str> = across.iter().map(|probe| probe.scenario.as_str()).collect();
        assert_eq!(pairs.len(), 6, "{pairs:?}");
    }
}

#[tokio::test]
async fn regions_that_have_nothing_in_common_are_found_and_both_are_named() {
    for kind in samples() {
        let (report, _) = Scene { apart: true, ..family(kind) }.run().await;
        let found = report.probes.iter().filter(|probe| probe.scenario.starts_with("regions: "));
        let found: Vec<&Probe> = found.filter(|probe| matches!(probe.result, ProbeResult::Failed { .. })).collect();
        assert_eq!(found.len(), 6, "{kind:?}: {:#?}", report.probes.iter().map(label).collect::<Vec<_>>());
        assert!(found.iter().any(|p| p.scenario.contains("in eu-west-1") && p.scenario.contains("in us-east-1")));
    }
}

#[tokio::test]
async fn a_region_that_was_not_read_or_whose_key_does_not_work_is_said_to_be() {
    let scene = family(KeyKind::SYMMETRIC);
    let mut lives: Vec<LiveTarget> =
        scene.state.targets.iter().map(|target| live_target(&scene.state, target, &[])).collect();
    lives.pop();
    let resting = KeyMetadata { state: KeyState::PendingDeletion, ..metadata(KeyKind::SYMMETRIC) };
    lives[1].keys[0].metadata = Observed::Known(resting);
    let (report, _) = scene.run_all(&lives).await;
    let far = result_of(&report, "subject/caller: regions: eu-west-1 to us-east-1");
    assert!(matches!(far, ProbeResult::NotChecked { reason } if reason.contains("target far")), "{far:?}");
    let near = result_of(&report, "subject/caller: regions: eu-west-1 to eu-central-1");
    assert!(matches!(near, ProbeResult::Failed { observed } if observed.contains("in eu-central-1")), "{near:?}");
}

fn resting(lifecycle: KeyLifecycle, state: KeyState, fault: Fault) -> (Scene, LiveTarget) {
    let mut key = subject(kind(KeySpec::EccNistP256, KeyUsage::SignVerify));
    key.lifecycle = lifecycle;
    let scene = alone(key, fault);
    let mut live = live(&scene.state, &[]);
    let kind = scene.state.targets[0].keys[0].material.kind();
    live.keys[0].metadata = Observed::Known(KeyMetadata { state, ..metadata(kind) });
    (scene, live)
}

#[tokio::test]
async fn keys_at_rest_are_dry_run_alone_and_must_say_that_they_rest() {
    for (lifecycle, state) in [
        (KeyLifecycle::Disabled, KeyState::Disabled),
        (KeyLifecycle::Retired, KeyState::Disabled),
        (KeyLifecycle::Retired, KeyState::PendingDeletion),
        (KeyLifecycle::Retired, KeyState::PendingReplicaDeletion),
    ] {
        let (scene, live) = resting(lifecycle, state, Fault::None);
        let (report, _) = scene.run_on(live).await;
        let told = result_of(&report, "subject/caller: the key");
        assert!(matches!(told, ProbeResult::NotChecked { reason } if reason.contains("as declared")), "{told:?}");
        assert_eq!(*result_of(&report, "subject/app: at rest: kms:Sign"), ProbeResult::Passed, "{state}");
        assert!(!report.probes.iter().any(|probe| probe.scenario.starts_with("signing: ")));
        let (scene, live) = resting(lifecycle, state, Fault::Sleepless);
        let (report, _) = scene.run_on(live).await;
        let result = result_of(&report, "subject/app: at rest: kms:Sign");
        assert!(matches!(result, ProbeResult::Failed { .. }), "{state}: {result:?}");
    }
}

#[tokio::test]
async fn states_are_told_for_what_they_are() {
    use KeyLifecycle::{Disabled, Enabled, Retired};
    for (lifecycle, state, text, fails) in [
        (Retired, KeyState::Enabled, "declared retired", true),
        (Disabled, KeyState::Enabled, "declared disabled", true),
        (Disabled, KeyState::PendingDeletion, "PendingDeletion", true),
        (Enabled, KeyState::PendingReplicaDeletion, "PendingReplicaDeletion", true),
        (Enabled, KeyState::PendingImport, "PendingImport", true),
        (Enabled, KeyState::Unavailable, "Unavailable", true),
        (Enabled, KeyState::Creating, "being created", false),
        (Enabled, KeyState::Updating, "primary Region is being changed", false),
    ] {
        let (scene, live) = resting(lifecycle, state, Fault::None);
        let (report, _) = scene.run_on(live).await;
        let result = result_of(&report, "subject/caller: the key");
        let said = format!("{result:?}");
        assert!(said.contains(text) && matches!(result, ProbeResult::Failed { .. }) == fails, "{said}");
    }
    let (mut scene, live) = resting(Enabled, KeyState::PendingImport, Fault::None);
    scene.state.targets[0].keys[0].material = KeyMaterial::Imported { kind: KeyKind::SYMMETRIC, import: None };
    let (report, _) = scene.run_on(live).await;
    let waits = result_of(&report, "subject/caller: the key");
    assert!(matches!(waits, ProbeResult::NotChecked { reason } if reason.contains("waits for its material")));
    let (scene, mut live) = resting(Retired, KeyState::Disabled, Fault::None);
    live.aliases.clear();
    let (report, _) = scene.run_on(live).await;
    let gone = result_of(&report, "subject/caller: the key");
    assert!(matches!(gone, ProbeResult::NotChecked { reason } if reason.contains("no longer there")), "{gone:?}");
}

#[tokio::test]
async fn keys_in_a_store_are_tested_where_it_is_connected_and_named_with_it_where_not() {
    let mut key = subject(KeyKind::SYMMETRIC);
    let id: crate::ids::KeyStoreId = "cks-1234567890abcdef0".parse().unwrap();
    key.material = KeyMaterial::Stored(KeyStore::CloudHsm { id: id.clone() });
    key.users[0].capabilities.remove(&Capability::GenerateDataKeyPair);
    let scene = alone(key, Fault::None);
    let (report, _) = scene.run().await;
    assert_eq!(*result_of(&report, "subject/app: envelope: round trip"), ProbeResult::Passed);
    assert!(!report.probes.iter().any(|probe| probe.scenario.contains("GenerateDataKeyPair")));
    let mut live = live(&scene.state, &[]);
    live.keys[0].metadata =
        Observed::Known(KeyMetadata { state: KeyState::Unavailable, ..metadata(KeyKind::SYMMETRIC) });
    let store = LiveKeyStore {
        origin: Origin::AwsCloudHsm,
        connection: "FAILED".to_owned(),
        error: Some("USER_LOCKED_OUT".to_owned()),
    };
    live.stores.insert(id, Observed::Known(Some(store)));
    let (report, _) = scene.run_on(live).await;
    let result = result_of(&report, "subject/caller: the key");
    let told = |observed: &String| observed.contains("cks-1234567890abcdef0 is FAILED: USER_LOCKED_OUT");
    assert!(matches!(result, ProbeResult::Failed { observed } if told(observed)), "{result:?}");
}

#[tokio::test]
async fn no_secret_of_any_kind_is_ever_shown() {
    for kind in samples() {
        let (report, world) = alone(subject(kind), Fault::None).run().await;
        let shown = [
            render_verify(&report, Painter::Ansi, Completeness::Required, Detail::Compact),
            render_verify(&report, Painter::Ansi, Completeness::Required, Detail::Full),
            crate::render::json::to_text(&verify_to_json(&report)),
            format!("{report:?}"),
        ]
        .concat();
        let keeps = !matches!(kind.usage(), KeyUsage::SignVerify | KeyUsage::GenerateVerifyMac)
            && kind.spec() != KeySpec::Rsa2048;
        assert_eq!(world.secrets().is_empty(), !keeps, "{kind:?}");
        for secret in world.secrets().into_iter().filter(|secret| secret.len() >= 32) {
            let encodings = [
                hex::encode(&secret),
                base64::engine::general_purpose::STANDARD.encode(&secret),
                format!("{secret:?}").trim_matches(['[', ']']).to_owned(),
            ];
            assert!(encodings.iter().all(|encoded| !shown.contains(encoded)), "{kind:?}");
        }
    }
}
