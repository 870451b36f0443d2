//! Runs the bodies of the fuzz targets on stable: over their corpus, over random bytes, and over hostile policies.

#[path = "../../fuzz/bodies.rs"]
mod bodies;
#[path = "../../fuzz/hostile.rs"]
mod hostile;

use keywright::access;
use proptest::prelude::*;
use std::path::Path;

/// Feeds every file of a target's corpus to its body, and returns how many there are.
fn run_corpus(target: &str, body: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| body(&std::fs::read(path).unwrap())).count()
}

#[test]
fn the_corpus_of_policies_holds() {
    assert!(run_corpus("policy", bodies::policy) > 4);
}

#[test]
fn the_corpus_of_calls_holds() {
    assert!(run_corpus("decide", bodies::decide) > 4);
}

/// A text with the marks of policies, so that random ones get past the first character.
fn policy_like() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\"Statement\"",
        "\"Effect\":\"Allow\"",
        "\"Action\":",
        "\"kms:*\"",
        "\"Principal\":",
        "\"*\"",
        "\"Resource\":\"*\"",
        "\"Condition\":",
        "\"StringLike\"",
        "\"aws:username\"",
        "null",
        "1.0",
        "true",
        "${",
        "é",
        "\\u0000",
        "-",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let name = prop::sample::select(vec![
        "Version",
        "Statement",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "Condition",
        "AWS",
        "StringLike",
        "Null",
        "Sid",
        "aws:username",
    ]);
    let text =
        prop::sample::select(vec!["2012-10-17", "Allow", "Deny", "*", "kms:D*", "111122223333", "${*}", "a?b", ""]);
    let leaf = prop_oneof![
        8 => text.prop_map(serde_json::Value::from),
        1 => any::<bool>().prop_map(serde_json::Value::from),
        1 => any::<i64>().prop_map(serde_json::Value::from),
        1 => Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            3 => prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_hold(data in prop::collection::vec(any::<u8>(), 0..400)) {
        bodies::policy(&data);
        bodies::decide(&data);
    }

    #[test]
    fn random_texts_hold(text in policy_like()) {
        bodies::policy(text.as_bytes());
        bodies::decide(text.as_bytes());
    }

    #[test]
    fn random_documents_hold(value in json()) {
        let whole = serde_json::json!({ "Version": "2012-10-17", "Statement": value });
        for value in [value, whole] {
            bodies::policy(value.to_string().as_bytes());
            bodies::decide(value.to_string().as_bytes());
        }
    }
}

/// What makes these end is structure: a piece of a pattern never looks twice at the same text, and questions of
/// inclusion share one budget of steps. A matcher that goes back would not end here; how long it takes, the
/// benchmark tells.
#[test]
fn hostile_policies_end() {
    for hostile in hostile::all() {
        let (document, key) = (hostile.document(), hostile.key());
        let guardrails = access::Guardrails::default();
        drop(access::decide(&hostile.request, &hostile.principal, Some(&key), &guardrails));
        assert_eq!(document.canonical(), document.canonical(), "{}", hostile.name);
    }
}
