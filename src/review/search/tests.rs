//! The search against trying every request of a small universe.

use super::super::*;
use super::{caller_of, everything};
use crate::access::{
    GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request, is_allowed,
};
use crate::policy::{Condition, Effect, PolicyDocument, PolicyVersion, PrincipalEntry, Principals, Statement};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OWN: &str = "111122223333";
const FAR: &str = "444455556666";

fn key(statements: Vec<Statement>, grants: Vec<GrantFacts>) -> KeyFacts {
    let policy = PolicyDocument::new(statements);
    let mut key = KeyFacts::new(KEY, OWN.parse().unwrap(), "eu-west-1".parse().unwrap(), policy);
    key.grants = grants;
    key
}

fn change(before: &KeyFacts, after: &KeyFacts) -> AccessChange {
    let names = BTreeMap::new();
    access_change(ReviewInput { key: &"ledger".parse().unwrap(), before: Some(before), after, names: &names })
}

fn aws(text: &str) -> PrincipalEntry {
    PrincipalEntry::Aws(text.to_owned())
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{OWN}:role/{name}")
}

fn allow(who: &str) -> Statement {
    Statement::allow("", ["kms:Decrypt"]).principals(vec![aws(who)])
}

fn context(key: &str, operator: &str, values: &[&str]) -> Condition {
    Statement::allow("", ["x"]).when(operator, key, values.iter().copied()).conditions.remove(0)
}

// ---- a small universe ------------------------------------------------------------------------------------

fn entry() -> impl Strategy<Value = PrincipalEntry> {
    prop_oneof![
        3 => select(vec![role("a"), role("b")]).prop_map(|arn| aws(&arn)),
        1 => Just(PrincipalEntry::Everyone),
        1 => Just(aws(OWN)),
        1 => Just(aws(&format!("arn:aws:iam::{FAR}:role/f"))),
        1 => Just(PrincipalEntry::Service("s3.amazonaws.com".to_owned())),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let text = select(vec![
        "StringEquals",
        "StringLike",
        "StringNotEquals",
        "StringNotLike",
        "StringLikeIfExists",
        "StringEqualsIgnoreCase",
        "ForAllValues:StringLike",
        "ForAnyValue:StringEquals",
    ]);
    let values = || prop::collection::vec(select(vec!["u", "v", "u*", "?", "*"]), 0..3);
    let names = prop::collection::vec(select(vec!["s", "t", "S", "*"]), 1..3);
    let set = select(vec!["ForAllValues:StringEquals", "ForAnyValue:StringLike", "ForAllValues:StringNotEquals"]);
    let flag = || select(vec!["true", "false"]);
    let null =
        select(vec!["kms:EncryptionContext:s", "kms:ViaService", "kms:EncryptionContextKeys", "aws:PrincipalOrgID"]);
    let arns = select(vec!["arn:aws:iam::*:role/a", "arn:aws:iam::111122223333:*", "arn:aws:iam::*:role/*"]);
    let via = select(vec!["s3.eu-west-1.amazonaws.com", "s3.*", "*.amazonaws.com"]);
    prop_oneof![
        4 => (text, select(vec!["s", "t"]), values()).prop_map(|(operator, pair, values)| {
            context(&format!("kms:EncryptionContext:{pair}"), operator, &values)
        }),
        1 => (set, names).prop_map(|(operator, names)| context("kms:EncryptionContextKeys", operator, &names)),
        1 => (null, flag()).prop_map(|(key, value)| context(key, "Null", &[value])),
        1 => (select(vec!["ArnLike", "ArnNotLike"]), arns).prop_map(|(op, arn)| context("aws:PrincipalArn", op, &[arn])),
        1 => (select(vec!["StringLike", "StringNotLikeIfExists"]), via).prop_map(|(op, via)| context("kms:ViaService", op, &[via])),
        1 => (select(vec!["Bool", "BoolIfExists"]), flag())
            .prop_map(|(op, value)| context("aws:MultiFactorAuthPresent", op, &[value])),
        1 => (select(vec!["NumericLessThan", "NumericGreaterThanEquals"]), select(vec!["10", "20"]))
            .prop_map(|(op, value)| context("aws:MultiFactorAuthAge", op, &[value])),
    ]
}

fn statement() -> impl Strategy<Value = Statement> {
    let action =
        prop::collection::vec(select(vec!["kms:Decrypt", "kms:D*", "kms:DescribeKey", "kms:PutKeyPolicy"]), 1..3);
    let parts = (
        prop::bool::weighted(0.7),
        prop::collection::vec(entry(), 1..3),
        action,
        prop::collection::vec(condition(), 0..3),
        prop::bool::weighted(0.1),
    );
    parts.prop_map(|(allows, entries, actions, conditions, all_but)| {
        let mut statement = if allows { Statement::allow("", actions) } else { Statement::deny("", actions) };
        statement.principals = Some(if all_but { Principals::IsNot(entries) } else { Principals::Is(entries) });
        statement.conditions = conditions;
        statement
    })
}

fn grant() -> impl Strategy<Value = GrantFacts> {
    let pairs = prop::option::of(select(vec![vec![("s", "u")], vec![("s", "u"), ("t", "v")]]));
    let far = format!("arn:aws:iam::{FAR}:role/f");
    (select(vec![role("a"), far]), pairs, prop::bool::ANY).prop_map(|(grantee, pairs, exactly)| {
        let pairs: Option<BTreeMap<String, String>> =
            pairs.map(|pairs| pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
        GrantFacts {
            grant_id: "g".to_owned(),
            issuing_account: OWN.to_owned(),
            operations: vec!["Decrypt".to_owned(), "DescribeKey".to_owned()],
            grantee: Grantee::Principal(grantee),
            retiring: None,
            constraints: GrantConstraints {
                encryption_context_equals: pairs.clone().filter(|_| exactly),
                encryption_context_subset: pairs.filter(|_| !exactly),
                source_arn: None,
            },
        }
    })
}

fn state() -> impl Strategy<Value = KeyFacts> {
    (prop::collection::vec(statement(), 0..4), prop::collection::vec(grant(), 0..2))
        .prop_map(|(statements, grants)| key(statements, grants))
}

/// Two states that are often close to each other.
fn states() -> impl Strategy<Value = (KeyFacts, KeyFacts)> {
    let near =
        (state(), prop::collection::vec((statement(), prop::option::of(grant())), 0..2), any::<prop::sample::Index>());
    let near = near.prop_map(|(before, more, at)| {
        let mut after = before.clone();
        if !after.policy.statements.is_empty() {
            let at = at.index(after.policy.statements.len());
            after.policy.statements.remove(at);
        }
        for (statement, grant) in more {
            after.policy.statements.push(statement);
            after.grants.extend(grant);
        }
        (before, after)
    });
    prop_oneof![1 => (state(), state()), 2 => near]
}

fn people() -> Vec<PrincipalFacts> {
    let by_iam = |arn: &str| PrincipalFacts { identity_policies: vec![everything()], ..caller_of(arn) };
    let mut people: Vec<PrincipalFacts> = ["a", "b", "c"].iter().map(|name| caller_of(&role(name))).collect();
    people.extend([by_iam(&role("a")), by_iam(&role("d")), caller_of(&format!("arn:aws:iam::{OWN}:user/u"))]);
    people.extend([by_iam(&format!("arn:aws:iam::{FAR}:role/f")), caller_of(&format!("arn:aws:iam::{FAR}:role/f"))]);
    people.push(caller_of(&format!("arn:aws:iam::{OWN}:root")));
    people.push(PrincipalFacts::new(PrincipalType::Service, "s3.amazonaws.com", None));
    people
}

type Change = Box<dyn Fn(&mut Request)>;

fn pair(key: &'static str, value: &'static str) -> Change {
    Box::new(move |request| drop(request.encryption_context.insert(key.to_owned(), value.to_owned())))
}

fn value(key: &'static str, text: &'static str) -> Change {
    let value = crate::access::ContextValue::One(text.to_owned());
    Box::new(move |request| drop(request.context.insert(key.to_owned(), Some(value.clone()))))
}

/// Returns requests that differ in all that is mentioned.
fn requests(action: &str, who: &PrincipalFacts, mentioned: &str) -> Vec<Request> {
    let mut all = vec![Request::new(action, KEY, "eu-west-1".parse().unwrap())];
    let mut by = |changes: Vec<Change>| {
        let base = all.clone();
        for change in changes {
            all.extend(base.iter().cloned().map(|mut request| {
                change(&mut request);
                request
            }));
        }
    };
    if action == "kms:Decrypt" && mentioned.contains("ncryption") {
        by(vec![pair("s", "u"), pair("s", "v"), pair("s", "ux")]);
        by(vec![pair("t", "u"), pair("t", "v")]);
        by(vec![pair("q", "x")]);
    }
    if who.kind != PrincipalType::Service && mentioned.contains("ViaService") {
        by(vec![Box::new(|request| request.via_service = Some("s3.eu-west-1.amazonaws.com".to_owned()))]);
    }
    if mentioned.contains("Present") {
        by(vec![value("aws:MultiFactorAuthPresent", "true")]);
    }
    if mentioned.contains("Age") {
        by(vec![value("aws:MultiFactorAuthAge", "5"), value("aws:MultiFactorAuthAge", "15")]);
    }
    all
}

fn decided(key: &KeyFacts, who: &PrincipalFacts, request: &Request) -> Option<bool> {
    is_allowed(request, who, Some(key), &Guardrails::default())
}

/// Returns requests of the universe that one state certainly refuses and the other certainly allows.
fn differing(old: &KeyFacts, new: &KeyFacts) -> Vec<(PrincipalFacts, Request)> {
    let actions = ["kms:Decrypt", "kms:DescribeKey", "kms:PutKeyPolicy"];
    let mentioned = format!("{:?} {:?} {:?} {:?}", old.policy, old.grants, new.policy, new.grants);
    let all = people().into_iter().flat_map(|who| {
        actions
            .iter()
            .flat_map(|action| requests(action, &who, &mentioned))
            .map(|request| (who.clone(), request))
            .collect::<Vec<_>>()
    });
    all.filter(|(who, request)| decided(new, who, request) == Some(true) && decided(old, who, request) == Some(false))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_gain_of_a_small_universe_is_missed_and_each_is_proved((before, after) in states()) {
        let found = change(&before, &after);
        for (lines, old, new) in [(&found.gains, &before, &after), (&found.losses, &after, &before)] {
            let gains = differing(old, new);
            for (who, request) in &gains {
                let told = lines.iter().any(|line| line.actions.contains(&request.action));
                prop_assert!(told, "{} {request:?}", who.arn);
            }
            let contested = |key: &KeyFacts| {
                let all_but = |statement: &Statement| matches!(statement.principals, Some(Principals::IsNot(_)));
                !key.grants.is_empty() || key.policy.statements.iter().any(all_but)
            };
            let decidable = !contested(old) && !contested(new);
            for line in lines {
                prop_assert!(!decidable || line.certainty == Certainty::Certain, "{line:?}");
                match &line.certainty {
                    Certainty::Certain => prop_assert!(line.witness.is_some(), "{line:?}"),
                    Certainty::Undetermined { reason } => prop_assert!(line.witness.is_none() && !reason.contains("confirm"), "{line:?}"),
                }
            }
        }
    }

    #[test]
    fn rewriting_changes_nothing(before in state(), seed in any::<u64>()) {
        let after = rewritten(&before, seed);
        let found = change(&before, &after);
        prop_assert_eq!((&found.gains, &found.losses), (&vec![], &vec![]), "{:#?}", after.policy);
    }
}

/// Returns a state that means the same: statements in another order, and split by principals, actions and values.
fn rewritten(key: &KeyFacts, seed: u64) -> KeyFacts {
    let mut statements = Vec::new();
    for (at, statement) in key.policy.statements.iter().enumerate() {
        match (seed >> at) & 3 {
            0 => statements.extend(by_principal(statement)),
            1 => statements.extend(by_value(statement)),
            2 => statements.extend(by_presence(statement)),
            _ => statements.push(statement.clone()),
        }
    }
    let by = usize::from(statements.len() > 1);
    statements.rotate_left(by);
    let policy = PolicyDocument::new(statements);
    KeyFacts { policy, ..key.clone() }
}

fn by_principal(statement: &Statement) -> Vec<Statement> {
    match &statement.principals {
        Some(Principals::Is(entries)) => {
            entries.iter().map(|entry| statement.clone().principals(vec![entry.clone()])).collect()
        }
        Some(Principals::IsNot(_)) | None => vec![statement.clone()],
    }
}

/// Splits the values of a condition of which one must match.
fn by_value(statement: &Statement) -> Vec<Statement> {
    let splits = |condition: &&Condition| {
        condition.values.len() > 1
            && !condition.operator.0.contains("Not")
            && !condition.operator.0.starts_with("ForAll")
    };
    let Some(at) = statement.conditions.iter().position(|condition| splits(&condition)) else {
        return vec![statement.clone()];
    };
    let with = |value: &crate::policy::ConditionValue| {
        let mut statement = statement.clone();
        statement.conditions[at].values = vec![value.clone()];
        statement
    };
    statement.conditions[at].values.iter().map(with).collect()
}

/// Splits a statement into that for requests with a key, and that for requests without it.
fn by_presence(statement: &Statement) -> Vec<Statement> {
    ["true", "false"].map(|value| statement.clone().when("Null", "kms:EncryptionContext:t", [value])).to_vec()
}

// ---- cases that were wrong before ------------------------------------------------------------------------

fn said(lines: &[AccessLine]) -> Vec<String> {
    lines.iter().map(|line| format!("{} {} {:?}", line.principal, line.capability, line.certainty)).collect()
}

#[test]
fn old_rules_may_cover_a_new_one_together() {
    let with = |operator: &str, values: &[&str]| {
        allow(&role("a")).when(operator, "kms:EncryptionContext:t", values.iter().copied())
    };
    let null = |value: &str| allow(&role("a")).when("Null", "kms:EncryptionContext:t", [value]);
    for (before, after) in [
        (vec![null("true"), with("StringEquals", &["u"]), with("StringNotEquals", &["u"])], vec![allow(&role("a"))]),
        (vec![with("StringLike", &["u*"]), with("StringNotLike", &["u*"])], vec![allow(&role("a"))]),
        (vec![with("StringLike", &["a*", "b*"])], vec![with("StringLike", &["a*b", "b?"])]),
        (
            vec![
                allow(&role("a")).when("NumericLessThan", "aws:MultiFactorAuthAge", ["100"]),
                allow(&role("a")).when("NumericGreaterThan", "aws:MultiFactorAuthAge", ["50"]),
            ],
            vec![allow(&role("a")).when("NumericEquals", "aws:MultiFactorAuthAge", ["10", "70", "200"])],
        ),
        (
            vec![allow(&role("a")).when("IpAddress", "aws:SourceIp", ["10.0.0.0/9", "10.128.0.0/9"])],
            vec![allow(&role("a")).when("IpAddress", "aws:SourceIp", ["10.0.0.0/8"])],
        ),
    ] {
        let found = change(&key(before, vec![]), &key(after, vec![]));
        assert_eq!(said(&found.gains), Vec::<String>::new());
    }
}

#[test]
fn many_combinations_of_values_are_decided() {
    let values: Vec<String> = (0..12).map(|n| format!("v{n}")).collect();
    let both = |values: &[String]| {
        allow(&role("a")).when("StringEquals", "kms:EncryptionContext:s", values.to_vec()).when(
            "StringEquals",
            "kms:EncryptionContext:t",
            values.to_vec(),
        )
    };
    let whole = key(vec![both(&values)], vec![]);
    let halves: Vec<Statement> = values
        .chunks(6)
        .flat_map(|half| {
            let mut one = both(&values);
            one.conditions[0].values = half.iter().map(|value| value.as_str().into()).collect();
            [one]
        })
        .collect();
    let halves = key(halves, vec![]);
    assert_eq!(change(&whole, &halves), AccessChange::default());
    let wider = key(vec![both(&[&values[..], &["more".to_owned()]].concat())], vec![]);
    let found = change(&whole, &wider);
    assert!(found.losses.is_empty());
    assert!(found.gains[0].witness.as_ref().unwrap().context.values().any(|value| value == "more"), "{found:?}");
}

#[test]
fn a_grant_with_a_subset_is_wider_than_one_with_equals() {
    let pairs: Option<BTreeMap<String, String>> = Some([("app".to_owned(), "x".to_owned())].into());
    let with = |exactly: bool| {
        let mut grant = GrantFacts {
            grant_id: "g".to_owned(),
            issuing_account: OWN.to_owned(),
            operations: vec!["Decrypt".to_owned()],
            grantee: Grantee::Principal(role("a")),
            retiring: None,
            constraints: GrantConstraints::default(),
        };
        if exactly {
            grant.constraints.encryption_context_equals.clone_from(&pairs);
        } else {
            grant.constraints.encryption_context_subset.clone_from(&pairs);
        }
        key(vec![], vec![grant])
    };
    let wider = change(&with(true), &with(false));
    assert_eq!(said(&wider.gains), [format!("{} decrypt Certain", role("a"))]);
    assert_eq!(wider.gains[0].witness.as_ref().unwrap().context.len(), 2);
    assert!(wider.losses.is_empty(), "{:?}", wider.losses);
    let narrower = change(&with(false), &with(true));
    assert!(narrower.gains.is_empty() && narrower.losses.len() == 1);
}

#[test]
fn variables_are_decided_where_their_keys_are_known_and_open_elsewhere() {
    let everybody = || Statement::allow("", ["kms:Decrypt"]).principals(vec![PrincipalEntry::Everyone]);
    let own = everybody().when("StringEquals", "aws:PrincipalAccount", ["${kms:CallerAccount}"]);
    let before = key(vec![own], vec![]);
    let after = key(vec![everybody().when("Null", "aws:PrincipalAccount", ["false"])], vec![]);
    assert_eq!(change(&before, &after), AccessChange::default());
    let tagged =
        |operator: &str| allow(&role("a")).when(operator, "kms:EncryptionContext:t", ["${aws:PrincipalTag/team}"]);
    let before = key(vec![tagged("StringEquals")], vec![]);
    let after = key(vec![tagged("StringEqualsIgnoreCase")], vec![]);
    let found = change(&before, &after);
    assert!(
        found.gains.iter().all(|line| line.certainty != Certainty::Certain) && !found.gains.is_empty(),
        "{found:?}"
    );
    let mut both = vec![tagged("StringEquals"), allow(&role("b"))];
    let before = key(both.clone(), vec![]);
    both.push(allow(&role("c")));
    let found = change(&before, &key(both, vec![]));
    assert_eq!(said(&found.gains), [format!("{} decrypt Certain", role("c"))]);
}

#[test]
fn the_version_of_a_document_matters_for_its_variables_alone() {
    let tagged = allow(&role("a")).when("StringEquals", "kms:EncryptionContext:t", ["${aws:PrincipalTag/team}"]);
    let before = key(vec![tagged.clone()], vec![]);
    let mut after = before.clone();
    after.policy.version = PolicyVersion::V2008;
    assert!(!change(&before, &after).gains.is_empty());
    let before = key(vec![allow(&role("a"))], vec![]);
    let after = KeyFacts {
        policy: PolicyDocument { version: PolicyVersion::V2008, ..before.policy.clone() },
        ..before.clone()
    };
    assert_eq!(change(&before, &after), AccessChange::default());
}

#[test]
fn what_aws_leaves_open_in_both_states_alike_is_no_gain() {
    let mut deny = Statement::deny("", ["kms:*"]).principals(vec![]);
    deny.principals = Some(Principals::IsNot(vec![aws(&role("a")), aws(OWN)]));
    assert_eq!(deny.effect, Effect::Deny);
    let before = key(vec![allow(&role("a")), allow(&role("b")), deny.clone()], vec![]);
    let both = Statement::allow("", ["kms:Decrypt"]).principals(vec![aws(&role("a")), aws(&role("b"))]);
    assert_eq!(change(&before, &key(vec![both.clone(), deny], vec![])), AccessChange::default());
    let found = change(&before, &key(vec![both], vec![]));
    assert!(!found.gains.is_empty());
}

#[test]
fn exempting_somebody_from_a_deny_is_a_gain() {
    let deny = |entries: Vec<PrincipalEntry>| {
        let mut deny = Statement::deny("", ["kms:Decrypt"]);
        deny.principals = Some(Principals::IsNot(entries));
        deny
    };
    let user = |name: &str| aws(&format!("arn:aws:iam::{OWN}:user/{name}"));
    let all = Statement::allow("", ["kms:Decrypt"]).principals(vec![PrincipalEntry::Everyone]);
    let root = || aws(&format!("arn:aws:iam::{OWN}:root"));
    let before = key(vec![all.clone(), deny(vec![user("a")])], vec![]);
    let after = key(vec![all, deny(vec![user("a"), user("b"), root()])], vec![]);
    let found = change(&before, &after);
    let witnesses: Vec<_> = found.gains.iter().filter_map(|line| line.witness.as_ref()).collect();
    assert!(!witnesses.is_empty(), "{found:?}");
    assert!(found.losses.is_empty(), "{:?}", found.losses);
}

#[test]
fn hostile_policies_end_soon() {
    let start = std::time::Instant::now();
    let many = |shift: usize| -> Vec<Statement> {
        (0..8)
            .map(|n| {
                let values: Vec<String> = (0..6).map(|v| format!("*{}?{}*", (n * 7 + v + shift) % 23, v)).collect();
                Statement::allow("", ["kms:*"])
                    .principals(vec![PrincipalEntry::Everyone])
                    .when("StringLike", &format!("kms:EncryptionContext:k{}", n % 5), values.clone())
                    .when("StringNotLike", &format!("kms:EncryptionContext:k{}", (n + 1) % 5), values)
            })
            .collect()
    };
    let found = change(&key(many(0), vec![]), &key(many(1), vec![]));
    assert!(!found.gains.is_empty());
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn equal_pairs_of_the_fixture_give_no_lines_and_others_do() {
    let text = include_str!("../../../tests/data/policy/policy-equivalence.json");
    let file: serde_json::Value = serde_json::from_str(text).unwrap();
    for pair in file["pairs"].as_array().unwrap() {
        let state = |side: &str| {
            let policy = PolicyDocument::parse(&pair[side].to_string()).unwrap();
            KeyFacts { policy, ..key(vec![], vec![]) }
        };
        let found = change(&state("a"), &state("b"));
        let same = pair["same_permissions"].as_bool().unwrap();
        assert_eq!(
            found == AccessChange::default(),
            same,
            "{} {:?} {:?}",
            pair["name"],
            said(&found.gains),
            said(&found.losses)
        );
    }
}
