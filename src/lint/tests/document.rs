//! Policies that stand alone: what they are taken for, and what is not said of them.

use crate::lint::{LintSeverity, lint_document};

fn codes(text: &str, key: Option<&str>) -> Vec<&'static str> {
    let key = key.map(|arn| arn.parse().unwrap());
    let findings = lint_document(text, key.as_ref()).unwrap();
    findings.into_iter().filter(|one| one.severity > LintSeverity::Info).map(|one| one.code.name()).collect()
}

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn a_policy_without_principals_is_one_of_an_identity() {
    let text =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*","kms:Decrypt"],"Resource":"*"}}"#;
    assert_eq!(codes(text, None), ["decrypt-all-keys"]);
}

#[test]
fn the_own_account_is_that_of_the_key_or_of_those_who_may_change_the_policy() {
    let foreign = r#"{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"kms:Decrypt","Resource":"*"}"#;
    let own = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/admin"},"Action":"kms:PutKeyPolicy","Resource":"*"}"#;
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{own},{foreign}]}}"#);
    assert_eq!(codes(&text, Some(KEY)), ["cross-account-access"]);
    assert_eq!(codes(&text, None), ["cross-account-access"]);
    let nobody_knows = format!(r#"{{"Version":"2012-10-17","Statement":[{foreign}]}}"#);
    assert_eq!(codes(&nobody_knows, None), Vec::<&str>::new());
}

#[test]
fn the_region_is_judged_only_where_the_key_is_known() {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}}]}"#;
    assert_eq!(codes(text, None), Vec::<&str>::new());
    assert_eq!(codes(text, Some(KEY)), ["impossible-via-service"]);
}

#[test]
fn what_is_no_policy_is_an_error() {
    assert!(lint_document("{", None).is_err());
    assert!(lint_document("[]", None).is_err());
}
