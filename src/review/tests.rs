//! What reviews say about synthesised policies, checked against the evaluator.

use super::*;
use crate::access::{
    CreateGrantRequest, GrantConstraints, Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request, evaluate,
};
use crate::desired::{Delegation, DesiredKey, KeyAdmin, Separation};
use crate::kms::Capability;
use crate::policy::{Condition, PolicyDocument, PrincipalEntry, Principals, Statement};
use crate::services::Service;
use crate::synth::key_policy;
use crate::synth::sample::{account, direct, key, restricted, role, role_arn, sso, target, user, via};
use proptest::prelude::*;
use std::collections::BTreeMap;

const KEY_ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn facts(policy: PolicyDocument) -> KeyFacts {
    KeyFacts {
        arn: KEY_ARN.to_owned(),
        account: account(),
        region: "eu-west-1".parse().unwrap(),
        policy,
        ram_policy: None,
        grants: Vec::new(),
        aliases: Vec::new(),
        tags: BTreeMap::new(),
        multi_region: false,
        multi_region_key_type: None,
        key_spec: "SYMMETRIC_DEFAULT".to_owned(),
        key_usage: "ENCRYPT_DECRYPT".to_owned(),
        key_origin: "AWS_KMS".to_owned(),
        aws_managed: false,
        org_id: None,
    }
}

fn wanted(key: DesiredKey) -> KeyFacts {
    let target = target("prod", "eu-west-1", vec![key]);
    facts(key_policy(&target, &target.keys[0]))
}

fn caller(name: &str) -> PrincipalFacts {
    let arn = role_arn(name).to_string();
    let mut facts = PrincipalFacts::new(PrincipalType::Role, arn.clone(), Some(account()));
    facts.role_arn = Some(arn);
    facts
}

fn with_iam(name: &str) -> PrincipalFacts {
    let identity_policies = vec![PolicyDocument::new(vec![Statement::allow("All", ["*"])])];
    PrincipalFacts { identity_policies, ..caller(name) }
}

fn call(action: &str) -> Request {
    Request::new(action, KEY_ARN, "eu-west-1".parse().unwrap())
}

fn tenant(action: &str, value: &str) -> Request {
    let encryption_context = BTreeMap::from([("tenant".to_owned(), value.to_owned())]);
    Request { encryption_context, ..call(action) }
}

fn through(service: &str, request: Request) -> Request {
    Request { via_service: Some(format!("{service}.eu-west-1.amazonaws.com")), ..request }
}

fn allowed(key: &KeyFacts, who: &PrincipalFacts, request: &Request) -> bool {
    evaluate(request, who, Some(key), &Guardrails::default()).is_allowed()
}

// ---- what synthesised policies allow ---------------------------------------------------------------------

#[test]
fn a_user_with_a_context_decrypts_with_it_alone() {
    let (key, reporting) = (wanted(restricted()), caller("reporting"));
    assert!(allowed(&key, &reporting, &tenant("kms:Decrypt", "acme-eu")));
    assert!(!allowed(&key, &reporting, &tenant("kms:Decrypt", "blue")));
    assert!(!allowed(&key, &reporting, &call("kms:Decrypt")));
    assert!(allowed(&key, &reporting, &call("kms:DescribeKey")));
    assert!(!allowed(&key, &reporting, &tenant("kms:Encrypt", "acme-eu")));
}

#[test]
fn a_user_through_a_service_never_calls_directly() {
    let (key, api) = (wanted(restricted()), caller("api"));
    for action in ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"] {
        assert!(allowed(&key, &api, &through("dynamodb", call(action))), "{action}");
        assert!(!allowed(&key, &api, &through("s3", call(action))), "{action}");
        assert!(!allowed(&key, &api, &tenant(action, "acme-eu")), "{action}");
    }
    let grant = through("dynamodb", call("kms:CreateGrant"));
    assert!(allowed(&key, &api, &Request { grant_is_for_aws_resource: Some(true), ..grant.clone() }));
    assert!(!allowed(&key, &api, &Request { grant_is_for_aws_resource: Some(false), ..grant }));
}

#[test]
fn enforced_separation_holds_against_delegation() {
    let delegated = DesiredKey {
        delegation: Delegation::Account,
        required_context: std::collections::BTreeSet::new(),
        ..restricted()
    };
    let (enforced, admin) = (wanted(delegated.clone()), with_iam("key-admin"));
    let advised = wanted(DesiredKey { separation: Separation::Advised, ..delegated });
    assert!(allowed(&advised, &admin, &call("kms:Decrypt")));
    assert!(!allowed(&enforced, &admin, &call("kms:Decrypt")));
    assert!(!allowed(&enforced, &admin, &call("kms:CreateGrant")));
    assert!(allowed(&enforced, &admin, &call("kms:PutKeyPolicy")));
    assert!(allowed(&enforced, &with_iam("anybody"), &call("kms:Decrypt")));
}

#[test]
fn required_context_holds_against_delegation() {
    let key = wanted(DesiredKey { delegation: Delegation::Account, ..restricted() });
    let anybody = with_iam("anybody");
    assert!(!allowed(&key, &anybody, &call("kms:Encrypt")));
    assert!(allowed(&key, &anybody, &tenant("kms:Encrypt", "any")));
    assert!(allowed(&key, &anybody, &through("s3", call("kms:Encrypt"))));
    assert!(allowed(&key, &anybody, &call("kms:DescribeKey")));
}

#[test]
fn reserved_tags_are_the_deployers() {
    let key = wanted(restricted());
    let tagging = |tag: &str| {
        let mut request = call("kms:TagResource");
        let keys = crate::access::ContextValue::Many(vec![tag.to_owned()]);
        request.context.insert("aws:TagKeys".to_owned(), Some(keys));
        request
    };
    assert!(allowed(&key, &caller("keywright-deployer"), &tagging("keywright:key")));
    assert!(!allowed(&key, &caller("key-admin"), &tagging("keywright:key")));
    assert!(allowed(&key, &caller("key-admin"), &tagging("team")));
}

#[test]
fn the_root_user_alone_recovers() {
    let key = wanted(DesiredKey { delegation: Delegation::RootUser, ..restricted() });
    let root = PrincipalFacts::new(PrincipalType::Root, "arn:aws:iam::111122223333:root", Some(account()));
    assert!(allowed(&key, &root, &call("kms:PutKeyPolicy")));
    assert!(!allowed(&key, &root, &tenant("kms:Decrypt", "acme")));
    assert!(!allowed(&key, &with_iam("anybody"), &call("kms:PutKeyPolicy")));
}

// ---- lock-out --------------------------------------------------------------------------------------------

#[test]
fn synthesised_policies_keep_a_way_in() {
    let key = wanted(restricted());
    let admins = [candidate("key-admin"), candidate("security-admin")];
    assert_eq!(keeps_a_way_in(&key, Some(&candidate("keywright-deployer")), &admins), Ok(()));
    assert_eq!(keeps_a_way_in(&key, None, &admins), Ok(()));
    let stranger = keeps_a_way_in(&key, Some(&candidate("stranger")), &[candidate("reporting")]).unwrap_err();
    assert!(matches!(stranger.missing[..], [MissingWay::Caller(_), MissingWay::Administrators(_)]));
}

fn candidate(name: &str) -> Candidate {
    Candidate { name: name.to_owned(), standing: Standing::Here(Box::new(caller(name))) }
}

/// Returns why somebody could not change the policy of a key with some statements.
fn why(statements: Vec<Statement>, who: PrincipalFacts) -> Option<WhyNot> {
    let who = Candidate { name: "who".to_owned(), standing: Standing::Here(Box::new(who)) };
    no_way(&facts(PolicyDocument::new(statements)), &who).map(|way| way.why)
}

#[test]
fn a_way_in_is_certain_or_none() {
    let put = |sid: &str| Statement::allow(sid, ["kms:Put*"]);
    let named = || put("Named").principals(vec![PrincipalEntry::Aws(role_arn("admin").to_string())]);
    let account = || put("Iam").principals(vec![PrincipalEntry::Aws(format!("arn:aws:iam::{}:root", account()))]);
    let pattern = |pattern: &str| {
        put("Pattern").principals(vec![PrincipalEntry::Everyone]).when("ArnLike", "aws:PrincipalArn", [pattern])
    };
    let deny = Statement::deny("Freeze", ["kms:*"]).principals(vec![PrincipalEntry::Everyone]);
    let bounded = |action: &str| {
        let boundary = Some(PolicyDocument::new(vec![Statement::allow("B", [action])]));
        PrincipalFacts { permissions_boundary: boundary, ..caller("admin") }
    };
    let iam = |statement: Statement| PrincipalFacts {
        identity_policies: vec![PolicyDocument::new(vec![statement])],
        ..caller("admin")
    };
    type Case = (Vec<Statement>, PrincipalFacts, Option<&'static str>);
    let cases: Vec<Case> = vec![
        (vec![named()], caller("admin"), None),
        (vec![named()], caller("other"), Some("no statement of the key policy allows")),
        (vec![named(), deny], caller("admin"), Some("the statement `Freeze` of the key policy denies")),
        (vec![pattern("arn:aws:iam::111122223333:role/adm*")], caller("admin"), None),
        (vec![pattern("arn:aws:iam::111122223333:role/x*")], caller("admin"), Some("no statement")),
        (vec![named()], bounded("kms:*"), None),
        (vec![named()], bounded("s3:*"), Some("the permissions boundary of role/admin does not allow")),
        (vec![account()], with_iam("admin"), None),
        (vec![account()], caller("admin"), Some("no identity policy of role/admin allows")),
        (
            vec![account()],
            iam(Statement::allow("A", ["kms:*"]).resources(["arn:aws:kms:*:*:key/other"])),
            Some("no identity"),
        ),
        (vec![named()], iam(Statement::deny("No", ["kms:Put*"])), Some("the statement `No` of its identity policies")),
        // Where a call comes from, and through whom, is not known beforehand.
        (vec![named().when("IpAddress", "aws:SourceIp", ["10.0.0.0/8"])], caller("admin"), Some("condition keys")),
        (vec![named().when("StringEquals", "kms:ViaService", ["x"])], caller("admin"), Some("condition keys")),
        (
            vec![
                named(),
                Statement::deny("Net", ["kms:*"]).principals(vec![PrincipalEntry::Everyone]).when(
                    "NotIpAddress",
                    "aws:SourceIp",
                    ["10.0.0.0/8"],
                ),
            ],
            caller("admin"),
            Some("condition keys"),
        ),
        // keywright keeps KMS's own check.
        (
            vec![
                named(),
                Statement::deny("Check", ["kms:*"]).principals(vec![PrincipalEntry::Everyone]).when(
                    "Bool",
                    "kms:BypassPolicyLockoutSafetyCheck",
                    ["true"],
                ),
            ],
            caller("admin"),
            None,
        ),
        // The root user's way back is none of the administrators'.
        (
            vec![account().when("StringEquals", "aws:PrincipalType", ["Account"])],
            with_iam("admin"),
            Some("no statement"),
        ),
    ];
    for (number, (statements, who, expected)) in cases.into_iter().enumerate() {
        let found = why(statements, who).map(|why| why.to_string());
        assert_eq!(found.is_some(), expected.is_some(), "{number}: {found:?}");
        assert!(found.as_deref().unwrap_or_default().contains(expected.unwrap_or_default()), "{number}: {found:?}");
    }
}

#[test]
fn nobody_keeps_a_way_in_by_not_being_there() {
    let key = wanted(restricted());
    let gone = Candidate { name: "key-admin".to_owned(), standing: Standing::Absent };
    let unread = Standing::BoundaryUnread { boundary: "arn:aws:iam::111122223333:policy/b".to_owned() };
    let limited = Candidate { name: "security-admin".to_owned(), standing: unread };
    let admins = [gone.clone(), limited];
    let locked = keeps_a_way_in(&key, None, &admins).unwrap_err();
    let [MissingWay::Administrators(ways)] = &locked.missing[..] else { panic!("{locked:?}") };
    assert_eq!(ways[0].to_string(), "`key-admin` (it does not exist at that point)");
    assert!(ways[1].to_string().contains("policy/b` could not be read"));
    assert!(keeps_a_way_in(&key, None, &[]).is_err());
    assert_eq!(keeps_a_way_in(&key, None, &[gone, candidate("security-admin")]), Ok(()));
}

// ---- what a change gives and takes -----------------------------------------------------------------------

fn names() -> BTreeMap<String, String> {
    [
        "reporting",
        "api",
        "key-admin",
        "security-admin",
        "keywright-deployer",
        "compliance",
        "key-deleter",
        "pr-planner",
        "batch",
    ]
    .map(|name| (role_arn(name).to_string(), name.to_owned()))
    .into()
}

fn change(before: Option<&KeyFacts>, after: &KeyFacts) -> AccessChange {
    access_change(ReviewInput { key: &"ledger".parse().unwrap(), before, after, names: &names() })
}

fn said(lines: &[AccessLine]) -> Vec<String> {
    let text = |line: &AccessLine| {
        let parts: Vec<&str> =
            [line.capability.as_str()].into_iter().chain(line.conditions.iter().map(String::as_str)).collect();
        format!("{} {} [{:?}]", line.principal, parts.join(", "), line.risk)
    };
    lines.iter().map(text).collect()
}

#[test]
fn a_new_key_gives_all_that_it_allows() {
    let change = change(None, &wanted(restricted()));
    insta::assert_json_snapshot!(said(&change.gains));
    assert!(change.losses.is_empty());
    let unproved: Vec<String> =
        said(&change.gains.into_iter().filter(|line| line.witness.is_none()).collect::<Vec<_>>());
    assert!(unproved.is_empty(), "{unproved:?}");
}

fn with_users(users: Vec<crate::desired::DesiredUser>) -> KeyFacts {
    wanted(DesiredKey { users, required_context: std::collections::BTreeSet::new(), ..restricted() })
}

fn decrypting(context: &[(&str, &[&str])]) -> KeyFacts {
    with_users(vec![user(role("reporting"), &[Capability::Decrypt], direct(context))])
}

#[test]
fn a_user_gains_under_conditions() {
    let change = change(Some(&with_users(Vec::new())), &decrypting(&[("tenant", &["acme-*", "blue"])]));
    assert_eq!(said(&change.gains), ["reporting decrypt, only with tenant = acme-* or blue [Decrypt]"]);
    assert!(change.losses.is_empty());
    let witness = change.gains[0].witness.clone().unwrap();
    assert_eq!(witness.context["kms:EncryptionContext:tenant"], "acme-x");
}

#[test]
fn only_the_new_value_is_a_gain() {
    let (one, two) = (decrypting(&[("tenant", &["acme-*"])]), decrypting(&[("tenant", &["acme-*", "blue"])]));
    let wider = change(Some(&one), &two);
    assert_eq!(said(&wider.gains), ["reporting decrypt, only with tenant = blue [Decrypt]"]);
    assert!(wider.losses.is_empty());
    let narrower = change(Some(&two), &one);
    assert!(narrower.gains.is_empty());
    assert_eq!(said(&narrower.losses), ["reporting decrypt, only with tenant = blue [Decrypt]"]);
}

#[test]
fn a_new_condition_is_a_loss_with_what_remains() {
    let change = change(Some(&decrypting(&[])), &decrypting(&[("tenant", &["acme"])]));
    assert!(change.gains.is_empty(), "{:?}", said(&change.gains));
    assert_eq!(said(&change.losses), ["reporting decrypt, now only with tenant = acme [Decrypt]"]);
}

#[test]
fn a_removed_deny_that_mattered_is_a_gain() {
    let enforced = DesiredKey {
        users: vec![user(role("key-admin"), &[Capability::Decrypt], direct(&[]))],
        required_context: std::collections::BTreeSet::new(),
        ..restricted()
    };
    let advised = DesiredKey { separation: Separation::Advised, ..enforced.clone() };
    let change = change(Some(&wanted(enforced)), &wanted(advised));
    assert_eq!(said(&change.gains), ["key-admin decrypt [Decrypt]"]);
    assert!(change.gains[0].witness.is_some());
    assert!(change.losses.is_empty());
}

#[test]
fn an_admin_who_becomes_an_auditor_loses_administration_alone() {
    let before = wanted(key("k"));
    let after = wanted(DesiredKey {
        admins: vec![KeyAdmin(role("security-admin"))],
        auditors: vec![role("key-admin")],
        ..key("k")
    });
    let change = change(Some(&before), &after);
    assert_eq!(said(&change.losses), ["key-admin administer [Escalation]"]);
    assert!(!change.losses[0].actions.contains("kms:DescribeKey"));
    assert_eq!(said(&change.gains), ["security-admin administer [Escalation]"]);
}

#[test]
fn delegation_is_one_principal() {
    let strict = DesiredKey { delegation: Delegation::None, ..key("k") };
    let change = change(Some(&wanted(strict)), &wanted(key("k")));
    assert_eq!(said(&change.gains), ["account:111122223333 through IAM everything [Escalation]"]);
    assert!(change.gains[0].witness.is_some() && change.losses.is_empty());
}

#[test]
fn services_and_permission_sets_have_their_names() {
    let through = user(sso("Analyst"), &[Capability::Decrypt], via(&[Service::S3]));
    let change = change(Some(&with_users(Vec::new())), &with_users(vec![through]));
    assert_eq!(
        said(&change.gains),
        ["sso:Analyst decrypt, only through s3 [Decrypt]", "sso:Analyst describe, only through s3 [Routine]"]
    );
    assert!(change.gains.iter().all(|line| line.witness.is_some()));
}

#[test]
fn everybody_is_public_and_strangers_are_foreign() {
    let open = |entry: PrincipalEntry| {
        facts(PolicyDocument::new(vec![Statement::allow("Open", ["kms:Encrypt"]).principals(vec![entry])]))
    };
    let none = facts(PolicyDocument::new(Vec::new()));
    let everyone = change(Some(&none), &open(PrincipalEntry::Everyone));
    assert_eq!(said(&everyone.gains), ["everyone encrypt [Public]"]);
    let foreign = change(Some(&none), &open(PrincipalEntry::Aws("444455556666".to_owned())));
    assert_eq!(said(&foreign.gains), ["account:444455556666 through IAM encrypt [CrossAccount]"]);
    assert!(everyone.gains[0].witness.is_some() && foreign.gains[0].witness.is_some());
}

#[test]
fn wording_alone_is_no_change() {
    let allow = |sid: &str, actions: &[&str], who: &[&str]| {
        let entries = who.iter().map(|arn| PrincipalEntry::Aws((*arn).to_owned())).collect();
        Statement::allow(sid, actions.iter().copied()).principals(entries)
    };
    let (a, b) = ("arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b");
    let root = ["111122223333", "arn:aws:iam::111122223333:root"];
    let like = |s: Statement, values: &[&str]| s.when("StringLike", "kms:EncryptionContext:t", values.iter().copied());
    let one = facts(PolicyDocument::new(vec![
        allow("Both", &["kms:Encrypt", "kms:Decrypt"], &[a, b]),
        allow("Iam", &["kms:*"], &root[..1]),
        like(allow("Like", &["kms:ReEncryptTo"], &[a]), &["x*", "y"]),
    ]));
    let other = facts(PolicyDocument::new(vec![
        allow("Iam", &["KMS:*"], &root[1..]),
        allow("A", &["kms:encrypt"], &[b, a]),
        allow("B", &["kms:Decrypt"], &[a]),
        allow("C", &["kms:Decrypt"], &[b, b]),
        like(allow("X", &["kms:ReEncryptTo"], &[a]), &["x*", "xy*"]),
        allow("Y", &["kms:ReEncryptTo"], &[a]).when("StringEquals", "KMS:EncryptionContext:T", ["y"]),
    ]));
    let there = change(Some(&one), &other);
    assert_eq!((said(&there.gains), said(&there.losses)), (vec![], vec![]));
    assert_eq!(change(Some(&other), &one).gains, Vec::new());
}

// ---- what holds for all policies -------------------------------------------------------------------------

const PEOPLE: [&str; 3] = ["a", "b", "c"];
const ACTIONS: [&str; 5] = ["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:PutKeyPolicy", "kms:GenerateDataKey"];

fn any_condition() -> impl Strategy<Value = Condition> {
    let condition = |operator: &str, key: &str, values: Vec<&str>| {
        Statement::allow("", ["x"]).when(operator, key, values).conditions.remove(0)
    };
    let tenants = || prop::collection::vec(prop::sample::select(vec!["acme", "acme-1", "acme-*", "blue", "*"]), 1..3);
    let arns = || {
        let all = ["arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b", "arn:aws:iam::*:role/*"];
        prop::collection::vec(prop::sample::select(all.to_vec()), 1..3)
    };
    let text = prop::sample::select(vec![
        "StringEquals",
        "StringLike",
        "StringNotEquals",
        "StringNotLike",
        "StringLikeIfExists",
    ]);
    let arn = prop::sample::select(vec!["ArnLike", "ArnNotLike", "ArnEquals"]);
    let flag = || prop::sample::select(vec!["true", "false"]);
    let service = prop::sample::select(vec!["s3.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com"]);
    let account = prop::sample::select(vec!["111122223333", "444455556666"]);
    prop_oneof![
        (text, tenants()).prop_map(move |(op, values)| condition(op, "kms:EncryptionContext:tenant", values)),
        (arn, arns()).prop_map(move |(op, values)| condition(op, "aws:PrincipalArn", values)),
        flag().prop_map(move |value| condition("Null", "kms:EncryptionContext:tenant", vec![value])),
        flag().prop_map(move |value| condition("Null", "kms:ViaService", vec![value])),
        flag().prop_map(move |value| condition("Bool", "aws:PrincipalIsAWSService", vec![value])),
        service.prop_map(move |value| condition("StringEquals", "kms:ViaService", vec![value])),
        account.prop_map(move |value| condition("StringEquals", "kms:CallerAccount", vec![value])),
    ]
}

fn any_statement() -> impl Strategy<Value = Statement> {
    let principal = prop_oneof![
        4 => prop::sample::select(PEOPLE.to_vec()).prop_map(|name| PrincipalEntry::Aws(role_arn(name).to_string())),
        1 => Just(PrincipalEntry::Everyone),
        1 => Just(PrincipalEntry::Aws("111122223333".to_owned())),
        1 => Just(PrincipalEntry::Aws("arn:aws:iam::444455556666:role/f".to_owned())),
    ];
    let action = prop::sample::select(vec![
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:*",
        "kms:De*",
        "kms:PutKeyPolicy",
        "kms:GenerateDataKey*",
    ]);
    let parts = (
        prop::bool::weighted(0.7),
        prop::collection::vec(principal, 1..3),
        prop::collection::vec(action, 1..3),
        prop::collection::vec(any_condition(), 0..3),
        prop::bool::weighted(0.1),
    );
    parts.prop_map(|(allow, principals, actions, conditions, all_but)| {
        let mut statement = if allow { Statement::allow("S", actions) } else { Statement::deny("S", actions) };
        statement.principals =
            Some(if all_but && !allow { Principals::IsNot(principals) } else { Principals::Is(principals) });
        // One condition per operator and key, as JSON has it.
        for condition in conditions {
            if !statement.conditions.iter().any(|c| (&c.operator, &c.key) == (&condition.operator, &condition.key)) {
                statement.conditions.push(condition);
            }
        }
        statement
    })
}

fn any_facts() -> impl Strategy<Value = KeyFacts> {
    prop::collection::vec(any_statement(), 0..5).prop_map(|statements| facts(PolicyDocument::new(statements)))
}

/// Callers with the names under which a line may speak of them.
fn universe() -> Vec<(PrincipalFacts, Vec<String>)> {
    let mut people: Vec<(PrincipalFacts, Vec<String>)> =
        PEOPLE.iter().map(|name| (caller(name), vec![role_arn(name).to_string(), "everyone".to_owned()])).collect();
    people.push((with_iam("d"), vec!["through IAM".to_owned(), "everyone".to_owned()]));
    let mut abroad =
        PrincipalFacts::new(PrincipalType::Role, "arn:aws:iam::444455556666:role/f", "444455556666".parse().ok());
    abroad.role_arn = Some(abroad.arn.clone());
    abroad.identity_policies = with_iam("d").identity_policies;
    people.push((abroad.clone(), vec![abroad.arn, "everyone".to_owned()]));
    people
}

fn requests(action: &str) -> Vec<Request> {
    let mut all = vec![call(action)];
    all.extend(["acme", "acme-1", "acme-2", "blue", "red"].map(|value| tenant(action, value)));
    let forwarded = ["s3", "dynamodb"]
        .map(|service| all.iter().map(|request| through(service, request.clone())).collect::<Vec<_>>());
    all.extend(forwarded.into_iter().flatten());
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nothing_changes_when_nothing_changes(key in any_facts()) {
        prop_assert_eq!(change(Some(&key), &key), AccessChange::default());
    }

    #[test]
    fn the_order_of_statements_does_not_matter(key in any_facts()) {
        let mut reversed = key.clone();
        reversed.policy.statements.reverse();
        prop_assert_eq!(change(Some(&key), &reversed), AccessChange::default());
    }

    #[test]
    fn no_gain_is_missed(before in any_facts(), after in any_facts()) {
        let gains = change(Some(&before), &after).gains;
        for (who, called) in universe() {
            for action in ACTIONS {
                for request in requests(action) {
                    if allowed(&after, &who, &request) && !allowed(&before, &who, &request) {
                        let covered = gains.iter().any(|line| {
                            let patterned = line.principal.contains('*') && line.principal.contains(":role/");
                            let names = called.iter().any(|name| line.principal.contains(name.as_str()));
                            line.actions.contains(action) && (names || patterned)
                        });
                        prop_assert!(covered, "{} {action} {request:?}\n{:#?}", who.arn, said(&gains));
                    }
                }
            }
        }
    }

    #[test]
    fn witnesses_are_true(before in any_facts(), after in any_facts()) {
        for line in change(Some(&before), &after).gains {
            let Some(witness) = line.witness else { continue };
            prop_assert!(line.actions.contains(&witness.action));
            let request = asked(&witness);
            let proves = |who: &PrincipalFacts| allowed(&after, who, &request) && !allowed(&before, who, &request);
            prop_assert!(callers(&witness.principal).iter().any(proves), "{witness:?}");
        }
    }
}

/// The request that a witness describes.
fn asked(witness: &Witness) -> Request {
    let mut request = call(&witness.action);
    let grantee = witness.context.get("kms:GranteePrincipal").cloned();
    let mut grant = CreateGrantRequest {
        operations: vec!["Decrypt".to_owned()],
        grantee_principal: grantee,
        ..CreateGrantRequest::default()
    };
    let (mut constraints, mut exactly) = (BTreeMap::new(), false);
    for (key, value) in &witness.context {
        match key.strip_prefix("kms:EncryptionContext:") {
            Some(name) if witness.action == "kms:CreateGrant" => {
                drop(constraints.insert(name.to_owned(), value.clone()));
            }
            Some(name) => drop(request.encryption_context.insert(name.to_owned(), value.clone())),
            None if key == "kms:GranteePrincipal" => {}
            None if key == "kms:GrantOperations" => {
                grant.operations = value.split(", ").map(str::to_owned).collect();
            }
            None if key == "kms:GrantConstraintType" => exactly = value == "EncryptionContextEquals",
            None if key == "aws:PrincipalOrgID" => {}
            None if key == "kms:ViaService" => request.via_service = Some(value.clone()),
            None => panic!("an unexpected key: {key}"),
        }
    }
    if !constraints.is_empty() {
        let pairs = Some(constraints);
        grant.constraints = Some(if exactly {
            GrantConstraints { encryption_context_equals: pairs, ..GrantConstraints::default() }
        } else {
            GrantConstraints { encryption_context_subset: pairs, ..GrantConstraints::default() }
        });
    }
    request.grant = (witness.action == "kms:CreateGrant").then_some(grant);
    request
}

/// The callers that an ARN may stand for: without and with policies of their own.
fn callers(arn: &str) -> [PrincipalFacts; 2] {
    let Some(account) = arn.split(':').nth(4) else {
        let service = PrincipalFacts::new(PrincipalType::Service, arn, None);
        return [service.clone(), service];
    };
    let mut plain = search::caller_of(arn);
    plain.account = account.parse().ok();
    let by_iam = PrincipalFacts { identity_policies: with_iam("d").identity_policies, ..plain.clone() };
    [plain, by_iam]
}
