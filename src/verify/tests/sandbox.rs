//! The self-test over the wire, against the sandbox: one key of nearly every kind, all in one target.

use super::kinds::subject;
use super::*;
use crate::aws::{ConnectSettings, Connection, Credentials, Endpoint, Pacing, connect};
use crate::kms::{KeySpec, KeyUsage};
use crate::ports::{KeyWriter as _, LockoutCheck, NewKey};
use crate::read::{ReadOptions, read_target};
use crate::sandbox::{
    Faults, RunningSandbox, Sandbox, SandboxConfig, SeedKind, StateLocation, SystemClock, credentials,
};

/// Every kind, but for the sizes of RSA that take long to make, and what no library here has.
fn keys() -> Vec<DesiredKey> {
    let slow = [KeySpec::Rsa3072, KeySpec::Rsa4096, KeySpec::Sm2];
    let kinds = KeySpec::ALL.iter().filter(|spec| !slow.contains(spec));
    let kinds = kinds.flat_map(|spec| spec.usages().iter().filter_map(|usage| KeyKind::new(*spec, *usage)));
    kinds
        .map(|kind| {
            let words = format!("{}-{}", kind.spec(), kind.usage()).to_lowercase().replace('_', "-");
            DesiredKey { name: words.parse().unwrap(), ..subject(kind) }
        })
        .collect()
}

async fn deployed(sandbox: &RunningSandbox, state: &DesiredState) -> Connection {
    for (name, kind) in ROLES {
        // The verifier assumes roles by its own policy: seeded ones do not name it.
        let powerful = matches!(kind, RoleKind::Deployer | RoleKind::Verifier);
        let seed = if powerful { SeedKind::Deployer } else { SeedKind::Trusted };
        sandbox.seed_principal(&role_arn(name).principal(), seed).unwrap();
    }
    let target = &state.targets[0];
    let (access_key, secret) = credentials(&account());
    let mut settings = ConnectSettings::new(target.region.clone());
    settings.endpoint = Endpoint::Sandbox(sandbox.endpoint());
    settings.credentials = Credentials::Static { access_key, secret };
    settings.assume_role = Some((role_arn("keywright-deployer"), None));
    settings.pacing = Pacing::None;
    let connection = connect(&settings).await.unwrap();
    for key in &target.keys {
        let tags = [(TAG_STACK, state.stack.as_str()), (TAG_OWNER, state.owner.as_str()), (TAG_KEY, key.name.as_str())];
        let new = NewKey {
            shape: key.shape(),
            store: None,
            xks_key_id: None,
            description: String::new(),
            policy: crate::synth::key_policy(target, key),
            tags: tags.map(|(tag, value)| (tag.to_owned(), value.to_owned())).into(),
            lockout_check: LockoutCheck::Keep,
        };
        let arn = connection.create_key(&new).await.unwrap();
        connection.create_alias(&AliasName::claim(&state.stack, &key.name), &arn.key_id()).await.unwrap();
    }
    connection
}

#[tokio::test]
async fn every_kind_of_key_is_proved_over_the_wire() {
    let config = SandboxConfig {
        state: StateLocation::Memory,
        port: 0,
        clock: Arc::new(SystemClock),
        faults: Faults::default(),
    };
    let sandbox = Sandbox::start(config).await.unwrap();
    let state = stated(vec![target("prod", "eu-west-1", keys())]);
    let connection = deployed(&sandbox, &state).await;
    let live = read_target(&connection, &state.targets[0], &state, &ReadOptions::new(Backend::Sandbox)).await.unwrap();
    let enforcement = Scene::new().enforcement;
    let targets = [VerifyTarget { target: &state.targets[0], live: &live, connection: &connection, enforcement }];
    let report = Box::pin(verify(VerifyJob {
        desired: &state,
        targets: &targets,
        machine: &Machine::default(),
        as_roles: AsRoles::Yes,
        only_keys: None,
        held: Held::Nothing,
        canaries: None,
        parallel: 4,
        progress: &|_| {},
    }))
    .await;
    for probe in &report.probes {
        match &probe.result {
            ProbeResult::Failed { observed } => panic!("{}: {observed}", label(probe)),
            ProbeResult::NotChecked { reason } => {
                let known = ["no Ed25519ph", "no other key"].iter().any(|known| reason.contains(known));
                assert!(known, "{}: {reason}", label(probe));
            }
            ProbeResult::Passed | ProbeResult::Evaluated { .. } => {}
        }
    }
    for key in &state.targets[0].keys {
        let proofs = || report.probes.iter().filter(|probe| probe.key == key.name && super::kinds::is_proof(probe));
        let passed = |expected| proofs().any(|p| p.expected == expected && p.result == ProbeResult::Passed);
        assert!(passed(Expectation::Allowed) && passed(Expectation::Refused), "{}", key.name);
    }
    assert!(
        report.probes.iter().any(|p| p.key.as_str().starts_with("ml-dsa-65") && p.scenario.contains("verified here"))
    );
    sandbox.shutdown().await;
}

#[test]
fn kinds_are_told_apart_by_their_keys() {
    let keys = keys();
    let with = |usage| keys.iter().filter(|key| key.usage() == usage).count();
    assert_eq!(with(KeyUsage::SignVerify), 9);
    assert_eq!((with(KeyUsage::EncryptDecrypt), with(KeyUsage::KeyAgreement)), (2, 3));
}
