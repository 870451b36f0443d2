//! The life of keys, aliases and tags.

use super::*;
use aws_sdk_kms::types::Tag;

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().tag_key(key).tag_value(value).build().unwrap()
}

#[tokio::test]
async fn a_key_is_created_named_tagged_and_found() {
    let bench = Bench::new().await;
    let kms = bench.admin().kms();
    let created = kms.create_key().description("ledger").tags(tag("a", "1")).send().await.unwrap();
    let metadata = created.key_metadata.unwrap();
    let arn = metadata.arn.clone().unwrap();
    assert_eq!(arn, format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{}", metadata.key_id));
    assert_eq!(metadata.key_state.unwrap().as_str(), "Enabled");
    kms.create_alias().alias_name("alias/ledger").target_key_id(&metadata.key_id).send().await.unwrap();
    for name in ["alias/ledger", &arn, &metadata.key_id, &format!("arn:aws:kms:eu-west-1:{ACCOUNT}:alias/ledger")] {
        let described = kms.describe_key().key_id(name).send().await.unwrap().key_metadata.unwrap();
        assert_eq!(described.arn.as_deref(), Some(arn.as_str()));
        assert_eq!(described.description.as_deref(), Some("ledger"));
    }
    kms.tag_resource().key_id(&arn).tags(tag("a", "2")).tags(tag("b", "")).send().await.unwrap();
    let tags = kms.list_resource_tags().key_id(&arn).send().await.unwrap().tags.unwrap();
    assert_eq!(tags, [tag("a", "2"), tag("b", "")]);
    let aliases = kms.list_aliases().key_id(&arn).send().await.unwrap().aliases.unwrap();
    assert_eq!(aliases[0].alias_name.as_deref(), Some("alias/ledger"));
    let other = bench.admin().region("us-east-1").kms();
    assert_eq!(code(other.describe_key().key_id(&metadata.key_id).send().await), "NotFoundException");
    assert_eq!(code(other.describe_key().key_id(&arn).send().await), "NotFoundException");
}

#[tokio::test]
async fn the_caller_is_known_by_its_access_key() {
    let bench = Bench::new().await;
    let identity = bench.admin().sts().get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account.as_deref(), Some(ACCOUNT));
    assert_eq!(identity.arn.as_deref(), Some("arn:aws:iam::111122223333:user/sandbox"));
    assert!(identity.user_id.unwrap().starts_with("AIDA"));
}
