//! Times what runs without AWS: reading a manifest, deciding a request, comparing policies, planning 200 keys.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../fuzz/hostile.rs"]
mod hostile;

use criterion::{Criterion, criterion_group, criterion_main};
use keywright::access::{self, Guardrails, KeyFacts, PrincipalFacts, Request};
use keywright::desired::{DesiredKey, DesiredState, DesiredTarget};
use keywright::ids::{AliasName, KeyArn, KeyId, PrincipalArn, TargetName};
use keywright::kms::{KeySpec, KeyState, KeyUsage, Origin};
use keywright::live::{
    Backend, Caller, KeyManager, KeyMetadata, LiveKey, LivePolicy, LiveRotation, LiveTarget, Observed,
};
use keywright::manifest;
use keywright::plan::{PlanInput, PlanOptions, Summary, plan};
use keywright::policy::PolicyDocument;
use keywright::source::SourceMap;
use keywright::synth;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;

const KEYS: usize = 200;

fn example() -> SourceMap {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data-classes");
    let mut sources = SourceMap::default();
    for name in ["1-stack.toml", "2-classes.toml", "3-roles.toml", "4-keys.toml"] {
        sources.add(name, std::fs::read_to_string(folder.join(name)).unwrap());
    }
    sources
}

/// A manifest of many keys, each used through S3 and directly.
fn many() -> SourceMap {
    let mut text = r#"
version = 1
stack   = "bench"
id      = "0e6c1c0e-6f4b-4d7e-9d0b-0b8f7f3f5a10"
[target.prod]
account   = "111122223333"
region    = "eu-west-1"
deployers = ["arn:aws:iam::111122223333:role/deployer"]
"#
    .to_owned();
    for index in 0..KEYS {
        write!(
            text,
            r#"
[key.k{index}]
iam_delegation = "root-user"
separation     = "enforced"
services       = ["s3"]
admins         = ["arn:aws:iam::111122223333:role/admin"]
[[key.k{index}.user]]
principal = "arn:aws:iam::111122223333:role/app-{index}"
via       = ["s3"]
[[key.k{index}.user]]
principal = "arn:aws:iam::111122223333:role/export"
can       = ["decrypt"]
context   = {{ tenant = "acme-*" }}
"#
        )
        .unwrap();
    }
    let mut sources = SourceMap::default();
    sources.add("many.toml", text);
    sources
}

fn desired(sources: &SourceMap) -> DesiredState {
    manifest::load(sources).state.unwrap()
}

fn id(index: usize) -> KeyId {
    format!("00000000-0000-4000-8000-{index:012}").parse().unwrap()
}

fn arn(target: &DesiredTarget, index: usize) -> KeyArn {
    KeyArn::new(target.region.partition(), &target.region, &target.account, &id(index))
}

fn live_key(state: &DesiredState, target: &DesiredTarget, key: &DesiredKey, index: usize) -> LiveKey {
    let document = synth::key_policy(target, key);
    LiveKey {
        arn: arn(target, index),
        metadata: Observed::Known(KeyMetadata {
            state: KeyState::Enabled,
            description: String::new(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
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
        }),
        policy: Observed::Known(LivePolicy { text: document.to_compact(), document }),
        tags: Observed::Known(synth::key_tags(state, key)),
        rotation: Observed::Known(LiveRotation::On { days: Some(365) }),
        grants: Observed::Known(Vec::new()),
        rotations: None,
        materials: None,
        last_usage: None,
        ram_policy: None,
    }
}

/// The target as it is after `apply`.
fn live(state: &DesiredState, target: &DesiredTarget) -> LiveTarget {
    let principal: PrincipalArn = "arn:aws:iam::111122223333:role/deployer".parse().unwrap();
    let arn: PrincipalArn = "arn:aws:sts::111122223333:assumed-role/deployer/bench".parse().unwrap();
    let mut aliases: BTreeMap<AliasName, Option<KeyId>> = BTreeMap::new();
    for (index, key) in target.keys.iter().enumerate() {
        let claim = format!("alias/keywright/{}/{}", state.stack, key.name);
        aliases.insert(claim.parse().unwrap(), Some(id(index)));
        aliases.extend(key.aliases.iter().map(|alias| (alias.value.clone(), Some(id(index)))));
    }
    LiveTarget {
        backend: Backend::Sandbox,
        account: target.account.clone(),
        region: target.region.clone(),
        caller: Caller { account: target.account.clone(), arn, principal },
        caller_policies: None,
        keys: target.keys.iter().enumerate().map(|(index, key)| live_key(state, target, key, index)).collect(),
        aliases,
        unreadable: Vec::new(),
        stores: [].into(),
        key_count: None,
    }
}

fn manifests(criterion: &mut Criterion) {
    let (small, large) = (example(), many());
    criterion.bench_function("load the example: 8 keys, 8 roles", |bench| {
        bench.iter(|| manifest::load(black_box(&small)).state.unwrap());
    });
    criterion.bench_function("load 200 keys", |bench| bench.iter(|| manifest::load(black_box(&large)).state.unwrap()));
}

fn decisions(criterion: &mut Criterion) {
    let state = desired(&example());
    let target = state.targets.first().unwrap();
    let key = target.keys.iter().find(|key| key.name.as_str() == "restricted-records").unwrap();
    let key_arn = arn(target, 0).to_string();
    let policy = synth::key_policy(target, key);
    let facts = KeyFacts::new(key_arn.clone(), target.account.clone(), target.region.clone(), policy);
    let who = PrincipalFacts::from_arn(&"arn:aws:iam::111122223333:role/payments-api".parse().unwrap());
    let mut request = Request::new("kms:Decrypt", key_arn, target.region.clone());
    request.encryption_context.insert("tenant".to_owned(), "acme-1".to_owned());
    let guardrails = Guardrails::default();
    criterion.bench_function("decide a request", |bench| {
        bench.iter(|| access::decide(black_box(&request), &who, Some(&facts), &guardrails));
    });
    criterion.bench_function("decide a request, with the trace", |bench| {
        bench.iter(|| access::evaluate(black_box(&request), &who, Some(&facts), &guardrails));
    });
}

/// The key policy that the console makes, and a role whose identity policy it delegates to.
fn console_decision(criterion: &mut Criterion) {
    let text = r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
        {"Sid":"Allow access for Key Administrators","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/admin"},
         "Action":["kms:Create*","kms:Describe*","kms:Enable*","kms:List*","kms:Put*","kms:Update*","kms:Revoke*","kms:Disable*","kms:Get*","kms:Delete*","kms:TagResource","kms:UntagResource","kms:ScheduleKeyDeletion","kms:CancelKeyDeletion","kms:RotateKeyOnDemand"],"Resource":"*"},
        {"Sid":"Allow use of the key","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/app"},
         "Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*"},
        {"Sid":"Allow attachment of persistent resources","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/app"},
         "Action":["kms:CreateGrant","kms:ListGrants","kms:RevokeGrant"],"Resource":"*","Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}}]}"#;
    let iam = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"arn:aws:kms:*:111122223333:key/*"}]}"#;
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let region = || "eu-west-1".parse().unwrap();
    let facts = KeyFacts::new(arn, "111122223333".parse().unwrap(), region(), PolicyDocument::parse(text).unwrap());
    let mut who = PrincipalFacts::from_arn(&"arn:aws:iam::111122223333:role/etl".parse().unwrap());
    who.identity_policies.push(PolicyDocument::parse(iam).unwrap());
    let request = Request::new("kms:Decrypt", arn, region());
    let guardrails = Guardrails::default();
    assert_eq!(access::decide(&request, &who, Some(&facts), &guardrails), access::Decision::Allow);
    criterion.bench_function("decide a request by the console's policy and IAM", |bench| {
        bench.iter(|| access::decide(black_box(&request), &who, Some(&facts), &guardrails));
    });
}

/// 32 KB of wildcards, and worse: none may take a tenth of a second.
fn hostile_policies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hostile");
    group.sample_size(10);
    for hostile in hostile::all() {
        let (key, document, guardrails) = (hostile.key(), hostile.document(), Guardrails::default());
        group.bench_function(format!("decide: {}", hostile.name), |bench| {
            bench.iter(|| access::decide(black_box(&hostile.request), &hostile.principal, Some(&key), &guardrails));
        });
        group.bench_function(format!("normalize: {}", hostile.name), |bench| {
            bench.iter(|| black_box(&document).canonical());
        });
    }
    group.finish();
}

fn policies(criterion: &mut Criterion) {
    let state = desired(&example());
    let target = state.targets.first().unwrap();
    let key = target.keys.iter().find(|key| key.name.as_str() == "restricted-records").unwrap();
    let ours = synth::key_policy(target, key);
    // The same statements in another order, so that texts differ and meaning does not.
    let mut turned = ours.clone();
    turned.statements.reverse();
    assert!(ours != turned && ours.same_permissions(&turned));
    let text = ours.to_compact();
    criterion.bench_function("compare two policies", |bench| {
        bench.iter(|| black_box(&ours).same_permissions(black_box(&turned)));
    });
    criterion.bench_function("parse a policy", |bench| bench.iter(|| PolicyDocument::parse(black_box(&text)).unwrap()));
}

fn plans(criterion: &mut Criterion) {
    let sources = many();
    let state = desired(&sources);
    let target = state.targets.first().unwrap();
    let applied = live(&state, target);
    let empty = LiveTarget { keys: Vec::new(), aliases: BTreeMap::new(), ..applied.clone() };
    let mut group = criterion.benchmark_group("plan 200 keys");
    group.sample_size(10);
    for (name, live, steps) in [("that exist", applied, false), ("that are new", empty, true)] {
        let targets: BTreeMap<TargetName, LiveTarget> = [(target.name.clone(), live)].into();
        let (accounts, claims, options) = (BTreeMap::new(), BTreeMap::new(), PlanOptions::default());
        let input = PlanInput {
            today: jiff::civil::date(2026, 11, 24),
            desired: &state,
            sources: &sources,
            accounts: &accounts,
            targets: &targets,
            claims: &claims,
            options: &options,
        };
        assert_eq!(Summary::of(&plan(input)).steps > 0, steps, "{name}");
        group.bench_function(name, |bench| bench.iter(|| plan(black_box(input))));
    }
    group.finish();
}

criterion_group!(benches, manifests, decisions, console_decision, policies, hostile_policies, plans);
criterion_main!(benches);
