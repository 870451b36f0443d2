//! Answers agree with the evaluator over a small universe of calls, and name whom a key names.

use super::super::matrix;
use super::*;
use crate::access::{GrantConstraints, GrantFacts, Grantee, Knowledge, PrincipalType, Unknown, decide};
use crate::manifest;
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use crate::source::SourceMap;
use crate::world::of_manifest;
use proptest::prelude::*;
use proptest::sample::select;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
const APP: &str = "arn:aws:iam::111122223333:role/App";
const S3: &str = "s3.eu-west-1.amazonaws.com";
const EC2: &str = "ec2.eu-west-1.amazonaws.com";

fn aws(text: &str) -> Vec<PrincipalEntry> {
    vec![PrincipalEntry::Aws(text.to_owned())]
}

fn everyone() -> Vec<PrincipalEntry> {
    vec![PrincipalEntry::Everyone]
}

fn app(knowledge: Knowledge, policies: Vec<Statement>) -> WorldPrincipal {
    let mut facts = PrincipalFacts::from_arn(&APP.parse().unwrap());
    facts.knowledge = knowledge;
    facts.identity_policies = vec![PolicyDocument::new(policies)];
    WorldPrincipal { name: "app".to_owned(), facts, trust: None, loc: None }
}

fn world(statements: Vec<Statement>, principals: Vec<WorldPrincipal>) -> World {
    let facts = KeyFacts::new(
        KEY,
        "111122223333".parse().unwrap(),
        "eu-west-1".parse().unwrap(),
        PolicyDocument::new(statements),
    );
    let (name, target) = ("data".to_owned(), "prod".parse().unwrap());
    World { keys: vec![WorldKey { name, target, facts, loc: None, origins: Vec::new() }], principals, gaps: Vec::new() }
}

fn open() -> Request {
    Request { unknown: Unknown::Everything, ..Request::new("", "", "eu-west-1".parse().unwrap()) }
}

/// Who can, with verdict and conditions, a line each.
fn lines(world: &World, action: &str) -> Vec<String> {
    let (asking, key) = (WhoCan::new(world), &world.keys[0]);
    let line = |answer: &Answer| {
        let ways: Vec<String> = asking.conditions(answer, key).iter().map(|way| way.join(" and ")).collect();
        let verdict = match &answer.verdict {
            Verdict::Undetermined(_) => "Undetermined".to_owned(),
            Verdict::Always | Verdict::Sometimes | Verdict::Never => format!("{:?}", answer.verdict),
        };
        format!("{} {verdict}: {}", answer.principal, ways.join("; ")).trim_end_matches(": ").to_owned()
    };
    asking.ask(action, key, &open()).iter().map(line).collect()
}

#[test]
fn principals_of_the_world_come_with_their_conditions() {
    let via =
        Statement::allow("Use", ["kms:Decrypt"]).principals(aws(APP)).when("StringEquals", "kms:ViaService", [S3]);
    let mut statements = vec![via];
    let found = |statements: &[Statement]| {
        lines(&world(statements.to_vec(), vec![app(Knowledge::Whole, Vec::new())]), "kms:Decrypt")
    };
    assert_eq!(found(&statements), ["app Sometimes: only through s3"]);
    statements.push(Statement::deny("Tls", ["*"]).principals(everyone()).when(
        "Bool",
        "aws:SecureTransport",
        ["false"],
    ));
    assert_eq!(found(&statements), ["app Sometimes: only through s3"]);
    let mfa = Statement::deny("Mfa", ["*"]).principals(everyone());
    statements.push(mfa.when("BoolIfExists", "aws:MultiFactorAuthPresent", ["false"]));
    assert_eq!(
        found(&statements),
        ["app Sometimes: only through s3 and except when aws:MultiFactorAuthPresent, if any, is false"]
    );
    let only = Statement::deny("Ec2", ["*"]).principals(everyone()).when("StringNotEquals", "kms:ViaService", [EC2]);
    statements.push(only);
    assert_eq!(found(&statements), [""; 0]);
    assert_eq!(lines(&world(statements, Vec::new()), "kms:Encrypt"), [""; 0]);
}

#[test]
fn denies_that_no_way_meets_are_not_told() {
    let via =
        Statement::allow("Use", ["kms:Decrypt"]).principals(aws(APP)).when("StringEquals", "kms:ViaService", [S3]);
    let fence = Statement::deny("F", ["*"]).principals(everyone()).when("StringNotEquals", "kms:ViaService", [S3, EC2]);
    let world = world(vec![via, fence], vec![app(Knowledge::Whole, Vec::new())]);
    let answer = can(&world, &world.principals[0], "Decrypt", &world.keys[0], &open());
    assert_eq!((answer.verdict, answer.residual.denies.len()), (Verdict::Sometimes, 0));
}

#[test]
fn what_only_iam_can_allow_is_open_where_iam_was_not_read() {
    let delegation = vec![Statement::allow("Iam", ["kms:*"]).principals(aws("111122223333"))];
    let known = world(delegation.clone(), vec![app(Knowledge::Whole, Vec::new())]);
    let through = ["account:111122223333 through IAM Always", "root user of 111122223333 Always"];
    let mut found = lines(&known, "kms:Decrypt");
    found.sort();
    assert_eq!(found, through);
    let unread = world(delegation, vec![app(Knowledge::NameOnly, Vec::new())]);
    assert!(lines(&unread, "kms:Decrypt").contains(&"app Undetermined".to_owned()));
    let allows = vec![Statement::allow("Use", ["kms:Decrypt"])];
    let allowed = world(unread.keys[0].facts.policy.statements.clone(), vec![app(Knowledge::Whole, allows)]);
    assert!(lines(&allowed, "kms:Decrypt").contains(&"app Always".to_owned()));
}

#[test]
fn whom_only_the_key_names_is_named_too() {
    let service = vec![PrincipalEntry::Service("logs.eu-west-1.amazonaws.com".to_owned())];
    let of_organization = Statement::allow("Org", ["kms:Decrypt"]).principals(everyone());
    let of_organization = of_organization.when("StringEquals", "aws:PrincipalOrgID", ["o-1"]);
    let of_account = Statement::allow("Managed", ["kms:Decrypt"]).principals(everyone());
    let of_account = of_account.when("StringEquals", "kms:CallerAccount", ["111122223333"]);
    let of_account = of_account.when("StringEquals", "kms:ViaService", [S3]);
    let far = "arn:aws:iam::444455556666:role/Ext";
    let statements = vec![
        Statement::allow("Logs", ["kms:Decrypt"]).principals(service).when(
            "ArnLike",
            "aws:SourceArn",
            ["arn:aws:logs:*"],
        ),
        of_organization.when("StringNotEquals", "aws:PrincipalAccount", ["111122223333"]),
        of_account,
        Statement::allow("Far", ["kms:Decrypt", "kms:DisableKey"]).principals(aws(far)),
        Statement::allow("Gone", ["kms:Decrypt"]).principals(aws("AROAEXAMPLE")),
        Statement::allow("Iam", ["kms:Decrypt"]).principals(aws("arn:aws:iam::444455556666:root")),
    ];
    let world = world(statements, Vec::new());
    assert_eq!(
        lines(&world, "kms:Decrypt"),
        [
            "arn:aws:iam::444455556666:role/Ext Undetermined",
            "logs.eu-west-1.amazonaws.com Sometimes: only on behalf of arn:aws:logs:*",
            "root user of 111122223333 Sometimes: only through s3",
            "everyone in account 111122223333 Sometimes: only through s3",
            "root user of 444455556666 Always",
            "account:444455556666 through IAM Always",
            "org:o-1 Sometimes: only from other accounts than 111122223333",
        ]
    );
    assert_eq!(lines(&world, "kms:DisableKey"), [""; 0]);
}

#[test]
fn grantees_are_named_with_their_constraints() {
    let mut world = world(Vec::new(), Vec::new());
    world.keys[0].facts.grants = vec![GrantFacts {
        grant_id: "g1".to_owned(),
        issuing_account: "111122223333".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        grantee: Grantee::Principal(APP.to_owned()),
        retiring: None,
        constraints: GrantConstraints {
            encryption_context_equals: Some([("app".to_owned(), "x".to_owned())].into()),
            ..GrantConstraints::default()
        },
    }];
    assert_eq!(
        lines(&world, "kms:Decrypt"),
        [format!("{APP} Sometimes: only with app = x and only with no other context keys than app")]
    );
}

#[test]
fn names_that_several_have_get_their_arns() {
    let far = "arn:aws:iam::444455556666:role/App";
    let mut other = app(Knowledge::Whole, vec![Statement::allow("Use", ["kms:*"])]);
    other.facts = PrincipalFacts {
        identity_policies: other.facts.identity_policies,
        ..PrincipalFacts::from_arn(&far.parse().unwrap())
    };
    let allow = Statement::allow("Use", ["kms:Decrypt"]).principals([aws(APP), aws(far)].concat());
    let world = world(vec![allow], vec![app(Knowledge::Whole, Vec::new()), other]);
    assert_eq!(lines(&world, "kms:Decrypt"), [format!("app ({APP}) Always"), format!("app ({far}) Always")]);
}

#[test]
fn the_matrix_names_capabilities_and_single_actions() {
    let crypto = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"];
    let direct = Statement::allow("Use", crypto).principals(aws(APP));
    let via = Statement::allow("Via", ["kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant"]).principals(aws(APP));
    let via = via.when("StringEquals", "kms:ViaService", [S3]);
    let world = world(vec![direct, via], vec![app(Knowledge::Whole, Vec::new())]);
    let found = matrix::matrix(&world, &world.keys);
    let texts: Vec<String> = found
        .iter()
        .map(|row| format!("{} {} {:?}: {}", row.principal, row.capability, row.verdict, row.conditions.join(" and ")))
        .collect();
    assert_eq!(
        texts,
        [
            "app encrypt Always: ",
            "app decrypt Always: ",
            "app GenerateDataKey Always: ",
            "app CreateGrant, GenerateDataKeyWithoutPlaintext Sometimes: only through s3",
        ]
    );
    assert_eq!(found[3].sources.iter().map(|source| source.id.as_deref()).collect::<Vec<_>>(), [Some("Via")]);
}

#[test]
fn the_example_answers_for_each_of_its_keys() {
    let mut sources = SourceMap::default();
    for entry in std::fs::read_dir("examples/data-classes").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            sources.add(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap());
        }
    }
    let state = manifest::load(&sources).state.unwrap();
    let world = of_manifest(&state);
    let key = world.keys.iter().find(|key| key.name == "restricted-records").unwrap();
    let rows = matrix::matrix(&world, [key]);
    let texts: Vec<String> = rows
        .iter()
        .map(|row| {
            let verdict = match &row.verdict {
                Verdict::Undetermined(_) => "?",
                Verdict::Always => "always",
                Verdict::Sometimes => "sometimes",
                Verdict::Never => "never",
            };
            let sources: Vec<&str> = row.sources.iter().filter_map(|source| source.id.as_deref()).collect();
            let conditions = row.conditions.join(" and ");
            format!("{} | {} | {verdict} | {conditions} | {}", row.principal, row.capability, sources.join(", "))
        })
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

fn condition() -> impl Strategy<Value = (&'static str, &'static str, Vec<&'static str>)> {
    let via = (
        select(vec!["StringEquals", "StringNotEquals", "StringLike", "StringNotLikeIfExists", "StringEqualsIfExists"]),
        Just("kms:ViaService"),
        prop::collection::vec(select(vec![S3, EC2, "*.amazonaws.com", "s3.*"]), 1..3),
    );
    let pair = (
        select(vec!["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"]),
        Just("kms:EncryptionContext:app"),
        prop::collection::vec(select(vec!["x", "y", "*", "x*"]), 1..3),
    );
    let exists = (
        Just("Null"),
        select(vec!["kms:ViaService", "kms:EncryptionContext:app"]),
        select(vec!["true", "false"]).prop_map(|word| vec![word]),
    );
    prop_oneof![3 => via, 3 => pair, 1 => exists]
}

fn statement() -> impl Strategy<Value = Statement> {
    let entries = prop_oneof![2 => Just(aws(APP)), 1 => Just(aws("111122223333")), 1 => Just(everyone())];
    (prop::bool::weighted(0.7), entries, prop::collection::vec(condition(), 0..3)).prop_map(
        |(allow, entries, conditions)| {
            let new = if allow { Statement::allow("S", ["kms:Decrypt"]) } else { Statement::deny("S", ["kms:*"]) };
            let add = |statement: Statement, (operator, key, values)| Statement::when(statement, operator, key, values);
            conditions.into_iter().fold(new.principals(entries), add)
        },
    )
}

/// Every call of a small universe.
fn universe() -> Vec<Request> {
    let mut all = Vec::new();
    for via in [None, Some(S3), Some(EC2), Some("logs.amazonaws.com")] {
        for pair in [None, Some("x"), Some("y"), Some("xy")] {
            let mut request = Request::new("kms:Decrypt", KEY, "eu-west-1".parse().unwrap());
            request.via_service = via.map(str::to_owned);
            request.encryption_context = pair.map(|value| ("app".to_owned(), value.to_owned())).into_iter().collect();
            all.push(request);
        }
    }
    all
}

/// Returns a key that says of the app what a residual says.
fn as_policy(residual: &Residual, key: &KeyFacts) -> KeyFacts {
    let allows = residual.ways.iter().map(|way| {
        let mut statement = Statement::allow("Way", ["*"]).principals(aws(APP));
        statement.conditions = way.conditions().into_iter().cloned().collect();
        statement
    });
    let denies = residual.denies.iter().map(|deny| {
        let mut statement = Statement::deny("Deny", ["*"]).principals(everyone());
        statement.conditions.clone_from(&deny.conditions);
        statement
    });
    KeyFacts { policy: PolicyDocument::new(allows.chain(denies).collect()), ..key.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn answers_agree_with_every_call(
        statements in prop::collection::vec(statement(), 1..5), iam in prop::collection::vec(statement(), 0..3),
    ) {
        let world = world(statements, vec![app(Knowledge::Whole, iam)]);
        let (principal, key) = (&world.principals[0], &world.keys[0]);
        let answer = can(&world, principal, "kms:Decrypt", key, &open());
        let said = as_policy(&answer.residual, &key.facts);
        let plain = PrincipalFacts::from_arn(&APP.parse().unwrap());
        let rails = Guardrails::default();
        for request in universe() {
            let allowed = decide(&request, &principal.facts, Some(&key.facts), &rails) == Decision::Allow;
            match answer.verdict {
                Verdict::Always => prop_assert!(allowed, "{:#?}", answer),
                Verdict::Never => prop_assert!(!allowed, "{:#?}", answer),
                Verdict::Sometimes => {
                    let again = decide(&request, &plain, Some(&said), &rails) == Decision::Allow;
                    prop_assert_eq!(allowed, again, "{:#?} {:#?}", request, answer);
                }
                Verdict::Undetermined(_) => prop_assert!(false, "{:#?}", answer),
            }
        }
    }

    /// Whoever nothing names stands for somebody: if nothing is said of anybody, then nobody is allowed.
    #[test]
    fn whom_nothing_names_is_answered_for(statements in prop::collection::vec(statement(), 1..5)) {
        let world = world(statements, Vec::new());
        let answers = who_can(&world, "kms:Decrypt", &world.keys[0], &open());
        let mut somebody = PrincipalFacts::from_arn(&"arn:aws:iam::111122223333:role/Other".parse().unwrap());
        somebody.identity_policies = vec![PolicyDocument::new(vec![Statement::allow("All", ["*"])])];
        let far = PrincipalFacts {
            identity_policies: somebody.identity_policies.clone(),
            ..PrincipalFacts::from_arn(&"arn:aws:iam::444455556666:role/Other".parse().unwrap())
        };
        let key = &world.keys[0].facts;
        let can = |facts: &PrincipalFacts| universe().iter().any(|request| {
            decide(request, facts, Some(key), &Guardrails::default()) == Decision::Allow
        });
        let said = |name: &str| answers.iter().any(|answer| answer.principal == name);
        let own = said("everyone in account 111122223333") || said("account:111122223333 through IAM");
        prop_assert!(!can(&somebody) || own, "{:#?}", answers);
        prop_assert!(!can(&far) || said("everyone"), "{:#?}", answers);
        prop_assert!(somebody.kind == PrincipalType::Role);
    }
}
