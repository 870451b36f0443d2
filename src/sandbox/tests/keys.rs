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

#[tokio::test]
async fn lists_come_in_pages_that_hold_everything_once() {
    let bench = Bench::new().await;
    let kms = bench.admin().kms();
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(bench.admin().key().await);
        let alias = format!("alias/{n}");
        kms.create_alias().alias_name(alias).target_key_id(&made[0]).send().await.unwrap();
    }
    bench.admin().region("us-east-1").key().await;
    let mut seen = Vec::new();
    let mut pages = kms.list_keys().limit(2).into_paginator().send();
    while let Some(page) = pages.next().await {
        seen.extend(page.unwrap().keys.unwrap().into_iter().map(|key| key.key_id.unwrap()));
    }
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
    let aliases = kms.list_aliases().limit(3).send().await.unwrap();
    assert_eq!((aliases.aliases.unwrap().len(), aliases.truncated), (3, true));
    let rest = kms.list_aliases().limit(3).marker(aliases.next_marker.unwrap()).send().await.unwrap();
    assert_eq!((rest.aliases.unwrap().len(), rest.truncated, rest.next_marker), (2, false, None));
    assert_eq!(code(kms.list_keys().limit(1001).send().await), "ValidationException");
    assert_eq!(code(kms.list_keys().limit(0).send().await), "ValidationException");
    assert_eq!(code(kms.list_keys().marker("x").send().await), "InvalidMarkerException");
}

#[tokio::test]
async fn specs_that_do_not_exist_do_not_fit_or_are_not_here_are_told_apart() {
    let bench = Bench::new().await;
    let kms = bench.admin().kms();
    let create = |spec: &str, usage: &str| kms.create_key().key_spec(spec.into()).key_usage(usage.into()).send();
    assert_eq!(code(create("RSA_1", "SIGN_VERIFY").await), "ValidationException");
    assert_eq!(code(create("SYMMETRIC_DEFAULT", "SIGN_VERIFY").await), "ValidationException");
    let error = create("SM2", "SIGN_VERIFY").await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("UnsupportedOperationException"));
    assert!(error.message().unwrap().contains("SM2"), "{error:?}");
}

#[tokio::test]
async fn tags_that_break_the_rules_are_refused() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    assert_eq!(code(kms.tag_resource().key_id(&key).tags(tag("aws:a", "b")).send().await), "TagException");
    let twice = kms.create_key().tags(tag("a", "b")).tags(tag("a", "c"));
    assert_eq!(code(twice.send().await), "TagException");
    let many = (0..51).map(|n| tag(&n.to_string(), "")).collect();
    assert_eq!(code(kms.tag_resource().key_id(&key).set_tags(Some(many)).send().await), "TagException");
    kms.untag_resource().key_id(&key).tag_keys("nobody").send().await.unwrap();
    let fifty: Vec<Tag> = (0..50).map(|n| tag(&n.to_string(), "")).collect();
    kms.tag_resource().key_id(&key).set_tags(Some(fifty)).send().await.unwrap();
    let page = kms.list_resource_tags().key_id(&key).limit(20).send().await.unwrap();
    assert_eq!((page.tags.unwrap().len(), page.truncated), (20, true));
}

#[tokio::test]
async fn aliases_move_and_keep_their_rules() {
    let bench = Bench::new().await;
    let (kms, key, other) = (bench.admin().kms(), bench.admin().key().await, bench.admin().key().await);
    let create = |name: &str, key: &str| kms.create_alias().alias_name(name).target_key_id(key).send();
    create("alias/a", &key).await.unwrap();
    assert_eq!(code(create("alias/a", &key).await), "AlreadyExistsException");
    assert_eq!(code(create("alias/aws/a", &key).await), "NotAuthorizedException");
    assert_eq!(code(create("a", &key).await), "ValidationException");
    assert_eq!(code(create("alias/a b", &key).await), "ValidationException");
    assert_eq!(code(create("alias/b", "11111111-2222-3333-4444-555555555555").await), "NotFoundException");
    kms.update_alias().alias_name("alias/a").target_key_id(&other).send().await.unwrap();
    let described = kms.describe_key().key_id("alias/a").send().await.unwrap().key_metadata.unwrap();
    assert_eq!(described.key_id, other);
    let unknown = kms.update_alias().alias_name("alias/b").target_key_id(&other);
    assert_eq!(code(unknown.send().await), "NotFoundException");
    // For administration a key is named by itself.
    assert_eq!(code(kms.get_key_policy().key_id("alias/a").send().await), "NotFoundException");
    assert_eq!(code(kms.disable_key().key_id("alias/a").send().await), "NotFoundException");
    assert_eq!(code(kms.schedule_key_deletion().key_id("alias/a").send().await), "NotFoundException");
    kms.delete_alias().alias_name("alias/a").send().await.unwrap();
    assert_eq!(code(kms.delete_alias().alias_name("alias/a").send().await), "NotFoundException");
}

#[tokio::test]
async fn policies_that_kms_does_not_take() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let default: Value =
        serde_json::from_str(&kms.get_key_policy().key_id(&key).send().await.unwrap().policy.unwrap()).unwrap();
    assert_eq!(default["Statement"][0]["Principal"]["AWS"], format!("arn:aws:iam::{ACCOUNT}:root"));
    let put = |policy: String| kms.put_key_policy().key_id(&key).policy(policy).send();
    let admin = json!({ "AWS": format!("arn:aws:iam::{ACCOUNT}:user/sandbox") });
    let one = |statement: Value| statements(json!([statement])).to_string();
    let malformed = [
        "no document".to_owned(),
        one(json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*" })),
        one(json!({ "Effect": "Perhaps", "Action": "kms:*", "Resource": "*", "Principal": admin })),
        one(json!({ "Effect": "Allow", "Resource": "*", "Principal": admin })),
        one(json!({ "Effect": "Allow", "Action": "kms:*", "Principal": admin })),
        json!({ "Version": "2020-01-01", "Statement": [
            { "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": admin }] })
        .to_string(),
    ];
    for policy in malformed {
        assert_eq!(code(put(policy.clone()).await), "MalformedPolicyDocumentException", "{policy}");
    }
    let policy = key_policy(vec![json!({ "Sid": "x".repeat(32_768), "Effect": "Deny", "Action": "kms:Sign",
        "Resource": "*", "Principal": "*" })]);
    assert_eq!(code(put(policy.to_string()).await), "LimitExceededException");
    let policy = key_policy(vec![]).to_string();
    put(policy.clone()).await.unwrap();
    assert_eq!(kms.get_key_policy().key_id(&key).send().await.unwrap().policy.unwrap(), policy);
    let names = kms.list_key_policies().key_id(&key).send().await.unwrap().policy_names.unwrap();
    assert_eq!(names, ["default"]);
    let other = kms.get_key_policy().key_id(&key).policy_name("other");
    assert_eq!(code(other.send().await), "NotFoundException");
}

#[tokio::test]
async fn states_bar_what_aws_bars() {
    use aws_sdk_kms::primitives::Blob;
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let encrypt = || kms.encrypt().key_id(&key).plaintext(Blob::new("x")).send();
    kms.disable_key().key_id(&key).send().await.unwrap();
    assert_eq!(code(encrypt().await), "DisabledException");
    assert_eq!(code(kms.enable_key_rotation().key_id(&key).send().await), "DisabledException");
    kms.tag_resource().key_id(&key).tags(tag("a", "b")).send().await.unwrap();
    kms.enable_key().key_id(&key).send().await.unwrap();
    encrypt().await.unwrap();
    assert_eq!(code(kms.cancel_key_deletion().key_id(&key).send().await), "KMSInvalidStateException");
    for wrong in [6, 31] {
        let schedule = kms.schedule_key_deletion().key_id(&key).pending_window_in_days(wrong);
        assert_eq!(code(schedule.send().await), "ValidationException");
    }
    kms.create_alias().alias_name("alias/a").target_key_id(&key).send().await.unwrap();
    let scheduled = kms.schedule_key_deletion().key_id(&key).send().await.unwrap();
    assert_eq!(scheduled.pending_window_in_days, Some(30));
    assert_eq!(code(encrypt().await), "KMSInvalidStateException");
    assert_eq!(code(kms.enable_key().key_id(&key).send().await), "KMSInvalidStateException");
    let tagging = kms.tag_resource().key_id(&key).tags(tag("a", "b"));
    assert_eq!(code(tagging.send().await), "KMSInvalidStateException");
    let alias = kms.create_alias().alias_name("alias/b").target_key_id(&key);
    assert_eq!(code(alias.send().await), "KMSInvalidStateException");
    kms.cancel_key_deletion().key_id(&key).send().await.unwrap();
    let state = kms.describe_key().key_id(&key).send().await.unwrap().key_metadata.unwrap().key_state.unwrap();
    assert_eq!(state.as_str(), "Disabled");
    kms.schedule_key_deletion().key_id(&key).pending_window_in_days(7).send().await.unwrap();
    bench.clock.pass(SignedDuration::from_hours(7 * 24));
    assert_eq!(code(kms.describe_key().key_id(&key).send().await), "NotFoundException");
    assert!(kms.list_aliases().send().await.unwrap().aliases.unwrap().is_empty());
}

#[tokio::test]
async fn every_spec_can_be_created_for_every_usage_and_tells_its_algorithms() {
    let bench = Bench::new().await;
    let kms = bench.admin().kms();
    for spec in crate::kms::KeySpec::ALL.iter().filter(|spec| !spec.only_in_china()) {
        for usage in crate::kms::KeyUsage::ALL {
            let create = kms.create_key().key_spec(spec.name().into()).key_usage(usage.name().into()).send().await;
            if !spec.allows(*usage) {
                assert_eq!(code(create), "ValidationException", "{spec} {usage}");
                continue;
            }
            let metadata = create.unwrap().key_metadata.unwrap();
            assert_eq!(metadata.key_spec().unwrap().as_str(), spec.name());
            assert_eq!(metadata.key_usage().unwrap().as_str(), usage.name());
            let counts = [
                metadata.encryption_algorithms().len(),
                metadata.signing_algorithms().len(),
                metadata.mac_algorithms().len(),
                metadata.key_agreement_algorithms().len(),
                metadata.encapsulation_algorithms().len(),
            ];
            assert_eq!(counts.iter().filter(|count| **count > 0).count(), 1, "{spec} {usage}: {counts:?}");
            let symmetric = *spec == crate::kms::KeySpec::SymmetricDefault;
            assert_eq!(metadata.current_key_material_id().is_some(), symmetric);
        }
    }
    assert_eq!(code(kms.create_key().key_spec("RSA_2048".into()).send().await), "ValidationException");
}

#[tokio::test]
async fn keys_without_material_and_keys_of_many_regions_say_so() {
    let bench = Bench::new().await;
    let kms = bench.admin().kms();
    let external = kms.create_key().origin("EXTERNAL".into()).send().await.unwrap().key_metadata.unwrap();
    assert_eq!((external.key_state().unwrap().as_str(), external.enabled()), ("PendingImport", false));
    assert_eq!(external.current_key_material_id(), None);
    let encrypt = kms.encrypt().key_id(external.key_id()).plaintext(aws_sdk_kms::primitives::Blob::new("x"));
    assert_eq!(code(encrypt.send().await), "KMSInvalidStateException");
    let primary = kms.create_key().multi_region(true).send().await.unwrap().key_metadata.unwrap();
    assert!(primary.key_id().starts_with("mrk-") && primary.multi_region().unwrap());
    let configuration = primary.multi_region_configuration().unwrap();
    assert_eq!(configuration.multi_region_key_type().unwrap().as_str(), "PRIMARY");
    assert_eq!(configuration.primary_key().unwrap().arn(), primary.arn());
    assert_eq!(configuration.primary_key().unwrap().region(), Some("eu-west-1"));
    assert!(configuration.replica_keys().is_empty());
    assert_eq!(code(kms.create_key().origin("AWS_CLOUDHSM".into()).send().await), "UnsupportedOperationException");
}

#[tokio::test]
async fn operations_that_do_not_fit_a_key_are_refused() {
    let bench = Bench::new().await;
    let kms = bench.admin().kms();
    let make = |spec: &str, usage: &str| kms.create_key().key_spec(spec.into()).key_usage(usage.into());
    let id = |made: aws_sdk_kms::operation::create_key::CreateKeyOutput| made.key_metadata.unwrap().key_id;
    let signer = id(make("ECC_NIST_P256", "SIGN_VERIFY").send().await.unwrap());
    let mac = id(make("HMAC_256", "GENERATE_VERIFY_MAC").send().await.unwrap());
    let external = id(kms.create_key().origin("EXTERNAL".into()).send().await.unwrap());
    for key in [&signer, &mac, &external] {
        assert_eq!(code(kms.enable_key_rotation().key_id(key).send().await), "UnsupportedOperationException");
        assert_eq!(code(kms.disable_key_rotation().key_id(key).send().await), "UnsupportedOperationException");
        assert_eq!(code(kms.get_key_rotation_status().key_id(key).send().await), "UnsupportedOperationException");
    }
    assert_eq!(code(kms.rotate_key_on_demand().key_id(&signer).send().await), "UnsupportedOperationException");
    assert_eq!(code(kms.rotate_key_on_demand().key_id(&external).send().await), "KMSInvalidStateException");
    let encrypt = kms.encrypt().key_id(&signer).plaintext(aws_sdk_kms::primitives::Blob::new("x"));
    assert_eq!(code(encrypt.send().await), "InvalidKeyUsageException");
    let data_key = kms.generate_data_key().key_id(&mac).number_of_bytes(32);
    assert_eq!(code(data_key.send().await), "InvalidKeyUsageException");
    let symmetric = bench.admin().key().await;
    kms.create_alias().alias_name("alias/a").target_key_id(&symmetric).send().await.unwrap();
    let moved = kms.update_alias().alias_name("alias/a").target_key_id(&signer);
    assert_eq!(code(moved.send().await), "ValidationException");
}
