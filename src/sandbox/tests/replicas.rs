//! Multi-Region keys.

use super::*;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyMetadata, Tag};

const HERE: &str = "eu-west-1";
const THERE: &str = "us-east-1";

/// Creates a primary in the first Region.
async fn primary(client: &Client) -> String {
    client.kms().create_key().multi_region(true).send().await.unwrap().key_metadata.unwrap().key_id
}

/// Creates a primary and its replica.
async fn family(client: &Client) -> String {
    let key = primary(client).await;
    client.kms().replicate_key().key_id(&key).replica_region(THERE).send().await.unwrap();
    key
}

async fn described(client: &Client, key: &str) -> KeyMetadata {
    client.kms().describe_key().key_id(key).send().await.unwrap().key_metadata.unwrap()
}

async fn state(client: &Client, key: &str) -> String {
    described(client, key).await.key_state.unwrap().as_str().to_owned()
}

/// Returns the role of a member, and the Regions of the primary and the replicas as it tells them.
async fn roles(client: &Client, key: &str) -> (String, String, Vec<String>) {
    let configuration = described(client, key).await.multi_region_configuration.unwrap();
    let regions = configuration.replica_keys.unwrap_or_default();
    let mut regions: Vec<String> = regions.into_iter().map(|key| key.region.unwrap()).collect();
    regions.sort();
    let primary = configuration.primary_key.unwrap().region.unwrap();
    (configuration.multi_region_key_type.unwrap().as_str().to_owned(), primary, regions)
}

#[tokio::test]
async fn a_replica_has_the_id_and_the_material_and_the_rest_of_its_own() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let tag = |value: &str| Tag::builder().tag_key("of").tag_value(value).build().unwrap();
    let created = here.kms().create_key().multi_region(true).description("one").tags(tag("primary"));
    let key = created.send().await.unwrap().key_metadata.unwrap().key_id;
    let policy = key_policy(Vec::new()).to_string();
    let replicate = here.kms().replicate_key().key_id(&key).replica_region(THERE);
    let made = replicate.clone().policy(&policy).tags(tag("replica")).description("two").send().await.unwrap();
    let metadata = made.replica_key_metadata.unwrap();
    assert_eq!(metadata.arn.as_deref(), Some(format!("arn:aws:kms:{THERE}:{ACCOUNT}:key/{key}").as_str()));
    assert_eq!((metadata.key_state.unwrap().as_str(), metadata.enabled), ("Enabled", true));
    assert_eq!((made.replica_policy.unwrap(), made.replica_tags.unwrap()), (policy.clone(), vec![tag("replica")]));
    assert_eq!(code(replicate.send().await), "AlreadyExistsException");
    for (client, description, of) in [(&here, "one", "primary"), (&there, "two", "replica")] {
        assert_eq!(described(client, &key).await.description.unwrap(), description);
        let tags = client.kms().list_resource_tags().key_id(&key).send().await.unwrap().tags.unwrap();
        assert_eq!(tags, [tag(of)]);
    }
    assert_eq!(there.kms().get_key_policy().key_id(&key).send().await.unwrap().policy.unwrap(), policy);
    assert_ne!(here.kms().get_key_policy().key_id(&key).send().await.unwrap().policy.unwrap(), policy);
    let expected = |kind: &str| (kind.to_owned(), HERE.to_owned(), vec![THERE.to_owned()]);
    assert_eq!(roles(&here, &key).await, expected("PRIMARY"));
    assert_eq!(roles(&there, &key).await, expected("REPLICA"));
}

#[tokio::test]
async fn ciphertext_of_one_region_opens_in_the_other_whatever_was_rotated() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let key = family(&here).await;
    let encrypt = |client: &Client| client.kms().encrypt().key_id(&key).plaintext(Blob::new("x")).send();
    let opens = async |client: &Client, blob: Blob| {
        let opened = client.kms().decrypt().ciphertext_blob(blob).send().await.unwrap();
        assert_eq!(opened.plaintext.unwrap().as_ref(), b"x");
        assert_eq!(opened.key_id.unwrap(), described(client, &key).await.arn.unwrap());
    };
    let old = encrypt(&here).await.unwrap().ciphertext_blob.unwrap();
    opens(&there, old.clone()).await;
    here.kms().rotate_key_on_demand().key_id(&key).send().await.unwrap();
    let current = async |client: &Client| described(client, &key).await.current_key_material_id.unwrap();
    assert_eq!(current(&here).await, current(&there).await);
    opens(&there, old).await;
    opens(&here, encrypt(&there).await.unwrap().ciphertext_blob.unwrap()).await;
}

#[tokio::test]
async fn rotation_is_the_primary_s_and_shows_everywhere() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin().kms(), bench.admin().region(THERE).kms());
    let key = family(&bench.admin()).await;
    assert_eq!(code(there.enable_key_rotation().key_id(&key).send().await), "UnsupportedOperationException");
    assert_eq!(code(there.disable_key_rotation().key_id(&key).send().await), "UnsupportedOperationException");
    assert_eq!(code(there.rotate_key_on_demand().key_id(&key).send().await), "UnsupportedOperationException");
    here.enable_key_rotation().key_id(&key).rotation_period_in_days(90).send().await.unwrap();
    bench.clock.pass(SignedDuration::from_hours(91 * 24));
    for kms in [&here, &there] {
        let status = kms.get_key_rotation_status().key_id(&key).send().await.unwrap();
        assert_eq!((status.key_rotation_enabled, status.rotation_period_in_days), (true, Some(90)));
        assert_eq!(kms.list_key_rotations().key_id(&key).send().await.unwrap().rotations.unwrap().len(), 1);
    }
    // A replica that is made later shows the same.
    let third = bench.admin().region("eu-central-1").kms();
    here.replicate_key().key_id(&key).replica_region("eu-central-1").send().await.unwrap();
    assert!(third.get_key_rotation_status().key_id(&key).send().await.unwrap().key_rotation_enabled);
    here.disable_key_rotation().key_id(&key).send().await.unwrap();
    assert!(!third.get_key_rotation_status().key_id(&key).send().await.unwrap().key_rotation_enabled);
}

#[tokio::test]
async fn only_primaries_are_replicated_and_only_within_their_partition() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let single = here.key().await;
    let replicate = |client: &Client, key: &str, region: &str| {
        client.kms().replicate_key().key_id(key).replica_region(region).send()
    };
    assert_eq!(code(replicate(&here, &single, THERE).await), "UnsupportedOperationException");
    let key = family(&here).await;
    assert_eq!(code(replicate(&there, &key, "eu-central-1").await), "UnsupportedOperationException");
    assert_eq!(code(replicate(&here, &key, "cn-north-1").await), "UnsupportedOperationException");
    assert_eq!(code(replicate(&here, &key, "nowhere").await), "ValidationException");
    assert_eq!(code(replicate(&here, &key, HERE).await), "AlreadyExistsException");
    let lost = key_policy(Vec::new()).to_string().replace("user/sandbox", "root");
    let lost = lost.replace("kms:*", "kms:Describe*");
    let locked = here.kms().replicate_key().key_id(&key).replica_region("eu-central-1").policy(&lost);
    assert_eq!(code(locked.clone().send().await), "MalformedPolicyDocumentException");
    locked.bypass_policy_lockout_safety_check(true).send().await.unwrap();
    let nobody = json!({ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
        "Principal": { "AWS": role_arn("nobody") } });
    let unknown = here.kms().replicate_key().key_id(&key).replica_region("eu-west-3");
    let unknown = unknown.policy(key_policy(vec![nobody]).to_string()).send().await;
    assert_eq!(code(unknown), "MalformedPolicyDocumentException");
    let twice = Tag::builder().tag_key("aws:a").tag_value("").build().unwrap();
    let tagged = here.kms().replicate_key().key_id(&key).replica_region("eu-west-3").tags(twice).send().await;
    assert_eq!(code(tagged), "TagException");
}

#[tokio::test]
async fn replication_needs_two_permissions_whose_conditions_see_regions_and_roles() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = primary(&admin).await;
    let rule = |action: &str, condition: Value| json!({ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": { "StringEquals": condition } });
    let replicate = rule("kms:ReplicateKey", json!({ "kms:ReplicaRegion": [THERE, "eu-central-1"] }));
    let create = |region: &str| {
        rule("kms:CreateKey", json!({ "kms:MultiRegionKeyType": "REPLICA", "aws:RequestedRegion": region }))
    };
    let put = json!({ "Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": "*" });
    let copier = bench.role("copier", Some(statements(json!([replicate, put])))).await;
    let call = |region: &str| copier.kms().replicate_key().key_id(&key).replica_region(region).send();
    assert_eq!(code(call(THERE).await), "AccessDeniedException");
    bench.put_policy("copier", statements(json!([replicate, put, create(THERE)]))).await;
    assert_eq!(code(call("eu-central-1").await), "AccessDeniedException");
    assert_eq!(code(call("eu-west-2").await), "AccessDeniedException");
    call(THERE).await.unwrap();
    assert_eq!(code(copier.kms().create_key().multi_region(true).send().await), "AccessDeniedException");
    // Moving the primary needs the permission on both keys.
    let update =
        |resource: String| json!({ "Effect": "Allow", "Action": "kms:UpdatePrimaryRegion", "Resource": resource });
    let arn = |region: &str| format!("arn:aws:kms:{region}:{ACCOUNT}:key/{key}");
    let move_it = || copier.kms().update_primary_region().key_id(&key).primary_region(THERE).send();
    bench.put_policy("copier", statements(json!([update(arn(HERE))]))).await;
    assert_eq!(code(move_it().await), "AccessDeniedException");
    bench.put_policy("copier", statements(json!([update(arn(HERE)), update(arn(THERE))]))).await;
    move_it().await.unwrap();
}

#[tokio::test]
async fn the_primary_moves_and_the_roles_change() {
    let bench = Bench::new().await;
    let (here, there, third) = (bench.admin(), bench.admin().region(THERE), bench.admin().region("eu-central-1"));
    let key = family(&here).await;
    here.kms().replicate_key().key_id(&key).replica_region("eu-central-1").send().await.unwrap();
    let update =
        |client: &Client, region: &str| client.kms().update_primary_region().key_id(&key).primary_region(region).send();
    assert_eq!(code(update(&there, THERE).await), "UnsupportedOperationException");
    assert_eq!(code(update(&here, "eu-west-3").await), "NotFoundException");
    there.kms().disable_key().key_id(&key).send().await.unwrap();
    assert_eq!(code(update(&here, THERE).await), "DisabledException");
    there.kms().enable_key().key_id(&key).send().await.unwrap();
    update(&here, THERE).await.unwrap();
    let expected = |kind: &str| (kind.to_owned(), THERE.to_owned(), vec!["eu-central-1".to_owned(), HERE.to_owned()]);
    assert_eq!(roles(&there, &key).await, expected("PRIMARY"));
    assert_eq!(roles(&here, &key).await, expected("REPLICA"));
    assert_eq!(roles(&third, &key).await, expected("REPLICA"));
    assert_eq!(code(here.kms().enable_key_rotation().key_id(&key).send().await), "UnsupportedOperationException");
    there.kms().enable_key_rotation().key_id(&key).send().await.unwrap();
    let single = here.key().await;
    let of_single = here.kms().update_primary_region().key_id(&single).primary_region(THERE).send().await;
    assert_eq!(code(of_single), "UnsupportedOperationException");
}

#[tokio::test]
async fn a_primary_waits_for_the_end_of_its_replicas() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let key = family(&here).await;
    let schedule = |client: &Client| client.kms().schedule_key_deletion().key_id(&key).pending_window_in_days(7).send();
    let scheduled = schedule(&here).await.unwrap();
    assert_eq!(scheduled.key_state.unwrap().as_str(), "PendingReplicaDeletion");
    assert_eq!((scheduled.deletion_date, scheduled.pending_window_in_days), (None, Some(7)));
    let metadata = described(&here, &key).await;
    assert_eq!((metadata.deletion_date, metadata.pending_deletion_window_in_days), (None, Some(7)));
    assert_eq!(code(schedule(&here).await), "KMSInvalidStateException");
    here.kms().cancel_key_deletion().key_id(&key).send().await.unwrap();
    assert_eq!((state(&here, &key).await, state(&there, &key).await), ("Disabled".to_owned(), "Enabled".to_owned()));
    schedule(&here).await.unwrap();
    let days = |count: i64| bench.clock.pass(SignedDuration::from_hours(24 * count));
    days(100);
    assert_eq!(state(&here, &key).await, "PendingReplicaDeletion");
    assert_eq!(schedule(&there).await.unwrap().key_state.unwrap().as_str(), "PendingDeletion");
    days(6);
    assert_eq!(state(&here, &key).await, "PendingReplicaDeletion");
    days(1);
    assert_eq!(code(there.kms().describe_key().key_id(&key).send().await), "NotFoundException");
    assert_eq!(state(&here, &key).await, "PendingDeletion");
    days(6);
    assert_eq!(state(&here, &key).await, "PendingDeletion");
    days(1);
    assert_eq!(code(here.kms().describe_key().key_id(&key).send().await), "NotFoundException");
}

#[tokio::test]
async fn two_windows_end_in_one_leap_of_time() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let key = family(&here).await;
    for client in [&here, &there] {
        client.kms().schedule_key_deletion().key_id(&key).pending_window_in_days(7).send().await.unwrap();
    }
    bench.clock.pass(SignedDuration::from_hours(24 * 14));
    assert_eq!(code(here.kms().describe_key().key_id(&key).send().await), "NotFoundException");
}

#[tokio::test]
async fn a_replica_s_place_is_free_again_after_its_deletion_only() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let key = family(&here).await;
    let replicate = || here.kms().replicate_key().key_id(&key).replica_region(THERE).send();
    there.kms().schedule_key_deletion().key_id(&key).pending_window_in_days(7).send().await.unwrap();
    assert_eq!(code(replicate().await), "AlreadyExistsException");
    bench.clock.pass(SignedDuration::from_hours(24 * 7));
    assert_eq!(roles(&here, &key).await.2, Vec::<String>::new());
    replicate().await.unwrap();
}

#[tokio::test]
async fn each_region_has_its_own_state_aliases_and_grants() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let key = family(&here).await;
    here.kms().disable_key().key_id(&key).send().await.unwrap();
    assert_eq!((state(&here, &key).await, state(&there, &key).await), ("Disabled".to_owned(), "Enabled".to_owned()));
    there.kms().create_alias().alias_name("alias/a").target_key_id(&key).send().await.unwrap();
    assert!(here.kms().list_aliases().key_id(&key).send().await.unwrap().aliases.unwrap().is_empty());
    let grantee = format!("arn:aws:iam::{ACCOUNT}:user/sandbox");
    let grant = there.kms().create_grant().key_id(&key).grantee_principal(&grantee).operations("Decrypt".into());
    grant.send().await.unwrap();
    assert!(here.kms().list_grants().key_id(&key).send().await.unwrap().grants.unwrap().is_empty());
    there.kms().update_key_description().key_id(&key).description("there").send().await.unwrap();
    assert_eq!(described(&here, &key).await.description.unwrap(), "");
    there.kms().encrypt().key_id(&key).plaintext(Blob::new("x")).send().await.unwrap();
    let last_use =
        async |client: &Client| client.kms().get_key_last_usage().key_id(&key).send().await.unwrap().key_last_usage;
    assert!(last_use(&there).await.unwrap().operation.is_some());
    assert!(last_use(&here).await.unwrap().operation.is_none());
}

#[tokio::test]
async fn transitions_take_as_long_as_was_asked_for() {
    let bench = Bench::with(StateLocation::Memory, "settle:60").await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let key = primary(&here).await;
    let replicated = here.kms().replicate_key().key_id(&key).replica_region(THERE).send().await.unwrap();
    assert_eq!(replicated.replica_key_metadata.unwrap().key_state.unwrap().as_str(), "Creating");
    let encrypt = there.kms().encrypt().key_id(&key).plaintext(Blob::new("x"));
    assert_eq!(code(encrypt.clone().send().await), "KMSInvalidStateException");
    bench.clock.pass(SignedDuration::from_secs(60));
    encrypt.send().await.unwrap();
    here.kms().update_primary_region().key_id(&key).primary_region(THERE).send().await.unwrap();
    assert_eq!((state(&here, &key).await, state(&there, &key).await), ("Updating".to_owned(), "Updating".to_owned()));
    here.kms().encrypt().key_id(&key).plaintext(Blob::new("x")).send().await.unwrap();
    assert_eq!(code(there.kms().disable_key().key_id(&key).send().await), "KMSInvalidStateException");
    bench.clock.pass(SignedDuration::from_secs(60));
    assert_eq!((state(&here, &key).await, state(&there, &key).await), ("Enabled".to_owned(), "Enabled".to_owned()));
}
