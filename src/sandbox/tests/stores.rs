//! Custom key stores.

use super::*;
use aws_sdk_kms::operation::create_custom_key_store::builders::CreateCustomKeyStoreFluentBuilder as Create;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{CustomKeyStoresListEntry as Entry, XksProxyAuthenticationCredentialType as Credential};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

fn external(client: &Client, name: &str) -> Create {
    let credential = Credential::builder().access_key_id("ABCDEFGHIJKLMNOPQRST").raw_secret_access_key(SECRET);
    let create = client.kms().create_custom_key_store().custom_key_store_name(name);
    create
        .custom_key_store_type("EXTERNAL_KEY_STORE".into())
        .xks_proxy_connectivity("PUBLIC_ENDPOINT".into())
        .xks_proxy_uri_endpoint(format!("https://{name}.example.com"))
        .xks_proxy_uri_path("/kms/xks/v1")
        .xks_proxy_authentication_credential(credential.build().unwrap())
}

fn hsm(client: &Client, name: &str, cluster: &str) -> Create {
    let create = client.kms().create_custom_key_store().custom_key_store_name(name).cloud_hsm_cluster_id(cluster);
    create.trust_anchor_certificate("certificate").key_store_password("password")
}

async fn made(create: Create) -> String {
    create.send().await.unwrap().custom_key_store_id.unwrap()
}

/// Creates an external key store, and connects it.
pub(super) async fn connected(client: &Client, name: &str) -> String {
    let id = made(external(client, name)).await;
    client.kms().connect_custom_key_store().custom_key_store_id(&id).send().await.unwrap();
    id
}

async fn described(client: &Client, id: &str) -> Entry {
    let answer = client.kms().describe_custom_key_stores().custom_key_store_id(id).send().await.unwrap();
    answer.custom_key_stores.unwrap().remove(0)
}

#[tokio::test]
async fn stores_are_created_and_tell_everything_but_their_secrets() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let one = made(external(&admin, "one")).await;
    assert!(one.starts_with("cks-") && one.len() == 21, "{one}");
    let entry = described(&admin, &one).await;
    let proxy = entry.xks_proxy_configuration.unwrap();
    assert_eq!(entry.connection_state.unwrap().as_str(), "DISCONNECTED");
    assert_eq!(entry.custom_key_store_type.unwrap().as_str(), "EXTERNAL_KEY_STORE");
    assert_eq!(
        (proxy.uri_endpoint.as_deref(), proxy.uri_path.as_deref()),
        (Some("https://one.example.com"), Some("/kms/xks/v1"))
    );
    assert_eq!(proxy.connectivity.unwrap().as_str(), "PUBLIC_ENDPOINT");
    let two = made(hsm(&admin, "two", "cluster-abcdefghijk")).await;
    let entry = described(&admin, &two).await;
    assert_eq!(entry.cloud_hsm_cluster_id.as_deref(), Some("cluster-abcdefghijk"));
    assert_eq!(entry.trust_anchor_certificate.as_deref(), Some("certificate"));
    assert_eq!(entry.custom_key_store_type.unwrap().as_str(), "AWS_CLOUDHSM");
    let kms = admin.kms();
    let list = kms.describe_custom_key_stores();
    let named = list.clone().custom_key_store_name("two").send().await.unwrap().custom_key_stores.unwrap();
    assert_eq!(named[0].custom_key_store_id.as_ref(), Some(&two));
    let page = list.clone().limit(1).send().await.unwrap();
    assert_eq!((page.custom_key_stores.unwrap().len(), page.truncated), (1, true));
    let rest = list.clone().marker(page.next_marker.unwrap()).send().await.unwrap();
    assert_eq!((rest.custom_key_stores.unwrap().len(), rest.truncated), (1, false));
    assert_eq!(code(list.clone().custom_key_store_id("cks-x").send().await), "CustomKeyStoreNotFoundException");
    assert_eq!(code(list.custom_key_store_id(&one).custom_key_store_name("one").send().await), "ValidationException");
    let elsewhere = bench.admin().region("us-east-1").kms().describe_custom_key_stores().send().await.unwrap();
    assert!(elsewhere.custom_key_stores.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_malformed_or_belongs_to_another_store_is_refused() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    made(external(&admin, "one")).await;
    made(hsm(&admin, "two", "cluster-abcdefghijk")).await;
    let vpc = |name: &str, service: &str| {
        let create = external(&admin, name).xks_proxy_connectivity("VPC_ENDPOINT_SERVICE".into());
        create.xks_proxy_vpc_endpoint_service_name(format!("com.amazonaws.vpce.eu-west-1.vpce-svc-{service}"))
    };
    made(vpc("three", "0123456789")).await;
    let invalid = [
        external(&admin, "x").xks_proxy_uri_endpoint("http://x.example.com"),
        external(&admin, "x").xks_proxy_uri_endpoint("https://x.example.com/a"),
        external(&admin, "x").xks_proxy_uri_path("/kms/xks/v"),
        external(&admin, "x").xks_proxy_uri_path("/a b/kms/xks/v1"),
        external(&admin, "x").set_xks_proxy_connectivity(None),
        external(&admin, "x").set_xks_proxy_authentication_credential(None),
        external(&admin, "x").set_xks_proxy_uri_path(None),
        external(&admin, "x").xks_proxy_connectivity("VPC_ENDPOINT_SERVICE".into()),
        external(&admin, "x").key_store_password("password"),
        hsm(&admin, "x", "cluster-1"),
        hsm(&admin, "x", "cluster-bbcdefghijk").key_store_password("short"),
        hsm(&admin, "x", "cluster-bbcdefghijk").set_trust_anchor_certificate(None),
        hsm(&admin, "x", "cluster-bbcdefghijk").xks_proxy_uri_path("/kms/xks/v1"),
        admin.kms().create_custom_key_store().custom_key_store_name("x"),
    ];
    for create in invalid {
        assert_eq!(code(create.clone().send().await), "ValidationException", "{create:?}");
    }
    let one = "https://one.example.com";
    let taken = [
        (external(&admin, "one").xks_proxy_uri_path("/a/kms/xks/v1"), "CustomKeyStoreNameInUseException"),
        (external(&admin, "x").xks_proxy_uri_endpoint(one), "XksProxyUriInUseException"),
        (
            vpc("x", "9876543210").xks_proxy_uri_endpoint(one).xks_proxy_uri_path("/a/kms/xks/v1"),
            "XksProxyUriEndpointInUseException",
        ),
        (vpc("x", "0123456789"), "XksProxyVpcEndpointServiceInUseException"),
        (hsm(&admin, "x", "cluster-abcdefghijk"), "CloudHsmClusterInUseException"),
    ];
    for (create, expected) in taken {
        assert_eq!(code(create.send().await), expected);
    }
    // The same proxy below another path is another one.
    made(external(&admin, "four").xks_proxy_uri_endpoint(one).xks_proxy_uri_path("/a/kms/xks/v1")).await;
    for n in 4..10 {
        made(external(&admin, &format!("more-{n}"))).await;
    }
    assert_eq!(code(external(&admin, "eleven").send().await), "LimitExceededException");
    assert!(external(&admin.region("us-east-1"), "eleven").send().await.is_ok());
}

#[tokio::test]
async fn connection_states_decide_what_can_be_done() {
    let bench = Bench::with(StateLocation::Memory, "settle:60").await;
    let admin = bench.admin();
    let (kms, id) = (admin.kms(), made(external(&admin, "one")).await);
    let state = async || described(&admin, &id).await.connection_state.unwrap().as_str().to_owned();
    let disconnect = || kms.disconnect_custom_key_store().custom_key_store_id(&id).send();
    let update = || kms.update_custom_key_store().custom_key_store_id(&id);
    assert_eq!(code(disconnect().await), "CustomKeyStoreInvalidStateException");
    kms.connect_custom_key_store().custom_key_store_id(&id).send().await.unwrap();
    assert_eq!(state().await, "CONNECTING");
    let create =
        || kms.create_key().origin("EXTERNAL_KEY_STORE".into()).custom_key_store_id(&id).xks_key_id("k").send();
    assert_eq!(code(create().await), "CustomKeyStoreInvalidStateException");
    bench.clock.pass(SignedDuration::from_secs(60));
    assert_eq!(state().await, "CONNECTED");
    create().await.unwrap();
    let delete = || kms.delete_custom_key_store().custom_key_store_id(&id).send();
    assert_eq!(code(delete().await), "CustomKeyStoreInvalidStateException");
    update().new_custom_key_store_name("renamed").xks_proxy_uri_path("/b/kms/xks/v1").send().await.unwrap();
    let moved = || update().xks_proxy_uri_endpoint("https://other.example.com").send();
    assert_eq!(code(moved().await), "CustomKeyStoreInvalidStateException");
    disconnect().await.unwrap();
    moved().await.unwrap();
    assert_eq!(code(update().cloud_hsm_cluster_id("cluster-abcdefghijk").send().await), "ValidationException");
    let to_vpc = update().xks_proxy_connectivity("VPC_ENDPOINT_SERVICE".into());
    let to_vpc = to_vpc.xks_proxy_vpc_endpoint_service_name("com.amazonaws.vpce.eu-west-1.vpce-svc-0123");
    assert_eq!(code(to_vpc.clone().send().await), "ValidationException");
    to_vpc.xks_proxy_uri_endpoint("https://private.example.com").send().await.unwrap();
    let entry = described(&admin, &id).await;
    let proxy = entry.xks_proxy_configuration.unwrap();
    assert_eq!(entry.custom_key_store_name.as_deref(), Some("renamed"));
    assert_eq!(
        (proxy.uri_endpoint.as_deref(), proxy.uri_path.as_deref()),
        (Some("https://private.example.com"), Some("/b/kms/xks/v1"))
    );
    assert_eq!(proxy.vpc_endpoint_service_owner.as_deref(), Some(ACCOUNT));
    assert_eq!(code(delete().await), "CustomKeyStoreHasCMKsException");
}

#[tokio::test]
async fn a_store_without_keys_goes() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, id) = (admin.kms(), connected(&admin, "one").await);
    let create = kms.create_key().origin("EXTERNAL_KEY_STORE".into()).custom_key_store_id(&id).xks_key_id("k");
    let key = create.send().await.unwrap().key_metadata.unwrap().key_id;
    kms.schedule_key_deletion().key_id(&key).pending_window_in_days(7).send().await.unwrap();
    kms.disconnect_custom_key_store().custom_key_store_id(&id).send().await.unwrap();
    let state = kms.describe_key().key_id(&key).send().await.unwrap().key_metadata.unwrap().key_state.unwrap();
    assert_eq!(state.as_str(), "PendingDeletion");
    let delete = || kms.delete_custom_key_store().custom_key_store_id(&id).send();
    assert_eq!(code(delete().await), "CustomKeyStoreHasCMKsException");
    bench.clock.pass(SignedDuration::from_hours(24 * 7));
    delete().await.unwrap();
    assert_eq!(code(delete().await), "CustomKeyStoreNotFoundException");
}

#[tokio::test]
async fn keys_in_stores_are_symmetric_of_one_region_and_named_once() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, xks) = (admin.kms(), connected(&admin, "one").await);
    let cluster = made(hsm(&admin, "two", "cluster-abcdefghijk")).await;
    let in_cluster = || kms.create_key().origin("AWS_CLOUDHSM".into()).custom_key_store_id(&cluster);
    assert_eq!(code(in_cluster().send().await), "CustomKeyStoreInvalidStateException");
    kms.connect_custom_key_store().custom_key_store_id(&cluster).send().await.unwrap();
    let metadata = in_cluster().send().await.unwrap().key_metadata.unwrap();
    assert_eq!(metadata.custom_key_store_id.as_ref(), Some(&cluster));
    assert_eq!(metadata.cloud_hsm_cluster_id.as_deref(), Some("cluster-abcdefghijk"));
    assert_eq!(metadata.current_key_material_id, None);
    let in_proxy = || kms.create_key().origin("EXTERNAL_KEY_STORE".into()).custom_key_store_id(&xks);
    assert_eq!(code(in_proxy().send().await), "ValidationException");
    let metadata = in_proxy().xks_key_id("k-1").send().await.unwrap().key_metadata.unwrap();
    assert_eq!(metadata.xks_key_configuration.unwrap().id.as_deref(), Some("k-1"));
    assert_eq!(code(in_proxy().xks_key_id("k-1").send().await), "XksKeyAlreadyInUseException");
    assert_eq!(code(in_proxy().xks_key_id("k 2").send().await), "ValidationException");
    assert_eq!(code(in_cluster().xks_key_id("k-2").send().await), "ValidationException");
    assert_eq!(code(in_proxy().multi_region(true).xks_key_id("k-2").send().await), "UnsupportedOperationException");
    let hmac = in_cluster().key_spec("HMAC_256".into()).key_usage("GENERATE_VERIFY_MAC".into());
    assert_eq!(code(hmac.send().await), "UnsupportedOperationException");
    let wrong = kms.create_key().origin("AWS_CLOUDHSM".into()).custom_key_store_id(&xks);
    assert_eq!(code(wrong.send().await), "ValidationException");
    assert_eq!(code(kms.create_key().custom_key_store_id(&xks).send().await), "ValidationException");
    let unknown = kms.create_key().origin("AWS_CLOUDHSM".into()).custom_key_store_id("cks-0");
    assert_eq!(code(unknown.send().await), "CustomKeyStoreNotFoundException");
}

#[tokio::test]
async fn keys_of_a_disconnected_store_are_unavailable_and_come_back() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, id) = (admin.kms(), connected(&admin, "one").await);
    let create = kms.create_key().origin("EXTERNAL_KEY_STORE".into()).custom_key_store_id(&id).xks_key_id("k");
    let key = create.send().await.unwrap().key_metadata.unwrap().key_id;
    let blob = kms.encrypt().key_id(&key).plaintext(Blob::new("x")).send().await.unwrap().ciphertext_blob.unwrap();
    let rotate = kms.rotate_key_on_demand().key_id(&key);
    assert_eq!(code(rotate.send().await), "UnsupportedOperationException");
    assert_eq!(code(kms.enable_key_rotation().key_id(&key).send().await), "UnsupportedOperationException");
    kms.disconnect_custom_key_store().custom_key_store_id(&id).send().await.unwrap();
    let state = async || {
        let metadata = kms.describe_key().key_id(&key).send().await.unwrap().key_metadata.unwrap();
        metadata.key_state.unwrap().as_str().to_owned()
    };
    assert_eq!(state().await, "Unavailable");
    let decrypt = || kms.decrypt().ciphertext_blob(blob.clone()).send();
    assert_eq!(code(decrypt().await), "KMSInvalidStateException");
    // Switching it off succeeds now and shows later.
    kms.disable_key().key_id(&key).send().await.unwrap();
    assert_eq!(state().await, "Unavailable");
    kms.connect_custom_key_store().custom_key_store_id(&id).send().await.unwrap();
    assert_eq!(state().await, "Disabled");
    kms.enable_key().key_id(&key).send().await.unwrap();
    assert_eq!(decrypt().await.unwrap().plaintext.unwrap().as_ref(), b"x");
}

#[tokio::test]
async fn store_operations_are_a_matter_of_iam() {
    let bench = Bench::new().await;
    let role = bench.role("reader", Some(allow("kms:DescribeCustomKeyStores", "*"))).await;
    assert!(role.kms().describe_custom_key_stores().send().await.is_ok());
    assert_eq!(code(external(&role, "one").send().await), "AccessDeniedException");
    let id = made(external(&bench.admin(), "one")).await;
    let kms = role.kms();
    assert_eq!(code(kms.connect_custom_key_store().custom_key_store_id(&id).send().await), "AccessDeniedException");
    assert_eq!(code(kms.delete_custom_key_store().custom_key_store_id(&id).send().await), "AccessDeniedException");
}
