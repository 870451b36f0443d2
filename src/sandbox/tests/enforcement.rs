//! Every call is judged: key policies, identity policies, grants, session policies, boundaries, trust.

use super::*;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, GrantConstraints, GrantOperation};

/// The outcome of an `Encrypt` with an encryption context: `ok` or the code.
async fn encrypt(client: &Client, key: &str, context: &[(&str, &str)]) -> String {
    let mut request = client.kms().encrypt().key_id(key).plaintext(Blob::new("text"));
    for (name, value) in context {
        request = request.encryption_context(*name, *value);
    }
    match request.send().await {
        Ok(_) => "ok".to_owned(),
        Err(error) => code::<(), _, _>(Err(error)),
    }
}

async fn describe(client: &Client, key: &str) -> String {
    match client.kms().describe_key().key_id(key).send().await {
        Ok(_) => "ok".to_owned(),
        Err(error) => code::<(), _, _>(Err(error)),
    }
}

const DENIED: &str = "AccessDeniedException";

#[tokio::test]
async fn without_policies_nothing_is_allowed() {
    let bench = Bench::new().await;
    let key = bench.admin().key().await;
    let role = bench.role("app", None).await;
    assert_eq!(encrypt(&role, &key, &[]).await, DENIED);
    assert_eq!(code(role.kms().create_key().send().await), DENIED);
    assert_eq!(code(role.kms().list_keys().send().await), DENIED);
    assert_eq!(code(role.kms().list_aliases().send().await), DENIED);
    assert_eq!(code(role.kms().generate_random().number_of_bytes(8).send().await), DENIED);
    assert_eq!(code(role.tagging().get_resources().send().await), DENIED);
    let create = role.iam().create_role().role_name("x").assume_role_policy_document("{}");
    assert_eq!(code(create.send().await), "AccessDenied");
}

#[tokio::test]
async fn refusals_name_the_caller_the_action_and_the_reason() {
    let bench = Bench::new().await;
    let key = bench.admin().key().await;
    let role = bench.role("app", None).await;
    let error = role.kms().describe_key().key_id(&key).send().await.unwrap_err();
    let message = error.as_service_error().unwrap().message().unwrap().to_owned();
    let expected = format!(
        "User: arn:aws:sts::{ACCOUNT}:assumed-role/app/test is not authorized to perform: kms:DescribeKey on resource: \
         arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key} because no identity-based policy allows the kms:DescribeKey action"
    );
    assert_eq!(message, expected);
}

#[tokio::test]
async fn identity_policies_count_where_the_key_policy_delegates() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (delegating, strict) = (admin.key().await, admin.key_with(key_policy(vec![])).await);
    let role = bench.role("app", Some(allow("kms:Encrypt", "*"))).await;
    assert_eq!(encrypt(&role, &delegating, &[]).await, "ok");
    assert_eq!(describe(&role, &delegating).await, DENIED);
    assert_eq!(encrypt(&role, &strict, &[]).await, DENIED);
    bench.put_policy("app", allow("kms:*", "*")).await;
    assert_eq!(encrypt(&role, &strict, &[]).await, DENIED);
}

#[tokio::test]
async fn a_key_policy_that_names_the_role_is_enough_and_a_deny_wins() {
    let bench = Bench::new().await;
    let role = bench.role("app", None).await;
    let named = |effect: &str, action: &str| json!({ "Effect": effect, "Action": action, "Resource": "*", "Principal": { "AWS": role_arn("app") } });
    let key = bench.admin().key_with(key_policy(vec![named("Allow", "kms:Encrypt")])).await;
    assert_eq!(encrypt(&role, &key, &[]).await, "ok");
    assert_eq!(describe(&role, &key).await, DENIED);
    bench.put_policy("app", allow("kms:*", "*")).await;
    let policy = key_policy(vec![named("Allow", "kms:*"), named("Deny", "kms:DescribeKey")]);
    bench.admin().kms().put_key_policy().key_id(&key).policy(policy.to_string()).send().await.unwrap();
    assert_eq!(encrypt(&role, &key, &[]).await, "ok");
    assert_eq!(describe(&role, &key).await, DENIED);
}

#[tokio::test]
async fn conditions_on_context_tags_and_aliases() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = admin.key().await;
    let role = bench.role("app", None).await;
    let when = |condition: Value| {
        statements(json!([{ "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition }]))
    };
    bench.put_policy("app", when(json!({ "StringEquals": { "kms:EncryptionContext:app": "ledger" } }))).await;
    assert_eq!(encrypt(&role, &key, &[("app", "ledger")]).await, "ok");
    assert_eq!(encrypt(&role, &key, &[("app", "other")]).await, DENIED);
    assert_eq!(encrypt(&role, &key, &[]).await, DENIED);

    bench.put_policy("app", when(json!({ "StringEquals": { "aws:ResourceTag/env": "prod" } }))).await;
    assert_eq!(encrypt(&role, &key, &[]).await, DENIED);
    let tag = aws_sdk_kms::types::Tag::builder().tag_key("env").tag_value("prod").build().unwrap();
    admin.kms().tag_resource().key_id(&key).tags(tag).send().await.unwrap();
    assert_eq!(encrypt(&role, &key, &[]).await, "ok");

    let aliases = json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": "alias/app" } });
    bench.put_policy("app", when(aliases)).await;
    assert_eq!(encrypt(&role, &key, &[]).await, DENIED);
    admin.kms().create_alias().alias_name("alias/app").target_key_id(&key).send().await.unwrap();
    assert_eq!(encrypt(&role, &key, &[]).await, "ok");
    bench.put_policy("app", when(json!({ "StringEquals": { "kms:RequestAlias": "alias/app" } }))).await;
    assert_eq!(encrypt(&role, &key, &[]).await, DENIED);
    assert_eq!(encrypt(&role, "alias/app", &[]).await, "ok");
}

#[tokio::test]
async fn the_resource_of_an_identity_policy_is_the_key_also_when_named_by_alias() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = admin.key().await;
    admin.kms().create_alias().alias_name("alias/app").target_key_id(&key).send().await.unwrap();
    let alias = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:alias/app");
    let role = bench.role("app", Some(allow("kms:Encrypt", &alias))).await;
    assert_eq!(encrypt(&role, "alias/app", &[]).await, DENIED);
    bench.put_policy("app", allow("kms:Encrypt", &format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}"))).await;
    assert_eq!(encrypt(&role, "alias/app", &[]).await, "ok");
    let other = admin.key().await;
    assert_eq!(encrypt(&role, &other, &[]).await, DENIED);
}

#[tokio::test]
async fn a_grant_allows_its_operations_under_its_constraints_until_revoked() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = admin.key().await;
    let role = bench.role("app", None).await;
    let constraints = GrantConstraints::builder().encryption_context_subset("app", "ledger").build();
    let request = admin.kms().create_grant().key_id(&key).grantee_principal(role_arn("app"));
    let request = request.operations(GrantOperation::Encrypt).constraints(constraints);
    let grant = request.send().await.unwrap().grant_id.unwrap();
    assert_eq!(encrypt(&role, &key, &[("app", "ledger"), ("more", "x")]).await, "ok");
    assert_eq!(encrypt(&role, &key, &[("app", "other")]).await, DENIED);
    assert_eq!(describe(&role, &key).await, DENIED);
    admin.kms().revoke_grant().key_id(&key).grant_id(&grant).send().await.unwrap();
    assert_eq!(encrypt(&role, &key, &[("app", "ledger")]).await, DENIED);

    let constraints = GrantConstraints::builder().encryption_context_equals("app", "ledger").build();
    let request = admin.kms().create_grant().key_id(&key).grantee_principal(role_arn("app"));
    request.operations(GrantOperation::Encrypt).constraints(constraints).send().await.unwrap();
    assert_eq!(encrypt(&role, &key, &[("app", "ledger")]).await, "ok");
    assert_eq!(encrypt(&role, &key, &[("app", "ledger"), ("more", "x")]).await, DENIED);
}

#[tokio::test]
async fn session_policies_and_boundaries_narrow() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = admin.key().await;
    let role = bench.role("app", Some(allow("kms:*", "*"))).await;
    assert_eq!((encrypt(&role, &key, &[]).await.as_str(), describe(&role, &key).await.as_str()), ("ok", "ok"));
    let session = admin.assume("app", Some(allow("kms:DescribeKey", "*"))).await;
    assert_eq!((encrypt(&session, &key, &[]).await.as_str(), describe(&session, &key).await.as_str()), (DENIED, "ok"));

    let document = allow("kms:Encrypt", "*").to_string();
    let policy = admin.iam().create_policy().policy_name("boundary").policy_document(document).send().await.unwrap();
    let arn = policy.policy.unwrap().arn.unwrap();
    let put = admin.iam().put_role_permissions_boundary().role_name("app").permissions_boundary(&arn);
    put.send().await.unwrap();
    assert_eq!((encrypt(&role, &key, &[]).await.as_str(), describe(&role, &key).await.as_str()), ("ok", DENIED));
    admin.iam().delete_role_permissions_boundary().role_name("app").send().await.unwrap();
    assert_eq!(describe(&role, &key).await, "ok");
}

#[tokio::test]
async fn a_dry_run_tells_who_may() {
    let bench = Bench::new().await;
    let key = bench.admin().key().await;
    let role = bench.role("app", Some(allow("kms:Encrypt", "*"))).await;
    let run = role.kms().encrypt().key_id(&key).plaintext(Blob::new("x")).dry_run(true).send().await;
    assert_eq!(code(run), "DryRunOperationException");
    let spec = DataKeySpec::Aes256;
    let run = role.kms().generate_data_key().key_id(&key).key_spec(spec).dry_run(true).send().await;
    assert_eq!(code(run), DENIED);
}

#[tokio::test]
async fn a_user_with_an_access_key_is_a_principal_of_its_own() {
    let bench = Bench::new().await;
    let (iam, key) = (bench.admin().iam(), bench.admin().key().await);
    iam.create_user().user_name("ann").send().await.unwrap();
    let made = iam.create_access_key().user_name("ann").send().await.unwrap().access_key.unwrap();
    let ann =
        bench.client(Credentials::new(made.access_key_id, made.secret_access_key, None, None, "test"), "eu-west-1");
    let identity = ann.sts().get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn.unwrap(), format!("arn:aws:iam::{ACCOUNT}:user/ann"));
    assert_eq!(encrypt(&ann, &key, &[]).await, DENIED);
    let put = iam.put_user_policy().user_name("ann").policy_name("p");
    put.policy_document(allow("kms:Encrypt", "*").to_string()).send().await.unwrap();
    assert_eq!(encrypt(&ann, &key, &[]).await, "ok");
}

#[tokio::test]
async fn a_key_for_a_service_is_not_for_direct_calls() {
    let bench = Bench::new().await;
    let role = bench.role("app", None).await;
    let statement = json!({ "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
        "Principal": { "AWS": role_arn("app") },
        "Condition": { "StringEquals": { "kms:ViaService": "s3.eu-west-1.amazonaws.com" } } });
    let key = bench.admin().key_with(key_policy(vec![statement])).await;
    assert_eq!(encrypt(&role, &key, &[]).await, DENIED);
    let via = |service: &'static str| {
        let request = role.kms().encrypt().key_id(&key).plaintext(Blob::new("x")).customize();
        request.mutate_request(move |request| {
            request.headers_mut().insert("x-keywright-via", service);
        })
    };
    assert!(via("s3").send().await.is_ok());
    assert_eq!(code(via("rds").send().await), DENIED);
}

#[tokio::test]
async fn roles_chain_only_with_both_sides_consent() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let first = bench.role("first", None).await;
    let create = |name: &str, principal: String| {
        admin.iam().create_role().role_name(name).assume_role_policy_document(trust(&principal).to_string()).send()
    };
    create("open", format!("arn:aws:iam::{ACCOUNT}:root")).await.unwrap();
    create("closed", format!("arn:aws:iam::{ACCOUNT}:user/sandbox")).await.unwrap();
    let assume = |role: &str| first.sts().assume_role().role_arn(role_arn(role)).role_session_name("again").send();
    assert_eq!(code(assume("open").await), "AccessDenied");
    bench.put_policy("first", allow("sts:AssumeRole", "*")).await;
    assert!(assume("open").await.is_ok());
    assert_eq!(code(assume("closed").await), "AccessDenied");
    let long = first.sts().assume_role().role_arn(role_arn("open")).role_session_name("long");
    assert_eq!(code(long.duration_seconds(3700).send().await), "ValidationError");
}

#[tokio::test]
async fn the_lock_out_check_sees_the_caller() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let role = bench.role("deployer", Some(allow("kms:*", "*"))).await;
    let key = admin.key().await;
    let only_admin = key_policy(vec![]).to_string();
    let put = |client: &Client| client.kms().put_key_policy().key_id(&key).policy(&only_admin);
    let error = put(&role).send().await.unwrap_err().into_service_error();
    let message = "The new key policy will not allow you to update the key policy in the future.";
    assert_eq!(error.code(), Some("MalformedPolicyDocumentException"));
    assert_eq!(error.message(), Some(message));
    let create = role.kms().create_key().policy(&only_admin);
    assert_eq!(code(create.clone().send().await), "MalformedPolicyDocumentException");
    assert!(create.bypass_policy_lockout_safety_check(true).send().await.is_ok());
    put(&role).bypass_policy_lockout_safety_check(true).send().await.unwrap();
    assert_eq!(code(role.kms().get_key_policy().key_id(&key).send().await), DENIED);
    put(&admin).send().await.unwrap();
}

#[tokio::test]
async fn alias_operations_need_the_alias_and_the_key() {
    let bench = Bench::new().await;
    let key = bench.admin().key().await;
    let role = bench.role("deployer", None).await;
    let create = || role.kms().create_alias().alias_name("alias/a").target_key_id(&key).send();
    let (on_key, on_alias) =
        (format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}"), format!("arn:aws:kms:eu-west-1:{ACCOUNT}:alias/a"));
    bench.put_policy("deployer", allow("kms:CreateAlias", &on_key)).await;
    assert_eq!(code(create().await), DENIED);
    bench.put_policy("deployer", allow("kms:CreateAlias", &on_alias)).await;
    assert_eq!(code(create().await), DENIED);
    bench.put_policy("deployer", allow("kms:CreateAlias", "*")).await;
    create().await.unwrap();
}

#[tokio::test]
async fn tags_at_creation_need_permission_of_their_own() {
    let bench = Bench::new().await;
    let role = bench.role("deployer", Some(allow("kms:CreateKey", "*"))).await;
    let tag = aws_sdk_kms::types::Tag::builder().tag_key("a").tag_value("b").build().unwrap();
    let create = role.kms().create_key().bypass_policy_lockout_safety_check(true);
    assert!(create.clone().send().await.is_ok());
    assert_eq!(code(create.tags(tag).send().await), DENIED);
}

#[tokio::test]
async fn other_accounts_need_both_sides() {
    let bench = Bench::new().await;
    let other = "444455556666";
    let statement = json!({ "Effect": "Allow", "Action": ["kms:Encrypt", "kms:DisableKey"], "Resource": "*",
        "Principal": { "AWS": other } });
    let key = bench.admin().key_with(key_policy(vec![statement])).await;
    let arn = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}");
    let there = bench.admin_of(other);
    assert_eq!(encrypt(&there, &arn, &[]).await, "ok");
    // Management is not for other accounts, whatever the policy says; and an id means one's own account.
    assert_eq!(code(there.kms().disable_key().key_id(&arn).send().await), DENIED);
    assert_eq!(encrypt(&there, &key, &[]).await, "NotFoundException");
    // Nor does it learn which keys exist.
    let nowhere = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/none");
    assert_eq!(encrypt(&there, &nowhere, &[]).await, DENIED);
    let policy = bench.admin().kms().get_key_policy().key_id(&key).send().await.unwrap().policy.unwrap();
    assert!(policy.contains("arn:aws:iam::444455556666:root"), "{policy}");
}

#[tokio::test]
async fn a_deleted_role_leaves_its_unique_id_and_a_new_one_is_another() {
    let bench = Bench::new().await;
    let (admin, role) = (bench.admin(), bench.role("app", None).await);
    let statement = json!({ "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
        "Principal": { "AWS": role_arn("app") } });
    let key = admin.key_with(key_policy(vec![statement])).await;
    assert_eq!(encrypt(&role, &key, &[]).await, "ok");
    let id = admin.iam().get_role().role_name("app").send().await.unwrap().role.unwrap().role_id;
    admin.iam().delete_role().role_name("app").send().await.unwrap();
    let policy = admin.kms().get_key_policy().key_id(&key).send().await.unwrap().policy.unwrap();
    assert!(policy.contains(&id) && !policy.contains("role/app"), "{policy}");
    // The sessions of the old role are not the new one's.
    let again = bench.role("app", None).await;
    assert_eq!(encrypt(&again, &key, &[]).await, DENIED);
    assert_eq!(encrypt(&role, &key, &[]).await, "UnrecognizedClientException");
    let put = admin.kms().put_key_policy().key_id(&key).policy(policy);
    assert_eq!(code(put.send().await), "MalformedPolicyDocumentException");
}
