//! Grants: created, listed, idempotent by name, retired.

use super::*;
use aws_sdk_kms::types::{GrantConstraints, GrantOperation};

#[tokio::test]
async fn a_grant_is_listed_with_all_its_fields() {
    let bench = Bench::new().await;
    bench.role("app", None).await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let constraints = GrantConstraints::builder().encryption_context_equals("a", "b").build();
    let create = kms.create_grant().key_id(&key).name("g").grantee_principal(role_arn("app"));
    let create = create.retiring_principal(role_arn("app")).operations(GrantOperation::Decrypt);
    let create = create.constraints(constraints.clone());
    let made = create.clone().send().await.unwrap();
    assert_eq!(create.clone().send().await.unwrap().grant_id, made.grant_id);
    assert_ne!(create.name("h").send().await.unwrap().grant_id, made.grant_id);
    let listed = kms.list_grants().key_id(&key).grant_id(made.grant_id.unwrap()).send().await.unwrap().grants.unwrap();
    let grant = &listed[0];
    assert_eq!(grant.name.as_deref(), Some("g"));
    assert_eq!(grant.grantee_principal, Some(role_arn("app")));
    assert_eq!(grant.retiring_principal, Some(role_arn("app")));
    assert_eq!(grant.constraints, Some(constraints));
    assert_eq!(grant.operations(), [GrantOperation::Decrypt]);
    assert_eq!(grant.issuing_account, Some(format!("arn:aws:iam::{ACCOUNT}:root")));
    let retirable = kms.list_retirable_grants().retiring_principal(role_arn("app")).send().await.unwrap();
    assert_eq!(retirable.grants.unwrap().len(), 2);
}

#[tokio::test]
async fn grants_that_make_no_sense_are_refused() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let create = || kms.create_grant().key_id(&key);
    let admin = format!("arn:aws:iam::{ACCOUNT}:user/sandbox");
    let unfit = create().grantee_principal(&admin).operations(GrantOperation::Sign);
    assert_eq!(code(unfit.send().await), "ValidationException");
    let made = kms.create_key().key_spec("ECC_NIST_P256".into()).key_usage("SIGN_VERIFY".into()).send().await.unwrap();
    let signer = made.key_metadata.unwrap().key_id;
    let of_signer = || kms.create_grant().key_id(&signer).grantee_principal(&admin);
    assert_eq!(code(of_signer().operations(GrantOperation::Encrypt).send().await), "ValidationException");
    let context = GrantConstraints::builder().encryption_context_equals("a", "b").build();
    let constrained = of_signer().operations(GrantOperation::Sign).constraints(context);
    assert_eq!(code(constrained.send().await), "ValidationException");
    of_signer().operations(GrantOperation::Sign).send().await.unwrap();
    let unknown = create().grantee_principal(&admin).operations(GrantOperation::from("Explode"));
    assert_eq!(code(unknown.send().await), "ValidationException");
    assert_eq!(code(create().operations(GrantOperation::Encrypt).send().await), "ValidationException");
    let nobody = create().grantee_principal(role_arn("nobody")).operations(GrantOperation::Encrypt);
    assert_eq!(code(nobody.send().await), "InvalidArnException");
    let dry = create().grantee_principal(&admin).operations(GrantOperation::Encrypt).dry_run(true);
    assert_eq!(code(dry.send().await), "DryRunOperationException");
    assert_eq!(code(kms.revoke_grant().key_id(&key).grant_id("none").send().await), "NotFoundException");
    assert!(kms.list_grants().key_id(&key).send().await.unwrap().grants.unwrap().is_empty());
}

#[tokio::test]
async fn the_retiring_principal_retires_by_token_or_by_id() {
    let bench = Bench::new().await;
    let role = bench.role("app", None).await;
    let other = bench.role("other", None).await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let create = kms.create_grant().key_id(&key).grantee_principal(role_arn("app"));
    let create = create.retiring_principal(role_arn("app")).operations(GrantOperation::Decrypt);
    let made = create.clone().send().await.unwrap();
    let token = made.grant_token.unwrap();
    assert_eq!(code(other.kms().retire_grant().grant_token(&token).send().await), "AccessDeniedException");
    role.kms().retire_grant().grant_token(&token).send().await.unwrap();
    let made = create.send().await.unwrap();
    let arn = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}");
    role.kms().retire_grant().key_id(&arn).grant_id(made.grant_id.unwrap()).send().await.unwrap();
    assert!(kms.list_grants().key_id(&key).send().await.unwrap().grants.unwrap().is_empty());
}
