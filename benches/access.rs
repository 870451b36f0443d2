//! Times decisions on a policy like that of AWS's console, and who-can over an account of many principals and keys.
//!
//! `cargo bench --bench access` takes a hundredth of the account; `WHO_CAN=whole cargo bench --bench access -- none` asks
//! everything once, on two threads, and tells the time and the greatest memory.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use criterion::{Criterion, Throughput, criterion_group};
use keywright::access::{Guardrails, KeyFacts, PrincipalFacts, Request, Unknown, decide, is_allowed, residual};
use keywright::kms::ACTIONS;
use keywright::policy::{PolicyDocument, PrincipalEntry, Statement};
use keywright::review::{Verdict, WhoCan};
use keywright::world::{World, WorldKey, WorldPrincipal};
use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

const ACCOUNT: &str = "111122223333";
const PRINCIPALS: usize = 1_000;
const KEYS: usize = 500;
/// As many as AWS's permissions table has for keys; the others are asked too.
const ACTIONS_ASKED: usize = 44;

fn key_arn(number: usize) -> String {
    format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/00000000-0000-4000-8000-{number:012}")
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn roles(names: &[String]) -> Vec<PrincipalEntry> {
    names.iter().map(|name| PrincipalEntry::Aws(role(name))).collect()
}

/// The policy that the console writes for a key with administrators and users.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
fn console_policy(admins: &[String], users: &[String]) -> PolicyDocument {
    let root = vec![PrincipalEntry::Aws(format!("arn:aws:iam::{ACCOUNT}:root"))];
    let administration = [
        "kms:Create*",
        "kms:Describe*",
        "kms:Enable*",
        "kms:List*",
        "kms:Put*",
        "kms:Update*",
        "kms:Revoke*",
        "kms:Disable*",
        "kms:Get*",
        "kms:Delete*",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:ScheduleKeyDeletion",
        "kms:CancelKeyDeletion",
        "kms:RotateKeyOnDemand",
    ];
    let usage = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"];
    let grants = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"];
    PolicyDocument::new(vec![
        Statement::allow("Enable IAM User Permissions", ["kms:*"]).principals(root),
        Statement::allow("Allow access for Key Administrators", administration).principals(roles(admins)),
        Statement::allow("Allow use of the key", usage).principals(roles(users)),
        Statement::allow("Allow attachment of persistent resources", grants).principals(roles(users)).when(
            "Bool",
            "kms:GrantIsForAWSResource",
            ["true"],
        ),
    ])
}

fn key(number: usize) -> KeyFacts {
    let users: Vec<String> = (0..4).map(|n| format!("app-{}", (number * 7 + n * 131) % PRINCIPALS)).collect();
    let policy = console_policy(&["admin".to_owned()], &users);
    KeyFacts::new(key_arn(number), ACCOUNT.parse().unwrap(), "eu-west-1".parse().unwrap(), policy)
}

/// A role with one identity policy: on one key, and in every tenth case on all of them under a condition.
fn principal(number: usize) -> PrincipalFacts {
    let mut facts = PrincipalFacts::from_arn(&role(&format!("app-{number}")).parse().unwrap());
    let mut statements = vec![
        Statement::allow("Objects", ["s3:GetObject", "s3:PutObject"]).resources(["arn:aws:s3:::data/*"]),
        Statement::allow("Key", ["kms:Decrypt", "kms:GenerateDataKey"]).resources([key_arn(number % KEYS)]),
    ];
    if number.is_multiple_of(10) {
        let through = Statement::allow("All", ["kms:Decrypt", "kms:DescribeKey"]);
        statements.push(through.when("StringEquals", "kms:ViaService", ["s3.eu-west-1.amazonaws.com"]));
    }
    facts.identity_policies = vec![PolicyDocument::new(statements)];
    facts
}

/// All that is asked of a key: every action, by a user of the key, by one whom IAM allows, and by a stranger.
fn questions(key: &KeyFacts) -> Vec<(Request, PrincipalFacts)> {
    let callers = [principal(0), principal(500), principal(3)];
    let requests = ACTIONS.iter().map(|action| {
        let mut request = Request::new(action.full, key.arn.clone(), key.region.clone());
        request.encryption_context.insert("tenant".to_owned(), "acme".to_owned());
        request
    });
    requests.flat_map(|request| callers.clone().map(|caller| (request.clone(), caller))).collect()
}

fn decisions(criterion: &mut Criterion) {
    let key = key(0);
    let questions = questions(&key);
    let rails = Guardrails::default();
    let mut group =
        criterion.benchmark_group("a console policy and one identity policy, every action and three callers");
    group.throughput(Throughput::Elements(questions.len() as u64));
    group.bench_function("decide", |bench| {
        bench.iter(|| {
            for (request, caller) in &questions {
                black_box(decide(black_box(request), caller, Some(&key), &rails));
            }
        });
    });
    group.bench_function("is allowed", |bench| {
        bench.iter(|| {
            for (request, caller) in &questions {
                black_box(is_allowed(black_box(request), caller, Some(&key), &rails));
            }
        });
    });
    group.bench_function("residual", |bench| {
        bench.iter(|| {
            for (request, caller) in &questions {
                let open = Request { unknown: Unknown::Everything, ..request.clone() };
                black_box(residual(black_box(&open), caller, Some(&key), &rails));
            }
        });
    });
    group.finish();
}

fn world(keys: usize) -> World {
    let world_key = |number| WorldKey {
        name: format!("key-{number}"),
        target: "prod".parse().unwrap(),
        facts: key(number),
        loc: None,
        origins: Vec::new(),
    };
    let known = |number| {
        let facts = principal(number);
        WorldPrincipal { name: format!("app-{number}"), facts, trust: None, loc: None }
    };
    World {
        keys: (0..keys).map(world_key).collect(),
        principals: (0..PRINCIPALS).map(known).collect(),
        gaps: Vec::new(),
    }
}

/// Asks who can do each of the actions on some keys; returns how many answers there are: always, sometimes.
fn ask(world: &World, keys: &[WorldKey]) -> (usize, usize) {
    let asking = WhoCan::new(world);
    let (mut always, mut sometimes) = (0, 0);
    for key in keys {
        let open = Request {
            unknown: Unknown::Everything,
            ..Request::new("", key.facts.arn.clone(), key.facts.region.clone())
        };
        for action in ACTIONS.iter().take(ACTIONS_ASKED) {
            for answer in asking.ask(action.full, key, &open) {
                always += usize::from(answer.verdict == Verdict::Always);
                sometimes += usize::from(answer.verdict == Verdict::Sometimes);
            }
        }
    }
    (always, sometimes)
}

fn who_can(criterion: &mut Criterion) {
    let world = world(KEYS / 100);
    let mut group = criterion.benchmark_group("who can: 44 actions, 1,000 principals");
    group.sample_size(10);
    group.throughput(Throughput::Elements((world.keys.len() * PRINCIPALS * ACTIONS_ASKED) as u64));
    group.bench_function("5 keys, one thread", |bench| bench.iter(|| ask(black_box(&world), &world.keys)));
    group.finish();
}

/// Asks everything once, on two threads.
fn whole() {
    let world = world(KEYS);
    let start = Instant::now();
    let counts: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let halves = world.keys.chunks(KEYS.div_ceil(2));
        let threads: Vec<_> = halves.map(|keys| scope.spawn(|| ask(&world, keys))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let took = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned();
    let (always, sometimes) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let mut out = std::io::stdout();
    writeln!(
        out,
        "who can: {ACTIONS_ASKED} actions x {PRINCIPALS} principals x {KEYS} keys: {took:.1} s, at most {peak}; \
         {always} always, {sometimes} sometimes"
    )
    .unwrap();
}

criterion_group!(benches, decisions, who_can);

fn main() {
    benches();
    if std::env::var_os("WHO_CAN").is_some_and(|what| what == "whole") {
        whole();
    }
}
