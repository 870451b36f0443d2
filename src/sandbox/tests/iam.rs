//! IAM and STS as callers see them.

use super::*;

async fn create(bench: &Bench, name: &str, trust: Value) -> Result<(), String> {
    let create = bench.admin().iam().create_role().role_name(name).assume_role_policy_document(trust.to_string());
    create.send().await.map(|_| ()).map_err(|error| code::<(), _, _>(Err(error)))
}

fn by_sandbox() -> Value {
    trust(&format!("arn:aws:iam::{ACCOUNT}:user/sandbox"))
}

#[tokio::test]
async fn a_role_keeps_what_it_was_given() {
    let bench = Bench::new().await;
    let iam = bench.admin().iam();
    let tag = aws_sdk_iam::types::Tag::builder().key("a").value("b c").build().unwrap();
    let create = iam.create_role().role_name("app").path("/keys/").description("d <&>").max_session_duration(7200);
    let create = create.assume_role_policy_document(by_sandbox().to_string()).tags(tag.clone());
    create.send().await.unwrap();
    let role = iam.get_role().role_name("app").send().await.unwrap().role.unwrap();
    assert_eq!(role.arn, format!("arn:aws:iam::{ACCOUNT}:role/keys/app"));
    assert_eq!((role.path.as_str(), role.description.as_deref()), ("/keys/", Some("d <&>")));
    assert_eq!((role.max_session_duration, role.tags), (Some(7200), Some(vec![tag])));
    let encoded = role.assume_role_policy_document.unwrap();
    assert!(encoded.starts_with("%7B%22"), "{encoded}");
    let listed = iam.list_roles().path_prefix("/keys/").send().await.unwrap().roles;
    assert_eq!(listed.len(), 1);
    iam.update_role().role_name("app").max_session_duration(3600).send().await.unwrap();
    assert_eq!(code(iam.update_role().role_name("app").max_session_duration(3599).send().await), "ValidationError");
}

#[tokio::test]
async fn roles_that_make_no_sense_are_refused() {
    let bench = Bench::new().await;
    let iam = bench.admin().iam();
    create(&bench, "app", by_sandbox()).await.unwrap();
    assert_eq!(create(&bench, "app", by_sandbox()).await.unwrap_err(), "EntityAlreadyExists");
    assert_eq!(create(&bench, "x", trust(&role_arn("nobody"))).await.unwrap_err(), "MalformedPolicyDocument");
    assert_eq!(create(&bench, "x", allow("sts:AssumeRole", "*")).await.unwrap_err(), "MalformedPolicyDocument");
    assert_eq!(create(&bench, "x", json!("no document")).await.unwrap_err(), "MalformedPolicyDocument");
    assert_eq!(create(&bench, "a b", by_sandbox()).await.unwrap_err(), "ValidationError");
    assert_eq!(code(iam.get_role().role_name("nobody").send().await), "NoSuchEntity");
    let put = iam.put_role_policy().role_name("app").policy_name("p");
    assert_eq!(code(put.clone().policy_document("{").send().await), "MalformedPolicyDocument");
    assert_eq!(code(put.policy_document(by_sandbox().to_string()).send().await), "MalformedPolicyDocument");
    let attach = iam.attach_role_policy().role_name("app").policy_arn("arn:aws:iam::aws:policy/Nonsense");
    assert_eq!(code(attach.send().await), "NoSuchEntity");
}

#[tokio::test]
async fn policies_are_kept_listed_and_removed() {
    let bench = Bench::new().await;
    let iam = bench.admin().iam();
    create(&bench, "app", by_sandbox()).await.unwrap();
    bench.put_policy("app", allow("kms:Encrypt", "*")).await;
    let got = iam.get_role_policy().role_name("app").policy_name("test").send().await.unwrap();
    assert!(got.policy_document.contains("kms%3AEncrypt"), "{}", got.policy_document);
    assert_eq!(code(iam.get_role_policy().role_name("app").policy_name("x").send().await), "NoSuchEntity");
    assert_eq!(iam.list_role_policies().role_name("app").send().await.unwrap().policy_names, ["test"]);
    assert_eq!(code(iam.delete_role().role_name("app").send().await), "DeleteConflict");
    iam.delete_role_policy().role_name("app").policy_name("test").send().await.unwrap();
    assert_eq!(code(iam.delete_role_policy().role_name("app").policy_name("test").send().await), "NoSuchEntity");

    let document = allow("kms:*", "*").to_string();
    let made = iam.create_policy().policy_name("p").policy_document(&document).send().await.unwrap().policy.unwrap();
    let arn = made.arn.unwrap();
    let again = iam.create_policy().policy_name("p").policy_document(&document);
    assert_eq!(code(again.send().await), "EntityAlreadyExists");
    iam.attach_role_policy().role_name("app").policy_arn(&arn).send().await.unwrap();
    let attached = iam.list_attached_role_policies().role_name("app").send().await.unwrap();
    assert_eq!(attached.attached_policies.unwrap()[0].policy_name.as_deref(), Some("p"));
    let version = iam.get_policy_version().policy_arn(&arn).version_id("v1").send().await.unwrap();
    assert!(version.policy_version.unwrap().document.unwrap().contains("kms%3A%2A"));
    let listed = async |scope: &str, attached: bool| {
        let list = iam.list_policies().scope(scope.into()).only_attached(attached).send().await.unwrap();
        list.policies.unwrap().into_iter().filter_map(|policy| policy.policy_name).collect::<Vec<_>>()
    };
    assert_eq!(listed("All", false).await, ["p", "AdministratorAccess"]);
    assert_eq!((listed("Local", false).await, listed("All", true).await), (vec!["p".into()], vec!["p".to_owned()]));
    assert_eq!((listed("AWS", true).await, listed("AWS", false).await.len()), (Vec::new(), 1));
    iam.detach_role_policy().role_name("app").policy_arn(&arn).send().await.unwrap();
    iam.delete_role().role_name("app").send().await.unwrap();
    assert_eq!(code(iam.get_role().role_name("app").send().await), "NoSuchEntity");
}

#[tokio::test]
async fn inline_policies_have_a_greatest_size() {
    let bench = Bench::new().await;
    create(&bench, "app", by_sandbox()).await.unwrap();
    let put = bench.admin().iam().put_role_policy().role_name("app").policy_name("p");
    let put = put.policy_document(allow("kms:Encrypt", &"a".repeat(10_200)).to_string());
    assert_eq!(code(put.send().await), "LimitExceeded");
    let listed = bench.admin().iam().list_role_policies().role_name("app").send().await.unwrap();
    assert!(listed.policy_names.is_empty(), "a refused call has no effect");
}

#[tokio::test]
async fn providers_exist_once_created() {
    let bench = Bench::new().await;
    let iam = bench.admin().iam();
    let url = "https://token.example.com";
    let arn = iam.create_open_id_connect_provider().url(url).client_id_list("sts").send().await.unwrap();
    let arn = arn.open_id_connect_provider_arn.unwrap();
    let got = iam.get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await.unwrap();
    assert_eq!((got.url.as_deref(), got.client_id_list()), (Some("token.example.com"), &["sts".to_owned()][..]));
    let list = iam.list_open_id_connect_providers().send().await.unwrap();
    assert_eq!(list.open_id_connect_provider_list.unwrap()[0].arn, Some(arn));
    let other = "arn:aws:iam::111122223333:oidc-provider/x";
    let missing = iam.get_open_id_connect_provider().open_id_connect_provider_arn(other);
    assert_eq!(code(missing.send().await), "NoSuchEntity");
}

#[tokio::test]
async fn sessions_are_the_roles_until_they_expire() {
    let bench = Bench::new().await;
    let session = bench.role("app", None).await;
    let identity = session.sts().get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn.unwrap(), format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/test"));
    let id = identity.user_id.unwrap();
    assert!(id.starts_with("AROA") && id.ends_with(":test"), "{id}");
    bench.clock.pass(SignedDuration::from_secs(3601));
    assert_eq!(code(session.sts().get_caller_identity().send().await), "ExpiredToken");
    assert_eq!(code(session.kms().list_keys().send().await), "ExpiredTokenException");
}

#[tokio::test]
async fn trust_policies_decide_who_assumes() {
    let bench = Bench::new().await;
    let sts = bench.admin().sts();
    let service = json!([{ "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "ec2.amazonaws.com" } }]);
    create(&bench, "service", statements(service)).await.unwrap();
    create(&bench, "foreign", trust("arn:aws:iam::444455556666:root")).await.unwrap();
    let external = json!([{ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": ACCOUNT },
        "Condition": { "StringEquals": { "sts:ExternalId": "e" } } }]);
    create(&bench, "external", statements(external)).await.unwrap();
    let assume = |role: &str| sts.assume_role().role_arn(role_arn(role)).role_session_name("test");
    for refused in ["service", "foreign", "external", "unknown"] {
        assert_eq!(code(assume(refused).send().await), "AccessDenied", "{refused}");
    }
    assert_eq!(code(assume("external").external_id("f").send().await), "AccessDenied");
    assert!(assume("external").external_id("e").send().await.is_ok());
    let there = bench.admin_of("444455556666").sts();
    assert!(there.assume_role().role_arn(role_arn("foreign")).role_session_name("test").send().await.is_ok());
}

#[tokio::test]
async fn sessions_last_as_long_as_the_role_allows() {
    let bench = Bench::new().await;
    create(&bench, "app", by_sandbox()).await.unwrap();
    let sts = bench.admin().sts();
    let assume = |seconds| {
        sts.assume_role().role_arn(role_arn("app")).role_session_name("test").duration_seconds(seconds).send()
    };
    assert_eq!(code(assume(899).await), "ValidationError");
    assert_eq!(code(assume(3601).await), "ValidationError");
    let expiration = assume(900).await.unwrap().credentials.unwrap().expiration.secs();
    assert_eq!(expiration, (bench.clock.now() + SignedDuration::from_secs(900)).as_second());
}

#[tokio::test]
async fn session_tokens_are_the_users_own() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let session = admin.with_session(admin.sts().get_session_token().send().await.unwrap().credentials.unwrap());
    let identity = session.sts().get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn.unwrap(), format!("arn:aws:iam::{ACCOUNT}:user/sandbox"));
    assert_eq!(code(session.sts().get_session_token().send().await), "AccessDenied");
}

#[tokio::test]
async fn seeded_principals_exist_and_deployers_may_deploy() {
    let bench = Bench::new().await;
    let seed = |arn: &str, kind| bench.sandbox.seed_principal(&arn.parse().unwrap(), kind).unwrap();
    seed(&role_arn("team/reader"), SeedKind::Trusted);
    seed(&role_arn("deployer"), SeedKind::Deployer);
    seed(&role_arn("deployer"), SeedKind::Deployer);
    seed(&format!("arn:aws:iam::{ACCOUNT}:user/ann"), SeedKind::Trusted);
    seed(&format!("arn:aws:sts::{ACCOUNT}:assumed-role/sso/ann"), SeedKind::Trusted);
    seed("arn:aws:iam::999900001111:role/there", SeedKind::Trusted);
    let admin = bench.admin();
    let reader = admin.assume("team/reader", None).await;
    assert_eq!(code(reader.kms().list_keys().send().await), "AccessDeniedException");
    let key = admin.assume("deployer", None).await.key().await;
    let who = vec![
        role_arn("team/reader"),
        format!("arn:aws:iam::{ACCOUNT}:user/ann"),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/sso/ann"),
        "arn:aws:iam::999900001111:role/there".to_owned(),
        // Of this account nothing is known.
        "arn:aws:iam::123412341234:role/whoever".to_owned(),
    ];
    let statement = |who: Value| json!({ "Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*", "Principal": { "AWS": who } });
    let put = |policy: Value| admin.kms().put_key_policy().key_id(&key).policy(policy.to_string()).send();
    put(key_policy(vec![statement(json!(who))])).await.unwrap();
    assert!(reader.kms().describe_key().key_id(&key).send().await.is_ok());
    for nobody in [role_arn("reader"), "arn:aws:iam::999900001111:role/nobody".to_owned()] {
        let error = put(key_policy(vec![statement(json!(nobody))])).await.unwrap_err().into_service_error();
        let expected = "Policy contains a statement with one or more invalid principals.";
        assert_eq!((error.code(), error.message()), (Some("MalformedPolicyDocumentException"), Some(expected)));
    }
}

/// Returns the decisions of a simulation, with the names of the policies that decided.
fn decisions(results: Option<Vec<aws_sdk_iam::types::EvaluationResult>>) -> Vec<(String, String, Vec<String>)> {
    let results = results.unwrap_or_default();
    let one = |result: aws_sdk_iam::types::EvaluationResult| {
        let matched = result.matched_statements().iter().filter_map(|at| at.source_policy_id.clone()).collect();
        (result.eval_action_name, result.eval_decision.as_str().to_owned(), matched)
    };
    results.into_iter().map(one).collect()
}

#[tokio::test]
async fn the_simulator_tells_what_the_policies_of_a_principal_say() {
    let bench = Bench::new().await;
    let iam = bench.admin().iam();
    let policy = json!([
        { "Effect": "Allow", "Action": ["kms:Encrypt", "kms:List*", "kms:RetireGrant"], "Resource": "*" },
        { "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*" },
        { "Effect": "Allow", "Action": "iam:GetRole", "Resource": "arn:aws:iam::*:role/a*" }
    ]);
    bench.role("app", Some(statements(policy))).await;
    let simulate =
        |action: &str| iam.simulate_principal_policy().policy_source_arn(role_arn("app")).action_names(action);
    let all = simulate("kms:Encrypt").action_names("kms:Decrypt").action_names("kms:Sign").action_names("kms:ListKeys");
    let answer = all.action_names("kms:RetireGrant").send().await.unwrap().evaluation_results;
    let expected = [
        ("kms:Encrypt", "allowed", &["role_app_test"][..]),
        ("kms:Decrypt", "explicitDeny", &["role_app_test"]),
        ("kms:Sign", "implicitDeny", &[]),
        ("kms:ListKeys", "allowed", &["role_app_test"]),
        ("kms:RetireGrant", "allowed", &["role_app_test"]),
    ];
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = expected.map(|(action, decision, by)| (action.to_owned(), decision.to_owned(), owned(by)));
    assert_eq!(decisions(answer), expected);
    let on = simulate("iam:GetRole").resource_arns(role_arn("app")).resource_arns(role_arn("boss"));
    let answer = decisions(on.send().await.unwrap().evaluation_results);
    assert_eq!(
        answer.iter().map(|(_, decision, _)| decision.as_str()).collect::<Vec<_>>(),
        ["allowed", "implicitDeny"]
    );

    iam.create_group().group_name("staff").send().await.unwrap();
    iam.create_user().user_name("ann").send().await.unwrap();
    iam.add_user_to_group().group_name("staff").user_name("ann").send().await.unwrap();
    let put = iam.put_group_policy().group_name("staff").policy_name("p");
    put.policy_document(allow("kms:Sign", "*").to_string()).send().await.unwrap();
    let ann = iam.simulate_principal_policy().policy_source_arn(format!("arn:aws:iam::{ACCOUNT}:user/ann"));
    let answer = ann.action_names("kms:Sign").send().await.unwrap().evaluation_results;
    assert_eq!(decisions(answer), [("kms:Sign".to_owned(), "allowed".to_owned(), owned(&["group_staff_p"]))]);
    let nobody = iam.simulate_principal_policy().policy_source_arn(role_arn("nobody")).action_names("kms:Sign");
    assert_eq!(code(nobody.send().await), "NoSuchEntity");
}

#[tokio::test]
async fn the_simulator_takes_policies_context_and_a_boundary() {
    let bench = Bench::new().await;
    let iam = bench.admin().iam();
    let conditional = json!([{ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
        "Condition": { "StringEquals": { "kms:EncryptionContext:app": "shop" } } }]);
    let simulate = || {
        iam.simulate_custom_policy()
            .policy_input_list(statements(conditional.clone()).to_string())
            .action_names("kms:Decrypt")
    };
    let entry = |value: &str| {
        let entry = aws_sdk_iam::types::ContextEntry::builder().context_key_name("kms:EncryptionContext:app");
        entry.context_key_type("string".into()).context_key_values(value).build()
    };
    let result = simulate().send().await.unwrap().evaluation_results.unwrap().remove(0);
    assert_eq!(
        (result.eval_decision.as_str(), result.missing_context_values()),
        ("implicitDeny", &["kms:EncryptionContext:app".to_owned()][..])
    );
    for (value, expected) in [("shop", "allowed"), ("other", "implicitDeny")] {
        let result =
            simulate().context_entries(entry(value)).send().await.unwrap().evaluation_results.unwrap().remove(0);
        assert_eq!((result.eval_decision.as_str(), result.missing_context_values()), (expected, &[][..]), "{value}");
    }
    let bounded = simulate().context_entries(entry("shop"));
    let bounded = bounded.permissions_boundary_policy_input_list(allow("kms:Encrypt", "*").to_string());
    let result = bounded.send().await.unwrap().evaluation_results.unwrap().remove(0);
    let detail = result.permissions_boundary_decision_detail().unwrap();
    assert_eq!((result.eval_decision.as_str(), detail.allowed_by_permissions_boundary), ("implicitDeny", false));

    let broken = iam.simulate_custom_policy().policy_input_list("{").action_names("kms:Sign");
    assert_eq!(code(broken.send().await), "MalformedPolicyDocument");
    assert_eq!(code(simulate().resource_owner("x").send().await), "ValidationError");
    let app = bench.role("app", None).await;
    let denied = app.iam().simulate_custom_policy().policy_input_list(allow("*", "*").to_string()).action_names("a:b");
    assert_eq!(code(denied.send().await), "AccessDenied");
}
