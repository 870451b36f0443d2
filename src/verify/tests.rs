//! The self-test against a KMS in memory: all is well in a correct world, and each fault of another is found.

mod imported;
mod kept;
mod kinds;
#[cfg(feature = "sandbox")]
mod sandbox;

use super::fake::{Fake, Fault, Machine, Shared, World};
use super::*;
use crate::access::{KeyFacts, PrincipalFacts};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{Delegation, KeyKind, RoleKind, Separation, Trust, Verifiable};
use crate::ids::{AliasName, KeyArn, KeyId, Partition, TargetName};
use crate::import::Material;
use crate::kms::{Capability, KeyState, KeyUsage, Origin};
use crate::live::{Backend, Caller, KeyManager, KeyMetadata, LiveKey, LivePolicy, LiveRotation, Observed};
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use crate::render::style::Painter;
use crate::render::{Detail, render_verify, verify_to_json};
use crate::report::Completeness;
use crate::services::Service;
use crate::synth::sample::{account, direct, key, managed, role, role_arn, state, target, user, via};
use base64::Engine as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const ROLES: [(&str, RoleKind); 6] = [
    ("app", RoleKind::KeyUser),
    ("api", RoleKind::KeyUser),
    ("key-admin", RoleKind::KeyAdmin),
    ("compliance", RoleKind::KeyAuditor),
    ("keywright-deployer", RoleKind::Deployer),
    ("keywright-verifier", RoleKind::Verifier),
];

pub(super) fn metadata(kind: KeyKind) -> KeyMetadata {
    KeyMetadata {
        state: KeyState::Enabled,
        description: String::new(),
        spec: kind.spec(),
        usage: kind.usage(),
        origin: Origin::AwsKms,
        manager: KeyManager::Customer,
        multi_region: false,
        multi_region_type: None,
        primary_region: None,
        replica_regions: [].into(),
        store: None,
        xks_key_id: None,
        created: None,
        deletion: None,
        deletion_window: None,
        expiry: None,
    }
}

/// Two keys: one used directly under a context and through DynamoDB, one used directly under any.
fn desired() -> DesiredState {
    let usual = Capability::defaults(KeyUsage::EncryptDecrypt);
    let mut ledger = key("ledger");
    ledger.users = vec![
        user(role("app"), usual, direct(&[("tenant", &["acme-*"])])),
        user(role("api"), &[Capability::Encrypt, Capability::Decrypt], via(&[Service::Dynamodb, Service::S3])),
    ];
    ledger.services = BTreeSet::from([Service::Dynamodb, Service::S3]);
    ledger.required_context.insert("tenant".to_owned());
    ledger.auditors = vec![role("compliance")];
    ledger.separation = Separation::Enforced;
    ledger.delegation = Delegation::None;
    let mut files = key("files");
    files.users = vec![user(role("app"), usual, direct(&[]))];
    files.delegation = Delegation::RootUser;
    stated(vec![target("prod", "eu-west-1", vec![files, ledger])])
}

/// A stack of some targets, all of whose roles are verifiable.
fn stated(mut targets: Vec<DesiredTarget>) -> DesiredState {
    for target in &mut targets {
        target.verifier = Some(role("keywright-verifier"));
        target.planners.clear();
    }
    let mut state = state(targets, ROLES.iter().map(|(name, kind)| managed(name, *kind, Trust::default())).collect());
    for known in state.accounts[0].known_roles.values_mut() {
        known.verifiable = Verifiable::Yes;
    }
    state
}

fn key_id(name: &str) -> KeyId {
    name.parse().unwrap()
}

fn live(state: &DesiredState, extra: &[Statement]) -> LiveTarget {
    live_target(state, &state.targets[0], extra)
}

fn live_target(state: &DesiredState, target: &DesiredTarget, extra: &[Statement]) -> LiveTarget {
    let caller: crate::ids::PrincipalArn = "arn:aws:iam::111122223333:user/sandbox".parse().unwrap();
    let live_key = |key: &DesiredKey| {
        let mut document = crate::synth::key_policy(target, key);
        document.statements.extend(extra.iter().cloned());
        let tags = [(TAG_STACK, state.stack.as_str()), (TAG_OWNER, state.owner.as_str()), (TAG_KEY, key.name.as_str())];
        LiveKey {
            arn: KeyArn::new(Partition::Aws, &target.region, &account(), &key_id(key.name.as_str())),
            metadata: Observed::Known(metadata(key.material.kind())),
            policy: Observed::Known(LivePolicy { text: document.to_text(), document }),
            tags: Observed::Known(tags.map(|(tag, value)| (tag.to_owned(), value.to_owned())).into()),
            rotation: Observed::Known(LiveRotation::Off),
            grants: Observed::Known(Vec::new()),
            rotations: None,
            materials: None,
            last_usage: None,
            ram_policy: None,
        }
    };
    let alias = |key: &DesiredKey| (AliasName::claim(&state.stack, &key.name), Some(key_id(key.name.as_str())));
    LiveTarget {
        backend: Backend::Aws,
        account: account(),
        region: target.region.clone(),
        caller: Caller { account: account(), arn: caller.clone(), principal: caller },
        caller_policies: None,
        keys: target.keys.iter().map(live_key).collect(),
        aliases: target.keys.iter().map(alias).collect(),
        unreadable: Vec::new(),
        stores: [].into(),
        key_count: None,
    }
}

/// A self-test to be run.
struct Scene {
    state: DesiredState,
    extra: Vec<Statement>,
    fault: Fault,
    unassumable: Option<&'static str>,
    enforcement: BTreeSet<Enforcement>,
    as_roles: AsRoles,
    /// Whether callers may play services, as in the sandbox.
    plays: bool,
    /// Whether Regions have nothing in common.
    apart: bool,
    /// What the keys are made of, where it outlives a run.
    shared: Option<Arc<Shared>>,
    /// The imported material that the run holds, with `--with-material`.
    held: Option<BTreeMap<(TargetName, KeyName), Result<Material, String>>>,
    /// The canaries of earlier runs, with `--canary`.
    canaries: Option<Vec<Canary>>,
}

impl Scene {
    fn new() -> Self {
        use Enforcement::{Context, Grants, IdentityPolicy, KeyPolicy};
        Self {
            state: desired(),
            extra: Vec::new(),
            fault: Fault::None,
            unassumable: None,
            enforcement: BTreeSet::from([Context, Grants, IdentityPolicy, KeyPolicy]),
            as_roles: AsRoles::Yes,
            plays: false,
            apart: false,
            shared: None,
            held: None,
            canaries: None,
        }
    }

    fn with_fault(fault: Fault) -> Self {
        Self { fault, ..Self::new() }
    }

    async fn run(&self) -> (VerifyReport, Arc<World>) {
        let lives: Vec<LiveTarget> =
            self.state.targets.iter().map(|target| live_target(&self.state, target, &self.extra)).collect();
        self.run_all(&lives).await
    }

    async fn run_on(&self, live: LiveTarget) -> (VerifyReport, Arc<World>) {
        self.run_all(&[live]).await
    }

    /// Runs on targets as read; returns the world of the first.
    async fn run_all(&self, lives: &[LiveTarget]) -> (VerifyReport, Arc<World>) {
        let kinds = || {
            let keys = self.state.targets.iter().flat_map(|target| &target.keys);
            keys.map(|key| (key_id(key.name.as_str()), key.material.kind()))
        };
        let shared = self.shared.clone().unwrap_or_else(|| Shared::new(kinds()));
        let world = |live: &LiveTarget| {
            let shared = if self.apart { Shared::new(kinds()) } else { Arc::clone(&shared) };
            Fake {
                world: Arc::new(self.world(live, shared)),
                who: PrincipalFacts::from_arn(&live.caller.arn),
                via: None,
            }
        };
        let connections: Vec<Fake> = lives.iter().map(world).collect();
        let targets: Vec<VerifyTarget<'_, Fake>> = (self.state.targets.iter().zip(lives).zip(&connections))
            .map(|((target, live), connection)| VerifyTarget {
                target,
                live,
                connection,
                enforcement: self.enforcement.clone(),
            })
            .collect();
        let held: Option<HeldMaterials<'_>> = self.held.as_ref().map(|held| {
            held.iter().map(|(place, held)| (place.clone(), held.as_ref().map_err(Clone::clone))).collect()
        });
        let told = Mutex::new(0_usize);
        let report = verify(VerifyJob {
            desired: &self.state,
            targets: &targets,
            machine: &Machine::default(),
            as_roles: self.as_roles,
            only_keys: None,
            held: held.as_ref().map_or(Held::Nothing, Held::Materials),
            canaries: self.canaries.as_deref(),
            parallel: 2,
            progress: &|_| *told.lock().unwrap() += 1,
        })
        .await;
        assert_eq!(*told.lock().unwrap(), report.probes.len());
        (report, Arc::clone(&connections[0].world))
    }

    fn world(&self, live: &LiveTarget, shared: Arc<Shared>) -> World {
        let facts = |key: &LiveKey| {
            let policy: PolicyDocument = key.policy.known().unwrap().document.clone();
            let mut facts = KeyFacts::new(key.arn.to_string(), account(), live.region.clone(), policy);
            if let Some(metadata) = key.metadata.known() {
                metadata.spec.name().clone_into(&mut facts.key_spec);
            }
            (key.arn.key_id(), facts)
        };
        let state = |key: &LiveKey| Some((key.arn.key_id(), key.metadata.known()?.state));
        let assumable = ROLES.iter().map(|(name, _)| *name).filter(|name| Some(*name) != self.unassumable);
        World {
            keys: live.keys.iter().map(facts).collect(),
            assumable: assumable.map(|name| role_arn(name).to_string()).collect(),
            fault: self.fault,
            plays: self.plays,
            states: live.keys.iter().filter_map(state).collect(),
            shared,
        }
    }

    /// Returns the failed probes, as `key/identity: scenario`, without repetitions.
    async fn failures(&self) -> BTreeSet<String> {
        let (report, _) = self.run().await;
        report.probes.iter().filter(|probe| matches!(probe.result, ProbeResult::Failed { .. })).map(label).collect()
    }
}

fn label(probe: &Probe) -> String {
    format!("{}/{}: {}", probe.key, probe.identity, probe.scenario)
}

fn result_of<'r>(report: &'r VerifyReport, wanted: &str) -> &'r ProbeResult {
    let found = report.probes.iter().find(|probe| label(probe) == wanted);
    &found.unwrap_or_else(|| panic!("no {wanted} in {:#?}", report.probes.iter().map(label).collect::<Vec<_>>())).result
}

#[tokio::test]
async fn in_a_correct_world_everything_is_as_expected() {
    let (report, _) = Scene::new().run().await;
    let odd: Vec<&Probe> = report
        .probes
        .iter()
        .filter(|probe| matches!(probe.result, ProbeResult::Failed { .. } | ProbeResult::NotChecked { .. }))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
    assert_eq!(report.exit(Completeness::Required), crate::exit::Exit::Done);
    for passed in [
        "files/keywright-verifier: deny: kms:Decrypt",
        "ledger/app: envelope: round trip",
        "ledger/app: envelope: another key named",
        "ledger/app: envelope: flipped bit in the wrapped key",
        "ledger/app: envelope: re-encrypted, in the old context",
        "ledger/app: allow: kms:ReEncrypt",
        "ledger/app: deny: kms:Decrypt without context",
        "ledger/app: deny: kms:Encrypt with another tenant",
        "ledger/app: deny: kms:GetKeyPolicy",
        "ledger/api: deny: kms:Decrypt",
        "ledger/key-admin: allow: kms:GetKeyPolicy",
        "ledger/key-admin: deny: kms:GenerateDataKey",
        "ledger/compliance: allow: kms:ListGrants",
        "ledger/compliance: deny: kms:Decrypt",
    ] {
        assert_eq!(*result_of(&report, passed), ProbeResult::Passed, "{passed}");
    }
    for evaluated in [
        "ledger/app: deny: kms:PutKeyPolicy",
        "ledger/key-admin: allow: kms:PutKeyPolicy",
        "ledger/api: through s3: kms:Decrypt",
        "ledger/api: through s3 of us-east-1: kms:Decrypt",
        "ledger/api: through dynamodb, not for a resource: kms:CreateGrant",
        "ledger/anybody else: deny: kms:Decrypt",
    ] {
        assert!(matches!(result_of(&report, evaluated), ProbeResult::Evaluated { .. }), "{evaluated}");
    }
}

/// As on the sandbox: callers may play services.
fn playing(fault: Fault) -> Scene {
    Scene { plays: true, ..Scene::with_fault(fault) }
}

/// Leaves the ledger to those who come through services.
fn without_direct_users(mut scene: Scene) -> Scene {
    let ledger = scene.state.targets[0].keys.iter_mut().find(|key| key.name.as_str() == "ledger").unwrap();
    ledger.users.retain(|user| user.principal == role("api"));
    scene
}

#[tokio::test]
async fn where_services_can_be_played_their_calls_are_made() {
    let (report, _) = without_direct_users(playing(Fault::None)).run().await;
    let odd: Vec<&Probe> = report
        .probes
        .iter()
        .filter(|probe| matches!(probe.result, ProbeResult::Failed { .. } | ProbeResult::NotChecked { .. }))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
    for passed in [
        "ledger/api: envelope through s3: round trip",
        "ledger/api: envelope through s3: wrong encryption context",
        "ledger/api: envelope through s3: flipped bit in the wrapped key",
        "ledger/api: envelope through s3: another key named",
        "files/app: envelope: another key named",
        "ledger/api: through s3: kms:GenerateDataKey",
        "ledger/api: through s3: kms:Decrypt",
        "ledger/api: directly, as through s3: kms:Decrypt",
        "ledger/api: through ebs: kms:Decrypt",
        "ledger/api: through dynamodb: kms:ReEncrypt",
    ] {
        assert_eq!(*result_of(&report, passed), ProbeResult::Passed, "{passed}");
    }
    // What would make a grant, or take another Region's service, is not called even so.
    for evaluated in ["through s3 of us-east-1: kms:Decrypt", "through dynamodb: kms:CreateGrant for its resource"] {
        let result = result_of(&report, &format!("ledger/api: {evaluated}"));
        assert!(matches!(result, ProbeResult::Evaluated { .. }), "{evaluated}: {result:?}");
    }
}

#[tokio::test]
async fn at_aws_a_key_for_services_alone_has_its_envelope_judged() {
    let (report, _) = without_direct_users(Scene::new()).run().await;
    let trip = result_of(&report, "ledger/api: envelope: round trip");
    assert!(matches!(trip, ProbeResult::Evaluated { reason } if reason.contains("through s3")), "{trip:?}");
    // That nothing works without the service can be asked for real anywhere.
    assert_eq!(*result_of(&report, "ledger/api: directly, as through s3: kms:Decrypt"), ProbeResult::Passed);
}

#[tokio::test]
async fn faults_in_what_services_do_are_found() {
    let found = playing(Fault::TrustsServices).failures().await;
    assert!(found.contains("ledger/api: through ebs: kms:Decrypt"), "{found:?}");
    let found = without_direct_users(playing(Fault::RefusesServices)).failures().await;
    for label in ["ledger/api: envelope through s3: round trip", "ledger/api: through s3: kms:Decrypt"] {
        assert!(found.contains(label), "{found:?}");
    }
    for (fault, label) in [
        (Fault::ContextUnbound, "ledger/api: envelope through s3: wrong encryption context"),
        (Fault::XorPad, "ledger/api: envelope through s3: flipped bit in the wrapped key"),
        (Fault::KeyUnbound, "ledger/api: envelope through s3: another key named"),
    ] {
        let found = without_direct_users(playing(fault)).failures().await;
        assert!(found.contains(label), "{label}: {found:?}");
    }
    // An administrator whom a statement lets in through a service is one who could decrypt.
    let via = Statement::allow("Extra", ["kms:Decrypt"])
        .principals(vec![PrincipalEntry::Aws(role_arn("key-admin").to_string())])
        .when("StringEquals", "kms:ViaService", ["s3.eu-west-1.amazonaws.com"]);
    let mut scene = Scene { extra: vec![via], ..without_direct_users(playing(Fault::None)) };
    for key in &mut scene.state.targets[0].keys {
        key.separation = Separation::Advised;
    }
    let found = scene.failures().await;
    assert!(found.contains("ledger/anybody else: deny: kms:Decrypt"), "{found:?}");
}

#[tokio::test]
async fn the_ciphertext_of_another_key_may_come_from_anybody_and_is_missed_where_there_is_none() {
    // Nobody uses both keys, and only a service forwards calls to the other one.
    let mut scene = without_direct_users(playing(Fault::None));
    let (report, _) = scene.run().await;
    assert_eq!(*result_of(&report, "files/app: envelope: another key named"), ProbeResult::Passed);
    // A neighbour whose users only decrypt makes none.
    let ledger = scene.state.targets[0].keys.iter_mut().find(|key| key.name.as_str() == "ledger").unwrap();
    for user in &mut ledger.users {
        user.capabilities = BTreeSet::from([Capability::Decrypt]);
    }
    let (report, _) = scene.run().await;
    let missed = result_of(&report, "files/app: envelope: another key named");
    assert!(matches!(missed, ProbeResult::NotChecked { reason } if reason.contains("under ledger")), "{missed:?}");
    scene.state.targets[0].keys.retain(|key| key.name.as_str() == "files");
    let (report, _) = scene.run().await;
    let missed = result_of(&report, "files/app: envelope: another key named");
    assert!(matches!(missed, ProbeResult::NotChecked { reason } if reason.contains("no other key")), "{missed:?}");
}

#[tokio::test]
async fn two_runs_differ_in_nothing_but_time() {
    let without_time = |report: VerifyReport| {
        report.probes.into_iter().map(|probe| Probe { latency_ms: None, ..probe }).collect::<Vec<_>>()
    };
    let (first, _) = Scene::new().run().await;
    let (second, _) = Scene::new().run().await;
    assert_eq!(without_time(first), without_time(second));
}

#[tokio::test]
async fn faults_of_the_server_are_found() {
    let found = Scene::with_fault(Fault::ContextUnbound).failures().await;
    assert!(found.contains("ledger/app: envelope: wrong encryption context"), "{found:?}");
    assert!(found.contains("files/app: envelope: missing encryption context"), "{found:?}");
    let found = Scene::with_fault(Fault::XorPad).failures().await;
    let tampered = ["files", "ledger"].map(|key| format!("{key}/app: envelope: flipped bit in the wrapped key"));
    assert_eq!(found, tampered.into());
    let found = Scene::with_fault(Fault::KeyUnbound).failures().await;
    assert!(found.contains("ledger/app: envelope: another key named"), "{found:?}");
}

fn allow(action: &str, name: &str) -> Vec<Statement> {
    let entry = PrincipalEntry::Aws(role_arn(name).to_string());
    vec![Statement::allow("Extra", [action]).principals(vec![entry])]
}

#[tokio::test]
async fn access_that_the_manifest_does_not_allow_is_found() {
    let found = Scene { extra: allow("kms:GetKeyPolicy", "app"), ..Scene::new() }.failures().await;
    assert!(found.contains("files/app: deny: kms:GetKeyPolicy"), "{found:?}");
    let found = Scene { extra: allow("kms:PutKeyPolicy", "app"), ..Scene::new() }.failures().await;
    assert!(found.contains("files/app: deny: kms:PutKeyPolicy"), "{found:?}");
    // The ledger's separation is enforced by a deny, which beats the new statement.
    let found = Scene { extra: allow("kms:Decrypt", "key-admin"), ..Scene::new() }.failures().await;
    let wanted = ["files/key-admin: deny: kms:Decrypt", "files/anybody else: deny: kms:Decrypt"];
    assert_eq!(found, wanted.map(str::to_owned).into());
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_not_checked_and_judged() {
    let (report, _) = Scene { unassumable: Some("key-admin"), ..Scene::new() }.run().await;
    let calls = result_of(&report, "ledger/key-admin: real calls in its name");
    assert!(
        matches!(calls, ProbeResult::NotChecked { reason } if reason.contains("could not be assumed")),
        "{calls:?}"
    );
    let judged = result_of(&report, "ledger/key-admin: deny: kms:Decrypt");
    assert!(matches!(judged, ProbeResult::Evaluated { .. }), "{judged:?}");
    assert_eq!(report.exit(Completeness::BestEffort), crate::exit::Exit::Done);
    assert_eq!(report.exit(Completeness::Required), crate::exit::Exit::ProbeFailed);
}

#[tokio::test]
async fn a_server_that_enforces_nothing_is_found_out_once_or_fails_where_it_claims_to() {
    let lenient = Scene { enforcement: BTreeSet::new(), ..Scene::with_fault(Fault::Lenient) };
    let (report, _) = lenient.run().await;
    let denials = report.probes.iter().filter(|probe| probe.expected == Expectation::Denied);
    assert!(denials.clone().all(|probe| !matches!(probe.result, ProbeResult::Passed | ProbeResult::Failed { .. })));
    assert!(denials.clone().any(|probe| probe.scenario.starts_with("canary: ")));
    let found = Scene::with_fault(Fault::Lenient).failures().await;
    assert!(found.iter().any(|label| label.contains("canary: ")), "{found:?}");
}

#[tokio::test]
async fn what_is_throttled_is_neither_passed_nor_failed() {
    let (report, _) = Scene::with_fault(Fault::Throttles).run().await;
    let trip = result_of(&report, "ledger/app: envelope: round trip");
    assert!(matches!(trip, ProbeResult::NotChecked { reason } if reason.contains("Throttled")), "{trip:?}");
    assert_eq!(report.exit(Completeness::BestEffort), crate::exit::Exit::Done);
}

#[tokio::test]
async fn without_roles_the_envelope_is_judged() {
    let (report, _) = Scene { as_roles: AsRoles::No, ..Scene::new() }.run().await;
    let trip = result_of(&report, "ledger/app: envelope: round trip");
    assert!(matches!(trip, ProbeResult::Evaluated { .. }), "{trip:?}");
    assert!(!report.probes.iter().any(|probe| probe.identity == "key-admin"));
}

#[tokio::test]
async fn keys_that_are_missing_resting_or_not_ours_are_said_to_be() {
    let scene = Scene::new();
    let mut missing = live(&scene.state, &[]);
    missing.aliases.clear();
    let mut foreign = live(&scene.state, &[]);
    foreign.keys[0].tags = Observed::Known(BTreeMap::new());
    let mut resting = live(&scene.state, &[]);
    resting.keys[0].metadata =
        Observed::Known(KeyMetadata { state: KeyState::PendingDeletion, ..metadata(KeyKind::SYMMETRIC) });
    let mut unreadable = live(&scene.state, &[]);
    unreadable.keys[0].metadata = Observed::Denied { action: "kms:DescribeKey".to_owned(), message: "no".to_owned() };
    for (live, text, fails) in [
        (missing, "claim alias does not exist", true),
        (foreign, "is not ours", true),
        (resting, "PendingDeletion", true),
        (unreadable, "kms:DescribeKey was denied", false),
    ] {
        let (report, _) = scene.run_on(live).await;
        let result = result_of(&report, "files/caller: the key");
        let said = format!("{result:?}");
        assert!(said.contains(text) && matches!(result, ProbeResult::Failed { .. }) == fails, "{said}");
    }
}

#[tokio::test]
async fn no_data_key_is_ever_shown() {
    let (report, world) = Scene::new().run().await;
    let shown = [
        render_verify(&report, Painter::Ansi, Completeness::Required, Detail::Compact),
        render_verify(&report, Painter::Ansi, Completeness::Required, Detail::Full),
        crate::render::json::to_text(&verify_to_json(&report)),
        format!("{report:?}"),
    ]
    .concat();
    let secrets: Vec<Vec<u8>> = world.secrets().into_iter().filter(|secret| secret.len() == 32).collect();
    assert!(secrets.len() > 4);
    for secret in secrets {
        let encodings = [
            hex::encode(&secret),
            base64::engine::general_purpose::STANDARD.encode(&secret),
            format!("{secret:?}").trim_matches(['[', ']']).to_owned(),
        ];
        assert!(encodings.iter().all(|encoded| !shown.contains(encoded)));
    }
}
