//! What outlives a process, and what goes wrong on request.

use super::*;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_resourcegroupstagging::types::TagFilter;

#[tokio::test]
async fn the_state_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = || StateLocation::Folder(folder.path().to_path_buf());
    let bench = Bench::with(place(), "").await;
    let key = bench.admin().key().await;
    bench.admin().kms().create_alias().alias_name("alias/a").target_key_id(&key).send().await.unwrap();
    let role = bench.role("app", Some(allow("kms:*", "*"))).await;
    let encrypt = role.kms().encrypt().key_id("alias/a").plaintext(Blob::new("text"));
    let blob = encrypt.send().await.unwrap().ciphertext_blob.unwrap();
    bench.sandbox.shutdown().await;

    let again = Bench::with(place(), "").await;
    let role = Client { endpoint: again.sandbox.endpoint(), ..role };
    let opened = role.kms().decrypt().ciphertext_blob(blob).send().await.unwrap();
    assert_eq!(opened.plaintext.unwrap().as_ref(), b"text");
    assert_eq!(opened.key_id.unwrap(), format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}"));
    again.admin().kms().delete_alias().alias_name("alias/a").send().await.unwrap();
    again.sandbox.shutdown().await;

    let third = Bench::with(place(), "").await;
    assert!(third.admin().kms().list_aliases().send().await.unwrap().aliases.unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_reply_leaves_its_effect() {
    let bench = Bench::with(StateLocation::Memory, "drop-reply:CreateKey@1").await;
    let kms = bench.admin().kms();
    let lost = kms.create_key().send().await.unwrap_err();
    assert!(lost.as_service_error().is_none(), "{lost:?}");
    assert_eq!(kms.list_keys().send().await.unwrap().keys.unwrap().len(), 1);
    kms.create_key().send().await.unwrap();
    assert_eq!(bench.sandbox.call_counts().get("kms:CreateKey"), Some(&2));
}

#[tokio::test]
async fn throttling_and_errors_have_no_effect_and_end() {
    let bench = Bench::with(StateLocation::Memory, "throttle:CreateKey*1,error:ListKeys*1,latency:1").await;
    let kms = bench.admin().kms();
    assert_eq!(code(kms.create_key().send().await), "ThrottlingException");
    assert_eq!(code(kms.list_keys().send().await), "InternalFailure");
    assert!(kms.list_keys().send().await.unwrap().keys.unwrap().is_empty());
    kms.create_key().send().await.unwrap();
}

#[tokio::test]
async fn after_a_crash_nothing_answers() {
    let bench = Bench::with(StateLocation::Memory, "crash:CreateAlias@1").await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let cut = kms.create_alias().alias_name("alias/a").target_key_id(&key).send().await.unwrap_err();
    assert!(cut.as_service_error().is_none());
    assert!(kms.list_keys().send().await.unwrap_err().as_service_error().is_none());
}

#[tokio::test]
async fn what_is_new_appears_late_when_lag_is_asked_for() {
    let bench = Bench::with(StateLocation::Memory, "lag:1").await;
    let (kms, tagging) = (bench.admin().kms(), bench.admin().tagging());
    let tag = aws_sdk_kms::types::Tag::builder().tag_key("a").tag_value("b").build().unwrap();
    let key = kms.create_key().tags(tag).send().await.unwrap().key_metadata.unwrap().key_id;
    kms.create_alias().alias_name("alias/a").target_key_id(&key).send().await.unwrap();
    let counts = || async {
        let keys = kms.list_keys().send().await.unwrap().keys.unwrap().len();
        let aliases = kms.list_aliases().send().await.unwrap().aliases.unwrap().len();
        let tagged = tagging.get_resources().send().await.unwrap().resource_tag_mapping_list.unwrap().len();
        (keys, aliases, tagged)
    };
    assert_eq!(counts().await, (0, 0, 0));
    assert_eq!(counts().await, (1, 1, 1));
    // Reads by name are not delayed.
    assert!(kms.describe_key().key_id("alias/a").send().await.is_ok());
}

#[tokio::test]
async fn keys_are_found_by_their_tags() {
    let bench = Bench::new().await;
    let (kms, tagging) = (bench.admin().kms(), bench.admin().tagging());
    let mut arns = Vec::new();
    for stack in ["one", "one", "two"] {
        let tag = aws_sdk_kms::types::Tag::builder().tag_key("stack").tag_value(stack).build().unwrap();
        arns.push(kms.create_key().tags(tag).send().await.unwrap().key_metadata.unwrap().arn.unwrap());
    }
    bench.admin().key().await;
    let filter = TagFilter::builder().key("stack").values("one").build();
    let find = tagging.get_resources().tag_filters(filter).resource_type_filters("kms:key");
    let first = find.clone().resources_per_page(1).send().await.unwrap();
    let token = first.pagination_token.unwrap();
    let second = find.clone().resources_per_page(1).pagination_token(token).send().await.unwrap();
    let arn = |list: Option<Vec<aws_sdk_resourcegroupstagging::types::ResourceTagMapping>>| {
        list.unwrap()[0].resource_arn.clone().unwrap()
    };
    let mut found = [arn(first.resource_tag_mapping_list), arn(second.resource_tag_mapping_list)];
    found.sort();
    let mut expected = arns[..2].to_vec();
    expected.sort();
    assert_eq!(found.to_vec(), expected);
    assert_eq!(second.pagination_token.as_deref(), Some(""));
    let others = tagging.get_resources().resource_type_filters("s3").send().await.unwrap();
    assert!(others.resource_tag_mapping_list.unwrap().is_empty());
    let done = tagging.tag_resources().resource_arn_list(&arns[0]).tags("more", "x").send().await.unwrap();
    assert!(done.failed_resources_map.is_none_or(|failed| failed.is_empty()));
    assert_eq!(tagging.get_tag_keys().send().await.unwrap().tag_keys.unwrap(), ["more", "stack"]);
    tagging.untag_resources().resource_arn_list(&arns[0]).tag_keys("more").send().await.unwrap();
    assert_eq!(tagging.get_tag_keys().send().await.unwrap().tag_keys.unwrap(), ["stack"]);
    let missing = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/none");
    let failed = tagging.tag_resources().resource_arn_list(&missing).tags("a", "b").send().await.unwrap();
    assert!(failed.failed_resources_map.unwrap().contains_key(&missing));
}
