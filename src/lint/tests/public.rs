//! The rule of public access against brute force: every stranger and every context of a small universe.

use crate::access::{ContextValue, Decision, Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request, decide};
use crate::diag::Code;
use crate::kms::KmsAction;
use crate::lint::{LintKey, LintSeverity, lint_key};
use crate::policy::{Condition, ConditionOperator, Effect, PolicyDocument, PrincipalEntry, Statement};
use proptest::prelude::*;
use proptest::sample::select;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const STRANGER: &str = "777788889999";

fn condition() -> impl Strategy<Value = Condition> {
    let text = select(vec!["StringEquals", "StringNotEquals", "StringLike", "StringEqualsIfExists", "Null"]);
    let by_text = select(vec![
        ("aws:PrincipalOrgID", vec!["o-ours", "o-*"]),
        ("aws:PrincipalAccount", vec!["111122223333", "*"]),
        ("kms:CallerAccount", vec!["111122223333", "4444*"]),
        ("aws:SourceAccount", vec!["111122223333", "*"]),
        ("kms:ViaService", vec!["s3.eu-west-1.amazonaws.com", "s3.*.amazonaws.com"]),
        ("kms:EncryptionContext:app", vec!["x", "x*"]),
        ("aws:PrincipalTag/team", vec!["a", "*"]),
    ]);
    let by_text = (text, by_text, 0_usize..2, prop::bool::ANY).prop_map(|(operator, (key, values), at, absent)| {
        let value = if operator == "Null" { if absent { "true" } else { "false" } } else { values[at] };
        (operator, key, value)
    });
    let arn = select(vec!["ArnLike", "ArnNotLike", "ArnLikeIfExists"]);
    let arns =
        select(vec!["arn:aws:iam::111122223333:role/*", "arn:aws:iam::*:role/app", "arn:aws:iam::*:user/*", "*"]);
    let by_arn = (arn, arns).prop_map(|(operator, value)| (operator, "aws:PrincipalArn", value));
    let service = select(vec!["true", "false"]).prop_map(|value| ("Bool", "aws:PrincipalIsAWSService", value));
    prop_oneof![6 => by_text, 2 => by_arn, 1 => service].prop_map(|(operator, key, value)| Condition {
        operator: ConditionOperator(operator.to_owned()),
        key: key.to_owned(),
        values: vec![value.into()],
    })
}

fn statement() -> impl Strategy<Value = Statement> {
    let actions = select(vec!["kms:*", "kms:Decrypt", "kms:DescribeKey", "kms:PutKeyPolicy", "kms:GetPublicKey"]);
    let effect = prop_oneof![3 => Just(Effect::Allow), 1 => Just(Effect::Deny)];
    (effect, actions, prop::collection::vec(condition(), 0..3)).prop_map(|(effect, action, conditions)| Statement {
        effect,
        conditions,
        ..Statement::allow("S", [action]).principals(vec![PrincipalEntry::Everyone])
    })
}

/// A caller, and what its requests carry besides.
type Stranger = (PrincipalFacts, Vec<(&'static str, Option<&'static str>)>);

/// Returns callers of an account that no policy here names, and services that call for it or for nobody.
fn strangers() -> Vec<Stranger> {
    let mut all = Vec::new();
    for name in ["role/unnamed", "role/app", "user/unnamed"] {
        for org in [None, Some("o-0theirs000")] {
            for tag in [None, Some("a"), Some("*"), Some("b")] {
                let arn = format!("arn:aws:iam::{STRANGER}:{name}");
                let mut facts = PrincipalFacts::from_arn(&arn.parse().unwrap());
                facts.org_id = org.map(str::to_owned);
                facts.tags = tag.map(|tag| ("team".to_owned(), tag.to_owned())).into_iter().collect();
                facts.identity_policies = vec![PolicyDocument::new(vec![Statement::allow("All", ["*"])])];
                all.push((facts, Vec::new()));
            }
        }
    }
    for account in [None, Some(STRANGER)] {
        // A service passes on the tags of nobody, but its request may carry them as any other key.
        for tag in [None, Some("a"), Some("*"), Some("b")] {
            let facts = PrincipalFacts::new(PrincipalType::Service, "s3.amazonaws.com", None);
            all.push((facts, vec![("aws:SourceAccount", account), ("aws:PrincipalTag/team", tag)]));
        }
    }
    all
}

/// Returns the requests of an action: through a service or directly, with an encryption context or without.
fn requests(action: &KmsAction) -> Vec<Request> {
    let mut all = Vec::new();
    for via in [None, Some("s3.eu-west-1.amazonaws.com"), Some("rds.eu-west-1.amazonaws.com")] {
        for context in [None, Some("x"), Some("x*"), Some("y")] {
            let mut request = Request::new(action.full, KEY, "eu-west-1".parse().unwrap());
            request.via_service = via.map(str::to_owned);
            let pair = context.map(|value| ("app".to_owned(), value.to_owned()));
            request.encryption_context = pair.into_iter().collect();
            all.push(request);
        }
    }
    all
}

/// Returns whether any stranger is allowed anything by one allow and every deny.
fn admits(key: &KeyFacts) -> bool {
    let actions = ["Decrypt", "Encrypt", "DescribeKey", "PutKeyPolicy", "GetPublicKey"];
    let requests: Vec<Request> = actions.iter().flat_map(|action| requests(KmsAction::find(action).unwrap())).collect();
    strangers().iter().any(|(caller, context)| {
        requests.iter().any(|request| {
            let mut request = request.clone();
            for (name, value) in context {
                let value = value.map(|value| ContextValue::One(value.to_owned()));
                request.context.insert((*name).to_owned(), value);
            }
            decide(&request, caller, Some(key), &Guardrails::default()) == Decision::Allow
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn critical_exactly_if_a_stranger_gets_in(statements in prop::collection::vec(statement(), 1..4)) {
        let policy = PolicyDocument::new(statements);
        let key = KeyFacts::new(KEY, "111122223333".parse().unwrap(), "eu-west-1".parse().unwrap(), policy);
        let findings = lint_key(LintKey::new(&key));
        let public = findings.iter().filter(|finding| finding.code == Code::PublicAccess);
        let critical = public.filter(|finding| finding.severity == LintSeverity::Critical).count() > 0;
        prop_assert_eq!(critical, admits(&key), "{:#?}", findings);
    }
}
