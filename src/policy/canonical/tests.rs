//! Equality of policies against the fixture, rewrites that keep the meaning, and a plain evaluator.

use super::*;
use crate::policy::{Condition, ConditionOperator, ConditionValue, glob_matches, glob_matches_ignore_case};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn document(statements: &serde_json::Value) -> PolicyDocument {
    PolicyDocument::from_value(&serde_json::json!({ "Version": "2012-10-17", "Statement": statements })).unwrap()
}

#[test]
fn all_pairs_of_the_fixture_are_told_apart_or_not_as_they_should() {
    let text = include_str!("../../../tests/data/policy/policy-equivalence.json");
    let fixture: serde_json::Value = serde_json::from_str(text).unwrap();
    let pairs = fixture["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 20);
    for pair in pairs {
        let side = |name: &str| PolicyDocument::from_value(&pair[name]).unwrap();
        let expected = pair["same_permissions"].as_bool().unwrap();
        assert_eq!(side("a").same_permissions(&side("b")), expected, "{}", pair["name"]);
        assert_eq!(side("b").same_permissions(&side("a")), expected, "{}", pair["name"]);
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/R";

/// Returns one statement for the role, changed as given.
fn with(changes: &serde_json::Value) -> PolicyDocument {
    let mut statement = serde_json::json!({
        "Effect": "Allow", "Principal": { "AWS": ROLE }, "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*",
        "Condition": {
            "StringEquals": { "kms:ViaService": "s3.eu-west-1.amazonaws.com" },
            "ArnLike": { "aws:PrincipalArn": ["arn:aws:iam::*:role/a*"] },
        },
    });
    for (name, value) in changes.as_object().unwrap() {
        statement[name] = value.clone();
    }
    document(&statement)
}

#[test]
fn every_edit_that_changes_the_meaning_is_a_difference() {
    let base = with(&serde_json::json!({}));
    for edit in [
        serde_json::json!({ "Effect": "Deny" }),
        serde_json::json!({ "Action": ["kms:Decrypt"] }),
        serde_json::json!({ "Action": ["kms:Decrypt", "kms:Encrypt", "kms:Sign"] }),
        serde_json::json!({ "Action": ["kms:Decrypt", "kms:Encrypt*"] }),
        serde_json::json!({ "Principal": { "AWS": [ROLE, "arn:aws:iam::111122223333:role/Q"] } }),
        serde_json::json!({ "Principal": { "AWS": "arn:aws:iam::111122223333:role/r" } }),
        serde_json::json!({ "Principal": { "AWS": "arn:aws-cn:iam::111122223333:role/R" } }),
        serde_json::json!({ "Principal": { "Service": "s3.amazonaws.com" } }),
        serde_json::json!({ "Principal": "*" }),
        serde_json::json!({ "Resource": "arn:aws:kms:eu-west-1:111122223333:key/k" }),
        serde_json::json!({ "Condition": {} }),
        serde_json::json!({ "Condition": { "StringEquals": { "kms:ViaService": "s3.eu-west-1.amazonaws.com" } } }),
        serde_json::json!({ "Condition": {
            "StringEquals": { "kms:ViaService": "S3.eu-west-1.amazonaws.com" },
            "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/a*" } } }),
        serde_json::json!({ "Condition": {
            "StringLike": { "kms:ViaService": "s3.*.amazonaws.com" },
            "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/a*" } } }),
        serde_json::json!({ "Condition": {
            "StringEqualsIfExists": { "kms:ViaService": "s3.eu-west-1.amazonaws.com" },
            "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/a*" } } }),
        serde_json::json!({ "Condition": {
            "StringEquals": { "kms:ViaService": "s3.eu-west-1.amazonaws.com" },
            "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/*" } } }),
        serde_json::json!({ "Action": ["kms:Decrypt"], "NotAction": ["kms:Encrypt"] }),
    ] {
        assert!(!base.same_permissions(&with(&edit)), "{edit}");
        assert!(!with(&edit).same_permissions(&base), "{edit}");
    }
}

#[test]
fn all_known_actions_are_not_all_actions() {
    let actions = |actions: &[&str]| with(&serde_json::json!({ "Action": actions }));
    assert!(!actions(&["kms:*"]).same_permissions(&actions(&["kms:Decrypt", "kms:Encrypt", "kms:Sign"])));
    assert!(!actions(&["kms:*"]).same_permissions(&actions(&["*"])));
    assert!(!actions(&["kms:Unknown"]).same_permissions(&actions(&["kms:Decrypt"])));
    assert!(actions(&["kms:Generate*", "kms:**"]).same_permissions(&actions(&["KMS:*"])));
}

#[test]
fn the_version_matters_only_where_variables_occur() {
    let version = |version: &str, value: &str| {
        let mut document =
            with(&serde_json::json!({ "Condition": { "StringEquals": { "kms:EncryptionContext:user": value } } }));
        document.version = if version == "2012" { PolicyVersion::V2012 } else { PolicyVersion::V2008 };
        document
    };
    assert!(version("2012", "plain").same_permissions(&version("2008", "plain")));
    assert!(!version("2012", "${aws:username}").same_permissions(&version("2008", "${aws:username}")));
}

#[test]
fn an_account_id_stands_for_the_root_in_the_partition_of_the_others() {
    let principals = |arns: &[&str]| with(&serde_json::json!({ "Principal": { "AWS": arns } }));
    let (id, root, china) = ("111122223333", "arn:aws:iam::111122223333:root", "arn:aws-cn:iam::111122223333:root");
    assert!(principals(&[id]).same_permissions(&principals(&[root])));
    assert!(principals(&[id]).same_permissions(&principals(&[china])));
    assert!(principals(&[id, root]).same_permissions(&principals(&[root])));
    assert!(!principals(&[root]).same_permissions(&principals(&[china])));
    assert!(!principals(&[id, ROLE]).same_permissions(&principals(&[china, ROLE])));
    assert!(principals(&[id]).same_permissions(&principals(&[id])));
    assert_eq!(principals(&[id]).canonical_in(Partition::AwsCn), principals(&[china]).canonical());
    assert!(!principals(&[id]).same_permissions(&principals(&["444455556666"])));
}

#[test]
fn a_statement_that_another_implies_makes_no_difference() {
    let wide = serde_json::json!({ "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": { "StringNotEquals": { "aws:PrincipalAccount": "1" } } });
    let narrow = serde_json::json!({ "Effect": "Deny", "Principal": { "AWS": ROLE }, "Action": "kms:Decrypt",
        "Resource": "arn:aws:kms:eu-west-1:111122223333:key/k",
        "Condition": { "StringNotEquals": { "aws:PrincipalAccount": ["1", "2"] }, "Bool": { "k": "true" } } });
    let mut allow = narrow.clone();
    allow["Effect"] = "Allow".into();
    let mut other_values = narrow.clone();
    other_values["Condition"]["StringNotEquals"]["aws:PrincipalAccount"] = "2".into();
    let mut not_aws = narrow.clone();
    not_aws["Principal"] = serde_json::json!({ "Federated": "accounts.example.com" });
    let alone = document(&serde_json::json!([wide]));
    assert!(alone.same_permissions(&document(&serde_json::json!([narrow, wide]))));
    for different in [allow, other_values, not_aws] {
        assert!(!alone.same_permissions(&document(&serde_json::json!([different, wide]))), "{different}");
    }
}

#[test]
fn inert_statements_equal_themselves_only() {
    let inert = document(&serde_json::json!([{ "Sid": "a", "Effect": "Allow", "Action": 1, "Resource": "*" }]));
    let reordered = document(&serde_json::json!([{ "Resource": "*", "Action": 1, "Effect": "Allow", "Sid": "b" }]));
    assert!(inert.same_permissions(&reordered));
    assert!(!inert.same_permissions(&document(&serde_json::json!([]))));
    assert!(!inert.same_permissions(&document(&serde_json::json!([
        { "Effect": "Allow", "Action": 2, "Resource": "*" }
    ]))));
}

#[test]
fn trust_policies_compare_without_resources() {
    let trust = |action: &serde_json::Value| {
        document(&serde_json::json!([{ "Effect": "Allow", "Principal": { "AWS": ROLE }, "Action": action }]))
    };
    let both = trust(&serde_json::json!(["sts:AssumeRole", "sts:TagSession"]));
    let mut split = trust(&serde_json::json!("sts:assumerole"));
    split.statements.extend(trust(&serde_json::json!("sts:TagSession")).statements);
    assert!(both.same_permissions(&split));
    assert!(!both.same_permissions(&trust(&serde_json::json!("sts:AssumeRole"))));
}

#[test]
fn a_document_made_to_be_expensive_ends_soon() {
    let many = |count: usize, prefix: &str| (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
    let wildcards: Vec<String> = (0..600).map(|n| format!("*a?{n}*b?*c{}*", n % 7)).collect();
    let expensive = document(&serde_json::json!([
        { "Effect": "Allow", "Principal": { "AWS": many(400, "11112222") }, "Action": many(400, "a"),
            "Resource": many(10, "r") },
        { "Effect": "Allow", "Principal": "*", "Action": wildcards, "Resource": "*" },
    ]));
    let mut reversed = expensive.clone();
    reversed.statements.reverse();
    let start = std::time::Instant::now();
    assert!(expensive.same_permissions(&reversed));
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

// ---- random documents -------------------------------------------------------------------------------------------

const PRINCIPALS: [&str; 7] = [
    "arn:aws:iam::111122223333:role/R",
    "arn:aws:iam::111122223333:role/r",
    "arn:aws:iam::111122223333:user/U",
    "arn:aws:iam::111122223333:root",
    "111122223333",
    "444455556666",
    "AROAEXAMPLEID1234567",
];
const ACTIONS: [&str; 9] = [
    "kms:Decrypt",
    "kms:decrypt",
    "kms:Encrypt",
    "kms:*",
    "*",
    "kms:Generate*",
    "kms:GenerateDataKey",
    "kms:GenerateDataKey*",
    "kms:?ncrypt",
];
/// Operator, key, and the values that may stand there.
const CONDITIONS: [(&str, &str, &[&str]); 10] = [
    ("StringEquals", "kms:ViaService", &["s3", "S3", "sqs"]),
    ("StringNotEquals", "kms:ViaService", &["s3", "S3", "sqs"]),
    ("StringEqualsIgnoreCase", "kms:viaservice", &["s3", "S3", "sqs"]),
    ("StringLike", "kms:ViaService", &["s*", "s?", "*3", "sqs"]),
    ("StringNotLike", "kms:ViaService", &["s*", "s?", "*3"]),
    ("StringEqualsIfExists", "kms:ViaService", &["s3", "sqs"]),
    ("Bool", "kms:GrantIsForAWSResource", &["true"]),
    ("Null", "kms:ViaService", &["true", "false"]),
    ("ArnEquals", "aws:PrincipalArn", &["arn:aws:iam::*:role/R", "arn:aws:iam::111122223333:role/*"]),
    ("ArnLike", "aws:PrincipalArn", &["arn:aws:iam::*:role/R", "arn:aws:iam::111122223333:role/*"]),
];

fn arb_condition() -> impl Strategy<Value = Condition> {
    select(&CONDITIONS[..]).prop_flat_map(|(operator, key, values)| {
        subsequence(values, 1..=values.len()).prop_map(move |values| Condition {
            operator: ConditionOperator(operator.to_owned()),
            key: key.to_owned(),
            values: values.into_iter().map(ConditionValue::from).collect(),
        })
    })
}

/// Conditions as JSON can say them: no operator has the same key twice.
fn arb_conditions() -> impl Strategy<Value = Vec<Condition>> {
    prop::collection::vec(arb_condition(), 0..3).prop_map(|mut conditions| {
        conditions.sort_by(|a, b| (&a.operator, &a.key).cmp(&(&b.operator, &b.key)));
        conditions.dedup_by(|a, b| a.operator == b.operator && a.key == b.key);
        conditions
    })
}

fn arb_principals() -> impl Strategy<Value = Principals> {
    let entries = subsequence(&PRINCIPALS[..], 1..4)
        .prop_map(|arns| arns.into_iter().map(|arn| PrincipalEntry::Aws(arn.to_owned())).collect::<Vec<_>>());
    prop_oneof![
        4 => entries.clone().prop_map(Principals::Is),
        1 => Just(Principals::Is(vec![PrincipalEntry::Everyone])),
        1 => Just(Principals::Is(vec![PrincipalEntry::Service("logs.amazonaws.com".to_owned())])),
        1 => entries.prop_map(Principals::IsNot),
    ]
}

fn arb_statement() -> impl Strategy<Value = Statement> {
    let actions = subsequence(&ACTIONS[..], 1..4)
        .prop_map(|patterns| patterns.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let actions = prop_oneof![6 => actions.clone().prop_map(Actions::Is), 1 => actions.prop_map(Actions::IsNot)];
    let effect = prop_oneof![Just(Effect::Allow), Just(Effect::Deny)];
    let resource = prop_oneof![4 => Just("*"), 1 => Just("arn:aws:kms:eu-west-1:111122223333:key/k")];
    let sid = prop::option::of("[A-Z][a-z]{0,3}");
    (sid, effect, arb_principals(), actions, resource, arb_conditions()).prop_map(
        |(sid, effect, principals, actions, resource, conditions)| Statement {
            sid,
            effect,
            principals: Some(principals),
            actions: Some(actions),
            resources: Some(Resources::Is(vec![resource.to_owned()])),
            conditions,
            inert: None,
        },
    )
}

fn arb_document() -> impl Strategy<Value = PolicyDocument> {
    prop::collection::vec(arb_statement(), 1..5).prop_map(PolicyDocument::new)
}

// ---- rewrites that keep the meaning -----------------------------------------------------------------------------

/// Rewrites a document; the number chooses the statement and what happens to it.
fn rewrite(document: &mut PolicyDocument, choice: usize) {
    let at = (choice / 16) % document.statements.len();
    let flip = |text: &str| text.chars().map(flip_case).collect::<String>();
    let statement = &mut document.statements[at];
    let principals = match statement.principals.as_mut().unwrap() {
        Principals::Is(entries) | Principals::IsNot(entries) => entries,
    };
    let actions = match statement.actions.as_mut().unwrap() {
        Actions::Is(patterns) | Actions::IsNot(patterns) => patterns,
    };
    match choice % 16 {
        0 => actions.iter_mut().for_each(|action| *action = flip(action)),
        1 => statement.conditions.iter_mut().for_each(|condition| condition.key = flip(&condition.key)),
        2 => actions.extend_from_within(..1),
        3 => principals.extend_from_within(..1),
        4 => actions.reverse(),
        5 => principals.reverse(),
        6 => statement.sid = Some(format!("Sid{choice}")),
        7 => document.id = Some(format!("id-{choice}")),
        8 => document.statements.reverse(),
        9 => document.statements.extend_from_within(at..=at),
        10 => principals.iter_mut().for_each(|entry| *entry = other_account_form(entry)),
        11 => statement.conditions.iter_mut().for_each(other_condition_form),
        12 => split(document, at),
        13 => add_narrower(document, at),
        14 => document.version = PolicyVersion::V2008,
        _ => actions.iter_mut().for_each(|action| *action = action.replace('*', "**")),
    }
}

fn flip_case(c: char) -> char {
    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
}

fn other_account_form(entry: &PrincipalEntry) -> PrincipalEntry {
    let PrincipalEntry::Aws(text) = entry else { return entry.clone() };
    match text.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")) {
        Some(id) => PrincipalEntry::Aws(id.to_owned()),
        None if is_account_id(text) => PrincipalEntry::Aws(format!("arn:aws:iam::{text}:root")),
        None => entry.clone(),
    }
}

fn other_condition_form(condition: &mut Condition) {
    let operator = match condition.operator.0.as_str() {
        "ArnEquals" => "ArnLike",
        "ArnLike" => "ArnEquals",
        other => other,
    };
    condition.operator = ConditionOperator(operator.to_owned());
    condition.values.reverse();
    condition.values.extend_from_within(..1);
    for value in &mut condition.values {
        if value.as_text() == "true" {
            *value = ConditionValue::Bool(true);
        }
    }
}

/// Splits a statement by principal and by action.
fn split(document: &mut PolicyDocument, at: usize) {
    let statement = document.statements.remove(at);
    let (Some(Principals::Is(entries)), Some(Actions::Is(patterns))) = (&statement.principals, &statement.actions)
    else {
        document.statements.push(statement);
        return;
    };
    for entry in entries {
        for pattern in patterns {
            let mut part = statement.clone().principals(vec![entry.clone()]);
            part.actions = Some(Actions::Is(vec![pattern.clone()]));
            document.statements.push(part);
        }
    }
}

/// Adds a statement that an existing one implies.
fn add_narrower(document: &mut PolicyDocument, at: usize) {
    let narrower = document.statements[at].clone().when("StringLike", "kms:EncryptionContext:a", ["x*"]);
    document.statements.insert(0, narrower);
}

// ---- a plain evaluator ------------------------------------------------------------------------------------------

struct Call {
    arn: &'static str,
    account: &'static str,
    action: &'static str,
    via: Option<&'static str>,
    for_resource: Option<&'static str>,
}

fn calls() -> Vec<Call> {
    let callers = [
        ("arn:aws:iam::111122223333:role/R", "111122223333"),
        ("arn:aws:iam::111122223333:role/r", "111122223333"),
        ("arn:aws:iam::111122223333:user/U", "111122223333"),
        ("arn:aws:iam::444455556666:role/R", "444455556666"),
        ("logs.amazonaws.com", ""),
        ("AROAEXAMPLEID1234567", ""),
    ];
    let actions =
        ["kms:Decrypt", "kms:Encrypt", "kms:Sign", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:GenerateMac"];
    let mut all = Vec::new();
    for (arn, account) in callers {
        for action in actions.into_iter().chain(["s3:GetObject"]) {
            for via in [None, Some("s3"), Some("S3"), Some("sqs"), Some("x3")] {
                for for_resource in [None, Some("true")] {
                    all.push(Call { arn, account, action, via, for_resource });
                }
            }
        }
    }
    all
}

/// Returns how far each effect reaches for each call: not, through the account, or directly.
fn meaning(document: &PolicyDocument) -> Vec<[u8; 4]> {
    calls()
        .iter()
        .map(|call| {
            let mut reach = [0; 4];
            for statement in &document.statements {
                let everywhere = statement.resources == Some(Resources::Is(vec!["*".to_owned()]));
                let slot = usize::from(statement.effect == Effect::Deny);
                let found = statement_reach(statement, call);
                reach[slot] = reach[slot].max(found);
                if everywhere {
                    reach[slot + 2] = reach[slot + 2].max(found);
                }
            }
            reach
        })
        .collect()
}

fn statement_reach(statement: &Statement, call: &Call) -> u8 {
    let listed = |patterns: &[String]| patterns.iter().any(|pattern| glob_matches_ignore_case(pattern, call.action));
    let action = match statement.actions.as_ref().unwrap() {
        Actions::Is(patterns) => listed(patterns),
        Actions::IsNot(patterns) => !listed(patterns),
    };
    let reach = |entries: &[PrincipalEntry]| entries.iter().map(|entry| entry_reach(entry, call)).max().unwrap_or(0);
    let who = match statement.principals.as_ref().unwrap() {
        Principals::Is(entries) => reach(entries),
        Principals::IsNot(entries) => 2 * u8::from(reach(entries) == 0),
    };
    if action && statement.conditions.iter().all(|condition| holds(condition, call)) { who } else { 0 }
}

fn entry_reach(entry: &PrincipalEntry, call: &Call) -> u8 {
    let (_, value) = entry.kind_and_value();
    let account = value.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(value);
    match value {
        "*" => 2,
        _ if value == call.arn => 2,
        _ => u8::from(account == call.account),
    }
}

fn holds(condition: &Condition, call: &Call) -> bool {
    let actual = match condition.key.to_ascii_lowercase().as_str() {
        "kms:viaservice" => call.via,
        "kms:grantisforawsresource" => call.for_resource,
        "aws:principalarn" => Some(call.arn),
        _ => None,
    };
    let any = |matches: &dyn Fn(&str, &str) -> bool| {
        actual.is_some_and(|actual| condition.values.iter().any(|value| matches(value.as_text(), actual)))
    };
    match condition.operator.0.as_str() {
        "StringEquals" | "Bool" => any(&|value, actual| value == actual),
        "StringEqualsIfExists" => actual.is_none() || any(&|value, actual| value == actual),
        "StringNotEquals" => !any(&|value, actual| value == actual),
        "StringEqualsIgnoreCase" => any(&|value, actual| value.eq_ignore_ascii_case(actual)),
        "StringLike" | "ArnLike" | "ArnEquals" => any(&glob_matches),
        "StringNotLike" => !any(&glob_matches),
        "Null" => condition.values.iter().any(|value| value.as_text() == actual.is_none().to_string()),
        other => panic!("{other}"),
    }
}

/// Makes one edit that most often changes the meaning.
fn edit(document: &mut PolicyDocument, choice: usize, other: &Statement) {
    let at = (choice / 10) % document.statements.len();
    let statement = &mut document.statements[at];
    match choice % 10 {
        0 => statement.effect = if statement.effect == Effect::Allow { Effect::Deny } else { Effect::Allow },
        1 => statement.actions = other.actions.clone(),
        2 => statement.principals = other.principals.clone(),
        3 => drop(statement.conditions.pop()),
        4 => statement.conditions = other.conditions.clone(),
        5 => statement.resources = other.resources.clone(),
        6 => drop(document.statements.remove(at)),
        7 => document.statements.push(other.clone()),
        8 => {
            if let Some(condition) = statement.conditions.first_mut() {
                condition.values.truncate(1);
            }
        }
        _ => {
            for condition in &mut statement.conditions {
                for value in &mut condition.values {
                    *value = ConditionValue::Text(value.as_text().chars().map(flip_case).collect());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn rewriting_changes_no_permission(before in arb_document(), choices in prop::collection::vec(0..1600_usize, 1..8)) {
        let mut after = before.clone();
        for choice in choices {
            rewrite(&mut after, choice);
        }
        prop_assert!(before.same_permissions(&after), "{}\n{}", before.to_compact(), after.to_compact());
        prop_assert!(after.same_permissions(&before));
    }

    #[test]
    fn equal_policies_decide_alike(
        before in arb_document(), other in arb_statement(), choices in prop::collection::vec(0..1000_usize, 1..3),
    ) {
        let mut after = before.clone();
        for choice in choices {
            if !after.statements.is_empty() {
                edit(&mut after, choice, &other);
            }
        }
        if meaning(&before) != meaning(&after) {
            prop_assert!(!before.same_permissions(&after), "{}\n{}", before.to_compact(), after.to_compact());
        }
    }

    #[test]
    fn the_canonical_form_is_a_fixed_point_with_the_same_meaning(document in arb_document()) {
        let canonical = document.canonical_in(Partition::Aws);
        let written = canonical.to_document();
        prop_assert_eq!(&written.canonical_in(Partition::Aws), &canonical);
        prop_assert_eq!(meaning(&written), meaning(&document));
        prop_assert!(written.same_permissions(&document) || !document.to_compact().contains("arn:aws:"));
    }

    #[test]
    fn what_is_written_is_read_again(mut document in arb_document(), id in prop::option::of("[ -~]{0,8}")) {
        document.id = id;
        prop_assert_eq!(&PolicyDocument::parse(&document.to_text()).unwrap(), &document);
        prop_assert_eq!(&PolicyDocument::parse(&document.to_compact()).unwrap(), &document);
        prop_assert_eq!(&PolicyDocument::from_value(&document.to_json_value()).unwrap(), &document);
    }
}
