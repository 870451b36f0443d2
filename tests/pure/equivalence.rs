//! Equality of policies against the evaluator: what is called equal decides alike, and what decides otherwise is
//! never called equal.

use keywright::access::{self, Decision, Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request};
use keywright::policy::{
    Actions, Condition, ConditionOperator, ConditionValue, Effect, PolicyDocument, PrincipalEntry, Principals,
    Resources, Statement,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const PRINCIPALS: [&str; 7] = [
    "*",
    "arn:aws:iam::111122223333:role/App",
    "arn:aws:sts::111122223333:assumed-role/App/s1",
    "arn:aws:iam::111122223333:user/Alice",
    "arn:aws:iam::111122223333:root",
    "444455556666",
    "arn:aws:iam::444455556666:role/Ext",
];
const ACTIONS: [&str; 8] =
    ["kms:Decrypt", "kms:DECRYPT", "kms:*", "kms:D*", "kms:Disable?ey", "kms:DisableKey", "kms:Describe*", "*"];
const RESOURCES: [&str; 4] = ["*", KEY, "arn:aws:kms:*:111122223333:key/*", "arn:aws:kms:*:*:alias/*"];
const CONDITIONS: [(&str, &str, &[&str]); 12] = [
    ("StringEquals", "kms:ViaService", &["s3.eu-west-1.amazonaws.com", "x"]),
    ("StringNotEquals", "kms:ViaService", &["s3.eu-west-1.amazonaws.com", "x"]),
    ("StringEqualsIfExists", "kms:ViaService", &["s3.eu-west-1.amazonaws.com"]),
    ("StringLike", "kms:ViaService", &["s3.*", "*", "x?"]),
    ("StringNotLike", "kms:ViaService", &["s3.*", "s*"]),
    ("StringEquals", "kms:EncryptionContext:app", &["a", "b"]),
    ("StringLike", "kms:EncryptionContext:app", &["a*", "${aws:PrincipalTag/team}"]),
    ("ForAllValues:StringEquals", "kms:EncryptionContextKeys", &["app", "tenant"]),
    ("ForAnyValue:StringLike", "kms:EncryptionContextKeys", &["app", "t*"]),
    ("Null", "kms:EncryptionContext:app", &["true", "false"]),
    ("ArnLike", "aws:PrincipalArn", &["arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:role/App"]),
    ("Bool", "aws:PrincipalIsAWSService", &["true", "false"]),
];

fn entry(text: &str) -> PrincipalEntry {
    if text == "*" { PrincipalEntry::Everyone } else { PrincipalEntry::Aws(text.to_owned()) }
}

fn condition() -> impl Strategy<Value = Condition> {
    select(&CONDITIONS[..]).prop_flat_map(|(operator, key, values)| {
        subsequence(values, 1..=values.len()).prop_map(move |values| Condition {
            operator: ConditionOperator(operator.to_owned()),
            key: key.to_owned(),
            values: values.into_iter().map(ConditionValue::from).collect(),
        })
    })
}

fn statement() -> impl Strategy<Value = Statement> {
    let texts = |all: &'static [&'static str]| {
        subsequence(all, 1..3).prop_map(|texts| texts.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let effect = prop_oneof![3 => Just(Effect::Allow), 1 => Just(Effect::Deny)];
    let not = prop::bool::weighted(0.1);
    let conditions = prop::collection::vec(condition(), 0..3);
    (effect, texts(&PRINCIPALS), (texts(&ACTIONS), not), texts(&RESOURCES), conditions).prop_map(
        |(effect, principals, (actions, not), resources, mut conditions)| {
            conditions.sort_by(|a, b| (&a.operator, &a.key).cmp(&(&b.operator, &b.key)));
            conditions.dedup_by(|a, b| a.operator == b.operator && a.key == b.key);
            Statement {
                sid: None,
                effect,
                principals: Some(Principals::Is(principals.iter().map(|text| entry(text)).collect())),
                actions: Some(if not { Actions::IsNot(actions) } else { Actions::Is(actions) }),
                resources: Some(Resources::Is(resources)),
                conditions,
                inert: None,
            }
        },
    )
}

fn document() -> impl Strategy<Value = PolicyDocument> {
    prop::collection::vec(statement(), 1..4).prop_map(PolicyDocument::new)
}

/// Returns callers of every kind, with and without IAM policies of their own.
fn callers() -> Vec<PrincipalFacts> {
    let all = || PolicyDocument::new(vec![Statement::allow("All", ["*"])]);
    let known = |arn: &str, iam: bool| {
        let mut facts = PrincipalFacts::from_arn(&arn.parse().unwrap());
        facts.identity_policies.extend(iam.then(all));
        facts.tags.insert("team".to_owned(), "a*".to_owned());
        facts
    };
    let mut limited = known("arn:aws:iam::111122223333:role/App", false);
    limited.permissions_boundary = Some(PolicyDocument::new(vec![Statement::allow("S3", ["s3:*"])]));
    vec![
        known("arn:aws:iam::111122223333:role/App", false),
        known("arn:aws:sts::111122223333:assumed-role/App/s1", true),
        known("arn:aws:iam::111122223333:user/Alice", false),
        known("arn:aws:iam::111122223333:user/Bob", true),
        known("arn:aws:iam::111122223333:root", false),
        known("arn:aws:iam::444455556666:role/Ext", true),
        known("arn:aws:iam::444455556666:role/Ext", false),
        PrincipalFacts::new(PrincipalType::Service, "sns.amazonaws.com", None),
        limited,
    ]
}

fn requests() -> Vec<Request> {
    let mut all = Vec::new();
    for action in ["kms:Decrypt", "kms:DescribeKey", "kms:DisableKey"] {
        for via in [None, Some("s3.eu-west-1.amazonaws.com")] {
            for context in [&[][..], &[("app", "a")], &[("app", "abc"), ("tenant", "t")], &[("App", "a*")]] {
                let mut request = Request::new(action, KEY, "eu-west-1".parse().unwrap());
                request.via_service = via.map(str::to_owned);
                request.encryption_context =
                    context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
                all.push(request);
            }
        }
    }
    all
}

/// Returns the decision of every call of a small universe.
fn decisions(document: &PolicyDocument) -> Vec<Decision> {
    let (account, region) = ("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap());
    let key = KeyFacts::new(KEY, account, region, document.clone());
    let (requests, rails) = (requests(), Guardrails::default());
    let of = |caller: &PrincipalFacts| {
        requests.iter().map(|request| access::decide(request, caller, Some(&key), &rails)).collect::<Vec<_>>()
    };
    callers().iter().flat_map(of).collect()
}

fn flip(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect()
}

/// Rewrites a document so that its meaning stays; the number chooses how and where.
fn rewrite(document: &mut PolicyDocument, choice: usize) {
    let at = (choice / 12) % document.statements.len();
    let statement = &mut document.statements[at];
    let (Some(Principals::Is(entries)), Some(Actions::Is(actions) | Actions::IsNot(actions))) =
        (&mut statement.principals, &mut statement.actions)
    else {
        unreachable!("every statement has both");
    };
    match choice % 12 {
        0 => actions.iter_mut().for_each(|action| *action = flip(action)),
        1 => statement.conditions.iter_mut().for_each(|condition| condition.key = flip(&condition.key)),
        2 => (entries.reverse(), actions.reverse()).0,
        3 => statement.sid = Some(format!("Sid{choice}")),
        4 => document.statements.reverse(),
        5 => document.statements.extend_from_within(at..=at),
        6 => entries.iter_mut().for_each(|entry| {
            *entry = match &*entry {
                PrincipalEntry::Aws(text) if text == "444455556666" => self::entry("arn:aws:iam::444455556666:root"),
                PrincipalEntry::Aws(text) if text == "arn:aws:iam::111122223333:root" => self::entry("111122223333"),
                PrincipalEntry::Everyone => PrincipalEntry::Aws("*".to_owned()),
                other @ (PrincipalEntry::Aws(_)
                | PrincipalEntry::Service(_)
                | PrincipalEntry::Federated(_)
                | PrincipalEntry::Other { .. }) => other.clone(),
            };
        }),
        7 => statement.conditions.iter_mut().for_each(|condition| {
            condition.values.reverse();
            condition.values.extend_from_within(..1);
            for value in &mut condition.values {
                if value.as_text() == "true" {
                    *value = ConditionValue::Bool(true);
                }
            }
            condition.operator.0 = condition.operator.0.replace("ArnLike", "ArnEquals");
        }),
        8 => split(document, at),
        9 => {
            // A pattern that another one of the list covers.
            if let Some(Actions::Is(actions)) = &mut statement.actions
                && actions.iter().any(|action| action == "kms:*" || action == "*")
            {
                actions.push("kms:Decrypt*".to_owned());
            }
        }
        10 => {
            let narrower = statement.clone().when("StringLike", "kms:EncryptionContext:more", ["x*"]);
            document.statements.push(narrower);
        }
        _ => merge(document),
    }
}

/// Splits a statement by principal, and by action where it lists them.
fn split(document: &mut PolicyDocument, at: usize) {
    let whole = document.statements.remove(at);
    let Some(Principals::Is(entries)) = whole.principals.clone() else { unreachable!("it has principals") };
    for entry in entries {
        let part = whole.clone().principals(vec![entry]);
        match &whole.actions {
            Some(Actions::Is(patterns)) => document.statements.extend(
                patterns
                    .iter()
                    .map(|pattern| Statement { actions: Some(Actions::Is(vec![pattern.clone()])), ..part.clone() }),
            ),
            _ => document.statements.push(part),
        }
    }
}

/// Merges the first two statements that differ in their actions only.
fn merge(document: &mut PolicyDocument) {
    let same = |a: &Statement, b: &Statement| {
        let rest = |s: &Statement| (s.effect, s.principals.clone(), s.resources.clone(), s.conditions.clone());
        matches!((&a.actions, &b.actions), (Some(Actions::Is(_)), Some(Actions::Is(_)))) && rest(a) == rest(b)
    };
    for at in 1..document.statements.len() {
        if same(&document.statements[at - 1], &document.statements[at]) {
            let Some(Actions::Is(more)) = document.statements.remove(at).actions else {
                unreachable!("it lists actions")
            };
            if let Some(Actions::Is(actions)) = &mut document.statements[at - 1].actions {
                actions.extend(more);
            }
            return;
        }
    }
}

/// Makes one edit that often changes the meaning.
fn edit(document: &mut PolicyDocument, choice: usize, other: &Statement) {
    let at = (choice / 8) % document.statements.len();
    let statement = &mut document.statements[at];
    match choice % 8 {
        0 => statement.effect = other.effect,
        1 => statement.actions.clone_from(&other.actions),
        2 => statement.principals.clone_from(&other.principals),
        3 => drop(statement.conditions.pop()),
        4 => statement.conditions.clone_from(&other.conditions),
        5 => statement.resources.clone_from(&other.resources),
        6 => document.statements.push(other.clone()),
        _ => statement.conditions.iter_mut().for_each(|condition| condition.values.truncate(1)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rewriting_changes_no_decision(before in document(), choices in prop::collection::vec(0..1200_usize, 1..8)) {
        let mut after = before.clone();
        for choice in choices {
            rewrite(&mut after, choice);
        }
        prop_assert!(before.same_permissions(&after), "{}\n{}", before.to_compact(), after.to_compact());
        prop_assert_eq!(decisions(&before), decisions(&after));
        // The order of cases in the file of the canonical form is another rewriting.
        prop_assert_eq!(decisions(&before.canonical_in(keywright::ids::Partition::Aws).to_document()), decisions(&after));
    }

    #[test]
    fn another_decision_is_another_policy(
        before in document(), other in statement(), choices in prop::collection::vec(0..800_usize, 1..3),
    ) {
        let mut after = before.clone();
        for choice in choices {
            edit(&mut after, choice, &other);
        }
        if decisions(&before) != decisions(&after) {
            prop_assert!(!before.same_permissions(&after), "{}\n{}", before.to_compact(), after.to_compact());
        }
    }
}
